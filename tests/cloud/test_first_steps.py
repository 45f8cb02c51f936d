"""First set-up of an executor, and what is told so that a run goes on at the same one."""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import ingest.commands.run as run_command
from ingest.commands.common.context import StudyChoice
from ingest.dev_server.server import DevServer
from tests.cloud.driving import select, served
from tests.conftest import Ingest, StudyFolder


def at(server: DevServer, *settings: str) -> list[str]:
    """The options of a first run at the dev server: its two addresses and nothing else."""
    own = [f"executors.run-api.url={server.url}", f"analytics.url={server.url}"]
    every = itertools.chain(*(("--set", text) for text in (*own, *settings)))
    return ["--executor", "run-api", *every]


# --- first set-up ---------------------------------------------------------------------------------


def test_two_addresses_are_all_that_a_first_run_needs(study: StudyFolder, ingest: Ingest) -> None:
    with served(study) as server:
        checked = ingest("check", *at(server))
        assert (
            "Results come from analytics-api (analytics.source): no other place is named\n"
        ) in checked.stdout
        as_json = json.loads(ingest("check", "--json", *at(server)).stdout)
        assert (as_json["ok"], as_json["analytics_source"]) == (True, "analytics-api")
        result = ingest("run", *at(server, "run.poll_interval_s=0.1"))
        assert "8 succeeded, 0 failed" in result.stdout
        named = ingest(
            "plan", "--set", "run.executor=run-api",
            *at(server, "analytics.source=analytics-api")[2:],
        )  # fmt: skip
        assert named.stdout.startswith("Nothing to do"), "the same source, named or inferred"


@pytest.mark.parametrize("place", ["s3://results", "s3://results/{ulid}.csv"])
def test_a_bucket_is_as_good_as_an_address(study: StudyFolder, ingest: Ingest, place: str) -> None:
    addresses = ("executors.run-api.url=http://127.0.0.1:9", f"analytics.s3.location={place}")
    options = itertools.chain(*(("--set", text) for text in addresses))
    result = ingest("check", "--executor", "run-api", *options)
    assert "Results come from s3 (analytics.source): no other place is named\n" in result.output


def test_all_that_is_missing_is_told_at_once(study: StudyFolder, ingest: Ingest) -> None:
    result = ingest("run", "--executor", "run-api")
    assert result.exit_code == 2
    first, second = result.stderr.splitlines()[-2:]
    assert first == (
        "Error: executors.run-api: url is missing, the address of the run API: "
        "--set executors.run-api.url=https://HOST"
    )
    assert second.startswith("Error: analytics: the run API brings no results")
    result = ingest("run", "--executor", "aws-batch")
    assert result.exit_code == 2
    for key in ("queue", "job_definition", "bucket"):
        assert f"--set executors.aws-batch.{key}=my-" in result.stderr


def test_source_is_not_guessed_between_two_places(study: StudyFolder, ingest: Ingest) -> None:
    with served(study) as server:
        location = "analytics.s3.location=s3://bucket/{ulid}.csv"
        result = ingest("run", *at(server, location))
        assert result.exit_code == 2
        assert "with several, --set analytics.source=NAME says which" in result.stderr
        assert server.counts()["accepted"] == 0


@pytest.mark.parametrize("path", ["/wrong", "/analytics", "/v2/api"])
def test_wrong_path_of_analytics_is_told_before_anything_is_submitted(
    study: StudyFolder, ingest: Ingest, path: str
) -> None:
    with served(study) as server:
        wrong = f"analytics.url={server.url}{path}"
        result = ingest("run", *at(server, wrong))
        assert result.exit_code == 4
        assert f"analytics.url {server.url}{path} is reached, but is not that of" in result.stderr
        assert server.counts()["accepted"] == 0
        checked = ingest("check", *at(server, wrong))
        assert checked.exit_code == 4
        assert "check its path" in checked.stderr


def test_analytics_that_cannot_be_reached_are_told_before_anything_is_submitted(
    study: StudyFolder, ingest: Ingest
) -> None:
    with served(study) as server:
        result = ingest("run", *at(server, "analytics.url=http://127.0.0.1:9"))
        assert result.exit_code == 4
        assert "analytics.url http://127.0.0.1:9 cannot be reached: " in result.stderr
        assert server.counts()["accepted"] == 0


