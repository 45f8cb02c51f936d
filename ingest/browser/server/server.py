"""Datasette, set up for results databases: its settings, its plugins, and the web server."""

from __future__ import annotations

import asyncio
import errno
import gc
import io
import json
import socket
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.browser.protocols import App, Datasette
from ingest.browser.server.base_path import base_path
from ingest.browser.server.datasette_internals import (
    hide_local_variables,
    read_table_rules_once,
    serve_command,
)
from ingest.browser.server.diagnostics import without_diagnostics
from ingest.browser.server.hosts import only_known_hosts
from ingest.browser.server.log_lines import limit_log_lines
from ingest.browser.server.metadata import browser_metadata, merge_metadata, parse_metadata
from ingest.browser.server.visitors import limiting_protocol, limits_here
from ingest.database.files import DatabaseForm, connect_read_only, database_form
from ingest.errors import BackendError, ConfigError, DatabaseError
from ingest.resources import resource_path
from ingest.text.installation import not_installed

# With Datasette's own defaults some of these fail on tens of millions of rows: facets are suggested
# by scans, and CSV is streamed page by page. Here it is whole without, see whole_csv.
SETTINGS: dict[str, int] = {
    "suggest_facets": 0,
    "allow_csv_stream": 0,
    "allow_download": 0,
    "default_cache_ttl": 0,
    "default_page_size": 50,
    "max_returned_rows": 10_000,
    "max_csv_mb": 1_000,
    "sql_time_limit_ms": 5_000,
    "facet_time_limit_ms": 1_000,
    "num_sql_threads": 4,
    "truncate_cells_html": 500,
}

# Options of Datasette that `ingest serve` has itself, or that do not go with how it serves.
_REFUSED = {
    "host": "; use: ingest serve --host",
    "port": "; use: ingest serve --port",
    "open": "; use: ingest serve --open",
    "uds": "",
    "reload": "",
    "root": "",
    "get": "",
    "create": "",
    "pdb": "",
    "inspect-file": "",
}
_BACKLOG = 2048
_LAST_REQUESTS_S = 2


@dataclass(frozen=True)
class ServeOptions:
    """What to serve and how. extra: further arguments, as on Datasette's own command line."""

    database: Path
    allow_sql: bool = False
    cors: bool = False
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Access:
    """Who may ask for what. host: that is listened on. allowed_hosts: further names of the server.

    proxies: addresses or networks whose X-Forwarded-* is believed. diagnostics: whether pages about
    the server itself are open.
    """

    host: str
    allowed_hosts: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    diagnostics: bool = False


@dataclass(frozen=True)
class Site:
    """A Datasette that is ready for requests. ssl: further arguments for the web server."""

    datasette: Datasette
    ssl: dict[str, Any]


def make_site(options: ServeOptions) -> Site:
    """Datasette with ingest's pages on the database, and on those that extra names.

    Raises ConfigError: Datasette is not installed, or cannot start with what was passed on to it.
    Options that its command line refuses raise ClickException.
    """
    try:
        command = serve_command()
    except ImportError as exc:
        raise ConfigError(not_installed("datasette", "browser")) from exc
    hide_local_variables()
    from datasette.utils import StartupError

    context = command.make_context("datasette", _arguments(options))
    _refuse_options(command, context)
    given = context.params
    own = given["metadata"]
    more = parse_metadata(own.read(), own.name) if own else {}
    files = [Path(file) for file in (*given["files"], *given["immutable"])]
    names = [file.stem for file in files if _holds_results(file)]
    metadata = merge_metadata(browser_metadata(names), more)
    settings = dict(given["settings"])
    if "base_url" in settings:
        settings["base_url"] = base_path(settings["base_url"], {file.stem for file in files})
        given |= {"settings": tuple(settings.items())}
    given |= {"metadata": io.StringIO(json.dumps(metadata)), "return_instance": True}
    try:
        datasette = command.invoke(context)
        asyncio.run(datasette.invoke_startup())
    except StartupError as exc:
        raise ConfigError(f"Datasette: {exc}") from exc
    read_table_rules_once(datasette)
    ssl = {name: given[name] for name in ("ssl_keyfile", "ssl_certfile") if given[name]}
    return Site(datasette, ssl)


def _arguments(options: ServeOptions) -> list[str]:
    """The command line for Datasette; what is passed on comes last, so that it holds."""
    settings = {**SETTINGS, "default_allow_sql": int(options.allow_sql)}
    return [
        str(options.database),
        *(part for name, value in settings.items() for part in ("--setting", name, str(value))),
        *("--plugins-dir", str(resource_path("datasette_plugins"))),
        *("--template-dir", str(resource_path("templates"))),
        *("--static", f"static:{resource_path('static')}"),
        *(["--cors"] if options.cors else []),
        *options.extra,
    ]


def _refuse_options(command: Any, context: Any) -> None:
    for parameter in command.params:
        name = parameter.opts[-1].removeprefix("--")
        source = context.get_parameter_source(parameter.name)
        if name in _REFUSED and source is not None and source.name == "COMMANDLINE":
            raise ConfigError(f"--{name} cannot be passed on to Datasette{_REFUSED[name]}")


def _holds_results(file: Path) -> bool:
    try:
        with closing(connect_read_only(file)) as connection:
            return database_form(connection) in (DatabaseForm.CURRENT, DatabaseForm.OLDER)
    except DatabaseError:
        return False


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one.

    Raises ConfigError: the port is taken or not allowed, or there is no such host.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except PermissionError as exc:
        message = f"port {port} is for the system only. Choose another: ingest serve --port 8001"
        raise ConfigError(message) from exc
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            free = port + 1 if port < 65535 else 8001
            message = f"port {port} is taken. Choose another: ingest serve --port {free}"
            raise ConfigError(message) from exc
        raise ConfigError(f"{host} port {port} cannot be listened on: {exc}") from exc
    # asyncio sets this only for sockets it makes itself; without it the second part of an answer
    # waits 40 ms for the first to be acknowledged, on every connection that is kept
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def site_url(site: Site, listening: socket.socket) -> str:
    """The address of the site on this machine."""
    host, port = listening.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    scheme = "https" if site.ssl else "http"
    path = site.datasette.setting("base_url").rstrip("/")
    return f"{scheme}://{host}:{port}{path}"


def serve(site: Site, listening: socket.socket, access: Access) -> None:
    """Answer requests until a signal ends the process' wish to; the last ones are finished.

    Only requests to host, to this machine and to allowed_hosts are answered, see hosts.py.
    Raises BackendError: the web server could not begin. KeyboardInterrupt passes through.
    """
    import uvicorn

    limits = limits_here()
    limit_log_lines()
    config = uvicorn.Config(
        _guarded(site, access),
        proxy_headers=bool(access.proxies),
        forwarded_allow_ips=list(access.proxies),
        http=limiting_protocol(limits),
        ws="none",
        backlog=limits.backlog,
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=_LAST_REQUESTS_S,
        **site.ssl,
    )
    server = uvicorn.Server(config)
    # modules and templates stay for good: looking through them for garbage is what the slowest
    # answers waited for
    gc.collect()
    gc.freeze()
    try:
        server.run(sockets=[listening])
    except OSError as exc:
        raise BackendError(f"the web server could not begin: {exc}") from exc
    if not server.started:
        raise BackendError("the web server could not begin; see above")


def _guarded(site: Site, access: Access) -> App:
    app = site.datasette.app()
    if not access.diagnostics:
        app = without_diagnostics(app, site.datasette.setting("base_url"))
    return only_known_hosts(app, access.host, access.allowed_hosts)
