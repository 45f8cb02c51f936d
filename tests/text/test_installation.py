"""How more of ingest is installed is told by commands that work, wherever it came from."""

from __future__ import annotations

import re
import shlex
import sys
from importlib import metadata
from pathlib import Path

import pytest

from ingest.text import installation
from ingest.text.installation import not_installed, update_command
from tests.conftest import PROJECT

EXTRAS = ["browser", "charts", "frames"]


@pytest.mark.parametrize("extra", EXTRAS)
def test_what_to_install_is_all_that_the_extra_needs(extra: str) -> None:
    what, _, command = not_installed("datasette", extra).partition(": ")
    assert what == "datasette is not installed"
    python, *arguments = shlex.split(command)
    assert (python, arguments[:3]) == (sys.executable, ["-m", "pip", "install"])
    needed = (PROJECT / "pyproject.toml").read_text().partition(f"\n{extra} = [")[2].split("]")[0]
    names = re.findall(r'"([\w-]+)', needed)
    assert {re.split(r"[<>=]", argument)[0] for argument in arguments[3:]} == set(names)


def test_without_metadata_the_library_itself_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", none)
    assert not_installed("pyarrow", "frames").endswith(" -m pip install pyarrow")


def test_updating_is_told_for_a_checkout_and_for_a_wheel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert update_command() == f"Update with: git -C {PROJECT} pull"
    monkeypatch.setattr(
        installation, "__file__", str(tmp_path / "ingest" / "text" / "installation.py")
    )
    assert update_command().endswith(" -m pip install FILE, the later wheel")


def test_no_message_and_no_page_sends_people_to_a_package_index_that_is_not_ours() -> None:
    files = [*(PROJECT / "ingest").rglob("*.py"), *(PROJECT / "docs").glob("*.md")]
    files += [PROJECT / "README.md", *(PROJECT / "templates").glob("*.html")]
    for file in files:
        text = file.read_text(encoding="utf-8")
        found = re.search(r"pip install\s+(--upgrade\s+)?[\"']?ingest(?!\S* @)", text)
        assert found is None, (file, found)
