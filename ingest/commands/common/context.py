"""Which study and database a command works on: the shared options, and the object they become."""

from __future__ import annotations

import functools
import os
import re
import shlex
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.database.files import database_files, open_for_reading
from ingest.errors import ConfigError, IngestError
from ingest.findings import Finding, warning
from ingest.study.settings import (
    STUDY_FILE,
    Settings,
    StudySettings,
    load_settings,
    read_settings_file,
)

if TYPE_CHECKING:
    import pluggy

    from ingest.database import ValidationDatabase
    from ingest.exchange.whole_file import OutputFile
    from ingest.study.git import GitState
    from ingest.study.study import Study

Command = Callable[..., Any]

STUDY_VARIABLE = "INGEST_STUDY"
DATABASE_VARIABLE = "INGEST_DATABASE"
_DEFAULT_DATABASE = Path("validation_results.db")
_OVERRIDES = "ingest.overrides"
_CHOICE = "ingest.choice"
_EXECUTOR = "run.executor"
_SECRET_KEY = re.compile(r"passw|secret|token|credential|api_?key", re.IGNORECASE)


@dataclass(frozen=True)
class StudyContext:
    """A study that is ready to be planned: settings, plugins, files, git state."""

    settings: Settings
    plugins: pluggy.PluginManager
    study: Study
    git: GitState
    database: ValidationDatabase
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class StudyChoice:
    """What --study, --database and --set say, and whatever follows from it.

    overrides: "section.key=value" texts of --set and of options that stand for a setting.
    """

    study: str | None = None
    database: str | None = None
    overrides: tuple[str, ...] = ()

    @property
    def study_file(self) -> Path:
        """The ingest.toml that --study, INGEST_STUDY or the current folder gives."""
        path = Path(self.study or os.environ.get(STUDY_VARIABLE) or ".")
        return path if path.suffix == ".toml" else path / STUDY_FILE

    @property
    def has_study(self) -> bool:
        """Whether a study is named, is there, or is needed because a setting is overridden."""
        named = self.study or os.environ.get(STUDY_VARIABLE) or self.overrides
        return bool(named) or self.study_file.exists()

    @property
    def ignored(self) -> tuple[str, ...]:
        """What is no input in the study's model document; without a study, the default."""
        if not self.has_study:
            return StudySettings.ignore
        return self.settings()[0].study.ignore

    def settings(
        self, load: Callable[..., tuple[Settings, list[Finding]]] = load_settings
    ) -> tuple[Settings, list[Finding]]:
        """The settings with all options applied; `load` decides what wrong ones lead to."""
        overrides = list(self.overrides)
        if self.database is not None:
            overrides.append(f"database.path={Path(self.database).absolute()}")
        elif os.environ.get(DATABASE_VARIABLE):
            # relative to the current folder, as the option is
            overrides.insert(0, f"database.path={Path(os.environ[DATABASE_VARIABLE]).absolute()}")
        return load(self.study_file, os.environ, overrides)

    def context(self) -> StudyContext:
        """Everything needed to plan the study. Raises ConfigError, StudyError, PluginError."""
        from ingest.database import ValidationDatabase
        from ingest.running.backend import with_source
        from ingest.study.git import read_git_state
        from ingest.study.study import load_study

        settings, findings = self.settings()
        plugins = load_plugins_of(settings)
        settings = with_source(settings, plugins)
        study, more = load_study(settings, plugins.hook)
        git = read_git_state(study.root, study.input_files)
        problems = [warning("git", "git", git.problem)] if git.problem else []
        return StudyContext(
            settings=settings,
            plugins=plugins,
            study=study,
            git=git,
            database=ValidationDatabase(settings.database_path),
            findings=(*findings, *more, *problems),
        )

    def database_path(self) -> Path:
        """The database: --database, database.path of --set, INGEST_DATABASE, or the study's.

        Without a study in this folder, a validation_results.db there will do.
        """
        if self.overrides:  # read even where --database wins: a wrong --set is an error everywhere
            path = self.settings()[0].database_path
            return Path(self.database) if self.database else path
        chosen = self.database or os.environ.get(DATABASE_VARIABLE)
        if chosen:
            return Path(chosen)
        if self.has_study:
            return self.settings()[0].database_path
        if _DEFAULT_DATABASE.exists():
            return _DEFAULT_DATABASE
        raise ConfigError(
            f"no {STUDY_FILE} and no {_DEFAULT_DATABASE} in {Path.cwd()}. "
            "Name one with --study FOLDER or --database FILE, or begin with: ingest init DIR"
        )

    @property
    def names_database(self) -> bool:
        """Whether --database or INGEST_DATABASE names a database, in place of the study's."""
        return bool(self.database or os.environ.get(DATABASE_VARIABLE))

    def output(self, name: str | Path, *endings: str, force: bool = False) -> OutputFile:
        """A file to write, checked: its ending fits, and nothing is lost by it.

        Raises ConfigError as OutputFile.check() does.
        """
        from ingest.exchange.whole_file import OutputFile

        output = OutputFile(Path(name), endings, force, self._files_to_keep())
        output.check()
        return output

    def _files_to_keep(self) -> dict[Path, str]:
        """The files that no output replaces: the study's, and its database with companions."""
        from ingest.study.study import study_files

        keep = dict.fromkeys(database_files(self.database_path()), "part of the results database")
        of_study = [self.study_file]
        with suppress(ConfigError):  # no study, or one that cannot be read
            of_study += study_files(self.settings(read_settings_file)[0])
        return keep | dict.fromkeys(of_study, "a file of the study")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The results database, read-only."""
        with closing(open_for_reading(self.database_path())) as connection:
            yield connection

    @contextmanager
    def changing(self) -> Iterator[ValidationDatabase]:
        """The results database, open for changes; one that cannot be used is not locked first."""
        from ingest.database import ValidationDatabase

        path = self.database_path()
        open_for_reading(path).close()
        with ValidationDatabase(path).writing() as database:
            yield database

    def as_options(self) -> str:
        """The options that lead another command to the same study and database."""
        options = [("--study", self.study), ("--database", self.database)]
        options += [("--set", text) for text in self.overrides if text.startswith("database.path=")]
        return options_text(options)

    def as_run_options(self) -> str:
        """The options by which another `ingest run` has the same executor and settings.

        Words in capitals stand in place of what is secret.
        """
        options = [("--study", self.study), ("--database", self.database)]
        last = {text.partition("=")[0].strip(): text for text in self.overrides}
        executor = last.pop(_EXECUTOR, "").partition("=")[2].strip()
        options.append(("--executor", executor))
        return options_text([*options, *(("--set", _without_secret(t)) for t in last.values())])

    @property
    def names_executor(self) -> bool:
        """Whether --executor, or --set in its place, says where jobs run."""
        return any(text.partition("=")[0].strip() == _EXECUTOR for text in self.overrides)


def options_text(options: Iterable[tuple[str, str | None]]) -> str:
    """Options as they are typed, a space before each; those without a value are left out."""
    return "".join(f" {option} {shlex.quote(value)}" for option, value in options if value)


def _without_secret(override: str) -> str:
    """A "section.key=value" text with words in place of a password or a token."""
    key, _, value = override.partition("=")
    if _SECRET_KEY.search(key):
        return f"{key}=SECRET"
    scheme, separator, rest = value.partition("://")
    if separator and "@" in rest:
        return f"{key}={scheme}://USER:PASSWORD@{rest.rpartition('@')[2]}"
    return override


def load_plugins_of(settings: Settings) -> pluggy.PluginManager:
    """The plugins, those of the study's own folder included."""
    from ingest.plugins.manager import load_plugins

    folder = settings.study.plugins
    return load_plugins(settings.root / folder if folder else None)


