from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from ingest.cli import LazyCommand, main
from ingest.plugins import hookspecs
from tests.conftest import PROJECT

CHANGELOG = PROJECT / "CHANGELOG.md"
# The changelog is of its time: it names what has gone. All else is of today.
OF_TODAY = [
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    *sorted((PROJECT / "docs").glob("*.md")),
]
PAGES = [CHANGELOG, *OF_TODAY]
PATH = re.compile(r"`((?:[\w-]+/)+[\w-]+\.(?:py|sql|html))(?::[^`]*)?`")
DOTTED = re.compile(r"(?<![\w./-])ingest(?:\.[A-Za-z_]\w*)+")
IMPORTED = re.compile(r"^\s*from (ingest(?:\.\w+)*) import (\([^)]*\)|.*)$", re.MULTILINE)


def read(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


@pytest.mark.slow
def test_generated_parts_are_up_to_date() -> None:
    pages = [str(page) for page in PAGES]
    command = [sys.executable, "-m", "cogapp", "--check", "--diff", *pages]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"make docs\n{result.stdout}"


def test_every_command_and_option_is_in_the_commands_page() -> None:
    page = read("docs/commands.md")
    for name, command in main.commands.items():
        assert f"\n## ingest {name}\n" in page
        assert isinstance(command, LazyCommand)
        for parameter in command.load().params:
            for option in parameter.opts:
                assert option in page or option == parameter.name


def test_every_hook_has_a_heading_in_the_plugins_page() -> None:
    hooks = [name for name in vars(hookspecs) if name.startswith("ingest_")]
    assert len(hooks) >= 7
    headings = re.findall(r"^#+ .*$", read("docs/plugins.md"), flags=re.MULTILINE)
    for hook in hooks:
        assert any(hook in heading for heading in headings), hook


def test_every_command_is_named_in_the_readme_or_its_commands() -> None:
    readme = read("README.md")
    for name in main.commands:
        assert f"ingest {name}" in readme, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_are_readable_in_a_terminal(page: Path) -> None:
    prose = re.sub(r"```.*?```|<!--.*?\[\[\[end\]\]\] -->", "", page.read_text(), flags=re.DOTALL)
    long_lines = [line for line in prose.splitlines() if len(line) > 120 and "|" not in line]
    assert long_lines == []


def missing_paths(text: str) -> list[str]:
    """The `.../....py` that are in none of the places a page may mean; NAME is anyone's."""

    def is_there(path: str) -> bool:
        wanted = Path(path)
        while "NAME" in wanted.as_posix():
            wanted = wanted.parent
        return any((root / wanted).exists() for root in (PROJECT, PROJECT / "ingest"))

    return [path for path in PATH.findall(text) if not is_there(path)]


def is_name(dotted: str) -> bool:
    """Whether a dotted name leads to a module, or to an attribute of one."""
    found: object = import_module("ingest")
    so_far = "ingest"
    for part in dotted.split(".")[1:]:
        so_far = f"{so_far}.{part}"
        try:
            found = getattr(found, part) if hasattr(found, part) else import_module(so_far)
        except ModuleNotFoundError:
            return False
    return True


def unknown_names(text: str) -> list[str]:
    imported = [
        f"{module}.{name}"
        for module, names in IMPORTED.findall(text)
        for name in re.findall(r"(?<!as )\b[A-Za-z_]\w*\b", re.sub(r"#.*| as \w+", "", names))
    ]
    dotted = [name for name in DOTTED.findall(text) if not re.search(r"\.(toml|db)$", name)]
    return [name for name in dict.fromkeys([*dotted, *imported]) if not is_name(name)]


@pytest.mark.parametrize("page", OF_TODAY, ids=lambda page: page.name)
def test_files_and_names_of_the_code_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert missing_paths(text) == []
    assert unknown_names(text) == []


def test_a_file_or_name_that_has_moved_is_found() -> None:
    text = "`ingest/executors/local_settings.py`, `study/study.py`, `ingest/charts/NAME.py`, "
    assert missing_paths(text + "`ingest/drawings/NAME.py`") == [
        "ingest/executors/local_settings.py",
        "ingest/drawings/NAME.py",
    ]
    text = "`ingest.study.settings.Settings.name` `ingest.study.moved` ingest.toml\n"
    code = "from ingest.plugin_api import hookimpl, gone\nfrom ingest import hookimpl\n"
    assert unknown_names(text + code) == [
        "ingest.study.moved",
        "ingest.plugin_api.gone",
        "ingest.hookimpl",
    ]
