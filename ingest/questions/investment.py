"""Investment cases: what scenarios cost and what their benefits are worth, year by year."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby
from operator import sub
from typing import Any, NamedTuple

from ingest.questions.economics import Economics, Group
from ingest.text.numbers import MINUS, exact_sum, in_full


@dataclass(frozen=True)
class Flow:
    """Money of one year over the baseline's; benefits by stream, in the order of the settings."""

    year: int
    cost: float
    benefits: tuple[float, ...]

    @cached_property
    def benefit(self) -> float:
        """All streams together."""
        return exact_sum(self.benefits)

    def times(self, factor: float) -> Flow:
        """The same money, discounted."""
        return Flow(self.year, self.cost * factor, tuple(b * factor for b in self.benefits))


@dataclass(frozen=True)
class Case:
    """Flows up to a horizon, added up.

    person_years: the years that people live in the scenario; None where no label of people is
    named.
    """

    flows: tuple[Flow, ...]
    person_years: float | None = None

    @cached_property
    def cost(self) -> float:
        """What the scenario costs more than the baseline."""
        return exact_sum([flow.cost for flow in self.flows])

    @cached_property
    def benefits(self) -> tuple[float, ...]:
        """The benefit of each stream."""
        columns = zip(*(flow.benefits for flow in self.flows), strict=True)
        return tuple(exact_sum(column) for column in columns)

    @cached_property
    def benefit(self) -> float:
        """All streams together."""
        return exact_sum(self.benefits)

    @property
    def benefit_cost_ratio(self) -> float | None:
        """Benefit of one unit of money; None where the scenario costs nothing more."""
        return self.benefit / self.cost if self.cost > 0 else None

    @property
    def return_on_investment(self) -> float | None:
        """Net benefit of one unit of money; None where the scenario costs nothing more."""
        return (self.benefit - self.cost) / self.cost if self.cost > 0 else None

    @property
    def mark(self) -> str:
        """What stands in place of the ratios."""
        if self.cost > 0:
            return ""
        if self.cost == 0:
            return "no extra cost"
        return "saves, brings less" if self.benefit < 0 else "cost-saving"

    @property
    def cost_per_person_year(self) -> float | None:
        """Extra cost of one person in one year; None where there are no people."""
        people = self.person_years
        return self.cost / people if people is not None and people > 0 else None

    @property
    def break_even_year(self) -> int | None:
        """The first year with a cost from which on the benefits so far are never below the costs.

        None where they are below at the horizon, or where there never was a cost to get back.
        """
        nets = list(accumulate(flow.benefit - flow.cost for flow in self.flows))
        spent = [flow.year for flow in self.flows if flow.cost > 0]
        if not spent or nets[-1] < 0:
            return None
        below = [flow.year for flow, net in zip(self.flows, nets, strict=True) if net < 0]
        return max(spent[0], below[-1] + 1 if below else spent[0])


@dataclass(frozen=True)
class InvestmentCase:
    """One scenario against the baseline in one group.

    without: countries of the group that lack a value of a column, and so are left out of costs and
    benefits.
    """

    group: Group
    scenario: str
    flows: tuple[Flow, ...]
    discounted: tuple[Flow, ...]
    people: Mapping[int, float] | None
    without: tuple[str, ...] = ()

    def until(self, horizon: int, *, discounted: bool) -> Case:
        """The case up to a year; people are never discounted."""
        flows = self.discounted if discounted else self.flows
        years = tuple(flow for flow in flows if flow.year <= horizon)
        people = self.people
        lived = None if people is None else exact_sum([people[flow.year] for flow in years])
        return Case(years, lived)


def investment_cases(
    economics: Economics, groups: Sequence[Group] | None = None
) -> list[InvestmentCase]:
    """The case of each scenario in each group; money is discounted at the rate of costs.

    groups: those of them that are wanted, all where None.
    """
    groups = economics.groups if groups is None else groups
    members = {country for group in groups for country in group.countries}
    flows = _country_flows(economics, members)
    return [
        case
        for group in groups
        for scenario in economics.scenarios
        if (case := _case(economics, group, scenario, flows)) is not None
    ]


def cases_by_group(cases: Iterable[InvestmentCase]) -> list[list[InvestmentCase]]:
    """The cases of each group together."""
    return [list(of_group) for _, of_group in groupby(cases, lambda case: case.group)]


class _Money(NamedTuple):
    """What a scenario costs and brings in a country, year by year; benefits by stream."""

    cost: list[float]
    benefits: tuple[list[float], ...]


_CountryFlows = Mapping[tuple[str, str], _Money]


def _case(
    economics: Economics, group: Group, scenario: str, flows: _CountryFlows
) -> InvestmentCase | None:
    """The case, or None where no country of the group has all of it."""
    pair = {economics.baseline, scenario}
    whole = [each for each in group.countries if pair <= economics.complete[each]]
    known = [each for each in whole if (each, scenario) in flows]
    if not known:
        return None
    added = tuple(_added(economics, [flows[each, scenario] for each in known]))
    factors = economics.factors(economics.settings.discount_cost)
    return InvestmentCase(
        group,
        scenario,
        added,
        tuple(flow.times(factors[flow.year]) for flow in added),
        economics.people(known, scenario),
        tuple(country for country in whole if country not in known),
    )


def _added(economics: Economics, money: Sequence[_Money]) -> Iterator[Flow]:
    """The money of several countries together, year by year."""
    costs = _sums([each.cost for each in money])
    streams = [_sums(rows) for rows in zip(*(each.benefits for each in money), strict=True)]
    for year, cost, *benefits in zip(economics.years, costs, *streams, strict=True):
        yield Flow(year, cost, tuple(benefits))


