"""Cost-effectiveness of all scenarios in a country, a group or in total, from a state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.questions.cost_effectiveness import (
    Increment,
    Position,
    Status,
    Strategy,
    best_at,
    compare_strategies,
)
from ingest.questions.economics import TOTAL, Economics, Group, Worth, worth
from ingest.text.numbers import exact_sum, table_number, years_text


@dataclass(frozen=True)
class Evaluation:
    """The scenarios of one group from the cheapest to the dearest, and what is worth its cost.

    best: for each threshold the scenario with the largest net benefit, None where the threshold is
    not known. The effect of a strategy is what is gained: a burden has a minus sign.
    """

    group: Group
    positions: tuple[Position, ...]
    thresholds: tuple[Worth, ...]
    best: tuple[str | None, ...]


def evaluate(economics: Economics) -> list[Evaluation]:
    """The evaluation of each group that has a country with all its results."""
    cost_rate, effect_rate = economics.rates
    costs = economics.totals(economics.cost, cost_rate)
    effects = economics.totals(economics.effect, effect_rate)
    found = []
    for group in economics.groups:
        sets = [economics.complete[country] for country in group.countries]
        whole = frozenset[str]().union(*sets).intersection(*sets)
        if economics.baseline in whole:
            strategies = [
                Strategy(
                    scenario,
                    exact_sum([costs[country, scenario] for country in group.countries]),
                    exact_sum([effects[country, scenario] for country in group.countries])
                    * economics.effect.gain,
                )
                for scenario in sorted(whole)
            ]
            found.append(_evaluation(economics, group, strategies))
    return found


def _evaluation(economics: Economics, group: Group, strategies: Sequence[Strategy]) -> Evaluation:
    positions = compare_strategies(strategies, economics.baseline)
    thresholds = tuple(worth(economics, each, group) for each in economics.settings.amounts)
    best = tuple(
        None if each.value is None else best_at(positions, each.value) for each in thresholds
    )
    return Evaluation(group, positions, thresholds, best)


def evaluation_answer(economics: Economics, evaluation: Evaluation) -> str:
    """What the evaluation says, in a sentence for the last threshold that is known."""
    place = "In total" if evaluation.group.by == TOTAL else f"In {evaluation.group.title}"
    known = [
        (each, best)
        for each, best in zip(evaluation.thresholds, evaluation.best, strict=True)
        if each.value is not None and best is not None
    ]
    if not known:
        frontier = [p.strategy.name for p in evaluation.positions if p.status is Status.FRONTIER]
        return f"{place}, the efficiency frontier goes over {', '.join(frontier)}."
    threshold, best = known[-1]
    money = economics.settings.money or economics.cost.name
    limit = f"{threshold.amount} ({table_number(threshold.value or 0.0)} {money})"
    if best == economics.baseline:
        return f"{place}, no scenario is worth more than it costs over {best} at {limit}."
    found = next(p for p in evaluation.positions if p.strategy.name == best).against_baseline
    ratio = f"is {found.mark}" if found else ""
    if found and found.icer is not None:
        way = ("saves", "lost") if found.effect < 0 else ("costs", economics.effect.verb)
        unit = f"unit of {economics.effect.name} {way[1]}"
        ratio = f"{way[0]} {table_number(found.icer)} {money} for each {unit}"
    years = years_text(economics.years)
    return f"{place}, {best} {ratio} ({years}): the largest net benefit at {limit}."


NOT_WORTH, NO_THRESHOLD = "not worth its cost", "no threshold"


def verdict(evaluation: Evaluation, scenario: str) -> str:
    """What one scenario is against the baseline, in a few words that many countries share.

    Its mark, else the smallest threshold at which it is worth its cost; empty where the group lacks
    the scenario, or it is the baseline.
    """
    found = next(
        (p.against_baseline for p in evaluation.positions if p.strategy.name == scenario), None
    )
    if found is None:
        return ""
    if found.icer is None:
        return found.mark
    known = [each for each in evaluation.thresholds if each.value is not None]
    for each in sorted(known, key=lambda each: each.value or 0.0):
        if found.net_benefit(each.value or 0.0) >= 0:
            return f"worth it at {each.amount}"
    return NOT_WORTH if known else NO_THRESHOLD


def evaluation_rows(economics: Economics, evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    """A row for each scenario, as JSON has it: numbers are not rounded, null where there is none.

    effect is the measure as it is stored, effect_gained what is better than under the baseline.
    """
    group = evaluation.group
    for each in evaluation.positions:
        strategy = each.strategy
        yield {
            "by": group.by,
            "group": group.name,
            "countries": len(group.countries),
            "of_countries": group.of,
            "scenario": strategy.name,
            "cost": strategy.cost,
            "effect": strategy.effect * economics.effect.gain,
            "status": each.status.value,
            "dominated_by": list(each.by),
            **_against("baseline", each.against_baseline),
            **_against("next", each.step),
            "thresholds": [
                _at_threshold(each, threshold, best)
                for threshold, best in zip(evaluation.thresholds, evaluation.best, strict=True)
            ],
        }


def _against(prefix: str, found: Increment | None) -> dict[str, Any]:
    values = {
        "extra_cost": found and found.cost,
        "effect_gained": found and found.effect,
        "icer": found and found.icer,
    }
    if prefix == "baseline":
        words = (found.mark, found.quadrant.value) if found else ("", "")
        return {**values, "mark": words[0], "quadrant": words[1]}
    named = {f"{prefix}_{name}": value for name, value in values.items()}
    return {prefix: found and found.against, **named}


def _at_threshold(position: Position, threshold: Worth, best: str | None) -> dict[str, Any]:
    """Net benefit over the baseline's; cost-effective where it is not below it."""
    found, value = position.against_baseline, threshold.value
    net = None if found is None or value is None else found.net_benefit(value)
    return {
        "threshold": str(threshold.amount),
        "value": value,
        "net_benefit": net,
        "cost_effective": None if net is None else net >= 0,
        "best": None if best is None else best == position.strategy.name,
        "without": list(threshold.lacking),
        "note": threshold.note,
    }


def flat_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row as CSV has it: what belongs to one threshold in columns of its own, with its number."""
    flat = {name: value for name, value in row.items() if name != "thresholds"}
    flat["dominated_by"] = " and ".join(row["dominated_by"])
    for number, found in enumerate(row["thresholds"], 1):
        flat[f"threshold_{number}"] = found["threshold"]
        for name in ("value", "net_benefit", "cost_effective", "best"):
            flat[f"threshold_{number}_{name}"] = found[name]
    return flat
