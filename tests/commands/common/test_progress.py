"""Long work shows itself on a terminal, and nowhere else."""

from __future__ import annotations

import io
import sys
import time

import pytest

from ingest.commands.common import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown_by_work(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO, seconds: float) -> str:
    monkeypatch.setattr(progress, "_LONG_S", 0.1)
    monkeypatch.setattr(sys, "stderr", stderr)
    with progress.long_work("writing results.csv"):
        time.sleep(seconds)
    return stderr.getvalue()


def test_long_work_is_shown_with_the_time_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = shown_by_work(monkeypatch, Terminal(), 0.5)
    assert "writing results.csv" in shown
    assert "0:00:0" in shown
    assert shown.endswith("\x1b[2K")  # and taken away


def test_short_work_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown_by_work(monkeypatch, Terminal(), 0.0) == ""


def test_a_file_gets_no_spinner(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown_by_work(monkeypatch, io.StringIO(), 0.3) == ""
