"""Pages and tables in HTML that open offline: no script, nothing loaded, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

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


def html_page(title: str, parts: Iterable[str]) -> str:
    """A whole page; parts: what is in its body, as HTML."""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
            *parts,
            "</body>\n</html>\n",
        ]
    )


def html_text(text: str) -> str:
    """A name that may be in any script, kept from changing the direction of what is around it."""
    return f"<bdi>{escape(text)}</bdi>"


def html_table(
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
