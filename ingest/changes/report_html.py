"""A difference as one HTML file that opens offline: no script, nothing loaded, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from ingest.changes.report import Report, SeriesCells
from ingest.changes.summary import SERIES, CausePattern, Direction, LabelSummary, median_text
from ingest.database.states import RunRef
from ingest.study.combination import Combination
from ingest.text.html_page import html_page, html_table, html_text
from ingest.text.numbers import at_most, count_text, percent_text

_LARGEST = 10
_ALL_SERIES = 2_000
_COMBINATIONS = 500
_PATTERNS = 5
_BAR_WIDTH, _BAR_HEIGHT = 1000, 20
_LEAST_WIDTH = 6  # so that the range of one value can be seen


def html_report(report: Report) -> str:
    """The whole page."""
    diff = report.diff
    title = f"What changed from run {diff.before.run_id} to run {diff.after.run_id}"
    return html_page(
        title,
        [
            f'<h1>{escape(title)}</h1>\n<p class="lead">{escape(report.headline)}</p>',
            f'<p class="soft">{_run(diff.before)} → {_run(diff.after)}<br>'
            f"A series counts as changed when {escape(diff.rule)}; a is before, b is after.</p>",
            *_summary(report),
            *_others(report),
            *_all_series(report),
        ],
    )


def _run(run: RunRef) -> str:
    when = run.timestamp[:16].replace("T", " ")
    return f"Run {run.run_id}: commit {escape(run.git_commit[:7])}, {escape(when)} UTC"


def _summary(report: Report) -> Iterator[str]:
    """Warning, patterns, causes, labels and largest changes, each where there are any."""
    for text in report.mixed:
        yield f'<p class="warning">{escape(text)}.</p>'
    if report.warning:
        yield f'<p class="warning"><strong>Warning</strong>: {escape(report.warning)}.</p>'
    if report.accepted.lines:
        shown = "".join(f"<li>{html_text(text)}</li>" for text in report.accepted.lines)
        head = report.accepted.head
        yield f"<h2>Accepted</h2>\n{f'<p>{escape(head)}.</p>' if head else ''}<ul>{shown}</ul>"
    if report.patterns:
        shown = "".join(f"<li>{html_text(text)}</li>" for text in report.patterns[:_PATTERNS])
        yield f"<h2>Pattern</h2>\n<ul>{shown}</ul>"
    more = len(report.patterns) - _PATTERNS
    if more > 0:
        yield f'<p class="soft">… and {count_text(more, "more pattern")}</p>'
    if report.horizons:
        yield f"<p>Years {escape(at_most(report.horizons, _PATTERNS, '; '))}.</p>"
    if report.causes:
        yield f"<h2>Why</h2>\n{_causes_table(report)}"
    if report.labels:
        yield f"<h2>What</h2>\n{_labels_table(report.labels)}"
    largest = report.largest(_LARGEST)
    if largest:
        yield f"<h2>Largest</h2>\n{_series_table(largest)}"


def _causes_table(report: Report) -> str:
    rows = (
        (
            html_text(cause.cause) + _folded(cause),
            f"{cause.combinations:,}",
            f"{cause.countries:,}",
            ", ".join(map(html_text, cause.scenarios)),
        )
        for cause in report.causes
    )
    return html_table(("Cause", "Combinations:", "Countries:", "Scenarios"), rows)


def _folded(cause: CausePattern) -> str:
    """What the line leaves out."""
    changes = [*cause.more, *cause.rest]
    items = "".join(f"<li>{html_text(change)}</li>" for change in changes)
    summary = count_text(len(changes), "further change")
    return f"<details><summary>{summary}</summary><ul>{items}</ul></details>" if changes else ""


def _labels_table(labels: Sequence[LabelSummary]) -> str:
    rows = (
        (
            html_text(label.element_label),
            f"{label.series:,}",
            label.range_text,
            median_text(label),
            f"{label.not_available:,}" if label.not_available else "",
            bar,
        )
        for label, bar in zip(labels, _range_bars(labels), strict=True)
    )
    return html_table(
        ("Label", "Series:", "Relative change:", "Median:", "From zero (n/a):", "Range!"),
        rows,
        "Each series in the year in which it moved most. Bar: from the smallest to the largest "
        "change; thick line: median; thin line: zero. All bars have one scale.",
    )


def _others(report: Report) -> Iterator[str]:
    yield "<h2>Everything else</h2>"
    yield f"<p>{report.equal}.</p>"
    if report.within:
        yield _list(report.within, report.diff.within)
    for title, combinations in report.came_and_went:
        yield _list(title, combinations)


def _list(title: str, combinations: Sequence[Combination]) -> str:
    names = ", ".join(html_text(str(combination)) for combination in combinations[:_COMBINATIONS])
    cut = f" … and {len(combinations) - _COMBINATIONS:,} more"
    more = cut if len(combinations) > _COMBINATIONS else ""
    return f"<details><summary>{escape(title)}</summary><p>{names}{more}</p></details>"


def _all_series(report: Report) -> Iterator[str]:
    number = len(report.diff.series)
    if not number:
        return
    total = count_text(number, SERIES)
    title, note = f"All {total} that changed, came or went", None
    if number > _ALL_SERIES:
        title = f"The first {_ALL_SERIES:,} of {total} that changed, came or went"
        note = "All of them: ingest diff --all --csv"
    table = _series_table(report.series(_ALL_SERIES), note)
    yield f"<details><summary>{title}</summary>\n{table}</details>"


def _series_table(series: Iterable[SeriesCells], note: str | None = None) -> str:
    rows = ((*map(html_text, cells[:3]), *cells[3:]) for cells in series)
    headers = ("Country", "Scenario", "Label", "Year:", "Before:", "After:", "Difference:")
    return html_table((*headers, "Change:"), rows, note)


def _range_bars(labels: Sequence[LabelSummary]) -> list[str]:
    """An SVG for each label, all on one scale that includes zero; empty where there is no change.

    They fill the width of their cell; colours come from the page's style by class.
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
        return (value - low) / width * _BAR_WIDTH

    left, right = sorted((place(label.smallest), place(label.largest)))
    if right - left < _LEAST_WIDTH:
        left = min(max(0.0, (left + right - _LEAST_WIDTH) / 2), _BAR_WIDTH - _LEAST_WIDTH)
        right = left + _LEAST_WIDTH
    kind = {Direction.UP: "up", Direction.DOWN: "down"}.get(label.direction, "mixed")
    title = escape(f"{label.range_text}, median {percent_text(label.median)}")
    zero, middle = place(0.0), place(label.median)
    return (
        f'<svg class="bar" viewBox="0 0 {_BAR_WIDTH} {_BAR_HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{title}"><title>{title}</title>'
        f'<line class="zero" x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="{_BAR_HEIGHT}"/>'
        f'<rect class="{kind}" x="{left:.1f}" y="5" width="{right - left:.1f}" height="10"/>'
        f'<line class="median" x1="{middle:.1f}" x2="{middle:.1f}" y1="2" y2="18"/></svg>'
    )
