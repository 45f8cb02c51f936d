"""Options and variables that commands share: each command obeys each of them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from ingest.cli import LazyCommand, main
from tests.conftest import MODEL_CODE, StudyFolder, scenario
from tests.odd_study import run_study

# What each command prints as JSON (or CSV) about a study and its results.
READING = {
    "backfill": ["backfill", "--dry-run", "--json"],
    "chart": ["chart", "compare_scenarios", "-p", "label=Population", "-p", "country=KEN"],
    "check": ["check", "--json"],
    "check --results": ["check", "--results", "--json"],
    "compare": ["compare", "null", "scale_up", "--label", "Population", "--json"],
    "diff": ["diff", "1", "latest", "--json"],
    "economics": ["economics", "--json"],
    "explain": ["explain", "KEN", "null", "--json"],
    "export": ["export"],
    "export --check": ["export", "--json", "--check", "numbers.csv"],
    "gc": ["gc", "--keep", "1", "--json"],
    "indicators": ["indicators", "--json"],
    "plan": ["plan", "--json"],
    "plugins": ["plugins", "--json"],
    "query": ["query", "SELECT run_id, study FROM validation_runs", "--json"],
    "reference list": ["reference", "list", "--json"],
    "run": ["run", "--dry-run", "--json"],
    "status": ["status", "--json"],
    "tag": ["tag", "--json"],
}
# These look only at the study: no database changes what they print.
WITHOUT_RESULTS = {"check", "plugins"}
# Commands that change a database.
WRITING = {
    "gc": ["gc", "--keep", "1", "--yes"],
    "import": ["import", "--metrics", "numbers.csv"],
    "reference load": ["reference", "load", "figures.csv", "--name", "x", "--label", "Population"],
    "rename-study": ["rename-study", "renamed", "--reason", "a test"],
    "run": ["run", "--quiet", "--force", "--countries", "KEN", "--scenarios", "null"],
    "tag": ["tag", "latest", "mine"],
}
ROUTES_TO_A_STUDY = ("--study", "INGEST_STUDY")
ROUTES_TO_A_DATABASE = ("--database", "-d", "--set", "INGEST_DATABASE", "INGEST_DATABASE_PATH")
OTHER = 'name = "tiny"\nplugins = "plugins"\nunmatched_paths = "warning"'
NUMBERS = "country,scenario,element_label,timestamp_year,value\nKEN,by_hand,Population,2025,1.5\n"


class Folders:
    """`here` with one run; `there`, another study with two; `mixed`: here with there's database."""

    def __init__(self, root: Path) -> None:
        self.here, self.there, self.mixed = root / "here", root / "there", root / "mixed"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    folders = Folders(tmp_path_factory.mktemp("shared-options"))
    here, there = StudyFolder(folders.here), StudyFolder(folders.there)
    rule = '[[rules]]\nname = "{}"\nkind = "bounds"\nlabel = "Population"\nminimum = 0\n'
    rule += '[[indicators]]\nname = "Years"\nlabels = "Healthy Years Lived"\n'
    rule += '[economics]\ncost = "Healthy Years Lived"\neffect = "Healthy Years Lived"\n'
    here.write_settings(rule.format("first"))
    there.write_settings(rule.format("second"), study=OTHER)
    (there.root / "plugins").mkdir()
    (there.root / "plugins" / "mine.py").write_text('"""A plugin without hooks."""\n')
    unmatched = {"value": 1, "paths": ["$.nodes[?(@.id=='none')].value"]}
    there.write_json("scenarios/null.json", scenario(0.0, Nothing=unmatched))
    there.write_json("countries.json", {"countries": [{"name": "Kenya", "iso3": "KEN"}]})
    for study in (here, there):
        (study.root / "numbers.csv").write_text(NUMBERS)
        (study.root / "figures.csv").write_text("ISO3,scale_up\nKEN,5\n")
        run_study(study)
    there.write_model(MODEL_CODE.replace("/ 7", "/ 9"))
    run_study(there)
    call(there.root, "tag", "1", "first")
    call(there.root, "reference", "load", "figures.csv", "--name", "f", "--label", "Population")
    with closing(sqlite3.connect(there.database)) as connection, connection:
        connection.execute("UPDATE job_results SET result_set_id = NULL WHERE run_id = 1")
    shutil.copytree(folders.here, folders.mixed)
    shutil.copy(there.database, folders.mixed / there.database.name)
    return folders


def call(folder: Path, *arguments: str, **environment: str) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return CliRunner().invoke(main, list(arguments), env=environment, catch_exceptions=False)


def through(route: str, target: str, folder: Path, arguments: list[str]) -> Result:
    """Call with an option or a variable that names a study or a database."""
    if route == "--set":
        return call(folder, *arguments, "--set", f"database.path={target}")
    if route.startswith("-"):
        return call(folder, *arguments, route, target)
    return call(folder, *arguments, **{route: target})


def answer(result: Result) -> str:
    assert result.exit_code in (0, 3), result.output
    assert result.stdout
    return result.stdout


@pytest.mark.parametrize("route", ROUTES_TO_A_STUDY)
@pytest.mark.parametrize("name", READING)
def test_each_command_reads_the_study_that_is_named(built: Folders, name: str, route: str) -> None:
    result = through(route, str(built.there), built.here, READING[name])
    there = f"{built.there}/"  # `plugins` and `status` name files, from where they are called
    shown = answer(result).replace(there, "")
    assert shown == answer(call(built.there, *READING[name])).replace(there, "")
    assert shown != answer(call(built.here, *READING[name]))


