"""The `ingest` command: its subcommands, and the one place where an error becomes an exit code."""

from __future__ import annotations

from typing import Any

import click

from ingest import __version__
from ingest.commands.backfill import backfill
from ingest.commands.chart import chart
from ingest.commands.check import check
from ingest.commands.compare import compare
from ingest.commands.dev_server import dev_server
from ingest.commands.diff import diff
from ingest.commands.explain import explain
from ingest.commands.export import export
from ingest.commands.gc import gc
from ingest.commands.import_ import import_
from ingest.commands.init import init
from ingest.commands.plan import plan
from ingest.commands.plugins import plugins
from ingest.commands.query import query
from ingest.commands.reference import reference
from ingest.commands.run import run
from ingest.commands.serve import serve
from ingest.commands.status import status
from ingest.commands.tag import tag
from ingest.errors import IngestError, StudyError

_SHOWN_ERRORS = 12


class ErrorsAsExitCodes(click.Group):
    """Turns an IngestError into its exit code and one line; other errors keep their traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except StudyError as exc:
            errors = [finding for finding in exc.findings if finding.is_error]
            for finding in errors[:_SHOWN_ERRORS]:
                click.echo(f"Error: {finding}", err=True)
            if len(errors) > _SHOWN_ERRORS:
                more = len(errors) - _SHOWN_ERRORS
                click.echo(f"({more} more errors; all of them: ingest check)", err=True)
            ctx.exit(exc.exit_code)
        except IngestError as exc:
            click.echo(f"Error: {exc}", err=True)
            ctx.exit(exc.exit_code)


@click.group(
    cls=ErrorsAsExitCodes,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="ingest")
def main() -> None:
    """Run every country x scenario of a model and keep every result in one SQLite file.

    \b
    ingest init my-study && cd my-study     a complete study to begin with
    ingest run                              run what has changed, store the results
    ingest status                           what the last runs came to
    ingest query "SELECT * FROM metrics WHERE country = 'KEN' LIMIT 5"

    Exit codes: 0 success, 1 some jobs failed, 2 usage or configuration, 3 a gate found something,
    4 the backend could not be used, 130 interrupted.
    """


for command in (
    diff,
    explain,
    run,
    plan,
    check,
    status,
    serve,
    query,
    init,
    plugins,
    export,
    import_,
    backfill,
    dev_server,
    compare,
    reference,
    tag,
    gc,
    chart,
):
    main.add_command(command)
