"""What moved between two states: which series, by how much, and because of which input."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from ingest.changes.causes import CAME, WENT, CauseFinder, CountryDataPair
from ingest.database.labels import summed_elements
from ingest.database.states import RunRef, make_state_table
from ingest.planning.causes import Cause
from ingest.study.combination import Combination
from ingest.study.settings import Settings, StudySettings, ToleranceSettings
from ingest.text.numbers import count_text, finite, years_text


@dataclass(frozen=True)
class Tolerances:
    """A change is |b - a| > atol + rtol * |a|; labels have tolerances of their own where set."""

    default: ToleranceSettings = field(default_factory=ToleranceSettings)
    labels: Mapping[str, ToleranceSettings] = field(default_factory=dict)
    indicators: Mapping[str, ToleranceSettings] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Tolerances:
        """The tolerances of a study."""
        return cls(settings.tolerance, settings.tolerance_labels, settings.tolerance_indicators)

    @property
    def rule(self) -> str:
        """The rule in words, as every output states it."""
        rule = f"|b-a| > {self.default.atol:g} + {self.default.rtol:g}·|a|"
        own = count_text(len(self.labels), "label has its|labels have their")
        return f"{rule}; {own} own" if self.labels else rule


class SeriesChange(NamedTuple):
    """One series (a label of a combination) that moved.

    kind: changed, added (not there before) or removed. changed_years: years beyond the tolerance.
    largest_year with before and after: where |after - before| is largest. relative: (after -
    before) / |before|, None where before is 0 or missing. sums are over the years that both states
    have, None for a label that is not summed over years. years_added, years_removed: those that
    only one state has of a series in both, as 2036-2050; else empty.
    """

    country: str
    scenario: str
    element_label: str
    kind: str
    changed_years: int
    largest_year: int | None
    before: float | None
    after: float | None
    before_sum: float | None
    after_sum: float | None
    years_added: str = ""
    years_removed: str = ""

    @property
    def absolute(self) -> float | None:
        """after - before in the largest year, in the label's own unit."""
        if self.before is None or self.after is None:
            return None
        return finite(self.after - self.before)

    @property
    def other_years(self) -> str:
        """2036-2050 removed: the years that only one state has; empty where there are none."""
        kinds = (("added", self.years_added), ("removed", self.years_removed))
        return ", ".join(f"{years} {word}" for word, years in kinds if years)

    @property
    def has_common_change(self) -> bool:
        """Whether it moved in a year that both states have."""
        return self.before is not None and self.after is not None

    @property
    def relative(self) -> float | None:
        """The change in the largest year as a share of before; None where that is 0."""
        if self.after is None or not self.before:
            return None
        change = (self.after - self.before) / abs(self.before)
        if math.isinf(change):  # the difference may be too large for a number, and not the share
            return finite(self.after / abs(self.before) - math.copysign(1, self.before))
        return change


@dataclass(frozen=True)
class StateDiff:
    """Two states side by side. series are sorted by |relative| change, the largest first.

    changed: combinations with other numbers beyond the tolerance, with the cause. within: other
    bits, but within the tolerance. added, removed: combinations in only one state.
    """

    before: RunRef
    after: RunRef
    rule: str
    series: tuple[SeriesChange, ...]
    changed: Mapping[Combination, Cause]
    within: tuple[Combination, ...]
    equal: int
    added: tuple[Combination, ...]
    removed: tuple[Combination, ...]
    added_numbers: int = 0
    """How many numbers the added combinations have."""
    removed_numbers: int = 0

    @property
    def has_changes(self) -> bool:
        """Whether anything moved, came or went."""
        return bool(self.changed or self.added or self.removed)

    @property
    def all_causes(self) -> dict[Combination, Cause]:
        """Why each combination changed, came or went."""
        came, went = dict.fromkeys(self.added, CAME), dict.fromkeys(self.removed, WENT)
        return {**self.changed, **came, **went}

    @cached_property
    def by_cause(self) -> list[tuple[Cause, list[Combination]]]:
        """Each cause with the changed combinations that have it, the largest group first.

        Scenarios that changed in the same way are one group.
        """
        groups: dict[str, tuple[Cause, list[Combination]]] = {}
        for combination, cause in self.changed.items():
            groups.setdefault(cause.key, (cause, []))[1].append(combination)
        return sorted(groups.values(), key=lambda group: -len(group[1]))


