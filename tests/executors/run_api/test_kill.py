"""Runs at the run API killed at any moment: nothing is accepted twice, nothing accepted is lost."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.executors.run_api.journal import SubmissionJournal, journal_path
from tests.conftest import PROJECT
from tests.effort import examples
from tests.executors.drive import LIMIT_S
from tests.executors.run_api.run_api_driver import Stored, read_store, store_path
from tests.executors.run_api.run_api_server import Act, RunApiServer, run_api_server

COUNT = 24
# Long enough for a kill to find documents under way, with 8 side by side.
SLOW = Act(delay_s=0.05)
# Longer than the next run takes to start.
LONG = Act(delay_s=1.5)
DRIVER = [sys.executable, "-m", "tests.executors.run_api.run_api_driver"]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunApiServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with run_api_server() as api:
        yield api


def start_run(state_path: Path, api: RunApiServer) -> subprocess.Popen[bytes]:
    """A run in a process group of its own, as a shell starts it."""
    arguments = [*DRIVER, str(state_path), api.url, str(COUNT)]
    return subprocess.Popen(
        arguments, cwd=PROJECT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, process_group=0
    )


def finish_run(state_path: Path, api: RunApiServer) -> dict[int, Stored]:
    """What is stored in the end by a run that nobody disturbs."""
    with start_run(state_path, api) as process:
        _, errors = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, errors.decode()
    return read_store(store_path(state_path))


def wait_for_posts(api: RunApiServer, count: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while len(api.posts) < count and process.poll() is None:
        assert time.monotonic() < deadline, "the run does not go on"
        time.sleep(0.001)


def kill_submitter(state_path: Path, run: subprocess.Popen[bytes]) -> None:
    """Kill the submitter of a run, if it has begun."""
    pid = SubmissionJournal(journal_path(state_path)).holder()
    if pid is not None and pid != run.pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def numbers(documents: Iterator[bytes]) -> set[int]:
    return {json.loads(document)["number"] for document in documents}


@pytest.mark.parametrize("seed", range(examples(2, 6)))
def test_a_killed_run_loses_and_doubles_nothing(
    api: RunApiServer, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    state_path = tmp_path / "results.db"
    busy = Act(503, headers={"Retry-After": "0"})
    acts = [SLOW, SLOW, SLOW, SLOW, LONG, busy]
    api.plan_post = lambda body: dice.choice(acts)
    for _ in range(3):
        target = len(api.posts) + dice.randrange(0, 12)
        with start_run(state_path, api) as process:
            wait_for_posts(api, target, process)
            time.sleep(dice.choice([0, 0, 0.01, 0.1]))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    stored = finish_run(state_path, api)
    assert set(api.accepted_documents().values()) == {1}
    assert {job.job_id for job in stored.values()} == set(api.accepted)
    for number, job in stored.items():
        assert job.fault is None
        assert numbers(iter([api.accepted[job.job_id or ""]])) == {number}
        assert job.ulid in api.job_names[job.job_id or ""]


@pytest.mark.parametrize("seed", range(examples(2, 6)))
def test_run_and_submitter_killed_at_once_double_nothing_and_mark_what_is_open(
    api: RunApiServer, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    state_path = tmp_path / "results.db"
    api.plan_post = lambda body: SLOW
    for _ in range(3):
        target = len(api.posts) + dice.randrange(0, 12)
        with start_run(state_path, api) as process:
            wait_for_posts(api, target, process)
            process.kill()
            kill_submitter(state_path, process)
    stored = finish_run(state_path, api)
    assert set(api.accepted_documents().values()) == {1}
    adopted = {job.number for job in stored.values() if job.job_id}
    marked = {job.number for job in stored.values() if job.fault == "answer lost"}
    accepted = numbers(iter(api.accepted.values()))
    assert adopted | marked == set(range(COUNT))
    assert adopted <= accepted <= adopted | marked
    assert {job.job_id for job in stored.values() if job.job_id} <= set(api.accepted)


def test_ctrl_c_and_a_closed_terminal_reach_the_run_alone(
    api: RunApiServer, tmp_path: Path
) -> None:
    state_path = tmp_path / "results.db"
    with start_run(state_path, api) as process:
        wait_for_posts(api, 4, process)
        for number in (signal.SIGINT, signal.SIGHUP):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        process.communicate(timeout=LIMIT_S)
    stored = finish_run(state_path, api)
    assert set(api.accepted_documents().values()) == {1}
    assert {job.job_id for job in stored.values()} == set(api.accepted)
    assert len(stored) == len(api.accepted) == COUNT
