"""The questions for scripts: addresses, parameters, columns, and examples that can be copied.

The page /DATABASE/-/api shows it with the values of its database, docs/api.md with those of the
bundled study.
"""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from ingest.browser.memo import memo_of
from ingest.browser.questions.catalogue import question_topics, questions_of
from ingest.errors import ConfigError
from ingest.questions.asked import read_choices, resolve_values
from ingest.questions.catalogue import Memo
from ingest.questions.files import YEARS, CannedQuery, ParameterType, QueryParameter, is_sql

# Where scripts read the values of a parameter: a table beside the question, and its column.
_TABLES = {
    "baseline": ("scenarios", "name"),
    "before": ("validation_runs", "run_id"),
    "countries": ("countries", "iso3"),
    "country": ("countries", "iso3"),
    "label": ("elements", "element_label"),
    "reference": ("reference_values", "reference"),
    "run": ("validation_runs", "run_id"),
    "scenario": ("scenarios", "name"),
}
_LEVELS = ("reference_levels", "reference")
_KINDS = {
    ParameterType.NUMBER: "number",
    ParameterType.RATE: "rate a year as 3% or 3, at most 30%; SQL gets 0.03",
    ParameterType.RUN: "run by number, tag, commit, date, latest or previous",
    ParameterType.TEXT: "text",
    ParameterType.YEAR: "year of four digits",
}
_FROM_RESULTS = "chosen from the results"
_SHOWN_VALUES = 12
_LONGEST_LINE = 88


@dataclass(frozen=True)
class Example:
    """How to ask in one language: sh or python. title: curl, Python, pandas."""

    title: str
    language: str
    code: str


@dataclass(frozen=True)
class ApiParameter:
    """A parameter in words. table: where its values are, (table, column); both empty without.

    now: its default in the database at hand, None where there is none at hand. values: those that
    it may have there, shortened.
    """

    name: str
    title: str
    kind: str
    default: str
    table: tuple[str, str]
    now: str | None = None
    values: str = ""


@dataclass(frozen=True)
class ApiQuestion:
    """One question for scripts. arguments: the parameters that its examples give.

    problem: why it has no answer; its SQL fails.
    """

    query: CannedQuery
    parameters: tuple[ApiParameter, ...]
    arguments: Mapping[str, str]
    problem: str = ""

    @property
    def columns(self) -> dict[str, str]:
        """Each column and its meaning; the columns of years are listed as one."""
        named = {YEARS: "YEAR ..."}
        return {named.get(name, name): meaning for name, meaning in self.query.columns.items()}

    def address(self, ending: str, **more: str) -> str:
        """The question's path below its database: scenario_impact.json?_shape=array&..."""
        given = urlencode({**more, **self.arguments})
        return f"{self.query.name}{ending}" + (f"?{given}" if given else "")

    def pictures(self) -> tuple[str, ...]:
        """The paths of its charts as SVG, one for each; .png and .vl.json go the same way."""
        return tuple(self.address(".svg", _chart=chart.anchor) for chart in self.query.charts)

    def examples(self, site: str) -> tuple[Example, ...]:
        """The same rows by curl, Python and pandas. site: the address of the database."""
        rows = shlex.quote(f"{site}/{self.address('.json', _shape='array')}")
        plain = _requests(f"{site}/{self.query.name}.json", self.arguments)
        table = _PANDAS.format(url=_text(f"{site}/{self.address('.csv')}"))
        return (
            Example("curl", "sh", f"curl -sS --fail-with-body {rows}"),
            Example("Python", "python", plain),
            Example("pandas", "python", table),
        )


def describe_query(query: CannedQuery, arguments: Mapping[str, str]) -> ApiQuestion:
    """A question in words. arguments: values for those parameters that a person chooses.

    Those of them that the question has no choice for are left out.
    """
    parameters = tuple(_describe_parameter(parameter) for parameter in query.parameters)
    chosen = {
        parameter.name: arguments[parameter.name]
        for parameter in query.parameters
        if _is_chosen(parameter) and arguments.get(parameter.name)
    }
    return ApiQuestion(query, parameters, chosen)


