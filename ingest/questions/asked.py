"""A canned query as it was asked: its values checked, its drop-downs, its names for people."""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingest.database.labels import read_label
from ingest.database.read import read_run
from ingest.database.states import resolve_run
from ingest.errors import ConfigError
from ingest.questions.catalogue import Memo, check_names, default_value, parameter_options
from ingest.questions.files import (
    UNIT_OVER_YEARS,
    CannedQuery,
    Chart,
    ParameterType,
    QueryParameter,
)
from ingest.questions.marks import MARKS
from ingest.questions.wording import NO_LABEL, years_text
from ingest.study.label import Label
from ingest.text.suggest import did_you_mean_or_list

_LONGEST_RUN_NUMBER = 15
_SCENARIOS = ("scenario", "baseline")


@dataclass(frozen=True)
class Choice:
    """One parameter with its value, as text; options: (value, label) of a drop-down, or none.

    chosen: the options that are taken, for people. is_default: what it would be without a choice.
    """

    parameter: QueryParameter
    value: str
    options: tuple[tuple[str, str], ...]
    is_default: bool

    @property
    def chosen(self) -> tuple[str, ...]:
        """The labels of the options that are taken, in their order."""
        taken = set(split_values(self.value)) if self.parameter.many else {self.value}
        return tuple(label for value, label in self.options if value in taken)


@dataclass(frozen=True)
class RunFacts:
    """The run whose state is shown; dirty: files of the study were not committed."""

    run_id: int
    timestamp: str
    git_commit: str
    status: str
    dirty: bool


@dataclass(frozen=True)
class AskedQuestion:
    """A question with the value of every parameter, and what people call them.

    names: by parameter. scenarios: those that can be chosen. run: None where the question has no
    run, or the database none yet. label: the chosen one, NO_LABEL where none is.
    """

    query: CannedQuery
    values: Mapping[str, str]
    choices: tuple[Choice, ...]
    names: Mapping[str, str]
    run: RunFacts | None
    scenarios: frozenset[str] = frozenset()
    label: Label = NO_LABEL

    @property
    def unit(self) -> str:
        """The unit of the numbers of the chosen label, empty where it is not known."""
        return self.label.unit_of_years if self.is_over_years else self.label.unit

    @property
    def is_over_years(self) -> bool:
        """Whether a number is of several years of the chosen label, not of each year."""
        groups = {self.values.get(f"group_{n}") for n in (1, 2, 3)}
        is_each = "year" in groups or bool(self.values.get("year"))
        return self.query.unit == UNIT_OVER_YEARS and not is_each

    @property
    def series_names(self) -> dict[str, str]:
        """What columns such as baseline_value are called in this question: null."""
        named = {f"{name}_value": value for name, value in self.names.items() if value}
        return {**named, "after_value": self.names["run"]} if "before" in self.names else named


@dataclass(frozen=True)
class _Reader:
    """The options and defaults of a question's parameters as texts; memo: what was read before."""

    connection: sqlite3.Connection
    query: CannedQuery
    memo: Memo

    def options(self, parameter: QueryParameter, values: Mapping[str, str]) -> dict[str, str]:
        """The labels of the choices by their values."""
        found = parameter_options(self.connection, self.query, parameter, values, self.memo)
        return {_text(value): label for value, label in found}

    def default(self, parameter: QueryParameter, values: Mapping[str, str]) -> str:
        """What it is without a choice."""
        return _text(default_value(self.connection, self.query, parameter, values, self.memo))


def resolve_values(
    connection: sqlite3.Connection,
    query: CannedQuery,
    given: Mapping[str, str],
    memo: Memo | None = None,
) -> dict[str, str]:
    """The value of every parameter as text: what was given and checked, or its default.

    Blank means the default, where it is no choice of its own. A run may be named in any way that
    `--run` understands; its number is given back. memo: what was read before of the same data.
    Raises ConfigError: a parameter or value that is not there.
    """
    check_names(query, given)
    reader = _Reader(connection, query, {} if memo is None else memo)
    values: dict[str, str] = {}
    for parameter in query.parameters:
        text = given.get(parameter.name, "").strip()
        is_chosen_blank = parameter.name in given and "" in reader.options(parameter, values)
        if text or is_chosen_blank:
            values[parameter.name] = _checked(reader, parameter, text, values)
        else:
            values[parameter.name] = reader.default(parameter, values)
    return values


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _checked(
    reader: _Reader, parameter: QueryParameter, text: str, values: Mapping[str, str]
) -> str:
    name = parameter.name
    if parameter.type is ParameterType.RUN:
        return str(_run_id(reader.connection, text))
    if parameter.type is ParameterType.NUMBER and not _is_number(text):
        raise ConfigError(f"{name}: {text!r} is no number")
    if parameter.type is ParameterType.YEAR and not re.fullmatch(r"\d{4}", text):
        raise ConfigError(f"{name}: {text!r} is no year; write four digits, e.g. 2030")
    parts = split_values(text) if parameter.many else [text]
    if parameter.options is not None:
        known = reader.options(parameter, values)
        for part in parts:
            if part not in known:
                hint = did_you_mean_or_list(part, [value for value in known if value])
                raise ConfigError(f"{name}: there is no {part!r}{hint}")
    return ",".join(parts)


