"""Control characters in errors and labels: shown, and obeyed by no terminal."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest

from tests.browser.site import Site, run_ingest, start_site
from tests.conftest import MODEL_CODE, StudyFolder

DB = "/validation_results"
LINK = "\x1b]8;;http://evil.example\x07here\x1b]8;;\x07"
TITLE = "\x1b]0;title\x07\x9b2J"
STORED_LABEL = "Pop\x01\x1b]0;t\x07\x9b"
# Kenya goes well; Uganda has a hostile error, Tanzania a hostile label.
CODE = f"""{MODEL_CODE}

_plain = simulate


def simulate(document):
    country = document["nodes"][0]["generate_array"]["parameters"]["country"]
    if country == "UGA":
        raise ValueError({LINK + TITLE!r})
    for label, year, value in _plain(document):
        yield (label + {TITLE!r} if country == "TZA" else label), year, value
"""


@dataclass(frozen=True)
class Hostile:
    """A run of the hostile model, what it printed, and the server on its results."""

    study: StudyFolder
    ran: subprocess.CompletedProcess[str]
    site: Site


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    """After the run, a label and an error are made such as only an older version let in."""
    study = StudyFolder(tmp_path_factory.mktemp("hostile") / "tiny")
    study.write_model(CODE)
    ran = run_ingest(study.root, "run")
    with closing(sqlite3.connect(study.database)) as connection, connection:
        label = "UPDATE elements SET element_label = ? WHERE element_label = 'Population'"
        connection.execute(label, [STORED_LABEL])
        error = "UPDATE job_results SET error = ? WHERE country = 'TZA' AND scenario = 'null'"
        connection.execute(error, [f"stored {LINK}{TITLE}"])
    site = start_site(study.database)
    yield Hostile(study, ran, site)
    site.process.kill()
    site.process.wait()


def unseen(text: str) -> set[str]:
    """The characters of a text that a terminal could obey."""
    return {letter for letter in text if not letter.isprintable()} - set("\n\t\r")


def test_a_run_shows_them_on_the_terminal(hostile: Hostile) -> None:
    said = hostile.ran.stdout + hostile.ran.stderr
    assert not unseen(said)
    assert r"\x1b]8;;http://evil.example\x07here" in said
    assert r"\x9b2J' holds a control character (U+001B)" in said


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["status"], "failed"),
        (["status", "1"], r"stored \x1b]8;;http://evil.example"),
        (["status", "1", "--failed"], r"stored \x1b]8;;http://evil.example\x07here"),
        (["query", "SELECT error FROM job_results"], r"stored \x1b]8;;http://evil.example"),
        (["query", "SELECT element_label FROM elements"], r"Pop\x01\x1b]0;t\x07\x9b"),
    ],
)
def test_commands_show_what_was_stored(hostile: Hostile, command: list[str], shown: str) -> None:
    result = run_ingest(hostile.study.root, *command)
    assert not unseen(result.stdout + result.stderr)
    assert shown in result.stdout


def test_pages_have_the_error_as_text(hostile: Hostile) -> None:
    page = hostile.site.get(f"{DB}/-/job/1/UGA/null").text
    assert not unseen(page)
    assert r"\x1b]8;;http://evil.example\x07here" in page


@pytest.mark.parametrize("label", [STORED_LABEL, "Healthy Years Lived"])
@pytest.mark.parametrize("kind", ["png", "svg", "vl.json"])
def test_a_label_is_drawn(hostile: Hostile, kind: str, label: str) -> None:
    picture = hostile.site.get(f"{DB}/label_trend.{kind}?{urlencode({'label': label})}")
    if kind == "svg":
        assert not unseen(picture.text)


@pytest.mark.parametrize("path", ["/", f"{DB}/failed_jobs", f"{DB}/elements", f"{DB}/-/api"])
def test_every_page_is_answered_and_the_server_says_none(hostile: Hostile, path: str) -> None:
    hostile.site.get(path)
    assert not unseen("".join(hostile.site.read_lines()))