def diff_states(
    connection: sqlite3.Connection,
    before: RunRef,
    after: RunRef,
    tolerances: Tolerances = Tolerances(),
    *,
    countries: Sequence[str] = (),
    scenarios: Sequence[str] = (),
    labels: Sequence[str] = (),
    ignore: Iterable[str] = StudySettings.ignore,
) -> StateDiff:
    """The difference between the states as of two runs, of the chosen names (all where empty).

    ignore: what is no input in a model document, as in study.ignore, for the causes.
    Result sets with equal digests are not looked into.
    """
    _make_states(connection, before, after, countries, scenarios)
    pairs = _make_pairs(connection)
    summed = summed_elements(connection, after.run_id)
    series = _changed_series(connection, tolerances, labels, summed)
    moved = {s[:2] for s in series}
    finder = CauseFinder(connection, ignore)
    changed = {
        combination: finder.cause(*inputs)
        for combination, inputs in pairs.items()
        if combination in moved
    }
    added, added_numbers = _only_in(connection, "state_after", "state_before")
    removed, removed_numbers = _only_in(connection, "state_before", "state_after")
    return StateDiff(
        before=before,
        after=after,
        rule=tolerances.rule,
        series=tuple(sorted(series, key=_largest_first)),
        changed=changed,
        within=tuple(combination for combination in pairs if combination not in moved),
        equal=_count_equal(connection),
        added=added,
        removed=removed,
        added_numbers=added_numbers,
        removed_numbers=removed_numbers,
    )


def changed_causes(
    connection: sqlite3.Connection,
    before: RunRef,
    after: RunRef,
    countries: Sequence[str] = (),
    ignore: Iterable[str] = StudySettings.ignore,
) -> dict[Combination, Cause]:
    """Why each combination with other results changed, came or went; no tolerance is applied."""
    _make_states(connection, before, after, countries, ())
    finder = CauseFinder(connection, ignore)
    changed = {one: finder.cause(*inputs) for one, inputs in _make_pairs(connection).items()}
    came = _only_in(connection, "state_after", "state_before")[0]
    went = _only_in(connection, "state_before", "state_after")[0]
    return {**changed, **dict.fromkeys(came, CAME), **dict.fromkeys(went, WENT)}


def _make_states(
    connection: sqlite3.Connection,
    before: RunRef,
    after: RunRef,
    countries: Sequence[str],
    scenarios: Sequence[str],
) -> None:
    for table, run in (("state_before", before), ("state_after", after)):
        make_state_table(connection, table, run.run_id)
        _keep_only(connection, table, "country", countries)
        _keep_only(connection, table, "scenario", scenarios)


def _keep_only(
    connection: sqlite3.Connection, table: str, column: str, names: Sequence[str]
) -> None:
    if names:
        marks = ", ".join("?" for _ in names)
        connection.execute(f"DELETE FROM temp.{table} WHERE {column} NOT IN ({marks})", names)


def _make_pairs(
    connection: sqlite3.Connection,
) -> dict[Combination, tuple[int | None, int | None, bool, CountryDataPair | None]]:
    """The temporary table `pairs` of result sets to compare; returns what finds their causes."""
    connection.execute("DROP TABLE IF EXISTS temp.pairs")
    connection.execute(
        """CREATE TEMP TABLE pairs AS
            SELECT a.country, a.scenario, a.result_set_id AS before_set,
                   b.result_set_id AS after_set,
                   a.input_set_id AS before_inputs, b.input_set_id AS after_inputs,
                   a.run_id AS before_run, b.run_id AS after_run,
                   a.document_digest IS b.document_digest AS same_document
              FROM state_before AS a JOIN state_after AS b USING (country, scenario)
             WHERE a.result_set_id <> b.result_set_id
             ORDER BY a.country, a.scenario"""
    )
    rows = connection.execute(
        f"""SELECT country, scenario, before_inputs, after_inputs, same_document,
                  {_ROWS_OF_COUNTRY.format("before_run")}, {_ROWS_OF_COUNTRY.format("after_run")}
             FROM pairs ORDER BY pairs.rowid"""
    )
    return {
        Combination(country, scenario): (
            old_inputs,
            new_inputs,
            bool(same),
            None if old_rows == new_rows else (country, old_rows, new_rows),
        )
        for country, scenario, old_inputs, new_inputs, same, old_rows, new_rows in rows
    }


