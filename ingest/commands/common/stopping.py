"""Ctrl-C while something long goes on: the first time in order, the second at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import click

from ingest.errors import InterruptedRunError


@contextmanager
def stopping(request_stop: Callable[[], None], what_goes_on: str = "") -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) calls request_stop, the second ends the process.

    what_goes_on: a sentence on what a stop leaves running, with a space before it.
    """
    requested = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal requested
        if requested:
            os._exit(InterruptedRunError.exit_code)
        requested = True
        request_stop()
        message = f"Stopping; what has finished is kept.{what_goes_on} Once more ends it at once."
        click.echo(message, err=True)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
