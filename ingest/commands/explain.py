"""`ingest explain`: the history of one combination."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from ingest.changes.causes import CauseFinder
from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import all_changes_option, json_option
from ingest.commands.common.output import code_words, local_time, print_json
from ingest.database.rows import read_dicts
from ingest.errors import ConfigError
from ingest.planning.causes import Cause
from ingest.study.combination import select_names
from ingest.text.numbers import count_text, percent_text


@dataclass(frozen=True)
class HistoryEntry:
    """One job of a combination; inputs and results against the success before it.

    cause: which inputs changed, None for a first success or a job that did not succeed.
    same_results: whether the numbers are equal to the last bit, None likewise.
    """

    run_id: int
    timestamp: str
    git_commit: str
    job_status: str
    reason: str
    error: str | None
    input_digest: str
    result_digest: str | None
    cause: Cause | None
    same_results: bool | None
    changed_labels: int
    largest_label: str | None
    largest_relative_change: float | None
    largest_other_years: str | None


@click.command()
@click.argument("country")
@click.argument("scenario")
@study_options
@click.option(
    "--attribute",
    is_flag=True,
    help="Run each input of the last change alone, and show its share of the change",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    help="With --attribute: element label, may be repeated; default: Healthy Years Lived, else the "
    "first",
)
@click.option(
    "--indicator",
    "-i",
    "indicators",
    multiple=True,
    metavar="NAME,...",
    help="In place of the jobs, these indicators as of each run: names, comma lists, globs",
)
@all_changes_option
@json_option
def explain(
    country: str,
    scenario: str,
    choice: StudyChoice,
    attribute: bool,
    labels: tuple[str, ...],
    indicators: tuple[str, ...],
    show_all: bool,
    as_json: bool,
) -> None:
    """Show the history of one combination: runs, reasons, inputs, results.

    With --attribute: where several inputs changed at once, each is run alone on this machine, with
    the others as they were before, and its share of the change of a label's sum over the years is
    shown. What the inputs moved together beyond that is the interaction. Nothing is stored.

    With --indicator: the indicator, by its definition as of now, in the state as of each run that
    ran the scenario or the baseline, and what changed in the inputs of either.

    \b
    Examples:
      ingest explain KEN baseline
      ingest explain KEN baseline --all
      ingest explain KEN baseline --json
      ingest explain KEN scale_up --indicator "Deaths averted"
      ingest explain KEN baseline --attribute --label Deaths
    """
    if indicators and (attribute or labels):
        raise ConfigError("--indicator goes without --attribute and --label")
    if attribute:
        from ingest.commands.attribution import show_attribution

        show_attribution(choice, country, scenario, labels, as_json)
        return
    if labels:
        raise ConfigError("--label goes with --attribute")
    with choice.reading() as connection:
        country, scenario = known_combination(connection, country, scenario)
        if indicators:
            from ingest.commands.explain_indicators import show_indicator_history

            found = (country, scenario)
            show_indicator_history(choice, connection, found, indicators, as_json)
            return
        history = read_history(connection, country, scenario, choice.ignored)
    if as_json:
        print_json([_as_json(entry) for entry in history])
        return
    click.echo(f"{country} / {scenario}")
    for entry in history:
        _show(entry, show_all)


def _as_json(entry: HistoryEntry) -> dict[str, Any]:
    cause = entry.cause
    changes = [change.as_dict() for change in cause.changes] if cause else []
    return {**vars(entry), "cause": cause.text if cause else None, "changes": changes}


def known_combination(
    connection: sqlite3.Connection, country: str, scenario: str
) -> tuple[str, str]:
    """The first country and scenario of the results that names or globs choose."""
    return _known(connection, "country", country), _known(connection, "scenario", scenario)


def _known(connection: sqlite3.Connection, column: str, name: str) -> str:
    """The first country or scenario of the results that a name or glob chooses."""
    rows = connection.execute(f"SELECT DISTINCT {column} FROM job_results")
    return select_names([name], [row[0] for row in rows], column)[0]


def read_history(
    connection: sqlite3.Connection, country: str, scenario: str, ignore: Sequence[str]
) -> list[HistoryEntry]:
    """Every job of a combination, the oldest first. ignore: as in study.ignore."""
    finder = CauseFinder(connection, ignore)
    before: dict[str, Any] | None = None
    history = []
    for job in read_dicts(connection, _HISTORY, country, scenario):
        is_success = job["job_status"] == "success"
        history.append(_entry(job, before if is_success else None, finder))
        before = job if is_success else before
    return history


_HISTORY = """
SELECT j.run_id, r.timestamp, r.git_commit, j.job_status, coalesce(j.reason, '') AS reason,
       j.error, coalesce(j.input_digest, '') AS input_digest, s.digest AS result_digest,
       j.input_set_id, j.document_digest,
       coalesce(j.country_data_digest, '') AS country_data_digest, j.country,
       (SELECT count(*) FROM series_changes AS c WHERE c.run_id = j.run_id
           AND c.country = j.country AND c.scenario = j.scenario) AS changed_labels,
       c.element_label AS largest_label, c.relative_change AS largest_relative_change,
       c.other_years AS largest_other_years
  FROM job_results AS j
  JOIN validation_runs AS r ON r.run_id = j.run_id
  LEFT JOIN result_sets AS s ON s.result_set_id = j.result_set_id
  LEFT JOIN series_changes AS c ON c.run_id = j.run_id AND c.country = j.country
        AND c.scenario = j.scenario AND c.element_label = (
            SELECT d.element_label FROM series_changes AS d
             WHERE d.run_id = j.run_id AND d.country = j.country AND d.scenario = j.scenario
             ORDER BY abs(d.relative_change) DESC LIMIT 1)
 WHERE j.country = ? AND j.scenario = ?
 ORDER BY j.run_id
