"""What most commands begin with: the options that choose a study, and the study they choose."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ingest.errors import ConfigError
from ingest.findings import Finding
from ingest.study.settings import STUDY_FILE, Settings, load_settings

if TYPE_CHECKING:
    import pluggy

    from ingest.database import ValidationDatabase
    from ingest.study.git import GitState
    from ingest.study.study import Study

Command = TypeVar("Command", bound=Callable[..., Any])

STUDY_VARIABLE = "INGEST_STUDY"
DATABASE_VARIABLE = "INGEST_DATABASE"


def study_options(command: Command) -> Command:
    """Add --study, --database and --set to a command."""
    options = (
        click.option(
            "--study",
            "study_path",
            metavar="PATH",
            help=f"Folder of the study or its {STUDY_FILE}; default: this folder "
            f"[{STUDY_VARIABLE}]",
        ),
        click.option(
            "--database",
            "-d",
            metavar="FILE",
            help=f"Results database; default: as in {STUDY_FILE} [{DATABASE_VARIABLE}]",
        ),
        click.option(
            "--set",
            "overrides",
            metavar="SECTION.KEY=VALUE",
            multiple=True,
            help=f"Override a setting of {STUDY_FILE}; may be repeated",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True)
class StudyContext:
    """A study, ready to be planned: settings, plugins, files read, git asked."""

    settings: Settings
    plugins: pluggy.PluginManager
    study: Study
    git: GitState
    database: ValidationDatabase
    findings: tuple[Finding, ...]


def study_file(study_path: str | None) -> Path:
    """The ingest.toml that --study, INGEST_STUDY or the current folder gives."""
    path = Path(study_path or os.environ.get(STUDY_VARIABLE) or ".")
    return path if path.suffix == ".toml" else path / STUDY_FILE


def read_settings(
    study_path: str | None,
    database: str | None,
    overrides: Sequence[str],
    load: Callable[..., tuple[Settings, list[Finding]]] = load_settings,
) -> tuple[Settings, list[Finding]]:
    """The settings with a command's options applied; load decides what wrong ones lead to."""
    if database is not None:
        overrides = [*overrides, f"database.path={Path(database).absolute()}"]
    elif os.environ.get(DATABASE_VARIABLE):
        # relative to where one stands, as the option is
        absolute = Path(os.environ[DATABASE_VARIABLE]).absolute()
        overrides = [f"database.path={absolute}", *overrides]
    return load(study_file(study_path), os.environ, overrides)


def load_plugins_of(settings: Settings) -> pluggy.PluginManager:
    """The plugins, those of the study's own folder included."""
    from ingest.plugins.manager import load_plugins

    folder = settings.study.plugins
    return load_plugins(settings.root / folder if folder else None)


def load_context(
    study_path: str | None, database: str | None, overrides: Sequence[str]
) -> StudyContext:
    """Everything a command needs to plan a study. Raises ConfigError, StudyError, PluginError."""
    from ingest.database import ValidationDatabase
    from ingest.study.git import read_git_state
    from ingest.study.study import load_study

    settings, findings = read_settings(study_path, database, overrides)
    plugins = load_plugins_of(settings)
    study, more = load_study(settings, plugins.hook)
    return StudyContext(
        settings=settings,
        plugins=plugins,
        study=study,
        git=read_git_state(study.root, study.input_files),
        database=ValidationDatabase(settings.database_path),
        findings=(*findings, *more),
    )


def database_path(study_path: str | None, database: str | None) -> Path:
    """The database for commands that read results: --database, or that of the study.

    Without a study in this folder, a validation_results.db there will do.
    """
    chosen = database or os.environ.get(DATABASE_VARIABLE)
    if chosen:
        return Path(chosen)
    default = Path("validation_results.db")
    named = study_path or os.environ.get(STUDY_VARIABLE)
    if not named and not study_file(None).exists():
        if default.exists():
            return default
        raise ConfigError(
            f"no {STUDY_FILE} and no {default} in {Path.cwd()}. "
            "Name one with --study FOLDER or --database FILE, or begin with: ingest init DIR"
        )
    return load_settings(study_file(study_path), os.environ)[0].database_path
