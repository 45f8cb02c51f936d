from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.cli import LazyCommand, main
from ingest.plugins import hookspecs
from tests.conftest import PROJECT

PAGES = [PROJECT / "README.md", PROJECT / "CHANGELOG.md", *sorted((PROJECT / "docs").glob("*.md"))]


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
