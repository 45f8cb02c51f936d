"""A canned query as it was asked: its values checked, its drop-downs, its names for people."""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingest.database.consistency import Consistency, read_consistency
from ingest.database.labels import read_label
from ingest.database.states import resolve_run
from ingest.errors import ConfigError
from ingest.questions.caption import Conditions, RunFacts, read_run_facts
from ingest.questions.catalogue import (
    Memo,
    check_names,
    default_value,
    parameter_options,
    sql_values,
)
from ingest.questions.discount import Bare, parse_rate, rate_text, rate_words
from ingest.questions.files import (
    UNIT_OVER_YEARS,
    CannedQuery,
    Chart,
    ParameterType,
    QueryParameter,
    is_sql,
)
from ingest.questions.horizon import (
    NO_YEARS,
    PARAMETERS,
    Horizon,
    horizon_of_rows,
    read_horizon,
    read_horizon_of_states,
)
from ingest.questions.marks import MARKS
from ingest.questions.reference_facts import Compared, read_contradictions
from ingest.questions.wording import NO_LABEL, adding_words
from ingest.study.label import Label
from ingest.text.names import split_names
from ingest.text.numbers import count_text
from ingest.text.suggest import did_you_mean_or_list

_SCENARIOS = ("scenario", "baseline")
# Parameters that every caption names; those that decide sums over years; and those of a comparison.
_NAMED = frozenset(
    ("run", "before", "country", "countries", "baseline", "scenario", "label", "reference")
)
_SUMMING = frozenset(("until", "discount_rate", "base_year"))
# How the years of a question are read that has all of these parameters.
_HORIZONS = (
    (frozenset(("run", "baseline", "scenario", "label", "until")), read_horizon),
    (frozenset(("run", "before", "country", "scenario", "label")), read_horizon_of_states),
)


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
    def meaning(self) -> str:
        """How a typed value was read, where it could be doubted: 3 % a year; empty elsewhere."""
        if self.parameter.type is not ParameterType.RATE:
            return ""
        return f"{rate_words(parse_rate(self.value, '', Bare.PERCENT))} a year"

    @property
    def taken(self) -> list[str]:
        """The options that are taken."""
        known = {value for value, _ in self.options}
        return split_names(self.value, known) if self.parameter.many else [self.value]

    @property
    def chosen(self) -> tuple[str, ...]:
        """The labels of the options that are taken, in their order."""
        taken = set(self.taken)
        return tuple(label for value, label in self.options if value in taken)


