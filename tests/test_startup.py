"""What commands import: names, not times. A library that is slow to import costs every call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ingest.cli import LazyCommand, main
from tests.conftest import StudyFolder

# Prints the third-party packages that a command has imported, after what it prints itself.
PROGRAM = """
import sys
before = set(sys.modules)
try:
    from ingest.cli import main
    main(sys.argv[1:])
except SystemExit as exc:
    if exc.code:
        raise
names = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(names - set(sys.stdlib_module_names) - {"ingest"}))
"""
# The last two are what jsonpath_rfc9535 needs.
PLANNING = {"click", "pluggy", "pycountry", "jsonpath_rfc9535", "regex", "iregexp_check"}
EXPECTED = {
    "--help": {"click"},
    "--version": {"click"},
    "status": {"click", "tabulate"},
    "plan": PLANNING,
    "run": PLANNING | {"filelock"},
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """A study whose combinations have all been run."""
    study = StudyFolder(tmp_path_factory.mktemp("startup") / "tiny")
    command = [sys.executable, "-m", "ingest", "run", "--quiet"]
    subprocess.run(command, cwd=study.root, check=True, timeout=60)
    return study


def imported(folder: Path, *arguments: str) -> set[str]:
    """The third-party packages that a command imports, called in a folder."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, *arguments],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return set(result.stdout.splitlines()[-1].split())


@pytest.mark.slow
@pytest.mark.parametrize("command", EXPECTED)
def test_a_command_imports_only_what_it_needs(ran: StudyFolder, command: str) -> None:
    assert imported(ran.root, command) == EXPECTED[command]


@pytest.mark.slow
def test_a_first_run_migrates_the_schema_with_sqlite_utils(tmp_path: Path) -> None:
    study = StudyFolder(tmp_path / "tiny")
    assert "sqlite_utils" in imported(study.root, "run", "--quiet", "--json")


@pytest.mark.slow
def test_only_the_executor_that_is_chosen_is_imported() -> None:
    program = (
        "import sys\n"
        "from ingest.plugins.manager import find_executor, load_plugins\n"
        "find_executor(load_plugins(), 'local')\n"
        "print(*(name for name in sys.modules if name.endswith('.executor')))"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["ingest.executors.local.executor"]


def loaded(name: str) -> click.Command:
    command = main.commands[name]
    assert isinstance(command, LazyCommand)
    return command.load()


@pytest.mark.parametrize("name", main.commands)
def test_the_short_help_is_the_commands_own(name: str) -> None:
    command = loaded(name)
    assert command.name == name
    for limit in range(20, 120):
        assert main.commands[name].get_short_help_str(limit) == command.get_short_help_str(limit)


def test_a_mistyped_command_is_answered_with_the_nearest_one() -> None:
    result = CliRunner().invoke(main, ["statu"])
    assert result.exit_code == 2
    assert "No such command 'statu'" in result.stderr


def test_the_version_is_shown() -> None:
    result = CliRunner().invoke(main, ["--version"], prog_name="ingest")
    assert result.exit_code == 0
    assert result.stdout.startswith("ingest, version ")
