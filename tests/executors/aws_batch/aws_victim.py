"""A process that hands jobs in as the runner does, to be killed at any moment.

python -m tests.executors.aws_batch.aws_victim STUDY STATE ARRAY ULID...: names go to STATE
before submit(), each external id as soon as it is known; a line on stdout says that it is done.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from ingest.executors.base import EarlierJob
from tests.executors.aws_batch.aws_executor import started
from tests.executors.drive import make_job


def write_state(path: Path, state: dict[str, list[str | None]]) -> None:
    """Write it whole or not at all."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(state))
    os.replace(new, path)


def read_state(path: Path) -> list[EarlierJob]:
    """The jobs that a victim meant to submit, with the ids it came to store."""
    state = json.loads(path.read_text())
    return [
        EarlierJob(make_job(ulid).combination, ulid, name, external_id)
        for ulid, (name, external_id) in state.items()
    ]


def main(study: str, state_file: str, array: str, *ulids: str) -> None:
    path = Path(state_file)
    jobs = [make_job(ulid, {"factor": 1.0}) for ulid in ulids]
    with started(Path(study), array=array == "array") as executor:
        names = executor.intended_names(jobs)
        state: dict[str, list[str | None]] = {
            job.ulid: [names.get(job.ulid, job.job_name), None] for job in jobs
        }
        write_state(path, state)
        for submission in executor.submit(jobs):
            state[submission.ulid][1] = submission.external_id
            write_state(path, state)
        sys.stdout.write("done\n")
        sys.stdout.flush()
        time.sleep(120)


if __name__ == "__main__":
    main(*sys.argv[1:])
