"""ResultsQuery: the results as tidy pandas frames and Altair charts, for notebooks.

pandas and Altair are imported by the methods that need them; a ConfigError says how to install
them where they are missing.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

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
from ingest.errors import ConfigError
from ingest.exchange.export import write_csv
from ingest.exchange.whole_file import OutputFile
from ingest.questions.caption import read_run_facts
from ingest.questions.catalogue import load_canned_queries
from ingest.questions.compare import COUNTRY, YEAR, CompareRequest, compare_scenarios
from ingest.questions.compare_rows import VALUE_COLUMNS
from ingest.questions.discount import Bare, parse_rate
from ingest.questions.indicators import (
    IndicatorQuestion,
    ask_indicators,
    tidy_columns,
    tidy_rows,
)
from ingest.study.combination import select_names
from ingest.text.installation import not_installed

if TYPE_CHECKING:
    import altair
    import pandas

Names = str | Sequence[str] | None
"""None for all, one text, or several; comma lists and globs are understood."""

_ADDED = ("over_years", "over_countries")
_TYPES = {
    **dict.fromkeys(("run_id", "timestamp_year", "changed_years", "attempts"), "int64"),
    **dict.fromkeys(("value", *VALUE_COLUMNS, "duration_s", "before", "after"), "float64"),
    **dict.fromkeys(("absolute", "relative", "before_sum", "after_sum"), "float64"),
    **dict.fromkeys(("countries", "of_countries"), "int64"),
    **dict.fromkeys(("largest_year", "until_year", "first_year", "last_year"), "Int64"),
}
"""The dtypes of columns that do not hold texts."""


def _types(*columns: str) -> dict[str, str]:
    return {column: _TYPES.get(column, "string") for column in columns}


_STATE_TYPES = _types("country", "scenario", "element_label", "timestamp_year", "value")
_FAILED_TYPES = _types(
    "run_id", "country", "scenario", "ulid", "job_status", "error_kind", "error", "attempts",
    "duration_s", "completed_at", "reason",
)  # fmt: skip
_DIFF_TYPES = _types(
    "country", "scenario", "element_label", "kind", "changed_years", "largest_year", "before",
    "after", "absolute", "relative", "before_sum", "after_sum", "cause",
)  # fmt: skip


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
        pd = _library("pandas", "frames")
        with self._connection() as connection:
            run_id = resolve_run(connection, str(run or "latest")).run_id
            jobs = read_jobs(connection, run_id, only_failed=True)
        rows = [[{"run_id": run_id, **job}[name] for name in _FAILED_TYPES] for job in jobs]
        return _frame(pd, rows, _FAILED_TYPES)

    def state(
        self,
        run: str | int = "latest",
        *,
        countries: Names = None,
        scenarios: Names = None,
        labels: Names = None,
    ) -> pandas.DataFrame:
        """The state as of a run: one row a number, sorted by the columns in their order.

        Warns where the results are of several models.
        """
        pd = _library("pandas", "frames")
        with self._rows(run, countries, scenarios, labels) as (_, rows):
            return _frame(pd, (row[:5] for row in rows), _STATE_TYPES)

    def get_metric_trends(
        self,
        label: str,
        countries: Names = None,
        scenarios: Names = None,
        *,
        run: str | int = "latest",
    ) -> pandas.DataFrame:
        """One label's values over the years, for each country and scenario; columns as state()."""
        return self.state(run, countries=countries, scenarios=scenarios, labels=label)

    def compare_scenarios(
        self,
        a: str,
        b: str,
        label: Names = None,
        countries: Names = None,
        by: str | Sequence[str] = "country",
        *,
        run: str | int = "latest",
        until_year: int | None = None,
        discount_rate: float | str = 0.0,
        base_year: int | None = None,
    ) -> pandas.DataFrame:
        """Scenario b against scenario a: sums over what both have, difference and percent.

        by: "country", "year", a group in the `countries` table ("region", "income_group", ...), or
        several of them, e.g. ["region", "year"]. One row for each and for each label.
        Only countries, labels and years that both scenarios have are summed. difference is b - a;
        percent is of |a|, missing where a is 0. A country without a group is in the group (none).
        over_years and over_countries say how each label was added up: sum, last (the last year),
        mean, weighted:OTHER LABEL; missing where nothing was. A label that does not add up as it
        would have to is an error where it is asked for, and has no values among all labels.
        until_year: the last year to sum. discount_rate: a year, 0.03 or "3%"; base_year: discounted
        to it, the first year where None. The frame's `attrs` say what the numbers depend on:
        run_id, git_commit, discount_rate, and by label `captions`, `years` (first and last) and
        `horizon_notes`, where the years are not the same in all countries and scenarios.
        """
        pd = _library("pandas", "frames")
        keys = [by] if isinstance(by, str) else list(by)
        sums = _sums(until_year, discount_rate, base_year)
        with self._connection() as connection:
            found = _compare(connection, str(run), (a, b), label, countries, keys, sums)
        groups = {name: "int64" if name == "timestamp_year" else "string" for name in found.keys}
        values = ("element_label", *VALUE_COLUMNS, *_ADDED)
        frame = _frame(pd, found.rows, groups | _types(*values))
        frame.attrs.update(found.attrs)
        return frame

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
    ) -> pandas.DataFrame:
        """The study's indicators: one row for each of them, horizon, group and scenario.

        by: "country", "total", a group in the `countries` table, or several of them. until: last
        years in place of the indicators' own. The definitions are those that the newest
        `ingest run` found in ingest.toml. value is missing where note says why; `countries` of
        `of_countries` are in it. The frame's `attrs` have run_id, git_commit, baseline and notes.
        """
        pd = _library("pandas", "frames")
        with self._connection() as connection:
            question = IndicatorQuestion(
                run_id=resolve_run(connection, str(run)).run_id,
                names=_patterns(names),
                baseline=baseline,
                scenarios=_patterns(scenarios),
                countries=_patterns(countries),
                by=[by] if isinstance(by, str) else list(by),
                until=[until] if isinstance(until, int) else list(until),
            )
            answer = ask_indicators(connection, read_definitions(connection, None), question)
            facts = read_run_facts(connection, question.run_id)
        if answer.consistency.is_mixed:
            warnings.warn(answer.consistency.warning, stacklevel=2)
        frame = _frame(pd, tidy_rows(answer), _types(*tidy_columns(answer)))
        frame.attrs.update(
            run_id=question.run_id,
            git_commit=facts.git_commit if facts else "",
            baseline=answer.request.baseline,
            notes=list(answer.notes),
        )
        return frame

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
        pd = _library("pandas", "frames")
        with self._connection() as connection:
            moved = diff_states(
                connection,
                resolve_run(connection, str(before)),
                resolve_run(connection, str(after)),
                tolerances,
                countries=_choose(connection, countries, "country"),
                scenarios=_choose(connection, scenarios, "scenario"),
                labels=choose_labels(connection, _patterns(labels)) if labels else (),
            )
        causes = {tuple(combination): cause.text for combination, cause in moved.changed.items()}
        rows = [
            [*(getattr(series, name) for name in list(_DIFF_TYPES)[:-1]), causes.get(key)]
            for series in moved.series
            for key in [(series.country, series.scenario)]
        ]
        return _frame(pd, rows, _DIFF_TYPES)

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
            self._rows(run, countries, scenarios, labels) as (columns, rows),
            output.whole() as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
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
        alt = _library("altair", "charts")
        with self._rows(run, countries, scenarios, label) as (_, rows):
            values = [dict(zip(_STATE_TYPES, row, strict=False)) for row in rows]
        data = alt.InlineData(values=values)
        chart: altair.Chart = alt.Chart(data, title=label, mark={"type": "line"}).encode(
            x=_year_axis(alt),
            y=alt.Y("value:Q", title=label, scale=alt.Scale(zero=False)),
            color=alt.Color("scenario:N", title="Scenario"),
            detail="country:N",
            tooltip=["country:N", "scenario:N", "timestamp_year:Q", "value:Q"],
        )
        return chart

    def comparison_chart(
        self,
        a: str,
        b: str,
        label: str,
        countries: Names = None,
        by: str = "country",
        *,
        run: str | int = "latest",
        measure: Literal["difference", "percent"] = "difference",
        until_year: int | None = None,
        discount_rate: float | str = 0.0,
        base_year: int | None = None,
    ) -> altair.Chart:
        """Scenario b against scenario a: a bar for each country or group, a line over the years.

        The line below the title says what the numbers depend on; parameters as compare_scenarios().
        """
        alt = _library("altair", "charts")
        sums = _sums(until_year, discount_rate, base_year)
        with self._connection() as connection:
            found = _compare(connection, str(run), (a, b), label, countries, [by], sums)
        rows, (key,) = found.rows, found.keys
        position = VALUE_COLUMNS.index(measure) - len(VALUE_COLUMNS) - len(_ADDED)
        values = [
            {key: row[0], measure: row[position]} for row in rows if row[position] is not None
        ]
        title = "Difference" if measure == "difference" else "Difference in %"
        if by == YEAR:
            mark, x, y = "line", _year_axis(alt), alt.Y(f"{measure}:Q", title=title)
        else:
            mark, x = "bar", alt.X(f"{measure}:Q", title=title)
            y = alt.Y(f"{key}:N", sort="-x", title=None)
        tooltip = [f"{key}:{'Q' if by == YEAR else 'N'}", f"{measure}:Q"]
        data = alt.InlineData(values=values)
        below = list(found.attrs["captions"].values())
        head = alt.TitleParams(f"{label}: {b} against {a}", subtitle=below, anchor="start")
        chart = alt.Chart(data, title=head, mark={"type": mark})
        drawn: altair.Chart = chart.encode(x=x, y=y, tooltip=tooltip)
        return drawn

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(open_for_reading(self.database)) as connection:
            connection.execute("BEGIN")  # an answer is of one moment, whatever is written meanwhile
            yield connection

    @contextmanager
    def _rows(
        self, run: str | int, countries: Names, scenarios: Names, labels: Names
    ) -> Iterator[tuple[Sequence[str], Iterator[ResultRow | MixedRow]]]:
        """The columns and the rows of what is chosen; warns where inputs are mixed."""
        with self._connection() as connection:
            names = NameChoice(_patterns(countries), _patterns(scenarios), _patterns(labels))
            chosen = choose_results(connection, resolve_run(connection, str(run)), names)
            if chosen.is_mixed:
                found = read_consistency(connection, chosen.run.run_id, *chosen.names)
                warnings.warn(found.warning, stacklevel=4)
            yield chosen.columns, read_rows(connection, chosen)