def _is_chosen(parameter: QueryParameter) -> bool:
    """Whether an example names a value. It names no run, and so follows them."""
    return (
        parameter.options is not None
        and parameter.type is not ParameterType.RUN
        and parameter.default != ""
    )


def _describe_parameter(parameter: QueryParameter) -> ApiParameter:
    kind = _KINDS[parameter.type]
    if parameter.many:
        kind = "one or several, with commas between"
    elif parameter.options is not None and parameter.type is ParameterType.TEXT:
        kind = "one of its values"
    table = _TABLES.get(parameter.name, ("", "")) if parameter.options is not None else ("", "")
    if _LEVELS[0] in (parameter.options or ""):
        table = _LEVELS
    return ApiParameter(parameter.name, parameter.title, kind, _default_text(parameter), table)


def _default_text(parameter: QueryParameter) -> str:
    default = parameter.default
    if default is None:
        return "none: a value has to be given"
    if isinstance(default, str) and is_sql(default):
        return parameter.default_text or _FROM_RESULTS
    if default == "":
        return "blank"
    return str(default)


# --- with a database at hand ---------------------------------------------------------------------


def read_api_questions(connection: sqlite3.Connection) -> list[ApiQuestion]:
    """The questions of a database by topic, those beside it among them, with its own values."""
    file = connection.execute("PRAGMA database_list").fetchone()[2]
    queries = questions_of(file)
    memo = memo_of(file)
    return [_read_question(connection, query, memo) for query in in_order(queries.values())]


def in_order(queries: Iterable[CannedQuery]) -> list[CannedQuery]:
    """Queries by topic, as the overview has them, and by name; those without a topic come last."""
    order = [topic for topic, _ in question_topics()]
    topics = {topic: place for place, topic in enumerate(order)}
    return sorted(queries, key=lambda query: (topics.get(query.topic, len(topics)), query.name))


def _read_question(connection: sqlite3.Connection, query: CannedQuery, memo: Memo) -> ApiQuestion:
    try:
        values = resolve_values(connection, query, {}, memo)
        choices = read_choices(connection, query, values, memo)
    except ConfigError as exc:
        return replace(describe_query(query, {}), problem=str(exc))
    described = describe_query(query, values)
    parameters = tuple(
        replace(
            parameter,
            now=choice.value,
            values=_shortened([value for value, _ in choice.options if value]),
        )
        for parameter, choice in zip(described.parameters, choices, strict=True)
    )
    return ApiQuestion(query, parameters, described.arguments)


def _shortened(values: list[str]) -> str:
    shown = ", ".join(values[:_SHOWN_VALUES])
    more = len(values) - _SHOWN_VALUES
    return f"{shown} and {more:,} more" if more > 0 else shown


# --- examples ------------------------------------------------------------------------------------


_REQUESTS = """\
import requests

answer = requests.get(
    {url},
{parameters}
    timeout=60,
)
answer.raise_for_status()
rows = answer.json()"""
_PANDAS = """\
import pandas

frame = pandas.read_csv(
    {url},
    keep_default_na=False,  # null is the name of a scenario
    na_values=[""],
)"""


def _requests(url: str, arguments: Mapping[str, str]) -> str:
    given = [f"{_text(name)}: {_text(value)}" for name, value in arguments.items()]
    pairs = ['"_shape": "array"', *given]
    parameters = f"    params={{{', '.join(pairs)}}},"
    if len(parameters) > _LONGEST_LINE:
        lines = ["    params={", *(f"        {pair}," for pair in pairs), "    },"]
        parameters = "\n".join(lines)
    return _REQUESTS.format(url=_text(url), parameters=parameters)


def _text(value: str) -> str:
    """A text as Python writes it, in double quotes; JSON writes it the same way."""
    return json.dumps(value, ensure_ascii=False)
