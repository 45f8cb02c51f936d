"""Which changes between two states were accepted beforehand, so that a gate lets them pass."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from ingest.changes.diff import StateDiff
from ingest.changes.indicator_changes import IndicatorChange
from ingest.planning.causes import Cause
from ingest.planning.input_changes import InputChange
from ingest.study.accepted import ACCEPTED_FILE, Accepted
from ingest.study.combination import Combination
from ingest.study.rule_kinds import matches
from ingest.text.numbers import count_text

_SCENARIOS = re.compile(r"in [\d,]+ scenarios: ")


@dataclass(frozen=True)
class Acceptance:
    """used: entries with the number of changes that each lets pass. open: changes that none does.

    A change is a series, a number of an indicator, or a combination that came or went.
    expired, unmatched: entries that are over, and those that no change needed.
    """

    used: Sequence[tuple[Accepted, int]] = ()
    accepted: int = 0
    open: int = 0
    expired: Sequence[Accepted] = ()
    unmatched: Sequence[Accepted] = ()

    @property
    def head(self) -> str:
        """How many changes are accepted; empty where none is."""
        number = count_text(self.accepted + self.open, "change")
        return f"{self.accepted:,} of {number} accepted in {ACCEPTED_FILE}" if self.used else ""

    @property
    def lines(self) -> list[str]:
        """Why and by whom, an entry a line; then those that are over or not needed."""
        return [
            *(f"{count_text(number, 'change')}: {entry.words}" for entry, number in self.used),
            *(f"expired in {ACCEPTED_FILE}: {entry.words}" for entry in self.expired),
            *(f"matches no change: {entry.words}" for entry in self.unmatched),
        ]

    def is_open(self, has_changes: bool) -> bool:
        """Whether a gate stops: something changed, and not all of it is accepted."""
        return has_changes and (self.open > 0 or not self.accepted)

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON shows it."""
        return {
            "changes": self.accepted,
            "open_changes": self.open,
            "accepted": [{**vars(entry), "changes": number} for entry, number in self.used],
            "expired": [vars(entry) for entry in self.expired],
            "unmatched": [vars(entry) for entry in self.unmatched],
        }


NOTHING_ACCEPTED = Acceptance()


def accept_changes(diff: StateDiff, entries: Sequence[Accepted], today: date) -> Acceptance:
    """What of a difference is accepted: each series by its label and all that caused it."""
    judge = _Judge(entries, today)
    causes = diff.all_causes
    for_label = lru_cache(maxsize=None)(lambda label: judge.about("label", label))
    for series in diff.series:
        combination = Combination(series.country, series.scenario)
        judge.decide([combination], causes, for_label(series.element_label))
    for combination in (*diff.added, *diff.removed):
        judge.decide([combination], causes, for_label(""))
    return judge.verdict(lambda entry: bool(entry.label) or not entry.indicator)


def accept_indicators(
    rows: Iterable[IndicatorChange],
    causes: Mapping[Combination, Cause],
    baseline: str,
    entries: Sequence[Accepted],
    today: date,
) -> Acceptance:
    """What of the indicators that moved is accepted: all that caused a number has to be.

    causes: of every combination with other results, changed_causes(). A number comes from its
    scenario and the baseline, a total from all countries.
    """
    judge = _Judge(entries, today)
    groups: dict[tuple[str, str], tuple[Combination, ...]] = {}
    for row in rows:
        key = row.country, row.scenario
        if key not in groups:
            groups[key] = tuple(
                one
                for one in causes
                if one.scenario in (row.scenario, baseline) and row.country in ("", one.country)
            )
        judge.decide(groups[key], causes, judge.about("indicator", row.indicator))
    return judge.verdict(lambda entry: bool(entry.indicator) or not entry.label)


class _Judge:
    """Decides change by change, and counts what each entry lets pass."""

    def __init__(self, entries: Sequence[Accepted], today: date) -> None:
        self._expired = [entry for entry in entries if entry.is_expired(today)]
        self._live = [entry for entry in entries if not entry.is_expired(today)]
        self._uses: Counter[Accepted] = Counter()
        self._accepted = self._open = 0
        self._known: dict[Any, frozenset[Accepted]] = {}
        self._matching = lru_cache(maxsize=None)(self._find_matching)

    def about(self, what: str, name: str) -> frozenset[Accepted]:
        """The entries about a label or an indicator; what: which of the two."""
        other = {"label": "indicator", "indicator": "label"}[what]
        return frozenset(
            entry
            for entry in self._live
            if (matches(name, getattr(entry, what)) if getattr(entry, what)
                else not getattr(entry, other))
        )  # fmt: skip

    def decide(
        self,
        combinations: Sequence[Combination],
        causes: Mapping[Combination, Cause],
        entries: frozenset[Accepted],
    ) -> None:
        """Count a change that comes from combinations as accepted or open."""
        key = (tuple(combinations), entries)
        if key not in self._known:
            self._known[key] = self._covering(combinations, causes, entries)
        used = self._known[key]
        self._uses.update(used)
        self._accepted += bool(used)
        self._open += not used

    def _covering(
        self,
        combinations: Sequence[Combination],
        causes: Mapping[Combination, Cause],
        entries: frozenset[Accepted],
    ) -> frozenset[Accepted]:
        """The entries that together cover all that changed; none where something is left."""
        found: set[Accepted] = set()
        for combination in combinations if entries else ():
            cause = causes[combination]
            for change in _that_move(cause):
                own = entries & self._matching(combination, cause, change)
                if not own:
                    return frozenset()
                found |= own
        return frozenset(found)

    def _find_matching(
        self, combination: Combination, cause: Cause, change: InputChange
    ) -> frozenset[Accepted]:
        texts = (str(change), Cause((change,), cause.scenario).text)
        return frozenset(
            entry
            for entry in self._live
            if matches(combination.country, entry.country)
            and matches(combination.scenario, entry.scenario)
            and (entry.cause == cause.text or any(_fits(text, entry.cause) for text in texts))
        )

    def verdict(self, is_meant: Callable[[Accepted], bool]) -> Acceptance:
        """The sum. is_meant: whether an entry can be about changes of this kind at all."""
        has_changes = bool(self._accepted or self._open)
        idle = [entry for entry in self._live if not self._uses[entry] and is_meant(entry)]
        return Acceptance(
            used=[(entry, self._uses[entry]) for entry in self._live if self._uses[entry]],
            accepted=self._accepted,
            open=self._open,
            expired=self._expired,
            unmatched=idle if has_changes else (),
        )


def _that_move(cause: Cause) -> list[InputChange]:
    """The changes that can move a number; all where none can."""
    return [change for change in cause.changes if not change.sum_noun] or list(cause.changes)


def _fits(text: str, pattern: str) -> bool:
    """Whether a glob of * and ? fits; brackets are themselves, as causes name places by them.

    A report tells a cause of several scenarios as "in 9 scenarios: ...".
    """
    return fnmatchcase(text, _SCENARIOS.sub("*", pattern, count=1).replace("[", "[[]"))
