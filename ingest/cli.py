"""The `ingest` command: its subcommands, and the one place where an error becomes an exit code."""

from __future__ import annotations

import io
import os
import re
import select
import sys
from collections.abc import Sequence
from importlib import import_module
from traceback import format_exception
from typing import Any

import click

from ingest.commands.common.streams import whole_output
from ingest.errors import ConfigError, IngestError, StudyError

_SHOWN_ERRORS = 10
_FAULT_OF_INGEST = 70  # EX_SOFTWARE of sysexits.h
_CLOSED_PIPE = 141  # what shells give for a command that a closed pipe ends

# Each command's place, and the first sentence of its help, which `ingest --help` prints without
# importing it. A test holds the sentences equal to the commands' own.
_COMMANDS = {
    "backfill": ("backfill:backfill", "Fetch missing results of successful jobs, and store them."),
    "backup": (
        "backup:backup",
        "Copy the results database into FILE, whole and as of one moment.",
    ),
    "chart": (
        "chart:chart",
        "Write the chart of a canned query into a file, or list the queries that have one.",
    ),
    "check": ("check:check", "Check a study without running it."),
    "compare": ("compare:compare", "Compare scenario B with scenario A, the baseline."),
    "dev-server": (
        "dev_server:dev_server",
        "Serve a run API and an analytics API on this machine, to try cloud runs.",
    ),
    "diff": ("diff:diff", "Show what changed between two states, and which input caused it."),
    "economics": (
        "economics:economics",
        "Show what scenarios cost for what they achieve, and which are worth it.",
    ),
    "explain": (
        "explain:explain",
        "Show the history of one combination: runs, reasons, inputs, results.",
    ),
    "export": (
        "export:export",
        "Write the results as of a run to a file, or compare CSV files with them.",
    ),
    "gc": ("gc:gc", "Remove old runs and free their space; without --yes, show what would go."),
    "import": (
        "import_:import_",
        "Add runs, jobs or metrics recorded elsewhere to a results database.",
    ),
    "indicators": (
        "indicators:indicators",
        "Show the study's indicators by country and scenario, or by group.",
    ),
    "init": ("init:init", "Write a complete, runnable study into a folder."),
    "plan": ("plan:plan", "Show what would run, and why. Changes nothing."),
    "plugins": ("plugins:plugins", "List loaded plugins and their hooks."),
    "query": ("query:query", "Run an SQL query on the results, read-only."),
    "reference": (
        "reference:reference",
        "Load and list published figures, and see how well the model fits them.",
    ),
    "rename-study": (
        "rename_study:rename_study",
        "Tell a results database that its study has another name.",
    ),
    "report": (
        "report:report",
        "Write the study's indicators, cost-effectiveness, investment case and changes for people.",
    ),
    "run": ("run:run", "Run what has changed, and store the results."),
    "serve": (
        "serve:serve",
        "Show the results in the browser: overview, comparisons, changes, charts, data.",
    ),
    "status": ("status:status", "Show the last runs, or one run."),
    "tag": ("tag:tag", "Give a run a name, or list the names."),
}


class LazyCommand(click.Command):
    """A command known by name and short help; its module is imported when it is called."""

    def __init__(self, name: str, place: str, help_text: str) -> None:
        super().__init__(name, help=help_text)
        self._place = place

    def load(self) -> click.Command:
        """The command itself."""
        module, _, attribute = self._place.partition(":")
        command: click.Command = getattr(import_module(f"ingest.commands.{module}"), attribute)
        return command

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """The context of the command itself, which click goes on with."""
        _refuse_odd_texts(args)
        return self.load().make_context(info_name, args, parent, **extra)


def _refuse_odd_texts(arguments: Sequence[str]) -> None:
    """Raise ConfigError for a text that no file, name or database can hold."""
    for text in arguments:
        if "\0" in text:
            raise ConfigError(f"{text!r:.80} holds a NUL character; type it without")
        try:
            text.encode()
        except UnicodeEncodeError as exc:
            raise ConfigError(f"{text!r:.80} is not UTF-8 text; type or rename it so") from exc


def _write_utf8() -> None:
    """Have data in files and pipes be UTF-8, whatever the machine's settings say of terminals."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")


class ErrorsAsExitCodes(click.Group):
    """Turns an IngestError into its exit code and one line.

    Any other error is a fault of ingest: it keeps its traceback and has an exit code of its own.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        _write_utf8()
        try:
            with whole_output():
                return super().invoke(ctx)
        except BrokenPipeError as exc:
            if not _is_reader_gone():
                ctx.exit(_tell(exc, ctx))
            # nothing can be written any more, nor at the interpreter's end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(_CLOSED_PIPE)
        except StudyError as exc:
            errors = [finding for finding in exc.findings if finding.is_error]
            for finding in errors[:_SHOWN_ERRORS]:
                click.echo(f"Error: {_shortened(finding)}", err=True)
            if len(errors) > _SHOWN_ERRORS:
                more = len(errors) - _SHOWN_ERRORS
                click.echo(f"({more} more errors; all of them: ingest check)", err=True)
            ctx.exit(exc.exit_code)
        except IngestError as exc:
            click.echo(f"Error: {_shortened(exc)}", err=True)
            ctx.exit(exc.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as exc:  # noqa: BLE001 the last place that can say anything
            ctx.exit(_tell(exc, ctx))


def _shortened(message: object) -> str:
    """A message in which a word of more than a thousand letters is cut."""
    return re.sub(r"(\S{100})\S{900,}", r"\1…", str(message))


def _tell(exc: Exception, ctx: click.Context) -> int:
    """Print what led to an error that is none of ours; gives the exit code."""
    from ingest.commands.common.context import database_in_use
    from ingest.database.damage import explain_failure

    if isinstance(exc, OSError) and exc.filename is not None:
        click.echo(f"Error: {str(exc.filename)!r:.200}: {exc.strerror}", err=True)
        return ConfigError.exit_code
    path = database_in_use(ctx)
    problem = explain_failure(exc, path) if path else None
    if problem:
        click.echo(f"Error: {problem}", err=True)
        return ConfigError.exit_code
    from ingest import __version__  # reads the installed package: slow

    traceback = "".join(format_exception(exc))
    click.echo(
        f"{traceback}Error: this is a fault of ingest {__version__}, not of your study. "
        "Please report it with the lines above and the command",
        err=True,
    )
    return _FAULT_OF_INGEST


def _is_reader_gone() -> bool:
    """Whether what reads our output (`| head`) has ended."""
    try:
        poll = select.poll()
        for stream in (sys.stdout, sys.stderr):
            poll.register(stream.fileno(), 0)
        return bool(poll.poll(0))
    except (OSError, ValueError):
        return False


def _show_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from ingest import __version__  # reads the installed package: slow

        click.echo(f"ingest, version {__version__}")
        ctx.exit()


@click.group(
    cls=ErrorsAsExitCodes,
    commands={name: LazyCommand(name, *command) for name, command in _COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def main() -> None:
    """Run every country x scenario of a model and keep every result in one SQLite file.

    \b
    ingest init my-study && cd my-study     a complete study to begin with
    ingest run                              run what has changed, store the results
    ingest status                           what the last runs came to
    ingest query "SELECT * FROM metrics WHERE country = 'KEN' LIMIT 5"

    Exit codes: 0 success, 1 some jobs failed, 2 usage or configuration, 3 a gate found something,
    4 the backend could not be used, 70 a fault of ingest itself, 74 the output could not be
    written, 130 interrupted.
    """
