"""A cohort model of asthma by single year of age and sex: `simulate` gives its results.

An illustration for testing and learning, not for policy. README.md holds the equations and the
origin of every figure. Standard library only; the same document gives the same bits.

Stocks are people on 1 January of a year, flows belong to the year that follows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import mul
from typing import Any

from asthma_demography import Demography, People, aged
from asthma_disease import Disease
from asthma_inputs import Elements


def simulate(document: Mapping[str, Any]) -> Iterable[tuple[str, int, float]]:
    """(element label, calendar year, value) for every year of the runtime, in order of the years.

    document: a composed model document; it is only read. Units: see `unit` in model.json.
    Raises ValueError for what the model cannot use: an unknown country (named), an element or
    parameter that is missing (named), a runtime it cannot run.
    """
    elements = Elements(document)
    years = _years(elements)
    disease = Disease.read(elements, len(years))
    demography = Demography.read(elements)
    stocks = _start(elements, demography, disease, years[0])
    results: list[tuple[str, int, float]] = []
    for index, year in enumerate(years):
        flows = _flows(stocks, demography, disease, year, index)
        after = _advance(stocks, flows, demography)
        values = _report(stocks, flows, after, disease, index)
        results += [(elements.label(name), year, value) for name, value in values.items()]
        stocks = after
    return results


def _years(elements: Elements) -> range:
    runtime = elements.runtime
    years = range(runtime["startYear"], runtime["endYear"])
    first = int(elements.number("population", "reference_year"))
    if not years or years[0] < first:
        raise ValueError(
            f"runtime {runtime['startYear']} to {runtime['endYear']} (exclusive) cannot be run: "
            f"it needs a year, and none before the reference year {first}"
        )
    if runtime["synchronous_iterations"] != 1:
        raise ValueError("runtime: synchronous_iterations has to be 1, one step a year")
    return years


@dataclass(frozen=True)
class Stocks:
    """People on 1 January, and those who died since the start year."""

    susceptible: People
    asthma: People
    deceased: float


@dataclass(frozen=True)
class Flows:
    """People who move within one year, by age and sex; births in all."""

    births: float
    asthma_deaths: People
    other_deaths: People  # of people with asthma
    susceptible_deaths: People
    onset: People
    remission: People


def _start(elements: Elements, demography: Demography, disease: Disease, year: int) -> Stocks:
    """Stocks of the start year: the reference population moved on without asthma, then split."""
    size = elements.facts("population").population
    shares = demography.stable_population(elements.number("population", "lowest_growth"))
    people = [size * share for share in shares]
    for passed in range(demography.reference_year, year):
        born = demography.births_in(passed, people)
        dying = demography.dying(passed)
        alive = [p - p * q for p, q in zip(people, dying, strict=True)]
        people = aged(alive, born * demography.boys_share, born * (1.0 - demography.boys_share))
    sick = [p * share for p, share in zip(people, disease.prevalence(), strict=True)]
    healthy = [p - a for p, a in zip(people, sick, strict=True)]
    return Stocks(susceptible=healthy, asthma=sick, deceased=0.0)


def _flows(
    stocks: Stocks, demography: Demography, disease: Disease, year: int, index: int
) -> Flows:
    """Deaths from asthma, then from all else, then onset and remission among the survivors."""
    healthy, sick = stocks.susceptible, stocks.asthma
    dying = demography.dying(year)
    fatal = disease.left("asthma_to_deceased", index)
    new = disease.left("susceptible_to_asthma", index)
    asthma_deaths = [a * (c * fatal) for a, c in zip(sick, disease.case_fatality, strict=True)]
    other = [(a - d) * q for a, d, q in zip(sick, asthma_deaths, dying, strict=True)]
    susceptible_deaths = [s * q for s, q in zip(healthy, dying, strict=True)]
    return Flows(
        births=demography.births_in(year, [s + a for s, a in zip(healthy, sick, strict=True)]),
        asthma_deaths=asthma_deaths,
        other_deaths=other,
        susceptible_deaths=susceptible_deaths,
        onset=[
            (s - d) * (i * new)
            for s, d, i in zip(healthy, susceptible_deaths, disease.incidence, strict=True)
        ],
        remission=[
            (a - d - o) * r
            for a, d, o, r in zip(sick, asthma_deaths, other, disease.remission, strict=True)
        ],
    )


def _advance(stocks: Stocks, flows: Flows, demography: Demography) -> Stocks:
    """The stocks a year later."""
    susceptible = [
        s - d - new + back
        for s, d, new, back in zip(
            stocks.susceptible, flows.susceptible_deaths, flows.onset, flows.remission, strict=True
        )
    ]
    asthma = [
        a - d - o + new - back
        for a, d, o, new, back in zip(
            stocks.asthma,
            flows.asthma_deaths,
            flows.other_deaths,
            flows.onset,
            flows.remission,
            strict=True,
        )
    ]
    boys = flows.births * demography.boys_share
    return Stocks(
        susceptible=aged(susceptible, boys, flows.births - boys),
        asthma=aged(asthma, 0.0, 0.0),
        deceased=stocks.deceased + _deaths(flows),
    )


def _deaths(flows: Flows) -> float:
    return (
        math.fsum(flows.asthma_deaths)
        + math.fsum(flows.other_deaths)
        + math.fsum(flows.susceptible_deaths)
    )


def _report(
    stocks: Stocks, flows: Flows, after: Stocks, disease: Disease, index: int
) -> dict[str, float]:
    """Element id -> value of the year."""
    susceptible, asthma = math.fsum(stocks.susceptible), math.fsum(stocks.asthma)
    asthma_after = math.fsum(after.asthma)
    population = susceptible + asthma
    population_after = math.fsum(after.susceptible) + asthma_after
    asthma_deaths = math.fsum(flows.asthma_deaths)
    weight = disease.disability_weight * disease.left("disability", index)
    yld = (asthma + asthma_after) / 2.0 * weight
    yll = math.fsum(map(mul, flows.asthma_deaths, disease.years_lost))
    reached = _reached(disease, {"susceptible": susceptible, "asthma": asthma}, index)
    return {
        "population": population,
        "susceptible": susceptible,
        "asthma": asthma,
        "deceased": stocks.deceased,
        "births": flows.births,
        "deaths": _deaths(flows),
        "asthma_deaths": asthma_deaths,
        "susceptible_to_asthma": math.fsum(flows.onset),
        "asthma_to_susceptible": math.fsum(flows.remission),
        "asthma_to_deceased": asthma_deaths + math.fsum(flows.other_deaths),
        "susceptible_to_deceased": math.fsum(flows.susceptible_deaths),
        "prevalence": asthma / population,
        "healthy_years": (population + population_after) / 2.0 - yld,
        "yld": yld,
        "yll": yll,
        "dalys": yld + yll,
        **reached,
        "cost": math.fsum(t.unit_cost * reached[t.reached_id] for t in disease.treatments),
    }


def _reached(disease: Disease, stocks: Mapping[str, float], index: int) -> dict[str, float]:
    return {
        treatment.reached_id: stocks[treatment.stock]
        * treatment.in_need
        * treatment.coverage[index]
        for treatment in disease.treatments
    }
