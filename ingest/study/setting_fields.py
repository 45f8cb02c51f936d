"""Frozen dataclasses as settings: declared with a default and a sentence, read with clear errors.

A section is a dataclass whose fields are made by setting(). read_section() turns raw values (from
TOML, INGEST_* variables or --set) into one, and tells everything that is wrong at once.
"""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
import types
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ingest.errors import PluginError
from ingest.findings import Finding, error
from ingest.text.names import split_names
from ingest.text.suggest import did_you_mean

Section = TypeVar("Section")


@dataclass(frozen=True)
class FromText:
    """A raw value that arrived as text (a variable, an option) and may be converted."""

    text: str

    def __repr__(self) -> str:
        return repr(self.text)


class TextList(tuple[str, ...]):
    """A list that came as one text with commas: its parts; names() has what is one name in it."""

    text: str

    def __new__(cls, text: str) -> TextList:
        """The parts of a text."""
        parts = super().__new__(cls, filter(None, map(str.strip, _COMMA.split(text))))
        parts.text = text
        return parts


def names_in(setting: Sequence[str], known: Collection[str]) -> Sequence[str]:
    """The names in a setting; in a text with commas, what is a known name as a whole is one."""
    return split_names(setting.text, known) if isinstance(setting, TextList) else setting


def setting(
    default: Any,
    doc: str,
    *,
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    above: float | None = None,
    is_input: bool = False,
    is_query: bool = False,
    key: str = "",
) -> Any:
    """A dataclass field with what the documentation, the checks and the plan need.

    Its type is str, int, float, bool, tuple[str, ...] or tuple[int, ...], or one of these with
    `| None`; or tuple[SECTION, ...] for a list of tables, each read as that dataclass.
    choices: the only words allowed; minimum: smallest value allowed; above: must be larger.
    is_input: it decides numbers, so that a change of it means a re-run. is_query: it does so, in
    [analytics], where the source asks with it (AnalyticsSource.asks_query).
    key: what files call it, where its name is a word of Python.
    """
    limits = {"choices": choices, "minimum": minimum, "above": above}
    marks = {"is_input": is_input, "is_query": is_query, "key": key}
    return dataclasses.field(default=default, metadata={"doc": doc, **limits, **marks})


def section_fields(section: type[Any]) -> tuple[tuple[dataclasses.Field[Any], Any], ...]:
    """Each field of a section with its resolved type. Raises PluginError: it is none that we know.

    Plugins declare sections too, so the message is for their authors.
    """
    if section not in _FIELDS:
        _FIELDS[section] = tuple(_section_fields(section))
    return _FIELDS[section]


_FIELDS: dict[type[Any], tuple[tuple[dataclasses.Field[Any], Any], ...]] = {}
"""Read once, as types do not change and their resolution is slow."""


def _section_fields(section: type[Any]) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    if not dataclasses.is_dataclass(section):
        raise PluginError(f"{_place(section)} must be a dataclass whose fields setting() makes")
    hints = typing.get_type_hints(section)
    for field in dataclasses.fields(section):
        hint = hints[field.name]
        if "doc" not in field.metadata:
            raise PluginError(f"{_place(section)}.{field.name} must be made by setting()")
        if _without_none(hint) not in _TYPE_WORDS and _table_type(hint) is None:
            name = hint.__name__ if isinstance(hint, type) else hint
            raise PluginError(
                f"{_place(section)}.{field.name}: a setting cannot be of type {name}; "
                "use str, int, float, bool or tuple[str, ...], or one of these with | None"
            )
        yield field, hint


def _place(section: type[Any]) -> str:
    return f"{section.__module__}.{section.__qualname__}"


def _without_none(hint: Any) -> Any:
    """The type of a setting that may be None, any other as it is."""
    if typing.get_origin(hint) not in (types.UnionType, typing.Union):
        return hint
    others = [arg for arg in typing.get_args(hint) if arg is not type(None)]
    return others[0] if len(others) == 1 else hint


def input_values(settings: Any, *, asks_query: bool = False) -> dict[str, Any]:
    """The settings of a section that decide numbers: those marked is_input, or is_query where
    they are asked with.
    """
    marks = ("is_input", "is_query") if asks_query else ("is_input",)
    fields = [field for field, _ in section_fields(type(settings))]
    marked = (field.name for field in fields if any(field.metadata[mark] for mark in marks))
    return {name: getattr(settings, name) for name in marked}


