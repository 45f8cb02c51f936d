"""`ingest rename-study`: a database's study has another name from now on."""

from __future__ import annotations

import click

from ingest.clock import SystemClock
from ingest.commands.common.context import StudyChoice, study_options
from ingest.database.study_identity import name_study, read_study_names
from ingest.errors import ConfigError
from ingest.text.names import require_name


@click.command("rename-study")
@click.argument("name")
@study_options
@click.option("--reason", required=True, metavar="TEXT", help="Why, kept with the new name")
def rename_study(name: str, choice: StudyChoice, reason: str) -> None:
    """Tell a results database that its study has another name.

    A database takes runs of one study only, and knows it by its name in ingest.toml. Bundles with
    an earlier name are still taken in.

    \b
    Example:
      ingest rename-study asthma-2027 --reason "one study a year from now on"
    """
    require_name("the study's new name", name)
    if not reason.strip():
        raise ConfigError("--reason is empty: say why, for those who read it later")
    with choice.changing() as database:
        before = next(iter(read_study_names(database.db.conn)), None)
        if before == name:
            raise ConfigError(f"the study of {database.path} is called {name!r} already")
        name_study(database.db, name, SystemClock().timestamp(), reason)
    was = f" (was: {before})" if before else ""
    click.echo(f"The study of {database.path} is now {name}{was}")
