"""`ingest import`: the runs of a bundle into a results database."""

from __future__ import annotations

import zipfile
from contextlib import closing
from pathlib import Path

import click

from ingest.bundle import BundleError, import_bundle
from ingest.commands.context import database_path, study_options
from ingest.commands.words import some
from ingest.database import ValidationDatabase
from ingest.database.files import DatabaseForm, connect_read_only, database_form
from ingest.database.transfer import ImportedRuns
from ingest.errors import ConfigError
from ingest.number_text import count_text

_SQLITE_HEAD = b"SQLite format 3\x00"


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@study_options
@click.option("--wait", is_flag=True, help="Wait for a run on this database to end")
def import_(
    file: Path,
    study_path: str | None,
    database: str | None,
    overrides: tuple[str, ...],
    wait: bool,
) -> None:
    """Add the runs of a bundle to a results database.

    FILE is what `ingest export --format bundle` wrote. Everything in it is checked first; a file
    that is not as it was written is refused and nothing is changed. The runs get new numbers, and
    those that are there already are recognised: importing twice adds nothing.

    \b
    Examples:
      ingest import run.zip
      ingest import run.zip --database colleagues.db
    """
    _refuse_other_forms(file)
    path = database_path(study_path, database)
    _, imported = import_bundle(file, ValidationDatabase(path), wait=wait)
    click.echo(_summary(imported, path), err=True)
    for note in _notes(imported):
        click.echo(f"{click.style('Warning', fg='yellow')}: {note}", err=True)


def _refuse_other_forms(file: Path) -> None:
    """Raise the ConfigError that tells why a file cannot be imported, unless it is a zip file."""
    try:
        with file.open("rb") as stream:
            head = stream.read(len(_SQLITE_HEAD))
    except OSError as exc:
        raise ConfigError(f"{file} cannot be read: {exc.strerror}") from exc
    if head == _SQLITE_HEAD:
        with closing(connect_read_only(file)) as connection:
            form = database_form(connection)
        if form is DatabaseForm.ORIGINAL:
            raise ConfigError(
                f"{file} has the original three-table form; importing this form is not "
                "supported yet"
            )
        if form in (DatabaseForm.CURRENT, DatabaseForm.OLDER):
            raise ConfigError(
                f"{file} is a results database, no bundle. Make one of its runs with: "
                f"ingest export --database {file} -o run.zip"
            )
        raise ConfigError(f"{file} is a database, but none that can be imported")
    if file.suffix.lower() == ".csv":
        raise ConfigError(f"{file} is a CSV file; importing this form is not supported yet")
    if not zipfile.is_zipfile(file):
        raise BundleError(f"{file} is no bundle of ingest, or cut off; nothing was changed")


def _summary(imported: ImportedRuns, path: Path) -> str:
    known = count_text(len(imported.known), "run")
    if not imported.added:
        return f"Nothing to do: {path} has {known} of this bundle already"
    as_runs = some([f"{old} as {new}" for old, new in imported.added.items()])
    sets = count_text(imported.new_result_sets, "new result set")
    there = f"; {known} there already" if imported.known else ""
    added = count_text(len(imported.added), "run")
    return f"{added} added to {path} (run {as_runs}), {sets}{there}"


def _notes(imported: ImportedRuns) -> list[str]:
    notes = []
    if imported.shadowing:
        notes.append(
            f"{imported.shadowing} of the added runs began before the newest run that was there; "
            "in the state they count as newer"
        )
    if imported.kept_tags:
        notes.append(
            f"tags that mean another run here stay as they are: {some(imported.kept_tags)}"
        )
    return notes
