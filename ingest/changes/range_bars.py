"""Small inline SVG pictures for an HTML table: the range of changes as a bar, the median a tick."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ingest.changes.summary import Direction, LabelSummary
from ingest.text.numbers import percent_text

_WIDTH = 1000
_HEIGHT = 20
_LEAST = 6  # so that a range of one value is seen


def range_bars(labels: Sequence[LabelSummary]) -> list[str]:
    """An SVG for each label, all on one scale that includes zero; empty where there is no change.

    They stretch to the width of their cell; colours come from the page's style by class.
    """
    ends = [
        end for label in labels for end in (label.smallest, label.largest, 0.0) if end is not None
    ]
    low, high = min(ends, default=0.0), max(ends, default=0.0)
    width = (high - low) or 1.0
    return [_bar(label, low, width) for label in labels]


def _bar(label: LabelSummary, low: float, width: float) -> str:
    if label.smallest is None or label.largest is None or label.median is None:
        return ""

    def place(value: float) -> float:
        return (value - low) / width * _WIDTH

    left, right = sorted((place(label.smallest), place(label.largest)))
    if right - left < _LEAST:
        left = min(max(0.0, (left + right - _LEAST) / 2), _WIDTH - _LEAST)
        right = left + _LEAST
    kind = {Direction.UP: "up", Direction.DOWN: "down"}.get(label.direction, "mixed")
    title = escape(f"{label.range_text}, median {percent_text(label.median)}")
    zero, middle = place(0.0), place(label.median)
    return (
        f'<svg class="bar" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{title}"><title>{title}</title>'
        f'<line class="zero" x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="{_HEIGHT}"/>'
        f'<rect class="{kind}" x="{left:.1f}" y="5" width="{right - left:.1f}" height="10"/>'
        f'<line class="median" x1="{middle:.1f}" x2="{middle:.1f}" y1="2" y2="18"/></svg>'
    )
