"""The bundled study, a few countries of it, on AWS Batch's double and on this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.cloud.driving import digests, run
from tests.conftest import BUNDLED_STUDY, StudyFolder
from tests.executors.aws_batch.aws_double import running_double
from tests.executors.aws_batch.aws_executor import BUCKET, DEFINITION, QUEUE

AWS = [
    "--executor",
    "aws-batch",
    *("--set", f"executors.aws-batch.queue={QUEUE}"),
    *("--set", f"executors.aws-batch.job_definition={DEFINITION}"),
    *("--set", f"executors.aws-batch.bucket={BUCKET}"),
]


def test_a_few_countries_end_with_the_same_digests(tmp_path: Path) -> None:
    root = tmp_path / "asthma"
    shutil.copytree(BUNDLED_STUDY, root, ignore=shutil.ignore_patterns("*.db*", "__pycache__"))
    study = StudyFolder.__new__(StudyFolder)  # a folder that holds a study already
    study.root = root
    chosen = ["--countries", "KEN,UGA", "--scenarios", "null,baseline,clean_air"]
    assert run(study, *chosen, "--database", "local.db")[0] == 0
    with running_double(root) as double:
        environ = dict(os.environ)
        os.environ.update(double.environ)
        try:
            code, told = run(study, *AWS, *chosen, "--database", "aws.db")
        finally:
            os.environ.clear()
            os.environ.update(environ)
        assert code == 0, told
        assert double.count("SubmitJob") == 1
    assert digests(root / "aws.db") == digests(root / "local.db")
    assert len(digests(root / "aws.db")) == 6
