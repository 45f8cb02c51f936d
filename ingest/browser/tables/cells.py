"""One cell of a table for people: links, states, times and numbers instead of raw text.

Everything that comes from a database is escaped here, in texts and in attributes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

from ingest.browser import states
from ingest.browser.links import Links, encode
from ingest.browser.own_database import own_tables
from ingest.database.records import read_notes
from ingest.text.numbers import count_text, exact_number, percent_text, table_number
from ingest.text.times import duration_text, moment_text

# Numbers by their columns' names where the table is not known: in somebody's SQL.
_VALUES = frozenset(
    {
        "value", "before_value", "after_value", "absolute_change", "before_sum", "after_sum",
        "baseline_value", "scenario_value", "model_value", "reference_value", "difference",
    }
)  # fmt: skip
CHANGES = frozenset({"difference", "change", "absolute_change"})
RUNS = frozenset({"run_id", "last_run", "before_run", "after_run"})
TIMES = frozenset({"timestamp", "submitted_at", "completed_at", "finished_at"})
_NAMES_OF_NUMBERS = re.compile(r"(.*_)?(year|id)|attempts|rowid")
_SHOWN_ENTRIES = 3

Row = Any
"""A row as Datasette has it: values by column; keys() lists the columns."""


@dataclass(frozen=True)
class CellContext:
    """What the cells of one database need. countries: ISO3 code -> name, else the code."""

    links: Links
    countries: Mapping[str, str] = field(default_factory=dict)


def render_value(
    context: CellContext, column: str, value: Any, row: Row, table: str | None
) -> Markup | None:
    """A value as HTML; None where it is shown as it is.

    value: as in the row, or Datasette's {"value", "label"} of a foreign key. table: None for SQL.
    """
    own = table in own_tables()
    if value is None or value == "" or not (own or table is None):
        return None
    if own and (column in _OTHER_ROWS or (table, column) == ("countries", "name")):
        return _own_link(context, column, value, row)
    renderer = _BY_COLUMN.get(column)
    if renderer is not None:
        return renderer(context, plain_value(value), row)
    if own or column in _VALUES:
        return _number(column, value)
    return None


def may_render(column: str, value: Any, table: str | None) -> bool:
    """Whether render_value() may have something to say; quickly, before a database is asked."""
    if table is None:
        return column in _BY_COLUMN or column in _VALUES
    return table in own_tables() and value is not None


def plain_value(value: Any) -> Any:
    """A value without the label that Datasette puts to a foreign key."""
    return value["value"] if isinstance(value, dict) else value


def is_plain_number(column: str) -> bool:
    """Whether a column's numbers are names: years and ids, which have no separators."""
    return _NAMES_OF_NUMBERS.fullmatch(column) is not None


# --- links ---------------------------------------------------------------------------------------


def country_cell(context: CellContext, value: Any, row: Row) -> Markup | None:
    """Kenya (KEN), or only the code where the row has the name as well, linked to its page."""
    name = context.countries.get(value) if isinstance(value, str) else None
    if name is None:
        return None
    is_named = name == value or "name" in set(row.keys())
    words = value if is_named else f"{name} ({value})"
    return _link(context.links.country(value), words)


def run_cell(context: CellContext, value: Any, row: Row) -> Markup | None:
    """The number of a run, linked to its page."""
    if not _is_run(value):
        return None
    return Markup(f'<a href="{escape(context.links.run(value))}">{value}</a>')


def job_cell(context: CellContext, value: Any, row: Row) -> Markup | None:
    """A job's ULID, linked to its page where the row says which job it is of."""
    if not isinstance(value, str):
        return None
    code = Markup(f'<code class="cell-code">{escape(value)}</code>')
    names = row.keys()
    if not {"run_id", "country", "scenario"} <= set(names):
        return code
    run_id, country, scenario = (
        plain_value(row[name]) for name in ("run_id", "country", "scenario")
    )
    if not (_is_run(run_id) and country and scenario):
        return code
    url = context.links.job(run_id, str(country), str(scenario))
    return Markup(f'<a href="{escape(url)}">{code}</a>')


# The tables whose row a number names.
_OTHER_ROWS = {
    "input_set_id": "input_sets",
    "result_set_id": "result_sets",
    "element_id": "elements",
}


def _own_link(context: CellContext, column: str, value: Any, row: Row) -> Markup | None:
    if column == "name":
        code = row["iso3"]
        return _link(context.links.country(code), value) if code in context.countries else None
    number = plain_value(value)
    words = value["label"] if isinstance(value, dict) else number
    return _link(f"{context.links.table(_OTHER_ROWS[column])}/{encode(str(number))}", words)


def _link(url: str, words: Any) -> Markup:
    return Markup(f'<a href="{escape(url)}"><bdi>{escape(words)}</bdi></a>')


