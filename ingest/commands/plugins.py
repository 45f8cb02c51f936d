"""`ingest plugins`: which plugins are loaded, and their hooks."""

from __future__ import annotations

import click

from ingest.commands.common.context import StudyChoice, load_plugins_of, study_options
from ingest.commands.common.options import json_option
from ingest.commands.common.output import print_json, table
from ingest.plugins.manager import list_plugins, load_plugins


@click.command()
@study_options
@json_option
def plugins(choice: StudyChoice, as_json: bool) -> None:
    """List loaded plugins and their hooks.

    Where there is a study, those in its own folder (study.plugins) are included.

    \b
    Examples:
      ingest plugins
      ingest plugins --study my-study --json
    """
    manager = load_plugins_of(choice.settings()[0]) if choice.has_study else load_plugins()
    listed = list_plugins(manager)
    if as_json:
        print_json(listed)
        return
    rows = [
        (plugin["name"], plugin.get("package", plugin["origin"]), "\n".join(plugin["hooks"]))
        for plugin in listed
    ]
    click.echo(table(rows, ("plugin", "from", "hooks")))
