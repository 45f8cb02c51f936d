"""A difference as Markdown for a pull request: the pattern, the causes, the labels, the largest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from ingest.changes.report import Report
from ingest.changes.summary import COUNTRIES, SERIES, CausePattern, LabelSummary, median_text
from ingest.database.states import RunRef
from ingest.study.combination import Combination
from ingest.text.markdown import entities, escape, markdown_table
from ingest.text.numbers import at_most, count_text

_CAUSES = 5
_LABELS = 9
_PATTERNS = 3
_NAMED = 4


def markdown_report(report: Report, *, limit: int = 10, chart: str | None = None) -> str:
    """The report, under 60 lines with the default limit; ends with a newline.

    limit: most rows of the table of the largest changes. chart: path or address of a picture to
    show.
    """
    diff = report.diff
    lines = [
        f"### {_run(diff.before)} → {_run(diff.after)}",
        "",
        f"**{escape(report.headline)}**",
        "",
        f"Rule: {escape(diff.rule)}",
        "",
    ]
    lines += [line for text in report.mixed for line in (f"> ⚠️ {escape(text)}", "")]
    if report.warning:
        lines += [f"> ⚠️ **Warning**: {escape(report.warning)}", ""]
    if report.accepted.lines:
        lines += [f"**Accepted**: {escape(report.accepted.head or 'nothing')}", ""]
        lines += [*(f"- {escape(text)}" for text in report.accepted.lines), ""]
    if report.patterns:
        lines += [f"- {escape(text)}" for text in report.patterns[:_PATTERNS]]
        lines += [*_more(len(report.patterns) - _PATTERNS, "pattern", "- "), ""]
    if report.horizons:
        lines += [f"- Years {escape(at_most(report.horizons, _PATTERNS, '; '))}", ""]
    if chart:
        lines += [f"![Relative change by label]({quote(chart, safe='/:?=&%.-_~')})", ""]
    if report.causes:
        lines += _causes(report.causes)
    if report.labels:
        lines += _labels(report.labels)
    lines += [*_largest(report, limit), *_others(report)]
    return "\n".join(lines).rstrip() + "\n"


def _run(run: RunRef) -> str:
    when = run.timestamp[:16].replace("T", " ")
    commit = f"`{run.git_commit[:7]}`" if run.git_commit != "unknown" else "no commit"
    return f"Run {run.run_id} ({commit}, {escape(when)} UTC)"


def _causes(causes: Sequence[CausePattern]) -> list[str]:
    rows = (
        (escape(c.cause), f"{c.combinations:,}", f"{c.countries:,}", _some(c.scenarios))
        for c in causes[:_CAUSES]
    )
    table = markdown_table(("Why", "Combinations:", "Countries:", "Scenarios"), rows)
    return [*table, *_folded_causes(causes), ""]


def _folded_causes(causes: Sequence[CausePattern]) -> Iterator[str]:
    """What the table leaves out of its causes, and the causes that it leaves out, each folded."""
    for cause in causes[:_CAUSES]:
        changes = [*cause.more, *cause.rest]
        if changes:
            number = count_text(len(changes), "further change")
            yield _details(f"{number} beside: {cause.cause}", changes)
    others = causes[_CAUSES:]
    if others:
        number = f"{len(others):,} more {_plural(len(others), 'cause')}"
        yield _details(f"… and {number}", ["; ".join([c.cause, *c.more, *c.rest]) for c in others])


def _details(summary: str, texts: Iterable[str]) -> str:
    """A folded list of texts, on one line, with an empty line before it: HTML within Markdown."""
    items = "".join(f"<li>{entities(text)}</li>" for text in texts)
    return f"\n<details><summary>{entities(summary)}</summary><ul>{items}</ul></details>"


def _labels(labels: Sequence[LabelSummary]) -> list[str]:
    rows = (
        (
            escape(label.element_label),
            f"{label.series:,}{_comings(label)}",
            label.range_text,
            median_text(label) + _without_baseline(label),
        )
        for label in labels[:_LABELS]
    )
    table = markdown_table(("What", "Series:", "Relative change:", "Median:"), rows)
    return [*table, *_more(len(labels) - _LABELS, "label"), ""]


def _comings(label: LabelSummary) -> str:
    parts = [
        f"{number:,} {word}"
        for number, word in (
            (label.added, "added"),
            (label.removed, "removed"),
            (label.other_years, "with other years"),
        )
        if number
    ]
    return f" ({', '.join(parts)})" if parts else ""


def _without_baseline(label: LabelSummary) -> str:
    return f" ({label.not_available:,} from zero: n/a)" if label.not_available else ""


def _largest(report: Report, limit: int) -> list[str]:
    shown = report.largest(limit)
    rows = (
        (
            escape(f"{series.country} / {series.scenario}"),
            escape(series.label),
            series.year,
            series.before,
            series.after,
            series.change,
        )
        for series in shown
    )
    headers = ("Largest", "Label", "Year:", "Before:", "After:", "Change:")
    more = sum(series.kind == "changed" for series in report.diff.series) - len(shown)
    return [*markdown_table(headers, rows), *_more(more, SERIES), ""] if shown else []


def _others(report: Report) -> Iterator[str]:
    """What came, went, moved too little to be shown above, or is equal."""
    for text, combinations in report.came_and_went:
        yield f"- {text}: {_named(combinations)}"
    if report.within:
        yield f"- {report.within}"
    yield f"- {report.equal}"


def _named(combinations: Sequence[Combination]) -> str:
    """The combinations where they are few, else their countries and scenarios."""
    if len(combinations) <= _NAMED:
        return escape(", ".join(map(str, combinations)))
    countries = {combination.country for combination in combinations}
    scenarios = sorted({combination.scenario for combination in combinations})
    return f"{count_text(len(countries), COUNTRIES)} under {_some(scenarios)}"


def _some(names: Sequence[str]) -> str:
    more = [f"{len(names) - _NAMED:,} more"] if len(names) > _NAMED else []
    return ", ".join([*map(escape, names[:_NAMED]), *more])


def _more(number: int, noun: str, begin: str = "\n") -> list[str]:
    return [f"{begin}… and {number:,} more {_plural(number, noun)}"] if number > 0 else []


def _plural(number: int, noun: str) -> str:
    return count_text(number, noun).partition(" ")[2]