"""


_NOT_SHOWN = {"input_set_id", "document_digest", "country_data_digest", "country"}


def _entry(job: dict[str, Any], before: dict[str, Any] | None, finder: CauseFinder) -> HistoryEntry:
    cause, same = None, None
    if before is not None:
        same = before["result_digest"] == job["result_digest"]
        if before["input_digest"] != job["input_digest"] or not same:
            documents = before["document_digest"] == job["document_digest"]
            rows = (before["country_data_digest"], job["country_data_digest"])
            data = (job["country"], *rows) if rows[0] != rows[1] else None
            sets = before["input_set_id"], job["input_set_id"]
            cause = finder.cause(*sets, documents, data)
            cause = None if same and cause.is_nondeterministic else cause
    kept = {name: job[name] for name in job.keys() - _NOT_SHOWN}
    return HistoryEntry(**kept, cause=cause, same_results=same)


def _show(entry: HistoryEntry, show_all: bool) -> None:
    """A few lines for one job: when, why it ran, what changed in inputs and results."""
    digests = f"inputs {entry.input_digest[:8]}, results {(entry.result_digest or 'none')[:8]}"
    click.echo(
        f"\nRun {entry.run_id}  {local_time(entry.timestamp)}  commit "
        f"{code_words(entry.git_commit, 0)}  {entry.job_status}  {digests}"
    )
    lines = {
        "ran because": entry.reason,
        "error": (entry.error or "").partition("\n")[0],
        "inputs": "\n".join(_cause_lines(entry.cause, show_all)),
        "results": _results_words(entry),
    }
    for head, text in lines.items():
        if text or head == "ran because":
            click.echo(f"  {head:<12} " + text.replace("\n", "\n" + " " * 15))


def _cause_lines(cause: Cause | None, show_all: bool) -> list[str]:
    return [cause.text, *cause.more(show_all)] if cause else []


def _results_words(entry: HistoryEntry) -> str:
    if entry.same_results is None:
        return ""
    if entry.same_results:
        return "the same numbers to the last bit"
    if entry.largest_label is None:
        return "other numbers, within the tolerance"
    sizes = [entry.largest_other_years or ""]
    if entry.largest_relative_change is not None or not entry.largest_other_years:
        sizes.insert(0, percent_text(entry.largest_relative_change))
    largest = f"{entry.largest_label} {', '.join(filter(None, sizes))}"
    return f"{count_text(entry.changed_labels, 'label')} moved, largest {largest}"
