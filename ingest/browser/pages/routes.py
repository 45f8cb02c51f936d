"""The pages by name: the template of each, and what is read for it from a connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ingest.browser.links import decode
from ingest.browser.pages.api import read_api_questions
from ingest.browser.pages.changes import count_changes, read_changes, read_label_changes
from ingest.browser.pages.country import read_country_page
from ingest.browser.pages.job import read_job_page
from ingest.browser.pages.matrix import read_matrix
from ingest.browser.pages.overview import read_overview
from ingest.browser.pages.run import read_run_page
from ingest.browser.pages.runs import read_progress, read_run_facts, read_run_list
from ingest.browser.questions.catalogue import question_topics
from ingest.database.states import newest_run

RUNS_A_PAGE = 50
CHANGES_A_PAGE = 500

Arguments = Mapping[str, str]
Values = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """A page. read gives the template's values, None where there is no such thing (404).

    read takes a connection, the parts of the path, and the arguments after the question mark.
    """

    template: str
    read: Callable[[sqlite3.Connection, Arguments, Arguments], Values | None]


def _overview(connection: sqlite3.Connection, path: Arguments, given: Arguments) -> Values:
    return {"overview": read_overview(connection), "topics": question_topics()}


def _countries(connection: sqlite3.Connection, path: Arguments, given: Arguments) -> Values:
    matrix = read_matrix(connection)
    region = given.get("region") or ""
    rows = [row for row in matrix.rows if region in ("", row.region)]
    regions = [name for name, _ in matrix.regions]
    return {"matrix": matrix, "rows": rows, "regions": regions, "region": region}


def _country(connection: sqlite3.Connection, path: Arguments, given: Arguments) -> Values | None:
    iso3 = decode(path["iso3"])
    page = read_country_page(connection, iso3, given.get("label"), given.get("run"))
    return {"page": page} if page else None


def _runs(connection: sqlite3.Connection, path: Arguments, given: Arguments) -> Values:
    before = _number(given.get("before"))
    runs = read_run_list(connection, before, RUNS_A_PAGE + 1)
    more = len(runs) > RUNS_A_PAGE
    return {"runs": runs[:RUNS_A_PAGE], "has_more": more, "is_newest": before is None}


def _run(connection: sqlite3.Connection, path: Arguments, given: Arguments) -> Values | None:
    page = read_run_page(connection, int(path["run"]))
    return {"page": page} if page else None


def _changes(connection: sqlite3.Connection, path: Arguments, given: Arguments) -> Values | None:
    run = read_run_facts(connection, int(path["run"]))
    if run is None:
        return None
    label, country = given.get("label") or None, given.get("country") or None
    series, combinations = count_changes(connection, run.run_id)
    changes = read_changes(connection, run.run_id, CHANGES_A_PAGE + 1, label=label, country=country)
    return {
        "run": run,
        "label": label,
        "country": country,
        "labels": read_label_changes(connection, run.run_id),
        "changed_series": series,
        "changed_combinations": combinations,
        "changes": changes[:CHANGES_A_PAGE],
        "has_more": len(changes) > CHANGES_A_PAGE,
    }


def _job(connection: sqlite3.Connection, path: Arguments, given: Arguments) -> Values | None:
    country, scenario = decode(path["iso3"]), decode(path["scenario"])
    page = read_job_page(connection, int(path["run"]), country, scenario)
    return {"page": page} if page else None


def _api(connection: sqlite3.Connection, path: Arguments, given: Arguments) -> Values:
    return {"questions": read_api_questions(connection)}


PAGES: dict[str, Page] = {
    "home": Page("overview.html", _overview),
    "overview": Page("overview.html", _overview),
    "countries": Page("countries.html", _countries),
    "country": Page("country.html", _country),
    "runs": Page("runs.html", _runs),
    "run": Page("run.html", _run),
    "changes": Page("changes.html", _changes),
    "job": Page("job.html", _job),
    "api": Page("api.html", _api),
}


def read_progress_json(connection: sqlite3.Connection, given: Arguments) -> Values | None:
    """How far a run is, the newest where none is named; None where there is no such run."""
    newest = newest_run(connection)
    run_id = _number(given.get("run")) or (newest.run_id if newest else 0)
    progress = read_progress(connection, run_id)
    return progress.as_json() if progress else None


def _number(text: str | None) -> int | None:
    """A run's number as a person may type it into a URL; None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None
