"""What counts as cost or effect: signed sums of labels, read year by year from a state."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingest.database.choice import ExportJob
from ingest.database.labels import read_label
from ingest.errors import ConfigError
from ingest.text.suggest import did_you_mean_or_list

Combination = tuple[str, str]
"""Country and scenario."""

Series = Mapping[Combination, Mapping[int, float]]
"""The values of a measure by country and scenario, and by year."""


@dataclass(frozen=True)
class Measure:
    """A sum of labels, each with its sign; unit is of a sum over years.

    gain: 1 where more of it is better, -1 where less is, 0 where nobody says.
    """

    name: str
    labels: tuple[tuple[str, int], ...]
    unit: str = ""
    gain: int = 0

    @property
    def gained(self) -> str:
        """What a gain of it is called: healthy years lived gained, DALYs averted."""
        return f"{self.name} {'averted' if self.gain < 0 else 'gained'}"


_GAINS = {"higher": 1, "lower": -1, "none": 0}


def find_measure(connection: sqlite3.Connection, name: str, run_id: int, where: str) -> Measure:
    """The measure that a setting names, of labels that are summed over years and countries.

    where: the setting, for messages. Raises ConfigError: nothing is called so, or it is no sum.
    """
    labels = [row[0] for row in connection.execute("SELECT element_label FROM elements")]
    if name not in labels:
        hint = did_you_mean_or_list(name, sorted(labels))
        raise ConfigError(f"{where}: no label or indicator {name!r} in the results{hint}")
    label = read_label(connection, name, run_id)
    for over in ("over_years", "over_countries"):
        how = getattr(label, over)
        if how != "sum":
            raise ConfigError(
                f"{where}: {name!r} ({label.kind}) is not summed {over.replace('_', ' ')} "
                f"({how}), so it is no cost or effect. Name another label, or say in ingest.toml: "
                f'[labels."{name}"] {over} = "sum"'
            )
    return Measure(name, ((name, 1),), label.unit_of_years, _GAINS[label.better])


def read_series(
    connection: sqlite3.Connection, jobs: Sequence[ExportJob], measures: Iterable[Measure]
) -> dict[str, Series]:
    """The values of each measure, by its name; a year that lacks one of its labels is left out."""
    signs = {m.name: dict(m.labels) for m in measures}
    labels = {label for each in signs.values() for label in each}
    values = _read_values(connection, jobs, labels)
    return {
        name: {(job.country, job.scenario): _sum(values[job.result_set_id], each) for job in jobs}
        for name, each in signs.items()
    }


def _sum(values: Mapping[str, Mapping[int, float]], signs: Mapping[str, int]) -> dict[int, float]:
    """The signed sum of each year that all labels have."""
    if len(signs) == 1:
        ((label, sign),) = signs.items()
        found = values.get(label, {})
        return dict(found) if sign > 0 else {year: -value for year, value in found.items()}
    years = set.intersection(*(set(values.get(label, ())) for label in signs))
    return {
        year: sum(sign * values[label][year] for label, sign in signs.items())
        for year in sorted(years)
    }


def _read_values(
    connection: sqlite3.Connection, jobs: Sequence[ExportJob], labels: Iterable[str]
) -> dict[int, dict[str, dict[int, float]]]:
    """By result set, label and year; read at the key of metric_values."""
    sets = sorted({job.result_set_id for job in jobs})
    values: dict[int, dict[str, dict[int, float]]] = {each: {} for each in sets}
    for label in labels:
        for of_label in values.values():
            of_label[label] = {}
        rows = connection.execute(
            """SELECT result_set_id, timestamp_year, metric_values.value
                 FROM json_each(?1) AS chosen
                CROSS JOIN metric_values ON result_set_id = chosen.value
                  AND element_id = (SELECT element_id FROM elements WHERE element_label = ?2)""",
            [json.dumps(sets), label],
        )
        for result_set, year, value in rows:
            values[result_set][label][year] = value
    return values
