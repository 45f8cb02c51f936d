"""`ingest backup`: a whole copy of the results database, whatever is writing to it."""

from __future__ import annotations

from contextlib import closing

import click

from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import force_option
from ingest.commands.common.progress import long_work
from ingest.database.files import connect_read_only, copy_database


@click.command()
@click.argument("file", metavar="FILE")
@study_options
@force_option
def backup(file: str, choice: StudyChoice, force: bool) -> None:
    """Copy the results database into FILE, whole and as of one moment.

    Works while a run writes. A plain copy of the file alone lacks what is in its log
    (validation_results.db-wal), so use this. FILE is a database of its own: read it with
    --database FILE.

    \b
    Examples:
      ingest backup backup.db
      ingest backup /backups/monday.db --force
    """
    path = choice.database_path()
    output = choice.output(file, ".db", force=force)
    with closing(connect_read_only(path)) as source, output.whole() as temporary:
        with long_work(f"copying {path}"):
            copy_database(source, temporary)
        size = temporary.stat().st_size
    click.echo(f"{path} copied to {file}: {size / 1e6:,.1f} MB", err=True)
