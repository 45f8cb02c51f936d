"""The browser while `ingest run` stores: nothing fails, counts only grow, the log is folded in."""

from __future__ import annotations

import itertools
import string
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.browser.site import Answer, Site, run_ingest, start_site
from tests.conftest import MODEL_CODE, StudyFolder

# 162 jobs of a twentieth of a second on two workers, 200 numbers each. One of them waits until the
# visitors have seen everything, however slow the machine.
COUNTRIES = [f"X{a}{b}" for a, b in itertools.product(string.ascii_uppercase[:10], "ABCDEFGH")]
LAST = COUNTRIES[-1]
SLOW_CODE = f"""
import os
import time
{MODEL_CODE}
_plain = simulate


def simulate(document):
    time.sleep(0.05)
    country = document["nodes"][0]["generate_array"]["parameters"]["country"]
    if country == {LAST!r}:
        end = time.monotonic() + 120
        while not os.path.exists(SEEN) and time.monotonic() < end:
            time.sleep(0.05)
    yield from _plain(document)
    for number in range(194):
        yield f"Label {{number:03d}}", 2025, ord(country[1]) * 1000.0 + ord(country[2]) + number
"""

DATABASE = "/validation_results"
PAGES = (
    "/",
    f"{DATABASE}/-/countries",
    f"{DATABASE}/-/country/KEN",
    f"{DATABASE}/-/runs",
    f"{DATABASE}/-/run/1",
    f"{DATABASE}/-/run/2",
    f"{DATABASE}/-/run/2/changes",
    f"{DATABASE}/-/job/1/KEN/scale_up",
    f"{DATABASE}/-/job/2/XAA/scale_up",
    f"{DATABASE}/compare_scenarios",
    f"{DATABASE}/job_results",
    f"{DATABASE}/metrics?run_id=2",
)
QUESTIONS = (
    "compare_scenarios",
    "failed_jobs",
    "history_of_a_number",
    "label_catalogue",
    "missing_combinations",
    "run_history",
    "scenario_impact",
)


@dataclass
class Recording:
    """What visitors got while run 2 was stored. after: the overview when it had ended."""

    run: subprocess.CompletedProcess[str]
    database: Path
    pages: list[Answer] = field(default_factory=list)
    json: list[Answer] = field(default_factory=list)
    progress: list[Answer] = field(default_factory=list)
    after: str = ""
    progress_after: Any = None

    @property
    def overviews(self) -> list[str]:
        """The overview, again and again."""
        return [answer.text for answer in self.pages[:: len(PAGES)]]

    @property
    def counts(self) -> list[dict[str, int]]:
        """The counts by state of run 2, in the order in which they were told."""
        return [answer.json()["counts"] for answer in self.progress]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    """Run 1 is of Kenya alone; run 2 of 80 more countries, with visitors who never pause."""
    study = StudyFolder(tmp_path_factory.mktemp("storing") / "tiny")
    study.write_countries("KEN")
    run_ingest(study.root, "run", "--quiet")
    study.write_countries("KEN", *COUNTRIES)
    study.write_model(f"SEEN = {str(study.root / 'seen')!r}\n{SLOW_CODE}")
    site = start_site(study.database)
    try:
        yield _record(study, site)
    finally:
        site.process.kill()
        site.process.wait()


def _record(study: StudyFolder, site: Site) -> Recording:
    recording = Recording(subprocess.CompletedProcess([], -1), study.database)
    command = [sys.executable, "-m", "ingest", "run", "--quiet"]
    process = subprocess.Popen(
        command, cwd=study.root, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    _wait_for_run_2(site, process)
    with _visitors(site, recording) as visitors:
        while not all(visitor.has_seen_all for visitor in visitors):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        (study.root / "seen").touch()
        said = process.communicate(timeout=300)
    assert not [visitor.problem for visitor in visitors if visitor.problem]
    recording.run = subprocess.CompletedProcess(command, process.returncode, *said)
    recording.after = site.get("/").text
    recording.progress_after = site.get(f"{DATABASE}/-/progress.json").json()
    return recording


@contextmanager
def _visitors(site: Site, recording: Recording) -> Iterator[list[Visitor]]:
    """Three of them, who ask without a pause as long as the block lasts."""
    questions = tuple(f"{DATABASE}/{name}.json" for name in QUESTIONS)
    progress = (f"{DATABASE}/-/progress.json",)
    visitors = [
        Visitor(site, PAGES, recording.pages),
        Visitor(site, questions, recording.json),
        Visitor(site, progress * 20, recording.progress),
    ]
    for visitor in visitors:
        visitor.start()
    try:
        yield visitors
    finally:
        for visitor in visitors:
            visitor.has_to_go.set()
        for visitor in visitors:
            visitor.join()


class Visitor(threading.Thread):
    """Asks for paths in turn. problem: a connection that was not taken or not finished."""

    def __init__(self, site: Site, paths: tuple[str, ...], answers: list[Answer]) -> None:
        super().__init__(daemon=True)
        self._site, self._paths, self._answers = site, paths, answers
        self.has_to_go = threading.Event()
        self.problem: OSError | None = None

    @property
    def has_seen_all(self) -> bool:
        """Whether every path was answered twice, or there is no hope that it will be."""
        return len(self._answers) >= 2 * len(self._paths) or self.problem is not None

    def run(self) -> None:
        try:
            for path in itertools.cycle(self._paths):
                if self.has_to_go.is_set():
                    return
                self._answers.append(self._site.request(path))
        except OSError as exc:
            self.problem = exc


def _wait_for_run_2(site: Site, process: subprocess.Popen[str]) -> None:
    """Its pages are there from its beginning on."""
    while site.get(f"{DATABASE}/-/progress.json").json()["run_id"] != 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_run_is_stored_whole_while_visitors_read(recording: Recording) -> None:
    assert recording.run.returncode == 0, recording.run.stderr
    assert recording.progress_after["counts"] == {"success": 2 * (len(COUNTRIES) + 1)}


def test_every_page_is_answered_while_a_run_is_stored(recording: Recording) -> None:
    assert len(recording.pages) >= 2 * len(PAGES)
    assert {answer.status for answer in recording.pages} == {200}


def test_every_question_is_answered_as_json_while_a_run_is_stored(recording: Recording) -> None:
    assert len(recording.json) >= 2 * len(QUESTIONS)
    assert {answer.status for answer in [*recording.json, *recording.progress]} == {200}
    assert {answer.json()["ok"] for answer in recording.json} == {True}


def test_jobs_that_have_ended_only_grow(recording: Recording) -> None:
    succeeded = [counts.get("success", 0) for counts in recording.counts]
    assert succeeded == sorted(succeeded)
    assert len(set(succeeded)) > 5, "the run was over before anything could be seen"


def test_no_job_is_lost_or_told_twice_at_any_moment(recording: Recording) -> None:
    assert {sum(counts.values()) for counts in recording.counts} == {2 * (len(COUNTRIES) + 1)}


def test_overview_tells_that_the_run_is_going_on(recording: Recording) -> None:
    going_on = [text for text in recording.overviews if "is going on" in text]
    assert going_on
    for text in going_on:
        assert "-/run/2" in text
        assert "Run 1</a> completed" in text


def test_overview_tells_that_the_run_is_completed(recording: Recording) -> None:
    assert "Run 2</a> completed" in recording.after
    assert "is going on" not in recording.after
    assert recording.progress_after["status"] == "completed"


def test_checkpoint_succeeds_though_visitors_read(recording: Recording) -> None:
    log = recording.database.with_name(recording.database.name + "-wal")
    assert not log.exists() or log.stat().st_size == 0
