"""Ctrl-C during long work: the first one stops in order, the second at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import click

from ingest.errors import InterruptedRunError

STOPPING = "Stopping; finished jobs are kept."


@contextmanager
def stopping(request_stop: Callable[[], None], message: str = STOPPING) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) calls request_stop and prints message, the second ends at once.

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
            click.echo(f"{message} Press Ctrl-C again to end at once.", err=True)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
