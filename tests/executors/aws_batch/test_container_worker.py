"""The container's entry point, as a process of its own against S3 of the double.

How it starts and how it is stopped is shown with the plain command, the rest with forks.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ingest.analytics.validate import parse_analytics
from ingest.errors import ConfigError
from ingest.executors.aws_batch.container_worker import read_order
from ingest.executors.aws_batch.image import read_code_digest, read_model_settings
from ingest.executors.aws_batch.result_csv import as_csv
from tests.conftest import PROJECT
from tests.executors.aws_batch.aws_double import AwsDouble, running_double
from tests.executors.aws_batch.aws_drive import object_of, write_study
from tests.executors.aws_batch.aws_executor import BUCKET
from tests.executors.aws_batch.containers import PLAIN, Container
from tests.executors.drive import assert_ends, wait_for_text

ULID = "01JOB"
PLACE = f"s3://{BUCKET}/runs"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path / "tiny")


@pytest.fixture
def double(study: Path) -> Iterator[AwsDouble]:
    with running_double(study) as double:
        yield double


def put(double: AwsDouble, key: str, document: Any) -> None:
    double.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(document).encode())


def environment(double: AwsDouble, study: Path, **more: str) -> dict[str, str]:
    model_study, model = read_model_settings(study)
    return {
        **double.environ,
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(PROJECT),
        "INGEST_JOBS_URI": PLACE,
        "INGEST_JOB_ULID": ULID,
        "INGEST_CODE_DIGEST": read_code_digest(study, model_study, model),
        "AWS_BATCH_JOB_ID": "job-1",
        "AWS_BATCH_JOB_ATTEMPT": "1",
        **more,
    }


def start(study: Path, environ: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        PLAIN,
        cwd=study,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def contain(study: Path, environ: Mapping[str, str]) -> tuple[int | None, str, str]:
    """Exit code, stdout and stderr of a worker."""
    container = Container(study, environ)
    out, err = container.communicate(timeout=60)
    return container.returncode, out.decode(), err.decode()


def work(double: AwsDouble, study: Path, document: Any, **more: str) -> tuple[int | None, str, str]:
    """Exit code, stdout and stderr of a worker on a document."""
    put(double, f"runs/jobs/{ULID}/model.json", document)
    return contain(study, environment(double, study, **more))


def error_document(double: AwsDouble) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(object_of(double, f"runs/jobs/{ULID}/error.json"))
    return document


def has(double: AwsDouble, name: str) -> bool:
    try:
        double.s3.head_object(Bucket=BUCKET, Key=f"runs/jobs/{ULID}/{name}")
    except ClientError:
        return False
    return True


# --- results -------------------------------------------------------------------------------------


def test_results_are_csv_with_every_digit(double: AwsDouble, study: Path) -> None:
    put(double, f"runs/jobs/{ULID}/model.json", {"factor": 0.1, "years": 1})
    process = start(study, environment(double, study))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err == (
        f"ingest worker: ran {study / 'model.py'}\ningest worker: job 01JOB: 134 bytes of results\n"
    )
    assert object_of(double, f"runs/jobs/{ULID}/results.csv").decode() == (
        "element_label,timestamp_year,value\n"
        f"Healthy Years Lived,2025,{0.1 * 25 / 7!r}\n"
        f'"Années -> état, ""sain""",2025,{0.1 / 3!r}\n'
    )
    assert not has(double, "error.json")


def test_the_child_of_an_array_finds_its_job_by_its_index(double: AwsDouble, study: Path) -> None:
    put(double, "runs/arrays/array-1.json", ["01OTHER", ULID])
    more = {"INGEST_JOB_ULID": "", "INGEST_ARRAY_NAME": "array-1", "AWS_BATCH_JOB_ARRAY_INDEX": "1"}
    assert work(double, study, {"factor": 1.0}, **more)[0] == 0
    assert has(double, "results.csv")


def test_a_child_without_a_document_ends_at_once(double: AwsDouble, study: Path) -> None:
    put(double, "runs/arrays/array-1.json", [None, ULID])
    more = {"INGEST_JOB_ULID": "", "INGEST_ARRAY_NAME": "array-1", "AWS_BATCH_JOB_ARRAY_INDEX": "0"}
    code, _, err = work(double, study, {"factor": 1.0}, **more)
    assert (code, err) == (
        65,
        "ingest worker: this child of the array has nothing to do: its document was not stored\n",
    )


