from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from ulid import ULID

from ingest.analytics.validate import parse_analytics
from ingest.dev_server import DevServer, Faults, made_up_rows, results_in
from ingest.errors import ConfigError
from ingest.executors.job_name import parse_job_name
from tests.conftest import MODEL, StudyFolder
from tests.dev_server.hand_clock import HandClock
from tests.executors.drive import LIMIT_S, local_executor, run_jobs

pytestmark = pytest.mark.slow

QUERY = {
    "event_type": "ECHO",
    "group_by": "element_label",
    "group_by_date": "timestamp:year",
    "aggregations": "value:last",
}


class Client:
    """Asks one server; a session keeps its connection."""

    def __init__(self, server: DevServer) -> None:
        self.url = server.url
        self.session = requests.Session()

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.url + path, timeout=LIMIT_S, **options)

    def post(self, path: str, content: Any) -> requests.Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.session.post(self.url + path, data=body, timeout=LIMIT_S)

    def submit(self, document: Any = MODEL) -> dict[str, str]:
        answer = self.post("/run/standard", document)
        assert answer.status_code == 200, answer.text
        submitted: dict[str, str] = answer.json()
        return submitted

    def ended(self, job_id: str) -> dict[str, Any]:
        """The status of a job once it has ended."""
        return until(
            lambda: self.get(f"/status/{job_id}").json(),
            lambda status: status["jobStatus"] in ("SUCCEEDED", "FAILED"),
        )

    def results(self, job_name: str, **parameters: str) -> requests.Response:
        ulid = job_name.rpartition("-")[2]
        return self.get(f"/analytics/standard/{ulid}", params=QUERY | parameters)


