"""Births, background deaths and the age structure of one country.

A vector (`People`) has 202 numbers: males aged 0 to 100, then females.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import mul

from asthma_inputs import AGES, Elements

People = Sequence[float]


@dataclass(frozen=True)
class Mortality:
    """The shape of mortality over age; field names as in the node `life_expectancy`."""

    infant_at_60: float
    infant_fall: float
    infant_ceiling: float
    infant_decay: float
    constant: float
    ageing: float


@lru_cache(maxsize=1024)
def death_probabilities(shape: Mortality, life_expectancy_years: float) -> tuple[float, ...]:
    """Probability of dying within a year at ages 0 to 100, meeting the life expectancy at birth.

    1 - exp(-rate), rate(age) = infant x exp(-infant_decay x age) + constant + level x exp(ageing x
    age), with ln(level) found by bisection.
    """
    infant = shape.infant_at_60 * math.exp(-shape.infant_fall * (life_expectancy_years - 60.0))
    infant = min(shape.infant_ceiling, infant)
    young = [infant * math.exp(-shape.infant_decay * a) + shape.constant for a in range(AGES)]
    old = [math.exp(shape.ageing * age) for age in range(AGES)]
    low, high = -16.0, -2.0
    for _ in range(30):
        middle = (low + high) / 2.0
        rates = _rates(young, old, math.exp(middle))
        if _life_expectancy(rates) > life_expectancy_years:
            low = middle
        else:
            high = middle
    return tuple(-math.expm1(-rate) for rate in _rates(young, old, math.exp(low)))


def _rates(young: Sequence[float], old: Sequence[float], level: float) -> list[float]:
    return [y + level * o for y, o in zip(young, old, strict=True)]


def _life_expectancy(rates: Sequence[float]) -> float:
    alive, years = 1.0, 0.0
    for rate in rates:
        next_alive = alive * math.exp(-rate)
        years += (alive + next_alive) / 2.0
        alive = next_alive
    return years


def survivors(probabilities: Sequence[float]) -> list[float]:
    """Share of a birth cohort alive at ages 0 to 100."""
    alive = [1.0]
    for probability in probabilities[:-1]:
        alive.append(alive[-1] * (1.0 - probability))
    return alive


def remaining_years(probabilities: Sequence[float]) -> list[float]:
    """Remaining life expectancy at ages 0 to 100, in years."""
    ahead, result = 0.0, []
    for probability in reversed(probabilities):
        ahead = 1.0 - probability / 2.0 + (1.0 - probability) * ahead
        result.append(ahead)
    return result[::-1]


@dataclass(frozen=True)
class Demography:
    """Mortality and fertility of one country."""

    reference_year: int
    deaths: People  # probability in the reference year
    yearly_decline: float
    births: Sequence[float]  # share of a woman's children born at each age; sum 1
    fertility_year: int
    fertility: float
    long_run_fertility: float
    approach: float
    mean_age: int
    boys_share: float

    @classmethod
    def read(cls, elements: Elements) -> Demography:
        """The demography of the countries in the slots of population, mortality and fertility."""

        def fertility(name: str) -> float:
            return elements.number("fertility", name)

        life_expectancy = elements.facts("life_expectancy").life_expectancy_years
        half_gap = elements.number("life_expectancy", "sex_gap_years") / 2.0
        shape = read_mortality(elements)
        boys_per_girl = fertility("boys_per_girl")
        return cls(
            reference_year=int(elements.number("population", "reference_year")),
            deaths=death_probabilities(shape, life_expectancy - half_gap)
            + death_probabilities(shape, life_expectancy + half_gap),
            yearly_decline=elements.number("life_expectancy", "yearly_decline"),
            births=_births_by_age(
                fertility("mean_age"),
                fertility("age_spread"),
                range(int(fertility("first_age")), int(fertility("last_age")) + 1),
            ),
            fertility_year=int(fertility("reference_year")),
            fertility=elements.facts("fertility").fertility,
            long_run_fertility=fertility("long_run"),
            approach=fertility("approach"),
            mean_age=int(fertility("mean_age")),
            boys_share=boys_per_girl / (1.0 + boys_per_girl),
        )

    def dying(self, year: int) -> list[float]:
        """Background mortality in `year`, falling by the same share every year."""
        factor = (1.0 - self.yearly_decline) ** (year - self.reference_year)
        return [probability * factor for probability in self.deaths]

    def births_in(self, year: int, people: People) -> float:
        """Children born in `year` to the women among `people`."""
        gap = self.fertility - self.long_run_fertility
        passed = year - self.fertility_year
        children = self.long_run_fertility + gap * math.exp(-self.approach * passed)
        return children * math.fsum(map(mul, self.births, people[AGES:]))

    def stable_population(self, lowest_growth: float) -> list[float]:
        """Shares by age and sex, sum 1: survivors x exp(-growth x age), at the fertility known.

        growth = ln(daughters per woman who live to the mean age of birth) / mean age, not below
        `lowest_growth` (per year).
        """
        male, female = survivors(self.deaths[:AGES]), survivors(self.deaths[AGES:])
        daughters = self.fertility * (1.0 - self.boys_share) * female[self.mean_age]
        growth = max(lowest_growth, math.log(daughters) / self.mean_age)
        weights = [math.exp(-growth * age) for age in range(AGES)]
        shape = [self.boys_share * w * m for w, m in zip(weights, male, strict=True)]
        shape += [(1.0 - self.boys_share) * w * f for w, f in zip(weights, female, strict=True)]
        total = math.fsum(shape)
        return [share / total for share in shape]


def read_mortality(elements: Elements) -> Mortality:
    """The mortality shape that the document asks for."""
    names = Mortality.__dataclass_fields__
    return Mortality(**{name: elements.number("life_expectancy", name) for name in names})


def _births_by_age(mean: float, spread: float, fertile: range) -> list[float]:
    bell = [
        math.exp(-(((age + 0.5 - mean) / spread) ** 2) / 2.0) if age in fertile else 0.0
        for age in range(AGES)
    ]
    total = math.fsum(bell)
    return [share / total for share in bell]


def aged(people: People, boys: float, girls: float) -> list[float]:
    """Everybody a year older, newborns at age 0."""
    male, female = people[: AGES - 2], people[AGES:-2]
    oldest_male = people[AGES - 2] + people[AGES - 1]
    return [boys, *male, oldest_male, girls, *female, people[-2] + people[-1]]
