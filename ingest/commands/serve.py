"""`ingest serve`: the results in the browser."""

from __future__ import annotations

import ipaddress
import signal
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from ingest.browser.server.hosts import is_this_machine
from ingest.browser.server.server import Access, ServeOptions, make_site, open_socket, site_url
from ingest.browser.server.server import serve as serve_site
from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import host_option, port_option
from ingest.database.files import make_snapshot, open_for_reading
from ingest.errors import ConfigError
from ingest.temporary import TemporaryFolder, remove_leftovers


def _check_proxies(
    _context: click.Context, _parameter: click.Parameter, addresses: tuple[str, ...]
) -> tuple[str, ...]:
    for address in addresses:
        try:
            ipaddress.ip_network(address)
        except ValueError as exc:
            raise click.BadParameter(f"{address} is no address or network: {exc}") from exc
    return addresses


@click.command()
@study_options
@host_option
@port_option(8001)
@click.option("--open", "open_browser", is_flag=True, help="Open the browser")
@click.option("--allow-sql", is_flag=True, help="Let visitors write their own SQL; read-only")
@click.option("--cors", is_flag=True, help="Let pages of other sites read the data (CORS)")
@click.option(
    "--allow-host",
    "allowed_hosts",
    metavar="NAME",
    multiple=True,
    help="Answer to this name, too, such as that of a proxy; may be repeated; * is every name",
)
@click.option(
    "--proxy",
    "proxies",
    metavar="ADDRESS",
    multiple=True,
    callback=_check_proxies,
    help="Believe X-Forwarded-* of this address or network; may be repeated",
)
@click.option("--diagnostics", is_flag=True, help="Open pages on versions, plugins, settings")
@click.option("--snapshot", is_flag=True, help="Serve a copy of the database as it is now")
@click.argument("datasette_options", nargs=-1, metavar="[-- DATASETTE_OPTIONS]")
def serve(
    choice: StudyChoice,
    host: str,
    port: int,
    open_browser: bool,
    allow_sql: bool,
    cors: bool,
    allowed_hosts: tuple[str, ...],
    proxies: tuple[str, ...],
    diagnostics: bool,
    snapshot: bool,
    datasette_options: tuple[str, ...],
) -> None:
    """Show the results in the browser: overview, comparisons, changes, charts, data.

    The database is only read; a run may write to it meanwhile. Options after -- go to Datasette:
    its settings, its own metadata, further databases.

    \b
    Examples:
      ingest serve --open
      ingest serve --port 8002 --snapshot
      ingest serve -- --setting base_url /results/ --metadata licence.yml
    """
    remove_leftovers()
    path = choice.database_path()
    open_for_reading(path).close()
    with _copied(path) if snapshot else nullcontext(path) as served, _ending_by_signal():
        try:
            site = make_site(ServeOptions(served, allow_sql, cors, datasette_options))
        except click.ClickException as exc:  # of Datasette's own command line
            raise ConfigError(f"Datasette: {exc.format_message()}") from exc
        with open_socket(host, port) as listening:
            url = site_url(site, listening)
            copy = "a copy of " if snapshot else ""
            click.echo(f"Serving {copy}{path.name} at {url} (Ctrl-C to stop)", err=True)
            _tell_who_sees(host, allow_sql, cors)
            if open_browser:
                threading.Thread(target=webbrowser.open, args=[url], daemon=True).start()
            serve_site(site, listening, Access(host, allowed_hosts, proxies, diagnostics))


def _tell_who_sees(host: str, allow_sql: bool, cors: bool) -> None:
    """Say what others can do, where others reach the server."""
    if is_this_machine(host):
        return
    can = ["read every result"]
    can += ["write SQL that reads"] if allow_sql else []
    can += ["have pages of other sites read it"] if cors else []
    words = " and ".join(filter(None, (", ".join(can[:-1]), can[-1])))
    click.echo(f"Whoever reaches {host} on this network can {words}, without a login.", err=True)


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    """A copy of the database in a folder of its own, which is removed afterwards."""
    with TemporaryFolder("serve") as folder:
        yield make_snapshot(path, folder)


@contextmanager
def _ending_by_signal() -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the server cleanly, with exit code 0."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        # Python ends by SIGINT, although this is caught, where it came amid code that is made at
        # run time (a dataclass, while modules are imported); it forgets that with the next such
        exec("")
        click.echo("Stopped.", err=True)
    finally:
        signal.signal(signal.SIGTERM, before)