def test_a_job_that_runs_twice_stores_the_same_results_again(
    double: AwsDouble, study: Path
) -> None:
    assert work(double, study, {"factor": 1.0})[0] == 0
    first = object_of(double, f"runs/jobs/{ULID}/results.csv")
    assert work(double, study, {"factor": 1.0}, AWS_BATCH_JOB_ATTEMPT="2")[0] == 0
    assert object_of(double, f"runs/jobs/{ULID}/results.csv") == first


def test_a_thread_that_the_model_leaves_behind_does_not_hold_the_container(
    double: AwsDouble, study: Path
) -> None:
    code = (study / "model.py").read_text()
    thread = "import threading\nthreading.Thread(target=lambda: time.sleep(600)).start()\n"
    (study / "model.py").write_text(code + thread)
    assert work(double, study, {"factor": 1.0})[0] == 0


# --- errors --------------------------------------------------------------------------------------


def test_a_model_error_is_left_with_its_traceback(double: AwsDouble, study: Path) -> None:
    code, _, err = work(double, study, {"fails": True}, AWS_BATCH_JOB_ATTEMPT="2")
    assert code == 65
    left = error_document(double)
    assert left["tail"].splitlines()[-1] == "ValueError: no such country"
    assert left["tail"] in err
    del left["tail"]
    assert left == {
        "kind": "model error",
        "message": "ValueError: no such country (model.py:10)",
        "can_pass": False,
        "job_id": "job-1",
        "attempt": 2,
    }
    assert not has(double, "results.csv")


def test_a_command_that_fails_leaves_the_end_of_its_output(
    double: AwsDouble, tmp_path: Path
) -> None:
    script = "for i in $(seq 100); do echo line $i; done; echo last words >&2; exit 3"
    study = write_study(tmp_path / "command", f'command = ["sh", "-c", "{script}"]')
    code, out, _ = work(double, study, {})
    assert code == 65
    left = error_document(double)
    assert left["kind"] == "model error"
    assert left["message"] == "command 'sh' exited with status 3"
    assert left["tail"].splitlines() == [*(f"line {n}" for n in range(82, 101)), "last words"]
    assert len(out.splitlines()) == 101


def test_a_command_that_was_killed_is_tried_again(double: AwsDouble, tmp_path: Path) -> None:
    study = write_study(tmp_path / "command", 'command = ["sh", "-c", "kill -9 $$"]')
    code, _, _ = work(double, study, {})
    assert code == 75
    left = error_document(double)
    assert (left["kind"], left["can_pass"]) == ("command crashed", True)
    assert left["message"] == "command 'sh' was killed by SIGKILL"


def test_other_code_in_the_image_is_told(double: AwsDouble, study: Path) -> None:
    code, _, _ = work(double, study, {"factor": 1.0}, INGEST_CODE_DIGEST="0" * 64)
    assert code == 65
    assert error_document(double)["message"] == (
        "the image holds other code than this study: build and push it again"
    )


def test_an_image_without_a_study_is_told(double: AwsDouble, study: Path, tmp_path: Path) -> None:
    environ = environment(double, study)
    put(double, f"runs/jobs/{ULID}/model.json", {})
    (tmp_path / "empty").mkdir()
    assert contain(tmp_path / "empty", environ)[0] == 65
    left = error_document(double)
    assert left["kind"] == "wrong image"
    assert left["message"].startswith("no ingest.toml in ")
    assert left["message"].endswith(f"(in the image's study folder {tmp_path / 'empty'})")


def test_an_entry_point_that_is_not_there_is_told(double: AwsDouble, tmp_path: Path) -> None:
    study = write_study(tmp_path / "other", 'entry_point = "model:nothing"')
    assert work(double, study, {})[0] == 65
    assert (
        error_document(double)["message"] == "entry_point 'model:nothing': model has no nothing()"
    )


# --- storage -------------------------------------------------------------------------------------


def test_a_document_that_is_not_there_is_told(double: AwsDouble, study: Path) -> None:
    code, _, err = contain(study, environment(double, study))
    assert code == 65
    message = f"no {PLACE}/jobs/{ULID}/model.json"
    assert err == f"ingest worker: job {ULID}: storage error: {message}\n"
    assert error_document(double)["message"] == message


def test_results_that_cannot_be_stored_are_tried_again(double: AwsDouble, study: Path) -> None:
    double.break_next("PutObject", status=503, code="ServiceUnavailable", times=5)
    code, _, _ = work(double, study, {"factor": 1.0})
    assert code == 75


PAGE = b"<html><body>Squid: <br> 503 & no upstream</body></html>"


