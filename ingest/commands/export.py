"""`ingest export`: the state as of a run as a file for other tools."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import click

from ingest.commands.common.consistency import (
    only_consistent,
    refuse_inconsistent,
    show_consistency,
)
from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import (
    all_option,
    consistent_option,
    countries_option,
    force_option,
    json_option,
    labels_option,
    raw_option,
    require_consistent_option,
    run_option,
    scenarios_option,
    wants_raw,
)
from ingest.commands.common.progress import long_work
from ingest.commands.common.runs import find_run
from ingest.commands.export_check import run_check
from ingest.database.choice import Chosen, NameChoice, StatePart, choose_results
from ingest.database.consistency import read_consistency
from ingest.database.study_settings import read_definitions
from ingest.errors import ConfigError
from ingest.exchange.export import FORMATS, ExportFormat, format_of

_STDOUT = "-"
_SUFFIXES = ", ".join(suffix for form in FORMATS.values() for suffix in form.suffixes)
_WIDTH = max(map(len, FORMATS))
_FORMATS_HELP = "\b\nFormats:\n" + "\n".join(
    f"  {form.name:<{_WIDTH}}  {form.help}" for form in FORMATS.values()
)


@click.command(epilog=_FORMATS_HELP)
@click.argument("names", nargs=-1, metavar="[RUN]")
@study_options
@click.option(
    "--format",
    "-f",
    "format_",
    type=click.Choice(tuple(FORMATS)),
    help=f"Default: from the file's ending ({_SUFFIXES}), else {next(iter(FORMATS))}",
)
@click.option(
    "--output", "-o", default=_STDOUT, metavar="FILE", help="File, or - for standard output"
)
@countries_option
@scenarios_option
@labels_option
@click.option("--only-run", is_flag=True, help="Only what RUN itself executed, not the state")
@click.option("--all-history", is_flag=True, help="With what is no longer in the study")
@consistent_option
@require_consistent_option
@force_option
@raw_option
@click.option("--check", is_flag=True, help="Compare CSV files, named in place of RUN, with --run")
@run_option
@all_option
@json_option
def export(
    names: tuple[str, ...],
    choice: StudyChoice,
    format_: str | None,
    output: str,
    countries: tuple[str, ...],
    scenarios: tuple[str, ...],
    labels: tuple[str, ...],
    only_run: bool,
    all_history: bool,
    consistent: bool,
    require_consistent: bool,
    force: bool,
    check: bool,
    run_name: str | None,
    show_all: bool,
    as_json: bool,
) -> None:
    """Write the results as of a run to a file, or compare CSV files with them.

    RUN is a run's number, a tag, a commit, a date, `latest` or `previous`. The export is the state
    as of that run: for each combination the newest success by then. With --check, the files are
    compared with the state as of --run (default: latest); --all and --json are for its report.

    \b
    Examples:
      ingest export -o results.csv
      ingest export previous --format wide --labels 'Healthy*'
      ingest export 7 --countries KEN,UGA -o results.parquet
      ingest export latest -o run.zip
      ingest export --check results/*.csv
    """
    wanted = NameChoice(countries, scenarios, labels)
    if check:
        others = (format_, only_run, all_history, consistent, require_consistent, force)
        if any(others) or output != _STDOUT:
            raise ConfigError(
                "--check writes no file: leave out --format, --output, --force and what chooses a "
                "part of the state"
            )
        run_check(choice, names, run_name or "latest", wanted, show_all, as_json)
        return
    run = _one_run(names, run_name, show_all or as_json)
    path = None if output == _STDOUT else Path(output)
    form = FORMATS[format_] if format_ else format_of(path)
    if path is None and form.needs_file:
        raise ConfigError(f"--format {form.name} needs a file: -o FILE")
    part = StatePart(only_run, all_history, consistent)
    _check_choice(form, wanted, part)
    part = replace(part, consistent=consistent or only_consistent(choice))
    file = None if path is None else choice.output(path, *form.endings, force=force)
    with choice.reading() as connection:
        connection.execute("BEGIN")  # so that everything written is of one moment
        chosen_run = find_run(connection, run)
        if form.is_whole_run:
            results = Chosen(chosen_run, ())
        else:
            results = choose_results(connection, chosen_run, wanted, part)
            if form.name == "indicators":
                settings = choice.settings()[0] if choice.has_study else None
                definitions = read_definitions(connection, settings)
                results = replace(results, definitions=definitions)
        found = read_consistency(connection, chosen_run.run_id, *results.names)
        show_consistency(found, part.consistent)
        refuse_inconsistent(found, require_consistent)
        with long_work(f"writing {path}") if path else nullcontext():
            written = form.write(connection, results, file, raw=wants_raw())
    if path is not None:
        click.echo(f"Run {chosen_run.run_id} in {path}: {written}", err=True)


def _check_choice(form: ExportFormat, wanted: NameChoice, part: StatePart) -> None:
    """Raises ConfigError: a part is chosen of what the format has as a whole."""
    if form.is_whole_run and (wanted != NameChoice() or part != StatePart()):
        raise ConfigError(
            f"a {form.name} holds a whole run: leave out --countries, --scenarios, --labels and "
            "what chooses a part of the state"
        )
    if form.name == "indicators" and (wanted.labels or part.only_run or part.all_history):
        raise ConfigError(
            "indicators are of a whole state: leave out --labels and what chooses a part of it"
        )


def _one_run(names: tuple[str, ...], checked_run: str | None, has_others: bool) -> str:
    """The RUN to export. Raises ConfigError for several, and for options of --check."""
    if len(names) > 1:
        raise ConfigError(f"one RUN at a time, not {', '.join(names)}; files need --check")
    if checked_run is not None or has_others:
        raise ConfigError("--run, --all and --json need --check")
    return names[0] if names else "latest"
