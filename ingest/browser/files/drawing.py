"""Pictures of charts: drawn in a process of their own, one at a time, each within a time limit.

A process, because vl-convert holds Python's lock while it draws: in the server no page would be
answered meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import os
import pickle
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from ingest.browser.files.whole_csv import disconnected
from ingest.browser.protocols import Receive
from ingest.charts.pictures import render_png, render_svg
from ingest.errors import ConfigError
from ingest.text.json_text import json_text

_LIMIT_S = 60.0
_LARGE_BYTES = 5_000_000
_GONE = "nobody waits for this picture any more"


class DrawingProcess:
    """Draws charts; the process starts with the first one. draw() is for one thread at a time."""

    def __init__(self, limit_s: float = _LIMIT_S) -> None:
        self.limit_s = limit_s
        self._running: tuple[SpawnProcess, Connection] | None = None

    def draw(self, kind: str, spec: dict[str, Any]) -> bytes:
        """The picture of a chart. kind: png or svg.

        Raises ConfigError: the chart is wrong, takes too long, or more memory than there is.
        """
        order = pickle.dumps((kind, spec))
        process, pipe = self._start()
        begin = time.monotonic()
        watch = threading.Timer(self.limit_s, process.kill)
        watch.daemon = True
        watch.start()
        try:
            pipe.send_bytes(order)
            answer: bytes | ConfigError = pipe.recv()
        except (OSError, EOFError) as exc:
            self.close()
            raise ConfigError(self._problem(time.monotonic() - begin >= self.limit_s)) from exc
        finally:
            watch.cancel()
        if len(order) > _LARGE_BYTES:
            self.close()  # it keeps the memory that it once needed
        if isinstance(answer, ConfigError):
            raise answer
        return answer

    def close(self) -> None:
        """End the process; the next picture starts another."""
        if self._running is not None:
            process, pipe = self._running
            self._running = None
            process.kill()
            process.join()
            process.close()
            pipe.close()

    def stop(self) -> None:
        """End the process from another thread: the picture that it draws fails."""
        if self._running is not None:
            self._running[0].kill()

    def _start(self) -> tuple[SpawnProcess, Connection]:
        """The process and its pipe, started anew where it has ended."""
        if self._running is not None and not self._running[0].is_alive():
            self.close()
        if self._running is None:
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            process = context.Process(target=_answer_orders, args=[theirs], daemon=True)
            process.start()
            theirs.close()
            self._running = (process, ours)
        return self._running

    def _problem(self, is_too_late: bool) -> str:
        if is_too_late:
            return f"the chart was not drawn within {self.limit_s:g} s; choose fewer rows"
        return "the process that draws the chart has ended, perhaps for lack of memory; try again"


def _answer_orders(pipe: Connection) -> None:
    """Draw what comes through the pipe until the server has closed its end, however it ended."""
    os.setsid()  # Ctrl-C in a terminal is for the server only
    while True:
        try:
            kind, spec = pipe.recv()
            pipe.send(_picture(kind, spec))
        except (OSError, EOFError):
            return


def _picture(kind: str, spec: dict[str, Any]) -> bytes | ConfigError:
    try:
        return render_png(spec) if kind == "png" else render_svg(spec).encode()
    except ConfigError as exc:
        return exc


# --- for all visitors of a server ----------------------------------------------------------------


class BusyError(Exception):
    """So many pictures are waited for that another one cannot be promised."""


@dataclass
class _Drawing:
    """A picture that is due. waiting: how many visitors wait for it."""

    task: asyncio.Task[bytes]
    waiting: int = 0
    is_begun: bool = False


class Drawings:
    """The pictures of one server: each is drawn once for all who wait for it, and kept a while.

    One that nobody waits for any more is dropped before it is begun.
    """

    def __init__(
        self,
        process: DrawingProcess | None = None,
        most_due: int = 20,
        kept_bytes: int = 50_000_000,
    ) -> None:
        self._process = process or DrawingProcess()
        self._most_due = most_due
        self._free_bytes = kept_bytes
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()  # the last one was asked for last
        self._due: dict[bytes, _Drawing] = {}
        self._turn = asyncio.Lock()
        # the one thread that waits for the process
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="drawing")

    async def picture(self, kind: str, spec: dict[str, Any], receive: Receive) -> bytes:
        """The picture of a chart, while other requests are answered. receive: of who asks for it.

        Raises ConfigError as DrawingProcess.draw, and where the visitor or the server goes;
        BusyError.
        """
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            key = await asyncio.to_thread(_key, kind, spec)
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            if key not in self._due and not gone.done():
                self._begin(key, kind, spec)
            return await self._wait(key, gone)
        except asyncio.CancelledError as exc:
            raise ConfigError("the server is ending") from exc
        finally:
            gone.cancel()

    def _begin(self, key: bytes, kind: str, spec: dict[str, Any]) -> None:
        if len(self._due) >= self._most_due:
            raise BusyError("many pictures are being drawn now; ask again in some seconds")
        task = asyncio.create_task(self._draw(key, kind, spec))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._due[key] = _Drawing(task)

    async def _wait(self, key: bytes, gone: asyncio.Future[None]) -> bytes:
        if gone.done():
            raise ConfigError(_GONE)
        drawing = self._due[key]
        drawing.waiting += 1
        try:
            either: list[asyncio.Future[Any]] = [drawing.task, gone]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if drawing.task.done():
                return drawing.task.result()
            raise ConfigError(_GONE)
        finally:
            drawing.waiting -= 1
            if not (drawing.waiting or drawing.is_begun or drawing.task.done()):
                drawing.task.cancel()
                del self._due[key]

    async def _draw(self, key: bytes, kind: str, spec: dict[str, Any]) -> bytes:
        async with self._turn:
            self._due[key].is_begun = True
            try:
                loop = asyncio.get_running_loop()
                picture = await loop.run_in_executor(self._thread, self._process.draw, kind, spec)
            except asyncio.CancelledError:
                self._process.stop()  # the server does not wait for a picture when it ends
                raise
            finally:
                del self._due[key]
        self._keep(key, picture)
        return picture

    def _keep(self, key: bytes, picture: bytes) -> None:
        self._kept[key] = picture
        self._free_bytes -= len(picture)
        while self._free_bytes < 0:
            _, oldest = self._kept.popitem(last=False)
            self._free_bytes += len(oldest)


def _key(kind: str, spec: dict[str, Any]) -> bytes:
    return hashlib.sha256(f"{kind} {json_text(spec)}".encode()).digest()
