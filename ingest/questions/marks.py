"""The marks that a chart can have. The package charts draws each, under the same name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """One kind of chart. needed: its channels that have to have a column.

    number: the channel of the numbers that are shown. editor: the mark of datasette-vega that comes
    nearest. channels: what each channel takes, for docs.
    """

    needed: tuple[str, ...]
    number: str
    editor: str
    channels: str


MARKS = {
    "bar": Mark(
        needed=("x", "y"),
        number="x",
        editor="bar",
        channels="`x` the number, or a list that is stacked, or `count()`; `y` what the bars are; "
        "`color` groups",
    ),
    "line": Mark(
        needed=("x", "y"),
        number="y",
        editor="line",
        channels="`x` a year or run, `y` one column or a list, one line for each; or `color` with "
        "the column that tells lines apart",
    ),
    "map": Mark(
        needed=("country", "value"),
        number="value",
        editor="bar",
        channels="`country` an ISO3 column, `value` the number",
    ),
    "point": Mark(
        needed=("x", "y"),
        number="y",
        editor="circle",
        channels="`x` and `y`, `name` for each point; `low` and `high` the ends of an interval of "
        "`x`",
    ),
}