def _sums(rows: Sequence[list[float]]) -> list[float]:
    """The sum of each year; of one country its numbers as they are."""
    return rows[0] if len(rows) == 1 else [*map(exact_sum, zip(*rows, strict=True))]


def _country_flows(economics: Economics, countries: Collection[str]) -> _CountryFlows:
    """The flows of these countries and all scenarios; of none that lacks a value of a column."""
    values, streams = economics.values, economics.settings.benefits
    factors: dict[str, list[float]] = {}
    for country in countries:
        amounts = [stream.amount for stream in streams]
        if all(country in values.get(each.column, {}) for each in amounts if each.column):
            factors[country] = [
                each.factor * (values[each.column][country] if each.column else 1)
                for each in amounts
            ]
    return {
        (country, scenario): _money_of(economics, country, scenario, worth)
        for country, worth in factors.items()
        for scenario in economics.scenarios
        if {economics.baseline, scenario} <= economics.complete[country]
    }


def _money_of(economics: Economics, country: str, scenario: str, worth: Sequence[float]) -> _Money:
    """Each year's extra cost, and the gain of each stream times what one unit of it is worth."""
    names = {each.name for each in (economics.cost, *economics.benefits)}
    extra = {
        name: [
            *map(
                sub,
                economics.row(name, country, scenario),
                economics.row(name, country, economics.baseline),
            )
        ]
        for name in names
    }
    return _Money(
        extra[economics.cost.name],
        tuple(
            [value * measure.gain * one for value in extra[measure.name]]
            for measure, one in zip(economics.benefits, worth, strict=True)
        ),
    )


def case_answer(economics: Economics, case: InvestmentCase) -> str:
    """What a case comes to at the end of its years, discounted, in a sentence."""
    last = economics.years[-1]
    found = case.until(last, discounted=True)
    ratio = found.benefit_cost_ratio
    if ratio is None:
        return f"{case.scenario} against {economics.baseline}: {found.mark}, until {last}."
    year = found.break_even_year
    even = f"even from {year}" if year is not None else "not even by then"
    money = economics.settings.currency or "unit of money"
    return (
        f"Each {money} that {case.scenario} costs over {economics.baseline} brings back "
        f"{in_full(ratio, 2).replace('-', MINUS)} by {last} (discounted): {even}."
    )


# --- rows for machines ----------------------------------------------------------------------------


def summary_rows(economics: Economics, case: InvestmentCase) -> Iterator[dict[str, Any]]:
    """A row for each horizon, discounted and not side by side; null where there is no number."""
    for horizon in economics.horizons:
        row = _head(case) | {"horizon": horizon}
        for prefix, discounted in (("", False), ("discounted_", True)):
            found = case.until(horizon, discounted=discounted)
            row |= {prefix + name: value for name, value in _summary(economics, found).items()}
        yield row | {"without": list(case.without)}


def plain_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a summary as CSV has it."""
    return row | {"without": " ".join(row["without"])}


def year_rows(economics: Economics, case: InvestmentCase) -> Iterator[dict[str, Any]]:
    """A row for each year: its money and what has come together by then, discounted and not."""
    columns = [
        values
        for flows in (case.flows, case.discounted)
        for values in _year_columns(economics, flows)
    ]
    names = [*_head(case), "year", *_year_names(economics), *_year_names(economics, "discounted_")]
    head = tuple(_head(case).values())
    years = [flow.year for flow in case.flows]
    for row in zip(years, *columns, strict=True):
        yield dict(zip(names, (*head, *row), strict=True))


def _year_columns(economics: Economics, flows: Sequence[Flow]) -> Iterator[Sequence[float]]:
    """The columns of money of year_rows(), in the order of _year_names()."""
    costs = [flow.cost for flow in flows]
    benefits = [flow.benefit for flow in flows]
    yield costs
    for stream in range(len(economics.settings.benefits)):
        yield [flow.benefits[stream] for flow in flows]
    yield benefits
    yield [*map(sub, benefits, costs)]
    costs_so_far, benefits_so_far = [*accumulate(costs)], [*accumulate(benefits)]
    yield costs_so_far
    yield benefits_so_far
    yield [*map(sub, benefits_so_far, costs_so_far)]


def _year_names(economics: Economics, prefix: str = "") -> list[str]:
    streams = [f"benefit_{stream.name}" for stream in economics.settings.benefits]
    names = ("extra_cost", *streams, "benefit", "net_benefit")
    so_far = ("extra_cost_so_far", "benefit_so_far", "net_so_far")
    return [prefix + name for name in (*names, *so_far)]


def _head(case: InvestmentCase) -> dict[str, Any]:
    group = case.group
    countries = len(group.countries) - len(case.without)
    return {
        "by": group.by,
        "group": group.name,
        "countries": countries,
        "of_countries": group.of,
        "scenario": case.scenario,
    }


def _money(economics: Economics, money: Case) -> dict[str, float]:
    names = [f"benefit_{stream.name}" for stream in economics.settings.benefits]
    return {
        "extra_cost": money.cost,
        **dict(zip(names, money.benefits, strict=True)),
        "benefit": money.benefit,
        "net_benefit": money.benefit - money.cost,
    }


def _summary(economics: Economics, found: Case) -> dict[str, Any]:
    return {
        **_money(economics, found),
        "benefit_cost_ratio": found.benefit_cost_ratio,
        "return_on_investment": found.return_on_investment,
        "mark": found.mark,
        "cost_per_person_year": found.cost_per_person_year,
        "break_even_year": found.break_even_year,
    }
