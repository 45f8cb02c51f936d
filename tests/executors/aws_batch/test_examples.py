"""The files of examples/aws: permissions that are needed and no others, a definition that runs."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest.analytics.sources.s3 import S3SourceSettings
from ingest.executors.aws_batch.executor import AwsBatchExecutor
from ingest.executors.aws_batch.settings import AwsBatchSettings
from ingest.study.setting_fields import section_fields
from tests.conftest import PROJECT
from tests.executors.aws_batch.aws_double import AwsDouble, running_double
from tests.executors.aws_batch.aws_drive import use_double, write_study
from tests.executors.aws_batch.aws_executor import SETTINGS, started
from tests.executors.aws_batch.containers import PLAIN
from tests.executors.aws_batch.test_once import earlier
from tests.executors.drive import make_context, make_job, run_jobs

EXAMPLES = PROJECT / "examples" / "aws"
# Needs a permission and is no call: the tags that SubmitJob is given.
WITH_TAGS = {"batch:TagResource"}
# Needed without being called: without it S3 says "forbidden" of an object that is missing.
TO_TELL_MISSING = {"s3:ListBucket"}


def read_json(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_text(encoding="utf-8"))


def allowed(name: str) -> set[str]:
    actions: set[str] = set()
    for statement in read_json(name)["Statement"]:
        listed = statement["Action"]
        actions |= {listed} if isinstance(listed, str) else set(listed)
    return actions


def use_everything(study: Path, double: AwsDouble) -> None:
    """Every call that the executor makes: preflight, run, look-up, failure, fetch, cancel."""
    assert list(AwsBatchExecutor.preflight(SETTINGS, make_context(study))) == []
    with started(study) as executor:
        run_jobs(executor, {"A": {"factor": 1.0}, "B": {"fails": True}})
        double.break_next("SubmitJob", after=True, drop=True)
        double.go.clear()
        list(executor.submit([make_job("C", b"{}")]))
        list(executor.adopt([earlier("D", "ingest-tiny-D")]))
        executor.cancel(["C"])


def test_the_submitter_may_do_what_it_does_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = write_study(tmp_path / "tiny")
    with running_double(study, lambda environment: 65) as double:  # no worker's calls among them
        use_double(double, monkeypatch)
        double.s3.put_object(
            Bucket=SETTINGS.bucket,
            Key="ingest/jobs/A/results.csv",
            Body=b"element_label,timestamp_year,value\nA,2030,1\n",
        )
        use_everything(study, double)
        with started(study) as executor:
            assert executor.fetch("A")
        used = set(double.policy_actions)
    # anyone may ask who they are
    assert used - {"sts:GetCallerIdentity"} | WITH_TAGS == allowed("submitter-policy.json")


def test_the_worker_may_do_what_it_does_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = write_study(tmp_path / "tiny")
    with running_double(study) as double:
        use_double(double, monkeypatch)
        with closing(AwsBatchExecutor(SETTINGS, make_context(study))) as executor:
            executor.start()
            double.go.clear()
            list(executor.submit([make_job("A", {"factor": 1.0}), make_job("B", {"fails": 1})]))
            double.policy_actions.clear()
            double.go.set()
            double.wait_for_work()
            used = set(double.policy_actions)
    assert used | TO_TELL_MISSING == allowed("worker-policy.json")


def test_no_policy_allows_everything() -> None:
    for name in ("submitter-policy.json", "worker-policy.json"):
        text = (EXAMPLES / name).read_text()
        assert not re.search(r'"(\w+:)?\*"', text.replace('"Resource": "*"', ""))
        for statement in read_json(name)["Statement"]:
            if statement["Resource"] == "*":  # these calls know no resource
                assert all("Describe" in a or "List" in a for a in statement["Action"])


def test_definition_and_image_start_the_worker() -> None:
    command = ["python", *PLAIN[1:]]
    assert read_json("job-definition.json")["containerProperties"]["command"] == command
    dockerfile = (EXAMPLES / "Dockerfile").read_text()
    assert f"CMD {json.dumps(command)}" in dockerfile
    assert "WORKDIR /study" in dockerfile
    assert re.search(r"^USER (?!root)\w+$", dockerfile, re.MULTILINE)


def test_the_definition_is_one_that_boto3_would_send() -> None:
    import botocore.session
    from botocore.validate import ParamValidator

    service = botocore.session.get_session().get_service_model("batch")
    shape = service.operation_model("RegisterJobDefinition").input_shape
    report = ParamValidator().validate(read_json("job-definition.json"), shape)
    assert not report.has_errors(), report.generate_report()


def test_every_name_to_replace_is_in_the_readme() -> None:
    readme = (EXAMPLES / "README.md").read_text()
    for path in EXAMPLES.glob("*.json"):
        for name in re.findall(r"\b[A-Z]{4,}(?:_[A-Z]+)*\b", path.read_text()):
            assert name in readme or name in {"VCPU", "MEMORY"}, f"{path.name}: {name}"
    for path in EXAMPLES.iterdir():
        assert path.name == "README.md" or f"`{path.name}`" in readme


@pytest.mark.parametrize("section", [AwsBatchSettings, S3SourceSettings])
def test_every_setting_is_in_the_page(section: type[Any]) -> None:
    page = (PROJECT / "docs" / "aws-batch.md").read_text(encoding="utf-8")
    for field, _ in section_fields(section):
        assert f"`{field.name}`" in page or f"\n{field.name} = " in page, field.name
