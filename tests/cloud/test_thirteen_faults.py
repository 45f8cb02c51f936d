"""The thirteen faults of the clients of before, each shown to be right here."""

from __future__ import annotations

import ast
import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from ingest.analytics.validate import parse_analytics
from ingest.dev_server.faults import Faults
from ingest.executors.job_name import is_ulid
from tests.cloud.driving import finish, ingest_output, options, run, select, served, start, wait_for
from tests.conftest import MODEL_CODE, PROJECT, StudyFolder, scenario

FAILS_FOR_NAM = MODEL_CODE.replace(
    '    coverage = document["nodes"]',
    '    if country == "NAM":\n        raise ValueError("no life table")\n'
    '    coverage = document["nodes"]',
)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StudyFolder, dict[str, Any]]]:
    """A run through the run API of which one country fails, and what the server counted."""
    study = StudyFolder(tmp_path_factory.mktemp("faults") / "tiny")
    study.write_model(FAILS_FOR_NAM)
    with served(study, job_time_s=0.5, faults=Faults(latency_s={"status": 0.2})) as server:
        code, told = run(study, *options(server, "run.max_in_flight=3"))
        assert code == 1, told
        yield study, server.counts()


def test_1_every_success_has_its_metrics(ended: tuple[StudyFolder, dict[str, Any]]) -> None:
    study, _ = ended
    counts = select(
        study.database,
        """SELECT country, scenario, count(value) FROM job_results
           LEFT JOIN metrics USING (run_id, country, scenario)
           WHERE job_status = 'success' GROUP BY country, scenario""",
    )
    assert len(counts) == 6
    assert {number for *_, number in counts} == {6}


def test_2_the_ulid_is_the_bare_26_characters(ended: tuple[StudyFolder, dict[str, Any]]) -> None:
    study, _ = ended
    names = select(study.database, "SELECT ulid, job_name FROM job_results")
    assert len(names) == 8
    assert all(is_ulid(ulid) and job_name.endswith(f"-{ulid}") for ulid, job_name in names)


def test_3_counters_and_status_say_what_happened(ended: tuple[StudyFolder, dict[str, Any]]) -> None:
    study, _ = ended
    counters = "SELECT status, total_jobs, successful_jobs, failed_jobs FROM validation_runs"
    assert select(study.database, counters) == [("failed", 8, 6, 2)]


def test_4_a_job_is_asked_about_once_a_round_and_jobs_side_by_side(
    ended: tuple[StudyFolder, dict[str, Any]],
) -> None:
    _, counts = ended
    assert 1 < counts["side_by_side_max"]["status"] <= 3  # no more than jobs in flight
    # a job is in flight for less than ten rounds of 0.2 s; twice a round would be more
    assert counts["calls"]["status"] <= 8 * 10


def test_5_the_limit_of_jobs_in_flight_is_enforced(
    ended: tuple[StudyFolder, dict[str, Any]],
) -> None:
    _, counts = ended
    assert 1 < counts["in_flight_max"] <= 3


def test_6_results_and_ids_are_stored_while_others_run_and_a_run_can_be_resumed(
    study: StudyFolder,
) -> None:
    with served(study, job_time_s=0.5) as server:
        given = options(server, "run.max_in_flight=2")
        process = start(study, given)
        wait_for(server, 5)
        process.kill()
        finish(process)
        stored = select(
            study.database,
            "SELECT job_status, external_id IS NOT NULL, count(*) FROM job_results GROUP BY 1, 2",
        )
        counted = {(status, has_id): number for status, has_id, number in stored}
        assert counted[("success", 1)] >= 1
        assert run(study, *given)[0] == 0
        assert server.counts()["largest_count"] == 1


def test_7_submitted_at_stays_and_a_time_out_is_no_failure(study: StudyFolder) -> None:
    with served(study, job_time_s=30.0) as server:
        given = options(server, "run.job_timeout_s=0.5")
        assert run(study, *given, "--countries", "KEN", "--scenarios", "null")[0] == 1
    rows = select(study.database, "SELECT job_status, submitted_at < completed_at FROM job_results")
    assert rows == [("timeout", 1)]


