"""Options that several commands have: each is declared here once, with one help text."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ingest.commands.common.context import gathered, setting_option

if TYPE_CHECKING:
    from ingest.text.tables import TableChoice


class Count(click.IntRange):
    """A whole number from 1 up to what a database can hold."""

    def __init__(self) -> None:
        super().__init__(min=1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; fails where it is none or too large."""
        number = int(super().convert(value, param, ctx))
        if number >= 2**63:
            self.fail(f"{value} is too large.", param, ctx)
        return number


class FiniteNumber(click.FloatRange):
    """A number from 0 up, without infinity and NaN."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number; fails where it is none, negative or not finite."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON")
csv_option = click.option("--csv", "as_csv", is_flag=True, help="Print CSV")
_RAW = "ingest.raw"
raw_option = click.option(
    "--raw",
    is_flag=True,
    expose_value=False,
    callback=lambda context, option, value: context.meta.update({_RAW: value}),
    help="In CSV, texts that begin with = + - @ as they are, not made safe for spreadsheets",
)
"""--raw; wants_raw() says whether it was given."""
all_option = click.option("--all", "show_all", is_flag=True, help="Show every row")
force_option = click.option("--force", is_flag=True, help="Overwrite a file that exists")
all_changes_option = click.option(
    "--all", "show_all", is_flag=True, help="Name every change, also those that move no number"
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Errors and warnings only")
wait_option = click.option(
    "--wait", is_flag=True, help="Wait while another process writes to this database"
)
executor_option = setting_option(
    "--executor", "run.executor", "NAME", "Where jobs run; default: as in ingest.toml", "-x"
)
run_option = click.option(
    "--run",
    "run_name",
    metavar="RUN",
    help="The run: number, tag, commit, date, latest or previous",
)
countries_option = click.option(
    "--countries",
    "-c",
    metavar="ISO3,...",
    multiple=True,
    help="Only these countries: ISO3 codes, comma lists, globs",
)
scenarios_option = click.option(
    "--scenarios",
    "-s",
    metavar="NAME,...",
    multiple=True,
    help="Only these scenarios: names, comma lists, globs",
)
labels_option = click.option(
    "--labels",
    "-l",
    metavar="LABEL,...",
    multiple=True,
    help="Only these element labels: names, comma lists, globs",
)
discount_option = click.option(
    "--discount", metavar="RATE", help="Discount at a rate a year: 3% or 0.03"
)
base_year_option = click.option(
    "--base-year",
    type=click.IntRange(1900, 2300),
    metavar="YEAR",
    help="Discount to this year; default: the first",
)
consistent_option = click.option(
    "--consistent",
    is_flag=True,
    help="Only results of the inputs that the study had at the run",
)
require_consistent_option = click.option(
    "--require-consistent",
    is_flag=True,
    help="Exit code 3 where results are of other inputs, failed, missing or retired",
)


def wants_raw() -> bool:
    """Whether the command that is running was given --raw."""
    return bool(click.get_current_context().meta.get(_RAW))


def _table_choice(**values: str | None) -> TableChoice:
    from ingest.text.tables import TableChoice

    return TableChoice(**values)


table_options = gathered(
    "table_choice",
    _table_choice,
    ("sheet", "decimal"),
    click.option("--sheet", metavar="NAME", help="Sheet of a workbook, if it has several"),
    click.option(
        "--decimal",
        type=click.Choice((".", ",")),
        help="The mark before decimals, where the numbers do not show it",
    ),
)
"""--sheet and --decimal; the command gets them as `table_choice`, a TableChoice."""


def _no_empty_host(_: click.Context, __: click.Parameter, host: str) -> str:
    if not host.strip():
        raise click.BadParameter("an empty host would listen everywhere; say 0.0.0.0 for that")
    return host


host_option = click.option(
    "--host",
    default="127.0.0.1",
    callback=_no_empty_host,
    show_default=True,
    help="Address to listen on; 0.0.0.0 for all addresses of this machine",
)


def port_option(default: int) -> Callable[..., Any]:
    """--port, with a default of the command's own."""
    return click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=default,
        show_default=True,
        help="Port to listen on; 0 for any free one",
    )
