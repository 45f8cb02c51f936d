"""An aws-batch executor on the double, and a study's folder that is its image as well."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.executors.aws_batch.executor import AwsBatchExecutor
from tests.executors.aws_batch.aws_double import AwsDouble, Command, running_double
from tests.executors.aws_batch.aws_executor import BUCKET, SETTINGS
from tests.executors.drive import make_context

MODEL = """
import json, os, sys, time
from pathlib import Path

def simulate(document):
    if "marker" in document:
        Path(document["marker"]).write_text(str(os.getpid()))
        time.sleep(document.get("sleep_s", 0))
    if document.get("fails"):
        raise ValueError("no such country")
    if document.get("dies"):
        os._exit(document["dies"])
    for year in range(2025, 2025 + document.get("years", 2)):
        yield "Healthy Years Lived", year, document["factor"] * (year - 2000) / 7
        yield 'Années -> état, "sain"', year, document["factor"] / 3
"""


def write_study(root: Path, local: str = 'entry_point = "model:simulate"') -> Path:
    """A folder with ingest.toml and a model; enough of a study for an executor."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "model.py").write_text(MODEL, encoding="utf-8")
    (root / "ingest.toml").write_text(f'[study]\nname = "tiny"\n[executors.local]\n{local}\n')
    return root


def use_double(double: AwsDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lead boto3 in this process to the double."""
    for name, value in double.environ.items():
        monkeypatch.setenv(name, value)


def object_of(double: AwsDouble, key: str) -> bytes:
    body: bytes = double.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body


def answer_at_once(double: AwsDouble) -> Command:
    """A command that writes results in this process: for thousands of jobs."""

    def command(environment: Mapping[str, str]) -> int:
        prefix = environment["INGEST_JOBS_URI"].split("/", 3)[3]
        ulid = environment.get("INGEST_JOB_ULID")
        if ulid is None:
            manifest = object_of(double, f"{prefix}/arrays/{environment['INGEST_ARRAY_NAME']}.json")
            ulid = json.loads(manifest)[int(environment["AWS_BATCH_JOB_ARRAY_INDEX"])]
        results = b"element_label,timestamp_year,value\nA,2030,1.5\n"
        double.s3.put_object(Bucket=BUCKET, Key=f"{prefix}/jobs/{ulid}/results.csv", Body=results)
        return 0

    return command


@contextmanager
def aws_batch_contract(root: Path, entry_point: str) -> Iterator[Callable[[], AwsBatchExecutor]]:
    """Makes executors for the contract's tests; the folder that holds the model is the image."""
    text = f'[study]\nname = "tiny"\n[executors.local]\nentry_point = "{entry_point}"\n'
    (root / "ingest.toml").write_text(text)
    with pytest.MonkeyPatch.context() as patch, running_double(root) as double:
        use_double(double, patch)
        yield lambda: AwsBatchExecutor(SETTINGS, make_context(root), pause=lambda _: None)
