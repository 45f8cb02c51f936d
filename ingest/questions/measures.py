"""What counts as cost or effect: a label or an indicator, read year by year from a state."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ingest.errors import ConfigError
from ingest.study.indicators import Indicator, label_problems, unit_of
from ingest.study.label import Label
from ingest.text.suggest import did_you_mean_or_list

Combination = tuple[str, str]
"""Country and scenario."""

Series = Mapping[Combination, Mapping[int, float]]
"""The values of a measure by country and scenario, and by year."""


Levels = Mapping[int, Mapping[int, float]]
"""The values of a label by result set, and by year."""


@dataclass(frozen=True)
class Measure:
    """A sum of labels, each with how often it counts; unit is of a sum over years.

    gain: 1 where more of it is better, -1 where less is, 0 where nobody says.
    """

    name: str
    labels: Mapping[str, int]
    unit: str = ""
    gain: int = 0
    scale: float = 1.0

    @property
    def verb(self) -> str:
        """What is done with one unit that is better: gained, averted."""
        return "averted" if self.gain < 0 else "gained"

    @property
    def gained(self) -> str:
        """What a gain of it is called: Healthy Years Lived gained, DALYs averted."""
        return self.name if self.name.endswith(self.verb) else f"{self.name} {self.verb}"


_GAINS = {"higher": 1, "lower": -1, "gained": 1, "averted": -1}


def find_measure(
    name: str, labels: Mapping[str, Label], indicators: Mapping[str, Indicator], where: str
) -> Measure:
    """The measure that a setting names: a sum over years and countries.

    Of an indicator, its labels, scale and sense count; years, rates and the baseline are those of
    [economics]. where: the setting, for messages. Raises ConfigError: nothing is called so, or it
    is no sum.
    """
    indicator = indicators.get(name)
    if indicator is None and name in labels:
        indicator = Indicator(name, labels=(name,))
    if indicator is None:
        hint = did_you_mean_or_list(name, sorted([*labels, *indicators]))
        raise ConfigError(f"{where}: no label or indicator {name!r}{hint}")
    if indicator.ratio or indicator.per or indicator.aggregate != "sum":
        raise ConfigError(f"{where}: indicator {name!r} is no sum of labels over years")
    try:
        problems = label_problems(indicator, labels)
        counts = indicator.select(sorted(labels))
    except ConfigError as exc:
        raise ConfigError(f"{where}: {exc}") from exc
    problems += [
        f"{label!r} ({labels[label].kind}) does not add up over countries"
        for label in counts
        if labels[label].over_countries != "sum"
    ]
    if problems:
        raise ConfigError(f"{where}: {'; '.join(problems)}")
    unit = unit_of(indicator, labels, indicators)
    return Measure(name, counts, unit, _gain(indicator, counts, labels), indicator.scale)


def _gain(indicator: Indicator, counts: Mapping[str, int], labels: Mapping[str, Label]) -> int:
    """As the indicator says it, else as all of its labels do."""
    if indicator.sense in _GAINS:
        return _GAINS[indicator.sense]
    found = {
        _GAINS.get(labels[label].better, 0) * (1 if count > 0 else -1)
        for label, count in counts.items()
    }
    return found.pop() if len(found) == 1 else 0


def read_series(
    connection: sqlite3.Connection,
    sets: Mapping[Combination, int],
    measures: Iterable[Measure],
    known: dict[str, Levels],
) -> dict[str, Series]:
    """The values of each measure, by its name; a year that lacks one of its labels is left out.

    sets: the result set of each combination. known: values by label that were read before; those of
    other result sets are added.
    """
    chosen = {measure.name: measure for measure in measures}
    labels = {label for measure in chosen.values() for label in measure.labels}
    levels = {label: _levels(connection, sets.values(), label, known) for label in labels}
    return {
        name: {
            combination: _sum(
                measure, {label: levels[label][result_set] for label in measure.labels}
            )
            for combination, result_set in sets.items()
        }
        for name, measure in chosen.items()
    }


def _levels(
    connection: sqlite3.Connection, sets: Iterable[int], label: str, known: dict[str, Levels]
) -> Levels:
    """The values of a label, those that are not known yet read and kept."""
    levels = known.get(label, {})
    if lacking := set(sets) - levels.keys():
        levels = known[label] = {**levels, **_read_label(connection, lacking, label)}
    return levels


def _read_label(connection: sqlite3.Connection, sets: Collection[int], label: str) -> Levels:
    """The values of a label in result sets by year, read at the key of metric_values."""
    rows = connection.execute(
        """SELECT result_set_id, timestamp_year, m.value FROM metric_values AS m
            WHERE result_set_id IN (SELECT value FROM json_each(?1))
              AND element_id = (SELECT element_id FROM elements WHERE element_label = ?2)""",
        [json.dumps([*sets]), label],
    )
    found: dict[int, dict[int, float]] = {result_set: {} for result_set in sets}
    for result_set, year, value in rows:
        found[result_set][year] = value
    return found


def _sum(measure: Measure, values: Mapping[str, Mapping[int, float]]) -> Mapping[int, float]:
    """The sum of each year that all labels have."""
    counts = measure.labels
    if measure.scale == 1 and [*counts.values()] == [1]:
        (only,) = values.values()
        return only
    years = set.intersection(*(set(of_label) for of_label in values.values()))
    return {
        year: measure.scale * sum(count * values[label][year] for label, count in counts.items())
        for year in sorted(years)
    }
