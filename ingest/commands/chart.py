"""`ingest chart`: a canned query's chart as a file, without a browser."""

from __future__ import annotations

from collections.abc import Mapping

import click

from ingest.charts.pictures import render_html, render_png, render_svg
from ingest.charts.question_charts import standalone_chart
from ingest.charts.style import Spec
from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import force_option
from ingest.errors import ConfigError
from ingest.exchange.whole_file import OutputFile
from ingest.questions.asked import describe_question, resolve_values
from ingest.questions.catalogue import (
    load_canned_queries,
    load_own_queries,
    run_canned_query,
)
from ingest.questions.discount import Bare
from ingest.questions.files import CannedQuery
from ingest.text.json_text import json_text
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
    help="Value for a parameter of the query, in place of its default; may be repeated",
)
@click.option(
    "--output", "-o", metavar="FILE", help="FILE.svg, .png, .html or .vl.json (Vega-Lite)"
)
@force_option
def chart(
    query: str | None,
    choice: StudyChoice,
    parameters: tuple[str, ...],
    output: str | None,
    force: bool,
) -> None:
    """Write the chart of a canned query into a file, or list the queries that have one.

    The file's ending chooses the format. An HTML file is self-contained and opens offline.
    Without --output the Vega-Lite specification is printed.

    \b
    Examples:
      ingest chart
      ingest chart compare_scenarios -p country=KEN -p label=DALYs -o dalys.svg
      ingest chart scenario_impact -p scenario=all_treatments -o impact.png
    """
    queries, problems = _known(choice)
    if query is None:
        _list(queries)
        for problem in problems.values():
            click.echo(problem, err=True)
        return
    if query not in queries and query in problems:
        raise ConfigError(problems[query])
    chosen = _find(queries, query)
    file = choice.output(output, *_FORMATS, force=force) if output else None
    values = dict(_parse(parameter) for parameter in parameters)
    spec, rows = _draw(choice, chosen, values)
    if file is None:
        click.echo(json_text(spec, indent=2, ensure_ascii=False))
        return
    _write(file, spec)
    click.echo(f"Wrote {file.path}: {count_text(rows, 'row')} of {chosen.name}")


def _known(choice: StudyChoice) -> tuple[dict[str, CannedQuery], Mapping[str, str]]:
    """The bundled queries and those beside the database, and what is wrong with others there."""
    bundled = load_canned_queries()
    try:
        own = load_own_queries(choice.database_path(), bundled)
    except ConfigError:  # no study and no database here: the bundled ones can be listed
        return bundled, {}
    return {**bundled, **own.usable}, own.problems


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


def _parse(parameter: str) -> tuple[str, str]:
    name, equals, value = parameter.partition("=")
    if not (name and equals):
        raise ConfigError(f"--parameter {parameter!r} is not NAME=VALUE")
    return name, value


def _draw(choice: StudyChoice, query: CannedQuery, values: Mapping[str, str]) -> tuple[Spec, int]:
    """The chart, and the number of rows it shows."""
    if query.chart is None:
        raise ConfigError(f"canned query {query.name} has no chart")
    with choice.reading() as connection:
        resolved = resolve_values(connection, query, values, bare=Bare.FRACTION)
        asked = describe_question(connection, query, resolved)
        columns, rows = run_canned_query(connection, query, resolved)
    return standalone_chart(asked, query.chart, columns, rows), len(rows)


def _write(file: OutputFile, spec: Spec) -> None:
    name = file.path.name.lower()
    if name.endswith(".png"):
        content = render_png(spec)
    elif name.endswith(".svg"):
        content = render_svg(spec).encode()
    elif name.endswith(".html"):
        content = render_html(spec).encode()
    else:
        content = (json_text(spec, indent=2, ensure_ascii=False) + "\n").encode()
    file.write(content)
