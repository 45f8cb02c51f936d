"""Files of canned queries: each is one question in SQL, described by YAML in its comment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import yaml

from ingest.errors import ConfigError
from ingest.questions.marks import MARKS
from ingest.questions.shared import include_fragments, with_shared
from ingest.text.suggest import did_you_mean
from ingest.text.yaml_text import read_yaml

# In place of a column: the number of rows; every column that is a year, whose numbers are `value`.
COUNT = "count()"
YEARS = "(years)"
# The unit of questions whose numbers are of several years together.
UNIT_OVER_YEARS = "the label's own, over years"

_FRONT_MATTER = re.compile(r"\A\s*/\*\s*^---\s*$(.*?)^---\s*\*/\s*", re.DOTALL | re.MULTILINE)
_IS_SQL = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE)
_KEYS = {
    "title", "description", "topic", "unit", "parameters", "columns", "chart", "charts",
    "answer", "empty",
}  # fmt: skip
_PARAMETER_KEYS = {"title", "type", "options", "default", "default_text", "many"}


class ParameterType(StrEnum):
    """What a parameter's value has to be; a run is named in any way that `--run` understands.

    A rate is given as 3% or, on pages, 3; SQL gets the fraction 0.03.
    """

    TEXT = "text"
    NUMBER = "number"
    RATE = "rate"
    YEAR = "year"
    RUN = "run"


@dataclass(frozen=True)
class QueryParameter:
    """One :named parameter.

    options: SQL that gives value[, label] of each choice, None for free text. default: SQL that
    gives one value, or a literal; None where a value has to be given. Both may use the parameters
    declared before this one. default_text: a default that is SQL, in words. many: several choices
    at once, with commas between.
    """

    name: str
    title: str
    options: str | None
    default: str | int | float | None
    type: ParameterType = ParameterType.TEXT
    many: bool = False
    default_text: str = ""


@dataclass(frozen=True)
class Chart:
    """How to draw the rows: a mark, and for each channel (x, y, color) a column or a list of them.

    A list of columns on one channel means one series for each. The mark "map" has the channels
    country (ISO3) and value. tab: what to call it among the charts of one question. measure: what
    its numbers are, where their column's name does not say it.
    """

    mark: str
    encoding: Mapping[str, Any]
    tab: str = "Chart"
    measure: str = ""

    @property
    def anchor(self) -> str:
        """What the chart is called in an address: difference, map."""
        return self.tab.lower().replace(" ", "-")

    def listed(self, channel: str) -> list[str]:
        """The columns on a channel; none where it is not used."""
        named = self.encoding.get(channel, [])
        return list(map(str, named)) if isinstance(named, list) else [str(named)]

    def column(self, channel: str) -> str:
        """The column on a channel, the first one where there are several."""
        return self.listed(channel)[0]


@dataclass(frozen=True)
class CannedQuery:
    """One question in plain SQLite. columns: each published column and what it means, in order.

    answer: a sentence, as a Jinja template over the rows; empty: the same where there is no row.
    """

    name: str
    title: str
    description: str
    unit: str
    parameters: tuple[QueryParameter, ...]
    columns: Mapping[str, str]
    charts: tuple[Chart, ...]
    sql: str
    topic: str = ""
    answer: str = ""
    empty: str = ""

    @property
    def chart(self) -> Chart | None:
        """The first of its charts."""
        return self.charts[0] if self.charts else None

    def find_chart(self, anchor: str) -> Chart | None:
        """The chart that an address calls so, the first one for an empty text."""
        if not anchor:
            return self.chart
        return next((chart for chart in self.charts if chart.anchor == anchor), None)

    @property
    def has_year_columns(self) -> bool:
        """Whether it has a column for each year of the results."""
        return YEARS in self.columns


def parse_canned_query(name: str, text: str) -> CannedQuery:
    """The query that a file NAME.sql holds: a comment with YAML between lines of ---, then SQL.

    Raises ConfigError.
    """
    file = f"{name}.sql"
    found = _FRONT_MATTER.match(text)
    if found is None:
        raise ConfigError(f"{file} does not begin with a comment /* --- (YAML) --- */")
    head = _mapping(file, "the comment", _load_yaml(file, found[1]), _KEYS)
    own_sql = text[found.end() :].strip()
    if not own_sql:
        raise ConfigError(f"{file} has no SQL after its comment")
    sql = include_fragments(file, own_sql)
    declared = _mapping(file, "parameters", head.get("parameters") or {})
    of_fragments = used_parameters(sql) - used_parameters(own_sql) - set(declared)
    shared = dict.fromkeys(sorted(of_fragments))
    parameters = _parse_parameters(file, {**declared, **shared})
    _check_parameters(file, sql, parameters)
    columns = _mapping(file, "columns", head.get("columns") or {})
    return CannedQuery(
        name=name,
        title=_text(file, head, "title"),
        description=_text(file, head, "description"),
        unit=str(head.get("unit") or ""),
        parameters=parameters,
        columns={str(column): str(meaning) for column, meaning in columns.items()},
        charts=_parse_charts(file, head, columns),
        sql=sql,
        topic=str(head.get("topic") or ""),
        answer=str(head.get("answer") or "").strip(),
        empty=str(head.get("empty") or "").strip(),
    )


def _load_yaml(file: str, text: str) -> Any:
    try:
        return read_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as exc:  # such as a date 2026-13-45
        reason = " ".join(str(exc).split())
        raise ConfigError(f"{file}: the YAML in its comment: {reason}") from exc


def _mapping(file: str, what: str, value: Any, known: set[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{file}: {what} is no mapping of keys to values")
    for key in value:
        if known is not None and key not in known:
            hint = did_you_mean(str(key), known)
            raise ConfigError(f"{file}: {what} has an unknown key {key!r}.{hint}")
    return value


def _text(file: str, head: Mapping[str, Any], key: str) -> str:
    value = head.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{file}: the comment has no {key}")
    return value.strip()


# --- parameters ----------------------------------------------------------------------------------


def _parse_parameters(file: str, entries: Mapping[str, Any]) -> tuple[QueryParameter, ...]:
    return tuple(
        _parse_parameter(file, str(name), with_shared(file, str(name), own))
        for name, own in entries.items()
    )


def _parse_parameter(file: str, name: str, value: Any) -> QueryParameter:
    what = f"parameter {name}"
    entry = _mapping(file, what, value, _PARAMETER_KEYS)
    options, default = entry.get("options"), entry.get("default")
    if options is not None and not (isinstance(options, str) and is_sql(options)):
        raise ConfigError(f"{file}: {what}: options has to be a SELECT of value[, label]")
    if isinstance(default, bool) or not isinstance(default, str | int | float | None):
        raise ConfigError(f"{file}: {what}: default has to be a SELECT of one value, or a literal")
    return QueryParameter(
        name,
        str(entry.get("title") or name),
        options,
        default,
        _parse_type(file, what, entry.get("type", "text")),
        bool(entry.get("many")),
        str(entry.get("default_text") or ""),
    )


def _parse_type(file: str, what: str, value: Any) -> ParameterType:
    try:
        return ParameterType(value)
    except ValueError as exc:
        known = ", ".join(ParameterType)
        raise ConfigError(f"{file}: {what}: type {value!r} is none of {known}") from exc


def is_sql(text: str) -> bool:
    """Whether a default is a query and no literal."""
    return _IS_SQL.match(text) is not None


def _check_parameters(file: str, sql: str, parameters: Sequence[QueryParameter]) -> None:
    declared = [parameter.name for parameter in parameters]
    used = used_parameters(sql)
    for name in sorted(used - set(declared)):
        raise ConfigError(f"{file}: :{name} is not among the parameters of its comment")
    for position, parameter in enumerate(parameters):
        if parameter.name not in used:
            raise ConfigError(f"{file}: parameter {parameter.name} is not used in the SQL")
        for text in (parameter.options, parameter.default):
            if not isinstance(text, str) or not is_sql(text):
                continue
            for name in sorted(used_parameters(text) - set(declared[:position])):
                raise ConfigError(
                    f"{file}: parameter {parameter.name}: :{name} is not declared before it"
                )


def used_parameters(sql: str) -> set[str]:
    """Names of the :named parameters, found as Datasette finds them."""
    return set(re.findall(r":([a-zA-Z0-9_]+)", sql))


# --- charts --------------------------------------------------------------------------------------


def _parse_charts(
    file: str, head: Mapping[str, Any], columns: Mapping[str, Any]
) -> tuple[Chart, ...]:
    """One mapping under `chart`, or several under `charts`, by what to call their tabs."""
    if head.get("chart") is not None:
        return (_parse_chart(file, "chart", head["chart"], columns),)
    charts = _mapping(file, "charts", head.get("charts") or {})
    return tuple(
        _parse_chart(file, f"charts: {tab}", value, columns, str(tab))
        for tab, value in charts.items()
    )


def _parse_chart(
    file: str, what: str, value: Any, columns: Mapping[str, Any], tab: str = "Chart"
) -> Chart:
    encoding = dict(_mapping(file, what, value))
    mark = encoding.pop("mark", None)
    measure = str(encoding.pop("measure", ""))
    if not isinstance(mark, str):
        raise ConfigError(f"{file}: {what} has no mark ({', '.join(MARKS)})")
    chart = Chart(mark, encoding, tab, measure)
    known = {*columns, COUNT, *(["value"] if YEARS in columns else [])}
    for channel in encoding:
        for column in chart.listed(channel):
            if column not in known:
                hint = did_you_mean(column, columns)
                raise ConfigError(f"{file}: {what}: {channel}: no column {column!r}.{hint}")
    if mark not in MARKS:
        raise ConfigError(f"{file}: {what}: mark {mark!r} is none of {', '.join(MARKS)}")
    for channel in MARKS[mark].needed:
        if channel not in encoding:
            raise ConfigError(f"{file}: {what}: mark {mark} needs a column for {channel}")
    return chart
