from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from ingest.analytics.validate import parse_analytics
from ingest.dev_server.faults import KINDS
from tests.conftest import MODEL, Ingest, StudyFolder
from tests.executors.drive import LIMIT_S, assert_ends, local_executor, run_jobs

URL = r"http://127\.0\.0\.1:\d+"


class Running:
    """`ingest dev-server` as a process; url is what it printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.lines = [process.stdout.readline(), process.stdout.readline()]
        found = re.search(URL, self.lines[0])
        self.url = found[0] if found else ""

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Exit code and stderr after a signal."""
        self.process.send_signal(number)
        _, stderr = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, stderr


@contextmanager
def dev_server(folder: Path, *options: str) -> Iterator[Running]:
    process = subprocess.Popen(
        [sys.executable, "-m", "ingest", "dev-server", "--port", "0", *options],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        try:
            running = Running(process)
            if not running.url:
                pytest.fail(process.communicate(timeout=LIMIT_S)[1])
            yield running
        finally:
            process.kill()


def post(url: str, content: Any) -> requests.Response:
    return requests.post(url, json=content, timeout=LIMIT_S)


def get(url: str) -> Any:
    return requests.get(url, timeout=LIMIT_S).json()


def wait_for_end(url: str, job_id: str) -> str:
    while (state := get(f"{url}/status/{job_id}")["jobStatus"]) not in ("SUCCEEDED", "FAILED"):
        pass
    return str(state)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_server_is_started_used_and_stopped(study: StudyFolder, number: int) -> None:
    with local_executor(study.root, entry_point="model:simulate") as executor:
        local = run_jobs(executor, {"KEN": MODEL}).result_set("KEN")
    with dev_server(study.root) as running:
        job = post(f"{running.url}/run/standard", MODEL).json()
        assert wait_for_end(running.url, job["jobId"]) == "SUCCEEDED"
        ulid = job["jobName"].rpartition("-")[2]
        answer = requests.get(f"{running.url}/analytics/standard/{ulid}", timeout=LIMIT_S)
        assert parse_analytics(answer.content).digest == local.digest
        counts = get(f"{running.url}/dev/counts")
        code, stderr = running.stop(number)
    calls = counts["calls"]["status"] + 2
    assert code == 0
    assert stderr.splitlines() == [
        f"Run API and analytics API on {running.url} (jobs run in the local executor); "
        "stop with Ctrl-C.",
        "In another terminal:",
        f"Served {calls:,} calls, accepted 1 job: 1 succeeded, 0 failed, 0 had not ended; "
        "1 in flight at most.",
    ]


def test_what_it_prints_is_a_command_to_paste(study: StudyFolder) -> None:
    with dev_server(study.root.parent, "--study", study.root.name) as running:
        url = running.url
    assert "".join(running.lines) == (
        f"ingest run --study {study.root} --executor run-api --set executors.run-api.url={url} \\\n"
        f"  --set analytics.url={url} --database cloud.db\n"
    )


def test_options_reach_the_server(tmp_path: Path) -> None:
    options = [
        "--no-model", "--fault", "submit-503:1", "--latency", "docs=0.01", "--retry-after", "3",
        "--analytics-lag", "2", "--seed", "5",
    ]  # fmt: skip
    with dev_server(tmp_path, *options) as running:
        assert get(f"{running.url}/dev/faults") == {
            "rates": {"submit-503": 1.0},
            "latency_s": {"docs": 0.01},
            "retry_after_s": 3.0,
            "analytics_lag_s": 2.0,
            "seed": 5,
        }
        answer = post(f"{running.url}/run/standard", {})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")


def test_results_of_a_folder_come_before_made_up_ones(tmp_path: Path) -> None:
    known, unknown = "0" * 26, "1" * 26
    (tmp_path / f"{known}.csv").write_text("element_label,timestamp_year,value\nDALYs,2025,7\n")
    with dev_server(tmp_path, "--no-model", "--results", ".", "--any-ulid") as running:
        url = f"{running.url}/analytics/standard"
        assert [row["value"] for row in get(f"{url}/{known}")] == [7]
        assert len(get(f"{url}/{unknown}")) == 312


def test_verbose_tells_of_every_request(tmp_path: Path) -> None:
    with dev_server(tmp_path, "--no-model", "--verbose") as running:
        get(f"{running.url}/dev/counts")
        _, stderr = running.stop()
    assert re.search(r"^\d\d:\d\d:\d\d GET /dev/counts 200 \d\.\d{3} s$", stderr, re.MULTILINE)


def test_workers_end_with_the_server(study: StudyFolder) -> None:
    study.write_model(
        "import os, time\n"
        "def simulate(document):\n"
        "    open('pid', 'w').write(str(os.getpid()))\n"
        "    time.sleep(1000)\n"
    )
    pid = study.root / "pid"
    with dev_server(study.root) as running:
        post(f"{running.url}/run/standard", MODEL)
        while not (pid.exists() and pid.read_text()):
            assert running.process.poll() is None
        code, stderr = running.stop()
    assert code == 0
    assert "0 succeeded, 0 failed, 1 had not ended" in stderr
    assert_ends(int(pid.read_text()))


def test_taken_port_is_one_line(tmp_path: Path, ingest: Ingest) -> None:
    with dev_server(tmp_path, "--no-model") as running:
        port = running.url.rpartition(":")[2]
        result = ingest("dev-server", "--no-model", "--port", port)
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: cannot listen on port {port} of 127.0.0.1: Address already in use. "
        "Choose another with --port N, or any free one with --port 0\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--fault", "submit-429"],
            "--fault 'submit-429': write KIND:RATE, e.g. submit-429:0.1",
        ),
        (
            ["--fault", "status-losst:1"],
            "no fault 'status-losst'. Did you mean status-lost? All kinds: ingest dev-server "
            "--help",
        ),
        (
            ["--latency", "submit=fast"],
            "--latency 'submit=fast': write ENDPOINT=SECONDS, e.g. submit=0.5,status=0.1",
        ),
    ],
)
def test_wrong_option_is_told(ingest: Ingest, arguments: list[str], message: str) -> None:
    result = ingest("dev-server", *arguments)
    assert (result.exit_code, result.stderr) == (2, f"Error: {message}\n")


def test_without_a_study_it_is_told_how_to_go_on(
    ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = ingest("dev-server")
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: no ingest.toml in {tmp_path}. Name a study with --study FOLDER, or write a first "
        "one: ingest init DIR, or run no model: ingest dev-server --no-model\n",
    )


def test_every_kind_of_fault_is_in_the_help_and_on_its_page(ingest: Ingest) -> None:
    shown = ingest("dev-server", "--help").stdout
    page = (Path(__file__).parents[2] / "docs" / "dev-server.md").read_text()
    for kind, effect in KINDS.items():
        assert kind in shown
        assert f"| `{kind}` | {effect} |" in page


def test_counts_on_the_page_are_those_there_are(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "dev-server.md").read_text()
    with dev_server(tmp_path, "--no-model") as running:
        counts = json.loads(requests.get(f"{running.url}/dev/counts", timeout=LIMIT_S).text)
    for name in counts:
        assert f"`{name}`" in page
