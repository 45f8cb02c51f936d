"""`ingest init`: a complete study to begin with."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from ingest.errors import ConfigError
from ingest.resources import resource_path

_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", "*.db", "*.db-*", "*.lock", "*.bak")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Write a complete, runnable study into a folder.

    It is the bundled asthma study: a compact cohort model in Python, eight scenarios and the
    countries of the world. Change it bit by bit into your own.

    \b
    Example:
      ingest init my-study
      cd my-study
      ingest run
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists and is not empty; name a new folder")
    source = resource_path("examples") / "asthma"
    try:
        shutil.copytree(source, folder, ignore=_NOT_COPIED, dirs_exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"{folder} cannot be written: {exc}") from exc
    click.echo(f"Wrote a study to {folder}. Next:", err=True)
    click.echo(f"  cd {folder}", err=True)
    click.echo("  ingest run        run every country under every scenario", err=True)
    click.echo("  git init          recommended: results are kept by commit", err=True)
