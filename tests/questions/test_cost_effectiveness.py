from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.questions.cost_effectiveness import (
    Position,
    Quadrant,
    Status,
    Strategy,
    best_at,
    compare_strategies,
    increment,
)

# Paltiel et al., Annals of Internal Medicine 2006, 145(11): 797-806, table 4.
HIV_SCREENING = [
    Strategy("status quo", 26_000, 277.25 / 12),
    Strategy("one time", 27_000, 277.57 / 12),
    Strategy("every 5 years", 28_020, 277.78 / 12),
    Strategy("every 3 years", 28_440, 277.83 / 12),
    Strategy("every year", 29_440, 277.76 / 12),
]


def compared(*points: tuple[float, float], baseline: str = "a") -> dict[str, Position]:
    """Strategies a, b, c ... of costs and effects."""
    strategies = [Strategy(name, *point) for name, point in zip("abcdefgh", points, strict=False)]
    return {each.strategy.name: each for each in compare_strategies(strategies, baseline)}


def test_the_published_example_comes_out() -> None:
    positions = {p.strategy.name: p for p in compare_strategies(HIV_SCREENING, "status quo")}
    icers = {name: p.step.icer for name, p in positions.items() if p.step}
    assert {name: round(icer) for name, icer in icers.items() if icer} == {
        "one time": 37_500, "every 5 years": 58_286, "every 3 years": 100_800,
    }  # fmt: skip
    annual = positions["every year"]
    assert (annual.status, annual.step) == (Status.DOMINATED, None)
    assert annual.by == ("every 5 years",)
    assert [p.strategy.name for p in positions.values()][-1] == "every year"


@pytest.mark.parametrize(
    ("threshold", "best"),
    [
        (0, "status quo"), (37_499, "status quo"), (37_501, "one time"), (58_300, "every 5 years"),
        (100_799, "every 5 years"), (100_801, "every 3 years"), (1e9, "every 3 years"),
    ],
)  # fmt: skip
def test_the_best_has_the_largest_net_benefit(threshold: float, best: str) -> None:
    positions = compare_strategies(HIV_SCREENING, "status quo")
    assert best_at(positions, threshold) == best
    values = {s.name: threshold * s.effect - s.cost for s in HIV_SCREENING}
    assert max(values, key=lambda name: values[name]) == best


@pytest.mark.parametrize(
    ("cost", "effect", "quadrant", "icer", "mark"),
    [
        (300, 3, Quadrant.NORTH_EAST, 100, ""),
        (-300, 3, Quadrant.SOUTH_EAST, None, "cost-saving"),
        (-300, -3, Quadrant.SOUTH_WEST, 100, "saved per unit lost"),
        (300, -3, Quadrant.NORTH_WEST, None, "dominated by the baseline"),
        (0, 3, Quadrant.SOUTH_EAST, None, "more effect at the same cost"),
        (-300, 0, Quadrant.SOUTH_EAST, None, "cost-saving"),
        (0, -3, Quadrant.NORTH_WEST, None, "dominated by the baseline"),
        (300, 0, Quadrant.NORTH_WEST, None, "dominated by the baseline"),
        (0, 0, Quadrant.ORIGIN, None, "no difference"),
    ],
)
def test_each_quadrant_and_axis(
    cost: float, effect: float, quadrant: Quadrant, icer: float | None, mark: str
) -> None:
    found = compared((1000, 50), (1000 + cost, 50 + effect))["b"].against_baseline
    assert found is not None
    assert (found.against, found.cost, found.effect) == ("a", cost, effect)
    assert (found.quadrant, found.icer, found.mark) == (quadrant, icer, mark)
    assert found.net_benefit(200) == 200 * effect - cost


def test_extended_dominance_names_the_two_neighbours() -> None:
    # b: 100 per unit, c: 20 per unit; a and c together do what b does for less
    found = compared((0, 0), (100, 1), (140, 3), (400, 4))
    assert [p.status.name for p in found.values()] == [
        "FRONTIER", "EXTENDEDLY_DOMINATED", "FRONTIER", "FRONTIER",
    ]  # fmt: skip
    assert found["b"].by == ("a", "c")
    assert found["c"].step == increment(Strategy("c", 140, 3), Strategy("a", 0, 0))
    assert found["d"].step is not None
    assert found["d"].step.icer == 260


