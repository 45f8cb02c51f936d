"""Which scenario is the baseline, and the order in which scenarios are listed."""

from __future__ import annotations

from collections.abc import Iterable

BASELINES = ("null", "baseline")


def order_scenarios(names: Iterable[str]) -> tuple[str, ...]:
    """Scenarios with the baselines first."""
    return tuple(sorted(names, key=lambda name: (name not in BASELINES, name == "baseline", name)))