@pytest.mark.parametrize(
    ("operation", "status", "body"),
    [
        ("GetObject", 503, PAGE),
        ("GetObject", 200, b'{"error": "upstream"}'),
        ("PutObject", 503, b"Service Unavailable"),
        ("PutObject", 200, PAGE),
    ],
)
def test_answers_that_are_no_xml_are_tried_again(
    double: AwsDouble, study: Path, operation: str, status: int, body: bytes
) -> None:
    double.break_next(operation, status=status, body=body, times=9)
    code, _, err = work(double, study, {"factor": 1.0})
    assert code == 75, err
    assert "Traceback" not in err
    assert f", {body.decode()[:20]!r}"[:-1] in err
    assert "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY" in err


def test_storage_that_is_denied_is_not_tried_again(double: AwsDouble, study: Path) -> None:
    double.break_next("GetObject", status=403, code="AccessDenied")
    code, _, err = work(double, study, {"factor": 1.0})
    assert code == 65
    assert err == (
        f"ingest worker: job {ULID}: storage error: AWS denies s3:GetObject on "
        f"{PLACE}/jobs/{ULID}/model.json: allow it in the IAM policy "
        "(examples/aws/worker-policy.json)\n"
    )
    assert error_document(double)["kind"] == "storage error"


def test_storage_that_is_denied_altogether_is_in_the_log(double: AwsDouble, study: Path) -> None:
    double.break_next("GetObject", status=403, code="AccessDenied", times=9)
    double.break_next("PutObject", status=403, code="AccessDenied", times=9)
    code, _, err = contain(study, environment(double, study))
    assert code == 65
    assert [line.partition(" on ")[0] for line in err.splitlines()] == [
        f"ingest worker: job {ULID}: storage error: AWS denies s3:GetObject",
        "ingest worker: AWS denies s3:PutObject",
    ]


# --- whose modules are loaded, who answers --------------------------------------------------------


