"""Economic evaluations as pictures: the plane, the frontier, an investment case over the years."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ingest.charts.style import (
    BAD,
    GOOD,
    GREY,
    INK,
    LINE,
    NUMBER_AXIS,
    PALETTE,
    WIDTH,
    Spec,
    coloured,
    hover_fields,
    hover_values,
    nominal,
    number_scale,
    numeric,
    styled,
)
from ingest.charts.world_map import draw_classes
from ingest.questions.cost_effectiveness import Status
from ingest.questions.economics import Economics
from ingest.questions.evaluation import NO_THRESHOLD, NOT_WORTH, Evaluation, verdict
from ingest.questions.investment import InvestmentCase, year_rows
from ingest.text.numbers import table_number

_ROOM = 1.15
_WINE = PALETTE[6]
"""Dark enough for texts, too."""
_COLOURS = {"on the frontier": PALETTE[0], "not on it": GREY}


def plane_chart(economics: Economics, evaluation: Evaluation) -> Spec:
    """Extra cost over effect gained of each scenario, with a line for each threshold."""
    rows = [(p, p.against_baseline) for p in evaluation.positions if p.against_baseline]
    points = [
        {
            "x": found.effect,
            "y": found.cost,
            "name": position.strategy.name,
            **_state(position.status),
            **hover_values([position.strategy.name, found.effect, found.cost, found.icer]),
        }
        for position, found in rows
    ]
    x, y = (_around_zero([point[axis] for point in points]) for axis in "xy")
    unit = economics.settings.money or economics.cost.name
    place = {
        "x": _axis("x", economics.effect.gained, x),
        "y": _axis("y", f"Extra cost ({unit})", y),
    }
    layers = [
        {"mark": {"type": "rule", "color": LINE}, "encoding": {"x": {"datum": 0, **_only(x)}}},
        {"mark": {"type": "rule", "color": LINE}, "encoding": {"y": {"datum": 0, **_only(y)}}},
    ]
    layers += [_threshold_line(each.value, str(each.amount), x, y, place)
               for each in evaluation.thresholds if each.value is not None]  # fmt: skip
    layers += _points(place, points, [economics.effect.gained, "Extra cost", "Cost per unit"])
    title = f"{economics.effect.gained} and what they cost, {evaluation.group.title}"
    note = f"against {economics.baseline} · below a dashed line: worth it at that threshold"
    return styled(title, note, {"width": WIDTH, "height": 380, "layer": layers})


def frontier_chart(economics: Economics, evaluation: Evaluation) -> Spec:
    """Cost over effect of all scenarios, gained over the baseline, and the efficiency frontier."""
    base = next(p.strategy for p in evaluation.positions if p.against_baseline is None)
    points = [
        {
            "x": p.strategy.effect - base.effect,
            "y": p.strategy.cost,
            "name": p.strategy.name,
            **_state(p.status),
            **hover_values(
                [p.strategy.name, p.strategy.effect - base.effect, p.strategy.cost,
                 p.step.icer if p.step else p.status.value]
            ),
        }
        for p in evaluation.positions
    ]  # fmt: skip
    x, y = (number_scale([point[axis] for point in points]) for axis in "xy")
    unit = economics.settings.money or economics.cost.name
    place = {"x": _axis("x", economics.effect.gained, x), "y": _axis("y", f"Cost ({unit})", y)}
    line = [point for point in points if point["state"] == "on the frontier"]
    layers: list[Spec] = [
        {
            "data": {"values": line},
            "mark": {"type": "line", "color": PALETTE[0]},
            "encoding": {**place, "order": {"field": "y", "type": "quantitative"}},
        }
    ]
    layers += _points(place, points, [economics.effect.gained, "Cost", "Cost per unit of the step"])
    title = f"The efficiency frontier, {evaluation.group.title}"
    note = "above the line: dearer than a mix of those on it"
    return styled(title, note, {"width": WIDTH, "height": 380, "layer": layers})


_VERDICTS = {
    "cost-saving": GOOD,
    "more effect at the same cost": "#56B4E9",
    NOT_WORTH: BAD,
    "dominated by the baseline": _WINE,
    "no difference": GREY,
    NO_THRESHOLD: LINE,
}
_WORTH = ("#0072B2", "#E69F00", "#CC79A7")


def verdict_map(evaluations: Sequence[Evaluation], scenario: str, shapes: Spec) -> Spec | None:
    """What a scenario is in each country; None where no country has it.

    shapes: where the outlines of the countries come from.
    """
    rows: dict[str, Spec] = {}
    for each in evaluations:
        kind = verdict(each, scenario)
        found = next(p for p in each.positions if p.strategy.name == scenario) if kind else None
        if found and found.against_baseline:
            icer = found.against_baseline.icer
            text = found.against_baseline.mark if icer is None else f"{table_number(icer)}: {kind}"
            rows[each.group.name] = {"kind": kind, **hover_values([each.group.title, text])}
    if not rows:
        return None
    worth = list(dict.fromkeys(r["kind"] for r in rows.values() if r["kind"] not in _VERDICTS))
    amounts = [f"worth it at {each.amount}" for each in evaluations[0].thresholds]
    ordered = [each for each in amounts if each in worth]
    kinds = {each: _WORTH[n % len(_WORTH)] for n, each in enumerate(ordered)}
    present = {row["kind"] for row in rows.values()}
    colours = {k: c for k, c in {**_VERDICTS, **kinds}.items() if k in present}
    first = [k for k in ("cost-saving", *ordered) if k in colours]
    colours = {k: colours[k] for k in [*first, *(k for k in colours if k not in first)]}
    return styled(f"{scenario} in each country", "", draw_classes(rows, colours, shapes))


def investment_chart(economics: Economics, case: InvestmentCase) -> Spec:
    """Net benefit so far, year by year, discounted and not; the break-even year marked."""
    values = [
        {
            "year": row["year"],
            "net": row[f"{prefix}net_so_far"],
            "kind": kind,
            **hover_values([f"{row['year']}, {kind}", row[f"{prefix}net_so_far"]]),
        }
        for row in year_rows(economics, case)
        for prefix, kind in (("", "not discounted"), ("discounted_", "discounted"))
    ]
    nets = [value["net"] for value in values]
    scale = {"domain": list(_around_zero(nets)), "nice": False}
    unit = economics.settings.money or economics.cost.name
    axis = {"format": "d", "tickCount": 8}
    place = {
        "x": numeric("year", title="Year", axis=axis, scale={"zero": False, "nice": False}),
        "y": numeric("net", title=f"Net benefit so far ({unit})", scale=scale, axis=NUMBER_AXIS),
    }
    colours = {"not discounted": GREY, "discounted": PALETTE[0]}
    layers: list[Spec] = [
        {
            "mark": {"type": "rule", "color": LINE},
            "encoding": {"y": {"datum": 0, "type": "quantitative"}},
        },
        {
            "mark": {"type": "line", "point": {"size": 20, "filled": True}},
            "encoding": {
                **place,
                "color": coloured("kind", colours, legend={"title": None, "orient": "bottom"}),
                "tooltip": hover_fields(["", "Net benefit so far"]),
            },
        },
    ]
    year = case.until(economics.years[-1], discounted=True).break_even_year
    layers += _marked_year(year, place["x"]) if year is not None else []
    title = f"{case.scenario} against {economics.baseline}, {case.group.title}"
    size = {"width": WIDTH, "height": 300, "data": {"values": values}}
    return styled(title, "", {**size, "layer": layers})


def _marked_year(year: int, axis: Spec) -> list[Spec]:
    """A line at the year from which on a case is even, with its name."""
    text = {"type": "text", "align": "left", "baseline": "top", "dx": 5, "y": 4, "color": INK}
    rule = {"type": "rule", "color": GOOD, "strokeDash": [4, 4]}
    data = {"values": [{"year": year, "text": f"even from {year}"}]}
    return [
        {"data": data, "mark": rule, "encoding": {"x": axis}},
        {"data": data, "mark": text, "encoding": {"x": axis, "text": nominal("text")}},
    ]


def _state(status: Status) -> dict[str, str]:
    return {"state": "on the frontier" if status is Status.FRONTIER else "not on it"}


def _around_zero(values: Sequence[float]) -> tuple[float, float]:
    """A range with zero in it, and some room for names."""
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    room = (high - low or 1.0) * (_ROOM - 1)
    return (low - room if low else low - room / 3), high + room


def _only(domain: tuple[float, float]) -> Spec:
    return {"type": "quantitative", "scale": {"domain": list(domain), "nice": False}}


def _axis(field: str, title: str, domain: tuple[float, float]) -> Spec:
    axis = {**NUMBER_AXIS, "labelOverlap": "greedy"}
    return numeric(field, title=title, axis=axis, scale={"domain": list(domain), "nice": False})


def _threshold_line(
    value: float, text: str, x: tuple[float, float], y: tuple[float, float], place: Spec
) -> Spec:
    """The line on which the effect is worth just its cost, cut at the edges of the picture."""
    low, high = (max(x[0], min(x[1], edge / value)) for edge in y)
    hover = hover_values([f"{text}: {value:,.0f}"])
    line = {"strokeDash": [5, 4], "color": _WINE}
    name = {"align": "right", "dx": -4, "dy": -6, "color": _WINE, "fontSize": 10, "limit": 160}
    return {
        "data": {"values": [{"x": end, "y": end * value, **hover} for end in (low, high)]},
        "encoding": {**place, "tooltip": hover_fields(["threshold"])},
        "layer": [
            {"mark": {"type": "line", **line}},
            {
                "data": {"values": [{"x": high, "y": high * value, "name": text, **hover}]},
                "mark": {"type": "text", **name},
                "encoding": {"text": nominal("name")},
            },
        ],
    }


def _points(place: Spec, points: Sequence[dict[str, Any]], titles: Sequence[str]) -> list[Spec]:
    """The points, and their names to the side that has room."""
    colour = coloured("state", _COLOURS, legend={"title": None, "orient": "bottom"})
    low, high = place["x"]["scale"]["domain"]
    middle = (low + high) / 2
    marks: list[Spec] = [
        {
            "data": {"values": list(points)},
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0.9},
            "encoding": {**place, "color": colour, "tooltip": hover_fields(["scenario", *titles])},
        }
    ]
    for align, dx, is_right in (("left", 7, False), ("right", -7, True)):
        named = [point for point in points if (point["x"] > middle) is is_right]
        mark = {"type": "text", "align": align, "dx": dx, "dy": -7, "color": INK, "fontSize": 11}
        encoding = {**place, "text": nominal("name")}
        marks.append({"data": {"values": named}, "mark": mark, "encoding": encoding})
    return marks