@dataclass(frozen=True)
class AskedQuestion:
    """A question with the value of every parameter, and what people call them.

    names: by parameter. scenarios: those that can be chosen. run: None where the question has no
    run, or the database none yet. label: the chosen one, NO_LABEL where none is.
    horizon: the years of a comparison that sums over years, None of any other question.
    consistency: of the results of a question about one state, None of any other.
    """

    query: CannedQuery
    values: Mapping[str, str]
    choices: tuple[Choice, ...]
    names: Mapping[str, str]
    run: RunFacts | None
    scenarios: frozenset[str] = frozenset()
    label: Label = NO_LABEL
    horizon: Horizon | None = None
    consistency: Consistency | None = None
    reference_notes: tuple[str, ...] = ()
    """What published figures hold for and these numbers do not."""

    @property
    def warning(self) -> str:
        """What of the results does not belong together, or is left out for that; else empty."""
        found = self.consistency
        if found is None:
            return ""
        if self.values.get("consistent") and found.stale:
            results = count_text(found.stale, "result|results")
            return f"{results} of other inputs left out ({found.counts})"
        return f"{found.warning} ({found.counts})" if found.warning else ""

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

    def conditions(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Conditions:
        """What the numbers depend on, beside the names that every answer has."""
        countries = [c for c in self.choices if c.parameter.name == "countries"]
        only = [value for c in countries if not c.is_default for value in split_names(c.value)]
        mixed = ("mixed inputs",) if self.consistency and self.consistency.is_mixed else ()
        if self.values.get("consistent"):
            mixed = ()
        if self.horizon is None:
            own = horizon_of_rows(columns, rows)
            others = (*self._others(_NAMED), *mixed)
            return Conditions(tuple(only), own, others=others, adding=self._adding(own))
        rate = sql_values(self.query, self.values).get("discount_rate", 0.0)
        rate = rate if self.label.over_years == "sum" else 0.0
        others = (*self._others(_NAMED | _SUMMING), *mixed)
        return Conditions(tuple(only), self.horizon, rate, others, self._adding(self.horizon))

    def _adding(self, horizon: Horizon) -> tuple[str, ...]:
        countries = "group_1" in self.values
        each_year = not self.is_over_years
        return adding_words(self.label, horizon.years, each_year=each_year, countries=countries)

    def _others(self, told: frozenset[str]) -> Iterator[str]:
        """The values of the other parameters, but not a default that is the same everywhere."""
        for choice in self.choices:
            default = choice.parameter.default
            is_constant = choice.is_default and not (isinstance(default, str) and is_sql(default))
            if choice.parameter.name not in told and choice.value and not is_constant:
                title = choice.parameter.title.partition(" (")[0]
                yield f"{title}: {', '.join(choice.chosen) or choice.value}"

    @property
    def series_names(self) -> dict[str, str]:
        """What columns such as baseline_value are called in this question: null."""
        named = {f"{name}_value": value for name, value in self.names.items() if value}
        return {**named, "after_value": self.names["run"]} if "before" in self.names else named


@dataclass(frozen=True)
class _Reader:
    """The options and defaults of a question's parameters as texts; memo: what was read before.

    bare: what a rate without a sign is.
    """

    connection: sqlite3.Connection
    query: CannedQuery
    memo: Memo
    bare: Bare = Bare.PERCENT

    def options(self, parameter: QueryParameter, values: Mapping[str, str]) -> dict[str, str]:
        """The labels of the choices by their values."""
        bound = sql_values(self.query, values)
        found = parameter_options(self.connection, self.query, parameter, bound, self.memo)
        return {_text(value): label for value, label in found}

    def default(self, parameter: QueryParameter, values: Mapping[str, str]) -> str:
        """What it is without a choice."""
        bound = sql_values(self.query, values)
        text = _text(default_value(self.connection, self.query, parameter, bound, self.memo))
        if parameter.type is ParameterType.RATE:
            return rate_text(parse_rate(text or "0", parameter.name, Bare.PERCENT))
        return text


def resolve_values(
    connection: sqlite3.Connection,
    query: CannedQuery,
    given: Mapping[str, str],
    memo: Memo | None = None,
    bare: Bare = Bare.PERCENT,
) -> dict[str, str]:
    """The value of every parameter as text: what was given and checked, or its default.

    Blank means the default, where it is no choice of its own. A run may be named in any way that
    `--run` understands; its number is given back. A rate is given back with its sign: 3%. memo:
    what was read before of the same data. bare: what a rate without a sign is.
    Raises ConfigError: a parameter or value that is not there.
    """
    check_names(query, given)
    reader = _Reader(connection, query, {} if memo is None else memo, bare)
    values: dict[str, str] = {}
    for parameter in query.parameters:
        text = given.get(parameter.name, "")
        options = reader.options(parameter, values) if parameter.name in given else {}
        text = text if text in options else text.strip()
        is_chosen_blank = parameter.name in given and "" in options
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
        return str(resolve_run(reader.connection, text).run_id)
    if parameter.type is ParameterType.RATE:
        return rate_text(parse_rate(text, name, reader.bare))
    if parameter.type is ParameterType.NUMBER and not _is_number(text):
        raise ConfigError(f"{name}: {text!r} is no number")
    if parameter.type is ParameterType.YEAR and not re.fullmatch(r"\d{4}", text):
        raise ConfigError(f"{name}: {text!r} is no year; write four digits, e.g. 2030")
    known = {} if parameter.options is None else reader.options(parameter, values)
    parts = split_names(text, known) if parameter.many else [text]
    if parameter.options is not None:
        for part in parts:
            if part not in known:
                hint = did_you_mean_or_list(part, [value for value in known if value])
                raise ConfigError(f"{name}: there is no {part!r}{hint}")
    return ",".join(parts)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


# --- what a page shows beside the rows -----------------------------------------------------------


def describe_question(
    connection: sqlite3.Connection,
    query: CannedQuery,
    values: Mapping[str, str],
    memo: Memo | None = None,
) -> AskedQuestion:
    """The question with its drop-downs and names; values as resolve_values() gives them."""
    memo = {} if memo is None else memo
    choices = read_choices(connection, query, values, memo)
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
        run=read_run_facts(connection, int(values["run"])) if values.get("run") else None,
        scenarios=scenarios,
        label=_label(connection, values),
        horizon=_horizon(connection, query, values, memo),
        consistency=read_question_consistency(connection, query, values, memo),
        reference_notes=_reference_notes(connection, query, values, memo),
    )


