"""The results that indicators are of: the newest successes as of a run, and their labels."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ingest.database.indicator_levels import Span, read_spans
from ingest.database.labels import read_labels_of_results
from ingest.errors import ConfigError
from ingest.study.indicators import Indicator, horizons
from ingest.study.label import Label
from ingest.study.scenario_order import order_scenarios
from ingest.text.suggest import did_you_mean_or_list

COUNTRY = "country"
Spans = tuple[Span | None, ...]
"""The years of each of some labels, None where there are no numbers of it."""


class Kinds(NamedTuple):
    """The different spans that result sets have, and which of these each result set has."""

    kinds: tuple[Spans, ...]
    of: Mapping[int, int]


@dataclass(frozen=True)
class IndicatorRequest:
    """What to give: indicators of scenarios against a baseline in the state as of a run.

    scenarios, countries: all of the study where empty. by: "country", or columns of the countries
    nested from left to right, or "total". until: in place of the indicators' own horizons.
    """

    run_id: int
    baseline: str
    scenarios: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    by: tuple[str, ...] = (COUNTRY,)
    until: tuple[int, ...] = ()
    consistent: bool = False
    """Only results of the inputs that the study had at the run."""
    is_pair: bool = False
    """Of every number only the countries and years that the baseline and the last scenario have."""


class Part(NamedTuple):
    """What one country adds under a scenario; value is None where note says why it has none."""

    value: float | None = None
    per: float | None = None
    years: Span | None = None
    note: str = ""


@dataclass
class State:
    """The results that count, and what was read of them so far."""

    connection: sqlite3.Connection
    request: IndicatorRequest
    known: Mapping[str, Indicator]
    labels: Mapping[str, Label]
    countries: tuple[str, ...]
    scenarios: tuple[str, ...]
    sets: Mapping[tuple[str, str], int]
    elements: Mapping[str, int]
    first_year: int
    """Of all these results; to it is discounted where nothing is said."""
    parts: dict[tuple[str, int | None], dict[tuple[str, str], Part]] = field(default_factory=dict)
    known_spans: dict[tuple[int, ...], Kinds] = field(default_factory=dict)

    def is_like(self, other: State) -> bool:
        """Whether the numbers read of another state are those of this one."""
        return (self.sets, self.labels, self.known) == (other.sets, other.labels, other.known)

    def spans(self, elements: tuple[int, ...]) -> Kinds:
        """The years that the result sets have of labels, read once."""
        found = self.known_spans.get(elements)
        if found is None:
            found = self.known_spans[elements] = self._read_spans(elements)
        return found

    def _read_spans(self, elements: tuple[int, ...]) -> Kinds:
        sets = sorted(set(self.sets.values()))
        columns = [read_spans(self.connection, sets, element) for element in elements]
        kinds: dict[Spans, int] = {}
        of = {
            one: kinds.setdefault(tuple(column.get(one) for column in columns), len(kinds))
            for one in sets
        }
        return Kinds(tuple(kinds), of)


RememberedStates = MutableMapping[IndicatorRequest, State]
"""States that were read before, with all that was read of them; good until the data change."""

_MOST_STATES, _MOST_PARTS = 16, 24
"""Of 172 countries x 8 scenarios, a part takes 0.25 MB."""

_NEWEST = """
WITH current AS MATERIALIZED (SELECT input_set_id FROM current_inputs WHERE run_id = ?1)
SELECT c.value, s.value,
       (SELECT CASE WHEN NOT ?4 OR input_set_id IN current THEN result_set_id END
          FROM job_results AS job
         WHERE job.country = c.value AND job.scenario = s.value AND job.job_status = 'success'
           AND job.run_id <= ?1
         ORDER BY job.run_id DESC LIMIT 1) AS result_set_id
  FROM json_each(?2) AS c CROSS JOIN json_each(?3) AS s
 WHERE result_set_id IS NOT NULL
"""
"""The newest success of each combination, as the comparison of scenarios takes it."""


def read_state(
    connection: sqlite3.Connection,
    indicators: Sequence[Indicator],
    request: IndicatorRequest,
    remembered: RememberedStates | None = None,
) -> State:
    """The results that a request is about. Raises ConfigError: a name without results.

    remembered: where numbers of this state are looked for, and kept for the next time. What is
    there may be of another moment, so that it counts only where the results are still the same.
    """
    state = _read_state(connection, indicators, request)
    if remembered is None:
        return state
    key = replace(request, by=(), until=())
    known = remembered.get(key)
    if known is not None and len(known.parts) <= _MOST_PARTS and known.is_like(state):
        return replace(state, parts=known.parts, known_spans=known.known_spans)
    if len(remembered) >= _MOST_STATES:
        remembered.clear()
    remembered[key] = state
    return state


def _read_state(
    connection: sqlite3.Connection, indicators: Sequence[Indicator], request: IndicatorRequest
) -> State:
    run = [request.run_id]
    known: list[list[str]] = [
        sorted({name for (name,) in connection.execute(query, run)})
        for query in (
            "SELECT country FROM study_countries WHERE run_id = ?",
            "SELECT scenario FROM study_scenarios WHERE run_id = ?",
        )
    ]
    countries = tuple(request.countries or known[0])
    scenarios = tuple(request.scenarios or order_scenarios(known[1]))
    asked = list(dict.fromkeys((request.baseline, *scenarios)))
    values = [request.run_id, json.dumps(countries), json.dumps(asked), request.consistent]
    rows = connection.execute(_NEWEST, values)
    sets = {(country, scenario): set_id for country, scenario, set_id in rows}
    _check_names(connection, request, sets)
    labels = {one.element_label: one for one in read_labels_of_results(connection, request.run_id)}
    return State(
        connection,
        request,
        {indicator.name: indicator for indicator in indicators},
        labels,
        countries,
        scenarios,
        sets,
        dict(connection.execute("SELECT element_label, element_id FROM elements").fetchall()),
        _first_year(connection, sets.values()),
    )


def _first_year(connection: sqlite3.Connection, sets: Iterable[int]) -> int:
    query = """SELECT min(first_year) FROM result_sets
                WHERE result_set_id IN (SELECT value FROM json_each(?))"""
    return int(connection.execute(query, [json.dumps([*sets])]).fetchone()[0] or 0)


def _check_names(
    connection: sqlite3.Connection,
    request: IndicatorRequest,
    sets: Mapping[tuple[str, str], int],
) -> None:
    """Raises ConfigError: a scenario or country that was named and has no results at the run."""
    named = [("scenario", name, 1) for name in (request.baseline, *request.scenarios)]
    named += [("country", name, 0) for name in request.countries]
    for what, name, place in named:
        if any(key[place] == name for key in sets):
            continue
        rows = connection.execute(
            f"""SELECT DISTINCT {what} FROM job_results
                 WHERE job_status = 'success' AND run_id <= ? ORDER BY 1""",
            [request.run_id],
        )
        known = [each for (each,) in rows]
        if name not in known:
            hint = did_you_mean_or_list(name, known)
            raise ConfigError(f"no results of {what} {name!r} as of run {request.run_id}{hint}")


def horizons_of(indicator: Indicator, state: State) -> tuple[int | None, ...]:
    """The last years that are asked for, else the indicator's own; None for all years."""
    return state.request.until or horizons(indicator, state.known) or (None,)
