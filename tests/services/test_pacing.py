from __future__ import annotations

import threading

import pytest

from ingest.services import pacing


def test_calls_are_paced(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[float] = []
    monkeypatch.setattr(pacing.time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(pacing.time, "sleep", turns.append)
    pacer = pacing.Pacer(10.0)
    threads = [threading.Thread(target=pacer.wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(turns) == pytest.approx([0.0, 0.1, 0.2, 0.3])
