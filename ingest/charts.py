"""Charts as Vega-Lite specifications, and their pictures without a browser.

The specifications hold their data and load nothing. Colours: Okabe and Ito's palette, which people
with colour-blindness can tell apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ingest.canned_queries import CannedQuery
from ingest.diff import StateDiff
from ingest.diff_summary import Direction, headline, summarise_labels
from ingest.errors import ConfigError

Spec = dict[str, Any]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#5B616A")
_UP, _DOWN, _MIXED = "#0072B2", "#D55E00", "#5B616A"
_LABELS = 20
_LONG = 12
_STEP = 22
_WIDTH = 560
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_CONFIG = {
    "font": _FONT,
    "background": "white",
    "view": {"stroke": None},
    "axis": {"gridColor": "#e6e8eb", "domainColor": "#9aa1ac", "tickColor": "#9aa1ac",
             "labelColor": "#1c1e21", "titleColor": "#5b616a", "labelLimit": 320},
    "title": {"anchor": "start", "fontSize": 15, "subtitleColor": "#5b616a", "offset": 12},
    "range": {"category": list(PALETTE)},
    "legend": {"labelLimit": 320},
    "mark": {"color": PALETTE[0]},
}  # fmt: skip


def change_chart(diff: StateDiff) -> Spec:
    """Relative change by label: a bar from the smallest to the largest change, a tick the median.

    The labels are those with the largest medians, 20 at most; the subtitle says how many there are.
    """
    labels = [label for label in summarise_labels(diff) if label.median is not None]
    labels.sort(key=lambda label: -abs(label.median or 0.0))
    names = {Direction.UP: "up", Direction.DOWN: "down"}
    values = [
        {
            "label": label.element_label,
            "smallest": label.smallest,
            "largest": label.largest,
            "median": label.median,
            "series": label.series,
            "direction": names.get(label.direction, "both ways"),
        }
        for label in labels[:_LABELS]
    ]
    title = f"What changed from run {diff.before.run_id} to run {diff.after.run_id}"
    if not values:
        return _message(title, headline(diff))
    cut = f"; the {_LABELS} largest of {len(labels)} labels" if len(labels) > _LABELS else ""
    subtitle = f"Relative change of each series; bar: range, tick: median{cut}"
    y = {"field": "label", "type": "nominal", "title": None, "sort": None}
    colour = {
        "field": "direction",
        "type": "nominal",
        "scale": {"domain": ["up", "down", "both ways"], "range": [_UP, _DOWN, _MIXED]},
        "legend": None,
    }
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "rule", "color": "#9aa1ac"}, "encoding": {"x": {"datum": 0}}},
        {
            "mark": {"type": "bar", "height": 8, "opacity": 0.45, "minBandSize": 2},
            "encoding": {"x2": {"field": "largest"}, "x": _share("smallest"), "color": colour},
        },
        {
            "mark": {"type": "tick", "thickness": 3, "size": 14},
            "encoding": {"x": _share("median"), "color": colour},
        },
    ]
    for layer in layers[1:]:
        layer["encoding"] |= {"y": y, "tooltip": _tooltip()}
    return _spec(title, subtitle, {
        "width": _WIDTH, "height": {"step": _STEP}, "data": {"values": values}, "layer": layers,
    })  # fmt: skip


def query_chart(
    query: CannedQuery,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    subtitle: str = "",
    names: Mapping[str, str] | None = None,
) -> Spec:
    """The chart that a canned query declares, of the rows it gave. Raises ConfigError: it has none.

    A list of columns on a channel is one series for each, told apart by colour. names: what to
    call such columns in the legend, where not by their own name.
    """
    if query.chart is None:
        raise ConfigError(f"canned query {query.name} has no chart")
    values = [dict(zip(columns, row, strict=True)) for row in rows]
    if not values:
        return _message(query.title, "No rows. Are country, scenario and label spelled right?")
    body: Spec = {"data": {"values": values}, "mark": {"type": query.chart.mark, "tooltip": True}}
    encoding: Spec = {}
    for channel, named in query.chart.encoding.items():
        if isinstance(named, list):
            body["transform"] = _fold(named, names or {})
            encoding[channel] = {"field": "value", "title": None, **_NUMBER}
            encoding.setdefault("color", _series_colour(named, names or {}))
        elif any(row[named] is not None for row in values):
            encoding[channel] = _channel(channel, named, values, query.chart.mark)
    if not {"x", "y"} <= encoding.keys():
        return _message(query.title, "No numbers in these rows to draw")
    return _spec(query.title, subtitle, {**body, **_laid_out(encoding, len(values))})


def _fold(columns: Sequence[str], names: Mapping[str, str]) -> list[Spec]:
    """Each column becomes a series of its own, under its name for people."""
    renamed = {column: _series_name(column, names) for column in columns}
    known = json.dumps(renamed)
    return [
        {"fold": list(map(_field, columns)), "as": ["column", "value"]},
        {"calculate": f"({known})[datum.column]", "as": "series"},
    ]


def _series_name(column: str, names: Mapping[str, str]) -> str:
    return names.get(column) or column.replace("_", " ")


def _series_colour(columns: Sequence[str], names: Mapping[str, str]) -> Spec:
    """One colour for each series; the baseline is grey."""
    colours = iter(PALETTE)
    chosen = [_MIXED if column.startswith("baseline") else next(colours) for column in columns]
    scale = {"domain": [_series_name(column, names) for column in columns], "range": chosen}
    return {"field": "series", "type": "nominal", "title": None, "scale": scale}


def _laid_out(encoding: Spec, rows: int) -> Spec:
    """Sizes for what is on the axes; many names go to the upright axis, where they can be read."""
    x, y = encoding["x"], encoding["y"]
    if x["type"] == "nominal" and y["type"] == "quantitative" and rows > _LONG:
        x, y = y, x
    wide = {"step": 2 * _STEP} if x["type"] in ("nominal", "ordinal") else _WIDTH
    high = {"step": _STEP} if y["type"] in ("nominal", "ordinal") else 320
    return {"width": wide, "height": high, "encoding": {**encoding, "x": x, "y": y}}


def render_svg(spec: Mapping[str, Any]) -> str:
    """The chart as SVG. Raises ConfigError: vl-convert is not there, or the chart is wrong."""
    return str(_rendered(lambda: _vl_convert().vegalite_to_svg(dict(spec), allowed_base_urls=[])))


def render_png(spec: Mapping[str, Any]) -> bytes:
    """The chart as PNG, twice the size for sharp screens. Raises ConfigError as render_svg does."""
    return bytes(
        _rendered(lambda: _vl_convert().vegalite_to_png(dict(spec), scale=2, allowed_base_urls=[]))
    )


def render_html(spec: Mapping[str, Any]) -> str:
    """The chart as one HTML file with its scripts inside. Raises ConfigError as render_svg does."""
    return str(_rendered(lambda: _vl_convert().vegalite_to_html(dict(spec), bundle=True)))


def _vl_convert() -> Any:
    try:
        import vl_convert
    except ImportError as exc:
        raise ConfigError("vl-convert is not installed: pip install 'ingest[charts]'") from exc
    return vl_convert


def _rendered(render: Callable[[], Any]) -> Any:
    try:
        return render()
    except ValueError as exc:
        reason = " ".join(str(exc).split())[:200]
        raise ConfigError(f"the chart cannot be drawn: {reason}") from exc


def _spec(title: str, subtitle: str, body: Mapping[str, Any]) -> Spec:
    head = {"text": title, **({"subtitle": subtitle} if subtitle else {})}
    return {"$schema": _SCHEMA, "title": head, "config": _CONFIG, **body}


def _message(title: str, message: str) -> Spec:
    """A chart without data says why."""
    return _spec(title, "", {
        "width": _WIDTH, "height": 60, "data": {"values": [{}]},
        "mark": {"type": "text", "align": "left", "x": 0, "text": message,
                 "limit": _WIDTH, "color": "#5b616a"},
    })  # fmt: skip


_SHARE = "datum.value === 0 ? '0 %' : replace(format(datum.value, '+~p'), '%', ' %')"


def _share(field: str) -> Spec:
    axis = {"labelExpr": _SHARE, "orient": "top", "tickCount": 6}
    return {"field": field, "type": "quantitative", "title": None, "axis": axis}


def _tooltip() -> list[Spec]:
    shares = [
        {"field": name, "type": "quantitative", "format": "+.3~p"}
        for name in ("smallest", "median", "largest")
    ]
    return [{"field": "label"}, *shares, {"field": "series", "format": ","}]


def _field(name: str) -> str:
    """A column's name as Vega-Lite takes it literally."""
    return "".join(f"\\{letter}" if letter in ".[]\\'\"" else letter for letter in name)


def _channel(channel: str, name: str, values: Sequence[Mapping[str, Any]], mark: str) -> Spec:
    """How a column goes onto a channel, by what its values are."""
    numbers = [row[name] for row in values if row[name] is not None]
    is_axis = channel in ("x", "y")
    found: Spec = {"field": _field(name), "title": name.replace("_", " ") if is_axis else None}
    if not all(isinstance(number, int | float) for number in numbers):
        return found | {"type": "nominal"} | ({"sort": None} if is_axis else {})
    if not name.endswith("year"):
        return found | (_NUMBER if is_axis else {"type": "quantitative"})
    if mark == "bar":
        return found | {"type": "ordinal"}
    return found | _YEAR


# Big numbers in words: 10 M, 2 bn.
_BIG = "replace(replace(replace(format(datum.value, '~s'), 'G', ' bn'), 'M', ' M'), 'k', ' k')"
_NUMBER = {"type": "quantitative", "axis": {"labelExpr": _BIG}}
_YEAR = {
    "type": "quantitative",
    "title": None,
    "axis": {"format": "d", "tickMinStep": 1},
    "scale": {"zero": False, "nice": False},
}