def _is_run(value: Any) -> bool:
    return type(value) is int and 0 <= value < 10**15


# --- states, times, names ------------------------------------------------------------------------


def state_cell(context: CellContext, value: Any, row: Row) -> Markup | None:
    """A state's mark and word, as in the macro `badge` of templates/_parts.html."""
    if not isinstance(value, str) or value not in states.STATE_MARKS:
        return None
    mark, word = states.state_mark(value), states.state_word(value)
    mark = f'<span aria-hidden="true">{mark}</span>'
    return Markup(f'<span class="badge is-{value}">{mark} {word}</span>')


def severity_cell(context: CellContext, value: Any, row: Row) -> Markup | None:
    """error or warning as a badge."""
    if value not in ("error", "warning"):
        return None
    return Markup(f'<span class="badge is-{value}">{value}</span>')


def time_cell(context: CellContext, value: Any, row: Row) -> Markup | None:
    """24 Nov 2026, 09:14; the whole time on hover."""
    is_time = isinstance(value, str) and len(value) >= 16 and value[10] in "T "
    text = moment_text(value) if is_time else ""
    if not text:
        return None
    whole = escape(value)
    return Markup(f'<time datetime="{whole}" title="{whole}">{text}</time>')


def _shortened(pattern: str, length: int) -> _Renderer:
    """Shows the first digits of a commit or digest; the whole on hover."""

    def cell(context: CellContext, value: Any, row: Row) -> Markup | None:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            return None
        return Markup(f'<code title="{value}">{value[:length]}</code>')

    return cell


# --- numbers -------------------------------------------------------------------------------------


def duration_cell(context: CellContext, value: Any, row: Row) -> Markup | None:
    """2 min 05 s; the seconds on hover."""
    if not _is_number(value):
        return None
    return _figure(duration_text(value), f"{exact_number(value)} s")


def share_cell(context: CellContext, value: Any, row: Row) -> Markup | None:
    """A share as percent: +1.34 %."""
    return _figure(percent_text(value), exact_number(value)) if _is_number(value) else None


def _number(column: str, value: Any) -> Markup | None:
    if not _is_number(value) or is_plain_number(column):
        return None
    text = table_number(value, signed=column in CHANGES)
    return _figure(text, exact_number(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _figure(text: str, exact: str) -> Markup:
    title = f' title="{exact}"' if exact != text else ""
    return Markup(f'<span class="cell-number"{title}>{text}</span>')


# --- texts ---------------------------------------------------------------------------------------


def error_cell(context: CellContext, value: Any, row: Row) -> Markup | None:
    """The first line of a text; what follows can be opened."""
    if not isinstance(value, str):
        return None
    first, _, rest = value.strip().partition("\n")
    if not rest.strip():
        return Markup(f'<span class="cell-text">{escape(first)}</span>')
    return Markup(
        f'<details class="cell-text"><summary>{escape(first)}</summary>'
        f"<pre>{escape(rest)}</pre></details>"
    )


def list_cell(context: CellContext, value: Any, row: Row) -> Markup | None:
    """The entries of a JSON array of texts, a long one closed."""
    try:
        entries = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        return None
    return _listed(entries) if entries else Markup('<span class="quiet">none</span>')


def notes_cell(context: CellContext, value: Any, row: Row) -> Markup | None:
    """Several notes as a list, a long one closed."""
    notes = read_notes(value) if isinstance(value, str) else ()
    return _listed(notes) if len(notes) > 1 else None


def _listed(entries: Sequence[str]) -> Markup:
    items = "".join(f"<li>{escape(entry)}</li>" for entry in entries)
    listed = f'<ul class="cell-list">{items}</ul>'
    if len(entries) <= _SHOWN_ENTRIES:
        return Markup(listed)
    words = count_text(len(entries), "entry|entries")
    return Markup(f"<details><summary>{words}</summary>{listed}</details>")


_Renderer = Callable[[CellContext, Any, Row], Markup | None]
_BY_COLUMN: dict[str, _Renderer] = {
    "country": country_cell,
    "iso3": country_cell,
    **dict.fromkeys(RUNS, run_cell),
    "ulid": job_cell,
    "status": state_cell,
    "job_status": state_cell,
    "last_status": state_cell,
    "severity": severity_cell,
    **dict.fromkeys(TIMES, time_cell),
    "git_commit": _shortened(r"[0-9a-f]{7,64}", 7),
    **dict.fromkeys(
        ("digest", "input_digest", "document_digest", "model_digest", "scenario_digest",
         "code_digest", "query_digest"),
        _shortened(r"[0-9a-f]{16,128}", 12),
    ),
    "duration_s": duration_cell,
    "relative_change": share_cell,
    "error": error_cell,
    "notes": notes_cell,
    "dirty_files": list_cell,
}  # fmt: skip
