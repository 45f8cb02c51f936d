"""Pictures of charts: drawn in a process of their own, one at a time, each within a time limit.

A process, because vl-convert holds Python's lock while it draws: in the server no page would be
answered meanwhile.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from ingest.charts.pictures import render_png, render_svg
from ingest.errors import ConfigError

_LIMIT_S = 60.0
_LARGE_BYTES = 5_000_000


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


# --- one for the server --------------------------------------------------------------------------


_PROCESS = DrawingProcess()
# The one thread that waits for the process, and that requests wait for.
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="drawing")


async def draw_picture(kind: str, spec: dict[str, Any]) -> bytes:
    """The picture of a chart, while other requests are answered. Raises as DrawingProcess.draw."""
    try:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_THREAD, _PROCESS.draw, kind, spec)
    except asyncio.CancelledError as exc:
        _PROCESS.stop()  # which does not wait for a picture
        raise ConfigError("the server is ending") from exc