_ROWS_OF_COUNTRY = """coalesce((SELECT country_data_digest FROM job_results AS job
    WHERE job.run_id = pairs.{} AND job.country = pairs.country
      AND job.scenario = pairs.scenario), '')"""


def _count_equal(connection: sqlite3.Connection) -> int:
    row = connection.execute(
        """SELECT count(*) FROM state_before AS a JOIN state_after AS b USING (country, scenario)
            WHERE a.result_set_id = b.result_set_id"""
    ).fetchone()
    return int(row[0])


def _only_in(
    connection: sqlite3.Connection, there: str, elsewhere: str
) -> tuple[tuple[Combination, ...], int]:
    """The combinations that only one state has, and how many numbers they have."""
    rows = connection.execute(
        f"""SELECT country, scenario, coalesce(row_count, 0)
              FROM {there} LEFT JOIN result_sets USING (result_set_id)
             WHERE NOT EXISTS (SELECT 1 FROM {elsewhere} AS other
                                WHERE other.country = {there}.country
                                  AND other.scenario = {there}.scenario)
             ORDER BY 1, 2"""
    ).fetchall()
    return tuple(Combination(*row[:2]) for row in rows), sum(row[2] for row in rows)


# The years that both states have. Series within the tolerance are left out by the caller.
_COMMON_ROWS = """
SELECT p.rowid, a.element_id, count(*),
       sum(abs(b.value - a.value) > {atol} + {rtol} * abs(a.value)),
       a.timestamp_year, a.value, b.value, sum(a.value), sum(b.value),
       max(abs(b.value - a.value))
  FROM pairs AS p
 CROSS JOIN metric_values AS a ON a.result_set_id = p.before_set
 CROSS JOIN metric_values AS b ON b.result_set_id = p.after_set
        AND b.element_id = a.element_id AND b.timestamp_year = a.timestamp_year
 {where}
 GROUP BY p.rowid, a.element_id
"""

# The years of one result set that the other one lacks.
_LONE_ROWS = """
SELECT a.element_id, count(*), min(a.timestamp_year), a.value, sum(a.value),
       group_concat(a.timestamp_year),
       EXISTS (SELECT 1 FROM metric_values AS c
                WHERE c.result_set_id = :other AND c.element_id = a.element_id)
  FROM metric_values AS a
 WHERE a.result_set_id = :this {and_chosen}
   AND NOT EXISTS (SELECT 1 FROM metric_values AS b
                    WHERE b.result_set_id = :other AND b.element_id = a.element_id
                      AND b.timestamp_year = a.timestamp_year)
 GROUP BY a.element_id
"""


class _Pair(NamedTuple):
    country: str
    scenario: str
    before_set: int
    after_set: int
    before_rows: int
    after_rows: int