def test_a_frontier_may_lose_several_in_a_row() -> None:
    found = compared((0, 0), (100, 1), (210, 2), (230, 5))
    assert [p.status for p in found.values()][1:3] == [Status.EXTENDEDLY_DOMINATED] * 2
    assert found["b"].by == found["c"].by == ("a", "d")


def test_on_a_straight_line_all_stay() -> None:
    assert {p.status for p in compared((0, 0), (0.1, 0.1), (0.3, 0.3)).values()} == {
        Status.FRONTIER
    }


def test_two_of_the_same_are_not_dominated_by_each_other() -> None:
    found = compared((5, 5), (9, 7), (9, 7), (5, 5), baseline="d")
    assert (found["a"].status, found["a"].by) == (Status.SAME, ("d",))
    assert (found["c"].status, found["c"].by) == (Status.SAME, ("b",))
    assert found["b"].step is not None
    assert (found["b"].step.against, found["b"].step.icer) == ("d", 2)


def test_what_differs_by_rounding_is_the_same() -> None:
    found = compared((0.3, 1e9), (0.1 + 0.2, 1e9 + 1e-7))["b"]
    assert (found.status, found.by) == (Status.SAME, ("a",))
    assert found.against_baseline is not None
    assert found.against_baseline.quadrant is Quadrant.ORIGIN


@pytest.mark.parametrize(
    ("points", "statuses"),
    [
        ([(5, 1), (5, 2), (5, 3)], "DDF"),  # equal costs: the most effective
        ([(5, 1), (6, 1), (7, 1)], "FDD"),  # equal effects: the cheapest
        ([(5, 1), (-5, 2), (0, 9)], "DFF"),  # negative costs
        ([(5, -1), (9, -3), (4, -9)], "FDF"),  # negative effects
        ([(5, 1)], "F"),
    ],
)
def test_equal_and_negative_numbers(points: list[tuple[float, float]], statuses: str) -> None:
    found = compared(*points)
    assert "".join(found[name].status.name[0] for name in sorted(found)) == statuses


def test_one_strategy_is_its_own_frontier_without_a_ratio() -> None:
    (only,) = compare_strategies([Strategy("a", 5, 1)], "a")
    assert only == Position(Strategy("a", 5, 1), Status.FRONTIER, None)
    assert best_at([only], 100) == "a"


points = st.tuples(st.integers(-20, 20), st.integers(-20, 20))


@given(st.lists(points, min_size=1, max_size=8), st.integers(0, 50))
def test_no_other_has_a_larger_net_benefit(found: list[tuple[int, int]], threshold: int) -> None:
    strategies = [Strategy(name, *point) for name, point in zip("abcdefgh", found, strict=False)]
    value = {s.name: threshold * s.effect - s.cost for s in strategies}
    best = best_at(compare_strategies(strategies, "a"), threshold)
    assert value[best] == max(value.values())


@settings(deadline=None)  # the first example imports it
@given(st.lists(points, min_size=1, max_size=8, unique=True))
def test_marks_and_ratios_are_those_of_heormodel(found: list[tuple[int, int]]) -> None:
    import pandas
    from heormodel import cea

    strategies = [Strategy(name, *point) for name, point in zip("abcdefgh", found, strict=False)]
    table = cea.icer_table(
        pandas.DataFrame(
            {"cost": [s.cost for s in strategies], "effect": [s.effect for s in strategies]},
            index=[s.name for s in strategies],
        )
    )
    theirs = {Status.FRONTIER: "ND", Status.DOMINATED: "D", Status.EXTENDEDLY_DOMINATED: "ED"}
    for each in compare_strategies(strategies, "a"):
        status, icer = table.loc[each.strategy.name, ["status", "icer"]]
        assert theirs[each.status] == status
        own = each.step.icer if each.step else None
        assert (own is None) is math.isnan(icer)
        assert own is None or own == pytest.approx(icer, rel=1e-12)