def until(ask: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + LIMIT_S
    while not holds(answer := ask()):
        assert time.monotonic() < deadline, f"still {answer}"
        time.sleep(0.01)
    return answer


@pytest.fixture
def served() -> Iterator[Callable[..., tuple[DevServer, Client]]]:
    """Starts servers with a client each; closes them all in the end."""
    started: list[tuple[DevServer, Client]] = []

    def serve(study: Path | None = None, **options: Any) -> tuple[DevServer, Client]:
        server = DevServer(study, **options).start()
        started.append((server, Client(server)))
        return started[-1]

    yield serve
    for server, client in started:
        client.session.close()
        server.close()


Served = Callable[..., tuple[DevServer, Client]]


# --- the contract --------------------------------------------------------------------------------


def test_docs_is_answered_with_200(served: Served) -> None:
    _, client = served()
    assert client.get("/docs").status_code == 200


def test_submission_answers_with_the_three_names(served: Served) -> None:
    _, client = served()
    answer = client.post("/run/appendix_3", MODEL).json()
    assert sorted(answer) == ["config_s3_path", "jobId", "jobName"]
    assert str(uuid.UUID(answer["jobId"])) == answer["jobId"]
    name = parse_job_name(answer["jobName"])
    assert name is not None
    assert name.environment == "appendix_3"
    assert re.fullmatch(
        rf"s3://[^/]+/users/appendix_3/results/{name.ulid}/model\.json", answer["config_s3_path"]
    )


def test_status_of_a_success(served: Served, study: StudyFolder) -> None:
    _, client = served(study.root)
    job = client.submit()
    before_ms = time.time() * 1000
    status = client.ended(job["jobId"])
    ulid = job["jobName"].rpartition("-")[2]
    assert abs(status.pop("startedAt") - before_ms) < LIMIT_S * 1000
    assert status.pop("logStreamName").endswith(job["jobId"])
    assert re.fullmatch(rf"s3://[^/]+/users/standard/results/{ulid}/", status.pop("resultsPath"))
    assert status == {
        "jobId": job["jobId"],
        "jobName": job["jobName"],
        "jobStatus": "SUCCEEDED",
        "exitCode": 0,
    }


def test_status_of_a_model_error_tells_it(served: Served, study: StudyFolder) -> None:
    study.write_model("def simulate(document):\n    raise ValueError('no data')\n")
    _, client = served(study.root)
    status = client.ended(client.submit()["jobId"])
    assert (status["jobStatus"], status["exitCode"]) == ("FAILED", 1)
    assert status["statusReason"].startswith("ValueError: no data (model.py:2)")
    assert "resultsPath" not in status


def test_a_job_is_seen_in_every_state(served: Served, study: StudyFolder) -> None:
    clock = HandClock()
    _, client = served(study.root, start_time_s=30, job_time_s=20, clock=clock)
    job_id = client.submit()["jobId"]
    seen = {}
    for word in ("SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "RUNNING", "SUCCEEDED"):
        seen[word] = until(
            lambda: client.get(f"/status/{job_id}").json(),
            lambda status, word=word: status["jobStatus"] == word,
        )
        clock.time_s += 10
    assert ["startedAt" in status for status in seen.values()] == [False] * 3 + [True] * 2


def test_results_are_those_of_the_local_executor(served: Served, study: StudyFolder) -> None:
    documents = {}
    for country in ("KEN", "UGA", "TZA", "NAM"):
        document = json.loads(json.dumps(MODEL))
        document["nodes"][0]["generate_array"]["parameters"]["country"] = country
        documents[country] = document
    with local_executor(study.root, entry_point="model:simulate") as executor:
        local = run_jobs(executor, documents)
    _, client = served(study.root)
    jobs = {country: client.submit(document) for country, document in documents.items()}
    for country, job in jobs.items():
        client.ended(job["jobId"])
        as_json = client.results(job["jobName"])
        as_csv = client.results(job["jobName"], format="csv")
        assert as_json.headers["Content-Type"] == "application/json"
        assert as_csv.headers["Content-Type"] == "text/csv; charset=utf-8"
        digests = {parse_analytics(answer.content).digest for answer in (as_json, as_csv)}
        assert digests == {local.result_set(country).digest}


def test_results_of_a_command_are_served_too(served: Served, study: StudyFolder) -> None:
    (study.root / "ingest.toml").write_text(
        '[executors.local]\ncommand = ["sh", "-c", "cat rows.csv > \\"$0\\"", "{result}"]\n'
    )
    raw = 'element_label,timestamp_year,value\n"A, b",2025.0,1e3\n'
    (study.root / "rows.csv").write_text(raw)
    _, client = served(study.root)
    job = client.submit()
    assert client.ended(job["jobId"])["jobStatus"] == "SUCCEEDED"
    answer = client.results(job["jobName"])
    assert answer.json() == [{"element_label": "A, b", "timestamp_year": 2025.0, "value": 1000.0}]
    assert parse_analytics(answer.content).digest == parse_analytics(raw.encode()).digest


def test_results_that_cannot_be_read_are_handed_on(served: Served) -> None:
    _, client = served(results=lambda ulid: b"label;year\n")
    assert client.results(f"x-{ULID()}").content == b"label;year\n"


def test_results_are_an_empty_array_until_the_job_has_ended(served: Served) -> None:
    _, client = served(job_time_s=1000)
    job = client.submit()
    assert client.get(f"/status/{job['jobId']}").json()["jobStatus"] == "RUNNING"
    answer = client.results(job["jobName"])
    assert (answer.status_code, answer.json()) == (200, [])


def test_results_of_another_environment_or_an_unknown_ulid_are_empty(served: Served) -> None:
    _, client = served()
    ulid = client.submit()["jobName"].rpartition("-")[2]
    assert len(client.get(f"/analytics/standard/{ulid}").json()) == 312
    assert client.get(f"/analytics/default/{ulid}").json() == []
    assert client.get(f"/analytics/standard/{ULID()}").json() == []


def test_without_a_model_equal_documents_have_equal_results(served: Served) -> None:
    _, client = served()
    texts = [
        client.results(client.submit(document)["jobName"]).text
        for document in (MODEL, MODEL, {"another": 1})
    ]
    assert texts[0] == texts[1] != texts[2]


def test_accept_header_chooses_csv(served: Served) -> None:
    _, client = served(results=made_up_rows)
    answer = client.get(f"/analytics/standard/{ULID()}", headers={"Accept": "text/csv"})
    assert answer.text.startswith("element_label,timestamp_year,value\nHealthy Years Lived,2025,")


def test_results_come_from_a_folder_for_jobs_never_run_here(served: Served, tmp_path: Path) -> None:
    known, unknown = ULID(), ULID()
    (tmp_path / f"{known}.csv").write_text("element_label,timestamp_year,value\nDALYs,2025,7\n")
    _, client = served(results=results_in(tmp_path))
    assert client.results(f"x-{known}").json() == [
        {"element_label": "DALYs", "timestamp_year": 2025, "value": 7}
    ]
    assert client.results(f"x-{unknown}").json() == []


def test_any_ulid_has_results_of_its_own(served: Served) -> None:
    _, client = served(results=made_up_rows)
    first, second = ULID(), ULID()
    rows = client.results(f"x-{first}", element_label="DALYs").json()
    assert [row["timestamp_year"] for row in rows] == list(range(2025, 2051))
    assert client.results(f"x-{first}", element_label="DALYs").json() == rows
    assert client.results(f"x-{second}", element_label="DALYs").json() != rows


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"[1]", b'"text"', b'{"a": ', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_400(served: Served, body: bytes) -> None:
    server, client = served()
    answer = client.post("/run/standard", body)
    assert answer.status_code == 400
    assert answer.json() == {"detail": "the body is no JSON object"}
    assert server.counts()["accepted"] == 0


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/status/unknown", 404, "no job unknown"),
        ("GET", "/nowhere", 404, "no such path: /nowhere"),
        ("GET", "/run/standard", 405, "GET is not for /run/standard"),
        ("POST", "/docs", 405, "POST is not for /docs"),
        ("POST", "/run/with-hyphen", 400, "'with-hyphen' is no environment"),
        ("GET", "/analytics/standard/01ABC", 400, "'01ABC' is no ULID of 26 characters"),
        (
            "GET",
            "/analytics/standard/01HZY3T5Q0W9E8R7T6Y5V4P3M2?country=KEN",
            400,
            "no parameter or column 'country'; columns are element_label, timestamp_year, value",
        ),
        ("POST", "/dev/faults", 400, "the body is no JSON object"),
    ],
)
def test_wrong_request_is_told(
    served: Served, method: str, path: str, status: int, detail: str
) -> None:
    _, client = served()
    answer = client.session.request(method, client.url + path, data=b"1", timeout=LIMIT_S)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