def _run_id(connection: sqlite3.Connection, text: str) -> int:
    if text.isdecimal() and len(text) > _LONGEST_RUN_NUMBER:
        text = text[:_LONGEST_RUN_NUMBER]  # no run has such a number, and SQLite cannot hold it
    return resolve_run(connection, text).run_id


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def split_values(text: str) -> list[str]:
    """The values of a parameter that takes several, each once."""
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


# --- what a page shows beside the rows -----------------------------------------------------------


def describe_question(
    connection: sqlite3.Connection,
    query: CannedQuery,
    values: Mapping[str, str],
    memo: Memo | None = None,
) -> AskedQuestion:
    """The question with its drop-downs and names; values as resolve_values() gives them."""
    reader = _Reader(connection, query, {} if memo is None else memo)
    choices = tuple(_choice(reader, parameter, values) for parameter in query.parameters)
    scenarios = frozenset(
        value
        for choice in choices
        if choice.parameter.name in _SCENARIOS
        for value, _ in choice.options
        if value
    )
    return AskedQuestion(
        query=query,
        values=values,
        choices=choices,
        names={choice.parameter.name: _name(choice) for choice in choices},
        run=_run_facts(connection, values.get("run", "")),
        scenarios=scenarios,
        label=read_label(connection, values["label"]) if values.get("label") else NO_LABEL,
    )


def _choice(reader: _Reader, parameter: QueryParameter, values: Mapping[str, str]) -> Choice:
    value = values[parameter.name]
    options = tuple(reader.options(parameter, values).items())
    return Choice(parameter, value, options, value == reader.default(parameter, values))


def _name(choice: Choice) -> str:
    """A value as a sentence says it: Kenya, run 7; a scenario by its own name."""
    if choice.parameter.type is ParameterType.RUN:
        return f"run {choice.value}" if choice.value else "no run"
    if choice.parameter.name == "country" and choice.chosen and choice.value:
        return choice.chosen[0].removesuffix(f" ({choice.value})")
    return choice.value


def _run_facts(connection: sqlite3.Connection, run_id: str) -> RunFacts | None:
    run = read_run(connection, int(run_id)) if run_id else None
    if run is None:
        return None
    dirty = bool(run["dirty_files"])
    return RunFacts(run["run_id"], run["timestamp"], run["git_commit"], run["status"], dirty)


def chart_subtitle(asked: AskedQuestion, chart: Chart, rows: Sequence[Sequence[object]]) -> str:
    """What a chart is of: Kenya · Healthy Years Lived · all_treatments against null · run 7."""
    names = {name: value for name, value in asked.names.items() if value}
    if asked.unit:
        names["label"] += f" ({asked.unit})"
    parts = [names[name] for name in ("country", "label") if name in names]
    if "scenario" in names and "baseline" in names:
        parts.append(f"{names['scenario']} against {names['baseline']}")
    else:
        parts += [names[name] for name in _SCENARIOS if name in names]
    parts += [names["reference"]] if "reference" in names else []
    if asked.is_over_years and asked.label.over_years != "sum":
        parts.append(years_text(asked.label))
    measure = _measure(chart)
    if measure and rows:
        parts.append(measure)
    if "before" in names:
        parts.append(f"{names['run']} against {names['before']}")
    elif "run" in names:
        parts.append(names["run"])
    return " · ".join(parts)


_MEASURES = {
    "difference": "difference",
    "percent": "difference in %",
    "ratio": "ratio",
    "count()": "number",
    "duration_s": "seconds",
    "value": "",
}


def _measure(chart: Chart) -> str:
    """What the numbers of a chart are, where they are not just values of the label."""
    if chart.measure:
        return chart.measure
    numbers = chart.listed(MARKS[chart.mark].number)
    return _MEASURES.get(numbers[0], "") if len(numbers) == 1 else ""
