"""The process that draws, as the server sees it: one picture at a time, none for ever."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import ingest
from ingest.browser.files.drawing import encode_order, read_answer
from ingest.errors import ConfigError

_LIMIT_S = 60.0
_LARGE_BYTES = 5_000_000


class DrawingProcess:
    """Draws charts; the process starts with the first one. draw() is for one thread at a time."""

    def __init__(self, limit_s: float = _LIMIT_S) -> None:
        self._limit_s = limit_s
        self._process: subprocess.Popen[bytes] | None = None

    def draw(self, kind: str, spec: dict[str, Any]) -> bytes:
        """The picture of a chart. kind: png or svg.

        Raises ConfigError: the chart is wrong, takes too long, or more memory than there is.
        """
        order = encode_order(kind, spec)
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        too_late = threading.Event()
        watch = threading.Timer(self._limit_s, _kill, [process, too_late])
        watch.daemon = True
        watch.start()
        try:
            process.stdin.write(order)
            process.stdin.flush()
            picture = read_answer(process.stdout)
        except (OSError, EOFError) as exc:
            self.close()
            raise ConfigError(self._problem(too_late.is_set())) from exc
        finally:
            watch.cancel()
        if len(order) > _LARGE_BYTES:
            self.close()  # it keeps the memory that it once needed
        return picture

    def close(self) -> None:
        """End the process; the next picture starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def stop(self) -> None:
        """End the process from another thread: the picture that it draws fails."""
        process = self._process
        if process is not None:
            process.kill()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None:
            # its own session, so that Ctrl-C in a terminal is the server's alone; it ends when the
            # server's end of stdin is closed, however the server ends
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ingest.browser.files.drawing"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                env=os.environ | {"PYTHONPATH": _python_path()},
            )
        return self._process

    def _problem(self, is_too_late: bool) -> str:
        if is_too_late:
            return f"the chart was not drawn within {self._limit_s:g} s; choose fewer rows"
        return "the process that draws the chart has ended, perhaps for want of memory; try again"


def _kill(process: subprocess.Popen[bytes], too_late: threading.Event) -> None:
    too_late.set()
    process.kill()


def _python_path() -> str:
    """Where ingest can be imported from; not from the folder that the server was started in."""
    own = str(Path(ingest.__file__).resolve().parent.parent)
    return os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), own]))


# --- one for the server --------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _drawing() -> tuple[DrawingProcess, ThreadPoolExecutor]:
    """The process, and the one thread that waits for it, which others wait for."""
    return DrawingProcess(), ThreadPoolExecutor(1, thread_name_prefix="drawing")


async def draw_picture(kind: str, spec: dict[str, Any]) -> bytes:
    """The picture of a chart, while other requests are answered. Raises as DrawingProcess.draw."""
    process, thread = _drawing()
    try:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(thread, process.draw, kind, spec)
    except asyncio.CancelledError as exc:
        process.stop()  # which does not wait for a picture
        raise ConfigError("the server is ending") from exc