def _reference_notes(
    connection: sqlite3.Connection, query: CannedQuery, values: Mapping[str, str], memo: Memo
) -> tuple[str, ...]:
    """What the reference of a question holds for and its other values do not."""
    reference, label = values.get("reference"), values.get("label")
    if not reference or not label:
        return ()
    known, compared = _label(connection, values), None
    if values.get("baseline"):
        horizon = _horizon(connection, query, values, memo) or NO_YEARS
        rate = sql_values(query, values).get("discount_rate", 0.0)
        compared = Compared.of(values["baseline"], rate, horizon, known)
    return read_contradictions(connection, reference, known, compared)


def read_choices(
    connection: sqlite3.Connection, query: CannedQuery, values: Mapping[str, str], memo: Memo
) -> tuple[Choice, ...]:
    """A question's parameters with their values and drop-downs; values as describe_question()'s."""
    reader = _Reader(connection, query, memo)
    return tuple(_choice(reader, parameter, values) for parameter in query.parameters)


def _label(connection: sqlite3.Connection, values: Mapping[str, str]) -> Label:
    if not values.get("label"):
        return NO_LABEL
    run_id = int(values["run"]) if values.get("run") else None
    return read_label(connection, values["label"], run_id)


def read_question_consistency(
    connection: sqlite3.Connection, query: CannedQuery, values: Mapping[str, str], memo: Memo
) -> Consistency | None:
    """Whether the results of a question about one state belong together; None of another one."""
    reads_results = "metric_values" in query.sql or "indicator_rows(" in query.sql
    is_of_a_state = reads_results and values.get("run") and "before" not in values
    if not is_of_a_state or "run_id" in query.columns:
        return None
    scenarios = [values[name] for name in _SCENARIOS if values.get(name)]
    if values.get("scenario") == "":  # every one
        scenarios = []
    countries = split_names(values.get("countries") or values.get("country") or "")
    key = ("consistency", (values["run"], *scenarios, "", *countries))
    if key not in memo:
        memo[key] = read_consistency(connection, int(values["run"]), scenarios, countries)
    found: Consistency = memo[key]
    return found


def _horizon(
    connection: sqlite3.Connection, query: CannedQuery, values: Mapping[str, str], memo: Memo
) -> Horizon | None:
    """The years of a comparison; None of a question that has not all of its parameters."""
    read = next((read for names, read in _HORIZONS if names <= values.keys()), None)
    if read is None:
        return None
    bound = {"countries": values.get("country", ""), **sql_values(query, values)}
    key = ("horizon", tuple(bound.get(name) for name in ("before", *PARAMETERS)))
    if key not in memo:
        memo[key] = read(connection, bound)
    horizon: Horizon = memo[key]
    return horizon


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


def chart_subtitle(
    asked: AskedQuestion, chart: Chart, columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> str:
    """What a chart is of: Kenya · Healthy Years Lived · all_treatments against null · run 7.

    With everything that would change its numbers: countries, years, discounting.
    """
    names = {name: value for name, value in asked.names.items() if value}
    if asked.unit:
        names["label"] += f" ({asked.unit})"
    parts = [names[name] for name in ("country", "label") if name in names]
    if "scenario" in names and "baseline" in names:
        parts.append(f"{names['scenario']} against {names['baseline']}")
    else:
        parts += [names[name] for name in _SCENARIOS if name in names]
    parts += [names["reference"]] if "reference" in names else []
    conditions = asked.conditions(columns, rows)
    parts += conditions.parts
    measure = _measure(chart)
    if measure and rows:
        parts.append(measure)
    if "before" in names:
        parts.append(f"{names['run']} against {names['before']}")
    elif "run" in names:
        parts.append(names["run"])
    return " · ".join([*parts, *conditions.horizon.notes, *asked.reference_notes])


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
