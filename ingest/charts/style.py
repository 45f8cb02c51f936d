"""How charts look: colours that colour-blind eyes can tell apart, fonts, numbers, years."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ingest.study.scenario_order import BASELINES
from ingest.text.json_text import json_text
from ingest.text.numbers import MINUS, in_full

Spec = dict[str, Any]

# Okabe and Ito's colours that are dark enough for white paper, and wine from Paul Tol's.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#882255")
GREY = "#5B616A"
FAINT = "#B4B9C1"
UP, DOWN, MIXED = PALETTE[0], PALETTE[1], GREY
GOOD, BAD = PALETTE[2], PALETTE[1]
JUDGED = {"better": GOOD, "worse": BAD}
"""The colours of differences that are good and bad, on every chart."""
INK = "#1c1e21"
LINE = "#9aa1ac"

WIDTH = 560
HEIGHT = 320
STEP = 22
_TITLE_LETTERS = 68
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
_CONFIG = {
    "font": _FONT,
    "background": "white",
    "view": {"stroke": None},
    "axis": {"gridColor": "#e6e8eb", "domainColor": LINE, "tickColor": LINE,
             "labelColor": INK, "titleColor": GREY, "labelLimit": 220, "labelFontSize": 12},
    "title": {"anchor": "start", "fontSize": 15, "subtitleColor": GREY, "subtitleFontSize": 12,
              "offset": 14, "color": INK},
    "range": {"category": list(PALETTE)},
    "legend": {"labelLimit": 220, "labelColor": INK, "titleColor": GREY},
    "mark": {"color": PALETTE[0]},
    "text": {"color": INK, "fontSize": 12},
}  # fmt: skip


def scenario_colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each scenario of a study, the same on every chart; the baseline is grey.

    The baseline is `null`, else `baseline`, where there is one. From the eighth scenario on the
    colours begin again.
    """
    ordered = sorted(set(names))
    baseline = next((name for name in BASELINES if name in ordered), None)
    others = [name for name in ordered if name != baseline]
    colours = {name: PALETTE[n % len(PALETTE)] for n, name in enumerate(others)}
    return {**({baseline: GREY} if baseline else {}), **colours}


def styled(title: str, subtitle: str, body: Mapping[str, Any]) -> Spec:
    """A whole specification; long titles are broken into lines."""
    head: Spec = {"text": _lines(title, _TITLE_LETTERS)}
    if subtitle:
        head["subtitle"] = _lines(subtitle, _TITLE_LETTERS * 5 // 4)
    return {"$schema": _SCHEMA, "title": head, "config": _CONFIG, **body}


def _lines(text: str, letters: int) -> str | list[str]:
    lines = textwrap.wrap(text, letters)
    return lines if len(lines) > 1 else text


def message_chart(title: str, message: str) -> Spec:
    """A chart without data says why."""
    return styled(title, "", {
        "width": WIDTH, "height": 60, "data": {"values": [{}]},
        "mark": {"type": "text", "align": "left", "x": 0, "text": message, "limit": WIDTH,
                 "color": GREY},
    })  # fmt: skip


def column_title(name: str, names: Mapping[str, str] | None = None) -> str:
    """What people call a column."""
    return (names or {}).get(name) or name.replace("_", " ")


def exact_text(value: Any) -> str:
    """A value in a hover text: 10,612,346; 0.0312; texts as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    size = f"{abs(value):.6g}" if abs(value) < 1000 else in_full(abs(value), 0)
    return (MINUS if value < 0 else "") + size


def judged(better: str, difference: float) -> Spec:
    """The field of a mark that says whether its difference is good; better: lower or higher."""
    is_good = difference <= 0 if better == "lower" else difference >= 0
    return {"judged": "better" if is_good else "worse"}


# Big numbers in words: 10 M, 2 bn; small ones as they are, for "m" would be read as million.
_SHORT = (
    "abs(datum.value) < 1 ? format(datum.value, '.3~g') : "
    "replace(replace(replace(replace(format(datum.value, '.4~s'), 'T', ' tn'), 'G', ' bn'),"
    " 'M', ' M'), 'k', ' k')"
)
NUMBER_AXIS: Spec = {"labelExpr": _SHORT, "tickCount": 5}


def number_scale(values: Sequence[float]) -> tuple[float, float]:
    """The range of an axis: with zero where that does not flatten what is shown."""
    low, high = min(values), max(values)
    if low > 0 and low < 0.6 * high:
        low = 0.0
    elif high < 0 and high > 0.6 * low:
        high = 0.0
    if low == high:
        return (low - abs(low) * 0.05, high + abs(high) * 0.05) if high else (0.0, 1.0)
    room = (high - low) * 0.04
    return (low - room if low else low), (high + room if high else high)


def numeric(field: str, **more: Any) -> Spec:
    """The encoding of a field that holds numbers."""
    return {"field": field, "type": "quantitative", **more}


def nominal(field: str, **more: Any) -> Spec:
    """The encoding of a field that holds names."""
    return {"field": field, "type": "nominal", **more}


def coloured(field: str, colours: Mapping[str, str], **more: Any) -> Spec:
    """The encoding of a field by a colour for each of its names; without a legend."""
    scale = {"domain": list(colours), "range": list(colours.values())}
    return nominal(field, **{"legend": None, "scale": scale, **more})


def hover_fields(titles: Sequence[str]) -> list[Spec]:
    """The encoding of hover_values(), each under its title."""
    return [nominal(f"t{n}", title=_in_quotes(title) or " ") for n, title in enumerate(titles)]


def _in_quotes(title: str) -> str:
    """A title for an expression's text: Vega-Lite escapes quotes in it, and nothing else."""
    return " ".join(title.replace("\\", "\\\\").splitlines())


def hover_values(texts: Sequence[Any]) -> Spec:
    """The texts to show while the pointer is over a mark, in the fields t0, t1, ..."""
    return {f"t{n}": exact_text(text) for n, text in enumerate(texts)}


def as_json(spec: Mapping[str, Any]) -> str:
    """A specification for a script element: no letter in it can end the element."""
    text = json_text(spec, ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
