"""Names that the server answers to."""

from __future__ import annotations

import asyncio

import pytest

from ingest.browser.protocols import Message
from ingest.browser.server.hosts import only_known_hosts
from tests.browser.site import Site

PATHS = (
    "/",
    "/validation_results/run_tags.json",
    "/validation_results/run_tags.csv",
    "/validation_results/compare_scenarios.png",
    "/static/ingest.css",
    "/-/versions.json",
)
FOREIGN = ("evil.example.com", "localhost.evil.example.com", "127.0.0.1.nip.io:8001", "10.0.0.1")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", FOREIGN)
def test_other_names_get_one_line(site: Site, path: str, host: str) -> None:
    answer = site.request(path, Host=host)
    assert answer.status == 421
    assert answer.text == (
        "This server does not answer to that name. Allow it: ingest serve --allow-host NAME\n"
    )


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8001"])
def test_names_of_this_machine_are_answered(site: Site, host: str) -> None:
    assert site.request("/", Host=host).status == 200


def status(host: str | None, listening: str = "127.0.0.1", allowed: tuple[str, ...] = ()) -> int:
    """The status for a request to a host."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {}

    async def app(*_: object) -> None:
        sent.append({"status": 200})

    headers = [] if host is None else [(b"host", host.encode())]
    scope = {"type": "http", "headers": headers}
    asyncio.run(only_known_hosts(app, listening, allowed)(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("host", "listening", "allowed", "expected"),
    [
        ("results.example.org", "127.0.0.1", ("Results.example.org",), 200),
        ("results.example.org.:443", "127.0.0.1", ("results.example.org",), 200),
        ("x.results.example.org", "127.0.0.1", ("results.example.org",), 421),
        ("evil.example.com", "127.0.0.1", ("*",), 200),
        ("me.lan", "me.lan", (), 200),
        ("192.0.2.7:8001", "0.0.0.0", (), 200),
        ("evil.example.com", "0.0.0.0", (), 421),
        ("evil.example.com", "::", (), 421),
        ("", "127.0.0.1", (), 421),
        ("localhost@evil.example.com", "127.0.0.1", (), 421),
        ("localhost:80:80", "127.0.0.1", (), 421),
        (None, "127.0.0.1", (), 200),
    ],
)
def test_which_names_are_known(
    host: str | None, listening: str, allowed: tuple[str, ...], expected: int
) -> None:
    assert status(host, listening, allowed) == expected