_STUDY = click.option(
    "--study",
    metavar="PATH",
    help=f"Folder of the study or its {STUDY_FILE}; default: this folder [{STUDY_VARIABLE}]",
)
_DATABASE = click.option(
    "--database",
    "-d",
    metavar="FILE",
    help=f"Results database; default: as in {STUDY_FILE} [{DATABASE_VARIABLE}]",
)
_SET = click.option(
    "--set",
    "overrides",
    metavar="SECTION.KEY=VALUE",
    multiple=True,
    help=f"Override a setting of {STUDY_FILE}; may be repeated",
)


def gathered(
    name: str, make: Callable[..., Any], keys: Sequence[str], *options: Callable[..., Any]
) -> Callable[[Command], Command]:
    """A decorator that adds options; the command gets make(**their values) as one argument.

    name: of that argument. keys: names of the options' values.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def call(**values: Any) -> Any:
            made = make(**{key: values.pop(key) for key in keys})
            return command(**values, **{name: made})

        return functools.reduce(lambda made, option: option(made), reversed(options), call)

    return decorate


def _choose(
    study: str | None, overrides: tuple[str, ...], database: str | None = None
) -> StudyChoice:
    for option, given in (("--study", study), ("--database", database)):
        if given == "":
            raise ConfigError(f"{option} is empty: name one, or leave the option out")
    meta = click.get_current_context().meta
    meta[_CHOICE] = StudyChoice(study, database, (*overrides, *meta.get(_OVERRIDES, ())))
    choice: StudyChoice = meta[_CHOICE]
    return choice


def database_in_use(context: click.Context) -> Path | None:
    """The database of the command that a context is of; None where it has none."""
    choice: StudyChoice | None = context.meta.get(_CHOICE)
    with suppress(IngestError):
        return choice.database_path() if choice else None
    return None


_KEYS = ("study", "overrides")
study_options = gathered("choice", _choose, (*_KEYS, "database"), _STUDY, _DATABASE, _SET)
"""--study, --database and --set; the command gets them as `choice`, a StudyChoice."""
study_options_without_database = gathered("choice", _choose, _KEYS, _STUDY, _SET)
"""--study and --set, for a command that uses no results database."""


def setting_option(
    name: str, setting: str, metavar: str, help: str, short: str | None = None
) -> Callable[..., Any]:
    """An option that stands for a setting, such as --retries; it wins over --set."""

    def keep(context: click.Context, _option: click.Parameter, value: str | None) -> None:
        if value is not None:
            context.meta.setdefault(_OVERRIDES, []).append(f"{setting}={value}")

    names = (name, short) if short else (name,)
    return click.option(*names, metavar=metavar, help=help, callback=keep, expose_value=False)
