"""Tidy pandas frames: their columns and dtypes, which are the same whatever is in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ingest.database.country_facts import NO_GROUP, read_country_facts
from ingest.database.labels import read_labels_of_results
from ingest.errors import ConfigError
from ingest.questions.catalogue import group_columns
from ingest.questions.compare import COUNTRY
from ingest.questions.compare_rows import VALUE_COLUMNS
from ingest.study.combination import select_names
from ingest.text.installation import not_installed
from ingest.text.suggest import did_you_mean_or_list

if TYPE_CHECKING:
    import pandas

Names = str | Sequence[str] | None
"""None for all, one text, or several; comma lists and globs are understood."""

UNIT = "unit"
ADDED = ("over_years", "over_countries")
"""How a label was added up."""

_TYPES = {
    **dict.fromkeys(("run_id", "timestamp_year", "changed_years", "attempts"), "int64"),
    **dict.fromkeys(("value", *VALUE_COLUMNS, "duration_s", "before", "after"), "float64"),
    **dict.fromkeys(("absolute", "relative", "before_sum", "after_sum"), "float64"),
    **dict.fromkeys(("countries", "of_countries"), "int64"),
    **dict.fromkeys(("largest_year", "until_year", "first_year", "last_year"), "Int64"),
}
"""The dtypes of columns that do not hold texts."""


def types_of(*columns: str) -> dict[str, str]:
    """The dtype of each of these columns."""
    return {column: _TYPES.get(column, "string") for column in columns}


STATE_TYPES = types_of("country", "scenario", "element_label", "timestamp_year", "value")
FAILED_TYPES = types_of(
    "run_id", "country", "scenario", "ulid", "job_status", "error_kind", "error", "attempts",
    "duration_s", "completed_at", "reason",
)  # fmt: skip
DIFF_TYPES = types_of(
    "country", "scenario", "element_label", "kind", "changed_years", "largest_year", "before",
    "after", "absolute", "relative", "before_sum", "after_sum", "cause",
)  # fmt: skip


def choose(connection: sqlite3.Connection, names: Names, column: str) -> list[str]:
    """The chosen countries or scenarios; an empty list means all."""
    if not names:
        return []
    rows = connection.execute(f"SELECT DISTINCT {column} FROM job_results ORDER BY 1")
    return select_names(patterns(names), [name for (name,) in rows], column)


def patterns(names: Names) -> Sequence[str]:
    """Names as the command line takes them; empty for all."""
    return [names] if isinstance(names, str) else list(names or ())


def make_frame(pd: Any, rows: Iterable[Sequence[Any]], types: dict[str, str]) -> pandas.DataFrame:
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


def library(name: str, extra: str) -> Any:
    """The package. Raises ConfigError: it is not installed, and how it is."""
    try:
        return import_module(name)
    except ImportError as exc:
        raise ConfigError(not_installed(name, extra)) from exc


def further_columns(
    connection: sqlite3.Connection,
    run_id: int,
    names: Names,
    known: Sequence[str],
    *,
    over_years: bool = True,
) -> dict[str, Mapping[str, str]]:
    """The values of further columns as of a run: names and groups by country, the unit by label.

    known: what the frame has already. over_years: the unit is of sums. Raises ConfigError: nothing
    is called so, or the frame has no countries or labels that it belongs to.
    """
    if not names:
        return {}
    choice = ["name", *group_columns(connection)] if COUNTRY in known else []
    choice += [UNIT] if "element_label" in known else []
    choice = [name for name in choice if name not in known]
    facts = read_country_facts(connection, run_id)
    found: dict[str, Mapping[str, str]] = {}
    for name in patterns(names):
        if name == UNIT and UNIT in choice:
            labels = read_labels_of_results(connection, run_id)
            found[name] = {
                one.element_label: one.unit_of_years if over_years else one.unit for one in labels
            }
        elif name in choice:
            found[name] = {iso3: of[name] for iso3, of in facts.items() if name in of}
        else:
            hint = did_you_mean_or_list(name, choice)
            raise ConfigError(f"columns: no {name!r} that these rows could have{hint}")
    return found


def with_columns(
    frame: pandas.DataFrame, further: Mapping[str, Mapping[str, str]]
) -> pandas.DataFrame:
    """The frame with further columns at its end; a country without a group is in (none)."""
    for name, values in further.items():
        key = "element_label" if name == UNIT else "country"
        missing = "" if name == UNIT else NO_GROUP
        frame[name] = frame[key].map(values).astype("string").fillna(missing)
    return frame