def test_8_a_job_that_was_refused_has_a_row_and_was_tried_again_where_that_helps(
    study: StudyFolder,
) -> None:
    chosen = ("--countries", "KEN", "--scenarios", "null", "--set", "run.retry_delay_s=0.05")
    with served(study, faults=Faults(rates={"submit-429": 1.0}, retry_after_s=0.05)) as server:
        assert run(study, *options(server, "run.retries=1"), *chosen)[0] == 1
        assert server.counts()["calls"]["submit"] > 1
    rows = select(study.database, "SELECT job_status, attempts, error FROM job_results")
    assert [(status, attempts) for status, attempts, _ in rows] == [("failed", 2)]
    assert "429" in rows[0][2]


def test_9_no_library_code_ends_the_process() -> None:
    """Only the command line, and the modules that are processes of their own, may exit."""
    processes = {
        "executors/aws_batch/container_worker.py",
        "executors/local/worker_side.py",
        "executors/model_call.py",  # what a model forked
        "executors/run_api/submitter.py",
        "__main__.py",
        "cli.py",
    }
    package = PROJECT / "ingest"
    for path in package.rglob("*.py"):
        name = str(path.relative_to(package))
        if name.startswith("commands/") or name in processes:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call | ast.Raise):
                text = ast.unparse(node)
                assert not text.startswith(("sys.exit", "exit(", "os._exit", "raise SystemExit")), (
                    f"{name}:{node.lineno}"
                )


def test_10_a_path_that_matches_nothing_is_an_error(study: StudyFolder) -> None:
    wrong = {"Age": {"value": 1, "paths": ["$.nodes[?(@.id=='nobody')].x"]}}
    study.write_json("scenarios/null.json", scenario(0.0, **wrong))
    with served(study) as server:
        code, told = run(study, *options(server))
        assert code == 2
        assert "nobody" in told
        assert server.counts()["accepted"] == 0


def test_11_what_runs_again_is_what_changed(study: StudyFolder) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=study.root, check=True)

    def to_run(*more: str) -> int:
        return int(json.loads(plan(study, *given, *more))["to_run"])

    (study.root / ".gitignore").write_text("*.db*\n__pycache__\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    with served(study) as server:
        given = options(server)
        assert run(study, *given)[0] == 0
        (study.root / "notes.txt").write_text("nothing that a model reads")
        git("add", ".")
        git("commit", "-q", "-m", "another commit")
        assert to_run() == 0
        assert to_run("--set", "study.environment=appendix_3") == 8
        study.write_json("scenarios/scale_up.json", scenario(0.8))  # not committed
        assert to_run() == 4
    connection_sql = "UPDATE job_results SET result_set_id = NULL WHERE scenario = 'null'"
    change(study, connection_sql)
    assert to_run() == 8


def plan(study: StudyFolder, *arguments: str) -> str:
    return ingest_output(study, "plan", "--json", *without_executor(arguments))


def without_executor(arguments: tuple[str, ...]) -> list[str]:
    """`ingest plan` has no --executor: the same as a setting."""
    return ["--set", "run.executor=run-api", *arguments[2:]]


def change(study: StudyFolder, sql: str) -> None:
    with closing(sqlite3.connect(study.database)) as connection:
        connection.execute(sql)
        connection.commit()


def test_12_commas_and_quotes_in_a_label_are_read_as_csv() -> None:
    raw = b'element_label,timestamp_year,value\r\n"Costs, total ""USD"" -> all",2030,1.5\r\n'
    (metric,) = parse_analytics(raw)
    assert (metric.element_label, metric.value) == ('Costs, total "USD" -> all', 1.5)


def test_13_a_country_slot_that_no_path_covers_is_named(study: StudyFolder) -> None:
    model = json.loads((study.root / "model.json").read_text())
    model["nodes"].append(
        {
            "id": "gdp",
            "label": "GDP Per Capita",
            "generate_array": {"method": "gdp", "parameters": {"country": "AFG"}},
        }
    )
    study.write_json("model.json", model)
    with served(study) as server:
        code, told = run(study, *options(server))
    assert code == 0
    assert "GDP Per Capita" in told
