"""Asthma: its yearly probabilities, and the treatments that lower them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asthma_demography import People, death_probabilities, read_mortality, remaining_years
from asthma_inputs import AGES, Elements


@dataclass(frozen=True)
class Treatment:
    """Whom a treatment reaches, what it costs and what it lowers."""

    reached_id: str
    stock: str  # id of the stock that the people in need belong to
    in_need: float
    unit_cost: float  # US$ per person reached and year
    today: float  # coverage, share of people in need
    coverage: Sequence[float]  # by year of the run
    impact: Mapping[str, float]  # target id -> relative reduction among the people reached


@dataclass(frozen=True)
class Disease:
    """Yearly probabilities of one country by age and sex, before any treatment."""

    incidence: People
    remission: People
    case_fatality: People
    disability_weight: float
    years_lost: People  # remaining years of the reference life table
    treatments: Sequence[Treatment]

    @classmethod
    def read(cls, elements: Elements, years: int) -> Disease:
        """The disease and its treatments in a run of so many years."""
        sick = elements.for_group("susceptible_to_asthma", "multiplier")
        male = elements.rates("susceptible_to_asthma", "male_per_1000")
        female = elements.rates("susceptible_to_asthma", "female_per_1000")
        fatal = elements.for_group("asthma_to_deceased", "multiplier")
        weights = elements.get("disability", "weights")
        shares = elements.get("disability", "shares")
        norm = elements.number("yll", "reference_life_expectancy")
        return cls(
            incidence=[rate * sick for rate in male + female],
            remission=elements.rates("asthma_to_susceptible", "per_1000") * 2,
            case_fatality=[r * fatal for r in elements.rates("asthma_to_deceased", "per_1000")] * 2,
            disability_weight=math.fsum(shares[level] * weights[level] for level in shares),
            years_lost=remaining_years(death_probabilities(read_mortality(elements), norm)) * 2,
            treatments=[
                _read_treatment(elements, node["id"], years)
                for node in elements.with_method("population_reached")
            ],
        )

    def left(self, target: str, index: int | None) -> float:
        """What treatment leaves of the target: the product of 1 - impact x coverage x in need.

        index: year of the run; None for today's coverage.
        """
        product = 1.0
        for treatment in self.treatments:
            if target in treatment.impact:
                covered = treatment.today if index is None else treatment.coverage[index]
                product *= 1.0 - treatment.impact[target] * covered * treatment.in_need
        return product

    def prevalence(self) -> list[float]:
        """Share with asthma by age and sex after a life at today's rates."""
        new, fatal = self.left("susceptible_to_asthma", None), self.left("asthma_to_deceased", None)
        result: list[float] = []
        share = 0.0
        for place, (i, r, c) in enumerate(
            zip(self.incidence, self.remission, self.case_fatality, strict=True)
        ):
            if place % AGES == 0:
                share = 0.0
            result.append(share)
            alive = share * (1.0 - c * fatal)
            onset, remission = (1.0 - share) * i * new, alive * r
            share = (alive + onset - remission) / (1.0 - share + alive)
        return result


def _read_treatment(elements: Elements, reached_id: str, years: int) -> Treatment:
    coverage_id = elements.get(reached_id, "coverage")
    scale = elements.facts("cost").income_per_person / elements.number("cost", "reference_income")
    scale **= elements.number("cost", "income_elasticity")
    return Treatment(
        reached_id=reached_id,
        stock=elements.get(reached_id, "people"),
        in_need=elements.number(reached_id, "in_need"),
        unit_cost=elements.number(reached_id, "goods_cost")
        + elements.number(reached_id, "delivery_cost") * scale,
        today=elements.for_group(coverage_id, "today"),
        coverage=_coverage(elements, coverage_id, years),
        impact={
            link["target"]: elements.number(link["id"], "impact")
            for link in elements.with_method("relative_reduction")
            if link["source"] == reached_id
        },
    )


def _coverage(elements: Elements, coverage_id: str, years: int) -> list[float]:
    """Share of people in need by year of the run: today's, then linear up to the target."""
    begin = elements.for_group(coverage_id, "today")
    begin *= elements.number(coverage_id, "today_multiplier")
    rise = max(0.0, elements.number(coverage_id, "target") - begin)
    start = elements.number(coverage_id, "start_index")
    length = elements.number(coverage_id, "end_index") - start
    if length <= 0.0:
        raise ValueError(f"model document: end_index of {coverage_id!r} is not after start_index")
    return [begin + rise * min(1.0, max(0.0, (i - start) / length)) for i in range(years)]