def test_a_body_without_a_length_or_too_large_is_refused(served: Served) -> None:
    server, client = served()
    address = urlsplit(client.url)
    for length, status in ((None, 411), ("99999999999", 413)):
        connection = http.client.HTTPConnection(str(address.hostname), address.port, LIMIT_S)
        connection.putrequest("POST", "/run/standard")
        if length:
            connection.putheader("Content-Length", length)
        connection.endheaders()
        assert connection.getresponse().status == status
        connection.close()
    assert server.counts()["accepted"] == 0


def test_half_a_document_is_not_accepted(served: Served) -> None:
    server, client = served()
    address = urlsplit(client.url)
    with socket.create_connection((address.hostname, address.port), LIMIT_S) as connection:
        connection.sendall(b"POST /run/standard HTTP/1.1\r\nContent-Length: 50\r\n\r\n{}")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert client.get("/docs").status_code == 200
    assert server.counts()["accepted"] == 0


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("endpoint", ["submit", "status", "analytics"])
def test_a_refusal_has_no_effect_and_says_when_to_come_again(
    served: Served, endpoint: str, status: int
) -> None:
    faults = Faults(rates={f"{endpoint}-{status}": 1.0}, retry_after_s=2)
    server, client = served(faults=faults)
    paths = {"status": "/status/any", "analytics": f"/analytics/standard/{ULID()}"}
    answer = client.get(paths[endpoint]) if endpoint in paths else client.post("/run/standard", {})
    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == (None if status == 500 else "2")
    assert server.counts()["accepted"] == 0
    assert server.counts()["answers"][endpoint] == {str(status): 1}