def read_section(
    section: type[Section], raw: Mapping[str, Any], name: str, where: str
) -> tuple[Section, list[Finding]]:
    """The section with raw values over its defaults, and what is wrong with them.

    name: the section as written in the file, e.g. "run". where: the file, for messages.
    A wrong value leaves the default in place and is told by a finding.
    """
    fields = {key_of(field): (field, hint) for field, hint in section_fields(section)}
    findings: list[Finding] = []
    values: dict[str, Any] = {}
    for key, value in raw.items():
        full_name = f"{name}.{key}"
        if key not in fields:
            message = f"unknown key {full_name}.{did_you_mean(key, fields)}"
            findings.append(error("unknown-key", where, message))
            continue
        field, hint = fields[key]
        table = _table_type(hint)
        try:
            if table is not None:
                values[field.name], more = _read_tables(table, value, full_name, where)
                findings += more
                continue
            values[field.name] = _checked(_converted(value, hint), field)
        except ValueError as exc:
            findings.append(error("bad-value", where, f"{full_name}: {exc}"))
    return section(**values), findings


def key_of(field: dataclasses.Field[Any]) -> str:
    """What files call a field."""
    return field.metadata["key"] or field.name


def _table_type(hint: Any) -> type[Any] | None:
    """The dataclass of a list of tables, None for any other type."""
    kind = next(iter(typing.get_args(hint)), None)
    return kind if isinstance(kind, type) and dataclasses.is_dataclass(kind) else None


def _read_tables(
    section: type[Any], value: Any, name: str, where: str
) -> tuple[tuple[Any, ...], list[Finding]]:
    """A list of tables. Raises ValueError: it is none."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        keys = ", ".join(f'{field.name} = "..."' for field, _ in section_fields(section))
        raise ValueError(f"a list of tables is needed, [{{{keys}}}], not {value!r}")
    read = [read_section(section, item, name, where) for item in value]
    return tuple(table for table, _ in read), [f for _, found in read for f in found]


def _converted(value: Any, hint: Any) -> Any:
    """The value as the declared type; text is parsed, anything else must fit as it is."""
    plain = _without_none(hint)
    if plain is not hint and (value is None or value == FromText("")):
        return None
    hint = plain
    if isinstance(value, FromText):
        value = _parsed_text(value.text, hint)
    if hint == _TEXTS:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(isinstance(i, str) for i in items):
            raise ValueError(f"{_TYPE_WORDS[hint]} is needed, not {value!r}")
        return items if isinstance(items, TextList) else tuple(items)
    if hint == _WHOLE_NUMBERS:
        numbers = list(value) if isinstance(value, list | tuple) else [value]
        if not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
            raise ValueError(f"{_TYPE_WORDS[hint]} is needed, not {value!r}")
        return tuple(numbers)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{_TYPE_WORDS[hint]} is needed, not {value!r}")
    return value


_TEXTS = tuple[str, ...]
_WHOLE_NUMBERS = tuple[int, ...]
_TYPE_WORDS: dict[Any, str] = {
    _TEXTS: "a list of texts",
    _WHOLE_NUMBERS: "a whole number or a list of them",
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}
_TOML_LIST = re.compile(r"\s*\[\s*([\"']|\])")
# Commas between brackets belong to a JSONPath or a glob.
_COMMA = re.compile(r",(?![^\[]*\])")
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def _parsed_text(text: str, hint: Any) -> Any:
    if hint == _TEXTS:
        return _parsed_list(text)
    if hint == _WHOLE_NUMBERS:
        parts = [part.strip() for part in text.strip("[] ").split(",") if part.strip()]
        return [*map(int, parts)] if all(map(str.isdecimal, parts)) else text
    if hint is bool:
        return _TRUTH.get(text.casefold(), text)
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            return text
    return text


def _parsed_list(text: str) -> Any:
    """The list in a text: one as in TOML, or names with commas between."""
    if not _TOML_LIST.match(text):
        return TextList(text)
    try:
        return tomllib.loads(f"list = {text}")["list"]
    except tomllib.TOMLDecodeError as exc:
        raise ValueError(f"{text} is no list of texts as in TOML: {exc}") from exc


def _checked(value: Any, field: dataclasses.Field[Any]) -> Any:
    choices, minimum = field.metadata["choices"], field.metadata["minimum"]
    above = field.metadata["above"]
    if value is None:
        return value
    for item in value if isinstance(value, tuple) else (value,):
        if choices and item not in choices:
            known = ", ".join(choices)
            raise ValueError(f"{item!r} is not one of {known}.{did_you_mean(str(item), choices)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"a finite number is needed, not {value!r}")
    if minimum is not None and not value >= minimum:
        raise ValueError(f"must be at least {minimum:g}, not {value!r}")
    if above is not None and not value > above:
        raise ValueError(f"must be more than {above:g}, not {value!r}")
    return value
