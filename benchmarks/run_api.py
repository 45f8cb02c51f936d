"""How long a run of 1,376 jobs at the run API takes, next to the serial way and to the bound.

    python benchmarks/run_api.py [--countries N] [--serial-jobs N]

The API is `ingest dev-server` in a process of its own: 0.5 s a submission, 0.1 s a status call,
5 s a job, made-up results. `ingest run` is a process of its own too, with the limits it has by
default. The serial way submits one job after the other, asks about one after the other and fetches
one after the other, with pauses; it is measured on a few jobs in the same run and multiplied.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from ingest.executors.run_api.executor import RunApiExecutor
from ingest.executors.run_api.settings import RunApiSettings
from ingest.running.scheduler import parse_rate

PROJECT = Path(__file__).resolve().parent.parent
SUBMIT_S, STATUS_S, JOB_S = 0.5, 0.1, 5.0
SCENARIOS = 8
# The pauses of clients that go one by one: after each round of questions, and between results.
ROUND_PAUSE_S, FETCH_PAUSE_S = 5.0, 5.0
INGEST = [sys.executable, "-m", "ingest"]


def report(what: str, figure: str, aim: str = "") -> None:
    print(f"{what:<58} {figure:>16}   {f'aim: {aim}' if aim else ''}".rstrip(), flush=True)


def write_study(folder: Path, countries: int) -> None:
    """A study of as many countries and 8 scenarios; its model is one node."""
    parameters = {"country": "AFG", "value": 0.0}
    node = {"id": "n", "label": "N", "generate_array": {"method": "m", "parameters": parameters}}
    place = "$.nodes[?(@.id=='n')].generate_array.parameters"
    listed = json.loads((PROJECT / "examples" / "asthma" / "countries.json").read_text())
    chosen = {"countries": listed["countries"][:countries]}
    model = {
        "metadata": {},
        "runtime": {"startYear": 2025, "endYear": 2051},
        "nodes": [node],
        "links": [],
    }
    (folder / "scenarios").mkdir()
    for number in range(SCENARIOS):
        scenario = {
            "metadata": {"label": f"Scenario {number}"},
            "parameters": {
                "Country": {"value": "AFG", "paths": [f"{place}.country"]},
                "Value": {"value": number, "paths": [f"{place}.value"]},
            },
        }
        (folder / "scenarios" / f"s{number}.json").write_text(json.dumps(scenario))
    (folder / "model.json").write_text(json.dumps(model))
    (folder / "countries.json").write_text(json.dumps(chosen))
    (folder / "model.py").write_text("")
    (folder / "ingest.toml").write_text('[study]\nname = "benchmark"\n')


@contextmanager
def dev_server() -> Iterator[str]:
    """The address of a fresh server in a process of its own."""
    command = [*INGEST, "dev-server", "--port", "0", "--no-model", "--job-time", f"{JOB_S}"]
    command += ["--latency", f"submit={SUBMIT_S},status={STATUS_S}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://[\d.:]+", process.stdout.readline())
            if found is None:
                raise SystemExit(f"{' '.join(command)} did not start")
            yield found[0]
        finally:
            process.terminate()


def counts_of(url: str) -> dict[str, Any]:
    counts: dict[str, Any] = requests.get(f"{url}/dev/counts", timeout=60).json()
    return counts


def bench_run(countries: int) -> float:
    """Seconds that a whole run takes."""
    with tempfile.TemporaryDirectory() as name, dev_server() as url:
        folder = Path(name)
        write_study(folder, countries)
        command = [*INGEST, "run", "--study", name, "--executor", "run-api", "--quiet"]
        for setting in (
            f"executors.run-api.url={url}",
            "analytics.source=analytics-api",
            f"analytics.url={url}",
        ):
            command += ["--set", setting]
        command += ["--database", str(folder / "results.db")]
        begin = time.perf_counter()
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - begin
        counts = counts_of(url)
    jobs = countries * SCENARIOS
    assert (counts["accepted"], counts["largest_count"]) == (jobs, 1), counts
    calls = counts["calls"]
    report(f"ingest run, {jobs:,} jobs of {JOB_S:g} s", f"{seconds:.1f} s")
    for endpoint in ("submit", "status", "analytics"):
        report(f"  {endpoint} calls a job", f"{calls[endpoint] / jobs:.2f}")
    report("  largest number in flight", str(counts["in_flight_max"]))
    for endpoint in ("submit", "status"):
        report(f"  {endpoint} calls side by side", str(counts["side_by_side_max"][endpoint]))
    return seconds


def least_time_s(jobs: int) -> float:
    """What the default limits allow at best: the narrowest of them, and the last job's own time.

    A job is in flight from its submission to the answer that says it has ended.
    """
    rate = parse_rate(RunApiExecutor.default_submit_rate or "1000/1s")
    in_flight_s = SUBMIT_S + JOB_S + STATUS_S
    limits = {
        "submit rate": rate.count / rate.span_s,
        "submissions side by side": RunApiSettings().submit_concurrency / SUBMIT_S,
        "jobs in flight": RunApiExecutor.default_max_in_flight / in_flight_s,
        "questions side by side": RunApiSettings().status_concurrency / STATUS_S,
    }
    narrowest = min(limits, key=lambda name: limits[name])
    report(f"limits allow, by {narrowest}", f"{limits[narrowest]:.1f} jobs/s")
    return jobs / limits[narrowest] + in_flight_s


def bench_serial(jobs: int) -> tuple[float, float]:
    """Seconds of calls a job, and of calls and pauses between results, one after the other.

    The pauses between rounds of questions are left out: their number does not grow with the jobs.
    """
    paused_s = 0.0
    with dev_server() as url:
        begin = time.perf_counter()
        accepted = [
            requests.post(f"{url}/run/standard", json={"number": number}, timeout=60).json()
            for number in range(jobs)
        ]
        waiting = [job["jobId"] for job in accepted]
        while waiting:
            answers = [requests.get(f"{url}/status/{job}", timeout=30).json() for job in waiting]
            waiting = [a["jobId"] for a in answers if a["jobStatus"] not in ("SUCCEEDED", "FAILED")]
            if waiting:
                time.sleep(ROUND_PAUSE_S)
                paused_s += ROUND_PAUSE_S
        for job in accepted:
            ulid = job["jobName"].rpartition("-")[2]
            requests.get(f"{url}/analytics/standard/{ulid}", timeout=30).raise_for_status()
            time.sleep(FETCH_PAUSE_S)
        seconds = time.perf_counter() - begin
    report(f"the serial way, {jobs} jobs", f"{seconds:.1f} s")
    a_job_s = (seconds - paused_s) / jobs
    return a_job_s - FETCH_PAUSE_S, a_job_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--countries", type=int, default=172, help="times 8 scenarios")
    parser.add_argument("--serial-jobs", type=int, default=12, help="jobs of the serial way")
    arguments = parser.parse_args()
    jobs = arguments.countries * SCENARIOS
    seconds = bench_run(arguments.countries)
    least_s = least_time_s(jobs)
    report(f"least time for {jobs:,} jobs within the limits", f"{least_s:.1f} s")
    report("ratio of the run to it", f"{seconds / least_s:.2f}", "at most 1.2")
    names = ("without a pause", f"with {FETCH_PAUSE_S:g} s between results")
    for name, a_job_s in zip(names, bench_serial(arguments.serial_jobs), strict=True):
        serial_s = a_job_s * jobs
        report(f"  multiplied to {jobs:,} jobs, {name}", f"{serial_s:,.0f} s")
        report("    as many times as the run takes", f"{serial_s / seconds:.0f}")


if __name__ == "__main__":
    main()