def test_no_retry_after_unless_set(served: Served) -> None:
    _, client = served(faults={"docs-503": 1.0})
    answer = client.get("/docs")
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, None)


@pytest.mark.parametrize(("kind", "accepted"), [("drop-before", 0), ("drop-after", 1)])
def test_a_dropped_submission_is_accepted_or_not(served: Served, kind: str, accepted: int) -> None:
    server, client = served(faults={f"submit-{kind}": 1.0})
    with pytest.raises(requests.ConnectionError, match="closed connection without response"):
        client.post("/run/standard", MODEL)
    counts = server.counts()
    assert (counts["accepted"], counts["largest_count"]) == (accepted, accepted)
    assert counts["answers"]["submit"] == {"dropped": 1}


@pytest.mark.parametrize("endpoint", ["status", "analytics"])
def test_a_dropped_question_is_a_closed_connection(served: Served, endpoint: str) -> None:
    _, client = served(faults={f"{endpoint}-drop": 1.0})
    with pytest.raises(requests.ConnectionError, match="closed connection without response"):
        client.get(f"/{endpoint}/standard/{ULID()}" if endpoint == "analytics" else "/status/x")


def ask(client: Client, endpoint: str) -> requests.Response:
    """A call to an endpoint about a job that has ended."""
    if endpoint == "submit":
        return client.post("/run/standard", MODEL)
    job = client.submit()
    if endpoint == "status":
        return client.get(f"/status/{job['jobId']}")
    return client.results(job["jobName"])


@pytest.mark.parametrize("endpoint", ["submit", "status", "analytics"])
def test_a_truncated_answer_ends_before_its_length(served: Served, endpoint: str) -> None:
    server, client = served(faults={f"{endpoint}-truncated": 1.0})
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        ask(client, endpoint)
    assert server.counts()["answers"][endpoint] == {"truncated": 1}
    assert server.counts()["accepted"] == 1


@pytest.mark.parametrize("endpoint", ["submit", "status", "analytics"])
def test_broken_json_arrives_whole(served: Served, endpoint: str) -> None:
    server, client = served(faults={f"{endpoint}-broken-json": 1.0})
    answer = ask(client, endpoint)
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert server.counts()["accepted"] == 1


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("submit-wrong-types", {"jobId": 17, "jobName": 4}),
        ("status-wrong-types", {"jobStatus": 7, "startedAt": "yesterday", "exitCode": "none"}),
        ("status-unknown-state", {"jobStatus": "HIBERNATING"}),
    ],
)
def test_an_answer_can_hold_the_wrong_things(
    served: Served, kind: str, changed: dict[str, Any]
) -> None:
    _, client = served(faults={kind: 1.0})
    answer = ask(client, kind.partition("-")[0]).json()
    assert {key: answer[key] for key in changed} == changed


def test_a_state_can_be_missing(served: Served) -> None:
    _, client = served(faults={"status-no-state": 1.0})
    answer = ask(client, "status").json()
    assert "jobStatus" not in answer
    assert answer["exitCode"] == 0


def test_started_at_can_be_in_seconds(served: Served) -> None:
    server, client = served()
    assert ask(client, "status").json()["startedAt"] > 1e10
    server.change_faults(rates={"status-seconds": 1.0})
    assert ask(client, "status").json()["startedAt"] < 1e10


def test_an_accepted_job_can_be_lost_for_good(served: Served) -> None:
    server, client = served(faults={"status-lost": 0.5})
    ids = [client.submit({"number": number})["jobId"] for number in range(20)]
    first, second = (
        [client.get(f"/status/{job_id}").status_code for job_id in ids] for _ in range(2)
    )
    assert first == second
    assert set(first) == {200, 404}
    assert server.counts()["accepted"] == 20


