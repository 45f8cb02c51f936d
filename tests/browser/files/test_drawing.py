"""Pictures for many visitors: drawn once, kept, dropped when nobody waits, and bounded."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
import time
from contextlib import ExitStack
from typing import Any, cast
from urllib.parse import urlencode

import pytest

from ingest.browser.files.drawing import BusyError, Drawings
from ingest.browser.protocols import Message
from ingest.errors import ConfigError
from tests.browser.site import Site


def path_of(number: int) -> str:
    """The address of a picture that no other number has."""
    asked = {"country": "KEN", "scenario": "scale_up", "discount_rate": f"{number / 100:.2f}"}
    return f"/validation_results/compare_scenarios.png?{urlencode(asked)}"


def ask_at_once(stack: ExitStack, site: Site, numbers: range) -> list[socket.socket]:
    """Visitors who have asked for pictures, and go when the block ends."""
    visitors = []
    for number in numbers:
        one = stack.enter_context(socket.create_connection(("127.0.0.1", site.port), timeout=60))
        one.sendall(f"GET {path_of(number)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        visitors.append(one)
    return visitors


def test_pictures_that_were_given_up_hold_nobody_up(site: Site) -> None:
    site.get(path_of(0))  # so that the process runs
    with ExitStack() as stack:
        ask_at_once(stack, site, range(1, 151))
    begin = time.monotonic()
    assert site.get(path_of(151)).body.startswith(b"\x89PNG")
    assert time.monotonic() - begin < 20
    begin = time.monotonic()
    site.get(path_of(151))
    assert time.monotonic() - begin < 1


def test_more_pictures_than_can_be_promised_are_asked_for_later(site: Site) -> None:
    with ExitStack() as stack:
        waiting = ask_at_once(stack, site, range(300, 360))
        answer = b""
        while not answer.startswith(b"HTTP/1.1 503"):
            ready, _, _ = select.select(waiting, [], [], 60)
            answer = ready[0].recv(10_000)
            waiting.remove(ready[0])
        while b"}" not in answer:
            answer += ready[0].recv(10_000) or b"cut off }"
    assert b"\r\nretry-after: 10\r\n" in answer
    assert b"many pictures are being drawn now; ask again in some seconds" in answer
    assert site.get(path_of(360)).body.startswith(b"\x89PNG")


# --- the rules, with a process that only counts --------------------------------------------------


class Process:
    """Draws nothing, when it is told to."""

    def __init__(self) -> None:
        self.drawn: list[str] = []
        self.may_draw = threading.Event()

    def draw(self, kind: str, spec: dict[str, Any]) -> bytes:
        self.may_draw.wait(30)
        self.drawn.append(spec["title"])
        if spec["title"] == "wrong":
            raise ConfigError("the chart cannot be drawn")
        return b"x" * 10

    def stop(self) -> None:
        self.may_draw.set()


async def stays() -> Message:
    await asyncio.sleep(60)
    return {}


async def goes() -> Message:
    await asyncio.sleep(0.05)
    return {"type": "http.disconnect"}


def drawings(**limits: int) -> tuple[Process, Drawings]:
    process = Process()
    return process, Drawings(cast(Any, process), **limits)


async def ask(due: Drawings, titles: list[str], receive: Any = stays) -> list[Any]:
    asked = (due.picture("png", {"title": title}, receive) for title in titles)
    return await asyncio.gather(*asked, return_exceptions=True)


def test_a_picture_is_drawn_once_for_all_who_ask_and_those_after_them() -> None:
    async def many() -> None:
        process, due = drawings()
        process.may_draw.set()
        assert await ask(due, ["a", "b", "a", "a"]) == [b"x" * 10] * 4
        assert await ask(due, ["a"]) == [b"x" * 10]
        assert sorted(process.drawn) == ["a", "b"]
        for _ in range(2):  # what went wrong is not kept
            (error,) = await ask(due, ["wrong"])
            assert str(error) == "the chart cannot be drawn"
        assert process.drawn[2:] == ["wrong", "wrong"]

    asyncio.run(many())


def test_what_nobody_waits_for_is_dropped_and_what_one_waits_for_is_not() -> None:
    async def given_up() -> None:
        process, due = drawings()
        first = asyncio.create_task(ask(due, ["first"]))
        await asyncio.sleep(0.01)
        kept = asyncio.create_task(ask(due, ["b"]))
        errors = await ask(due, ["a", "b", "c"], goes)
        assert {str(error) for error in errors} == {"nobody waits for this picture any more"}
        process.may_draw.set()
        assert [await first, await kept] == [[b"x" * 10]] * 2
        assert process.drawn == ["first", "b"]

    asyncio.run(given_up())


def test_one_too_many_is_refused_but_not_one_that_is_due_or_kept() -> None:
    async def full() -> None:
        process, due = drawings(most_due=2)
        asked = asyncio.create_task(ask(due, ["a", "b"]))
        await asyncio.sleep(0.05)
        again = asyncio.create_task(ask(due, ["a"]))
        with pytest.raises(BusyError):
            await due.picture("png", {"title": "c"}, stays)
        process.may_draw.set()
        assert await asked == [b"x" * 10] * 2
        assert await again == [b"x" * 10]
        assert await ask(due, ["c", "a"]) == [b"x" * 10] * 2
        assert process.drawn == ["a", "b", "c"]

    asyncio.run(full())


def test_no_more_is_kept_than_there_is_room_for() -> None:
    async def small() -> None:
        process, due = drawings(kept_bytes=25)
        process.may_draw.set()
        for title in "abacab":
            await ask(due, [title])
        assert process.drawn == ["a", "b", "c", "b"]

    asyncio.run(small())


def test_a_server_that_ends_waits_for_no_picture() -> None:
    async def ending() -> None:
        process, due = drawings()
        asked = asyncio.create_task(due.picture("png", {"title": "a"}, stays))
        await asyncio.sleep(0.05)
        asked.cancel()
        with pytest.raises(ConfigError, match="the server is ending"):
            await asked
        assert not process.may_draw.is_set()  # others may wait for it; the loop's end stops it

    begin = time.monotonic()
    asyncio.run(ending())
    assert time.monotonic() - begin < 10
