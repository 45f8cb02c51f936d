"""What runs in a container: one job's document through the study's model, the results to S3.

Started as `python -P -m ingest.executors.aws_batch.container_worker` in the study's folder.
Exit codes: 0 results are stored; 65 the input or the model is at fault; 75 a retry may help.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # without -P that is the study's folder, whose json.py is not for ingest

import contextlib
import faulthandler
import os
import signal
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

from ingest.errors import ConfigError
from ingest.executors.aws_batch.image import read_code_digest, read_model_settings
from ingest.executors.aws_batch.jobs import EXIT_AGAIN, EXIT_INPUT
from ingest.executors.aws_batch.result_csv import as_csv
from ingest.executors.aws_batch.store import ErrorDocument, JobStore
from ingest.executors.aws_batch.submit import ARRAY_NAME, CODE_DIGEST, JOB_ULID, JOBS_URI
from ingest.executors.model_call import (
    ModelCrashError,
    ModelError,
    Stopped,
    call_entry_point,
    command_path,
    load_entry_point,
    module_path,
    run_command,
)
from ingest.executors.output_tail import TailedOutput, last_lines
from ingest.services.aws_clients import AwsClients
from ingest.services.aws_errors import AwsError, AwsPlace
from ingest.services.s3_place import parse_s3_place
from ingest.study.local_settings import LocalSettings

_ARRAY_INDEX, _JOB_ID = "AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ID"
_ATTEMPT = "AWS_BATCH_JOB_ATTEMPT"


@dataclass(frozen=True)
class WorkOrder:
    """What the container's environment says: which job, and the code it was composed for."""

    jobs_uri: str
    ulid: str | None
    array: str | None
    index: int
    code_digest: str
    job_id: str
    attempt: int


def read_order(environ: Mapping[str, str]) -> WorkOrder:
    """The order in the environment. Raises ConfigError: a variable is missing or no number."""
    ulid, array = environ.get(JOB_ULID), environ.get(ARRAY_NAME)
    needed = [JOBS_URI, CODE_DIGEST, *([_ARRAY_INDEX] if array else [])]
    missing = [name for name in needed if not environ.get(name)]
    if not (ulid or array):
        missing.append(JOB_ULID)
    if missing:
        raise ConfigError(
            f"{', '.join(missing)} not set: the worker is started by AWS Batch for a job that "
            "ingest run --executor aws-batch handed in"
        )
    try:
        index, attempt = int(environ.get(_ARRAY_INDEX) or 0), int(environ.get(_ATTEMPT) or 1)
        parse_s3_place(environ[JOBS_URI])
    except ValueError as exc:
        raise ConfigError(f"the job's environment is wrong: {exc}") from exc
    job_id = environ.get(_JOB_ID, "")
    return WorkOrder(environ[JOBS_URI], ulid, array, index, environ[CODE_DIGEST], job_id, attempt)


def run_job(order: WorkOrder, root: Path) -> int:
    """Run one job and store what comes of it; gives the exit code.

    root: the study's folder. A job that runs twice stores the same results again.
    """
    place = AwsPlace(policy="worker-policy.json")
    store = JobStore(AwsClients(place), parse_s3_place(order.jobs_uri))
    ulid = order.ulid
    try:
        ulid = ulid or _ulid_of(order, store)
        if ulid is None:
            _say("this child of the array has nothing to do: its document was not stored")
            return EXIT_INPUT
        return _run(order, ulid, store, root)
    except AwsError as exc:
        error = ErrorDocument("storage error", str(exc), can_pass=exc.trouble.can_pass)
        return _failed(order, ulid, store, error)


def _ulid_of(order: WorkOrder, store: JobStore) -> str | None:
    assert order.array is not None
    return store.read_manifest(order.array)[order.index]


def _run(order: WorkOrder, ulid: str, store: JobStore, root: Path) -> int:
    """Results or an error document to S3, and the exit code. Raises AwsError."""
    outcome = _results(order, store.read_document(ulid), root)
    if isinstance(outcome, ErrorDocument):
        return _failed(order, ulid, store, outcome)
    store.put_results(ulid, outcome)
    _say(f"job {ulid}: {len(outcome):,} bytes of results")
    return 0


