"""`ingest chart`: a canned query's chart as a file, without a browser."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import click

from ingest.charts.pictures import render_html, render_png, render_svg
from ingest.charts.question_charts import standalone_chart
from ingest.charts.style import Spec
from ingest.commands.common.context import database_path, study_options
from ingest.database.files import open_for_reading
from ingest.errors import ConfigError
from ingest.questions.asked import describe_question, resolve_values
from ingest.questions.catalogue import load_canned_queries, run_canned_query
from ingest.questions.files import CannedQuery
from ingest.text.numbers import count_text
from ingest.text.suggest import did_you_mean

_FORMATS = (".svg", ".png", ".html", ".vl.json")


@click.command()
@click.argument("query", required=False, metavar="[QUERY]")
@study_options
@click.option(
    "--parameter",
    "-p",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    help="A parameter of the query; may be repeated; the others have their defaults",
)
@click.option(
    "--output", "-o", metavar="FILE", help="Where to: FILE.svg, .png, .html or .vl.json (Vega-Lite)"
)
def chart(
    query: str | None,
    study_path: str | None,
    database: str | None,
    overrides: tuple[str, ...],
    parameters: tuple[str, ...],
    output: str | None,
) -> None:
    """Write the chart of a canned query into a file, or list the queries that have one.

    The file's ending says what it becomes. An HTML file carries all it needs and opens offline.
    Without --output the Vega-Lite specification is printed.

    \b
    Examples:
      ingest chart
      ingest chart compare_scenarios -p country=KEN -p label=DALYs -o dalys.svg
      ingest chart scenario_impact -p scenario=all_treatments -o impact.png
    """
    queries = load_canned_queries()
    if query is None:
        _list(queries)
        return
    chosen = _find(queries, query)
    file = Path(output) if output else None
    if file is not None:
        _check_output(file)
    values = dict(_parse(parameter) for parameter in parameters)
    spec, rows = _draw(database_path(study_path, database), chosen, values)
    if file is None:
        click.echo(json.dumps(spec, indent=2, ensure_ascii=False))
        return
    _write(file, spec)
    click.echo(f"Wrote {file}: {count_text(rows, 'row')} of {chosen.name}")


def _list(queries: Mapping[str, CannedQuery]) -> None:
    for query in queries.values():
        if query.chart is not None:
            click.echo(f"{query.name}: {query.title}")
            click.echo(f"  -p {', '.join(parameter.name for parameter in query.parameters)}")


def _find(queries: Mapping[str, CannedQuery], name: str) -> CannedQuery:
    if name not in queries:
        hint = did_you_mean(name, queries) or " List them with: ingest chart"
        raise ConfigError(f"there is no canned query {name!r}.{hint}")
    return queries[name]


def _check_output(file: Path) -> None:
    if not file.name.lower().endswith(_FORMATS):
        raise ConfigError(f"{file} should end with one of {' '.join(_FORMATS)}")
    if not file.parent.is_dir():
        raise ConfigError(f"there is no folder {file.parent} for {file.name}")


def _parse(parameter: str) -> tuple[str, str]:
    name, equals, value = parameter.partition("=")
    if not (name and equals):
        raise ConfigError(f"--parameter {parameter!r} is not NAME=VALUE")
    return name, value


def _draw(path: Path, query: CannedQuery, values: Mapping[str, str]) -> tuple[Spec, int]:
    """The chart, and of how many rows it is."""
    if query.chart is None:
        raise ConfigError(f"canned query {query.name} has no chart")
    with closing(open_for_reading(path)) as connection:
        resolved = resolve_values(connection, query, values)
        asked = describe_question(connection, query, resolved)
        columns, rows = run_canned_query(connection, query, resolved)
    return standalone_chart(asked, query.chart, columns, rows), len(rows)


def _write(file: Path, spec: Spec) -> None:
    name = file.name.lower()
    if name.endswith(".png"):
        content = render_png(spec)
    elif name.endswith(".svg"):
        content = render_svg(spec).encode()
    elif name.endswith(".html"):
        content = render_html(spec).encode()
    else:
        content = (json.dumps(spec, indent=2, ensure_ascii=False) + "\n").encode()
    try:
        file.write_bytes(content)
    except OSError as exc:
        raise ConfigError(f"{file} cannot be written: {exc.strerror}") from exc
