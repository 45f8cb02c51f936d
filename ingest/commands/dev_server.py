"""`ingest dev-server`: a run API and an analytics API on this machine."""

from __future__ import annotations

import shlex
import textwrap
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ingest.commands.common.context import StudyChoice, study_options_without_database
from ingest.commands.common.options import FiniteNumber, host_option, port_option
from ingest.commands.common.output import show_findings
from ingest.commands.common.stopping import stopping
from ingest.dev_server.api import Results
from ingest.dev_server.faults import KINDS, Faults, parse_latency, parse_rates
from ingest.dev_server.results import made_up_rows
from ingest.dev_server.server import DevServer, results_in
from ingest.errors import ConfigError
from ingest.study.settings import Settings
from ingest.text.numbers import count_text

_SECONDS = FiniteNumber()
_KINDS_HELP = "\b\n" + textwrap.fill(
    f"Kinds of faults: {', '.join(KINDS)}.", 76, subsequent_indent="  ", break_on_hyphens=False
)


@click.command("dev-server", epilog=_KINDS_HELP)
@study_options_without_database
@host_option
@port_option(8010)
@click.option("--no-model", is_flag=True, help="Run no model; results are made up")
@click.option(
    "--job-time", type=_SECONDS, default=0.0, metavar="SECONDS", help="Minimum duration of a job"
)
@click.option(
    "--start-time",
    type=_SECONDS,
    default=0.0,
    metavar="SECONDS",
    help="Time that jobs wait before they run",
)
@click.option(
    "--fault",
    "rates",
    metavar="KIND:RATE",
    multiple=True,
    help="Inject a fault in this share of calls, e.g. submit-429:0.1; may be repeated",
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
    help="Time between the end of a job and its results",
)
@click.option("--seed", default=0, metavar="N", help="Seed of the random faults")
@click.option(
    "--results",
    "results_folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Also serve {ULID}.csv files of a folder",
)
@click.option("--any-ulid", is_flag=True, help="Make up results for unknown ULIDs")
@click.option("--verbose", "-v", is_flag=True, help="Log every request")
def dev_server(
    choice: StudyChoice,
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
    """Serve a run API and an analytics API on this machine, to try cloud runs.

    Jobs really run, in the local executor of the study. The server can inject the faults that real
    services have, from the start or while it runs (POST /dev/faults), and counts its calls (GET
    /dev/counts). Accepted jobs survive the end of the client, not that of the server. Stop it with
    Ctrl-C.

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
        None if no_model else _study_settings(choice),
        host=host,
        port=port,
        faults=faults,
        job_time_s=job_time,
        start_time_s=start_time,
        results=_results(results_folder, any_ulid),
        log=_log_line if verbose else lambda line: None,
    )
    stop = threading.Event()
    with stopping(stop.set, message=""), server:
        _show_start(server.url, choice, no_model)
        stop.wait()
        counts = server.counts()
    click.echo(_summary(counts), err=True)


def _study_settings(choice: StudyChoice) -> Settings:
    try:
        settings, warnings = choice.settings()
    except ConfigError as exc:
        if not choice.has_study:
            raise ConfigError(f"{exc}, or run no model: ingest dev-server --no-model") from exc
        raise
    show_findings(warnings)
    return settings


def _results(folder: Path | None, any_ulid: bool) -> Results | None:
    """Results of jobs that this server never ran: from files first, then made up."""
    in_folder = results_in(folder) if folder else None
    if in_folder is not None and any_ulid:
        return lambda ulid: in_folder(ulid) or made_up_rows(ulid)
    return made_up_rows if any_ulid else in_folder


def _show_start(url: str, choice: StudyChoice, no_model: bool) -> None:
    """Where it listens on stderr; on stdout the two lines that try it."""
    jobs = "no model runs, results are made up" if no_model else "jobs run in the local executor"
    click.echo(f"Run API and analytics API on {url} ({jobs}); stop with Ctrl-C.", err=True)
    click.echo("In another terminal:", err=True)
    study = f" --study {shlex.quote(str(Path(choice.study).absolute()))}" if choice.study else ""
    click.echo(f"ingest run{study} --executor run-api --set executors.run-api.url={url} \\")
    click.echo(f"  --set analytics.url={url} --database cloud.db")


def _log_line(line: str) -> None:
    click.echo(f"{datetime.now():%H:%M:%S} {line}", err=True)


def _summary(counts: dict[str, Any]) -> str:
    calls = sum(counts["calls"].values())
    return (
        f"Served {count_text(calls, 'call')}, accepted {count_text(counts['accepted'], 'job')}: "
        f"{counts['succeeded']:,} succeeded, {counts['failed']:,} failed, "
        f"{counts['in_flight']:,} had not ended; {counts['in_flight_max']:,} in flight at most."
    )
