"""Which names the server answers to: a site that leads its own name to it can read nothing."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence

from ingest.browser.protocols import App, Message, Receive, Send

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^:@/\\\s]*)(:\d*)?", re.IGNORECASE)
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def is_everywhere(host: str) -> bool:
    """Whether a host to listen on stands for all addresses of this machine."""
    return host in ("0.0.0.0", "::")  # it is only compared


def is_this_machine(host: str) -> bool:
    """Whether nobody else can reach a host that is listened on."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def only_known_hosts(app: App, host: str, allowed: Sequence[str]) -> App:
    """The application for requests to this machine, host and allowed names; 421 for others.

    A * among allowed answers to every name. Where all addresses are listened on, any address and
    this machine's name is known: only a name can be led astray.
    """
    if "*" in allowed:
        return app
    known = {name.strip("[]").rstrip(".").lower() for name in (*_THIS_MACHINE, host, *allowed)}
    everywhere = is_everywhere(host)
    if everywhere:
        known |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        name = _name(scope) if scope["type"] == "http" else None
        if name is None or name in known or (everywhere and _is_address(name)):
            await app(scope, receive, send)
        else:
            await _refuse(send)

    return answer


def _name(scope: Message) -> str | None:
    """The name that a request is for, empty where it is none; None without one (HTTP/1.0)."""
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if not given:
        return None
    found = _HOST.fullmatch(given[0].strip()) if len(given) == 1 else None
    return found["name"].strip("[]").rstrip(".").lower() if found else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _refuse(send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    body = b"This server does not answer to that name. Allow it: ingest serve --allow-host NAME\n"
    await send({"type": "http.response.body", "body": body})