def _changed_series(
    connection: sqlite3.Connection,
    tolerances: Tolerances,
    labels: Sequence[str],
    summed: Set[int],
) -> list[SeriesChange]:
    """Every series with a value beyond the tolerance, or with years that came or went."""
    names = dict(connection.execute("SELECT element_id, element_label FROM elements"))
    chosen = _chosen_elements(names, labels)
    bound: dict[str, float] = {}
    query = _COMMON_ROWS.format(
        rtol=_by_element("rtol", tolerances, names, bound),
        atol=_by_element("atol", tolerances, names, bound),
        where=f"WHERE {chosen}" if chosen else "",
    )
    pairs = _read_pairs(connection)
    common = dict.fromkeys(pairs, 0)
    series: list[SeriesChange] = []
    for pair, element, rows, beyond, year, a, b, sum_a, sum_b, _ in connection.execute(
        query, bound
    ):
        common[pair] += rows
        if beyond:
            country, scenario, *_ = pairs[pair]
            label, is_summed = names[element], element in summed
            sums = (finite(sum_a), finite(sum_b)) if is_summed else (None, None)
            series.append(
                SeriesChange(country, scenario, label, "changed", beyond, year, a, b, *sums)
            )
    # with labels chosen, the row counts of whole result sets are too large, never too small
    lone = [key for key, p in pairs.items() if common[key] < max(p.before_rows, p.after_rows)]
    if not lone:
        return series
    by_name = {change[:3]: change for change in series}
    lone_rows = _LONE_ROWS.format(and_chosen=f"AND {chosen}" if chosen else "")
    for pair in (pairs[key] for key in lone):
        for kind, this, other in (
            ("removed", pair.before_set, pair.after_set),
            ("added", pair.after_set, pair.before_set),
        ):
            found = connection.execute(lone_rows, {"this": this, "other": other})
            _add_lone_rows(by_name, pair, found, names, summed, kind)
    return list(by_name.values())


def _read_pairs(connection: sqlite3.Connection) -> dict[int, _Pair]:
    rows = connection.execute(
        """SELECT p.rowid, p.country, p.scenario, p.before_set, p.after_set,
                  a.row_count, b.row_count
             FROM pairs AS p
             JOIN result_sets AS a ON a.result_set_id = p.before_set
             JOIN result_sets AS b ON b.result_set_id = p.after_set
            ORDER BY p.rowid"""
    )
    return {row[0]: _Pair(*row[1:]) for row in rows}


def _add_lone_rows(
    series: dict[tuple[str, str, str], SeriesChange],
    pair: _Pair,
    rows: Iterable[tuple[int, int, int, float, float | None, str, int]],
    names: Mapping[int, str],
    summed: Set[int],
    kind: str,
) -> None:
    """Count years that only one state has; a series in only one was added or removed."""
    for element, number, year, value, total, years, is_in_both in rows:
        key = (pair.country, pair.scenario, names[element])
        known = series.get(key)
        if known is None:
            total = finite(total) if element in summed and total is not None else None
            ends = (value, None, total, None) if kind == "removed" else (None, value, None, total)
            what = "changed" if is_in_both else kind
            known = SeriesChange(*key, what, number, year, *ends)
        else:
            known = known._replace(changed_years=known.changed_years + number)
        if is_in_both:
            spans = years_text(map(int, years.split(",")))
            known = (
                known._replace(years_removed=spans)
                if kind == "removed"
                else known._replace(years_added=spans)
            )
        series[key] = known


def _chosen_elements(names: Mapping[int, str], labels: Sequence[str]) -> str:
    """An SQL condition that holds for the chosen labels; empty where all are."""
    if not labels:
        return ""
    ids = ", ".join(str(element) for element, name in names.items() if name in set(labels))
    return f"a.element_id IN ({ids})"


def _by_element(
    name: str, tolerances: Tolerances, names: Mapping[int, str], bound: dict[str, float]
) -> str:
    """A tolerance as an SQL expression: a number, or one by element where labels have their own.

    The numbers are added to bound, by the names of the expression's parameters.
    """
    own = [key for key, label in names.items() if label in tolerances.labels]
    bound[name] = float(getattr(tolerances.default, name))
    bound |= {f"{name}_{key}": getattr(tolerances.labels[names[key]], name) for key in own}
    if not own:
        return f":{name}"
    cases = " ".join(f"WHEN {key} THEN :{name}_{key}" for key in own)
    return f"CASE a.element_id {cases} ELSE :{name} END"


def _largest_first(series: SeriesChange) -> float:
    """Sorts what came or went first, then by size; ties stay in the order of the pairs."""
    if series.kind != "changed":
        return -math.inf
    before, after = series.before, series.after  # its `relative`, without two calls for each
    if not before or after is None:
        return 1.0
    return -abs((after - before) / before)
