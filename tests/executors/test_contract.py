"""What base.py promises of every executor. A new one is added to EXECUTORS, nothing else."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.analytics.parse import RawRow
from ingest.analytics.validate import validate_rows
from ingest.errors import AnalyticsError
from ingest.executors.base import Executor, JobState
from ingest.executors.local.executor import LocalExecutor
from ingest.findings import Finding
from ingest.plugins.manager import find_executor, load_plugins
from ingest.study.local_settings import LocalSettings
from ingest.study.setting_fields import read_section, section_fields
from tests.conftest import PROJECT
from tests.executors.aws_batch.aws_drive import aws_batch_contract
from tests.executors.drive import (
    are_final,
    make_context,
    make_job,
    poll_until,
    run_jobs,
    wait_for_text,
)
from tests.executors.run_api.run_api_contract import run_api_contract

# A model that is a module with an entry point and a program with two file arguments as well.
MODEL = """
import csv, json, sys, time
from pathlib import Path

def simulate(document):
    if document.get("fails"):
        raise ValueError("no such country")
    if "marker" in document:
        Path(document["marker"]).write_text("running")
        time.sleep(document["sleep_s"])
    for year in range(2025, 2025 + document["years"]):
        yield "Healthy Years Lived", year, document["factor"] * (year - 2000) / 7
        yield "Années -> état, \\"sain\\"", year, document["factor"] / 3

