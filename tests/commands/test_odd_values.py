"""Every option and argument of every command with values that it cannot mean."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ingest.cli import LazyCommand, main
from ingest.database import ValidationDatabase
from ingest.database.references import ReferenceLevel, replace_levels
from tests.conftest import StudyFolder
from tests.effort import examples
from tests.odd_study import run_study

VALUES = (
    "", " ", "-1", "0", "99999999999999999999", "1e999", "nan", "inf", "9999-12-31", "0001-01-01",
    "x" * 5000, "a\0b", "a\udc80b", "a\nb", "../..", "/dev/null", "[", ",", "=", "a=b", "%s", "²",
)  # fmt: skip
# What makes each command complete, so that only the odd value is wrong.
COMPLETE = {
    "backfill": [], "chart": ["scenario_impact"], "check": [], "compare": ["null", "scale_up"],
    "backup": ["copy.db"], "dev-server": ["--study", "nowhere"], "diff": [],
    "economics": [], "indicators": [], "report": [],
    "explain": ["KEN", "null"], "export": [],
    "gc": [], "import": ["numbers.csv"], "init": ["new"], "plan": [], "plugins": [],
    "query": ["SELECT 1"], "reference fit": ["y"], "reference list": [],
    "reference load": ["figures.csv", "--name", "x"],
    "rename-study": ["y", "--reason", "z"], "run": ["--dry-run"], "serve": ["-d", "none.db"],
    "status": [], "tag": ["latest", "mine"],
}  # fmt: skip
# What `ingest economics` and `ingest indicators` need.
MEASURES = """
[economics]
cost = "Healthy Years Lived"
effect = "Healthy Years Lived"
[[indicators]]
name = "Years"
labels = "Healthy Years Lived"
"""
# One function reads these for all commands, so that one command stands for the others.
SHARED, SWEPT_WITH_SHARED = {"--study", "--database", "--set"}, "plan"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = StudyFolder(tmp_path_factory.mktemp("odd-values") / "tiny")
    numbers = "country,scenario,element_label,timestamp_year,value\nKEN,x,Population,2025,1.5\n"
    (study.root / "numbers.csv").write_text(numbers)
    (study.root / "figures.csv").write_text("ISO3,scale_up\nKEN,5\n")
    study.write_settings(MEASURES)
    run_study(study)
    run_study(study, "--force", "--countries", "KEN")
    with ValidationDatabase(study.database).writing() as database:
        replace_levels(database.db, "y", [ReferenceLevel("Population", "", "KEN", 2025, 5.0)])
    return study.root


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        command = command.load() if isinstance(command, LazyCommand) else command
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


FOUND = dict(commands(main))


def calls(name: str) -> Iterator[list[str]]:
    """The arguments of a command with odd values in each place: others in the next one."""
    base, arguments = COMPLETE[name], 0
    some = cycle(VALUES)
    number = examples(5, len(VALUES))
    for parameter in FOUND[name].params:
        if isinstance(parameter, click.Argument):
            for value in islice(some, number):
                yield [*base[:arguments], value, *base[arguments + 1 :]]
            arguments += 1
        elif isinstance(parameter, click.Option) and not parameter.is_flag:
            is_shared = SHARED & set(parameter.opts)
            for value in islice(some, number) if not is_shared or name == SWEPT_WITH_SHARED else ():
                yield [*base, parameter.opts[0], value]


@pytest.mark.parametrize("name", COMPLETE)
def test_no_value_is_a_fault_of_ingest(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shutil.copytree(built, tmp_path / "tiny")
    monkeypatch.chdir(tmp_path / "tiny")
    for arguments in calls(name):
        result = CliRunner().invoke(main, [*name.split(), *arguments])
        told = (name, [argument[:40] for argument in arguments], result.stderr[-2000:])
        assert result.exit_code in (0, 2, 3), told
        assert "Traceback" not in result.stderr, told
        if result.exit_code == 2:
            assert result.stderr, told
            assert len(result.stderr.splitlines()) <= 12, told
        shutil.rmtree("new", ignore_errors=True)


def test_every_command_is_swept() -> None:
    assert COMPLETE.keys() == FOUND.keys()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status", "99999999999999999999"], "no run '99999999999999999999' in this database"),
        (["diff", "99999999999999999999"], "no run '99999999999999999999' in this database"),
        (["diff", "--rtol", "nan"], "Invalid value for '--rtol': nan is no finite number."),
        (["diff", "--atol", "inf"], "Invalid value for '--atol': inf is no finite number."),
        (["diff", "--atol", "1e999"], "Invalid value for '--atol': 1e999 is no finite number."),
        (["diff", "--since", "9" * 20], f"'{'9' * 20}' is no time; write an age or a date"),
        (["diff", "--since", "0001-01-01"], "'0001-01-01'"),
        (["query", "SELECT 1", "--limit", "-1"], "Invalid value for '--limit': -1 is not in"),
        (["gc", "--keep", "9" * 20], f"Invalid value for '--keep': {'9' * 20} is too large."),
        (["tag", "latest", "a\0b"], "'a\\x00b' holds a NUL character; type it without"),
        (["tag", "latest", "a\udc80"], "'a\\udc80' is not UTF-8 text; type or rename it so"),
        (["status", "--database", ""], "--database is empty: name one, or leave the option out"),
        (["status", "--database", "x" * 300], "File name too long"),
    ],
)
def test_each_value_is_refused_in_words(
    built: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(built)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_the_last_day_of_all_means_the_newest_run(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built)
    for day in ("9999-12-31", "9999-12-30"):
        result = CliRunner().invoke(main, ["diff", "1", day])
        assert result.exit_code == 0, result.output
        assert "Run 2" in result.stdout