def _failed(order: WorkOrder, ulid: str | None, store: JobStore, error: ErrorDocument) -> int:
    """Leave the error document where that is possible; gives the exit code."""
    _say(f"job {ulid or order.array}: {error.kind}: {error.message}")
    if ulid is not None:
        whole = replace(error, job_id=order.job_id, attempt=order.attempt)
        try:
            store.put_error(ulid, whole)
        except AwsError as exc:
            _say(str(exc))
            return EXIT_AGAIN if exc.trouble.can_pass or error.can_pass else EXIT_INPUT
    return EXIT_AGAIN if error.can_pass else EXIT_INPUT


def _results(order: WorkOrder, document: bytes, root: Path) -> bytes | ErrorDocument:
    """What the model gives, as CSV, or why it gives nothing."""
    try:
        study, model = read_model_settings(root)
        if read_code_digest(root, study, model) != order.code_digest:
            message = "the image holds other code than this study: build and push it again"
            return ErrorDocument("other code", message, can_pass=False)
    except ConfigError as exc:
        message = f"{exc} (in the image's study folder {root})"
        return ErrorDocument("wrong image", message, can_pass=False)
    outcome = call_model(model, document, root)
    if not isinstance(outcome, ErrorDocument):
        command, entry_point = model.command, model.entry_point or ""
        _say(f"ran {command_path(command, root) if command else module_path(entry_point)}")
    return outcome


def call_model(model: LocalSettings, document: bytes, root: Path) -> bytes | ErrorDocument:
    """The model's results for a document as CSV, or the error with the end of its output."""
    output = TailedOutput()
    try:
        if model.command:
            with output:
                raw = run_command(model.command, document, root)
        else:
            function = load_entry_point(model.entry_point or "", root)
            raw = call_entry_point(function, document, root)
    except ModelCrashError as exc:
        return ErrorDocument("command crashed", str(exc), can_pass=True, tail=output.tail)
    except ModelError as exc:
        tail = output.tail or _traceback_tail(exc)
        return ErrorDocument("model error", str(exc), can_pass=False, tail=tail)
    return as_csv(raw)


def _traceback_tail(error: ModelError) -> str:
    """The end of the traceback of what the model raised."""
    cause = error.__cause__
    return last_lines("".join(traceback.format_exception(cause))) if cause else ""


def _say(text: str) -> None:
    """A line for the container's log."""
    sys.stderr.write(f"ingest worker: {text}\n")
    sys.stderr.flush()


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM: the job was terminated, ran out of time, or its machine is taken away."""
    raise Stopped


def _lead_a_group() -> None:
    """What the model starts is in this process's own group, from its first moment on."""
    with contextlib.suppress(PermissionError):  # it leads a session, so a group already
        os.setpgid(0, 0)


def _kill_group() -> None:
    """End all that the model started, also where SIGTERM came while it was being started."""
    own = os.getpid()
    while os.getpgrp() == own and (others := [p for p in _group_of(own) if p != own]):
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _group_of(leader: int) -> Iterator[int]:
    """The processes of a group that have not ended."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(group) == leader and state not in "ZX":
                yield int(stat.parent.name)


def main() -> int:
    """Run the job that the environment names; gives the exit code."""
    # stale bytecode is told by size and second: the model's own files must be what is run
    sys.dont_write_bytecode = True
    faulthandler.enable()  # tells the place of a segmentation fault in the log
    _lead_a_group()
    signal.signal(signal.SIGTERM, _stop)
    try:
        return run_job(read_order(os.environ), Path.cwd())
    except ConfigError as exc:
        _say(str(exc))
        return EXIT_INPUT
    except Stopped:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _kill_group()
        _say("stopped by SIGTERM")
        return EXIT_AGAIN


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread that the model left behind must not keep the container running