if __name__ == "__main__":
    with open(sys.argv[2], "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["element_label", "timestamp_year", "value"])
        for row in simulate(json.loads(Path(sys.argv[1]).read_text())):
            writer.writerow(row)
"""
MODULE = "contract_model"

Make = Callable[[], Executor]


@contextmanager
def local_with_entry_point(root: Path) -> Iterator[Make]:
    settings = LocalSettings(entry_point=f"{MODULE}:simulate", workers=2)
    yield lambda: LocalExecutor(settings, make_context(root))


@contextmanager
def local_with_command(root: Path) -> Iterator[Make]:
    command = (sys.executable, f"{MODULE}.py", "{document}", "{result}")
    settings = LocalSettings(command=command, workers=2)
    yield lambda: LocalExecutor(settings, make_context(root))


@contextmanager
def documented(root: Path) -> Iterator[Make]:
    """The executor that docs/plugins.md holds as an example."""
    blocks = re.findall(r"```python\n(.*?)```", (PROJECT / "docs/plugins.md").read_text(), re.S)
    (code,) = [block for block in blocks if "class ThreadExecutor" in block]
    (root / "plugins").mkdir()
    (root / "plugins" / "threads.py").write_text(code)
    cls = find_executor(load_plugins(root / "plugins"), "threads")
    settings = cls.Settings(entry_point=f"{MODULE}:simulate")
    yield lambda: cls(settings, make_context(root))


# name -> a context in which executors can be made for a folder that holds the model
EXECUTORS: dict[str, Callable[[Path], AbstractContextManager[Make]]] = {
    "local, entry point": local_with_entry_point,
    "local, command": local_with_command,
    "threads of docs/plugins.md": documented,
    "run-api": lambda root: run_api_contract(root, f"{MODULE}:simulate"),
    "aws-batch": lambda root: aws_batch_contract(root, f"{MODULE}:simulate"),
}


def test_every_executor_that_comes_along_is_held_to_the_contract() -> None:
    offered = load_plugins().hook.ingest_register_executors()
    names = {cls.name for group in offered for cls in group}
    assert names <= {name.partition(",")[0] for name in EXECUTORS}


@pytest.fixture(params=EXECUTORS.values(), ids=EXECUTORS)
def make(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Make]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / f"{MODULE}.py").write_text(MODEL, encoding="utf-8")
    with request.param(tmp_path) as make_executor:
        yield make_executor


@pytest.fixture
def executor(make: Make) -> Iterator[Executor]:
    with closing(make()) as executor:
        executor.start()
        yield executor


def document(factor: float = 1.5, years: int = 3) -> dict[str, float]:
    return {"factor": factor, "years": years}


def expected_digest(factor: float = 1.5, years: int = 3) -> str:
    rows = []
    for year in range(2025, 2025 + years):
        rows.append(RawRow(0, "Healthy Years Lived", year, factor * (year - 2000) / 7))
        rows.append(RawRow(0, 'Années -> état, "sain"', year, factor / 3))
    return validate_rows(rows).digest


def test_each_job_gets_one_submission(executor: Executor) -> None:
    jobs = [make_job(f"J{number}", document()) for number in range(6)]
    submissions = list(executor.submit(jobs))
    assert sorted(s.ulid for s in submissions) == [job.ulid for job in jobs]
    assert all(s.fault is None for s in submissions)


def test_every_job_ends_exactly_once_and_is_known(executor: Executor) -> None:
    documents = {f"J{number}": document(number) for number in range(12)}
    ended = run_jobs(executor, documents)
    final = [update.ulid for update in ended.updates if update.state.is_final]
    assert sorted(final) == sorted(documents)
    assert {update.ulid for update in ended.updates} == set(documents)
    assert executor.poll([], 0.0) is not None
    assert list(executor.poll([], 0.0)) == []


def test_results_are_the_same_digests_everywhere(executor: Executor) -> None:
    factors = {f"J{number}": number / 7 + 0.1 for number in range(8)}
    ended = run_jobs(executor, {ulid: document(factor) for ulid, factor in factors.items()})
    digests = {ulid: ended.result_set(ulid).digest for ulid in factors}
    assert digests == {ulid: expected_digest(factor) for ulid, factor in factors.items()}


def test_a_job_that_fails_has_a_fault_and_disturbs_no_other(executor: Executor) -> None:
    ended = run_jobs(
        executor, {"A": document(), "B": document() | {"fails": True}, "C": document()}
    )
    assert set(ended.faults) == {"B"}
    # a run API cannot tell why
    assert ended.faults["B"].kind in ("model error", "job failed")
    assert ended.faults["B"].message
    assert not ended.faults["B"].can_pass
    assert ended.result_set("A").digest == ended.result_set("C").digest == expected_digest()


def test_jobs_can_be_submitted_while_others_run(executor: Executor) -> None:
    first = run_jobs(executor, {"A": document(1)})
    second = run_jobs(executor, {"B": document(2), "C": document(3)})
    assert first.result_set("A").digest == expected_digest(1)
    assert second.result_set("C").digest == expected_digest(3)


def test_results_of_a_job_that_never_was_are_an_error(executor: Executor) -> None:
    with pytest.raises(AnalyticsError, match="01UNKNOWN"):
        executor.fetch("01UNKNOWN")


def test_cancelling_unknown_jobs_is_harmless(executor: Executor) -> None:
    list(executor.submit([make_job("A", document())]))
    assert dict(executor.cancel(["01UNKNOWN", "01OTHER"])) == {}
    assert dict(executor.cancel([])) == {}
    updates = poll_until(executor, ["A"], lambda updates: are_final(updates, ["A"]))
    assert updates[-1].state is JobState.SUCCEEDED


def test_a_cancelled_job_disturbs_no_other(executor: Executor, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    slow = document() | {"marker": str(marker), "sleep_s": 0.5}
    list(executor.submit([make_job("SLOW", slow), make_job("A", document())]))
    poll_until(executor, ["SLOW", "A"], lambda updates: marker.exists())
    wait_for_text(marker)
    executor.cancel(["SLOW"])
    ended = run_jobs(executor, {"B": document(2)})
    assert ended.result_set("B").digest == expected_digest(2)


def test_an_executor_class_serves_one_run_after_the_other(make: Make) -> None:
    for factor in (1.0, 2.0):
        with closing(make()) as executor:
            executor.start()
            assert run_jobs(executor, {"A": document(factor)}).result_set(
                "A"
            ).digest == expected_digest(factor)


def test_closing_ends_jobs_that_wait(make: Make, tmp_path: Path) -> None:
    markers = [tmp_path / f"marker {n}" for n in range(12)]
    with closing(make()) as executor:
        if executor.jobs_survive_run:
            return  # what was submitted goes on, which is what it promises
        executor.start()
        jobs = [
            make_job(f"J{n}", document() | {"marker": str(marker), "sleep_s": 0.2})
            for n, marker in enumerate(markers)
        ]
        list(executor.submit(jobs))
        executor.poll([job.ulid for job in jobs], 0.0)
    begun = sum(marker.exists() for marker in markers)
    time.sleep(0.5)
    assert sum(marker.exists() for marker in markers) == begun < len(markers)


def test_settings_can_be_read_from_an_empty_section_and_are_documented(make: Make) -> None:
    cls = type(make())
    assert cls.name
    settings, findings = read_section(cls.Settings, {}, f"executors.{cls.name}", "ingest.toml")
    assert findings == []
    assert settings == cls.Settings()
    assert all(field.metadata["doc"] for field, _ in section_fields(cls.Settings))


def test_identity_tells_the_settings_that_decide_a_result_and_no_others(make: Make) -> None:
    executor = make()
    settings, cls = executor.settings, type(executor)
    identity = dict(cls.identity(settings))
    assert identity == dict(cls.identity(replace(settings)))
    marks = {field.name: field.metadata["is_input"] for field, _ in section_fields(cls.Settings)}
    assert identity == {name: getattr(settings, name) for name, mark in marks.items() if mark}


def test_check_answers_with_findings_without_starting(make: Make) -> None:
    executor = make()
    findings = list(executor.check(executor.settings, executor.context))
    assert all(isinstance(finding, Finding) for finding in findings)
    assert not any(finding.is_error for finding in findings)
