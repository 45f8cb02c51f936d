"""Ctrl-C on AWS Batch: jobs are left to the next run, or stopped with --cancel-on-interrupt."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.cloud.driving import LIMIT_S, finish, run, select, start
from tests.conftest import MODEL_CODE, StudyFolder
from tests.executors.aws_batch.aws_double import AwsDouble, running_double
from tests.executors.aws_batch.aws_drive import use_double
from tests.executors.aws_batch.aws_executor import BUCKET, DEFINITION, QUEUE

SECTION = (
    f'[executors.aws-batch]\nqueue = "{QUEUE}"\njob_definition = "{DEFINITION}"\n'
    f'bucket = "{BUCKET}"\n[run]\npoll_interval_s = 0.1\n'
)
AWS = ("--executor", "aws-batch")


def waiting_model(gate: Path) -> str:
    """A model that waits until a file is there."""
    return (
        f"import os, time\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.05)\n"
        + MODEL_CODE
    )


def interrupted(study: StudyFolder, double: AwsDouble, *options: str) -> tuple[int, str]:
    process = start(study, [*AWS, *options])
    deadline = time.monotonic() + LIMIT_S
    while not double.count("DescribeJobs"):
        assert time.monotonic() < deadline, "the jobs were never asked about"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    return finish(process)


def test_jobs_are_left_to_the_next_run(
    study: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    study.write_settings(SECTION)
    study.write_model(waiting_model(gate))
    with running_double(study.root) as double:
        use_double(double, monkeypatch)
        code, told = interrupted(study, double)
        assert code == 130, told
        assert double.count("TerminateJob") == 0
        gate.touch()
        assert run(study, *AWS)[0] == 0
        assert double.count("SubmitJob") == 1
    assert select(study.database, "SELECT status, successful_jobs FROM validation_runs") == [
        ("completed", 8)
    ]


def test_jobs_are_stopped_where_that_is_asked_for(
    study: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    study.write_settings(SECTION)
    study.write_model(waiting_model(gate))
    with running_double(study.root) as double:
        use_double(double, monkeypatch)
        code, told = interrupted(study, double, "--cancel-on-interrupt")
        assert code == 130, told
        assert double.count("TerminateJob") >= 1
        kinds = "SELECT DISTINCT job_status, error_kind FROM job_results"
        assert select(study.database, kinds) == [("cancelled", "cancelled")]
        gate.touch()
        assert run(study, *AWS)[0] == 0
        assert double.count("SubmitJob") == 2
    assert select(study.database, "SELECT status, successful_jobs FROM validation_runs") == [
        ("interrupted", 0),
        ("completed", 8),
    ]
