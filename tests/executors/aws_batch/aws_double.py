"""AWS on loopback: S3 and STS of moto, and a Batch that really runs each job's container.

Batch is written here and not taken from moto, whose jobs have all succeeded when SubmitJob
answers: nothing could be seen running, failing, timing out, terminated or forgotten. What it
checks and answers is what botocore's model and the service's documentation say. In front of all
of it stands a small layer that counts calls, answers with errors, drops replies and holds calls.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from moto.moto_api._internal import moto_api_backend
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app

from tests.executors.aws_batch.aws_executor import BUCKET, DEFINITION, QUEUE
from tests.executors.aws_batch.containers import Container

REGION = "eu-west-1"
FINAL = ("SUCCEEDED", "FAILED")
_BATCH_CALLS = {
    "submitjob": "SubmitJob",
    "describejobs": "DescribeJobs",
    "listjobs": "ListJobs",
    "terminatejob": "TerminateJob",
    "describejobqueues": "DescribeJobQueues",
    "describejobdefinitions": "DescribeJobDefinitions",
}
_S3_CALLS = {  # by method, and whether a key is named
    ("HEAD", False): "HeadBucket",
    ("PUT", False): "CreateBucket",
    ("DELETE", False): "DeleteBucket",
    ("HEAD", True): "HeadObject",
    ("PUT", True): "PutObject",
    ("GET", True): "GetObject",
    ("DELETE", True): "DeleteObject",
}
_S3_ACTIONS = {"HeadBucket": "ListBucket", "HeadObject": "GetObject"}
# boto3's descriptions of the services are megabytes of JSON, which each session reads anew
botocore.session.create_loader = cache(botocore.session.create_loader)
_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")

Environment = Mapping[str, str]
Command = Callable[[Environment], int]


class ClientFault(Exception):
    """A request that Batch refuses with a ClientException."""


@dataclass
class Definition:
    """A job definition; the image is a folder, the worker is run in it.

    command: what gives the exit code in the worker's place, within this process.
    """

    command: Command | None
    folder: Path
    revision: int = 1
    status: str = "ACTIVE"
    is_container: bool = True


@dataclass
class Fault:
    """What happens to the next calls of an operation, times of them.

    status, code: the error answered. after: the call is carried out all the same. drop: the
    connection is closed without an answer. hold: the call waits until released. body: that of
    something between us and AWS.
    """

    operation: str
    status: int = 500
    code: str = "ServerException"
    message: str = "told by the double"
    times: int = 1
    after: bool = False
    drop: bool = False
    hold: bool = False
    body: bytes | None = None
    reached: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


@dataclass
class BatchJob:
    """A single job, an array (with children) or a child of one."""

    job_id: str
    name: str
    request: dict[str, Any]
    index: int | None = None
    children: list[BatchJob] = field(default_factory=list)
    own_status: str = "RUNNABLE"
    status_reason: str = ""
    container: dict[str, Any] = field(default_factory=dict)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    created_at: int = 0
    stop_reason: str | None = None
    process: Container | None = None
    log: bytes = b""

    @property
    def status(self) -> str:
        if not self.children:
            return self.own_status
        states = {child.own_status for child in self.children}
        if states - set(FINAL):
            return "PENDING"
        return "FAILED" if "FAILED" in states else "SUCCEEDED"

    def described(self) -> dict[str, Any]:
        answer = {
            "jobId": self.job_id,
            "jobName": self.name,
            "jobQueue": self.request["jobQueue"],
            "jobDefinition": self.request["jobDefinition"],
            "status": self.status,
            "statusReason": self.status_reason,
            "createdAt": self.created_at,
            "startedAt": self.created_at,
            "container": dict(self.container),
            "attempts": list(self.attempts),
        }
        if self.children:
            summary = Counter(child.own_status for child in self.children)
            answer["arrayProperties"] = {"size": len(self.children), "statusSummary": summary}
        elif self.index is not None:
            answer["arrayProperties"] = {"index": self.index}
        return answer


class AwsDouble:
    """The server with everything a test wants to look at or to break."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.calls: list[str] = []
        self.policy_actions: set[str] = set()
        self.faults: list[Fault] = []
        self.jobs: dict[str, BatchJob] = {}
        self.definitions: dict[str, list[Definition]] = {}
        self.queues: dict[str, dict[str, str]] = {}
        self.hidden_looks = 0
        self.host_losses = 0
        self.requeue_s = 0.0
        self.timeout_s: float | None = None
        self.describe_sizes: list[int] = []
        self.go = threading.Event()
        self.go.set()
        self._waiting: SimpleQueue[BatchJob | None] = SimpleQueue()
        self._lock = threading.RLock()
        self._server = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=MotoRequestHandler
        )
        self._server_thread = threading.Thread(target=self._serve, daemon=True)
        self._threads = [
            threading.Thread(target=self._run_waiting, daemon=True) for _ in range(slots)
        ]
        for thread in (self._server_thread, *self._threads):
            thread.start()

        logging.getLogger("werkzeug").setLevel(logging.WARNING)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    # --- for tests -------------------------------------------------------------------------------

    @property
    def environ(self) -> dict[str, str]:
        """What leads boto3 here."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_ACCESS_KEY_ID": "AKIATEST",
            "AWS_SECRET_ACCESS_KEY": "secret-of-the-test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "NO_PROXY": "127.0.0.1",
        }

    @cached_property
    def s3(self) -> Any:
        """A client of the test's own: its calls are not counted, broken or held to policies."""
        return boto3.client(
            "s3",
            endpoint_url=self.environ["AWS_ENDPOINT_URL"],
            aws_access_key_id="AKIADOUBLE",
            aws_secret_access_key="x",
            region_name=REGION,
            config=Config(max_pool_connections=self.slots + 2),
        )

    def prepare(self, folder: Path, command: Command | None = None, bucket: str = BUCKET) -> None:
        """A queue, a bucket, and a job definition whose image is a folder."""
        self.queues[QUEUE] = {"state": "ENABLED", "status": "VALID"}
        self.definitions[DEFINITION] = [Definition(command, folder)]
        where = {"LocationConstraint": REGION}
        self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
        self.calls.clear()
        self.policy_actions.clear()

    def count(self, operation: str) -> int:
        return self.calls.count(operation)

    def break_next(self, operation: str, **how: Any) -> Fault:
        fault = Fault(operation, **how)
        self.faults.append(fault)
        return fault

    def work(self) -> list[BatchJob]:
        """Everything that runs a container: single jobs and children."""
        jobs = list(self.jobs.values())
        return [job for job in jobs if not job.children]

    def arrays(self) -> list[BatchJob]:
        return [job for job in list(self.jobs.values()) if job.children]

    def wait_for_work(self) -> list[BatchJob]:
        """Everything that ran a container, once all of it has ended."""
        deadline = time.monotonic() + 60
        while any(job.own_status not in FINAL for job in self.work()):
            assert time.monotonic() < deadline, [job.described() for job in self.work()]
            time.sleep(0.01)
        return self.work()

    def close(self) -> None:
        self.go.set()
        for fault in self.faults:
            fault.release.set()
        for job in self.work():
            if job.own_status not in FINAL:
                self._stop(job, "the test is over")
        for _ in range(self.slots):
            self._waiting.put(None)
        for thread in self._threads:  # while they work they need the server
            thread.join(20)
        self.s3.close()
        moto_api_backend.reset()
        self._server.shutdown()
        self._server_thread.join(20)
        self._server.server_close()

    # --- the layer in front ----------------------------------------------------------------------

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        operation, action = _operation(environ)
        if "AKIADOUBLE" in environ.get("HTTP_AUTHORIZATION", ""):
            return self._carried_out(operation, environ, start_response)
        with self._lock:
            self.calls.append(operation)
            self.policy_actions.add(action)
            fault = next((f for f in self.faults if f.operation == operation and f.times), None)
            if fault:
                fault.times -= 1
        if fault is None:
            return self._carried_out(operation, environ, start_response)
        if fault.hold and not fault.after:
            self._hold(fault)
        if fault.after:
            answer = run_wsgi_app(
                lambda e, s: self._carried_out(operation, e, s), environ, buffered=True
            )
            list(answer[0])
            if fault.hold:
                self._hold(fault)
        else:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if fault.drop:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            start_response("500 Dropped", [])  # which nobody hears any more
            return [b""]
        return _error(operation, fault, start_response)

    def _hold(self, fault: Fault) -> None:
        fault.reached.set()
        fault.release.wait(60)

    def _carried_out(
        self, operation: str, environ: dict[str, Any], start_response: Any
    ) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith("/v1/"):
            service = "sts" if operation == "GetCallerIdentity" else "s3"
            return _moto(service)(environ, start_response)  # type: ignore[no-any-return]
        size = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(size)
        handler = getattr(self, f"_{environ['PATH_INFO'].removeprefix('/v1/')}")
        try:
            if size > 30 * 1024:
                raise ClientFault("the request is larger than 30 KiB")
            with self._lock:
                answer = handler(json.loads(body or b"{}"))
        except ClientFault as exc:
            fault = Fault(operation, 400, "ClientException", str(exc))
            return _error(operation, fault, start_response)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    # --- Batch -----------------------------------------------------------------------------------

    def _submitjob(self, request: dict[str, Any]) -> dict[str, Any]:
        name, size = request["jobName"], request.get("arrayProperties", {}).get("size")
        self._check_submission(request, name, size)
        job = self._new_job(str(uuid.uuid4()), name, request)
        if size is None:
            self._waiting.put(job)
        else:
            for index in range(size):
                child = self._new_job(f"{job.job_id}:{index}", name, request, index)
                job.children.append(child)
            for child in job.children:
                self._waiting.put(child)
        return {"jobId": job.job_id, "jobName": name}

    def _new_job(
        self, job_id: str, name: str, request: dict[str, Any], index: int | None = None
    ) -> BatchJob:
        job = BatchJob(job_id, name, request, index, created_at=int(time.time() * 1000))
        self.jobs[job_id] = job
        return job

    def _check_submission(self, request: dict[str, Any], name: str, size: int | None) -> None:
        overrides = request.get("containerOverrides", {})
        names = [variable["name"] for variable in overrides.get("environment", [])]
        strategy = request.get("retryStrategy", {})
        refused = {
            f"JobQueue {request['jobQueue']} not found": request["jobQueue"] not in self.queues,
            f"JobDefinition {request['jobDefinition']} not found": not self._revisions(
                request["jobDefinition"]
            ),
            "jobName does not match": not _JOB_NAME.fullmatch(name),
            "array size must be 2 to 10000": size is not None and not 2 <= size <= 10_000,
            "containerOverrides over 8192 bytes": len(json.dumps(overrides)) > 8192,
            "AWS_BATCH is reserved": any(n.startswith("AWS_BATCH") for n in names),
            "timeout below 60": request.get("timeout", {}).get("attemptDurationSeconds", 60) < 60,
            "attempts not 1 to 10": not 1 <= strategy.get("attempts", 1) <= 10,
            "more than 5 conditions": len(strategy.get("evaluateOnExit", [])) > 5,
        }
        for message, is_wrong in refused.items():
            if is_wrong:
                raise ClientFault(message)

    def _describejobs(self, request: dict[str, Any]) -> dict[str, Any]:
        ids = request["jobs"]
        self.describe_sizes.append(len(ids))
        if not 1 <= len(ids) <= 100:
            raise ClientFault(f"1 to 100 jobs are described at once, not {len(ids)}")
        return {"jobs": [self.jobs[i].described() for i in ids if i in self.jobs]}

    def _listjobs(self, request: dict[str, Any]) -> dict[str, Any]:
        filters = request.get("filters", [])
        if request["jobQueue"] not in self.queues:
            raise ClientFault(f"JobQueue {request['jobQueue']} not found")
        if len(filters) > 1:
            raise ClientFault("one filter at a time")
        if self.hidden_looks:
            self.hidden_looks -= 1
            return {"jobSummaryList": []}
        jobs = [job for job in self.jobs.values() if job.index is None]
        if filters:
            pattern = filters[0]["values"][0].lower()
            jobs = [job for job in jobs if _fits(job.name.lower(), pattern)]
        else:
            wanted = request.get("jobStatus", "RUNNING")
            jobs = [job for job in jobs if job.status == wanted]
        jobs.sort(key=lambda job: -job.created_at)
        start, size = int(request.get("nextToken") or 0), 100 if filters else 1000
        summaries = [
            {"jobId": j.job_id, "jobName": j.name, "createdAt": j.created_at, "status": j.status}
            for j in jobs[start : start + size]
        ]
        more = {"nextToken": str(start + size)} if start + size < len(jobs) else {}
        return {"jobSummaryList": summaries, **more}

    def _terminatejob(self, request: dict[str, Any]) -> dict[str, Any]:
        job = self.jobs.get(request["jobId"])
        if job is not None:
            for one in job.children or [job]:
                self._stop(one, request["reason"])
        return {}

    def _stop(self, job: BatchJob, reason: str) -> None:
        if job.own_status in FINAL:
            return
        job.stop_reason = reason
        if job.process is not None:
            job.process.terminate()
        elif job.own_status == "RUNNABLE":
            job.own_status, job.status_reason = "FAILED", reason

    def _describejobqueues(self, request: dict[str, Any]) -> dict[str, Any]:
        found = [(name, self.queues.get(name)) for name in request["jobQueues"]]
        return {
            "jobQueues": [
                {
                    "jobQueueName": name,
                    "jobQueueArn": f"arn:aws:batch:{REGION}:123456789012:job-queue/{name}",
                    "priority": 1,
                    "computeEnvironmentOrder": [],
                    **queue,
                }
                for name, queue in found
                if queue is not None
            ]
        }

    def _describejobdefinitions(self, request: dict[str, Any]) -> dict[str, Any]:
        names = request.get("jobDefinitions") or [request["jobDefinitionName"]]
        return {
            "jobDefinitions": [
                {
                    "jobDefinitionName": name.partition(":")[0],
                    "jobDefinitionArn": f"arn:aws:batch:{REGION}:123456789012:job-definition/x",
                    "revision": definition.revision,
                    "status": definition.status,
                    "type": "container" if definition.is_container else "multinode",
                    **({"containerProperties": {}} if definition.is_container else {}),
                }
                for name in names
                for definition in self._revisions(name)
                if request.get("status") in (None, definition.status)
            ]
        }

    def _revisions(self, name: str) -> list[Definition]:
        stem, _, revision = name.partition(":")
        found = self.definitions.get(stem, [])
        return [d for d in found if not revision or d.revision == int(revision)]

    # --- running containers ----------------------------------------------------------------------

    def _run_waiting(self) -> None:
        while (job := self._waiting.get()) is not None:
            self.go.wait()
            for attempt in range(1, job.request["retryStrategy"]["attempts"] + 1):
                if attempt > 1:  # another machine has to be found
                    time.sleep(self.requeue_s)
                with self._lock:
                    if job.own_status in FINAL:
                        break
                    job.own_status = "RUNNING"
                code = self._run_once(job, attempt)
                if self._finish_attempt(job, code):
                    break

    def _run_once(self, job: BatchJob, attempt: int) -> int:
        definition = max(self._revisions(job.request["jobDefinition"]), key=lambda d: d.revision)
        variables = job.request["containerOverrides"]["environment"]
        environment = {
            "PATH": os.environ["PATH"],
            **self.environ,
            **{variable["name"]: variable["value"] for variable in variables},
            "AWS_BATCH_JOB_ID": job.job_id,
            "AWS_BATCH_JOB_ATTEMPT": str(attempt),
            "AWS_BATCH_JQ_NAME": job.request["jobQueue"],
            "AWS_BATCH_CE_NAME": "double",
        }
        if job.index is not None:
            environment["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.index)
        if definition.command:
            code = definition.command(environment)
            self._lose_host(job)
            return code
        job.process = Container(definition.folder, environment)
        return self._wait(job, job.process)

    def _wait(self, job: BatchJob, process: Container) -> int:
        if self._lose_host(job):
            process.kill()
        try:
            _, job.log = process.communicate(timeout=self.timeout_s)
        except subprocess.TimeoutExpired:
            job.stop_reason = "Job attempt duration exceeded timeout"
            process.terminate()
            _, job.log = process.communicate(timeout=30)
        job.process = None
        code = process.returncode
        assert code is not None
        return code if code >= 0 else 128 - code

    def _lose_host(self, job: BatchJob) -> bool:
        """Whether the machine of an attempt is taken away."""
        with self._lock:
            is_lost = self.host_losses > 0
            if is_lost:
                self.host_losses -= 1
                job.status_reason = "Host EC2 (instance i-0abc) terminated."
        return is_lost

    def _finish_attempt(self, job: BatchJob, code: int) -> bool:
        """Record an attempt; whether the job has ended with it."""
        with self._lock:
            lost = job.status_reason.startswith("Host EC2")
            if not lost:
                job.status_reason = "Essential container in task exited"
            if job.stop_reason:
                job.status_reason = job.stop_reason
            job.container = {} if lost else {"exitCode": code, "logStreamName": "log/1"}
            job.attempts.append(
                {"container": dict(job.container), "statusReason": job.status_reason}
            )
            retries = not job.stop_reason and (lost or code != 0) and self._is_tried_again(job)
            is_last = len(job.attempts) >= job.request["retryStrategy"]["attempts"]
            if retries and not is_last:
                job.own_status, job.status_reason = "RUNNABLE", ""
                return False
            ended_well = code == 0 and not lost and not job.stop_reason
            job.own_status = "SUCCEEDED" if ended_well else "FAILED"
            return True

    def _is_tried_again(self, job: BatchJob) -> bool:
        code = str(job.container.get("exitCode", ""))
        for rule in job.request["retryStrategy"].get("evaluateOnExit", []):
            seen = {"onExitCode": code, "onStatusReason": job.status_reason, "onReason": ""}
            if all(_fits(seen[key], rule[key]) for key in seen if key in rule):
                return bool(rule["action"].upper() == "RETRY")
        return True


# moto's own dispatcher looks through its two hundred folders at each request
_moto = cache(create_backend_app)


def _fits(text: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text == pattern


def _operation(environ: Mapping[str, Any]) -> tuple[str, str]:
    """The name of a call, and IAM's name of the permission it needs."""
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if path.startswith("/v1/"):
        name = _BATCH_CALLS[path.removeprefix("/v1/")]
        return name, f"batch:{name}"
    if "/sts/" in environ.get("HTTP_AUTHORIZATION", ""):
        return "GetCallerIdentity", "sts:GetCallerIdentity"
    has_key = bool(path.strip("/").partition("/")[2])
    name = _S3_CALLS[method, has_key]
    return name, f"s3:{_S3_ACTIONS.get(name, name)}"


def _error(operation: str, fault: Fault, start_response: Any) -> list[bytes]:
    """An error in the form of the service that is asked."""
    status = f"{fault.status} Told"
    if fault.body is not None:
        start_response(status, [("Content-Type", "text/html")])
        return [] if operation.startswith("Head") else [fault.body]
    if operation in _BATCH_CALLS.values():
        headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", fault.code)]
        start_response(status, headers)
        return [json.dumps({"message": fault.message}).encode()]
    start_response(status, [("Content-Type", "application/xml")])
    if operation.startswith("Head"):
        return []
    inner = f"<Code>{fault.code}</Code><Message>{fault.message}</Message>"
    if operation == "GetCallerIdentity":
        inner = f"<Error>{inner}</Error>"
        return [f"<ErrorResponse>{inner}<RequestId>1</RequestId></ErrorResponse>".encode()]
    return [f"<Error>{inner}</Error>".encode()]


@contextmanager
def running_double(
    folder: Path, command: Command | None = None, *, slots: int = 2
) -> Iterator[AwsDouble]:
    """A double with queue, definition and bucket; the image is the folder."""
    double = AwsDouble(slots)
    try:
        double.prepare(folder, command)
        yield double
    finally:
        double.close()


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process as a power cut does."""
    process.send_signal(signal.SIGKILL)
    process.wait()
