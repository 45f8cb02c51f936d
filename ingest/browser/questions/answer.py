"""The answer of a question in one sentence: a template of words over its rows.

A template is Jinja in a sandbox. It sees `rows` (a mapping for each), every parameter as people
call its value, and the functions and filters below. What it gives is text, never markup.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ingest.errors import ConfigError
from ingest.questions.model_fit import fit_of
from ingest.questions.wording import (
    NO_LABEL,
    Wording,
    higher_text,
    joined,
    more_text,
    over_countries_text,
    over_years_text,
)
from ingest.study.label import Label
from ingest.text.numbers import (
    count_text,
    exact_sum,
    percent_text,
    quantity_text,
    signed_quantity_text,
    years_text,
)
from ingest.text.times import duration_text, moment_text

Row = Mapping[str, Any]


def answer_text(
    template: str,
    names: Mapping[str, str],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    label: Label = NO_LABEL,
) -> str:
    """The sentence that a template makes of the rows, on one line.

    names: the parameters' values as people call them. label: the one that is asked about. Raises
    ConfigError: the template is wrong.
    """
    from jinja2 import TemplateError

    records = [dict(zip(columns, row, strict=True)) for row in rows]
    try:
        text = _compiled(template).render(
            {**names, "rows": records, **_functions(records), **_words(records, names, label)}
        )
    except (TemplateError, TypeError, ValueError, LookupError) as exc:
        raise ConfigError(f"the answer {template!r:.80} cannot be written: {exc}") from exc
    return " ".join(text.split())


@lru_cache(maxsize=256)
def _compiled(template: str) -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(autoescape=False, undefined=StrictUndefined)
    environment.filters.update(_FILTERS)
    return environment.from_string(template)


def _functions(rows: Sequence[Row]) -> dict[str, Callable[..., Any]]:
    """What a template can ask of its rows by the name of a column."""

    def numbers(column: str) -> list[Row]:
        return [row for row in rows if row[column] is not None]

    def total(column: str) -> float:
        return exact_sum([row[column] for row in numbers(column)])

    return {
        "total": total,
        "first": lambda column: rows[0][column],
        "last": lambda column: rows[-1][column],
        "highest": lambda column: max(numbers(column), key=lambda row: row[column]),
        "lowest": lambda column: min(numbers(column), key=lambda row: row[column]),
        "share": share,
        "percent_of": percent_of,
        "fit": lambda: fit_of(rows),
    }


def _words(rows: Sequence[Row], names: Mapping[str, str], label: Label) -> dict[str, Any]:
    """What a template can ask of its label: how it adds up, and the words for its differences."""
    wording = Wording(label, names.get("scenario", ""), names.get("baseline", ""))
    together = over_countries_text(label)

    def over_years(first: int | None = None, last: int | None = None, each: bool = False) -> str:
        if each and first and last:
            return f"in each year, {years_text(range(first, last + 1))},"
        return over_years_text(label, first, last)

    def against(row: Row) -> str:
        if not row["difference"]:
            return ""
        percent = "" if row["percent"] is None else f" ({percent_text(row['percent'] / 100)})"
        return f", {higher_text(row['difference'])} than under {wording.baseline}{percent}"

    return {
        "adds_years": label.over_years == "sum",
        "adds_countries": label.over_countries == "sum",
        "over_years": over_years,
        "over_countries": f", {together}" if together else "",
        "change": wording.change,
        "at": lambda year: f"{'by' if label.kind == 'cumulative' else 'in'} {year}",
        "spread": lambda names, column: wording.spread(names, column, rows),
        "extremes": lambda names, column: wording.extremes(names, column, rows),
        "against": against,
    }


def share(part: float, whole: float) -> float | None:
    """part / |whole|, None where that is no number."""
    return part / abs(whole) if whole else None


def percent_of(part: float, whole: float) -> str:
    """A part in per cent of |whole|, in brackets after a blank; nothing where whole is 0."""
    known = share(part, whole)
    return "" if known is None else f" ({percent_text(known)})"


def times_text(factor: float | None) -> str:
    """0.87 times; no figure for None."""
    return "no figure" if factor is None else f"{quantity_text(factor)} times"


def tally(rows: Iterable[Row], column: str) -> list[tuple[Any, int]]:
    """Each value of a column and in how many rows it is, the most frequent first."""
    return Counter(row[column] for row in rows).most_common()


def last_of_each(rows: Iterable[Row], column: str) -> list[Row]:
    """The last row of each value of a column."""
    return list({row[column]: row for row in rows}.values())


def first_line(text: str) -> str:
    """The first line of a text, shortened to what fits into a sentence."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= 160 else line[:159] + "…"


_FILTERS: dict[str, Callable[..., Any]] = {
    "quantity": quantity_text,
    "signed": signed_quantity_text,
    "percent": percent_text,
    "times": times_text,
    "count": count_text,
    "thousands": lambda number: f"{number:,}",
    "more": more_text,
    "higher": higher_text,
    "tally": tally,
    "last_of_each": last_of_each,
    "values": joined,
    "first_line": first_line,
    "duration": duration_text,
    "date": lambda timestamp: moment_text(timestamp).partition(",")[0],
    "capitalize_first": lambda text: text[:1].upper() + text[1:],
}