# --- going on -------------------------------------------------------------------------------------


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Within this block, `ingest run` is stopped as by Ctrl-C before its first job."""

    @contextmanager
    def stop_at_once(request_stop: Any, message: str) -> Iterator[None]:
        request_stop()
        yield

    @contextmanager
    def block() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(run_command, "stopping", stop_at_once)
            yield

    return block


def hint_in(stderr: str) -> list[str]:
    """The command that a message ends with."""
    return shlex.split(stderr.strip().rpartition("Go on with: ingest ")[2])


def test_command_that_goes_on_has_executor_settings_and_selection(
    study: StudyFolder, ingest: Ingest, stopped: Any
) -> None:
    with served(study) as server:
        options = [*at(server, "run.poll_interval_s=0.1"), "--retries", "5", "--countries", "KEN"]
        with stopped():
            result = ingest("run", *options)
        assert result.exit_code == 130
        hint = hint_in(result.stderr)
        assert hint == [
            "run", *at(server, "run.poll_interval_s=0.1", "run.retries=5"), "--countries", "KEN",
        ]  # fmt: skip
        result = ingest(*hint)
        assert "Run 1 was taken up again and finished" in result.stdout
        assert server.counts()["accepted"] == 2


def test_plain_run_does_not_leave_the_executor_of_a_run_that_was_cut_off(
    study: StudyFolder, ingest: Ingest, stopped: Any
) -> None:
    with served(study) as server:
        with stopped():
            ingest("run", *at(server))
        result = ingest("run")
        assert result.exit_code == 2
        assert result.stderr.endswith(
            "Error: run 1 was cut off with 8 jobs at run-api, where they may go on. Follow them "
            "with: ingest run --executor run-api and the --set options that it had. Or give them "
            "up, and run local: ingest run --executor local\n"
        )
        open_jobs = "SELECT count(*) FROM job_results WHERE job_status = 'submitted'"
        assert select(study.database, open_jobs) == [(8,)]
        left = ingest("run", "--executor", "local")
        assert "8 succeeded, 0 failed" in left.stdout
        assert select(study.database, open_jobs) == [(0,)]


def test_plain_run_takes_up_what_was_cut_off_on_this_machine(
    study: StudyFolder, ingest: Ingest, stopped: Any
) -> None:
    with stopped():
        ingest("run")
    with served(study) as server:  # jobs of this machine ended with their run: nothing is left
        assert "8 succeeded" in ingest("run", *at(server, "run.poll_interval_s=0.1")).stdout


def test_error_of_a_backend_says_the_command_that_goes_on(
    study: StudyFolder, ingest: Ingest
) -> None:
    with served(study) as server:
        options = at(server)
    result = ingest("run", *options)
    assert result.exit_code == 4
    assert hint_in(result.stderr) == ["run", *options]


def test_failed_jobs_are_tried_again_at_the_same_executor(
    study: StudyFolder, ingest: Ingest
) -> None:
    study.write_model("def simulate(document):\n    raise ValueError(1)\n")
    with served(study) as server:
        result = ingest("run", *at(server, "run.poll_interval_s=0.1"))
        options = shlex.join(at(server, "run.poll_interval_s=0.1"))
        assert f"  ingest run --only-failed {options}  try the failed ones again" in result.stdout
        assert f"--failed {options}" not in result.stdout, "status needs no executor"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (
            "executors.run-api.url=https://me:p@ss/w@host:8080/api",
            "executors.run-api.url=https://USER:PASSWORD@host:8080/api",
        ),
        ("analytics.url=https://token@host", "analytics.url=https://USER:PASSWORD@host"),
        ("executors.mine.api_key=abc", "executors.mine.api_key=SECRET"),
        ("executors.mine.token = abc", "executors.mine.token =SECRET"),
        ("run.retries=5", "run.retries=5"),
    ],
)
def test_no_hint_repeats_a_secret(given: str, shown: str) -> None:
    options = shlex.split(StudyChoice(overrides=(given,)).as_run_options())
    assert options == ["--set", shown]


def test_last_of_several_values_is_repeated(study: StudyFolder) -> None:
    overrides = ("run.executor=local", "run.retries=1", "run.executor=run-api", "run.retries=2")
    choice = StudyChoice(study="a b", database="x.db", overrides=overrides)
    assert choice.as_run_options() == (
        " --study 'a b' --database x.db --executor run-api --set run.retries=2"
    )
