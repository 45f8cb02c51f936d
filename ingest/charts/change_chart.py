"""What a difference between two states moved, label by label."""

from __future__ import annotations

from ingest.changes.diff import StateDiff
from ingest.changes.summary import Direction, headline, horizon_texts, summarise_labels
from ingest.charts.style import (
    DOWN,
    LINE,
    MIXED,
    STEP,
    UP,
    WIDTH,
    Spec,
    coloured,
    message_chart,
    nominal,
    numeric,
    styled,
)

_LABELS = 20
_NAMES = {Direction.UP: "up", Direction.DOWN: "down"}
_OTHER = "both ways"
_COLOURS = {"up": UP, "down": DOWN, _OTHER: MIXED}
_SHARE = "datum.value === 0 ? '0 %' : replace(format(datum.value, '+~p'), '%', ' %')"


def change_chart(diff: StateDiff) -> Spec:
    """Relative change by label: a bar from the smallest to the largest change, a tick the median.

    The labels are those with the largest medians, 20 at most; the subtitle says how many there are.
    """
    labels = [label for label in summarise_labels(diff) if label.median is not None]
    labels.sort(key=lambda label: -abs(label.median or 0.0))
    values = [
        {
            "label": label.element_label,
            "smallest": label.smallest,
            "largest": label.largest,
            "median": label.median,
            "series": label.series,
            "direction": _NAMES.get(label.direction, _OTHER),
        }
        for label in labels[:_LABELS]
    ]
    title = f"What changed from run {diff.before.run_id} to run {diff.after.run_id}"
    if not values:
        return message_chart(title, headline(diff))
    cut = f"; the {_LABELS} largest of {len(labels)} labels" if len(labels) > _LABELS else ""
    commits = f"commit {diff.before.git_commit[:7]} to {diff.after.git_commit[:7]}"
    bars = f"Relative change of each series; bar: range, tick: median{cut}"
    years = [f"years {text}" for text in horizon_texts(diff)[:1]]
    subtitle = " · ".join([bars, diff.rule, *years, commits])
    size = {"width": WIDTH, "height": {"step": STEP}}
    return styled(title, subtitle, {**size, "data": {"values": values}, "layer": _layers()})


def _layers() -> list[Spec]:
    """A line at zero, a bar for the range of each label, a tick at its median."""
    shares = [numeric(name, format="+.3~p") for name in ("smallest", "median", "largest")]
    tooltip = [{"field": "label"}, *shares, {"field": "series", "format": ","}]
    label = {"y": nominal("label", title=None, sort=None), "tooltip": tooltip}
    label["color"] = coloured("direction", _COLOURS)
    axis = {"labelExpr": _SHARE, "orient": "top", "tickCount": 6}
    low, middle = (numeric(name, title=None, axis=axis) for name in ("smallest", "median"))
    return [
        {"mark": {"type": "rule", "color": LINE}, "encoding": {"x": {"datum": 0}}},
        {
            "mark": {"type": "bar", "height": 8, "opacity": 0.45, "minBandSize": 2},
            "encoding": {"x": low, "x2": {"field": "largest"}, **label},
        },
        {
            "mark": {"type": "tick", "thickness": 3, "size": 14},
            "encoding": {"x": middle, **label},
        },
    ]