def test_results_can_come_late(served: Served) -> None:
    server, client = served(faults=Faults(analytics_lag_s=1000))
    job = client.submit()
    assert client.ended(job["jobId"])["jobStatus"] == "SUCCEEDED"
    assert client.results(job["jobName"]).json() == []
    server.change_faults(analytics_lag_s=0)
    assert len(client.results(job["jobName"]).json()) == 312


def test_results_can_be_empty(served: Served) -> None:
    _, client = served(faults={"analytics-empty": 1.0})
    assert client.results(client.submit()["jobName"]).json() == []


def test_a_job_can_be_made_to_fail(served: Served, study: StudyFolder) -> None:
    _, client = served(study.root, faults={"job-failed": 1.0})
    job = client.submit()
    status = client.ended(job["jobId"])
    assert (status["jobStatus"], status["exitCode"]) == ("FAILED", 1)
    assert status["statusReason"] == "made to fail (job-failed)"
    assert client.results(job["jobName"]).json() == []


def test_a_job_can_be_stuck(served: Served) -> None:
    server, client = served(faults={"job-stuck": 1.0})
    job = client.submit()
    assert client.get(f"/status/{job['jobId']}").json()["jobStatus"] == "RUNNING"
    assert server.counts()["in_flight"] == 1


def test_faults_are_changed_and_shown_while_it_runs(served: Served) -> None:
    _, client = served()
    changed = client.post("/dev/faults", {"rates": {"docs-503": 1}, "retry_after_s": 0.5})
    expected = {
        "rates": {"docs-503": 1},
        "latency_s": {},
        "retry_after_s": 0.5,
        "analytics_lag_s": 0.0,
        "seed": 0,
    }
    assert changed.json() == client.get("/dev/faults").json() == expected
    answer = client.get("/docs")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "0.5")
    client.post("/dev/faults", {"rates": {}})
    assert client.get("/docs").status_code == 200


def test_a_wrong_fault_is_told_and_changes_nothing(served: Served) -> None:
    _, client = served()
    answer = client.post("/dev/faults", {"rates": {"docs-502": 1}})
    assert answer.status_code == 400
    assert answer.json()["detail"] == (
        "no fault 'docs-502'. Did you mean docs-503? All kinds: ingest dev-server --help"
    )
    assert client.get("/dev/faults").json()["rates"] == {}


def test_the_same_seed_gives_the_same_faults_again(served: Served) -> None:
    def statuses() -> list[int]:
        _, client = served(faults=Faults(rates={"submit-503": 0.4}, seed=11))
        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(
                lambda number: requests.post(
                    f"{client.url}/run/standard", json={"number": number}, timeout=LIMIT_S
                ),
                range(30),
            )
            return [answer.status_code for answer in answers]

    first = statuses()
    assert first == statuses()
    assert set(first) == {200, 503}


# --- counts --------------------------------------------------------------------------------------


def test_counts_tell_calls_answers_documents_and_jobs(served: Served) -> None:
    _, client = served(job_time_s=1000)
    jobs = [client.submit(document) for document in ({}, {}, {"a": 1})]
    client.get(f"/status/{jobs[0]['jobId']}")
    client.get("/status/unknown")
    counts = client.get("/dev/counts").json()
    assert counts["calls"] == {"docs": 0, "submit": 3, "status": 2, "analytics": 0}
    assert counts["answers"]["status"] == {"200": 1, "404": 1}
    one_at_a_time = {"docs": 0, "submit": 1, "status": 1, "analytics": 0}
    assert counts["side_by_side_max"] == one_at_a_time
    assert sorted(counts["documents"].values()) == [1, 2]
    assert (counts["accepted"], counts["largest_count"]) == (3, 2)
    assert (counts["in_flight"], counts["in_flight_max"], counts["succeeded"]) == (3, 3, 0)