@pytest.mark.parametrize("flags", [(), ("-P",)])
def test_files_named_like_modules_of_ours_do_not_stop_it(
    double: AwsDouble, study: Path, flags: tuple[str, ...]
) -> None:
    for name in ("json", "struct", "signal", "calendar", *(["ingest"] if flags else [])):
        (study / f"{name}.py").write_text("raise RuntimeError('the study has one, too')\n")
    put(double, f"runs/jobs/{ULID}/model.json", {"factor": 1.0})
    command = [sys.executable, *flags, *PLAIN[-2:]]
    environ = environment(double, study)
    result = subprocess.run(command, cwd=study, env=environ, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (
        0,
        f"ingest worker: ran {study / 'model.py'}\n"
        "ingest worker: job 01JOB: 229 bytes of results\n",
    )


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("if os.fork() == 0: sys.exit(0)", "the model forked, and the forked process came back"),
        ("os.fork()", "the model forked, and the forked process came back"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt (model.py:"),
    ],
)
def test_a_model_that_forks_or_raises_what_is_no_exception_leaves_one_error(
    double: AwsDouble, study: Path, code: str, told: str
) -> None:
    text = f"import os, sys\ndef simulate(document):\n    {code}\n    return [('A', 2030, 1.0)]\n"
    (study / "model.py").write_text(text)
    code_of_exit, _, err = work(double, study, {})
    assert code_of_exit == 65
    assert err.count("ingest worker: ") == 1
    assert error_document(double)["message"].startswith(told)
    assert not has(double, "results.csv")


# --- signals -------------------------------------------------------------------------------------


def test_a_container_that_is_stopped_says_try_again(
    double: AwsDouble, study: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    put(double, f"runs/jobs/{ULID}/model.json", {"marker": str(marker), "sleep_s": 600})
    process = start(study, environment(double, study))
    wait_for_text(marker)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (75, "ingest worker: stopped by SIGTERM\n")
    assert not has(double, "error.json")
    assert not has(double, "results.csv")


def test_a_stopped_container_ends_its_command(double: AwsDouble, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    script = f"echo $$ > {marker}; exec sleep 600"
    study = write_study(tmp_path / "command", f'command = ["sh", "-c", "{script}"]')
    put(double, f"runs/jobs/{ULID}/model.json", {})
    process = start(study, environment(double, study))
    pid = int(wait_for_text(marker))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 75
    assert_ends(pid)
    assert not has(double, "error.json")


def test_a_stopped_container_ends_what_its_command_started(
    double: AwsDouble, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    study = write_study(tmp_path / "command", 'command = ["sh", "model.sh"]')
    (study / "model.sh").write_text(f"sleep 600 & echo $! > {marker}; wait; echo goes on\n")
    put(double, f"runs/jobs/{ULID}/model.json", {})
    process = start(study, environment(double, study))
    pid = int(wait_for_text(marker))
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (75, "")
    assert_ends(pid)


# When SIGTERM comes: what the worker's process does then, and its command. Who is to end writes its
# process id to MARKER.
MOMENTS = {
    "while the command is started": (
        """
started = subprocess.Popen._execute_child
def execute_child(self, *arguments, **options):
    started(self, *arguments, **options)
    open("MARKER", "w").write(str(self.pid))
    os.kill(os.getpid(), signal.SIGTERM)  # before the worker has the child in its hands
subprocess.Popen._execute_child = execute_child
""",
        '["sleep", "600"]',
    ),
    "when the command has ended and left a child": (
        "worker.as_csv = lambda raw: os.kill(os.getpid(), signal.SIGTERM)",
        '["sh", "model.sh", "{result}"]',
    ),
    "from the command itself": (
        "",
        '["sh", "-c", "echo $$ > MARKER; kill -TERM $PPID; exec sleep 600"]',
    ),
}
LEAVES_A_CHILD = "sleep 600 > /dev/null 2>&1 &\necho $! > MARKER\necho a,2030,1 > $1\n"
WITH_MOMENT = """
import os, signal, subprocess, sys
from ingest.executors.aws_batch import container_worker as worker
{moment}
sys.exit(worker.main())
"""


@pytest.mark.parametrize("moment", MOMENTS)
def test_sigterm_ends_the_child_whenever_it_comes(
    double: AwsDouble, tmp_path: Path, moment: str
) -> None:
    marker = tmp_path / "marker"
    code, model = (text.replace("MARKER", str(marker)) for text in MOMENTS[moment])
    study = write_study(tmp_path / "command", f"command = {model}")
    (study / "model.sh").write_text(LEAVES_A_CHILD.replace("MARKER", str(marker)))
    put(double, f"runs/jobs/{ULID}/model.json", {})
    command = [sys.executable, "-c", WITH_MOMENT.format(moment=code)]
    result = subprocess.run(command, cwd=study, env=environment(double, study), timeout=60)
    assert result.returncode == 75
    assert_ends(int(marker.read_text()))
    assert not has(double, "results.csv")


# --- the order -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {},
            "INGEST_JOBS_URI, INGEST_CODE_DIGEST, INGEST_JOB_ULID not set: the worker is started "
            "by AWS Batch for a job that ingest run --executor aws-batch handed in",
        ),
        (
            {"INGEST_JOBS_URI": PLACE, "INGEST_CODE_DIGEST": "x", "INGEST_ARRAY_NAME": "a"},
            "AWS_BATCH_JOB_ARRAY_INDEX not set: the worker is started by AWS Batch for a job that "
            "ingest run --executor aws-batch handed in",
        ),
        (
            {"INGEST_JOBS_URI": "http://x", "INGEST_CODE_DIGEST": "x", "INGEST_JOB_ULID": "a"},
            "the job's environment is wrong: 'http://x' is not of the form s3://bucket/prefix",
        ),
    ],
)
def test_an_order_that_is_not_whole_is_told(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_order(environ)
    assert str(caught.value) == message


def test_a_worker_without_an_order_ends_with_one_line(study: Path) -> None:
    command = [sys.executable, "-m", "ingest.executors.aws_batch.container_worker"]
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT)}
    result = subprocess.run(command, cwd=study, env=environ, capture_output=True, text=True)
    assert result.returncode == 65
    assert result.stderr.startswith("ingest worker: INGEST_JOBS_URI, ")
    assert result.stderr.count("\n") == 1


# --- results as CSV ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"element_label,timestamp_year,value\nA,2030,1\n",
        b'{"detail": "no"}',
        b"[1, 2]",
        b'[{"element_label": "A", "timestamp_year": true, "value": 1}]',
        b'[{"element_label": "A", "timestamp_year": 2030}]',
        b'[{"element_label": "A",',
        b'[{"element_label": "\\ud800", "timestamp_year": 2030, "value": 1}]',
        b"",
    ],
)
def test_what_is_no_list_of_records_stays_as_it_is(raw: bytes) -> None:
    assert as_csv(raw) == raw


@pytest.mark.parametrize("label", ["a, b", 'a "b"', "Années -> état", "x"])
@pytest.mark.parametrize("value", [1.0, 0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0])
def test_csv_holds_the_same_numbers_as_json(label: str, value: float) -> None:
    raw = json.dumps([{"element_label": label, "timestamp_year": 2030.0, "value": value}]).encode()
    assert as_csv(raw) != raw
    assert parse_analytics(as_csv(raw)).digest == parse_analytics(raw).digest
