"""Where jobs' files lie in S3: documents, array manifests, results and error documents.

A key depends on the job's ULID alone, so a job that runs twice writes the same object again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ingest.executors.output_tail import with_output
from ingest.services.aws_clients import AwsClients, find_or_none
from ingest.services.s3_place import S3Place


@dataclass(frozen=True)
class ErrorDocument:
    """What a worker leaves behind when a job fails.

    job_id, attempt: Batch's id of the job and the number of the attempt (from 1). tail: the last
    lines of a traceback or of what the model printed.
    """

    kind: str
    message: str
    can_pass: bool
    tail: str = ""
    job_id: str = ""
    attempt: int = 1

    @property
    def text(self) -> str:
        """The message, followed by the tail where there is one."""
        return with_output(self.message, self.tail)


class JobStore:
    """Reads and writes jobs' files; every method raises AwsError, and serves several threads."""

    def __init__(self, clients: AwsClients, place: S3Place) -> None:
        self._clients = clients
        self.place = place

    def put_document(self, ulid: str, document: bytes) -> None:
        """Store a job's composed document."""
        self._put(self._job_key(ulid, "model.json"), document, "application/json")

    def read_document(self, ulid: str) -> bytes:
        """A job's composed document."""
        return self._get(self._job_key(ulid, "model.json"))

    def put_manifest(self, array: str, ulids: Sequence[str | None]) -> None:
        """Store which job each child of an array is; None for one that has nothing to do."""
        self._put(self._array_key(array), json.dumps(ulids).encode(), "application/json")

    def read_manifest(self, array: str) -> list[str | None]:
        """The ULIDs of an array's children by their index. Raises ValueError: it is not whole."""
        manifest = json.loads(self._get(self._array_key(array)))
        if not isinstance(manifest, list):
            raise ValueError(f"the manifest of {array} is no list")
        return manifest

    def put_results(self, ulid: str, results: bytes) -> None:
        """Store a job's results."""
        self._put(self._job_key(ulid, "results.csv"), results, "text/csv; charset=utf-8")

    def read_results(self, ulid: str) -> bytes | None:
        """A job's results, None where there are none."""
        return find_or_none(lambda: self._get(self._job_key(ulid, "results.csv")))

    def has_results(self, ulid: str) -> bool:
        """Whether a job has left results."""
        return find_or_none(lambda: self._head(self._job_key(ulid, "results.csv"))) is not None

    def put_error(self, ulid: str, error: ErrorDocument) -> None:
        """Store why a job failed."""
        text = json.dumps(asdict(error), indent=1)
        self._put(self._job_key(ulid, "error.json"), text.encode(), "application/json")

    def read_error(self, ulid: str) -> ErrorDocument | None:
        """Why a job failed, as its worker told; None where it left nothing that can be read."""
        raw = find_or_none(lambda: self._get(self._job_key(ulid, "error.json")))
        try:
            return None if raw is None else ErrorDocument(**json.loads(raw))
        except (ValueError, TypeError):  # cut off, or of another version
            return None

    def probe(self) -> None:
        """Write an empty marker below the prefix, to see that this is allowed."""
        self._put(self.place.key("preflight"), b"", "text/plain")

    def _job_key(self, ulid: str, name: str) -> str:
        return self.place.key("jobs", ulid, name)

    def _array_key(self, array: str) -> str:
        return self.place.key("arrays", f"{array}.json")

    def _put(self, key: str, body: bytes, content_type: str) -> None:
        bucket = self.place.bucket
        with self._clients.calling("s3", "PutObject", f"s3://{bucket}/{key}"):
            self._clients.s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)

    def _get(self, key: str) -> bytes:
        return self._clients.read_object(self.place.bucket, key)

    def _head(self, key: str) -> object:
        bucket = self.place.bucket
        with self._clients.calling("s3", "HeadObject", f"s3://{bucket}/{key}"):
            return self._clients.s3.head_object(Bucket=bucket, Key=key)
