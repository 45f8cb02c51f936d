"""`ingest plugins`: which plugins are loaded, and what they do."""

from __future__ import annotations

import json

import click

from ingest.commands.common.context import load_plugins_of, read_settings, study_file, study_options
from ingest.commands.common.words import table
from ingest.plugins.manager import list_plugins, load_plugins


@click.command()
@study_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
def plugins(
    study_path: str | None, database: str | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """List the plugins that are loaded, and their hooks.

    Those of a study's own folder (study.plugins) are listed where there is a study.

    \b
    Examples:
      ingest plugins
      ingest plugins --study my-study --json
    """
    if study_path or study_file(None).exists():
        settings, _ = read_settings(study_path, database, overrides)
        manager = load_plugins_of(settings)
    else:
        manager = load_plugins()
    listed = list_plugins(manager)
    if as_json:
        click.echo(json.dumps(listed, indent=2))
        return
    rows = [
        (plugin["name"], plugin.get("package", plugin["origin"]), ", ".join(plugin["hooks"]))
        for plugin in listed
    ]
    click.echo(table(rows, ("plugin", "from", "hooks")))
