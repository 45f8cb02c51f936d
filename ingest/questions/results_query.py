"""ResultsQuery: the results as tidy pandas frames and Altair charts, for notebooks.

pandas and Altair are imported by the methods that need them; a ConfigError says how to install
them where they are missing.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.changes.diff import Tolerances, diff_states
from ingest.database.choice import (
    MixedRow,
    NameChoice,
    ResultRow,
    choose_labels,
    choose_results,
    read_rows,
)
from ingest.database.consistency import read_consistency
from ingest.database.files import database_files, open_for_reading
from ingest.database.read import read_failure_causes, read_jobs, read_run
from ingest.database.states import resolve_run
from ingest.database.study_settings import read_definitions
from ingest.exchange.export import write_csv
from ingest.exchange.whole_file import OutputFile
from ingest.questions.caption import read_run_facts
from ingest.questions.compare import YEAR
from ingest.questions.compare_rows import VALUE_COLUMNS
from ingest.questions.compared import compare_labels, rate_of, sums_of
from ingest.questions.frames import (
    ADDED,
    DIFF_TYPES,
    FAILED_TYPES,
    STATE_TYPES,
    Names,
    choose,
    further_columns,
    library,
    make_frame,
    patterns,
    types_of,
    with_columns,
)
from ingest.questions.indicators import (
    IndicatorQuestion,
    ask_indicators,
    tidy_columns,
    tidy_rows,
)
from ingest.questions.notebook_charts import Measure, draw_comparison, draw_trend

if TYPE_CHECKING:
    import altair
    import pandas


class ResultsQuery:
    """Questions to a results database, which is only read; each answer is of one moment.

    database: the file that `ingest run` writes. Runs are named as everywhere: number, tag, commit,
    date, "latest", "previous"; what is read is the state as of that run.

    >>> results = ResultsQuery("validation_results.db")
    >>> results.state(countries="KEN,UGA", labels="Healthy*")
    >>> results.compare_scenarios("null", "all_treatments", by="region")
    """

    def __init__(self, database: Path | str) -> None:
        self.database = Path(database)

    def get_latest_run_summary(self) -> dict[str, Any]:
        """The newest run that has ended: counts, status, commit, and its failures by cause.

        Needs no pandas. Keys: run_id, timestamp, finished_at, duration_s, git_commit, dirty_files,
        status, executor, study, total_jobs, successful_jobs, failed_jobs, up_to_date_jobs,
        failures (list of error_kind, error, jobs).
        """
        with self._connection() as connection:
            run_id = resolve_run(connection, "latest").run_id
            summary = read_run(connection, run_id) or {}
            return {**summary, "failures": read_failure_causes(connection, run_id)}

    def get_failed_jobs(self, run: str | int | None = None) -> pandas.DataFrame:
        """The jobs of a run (default: the latest) that did not succeed, with their errors."""
        pd = library("pandas", "frames")
        with self._connection() as connection:
            run_id = resolve_run(connection, str(run or "latest")).run_id
            jobs = read_jobs(connection, run_id, only_failed=True)
        rows = [[{"run_id": run_id, **job}[name] for name in FAILED_TYPES] for job in jobs]
        return make_frame(pd, rows, FAILED_TYPES)

    def state(
        self,
        run: str | int = "latest",
        *,
        countries: Names = None,
        scenarios: Names = None,
        labels: Names = None,
        columns: Names = None,
    ) -> pandas.DataFrame:
        """The state as of a run: one row a number, sorted by the columns in their order.

        columns: further ones at the end: "unit" of the label's numbers in a year, "name" of the
        country, groups of the `countries` table. Warns where the results are of several models.
        """
        pd = library("pandas", "frames")
        with self._connection() as connection:
            further = further_columns(
                connection,
                resolve_run(connection, str(run)).run_id,
                columns,
                list(STATE_TYPES),
                over_years=False,
            )
            _, rows = _read(connection, run, countries, scenarios, labels)
            frame = make_frame(pd, (row[:5] for row in rows), STATE_TYPES)
        return with_columns(frame, further)

    def get_metric_trends(
        self,
        label: str,
        countries: Names = None,
        scenarios: Names = None,
        *,
        run: str | int = "latest",
        columns: Names = None,
    ) -> pandas.DataFrame:
        """One label's values over the years, for each country and scenario; columns as state()."""
        chosen = {"countries": countries, "scenarios": scenarios, "labels": label}
        return self.state(run, **chosen, columns=columns)

    def compare_scenarios(
        self,
        a: str,
        b: str | Sequence[str],
        label: Names = None,
        countries: Names = None,
        by: str | Sequence[str] = "country",
        *,
        run: str | int = "latest",
        until_year: int | None = None,
        discount_rate: float | str = 0.0,
        base_year: int | None = None,
        columns: Names = None,
    ) -> pandas.DataFrame:
        """Scenario b against scenario a: sums over what both have, difference and percent.

        b: one scenario; of a list, which may hold globs, each is compared with a, and stands in a
        column `scenario`. by: "country", "year", "total", a group in the `countries` table
        ("region", "income_group", ...), or several of them, e.g. ["region", "year"]. One row for
        each and for each label. columns: further ones at the end: "unit" of the sums; with
        countries, "name" and groups.
        Only countries, labels and years that both scenarios have are summed. difference is b - a;
        percent is of |a|, missing where a is 0. A country without a group is in the group (none).
        over_years and over_countries say how each label was added up: sum, last (the last year),
        mean, weighted:OTHER LABEL; missing where nothing was. A label that does not add up as it
        would have to is an error where it is asked for, and has no values among all labels.
        until_year: the last year to sum. discount_rate: a year, 0.03 or "3%"; base_year: discounted
        to it, the first year where None. The frame's `attrs` say what the numbers depend on:
        run_id, git_commit, discount_rate, and by label `captions`, `years` (first and last) and
        `horizon_notes`, where the years are not the same in all countries and scenarios; of a list
        of scenarios, these three by scenario and then by label.
        """
        pd = library("pandas", "frames")
        keys = [by] if isinstance(by, str) else list(by)
        sums = sums_of(until_year, discount_rate, base_year)
        with self._connection() as connection:
            found = compare_labels(connection, str(run), a, b, label, countries, keys, sums)
            known = [*found.keys, "element_label"]
            further = further_columns(
                connection, found.attrs["run_id"], columns, known, over_years=YEAR not in keys
            )
        frame = make_frame(pd, found.rows, types_of(*known, *VALUE_COLUMNS, *ADDED))
        frame.attrs.update(found.attrs)
        return with_columns(frame, further)

    def indicators(
        self,
        names: Names = None,
        countries: Names = None,
        by: str | Sequence[str] = "country",
        *,
        run: str | int = "latest",
        scenarios: Names = None,
        baseline: str | None = None,
        until: int | Sequence[int] = (),
        discount_rate: float | str | None = None,
        base_year: int | None = None,
        columns: Names = None,
    ) -> pandas.DataFrame:
        """The study's indicators: one row for each of them, horizon, group and scenario.

        by: "country", "total", a group in the `countries` table, or several of them. until: last
        years in place of the indicators' own. discount_rate (a year, 0.03 or "3%") and base_year:
        in place of what sums over years say themselves; 0 discounts nothing. columns: with
        countries, further ones at the end: "name" and groups. The definitions are what the newest
        `ingest run` found in ingest.toml. value is missing where note says why; `countries` of
        `of_countries` are in it. The frame's `attrs` have run_id, git_commit, baseline and notes.
        """
        pd = library("pandas", "frames")
        with self._connection() as connection:
            question = IndicatorQuestion(
                run_id=resolve_run(connection, str(run)).run_id,
                names=patterns(names),
                baseline=baseline,
                scenarios=patterns(scenarios),
                countries=patterns(countries),
                by=[by] if isinstance(by, str) else list(by),
                until=[until] if isinstance(until, int) else list(until),
                discount=None if discount_rate is None else rate_of(discount_rate),
                base_year=base_year,
            )
            answer = ask_indicators(connection, read_definitions(connection, None), question)
            facts = read_run_facts(connection, question.run_id)
            names_of = tidy_columns(answer)
            further = further_columns(connection, question.run_id, columns, names_of)
        if answer.consistency.is_mixed:
            warnings.warn(answer.consistency.warning, stacklevel=2)
        frame = make_frame(pd, tidy_rows(answer), types_of(*names_of))
        frame.attrs.update(
            run_id=question.run_id,
            git_commit=facts.git_commit if facts else "",
            baseline=answer.request.baseline,
            notes=list(answer.notes),
        )
        return with_columns(frame, further)

    def diff(
        self,
        before: str | int = "previous",
        after: str | int = "latest",
        *,
        tolerances: Tolerances = Tolerances(),
        countries: Names = None,
        scenarios: Names = None,
        labels: Names = None,
    ) -> pandas.DataFrame:
        """The series that moved between two states, the largest relative change first.

        tolerances: a change is |after - before| > atol + rtol * |before|; `Tolerances()` is the
        default of a study. before, after, absolute and relative are of largest_year.
        """
        pd = library("pandas", "frames")
        with self._connection() as connection:
            moved = diff_states(
                connection,
                resolve_run(connection, str(before)),
                resolve_run(connection, str(after)),
                tolerances,
                countries=choose(connection, countries, "country"),
                scenarios=choose(connection, scenarios, "scenario"),
                labels=choose_labels(connection, patterns(labels)) if labels else (),
            )
        causes = {tuple(combination): cause.text for combination, cause in moved.changed.items()}
        rows = [
            [*(getattr(series, name) for name in list(DIFF_TYPES)[:-1]), causes.get(key)]
            for series in moved.series
            for key in [(series.country, series.scenario)]
        ]
        return make_frame(pd, rows, DIFF_TYPES)

    def export_results_csv(
        self,
        path: Path | str,
        run: str | int = "latest",
        *,
        countries: Names = None,
        scenarios: Names = None,
        labels: Names = None,
        force: bool = False,
        raw: bool = False,
    ) -> int:
        """Write the state as of a run as `ingest export` does; gives the number of rows.

        Needs no pandas, and not the memory for all rows. An existing file is kept unless force.
        raw: texts that a spreadsheet takes for a formula get no apostrophe before them.
        """
        keep = dict.fromkeys(database_files(self.database), "part of the results database")
        output = OutputFile(Path(path), (".csv",), force, keep)
        with (
            self._connection() as connection,
            output.whole() as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            columns, rows = _read(connection, run, countries, scenarios, labels)
            return write_csv(rows, file, columns, raw=raw)

    def trend_chart(
        self,
        label: str,
        countries: Names = None,
        scenarios: Names = None,
        *,
        run: str | int = "latest",
    ) -> altair.Chart:
        """Lines over the years, one for each country and scenario, coloured by scenario."""
        alt = library("altair", "charts")
        with self._connection() as connection:
            _, rows = _read(connection, run, countries, scenarios, label)
            return draw_trend(alt, label, rows)

    def comparison_chart(
        self,
        a: str,
        b: str,
        label: str,
        countries: Names = None,
        by: str = "country",
        *,
        run: str | int = "latest",
        measure: Measure = "difference",
        until_year: int | None = None,
        discount_rate: float | str = 0.0,
        base_year: int | None = None,
    ) -> altair.Chart:
        """Scenario b against scenario a: a bar for each country or group, a line over the years.

        The line below the title says what the numbers depend on; parameters as compare_scenarios().
        """
        alt = library("altair", "charts")
        sums = sums_of(until_year, discount_rate, base_year)
        with self._connection() as connection:
            found = compare_labels(connection, str(run), a, b, label, countries, [by], sums)
        return draw_comparison(alt, f"{label}: {b} against {a}", found, measure)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(open_for_reading(self.database)) as connection:
            connection.execute("BEGIN")  # an answer is of one moment, whatever is written meanwhile
            yield connection


def _read(
    connection: sqlite3.Connection,
    run: str | int,
    countries: Names,
    scenarios: Names,
    labels: Names,
) -> tuple[Sequence[str], Iterator[ResultRow | MixedRow]]:
    """The columns and the rows of what is chosen; warns where inputs are mixed."""
    names = NameChoice(patterns(countries), patterns(scenarios), patterns(labels))
    chosen = choose_results(connection, resolve_run(connection, str(run)), names)
    if chosen.is_mixed:
        found = read_consistency(connection, chosen.run.run_id, *chosen.names)
        warnings.warn(found.warning, stacklevel=3)
    return chosen.columns, read_rows(connection, chosen)
