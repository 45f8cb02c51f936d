"""A difference as one HTML file that opens offline: no script, nothing loaded, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from ingest.changes.diff import SeriesChange, StateDiff
from ingest.changes.range_bars import range_bars
from ingest.changes.summary import (
    SERIES,
    headline,
    largest,
    nondeterministic_warning,
    summarise_causes,
    summarise_labels,
    summarise_patterns,
)
from ingest.database.states import RunRef
from ingest.study.combination import Combination
from ingest.text.numbers import count_text, percent_text, quantity_text, signed_quantity_text

_LARGEST = 10
_ALL_SERIES = 2_000
_COMBINATIONS = 500

_STYLE = """
:root { color-scheme: light dark; --text: #1c1e21; --soft: #5b616a; --line: #d9dce1;
  --ground: #fff; --box: #f5f6f8; --up: #0072b2; --down: #c2410c; --mixed: #6b7280; }
@media (prefers-color-scheme: dark) { :root { --text: #e8eaed; --soft: #a3a9b3; --line: #3a3f47;
  --ground: #16181c; --box: #1f2227; --up: #56b4e9; --down: #f0894a; --mixed: #9aa1ac; } }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 62rem; background: var(--ground);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.45rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.lead { font-size: 1.1rem; }
.soft, caption { color: var(--soft); font-size: .9rem; }
.warning { border-left: .3rem solid var(--down); background: var(--box); padding: .6rem .8rem; }
.box { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: start; padding-bottom: .4rem; }
th, td { text-align: start; vertical-align: top; padding: .35rem .7rem .35rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
th { color: var(--soft); font-weight: 600; font-size: .9rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.picture { min-width: 9rem; width: 30%; vertical-align: middle; }
.bar { display: block; width: 100%; height: 1.25rem; }
.bar line { vector-effect: non-scaling-stroke; stroke-width: 1; stroke: var(--soft); }
.bar .median { stroke: var(--text); stroke-width: 2; }
.up { fill: var(--up); } .down { fill: var(--down); } .mixed { fill: var(--mixed); }
summary { cursor: pointer; padding: .4rem 0; }
"""


def html_report(diff: StateDiff, *, study_countries: int | None = None) -> str:
    """The whole page; study_countries: how many there are, so that all of them are called so."""
    title = f"What changed from run {diff.before.run_id} to run {diff.after.run_id}"
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
            f'<h1>{escape(title)}</h1>\n<p class="lead">{escape(headline(diff))}</p>',
            f'<p class="soft">{_run(diff.before)} → {_run(diff.after)}<br>'
            f"A series counts as changed when {escape(diff.rule)}; a is before, b is after.</p>",
            *_warning(diff),
            *_patterns(diff, study_countries),
            *_causes(diff),
            *_labels(diff),
            *_largest(diff),
            *_rest(diff),
            *_all_series(diff),
            "</body>\n</html>\n",
        ]
    )


def _run(run: RunRef) -> str:
    when = run.timestamp[:16].replace("T", " ")
    return f"Run {run.run_id}: commit {escape(run.git_commit[:7])}, {escape(when)} UTC"


def _text(text: str) -> str:
    """A name that may be in any script, kept from changing the direction of what is around it."""
    return f"<bdi>{escape(text)}</bdi>"


def _warning(diff: StateDiff) -> Iterator[str]:
    warning = nondeterministic_warning(diff)
    if warning:
        yield f'<p class="warning"><strong>Warning</strong>: {escape(warning)}.</p>'


def _patterns(diff: StateDiff, study_countries: int | None) -> Iterator[str]:
    patterns = summarise_patterns(diff) if diff.series else []
    if patterns:
        shown = "".join(f"<li>{_text(p.text(study_countries))}</li>" for p in patterns[:5])
        yield f"<h2>Pattern</h2>\n<ul>{shown}</ul>"
    if len(patterns) > 5:
        yield f'<p class="soft">… and {count_text(len(patterns) - 5, "more pattern")}</p>'


def _causes(diff: StateDiff) -> Iterator[str]:
    if not diff.changed:
        return
    rows = [
        (
            _text(cause.cause),
            f"{cause.combinations:,}",
            f"{cause.countries:,}",
            ", ".join(map(_text, cause.scenarios)),
        )
        for cause in summarise_causes(diff)
    ]
    yield "<h2>Why</h2>"
    yield _table(("Cause", "Combinations:", "Countries:", "Scenarios"), rows)


def _labels(diff: StateDiff) -> Iterator[str]:
    labels = summarise_labels(diff) if diff.series else []
    if not labels:
        return
    rows = [
        (
            _text(label.element_label),
            f"{label.series:,}",
            label.range_text,
            percent_text(label.median),
            f"{label.not_available:,}" if label.not_available else "",
            bar,
        )
        for label, bar in zip(labels, range_bars(labels), strict=True)
    ]
    yield "<h2>What</h2>"
    yield _table(
        ("Label", "Series:", "Relative change:", "Median:", "From zero (n/a):", "Range!"),
        rows,
        "Each series in the year in which it moved most. Bar: from the smallest to the largest "
        "change; thick line: median; thin line: zero. All bars have one scale.",
    )


def _largest(diff: StateDiff) -> Iterator[str]:
    shown = largest(diff, _LARGEST)
    if shown:
        yield "<h2>Largest</h2>"
        yield _series_table(shown)


def _rest(diff: StateDiff) -> Iterator[str]:
    yield "<h2>Everything else</h2>"
    yield f"<p>{count_text(diff.equal, 'combination')} equal to the last digit.</p>"
    for combinations, text in (
        (diff.within, "with other numbers within the tolerance"),
        (diff.added, "added"),
        (diff.removed, "removed"),
    ):
        if combinations:
            yield _list(f"{count_text(len(combinations), 'combination')} {text}", combinations)


def _list(title: str, combinations: Sequence[Combination]) -> str:
    names = ", ".join(_text(str(combination)) for combination in combinations[:_COMBINATIONS])
    cut = f" … and {len(combinations) - _COMBINATIONS:,} more"
    more = cut if len(combinations) > _COMBINATIONS else ""
    return f"<details><summary>{escape(title)}</summary><p>{names}{more}</p></details>"


def _all_series(diff: StateDiff) -> Iterator[str]:
    if not diff.series:
        return
    total = count_text(len(diff.series), SERIES)
    title = f"All {total} that changed, came or went"
    note = None
    if len(diff.series) > _ALL_SERIES:
        title = f"The first {_ALL_SERIES:,} of {total} that changed, came or went"
        note = "All of them: ingest diff --all --csv"
    table = _series_table(diff.series[:_ALL_SERIES], note)
    yield f"<details><summary>{title}</summary>\n{table}</details>"


def _series_table(series: Sequence[SeriesChange], note: str | None = None) -> str:
    rows = (
        (
            _text(one.country),
            _text(one.scenario),
            _text(one.element_label),
            str(one.largest_year if one.largest_year is not None else ""),
            quantity_text(one.before),
            quantity_text(one.after),
            signed_quantity_text(one.absolute),
            percent_text(one.relative) if one.kind == "changed" else one.kind,
        )
        for one in series
    )
    headers = ("Country", "Scenario", "Label", "Year:", "Before:", "After:", "Difference:")
    return _table((*headers, "Change:"), rows, note)


def _table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], caption: str | None = None
) -> str:
    """A table of cells that are HTML; a header ends with : for numbers and with ! for pictures."""
    classes = [_CLASSES.get(header[-1], "") for header in headers]
    names = [header.rstrip(":!") for header in headers]
    lines = [f"<caption>{escape(caption)}</caption>"] if caption else []
    head = "".join(
        f'<th scope="col"{kind}>{name}</th>' for name, kind in zip(names, classes, strict=True)
    )
    lines += [f"<thead><tr>{head}</tr></thead>", "<tbody>"]
    for row in rows:
        cells = "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row, classes, strict=True))
        lines.append(f"<tr>{cells}</tr>")
    body = "\n".join(lines)
    return f'<div class="box"><table>\n{body}\n</tbody></table></div>'


_CLASSES = {":": ' class="number"', "!": ' class="picture"'}
