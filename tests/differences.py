"""Differences made by hand for the tests of reports, summaries and charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ingest.changes.causes import NONDETERMINISTIC
from ingest.changes.diff import SeriesChange, StateDiff
from ingest.database.states import RunRef
from ingest.planning.causes import Cause
from ingest.planning.input_changes import InputChange, InputKind
from ingest.study.combination import Combination

BEFORE = RunRef(6, "2026-11-23T09:00:00.000Z", "9c01b7a" + "0" * 33, "completed", "[]")
AFTER = RunRef(7, "2026-11-24T09:00:00.000Z", "4f2c9e1" + "0" * 33, "completed", "[]")
RULE = "|b-a| > 1e-09 + 1e-06·|a|"
NONE_CHANGED = Cause((InputChange(InputKind.NONE, NONDETERMINISTIC, None, None),))


def cause(name: str = "Coverage", kind: InputKind = InputKind.SCENARIO) -> Cause:
    return Cause((InputChange(kind, name, "0.95", "0.9"),), "cr1")


def change(
    country: str = "KEN",
    scenario: str = "cr1",
    label: str = "Healthy Years Lived",
    before: float | None = 100.0,
    after: float | None = 102.0,
    kind: str = "changed",
) -> SeriesChange:
    return SeriesChange(country, scenario, label, kind, 3, 2050, before, after, before, after)


def difference(series: Sequence[SeriesChange] = (), **changes: Any) -> StateDiff:
    """A difference of these series; each of their combinations has the same cause."""
    combinations = dict.fromkeys(Combination(s.country, s.scenario) for s in series)
    values: dict[str, Any] = {
        "before": BEFORE,
        "after": AFTER,
        "rule": RULE,
        "series": tuple(series),
        "changed": {combination: cause() for combination in combinations},
        "within": (),
        "equal": 5,
        "added": (),
        "removed": (),
    }
    return StateDiff(**values | changes)
