"""Strategies held against each other: increments, ICERs, dominance, the efficiency frontier.

Two numbers that differ by less than the rounding of their sums are equal, so that a scenario that
changes nothing in a country has no cost, no effect and no ratio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Strategy:
    """What one scenario costs and achieves; more effect is better."""

    name: str
    cost: float
    effect: float


class Quadrant(Enum):
    """Where a strategy lies on the cost-effectiveness plane, seen from the baseline.

    What lies on an axis belongs to the side that decides: more effect at the same cost, or the same
    effect for less, is south-east; more cost or less effect for nothing is north-west.
    """

    NORTH_EAST = "costs more, gains more"
    SOUTH_EAST = "costs less, gains more"
    SOUTH_WEST = "costs less, gains less"
    NORTH_WEST = "costs more, gains less"
    ORIGIN = "no difference"


class Status(Enum):
    """What a strategy is among all that are compared."""

    FRONTIER = "on the frontier"
    DOMINATED = "dominated"
    EXTENDEDLY_DOMINATED = "extendedly dominated"
    SAME = "same as another"


@dataclass(frozen=True)
class Increment:
    """What a strategy costs and achieves more than another one."""

    against: str
    cost: float
    effect: float

    @property
    def quadrant(self) -> Quadrant:
        """Which side of the other one it lies on."""
        if not self.cost and not self.effect:
            return Quadrant.ORIGIN
        if self.effect >= 0 and self.cost <= 0:
            return Quadrant.SOUTH_EAST
        if self.effect <= 0 and self.cost >= 0:
            return Quadrant.NORTH_WEST
        return Quadrant.NORTH_EAST if self.effect > 0 else Quadrant.SOUTH_WEST

    @property
    def icer(self) -> float | None:
        """Cost of one more unit of effect, or what is saved for each unit lost (south-west).

        None in the other quadrants: a negative ratio would not say which of its two signs is good.
        """
        if self.quadrant in (Quadrant.NORTH_EAST, Quadrant.SOUTH_WEST):
            return self.cost / self.effect
        return None

    @property
    def mark(self) -> str:
        """What stands in place of a ratio, or beside one of savings; empty for a plain ICER."""
        if self.quadrant is Quadrant.SOUTH_EAST:
            return "cost-saving" if self.cost < 0 else "more effect at the same cost"
        return _MARKS[self.quadrant]

    def net_benefit(self, threshold: float) -> float:
        """The monetary value of the effect at a threshold, less the cost."""
        return threshold * self.effect - self.cost


_MARKS = {
    Quadrant.NORTH_EAST: "",
    Quadrant.SOUTH_WEST: "saved per unit lost",
    Quadrant.NORTH_WEST: "dominated by the baseline",
    Quadrant.ORIGIN: "no difference",
}


@dataclass(frozen=True)
class Position:
    """One strategy among the others.

    against_baseline: None for the baseline itself. step: against the next cheaper one on the
    frontier; None for its first and for all that are not on it. by: what dominates it, the two
    that do so together, or the one that it is the same as.
    """

    strategy: Strategy
    status: Status
    against_baseline: Increment | None
    step: Increment | None = None
    by: tuple[str, ...] = ()


def compare_strategies(strategies: Sequence[Strategy], baseline: str) -> tuple[Position, ...]:
    """The position of each strategy, from the cheapest to the dearest.

    Of several that are the same, the baseline or else the first by name stands for all.
    baseline: the name of one of them. Raises KeyError: it is none of them.
    """
    base = {each.name: each for each in strategies}[baseline]
    distinct, same = _distinct(strategies, base)
    ordered = sorted(distinct, key=lambda each: (each.cost, -each.effect))
    dominated = {
        each.name: better.name
        for each in ordered
        if (better := next((other for other in ordered if _dominates(other, each)), None))
    }
    frontier = _frontier([each for each in ordered if each.name not in dominated])
    steps = {high.name: increment(high, low) for low, high in pairwise(frontier)}

    def position(each: Strategy) -> Position:
        against = None if each is base else increment(each, base)
        if each.name in same:
            return Position(each, Status.SAME, against, by=(same[each.name],))
        if each.name in dominated:
            return Position(each, Status.DOMINATED, against, by=(dominated[each.name],))
        if each in frontier:
            return Position(each, Status.FRONTIER, against, steps.get(each.name))
        return Position(each, Status.EXTENDEDLY_DOMINATED, against, by=_neighbours(frontier, each))

    return tuple(
        position(each)
        for each in sorted(
            strategies, key=lambda each: (each.cost, -each.effect, each is not base, each.name)
        )
    )


def _distinct(
    strategies: Sequence[Strategy], base: Strategy
) -> tuple[list[Strategy], dict[str, str]]:
    """The strategies without those that are the same as one before them, and as which these are."""
    distinct: list[Strategy] = []
    same: dict[str, str] = {}
    for each in sorted(strategies, key=lambda each: (each is not base, each.name)):
        other = next((one for one in distinct if _differences(each, one) == (0, 0)), None)
        if other is None:
            distinct.append(each)
        else:
            same[each.name] = other.name
    return distinct, same


def _neighbours(frontier: Sequence[Strategy], strategy: Strategy) -> tuple[str, str]:
    """The two of the frontier that the cost of a strategy lies between."""
    return next(
        (low.name, high.name) for low, high in pairwise(frontier) if strategy.cost < high.cost
    )


def increment(strategy: Strategy, other: Strategy) -> Increment:
    """What a strategy costs and achieves more than another one."""
    return Increment(other.name, *_differences(strategy, other))


def best_at(positions: Sequence[Position], threshold: float) -> str:
    """The strategy with the largest net benefit: the last on the frontier worth its step."""
    frontier = [each for each in positions if each.status is Status.FRONTIER]
    best = frontier[0]
    for each in frontier[1:]:
        assert each.step is not None, "only the first of a frontier has no step"
        if each.step.net_benefit(threshold) < 0:
            break
        best = each
    return best.strategy.name


def _frontier(ordered: Sequence[Strategy]) -> list[Strategy]:
    """Those whose ICERs rise from each to the next; ordered: rising cost and effect.

    One between two others on a straight line stays: its ICER is not above the next one's.
    """
    frontier: list[Strategy] = []
    for each in ordered:
        while len(frontier) > 1 and _is_above(frontier[-1], frontier[-2], each):
            frontier.pop()
        frontier.append(each)
    return frontier


def _is_above(middle: Strategy, low: Strategy, high: Strategy) -> bool:
    """Whether the step to the one in the middle costs more per effect than the step after it."""
    first, second = increment(middle, low), increment(high, middle)
    left, right = first.cost * second.effect, second.cost * first.effect
    return left > right and not math.isclose(left, right, rel_tol=_ROUNDING)


def _dominates(strategy: Strategy, other: Strategy) -> bool:
    """Whether the other one is in the north-west of it."""
    cost, effect = _differences(other, strategy)
    return effect <= 0 <= cost and cost != effect


def _differences(strategy: Strategy, other: Strategy) -> tuple[float, float]:
    """Cost and effect of a strategy, less those of another one."""
    return _difference(strategy.cost, other.cost), _difference(strategy.effect, other.effect)


def _difference(value: float, other: float) -> float:
    """Exactly 0 where no more than rounding lies between two sums."""
    return 0.0 if math.isclose(value, other, rel_tol=_ROUNDING) else value - other
