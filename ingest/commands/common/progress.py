"""Progress: of a run, live on a terminal, else a plain line now and then; of other long work."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from ingest.plugins.events import RunProgress
from ingest.text.times import duration_text

_PLAIN_INTERVAL_S = 5.0
_LONG_S = 2.0

Show = Callable[[RunProgress], None]


@contextmanager
def progress_display(*, quiet: bool, title: str = "Run {run_id}") -> Iterator[Show]:
    """A function that shows the progress of a run on stderr; title: of what, as a format."""
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        with _live_display(title) as show:
            yield show
    else:
        yield _plain_display(title)


@contextmanager
def long_work(what: str) -> Iterator[None]:
    """Show on a terminal, from the third second on, what is being done and for how long.

    what: writing results.csv. Nothing may be printed meanwhile.
    """
    if not sys.stderr.isatty():
        yield
        return
    ended = threading.Event()
    shown = threading.Thread(target=_show_elapsed, args=(what, ended), daemon=True)
    shown.start()
    try:
        yield
    finally:
        ended.set()
        shown.join()


def _show_elapsed(what: str, ended: threading.Event) -> None:
    if ended.wait(_LONG_S):
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as line:
        task = line.add_task(what, total=None)
        line.tasks[task].start_time = line.get_time() - _LONG_S
        ended.wait()


@contextmanager
def _live_display(title: str) -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    bar = Progress(
        TextColumn("{task.fields[title]}"),
        BarColumn(bar_width=40),
        TextColumn("{task.fields[counts]}"),
        console=Console(stderr=True),
        refresh_per_second=8,
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=None, title="", counts="starting")

        def show(progress: RunProgress) -> None:
            bar.update(
                task,
                total=progress.total,
                completed=progress.done,
                title=title.format(run_id=progress.run_id),
                counts=_counts(progress, tracker.remaining_s(progress)),
            )

        tracker = _Tracker()
        yield show


def _counts(progress: RunProgress, remaining_s: float | None) -> str:
    failed = f"  [red]failed {progress.failed:,}[/]" if progress.failed else ""
    left = f"  {duration_text(remaining_s)} left" if remaining_s is not None else ""
    rate = f"  {progress.done / progress.elapsed_s:.1f}/s" if progress.elapsed_s > 0 else ""
    return (
        f"{progress.done:,}/{progress.total:,}  ok {progress.succeeded:,}{failed}"
        f"  running {progress.running}{_waiting(progress)}{rate}{left}{_waits(progress, '  ')}"
    )


def _waiting(progress: RunProgress) -> str:
    """How many jobs are having results fetched or are in an unknown state, where there are any."""
    fetching = f"  fetching {progress.fetching:,}" if progress.fetching else ""
    doubt = f"  no answer {progress.in_doubt:,}" if progress.in_doubt else ""
    return fetching + doubt


def _waits(progress: RunProgress, before: str) -> str:
    """What is waited for and until when, each with something before it."""
    return "".join(before + text for text in progress.waits)


class _Tracker:
    """Estimates the time left from what was done since the display began."""

    def __init__(self) -> None:
        self._first: RunProgress | None = None

    def remaining_s(self, progress: RunProgress) -> float | None:
        if self._first is None:
            self._first = progress
        done = progress.done - self._first.done
        elapsed_s = progress.elapsed_s - self._first.elapsed_s
        if done <= 0 or elapsed_s <= 0:
            return None
        return (progress.total - progress.done) * elapsed_s / done


def _plain_display(title: str) -> Show:
    last = time.monotonic()
    tracker = _Tracker()

    def show(progress: RunProgress) -> None:
        nonlocal last
        remaining_s = tracker.remaining_s(progress)
        if time.monotonic() - last < _PLAIN_INTERVAL_S:
            return
        last = time.monotonic()
        left = f", about {duration_text(remaining_s)} left" if remaining_s is not None else ""
        click.echo(
            f"{title.format(run_id=progress.run_id)}: {progress.done:,} of {progress.total:,} "
            f"done, {progress.failed:,} failed, {progress.running} running"
            f"{_waiting(progress).replace('  ', ', ')}{left}{_waits(progress, '; ')}",
            err=True,
        )

    return show
