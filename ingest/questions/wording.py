"""Sentences about differences of one label: over which years, how added up, good or bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.study.label import WEIGHTED, Label
from ingest.study.label_guess import is_money
from ingest.text.numbers import quantity_text, signed_quantity_text, years_text

NO_LABEL = Label("", "")
_PLAIN_COSTS = ("cost", "costs", "total cost", "total costs")
_SIGNS = {"lower": -1, "higher": 1}


def over_years_text(label: Label, first: object = None, last: object = None) -> str:
    """How the years were added up: summed over 2025 to 2050, in 2050, by 2050, mean over ...

    Without years: summed over the years, in the last year.
    """
    span = f"{first} to {last}" if first and first != last else str(last or "the years")
    if label.over_years in ("last", "none"):
        by = "by" if label.kind == "cumulative" else "in"
        return f"{by} {last or 'the last year'}"
    if label.over_years == "sum":
        return f"summed over {span}"
    return f"mean over {span}{_weights(label.over_years)}"


def over_countries_text(label: Label) -> str:
    """How countries were added up: a mean over countries weighted by Population; '' for a sum."""
    if label.over_countries in ("sum", "none"):
        return ""
    return f"mean over countries{_weights(label.over_countries)}"


def adding_words(
    label: Label, years: tuple[int, int] | None, *, each_year: bool, countries: bool
) -> tuple[str, ...]:
    """How numbers were added up, where that is no sum: in 2050, mean over countries; () for a sum.

    each_year: they are of single years. countries: they are of several countries together.
    """
    if years is None:
        return ()
    is_plain = each_year or label.over_years == "sum"
    together = over_countries_text(label) if countries else ""
    if is_plain and not together:
        return ()
    span = years_text(range(years[0], years[1] + 1)) if is_plain else over_years_text(label, *years)
    return (span, together) if together else (span,)


def _weights(rule: str) -> str:
    return f" weighted by {rule.removeprefix(WEIGHTED)}" if rule.startswith(WEIGHTED) else ""


def more_text(difference: float) -> str:
    """10.61 million more, 3.2 million less, neither more nor less."""
    return _compared(difference, "more", "less")


def higher_text(difference: float) -> str:
    """10.61 million higher, 3.2 million lower, neither higher nor lower."""
    return _compared(difference, "higher", "lower")


def _compared(difference: float, above: str, below: str) -> str:
    if difference == 0:
        return f"neither {above} nor {below}"
    return f"{quantity_text(abs(difference))} {above if difference > 0 else below}"


@dataclass(frozen=True)
class Wording:
    """The words for one label under a scenario, against a baseline."""

    label: Label
    scenario: str = ""
    baseline: str = ""

    @property
    def _verbs(self) -> tuple[str, str] | None:
        """What a good and a bad difference is called; None where neither is good."""
        if self.label.better not in _SIGNS:
            return None
        if self.label.kind == "share":
            return "improves", "worsens"
        if self.label.better == "higher":
            return "gains", "loses"
        return ("saves", "costs") if is_money(self.label.element_label) else ("averts", "adds")

    def change(self, difference: float) -> str:
        """What a difference is: all_treatments averts 2.129 million DALYs against null."""
        name, verbs = self.label.element_label, self._verbs
        if self.label.kind == "share":
            higher = higher_text(difference)
            return f"{name} is {higher} under {self.scenario} than under {self.baseline}"
        if verbs is None or difference == 0:
            return f"{self.scenario} gives {more_text(difference)} {name} than {self.baseline}"
        verb = verbs[self._goodness(difference) < 0]
        size = quantity_text(abs(difference))
        if verb in ("saves", "costs"):
            money = " ".join(filter(None, [size, self.label.unit_of_years.partition(",")[0]]))
            of = "" if name.casefold() in _PLAIN_COSTS else f" of {name}"
            than = "more than" if verb == "costs" else "against"
            return f"{self.scenario} {verb} {money}{of} {than} {self.baseline}"
        return f"{self.scenario} {verb} {size} {name} against {self.baseline}"

    def extremes(self, names: str | Sequence[str], column: str, rows: Sequence[Any]) -> str:
        """Which rows differ most and least: Uganda averts most (2.129 million), Kenya least (...).

        Where no direction is good: the largest increase, the largest decrease. '' for a single row.
        """
        known = [row for row in rows if row[column] is not None]
        if len(known) < 2:
            return ""
        columns = (names,) if isinstance(names, str) else names
        best = max(known, key=lambda row: self._goodness(row[column]))
        worst = min(known, key=lambda row: self._goodness(row[column]))
        (high, most), (low, least) = ((joined(row, *columns), row[column]) for row in (best, worst))
        if most == least == 0:
            return "None differs."
        if self._verbs is None:
            return _plain_extremes((high, most), (low, least))
        good, bad = self._verbs
        if self._goodness(least) > 0:
            return f"{high} {good} most ({self._size(most)}), {low} least ({self._size(least)})."
        if self._goodness(most) < 0:
            return f"{low} {bad} most ({self._size(least)}), {high} least ({self._size(most)})."
        parts = [f"{high} {good} most ({self._size(most)})"] if most else []
        parts += [f"{low} {bad} most ({self._size(least)})"] if least else []
        return "; ".join(parts) + "."

    def spread(self, names: Sequence[str], column: str, rows: Sequence[Any]) -> str:
        """In which rows the difference is largest and smallest, whichever way: for years."""
        known = sorted((row for row in rows if row[column]), key=lambda row: abs(row[column]))
        if len(known) < 2:
            return ""
        least, most = (
            f"{joined(row, *names)} ({signed_quantity_text(row[column])})"
            for row in (known[0], known[-1])
        )
        return f"Most in {most}, least in {least}."

    def _goodness(self, difference: float) -> float:
        return difference * _SIGNS.get(self.label.better, 1)

    def _size(self, difference: float) -> str:
        """Verbs such as averts say the sign."""
        is_share = self.label.kind == "share"
        return signed_quantity_text(difference) if is_share else quantity_text(abs(difference))


def _plain_extremes(high: tuple[str, float], low: tuple[str, float]) -> str:
    """Increases and decreases, where neither is good."""
    up, down = (f"{name} ({signed_quantity_text(value)})" for name, value in (high, low))
    if low[1] >= 0:
        return f"Largest increase: {up}, smallest: {down}."
    if high[1] <= 0:
        return f"Largest decrease: {down}, smallest: {up}."
    return f"Largest increase: {up}; largest decrease: {down}."


def joined(row: Mapping[str, Any], *columns: str) -> str:
    """The values that a row has in some columns: Europe, High income."""
    return ", ".join(str(row[column]) for column in columns if row[column] is not None)