@pytest.mark.parametrize("route", ROUTES_TO_A_DATABASE)
@pytest.mark.parametrize("name", [name for name in READING if name not in WITHOUT_RESULTS])
def test_each_command_reads_the_database_that_is_named(
    built: Folders, name: str, route: str
) -> None:
    database = str(built.there / "validation_results.db")
    result = through(route, database, built.here, READING[name])
    assert answer(result) == answer(call(built.mixed, *READING[name]))
    assert answer(result) != answer(call(built.here, *READING[name]))


@pytest.mark.parametrize("route", [*ROUTES_TO_A_STUDY, *ROUTES_TO_A_DATABASE])
@pytest.mark.parametrize("name", WRITING)
def test_each_command_changes_only_the_database_that_is_named(
    built: Folders, tmp_path: Path, name: str, route: str
) -> None:
    copy = Folders(tmp_path)
    shutil.copytree(built.here, copy.here)
    shutil.copytree(built.there, copy.there)
    here, there = (folder / "validation_results.db" for folder in (copy.here, copy.there))
    before = content(here), content(there)
    target = copy.there if route in ROUTES_TO_A_STUDY else there
    result = through(route, str(target), copy.here, WRITING[name])
    assert result.exit_code == 0, result.output
    assert content(here) == before[0]
    assert content(there) != before[1]


def content(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("route", [*ROUTES_TO_A_STUDY, *ROUTES_TO_A_DATABASE])
def test_serve_opens_the_database_that_is_named(built: Folders, tmp_path: Path, route: str) -> None:
    target = tmp_path / "none.db"
    if route in ROUTES_TO_A_STUDY:
        StudyFolder(tmp_path / "empty")
        target = tmp_path / "empty" / "validation_results.db"
    named = target.parent if route in ROUTES_TO_A_STUDY else target
    result = through(route, str(named), built.here, ["serve"])
    assert result.exit_code == 2
    assert f"no database {target}" in result.stderr


@pytest.mark.parametrize("arguments", [*READING.values(), *WRITING.values()])
@pytest.mark.parametrize("more", [[], ["--database", "validation_results.db"]])
def test_each_command_refuses_a_setting_that_does_not_exist(
    built: Folders, arguments: list[str], more: list[str]
) -> None:
    result = call(built.here, *arguments, *more, "--set", "run.max_inflight=3")
    assert result.exit_code == 2
    assert "max_inflight" in result.output
    assert "max_in_flight" in result.output


@pytest.mark.parametrize(
    "name", [name for name, arguments in READING.items() if "--json" in arguments]
)
def test_each_json_answer_is_json_and_nothing_else(built: Folders, name: str) -> None:
    assert isinstance(json.loads(answer(call(built.there, *READING[name]))), dict | list)


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command.load() if isinstance(command, LazyCommand) else command


def test_no_command_is_missing_above() -> None:
    tested = {*READING, *WRITING, "serve", "backup"}  # two of them have tests of their own
    for name, command in commands(main):
        options = {option for parameter in command.params for option in parameter.opts}
        if "--database" in options:
            assert {"--study", "--set"} <= options, name
            assert name in tested
        if "--json" in options:
            assert any("--json" in a for n, a in READING.items() if n.split(" --")[0] == name), name


def test_dev_server_obeys_study_and_set(built: Folders, tmp_path: Path) -> None:
    result = call(built.here, "dev-server", "--study", str(tmp_path))
    assert (result.exit_code, f"no ingest.toml in {tmp_path}" in result.stderr) == (2, True)
    result = call(built.here, "dev-server", INGEST_STUDY=str(tmp_path))
    assert (result.exit_code, f"no ingest.toml in {tmp_path}" in result.stderr) == (2, True)
    result = call(built.here, "dev-server", "--set", "run.max_inflight=3")
    assert (result.exit_code, "max_inflight" in result.output) == (2, True)


def test_an_option_wins_over_set_and_set_over_the_variable(built: Folders) -> None:
    ours, theirs = (str(f / "validation_results.db") for f in (built.here, built.there))
    query = READING["query"]
    there = answer(call(built.there, *query))
    by_option = call(built.here, *query, "-d", theirs, "--set", f"database.path={ours}")
    assert answer(by_option) == there
    by_set = call(built.here, *query, "--set", f"database.path={theirs}", INGEST_DATABASE=ours)
    assert answer(by_set) == there


@pytest.mark.parametrize("route", ["--study", "--database", "--set"])
def test_a_suggested_command_leads_to_the_same_database(built: Folders, route: str) -> None:
    target = built.there if route == "--study" else built.there / "validation_results.db"
    shown = through(route, str(target), built.here, ["gc", "--keep", "1"]).stdout
    option = f"{route} database.path={target}" if route == "--set" else f"{route} {target}"
    assert f"Do it with: ingest gc {option} --keep 1 --yes\n" in shown


def test_an_option_for_a_setting_wins_over_set(built: Folders) -> None:
    arguments = ["run", "--dry-run", "--set", "run.executor=local", "--executor", "nowhere"]
    result = call(built.here, *arguments)
    assert (result.exit_code, "nowhere" in result.stderr) == (2, True)
