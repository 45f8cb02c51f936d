"""Ctrl-C during long work: the first one stops in order, the second at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import click

from ingest.errors import InterruptedRunError

STOPPING = "Stopping; finished jobs are kept."


@contextmanager
def stopping(request_stop: Callable[[], None], message: str = STOPPING) -> Iterator[None]:
    """The first Ctrl-C (SIGTERM, SIGHUP) calls request_stop and prints message, the second ends at
    once. A SIGHUP that is ignored, as after nohup, stays so.

    message: empty for none.
    """
    requested = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal requested
        if requested:
            os._exit(InterruptedRunError.exit_code)
        requested = True
        request_stop()
        if message:
            with suppress(OSError):  # after SIGHUP the terminal may be gone
                click.echo(f"{message} Press Ctrl-C again to end at once.", err=True)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