def test_calls_side_by_side_are_counted_and_end_with_the_server(served: Served) -> None:
    server, client = served(faults=Faults(latency_s={"status": 1000.0}))
    with ThreadPoolExecutor(5) as pool:
        url = f"{client.url}/status/unknown"
        calls = [pool.submit(requests.get, url, timeout=LIMIT_S) for _ in range(5)]
        until(server.counts, lambda counts: counts["side_by_side_max"]["status"] == 5)
        server.close()
        assert not wait(calls, LIMIT_S).not_done


def test_one_connection_serves_many_calls(served: Served) -> None:
    _, client = served()
    address = urlsplit(client.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, LIMIT_S)
    connection.connect()
    own = connection.sock.getsockname()
    for _ in range(3):
        connection.request("GET", "/docs")
        assert connection.getresponse().read()
        assert connection.sock.getsockname() == own
    connection.close()


# --- starting and stopping -----------------------------------------------------------------------


def test_a_taken_port_is_one_clear_line(served: Served) -> None:
    server, _ = served()
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(ConfigError) as caught:
        DevServer(port=port).start()
    assert str(caught.value) == (
        f"cannot listen on port {port} of 127.0.0.1: Address already in use. "
        "Choose another with --port N, or any free one with --port 0"
    )


def test_a_model_that_cannot_be_loaded_is_told_at_the_start(study: StudyFolder) -> None:
    study.write_model("import nothing_of_that_name\n")
    before = threading.active_count()
    with pytest.raises(ConfigError, match="No module named 'nothing_of_that_name'"):
        DevServer(study.root).start()
    assert threading.active_count() == before


def test_closing_ends_jobs_that_run_and_connections_that_wait(study: StudyFolder) -> None:
    study.write_model(
        "import os, time\n"
        "def simulate(document):\n"
        "    open('pid', 'w').write(str(os.getpid()))\n"
        "    time.sleep(1000)\n"
    )
    before = set(threading.enumerate())
    with DevServer(study.root) as server:
        client = Client(server)
        job_id = client.submit()["jobId"]
        until(lambda: client.get(f"/status/{job_id}").json()["jobStatus"], "RUNNING".__eq__)
        pid = until(
            lambda: (study.root / "pid").read_text() if (study.root / "pid").exists() else "", bool
        )
    client.session.close()
    assert set(threading.enumerate()) == before
    assert not Path(f"/proc/{pid}").exists()


def test_a_study_of_another_executor_runs_locally_here(served: Served, study: StudyFolder) -> None:
    study.write_settings('[run]\nexecutor = "run-api"\n[analytics]\nsource = "analytics-api"\n')
    _, client = served(study.root)
    assert client.ended(client.submit()["jobId"])["jobStatus"] == "SUCCEEDED"


def test_when_workers_cannot_be_started_any_more_jobs_fail_with_the_reason(
    served: Served, study: StudyFolder
) -> None:
    study.write_model(
        "import os, pathlib\n"
        "if pathlib.Path('broken').exists():\n    os._exit(3)\n"
        "def simulate(document):\n    pathlib.Path('broken').touch()\n    os._exit(4)\n"
    )
    study.write_settings()
    _, client = served(study.root)
    jobs = [client.submit({"number": number}) for number in range(4)]
    reasons = {client.ended(job["jobId"])["statusReason"].partition("\n")[0] for job in jobs}
    assert "a worker process exited with status 3 before it was ready" in reasons
    later = client.ended(client.submit()["jobId"])
    assert later["statusReason"].startswith("a worker process exited with status 3")


def test_each_request_is_logged_with_its_answer(served: Served) -> None:
    lines: list[str] = []
    _, client = served(log=lines.append)
    client.get("/docs")
    client.get("/status/unknown")
    until(lambda: len(lines), lambda count: count == 2)
    assert re.fullmatch(r"GET /docs 200 \d+\.\d{3} s", lines[0])
    assert re.fullmatch(r"GET /status/unknown 404 \d+\.\d{3} s", lines[1])
