"""`ingest dev-server`: the way through the cloud, on this machine."""

from __future__ import annotations

import shlex
import signal
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

import click

from ingest.commands.common.context import read_settings
from ingest.commands.common.words import show_findings
from ingest.dev_server.api import Results
from ingest.dev_server.faults import KINDS, Faults, parse_latency, parse_rates
from ingest.dev_server.server import DevServer, results_for_any_ulid, results_in
from ingest.errors import ConfigError
from ingest.study.settings import Settings
from ingest.text.numbers import count_text

_SECONDS = click.FloatRange(min=0)
_KINDS_HELP = "\b\n" + textwrap.fill(
    f"Kinds of faults: {', '.join(KINDS)}.", 76, subsequent_indent="  ", break_on_hyphens=False
)


@click.command("dev-server", epilog=_KINDS_HELP)
@click.option("--study", "study_path", metavar="PATH", help="Study whose model runs; this folder")
@click.option(
    "--set",
    "overrides",
    metavar="SECTION.KEY=VALUE",
    multiple=True,
    help="Override a setting of the study, e.g. executors.local.workers=4; may be repeated",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8010,
    show_default=True,
    help="Port to listen on; 0 for any free one",
)
@click.option("--no-model", is_flag=True, help="Run no model: jobs take time, results are made up")
@click.option(
    "--job-time", type=_SECONDS, default=0.0, metavar="SECONDS", help="Jobs run so long, at least"
)
@click.option(
    "--start-time",
    type=_SECONDS,
    default=0.0,
    metavar="SECONDS",
    help="Jobs wait so long before they run",
)
@click.option(
    "--fault",
    "rates",
    metavar="KIND:RATE",
    multiple=True,
    help="Misbehave in this share of calls, e.g. submit-429:0.1; may be repeated",
)
@click.option(
    "--latency",
    metavar="ENDPOINT=SECONDS",
    multiple=True,
    help="Time that calls take, e.g. submit=0.5,status=0.1; also docs, analytics",
)
@click.option("--retry-after", type=_SECONDS, metavar="SECONDS", help="Retry-After of 429 and 503")
@click.option(
    "--analytics-lag",
    type=_SECONDS,
    default=0.0,
    metavar="SECONDS",
    help="Results show up this long after the end of their job",
)
@click.option("--seed", default=0, metavar="N", help="Another seed, other faults")
@click.option(
    "--results",
    "results_folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Also serve {ULID}.csv files of a folder",
)
@click.option("--any-ulid", is_flag=True, help="Make up results for every ULID not known otherwise")
@click.option("--verbose", "-v", is_flag=True, help="Tell of every request")
def dev_server(
    study_path: str | None,
    overrides: tuple[str, ...],
    host: str,
    port: int,
    no_model: bool,
    job_time: float,
    start_time: float,
    rates: tuple[str, ...],
    latency: tuple[str, ...],
    retry_after: float | None,
    analytics_lag: float,
    seed: int,
    results_folder: Path | None,
    any_ulid: bool,
    verbose: bool,
) -> None:
    """Serve a run API and an analytics API on this machine, to try the way through the cloud.

    Jobs really run, in the local executor of the study. The server can be told to misbehave as
    services do, at the start or while it runs (POST /dev/faults), and counts what it is asked (GET
    /dev/counts). What was accepted survives the client's death, not the server's. Ends with Ctrl-C.

    \b
    Examples:
      ingest dev-server
      ingest dev-server --fault submit-503:0.1 --fault status-drop:0.05 --retry-after 2
      ingest dev-server --no-model --job-time 5 --latency submit=0.5,status=0.1
    """
    faults = Faults(
        rates=parse_rates(rates),
        latency_s=parse_latency(latency),
        retry_after_s=retry_after,
        analytics_lag_s=analytics_lag,
        seed=seed,
    )
    server = DevServer(
        None if no_model else _study_settings(study_path, overrides),
        host=host,
        port=port,
        faults=faults,
        job_time_s=job_time,
        start_time_s=start_time,
        results=_results(results_folder, any_ulid),
        log=_log_line if verbose else lambda line: None,
    )
    with _stop_signals() as stop, server:
        _show_start(server.url, study_path, no_model)
        stop.wait()
        counts = server.counts()
    click.echo(_summary(counts), err=True)


def _study_settings(study_path: str | None, overrides: tuple[str, ...]) -> Settings:
    try:
        settings, warnings = read_settings(study_path, None, overrides)
    except ConfigError as exc:
        if study_path is None and not overrides:
            raise ConfigError(f"{exc}, or run no model: ingest dev-server --no-model") from exc
        raise
    show_findings(warnings)
    return settings


def _results(folder: Path | None, any_ulid: bool) -> Results | None:
    """Where results of jobs come from that this server never ran: files first."""
    in_folder = results_in(folder) if folder else None
    if in_folder is not None and any_ulid:
        return lambda ulid: in_folder(ulid) or results_for_any_ulid(ulid)
    return results_for_any_ulid if any_ulid else in_folder


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets; the second ends the process at once."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def stop_once(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    previous = {number: signal.signal(number, stop_once) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _show_start(url: str, study_path: str | None, no_model: bool) -> None:
    """Where it listens on stderr; on stdout the two lines that try it."""
    jobs = "no model runs, results are made up" if no_model else "jobs run in the local executor"
    click.echo(f"Run API and analytics API on {url} ({jobs}); stop with Ctrl-C.", err=True)
    click.echo("In another terminal:", err=True)
    study = f" --study {shlex.quote(str(Path(study_path).absolute()))}" if study_path else ""
    click.echo(f"ingest run{study} --executor run-api --set executors.run-api.url={url} \\")
    click.echo(
        f"  --set analytics.source=analytics-api --set analytics.url={url} --database cloud.db"
    )


def _log_line(line: str) -> None:
    click.echo(f"{datetime.now():%H:%M:%S} {line}", err=True)


def _summary(counts: dict[str, Any]) -> str:
    calls = sum(counts["calls"].values())
    return (
        f"Served {count_text(calls, 'call')}, accepted {count_text(counts['accepted'], 'job')}: "
        f"{counts['succeeded']:,} succeeded, {counts['failed']:,} failed, "
        f"{counts['in_flight']:,} had not ended; {counts['in_flight_max']:,} in flight at most."
    )