def _year_axis(alt: Any) -> Any:
    return alt.X("timestamp_year:Q", title="Year", axis=alt.Axis(format="d"))


class _Sums(NamedTuple):
    """How to sum: the fields of a CompareRequest."""

    until_year: int | None
    discount_rate: float
    base_year: int | None


def _sums(until_year: int | None, discount_rate: float | str, base_year: int | None) -> _Sums:
    rate = parse_rate(discount_rate, "discount_rate", Bare.FRACTION)
    return _Sums(until_year, rate, base_year)


class _Compared(NamedTuple):
    """The rows of compare_scenarios(), the names of its key columns, and the frame's attrs."""

    rows: list[tuple[Any, ...]]
    keys: list[str]
    attrs: dict[str, Any]


def _compare(
    connection: sqlite3.Connection,
    run: str,
    scenarios: tuple[str, str],
    label: Names,
    countries: Names,
    by: Sequence[str],
    sums: _Sums,
) -> _Compared:
    """The comparison of each label, one after the other."""
    request = CompareRequest(
        baseline=scenarios[0],
        scenario=scenarios[1],
        label="",
        run_id=resolve_run(connection, run).run_id,
        by=tuple(by) or (COUNTRY,),
        countries=tuple(_choose(connection, countries, "country")),
        **sums._asdict(),
    )
    facts = read_run_facts(connection, request.run_id)
    assert facts is not None, "it was found by its name"
    attrs: dict[str, Any] = {
        "run_id": facts.run_id, "git_commit": facts.git_commit,
        "discount_rate": request.discount_rate, "captions": {}, "years": {}, "horizon_notes": {},
    }  # fmt: skip
    queries = load_canned_queries()
    names = ["timestamp_year" if name == YEAR else name for name in request.by]
    rows = []
    for element_label in choose_labels(connection, _patterns(label)):
        own = replace(request, label=element_label)
        comparison = compare_scenarios(connection, queries, own, strict=label is not None)
        how = (
            None if YEAR in request.by else comparison.label.over_years,
            None if COUNTRY in request.by else comparison.label.over_countries,
        )
        if comparison.consistency.is_mixed:
            warnings.warn(comparison.consistency.warning, stacklevel=4)
        horizon = comparison.horizon
        attrs["captions"][element_label] = " · ".join([*comparison.conditions.parts, facts.words])
        attrs["years"][element_label] = list(horizon.years or ())
        attrs["horizon_notes"][element_label] = list(horizon.notes)
        keys = [comparison.columns.index(name) for name in names]
        for row in comparison.rows:
            values = row[-len(VALUE_COLUMNS) :]
            rows.append((*(row[key] for key in keys), element_label, *values, *how))
    return _Compared(rows, names, attrs)


def _choose(connection: sqlite3.Connection, names: Names, column: str) -> list[str]:
    """The chosen countries or scenarios; an empty list means all."""
    if not names:
        return []
    rows = connection.execute(f"SELECT DISTINCT {column} FROM job_results ORDER BY 1")
    return select_names(_patterns(names), [name for (name,) in rows], column)


def _patterns(names: Names) -> Sequence[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _frame(pd: Any, rows: Iterable[Sequence[Any]], types: dict[str, str]) -> pandas.DataFrame:
    """A frame with these columns and dtypes, also where there is no row.

    Texts are pandas' nullable "string": a country NAM and a scenario null stay what they are.
    """
    columns = list(zip(*rows, strict=True)) or [()] * len(types)
    frame: pandas.DataFrame = pd.DataFrame(
        {
            name: pd.Series(values, dtype=kind)
            for (name, kind), values in zip(types.items(), columns, strict=True)
        }
    )
    return frame


def _library(name: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError as exc:
        raise ConfigError(not_installed(name, extra)) from exc
