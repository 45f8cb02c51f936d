"""What passes between a run and its submitter: orders in, words out, each a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import BinaryIO

from ingest.executors.base import Job
from ingest.executors.run_api.answers import Outcome
from ingest.study.combination import Combination


@dataclass(frozen=True)
class SubmitterConfig:
    """How to submit. journal: its path; url may hold credentials, so it goes through the pipe.

    tries: how often a job is offered to an API that is busy. patience_s: how long an API that
    cannot be reached is tried.
    """

    url: str
    environment: str
    journal: str
    concurrency: int
    timeout_s: float
    tries: int
    patience_s: float


@dataclass(frozen=True)
class Order:
    """One document to submit."""

    ulid: str
    combination: Combination
    document: bytes


@dataclass(frozen=True)
class Answered:
    """The final outcome of an order."""

    ulid: str
    outcome: Outcome
    reason: str = ""
    job_id: str | None = None
    job_name: str | None = None


@dataclass(frozen=True)
class Holding:
    """No document is sent for this long, because of reason."""

    seconds: float
    reason: str


@dataclass(frozen=True)
class Unusable:
    """Nothing more can be submitted. is_local: because of this machine, not of the API."""

    reason: str
    is_local: bool = False


Word = Answered | Holding | Unusable
_WORDS: dict[str, type[Word]] = {kind.__name__: kind for kind in (Answered, Holding, Unusable)}


def encode_config(config: SubmitterConfig) -> bytes:
    """The first line that a submitter reads."""
    return json.dumps(asdict(config)).encode() + b"\n"


def encode_order(job: Job) -> bytes:
    """A job as bytes: a line that says how long the document is, and the document."""
    head = [job.ulid, *job.combination, len(job.document)]
    return json.dumps(head).encode() + b"\n" + job.document


def encode_word(word: Word) -> bytes:
    """A line for the run."""
    return json.dumps([type(word).__name__, asdict(word)]).encode() + b"\n"


def read_config(source: BinaryIO) -> SubmitterConfig:
    """The first line, decoded."""
    return SubmitterConfig(**json.loads(source.readline()))


def read_orders(source: BinaryIO) -> Iterator[Order]:
    """Each whole order until the pipe is closed; one that was cut off is no order."""
    while (head := source.readline()).endswith(b"\n"):
        ulid, country, scenario, size = json.loads(head)
        document = source.read(size)
        if len(document) < size:
            return
        yield Order(ulid, Combination(country, scenario), document)


def decode_word(line: bytes) -> Word:
    """What a line of a submitter says."""
    name, fields = json.loads(line)
    if name == Answered.__name__:
        fields["outcome"] = Outcome(fields["outcome"])
    return _WORDS[name](**fields)
