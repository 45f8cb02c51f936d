"""Which scenario is the baseline, and the order in which scenarios are listed."""

from __future__ import annotations

from collections.abc import Iterable

from ingest.errors import ConfigError
from ingest.text.suggest import did_you_mean_or_list

BASELINES = ("null", "baseline")


def order_scenarios(names: Iterable[str]) -> tuple[str, ...]:
    """Scenarios with the baselines first."""
    return tuple(sorted(names, key=lambda name: (name not in BASELINES, name == "baseline", name)))


def choose_baseline(setting: str, names: Iterable[str]) -> str:
    """The scenario that others are compared with: as set, else null, baseline or the first.

    setting: study.baseline. Raises ConfigError: no such scenario, or none at all.
    """
    known = order_scenarios(names)
    if not known:
        raise ConfigError("there are no scenarios to choose a baseline from")
    if setting and setting not in known:
        hint = did_you_mean_or_list(setting, known)
        raise ConfigError(f"study.baseline: no scenario {setting!r}{hint}")
    return setting or known[0]
