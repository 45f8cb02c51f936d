"""What an economic evaluation is made of: years, measures, countries, and what money is worth."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import mul

from ingest.database.country_facts import NO_GROUP, group_of, read_country_facts
from ingest.database.indicator_state import IndicatorRequest, read_state
from ingest.database.states import RunRef
from ingest.database.study_settings import Definitions
from ingest.errors import ConfigError
from ingest.questions.catalogue import group_columns
from ingest.questions.currency import other_currency
from ingest.questions.discount import rate_words
from ingest.questions.measures import (
    Combination,
    Levels,
    Measure,
    Series,
    find_measure,
    read_series,
)
from ingest.study.combination import select_names
from ingest.study.country_values import Values
from ingest.study.economics import Amount, EconomicsSettings
from ingest.study.indicators import Indicator
from ingest.study.label import Label
from ingest.text.numbers import NOT_AVAILABLE, at_most, exact_sum, table_number, years_text
from ingest.text.suggest import did_you_mean, did_you_mean_or_list

COUNTRY, TOTAL = "country", "total"


@dataclass(frozen=True)
class EconomicsRequest:
    """Which part of a state is evaluated, and how.

    by: country, total or columns of the countries, each a table of its own. countries, scenarios:
    patterns, all where empty. is_discounted: by the rates of the study, else not at all.
    """

    run: RunRef
    by: tuple[str, ...] = (TOTAL,)
    countries: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    is_discounted: bool = True
    consistent: bool = False


@dataclass(frozen=True)
class Group:
    """Countries that are evaluated together; of: how many countries belong to it.

    title: the name for people: Kenya (KEN), region: South Asia, total.
    """

    by: str
    name: str
    title: str
    countries: tuple[str, ...]
    of: int


@dataclass(frozen=True)
class Economics:
    """Everything that an evaluation of a state needs, read once.

    years: the ones counted. scenarios: without the baseline. complete: the scenarios of which each
    country has every number. left_out: why a country is in no group. notes: one clause each.
    """

    settings: EconomicsSettings
    request: EconomicsRequest
    baseline: str
    scenarios: tuple[str, ...]
    years: range
    cost: Measure
    effect: Measure
    benefits: tuple[Measure, ...]
    series: Mapping[str, Series] = field(repr=False)
    complete: Mapping[str, frozenset[str]]
    left_out: Mapping[str, str]
    groups: tuple[Group, ...]
    values: Values = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def base_year(self) -> int:
        """The year that is discounted to."""
        return self.settings.base_year or self.years[0]

    @property
    def horizons(self) -> tuple[int, ...]:
        """The years that sums go up to, the last one counted among them."""
        wanted = (year for year in self.settings.horizons if year in self.years)
        return tuple(sorted({*wanted, self.years[-1]}))

    @property
    def rates(self) -> tuple[float, float]:
        """The rates of costs and of effects that the answer is discounted at."""
        if not self.request.is_discounted:
            return 0.0, 0.0
        return self.settings.discount_cost, self.settings.discount_effect

    @property
    def words(self) -> str:
        """What all numbers depend on: US$ 2015; 2025-2050; discounted at 3 % a year to 2025."""
        parts = [self.settings.money] if self.settings.money else []
        return "; ".join([*parts, years_text(self.years), self.rate_words])

    @property
    def rate_words(self) -> str:
        """The rates of costs and effects, and the year discounted to."""
        cost, effect = map(rate_words, self.rates)
        if not any(self.rates):
            return "not discounted"
        rates = cost if cost == effect else f"{cost} (costs) and {effect} (effects)"
        return f"discounted at {rates} a year to {self.base_year}"

    def factors(self, rate: float) -> dict[int, float]:
        """What a year's value is multiplied by: 1 / (1 + rate) ** (year - base year)."""
        return {year: (1 + rate) ** (self.base_year - year) for year in self.years}

    def row(self, measure: str, country: str, scenario: str) -> list[float]:
        """The values of the years counted, of a combination that has all."""
        series = self.series[measure][country, scenario]
        return [series[year] for year in self.years]

    def totals(self, measure: Measure, rate: float) -> dict[Combination, float]:
        """The discounted sum over the years of each combination that has all."""
        factors = [*self.factors(rate).values()]
        return {
            (country, scenario): exact_sum(
                [*map(mul, self.row(measure.name, country, scenario), factors)]
            )
            for country, scenarios in self.complete.items()
            for scenario in scenarios
        }

    def people(self, countries: Sequence[str], scenario: str) -> dict[int, float] | None:
        """People by year; None where no label of them is named."""
        name = self.settings.population
        if name not in self.series:
            return None
        columns = zip(*(self.row(name, each, scenario) for each in countries), strict=True)
        return dict(zip(self.years, map(exact_sum, columns), strict=True))


@dataclass(frozen=True)
class Worth:
    """An amount in one group; value is None where it cannot be told.

    lacking: countries without a value of its column, which the mean is without.
    """

    amount: Amount
    value: float | None
    lacking: tuple[str, ...] = ()
    note: str = ""


def worth(economics: Economics, amount: Amount, group: Group) -> Worth:
    """What an amount is in a group: of several countries the mean, weighted by their people.

    The people are those of the baseline in the first year.
    """
    if not amount.column:
        return Worth(amount, amount.factor)
    values = economics.values.get(amount.column, {})
    known = [country for country in group.countries if country in values]
    lacking = tuple(country for country in group.countries if country not in values)
    if not known:
        return Worth(amount, None, lacking, f"no {amount.column}")
    if len(group.countries) == 1:
        return Worth(amount, amount.factor * values[known[0]])
    series = economics.series.get(economics.settings.population)
    if series is None:
        return Worth(amount, None, lacking, "economics.population is not set, so there is no mean")
    first = economics.years[0]
    people = [series[country, economics.baseline][first] for country in known]
    if not exact_sum(people) > 0:
        return Worth(amount, None, lacking, f"no people in {first} to weigh by")
    products = [values[c] * n for c, n in zip(known, people, strict=True)]
    return Worth(amount, amount.factor * exact_sum(products) / exact_sum(people), lacking)


def threshold_text(threshold: Worth) -> str:
    """A threshold in a group as a number, n/a where it is not known."""
    return NOT_AVAILABLE if threshold.value is None else table_number(threshold.value)


def read_economics_of(
    connection: sqlite3.Connection,
    settings: EconomicsSettings,
    definitions: Definitions,
    values: Values,
    request: EconomicsRequest,
    known: dict[str, Levels] | None = None,
) -> Economics:
    """The state as of a run, ready to be evaluated. known: as read_series() has it.

    Raises ConfigError: no [economics], a name that the state does not have, years that the results
    do not reach, or no country that has all.
    """
    if not settings.is_set:
        raise ConfigError(_NOT_SET)
    baseline = settings.baseline or definitions.baseline
    state = read_state(connection, (), _state_request(connection, request, baseline))
    measures = find_measures(settings, state.labels, definitions.indicators)
    cost, effect, *benefits = measures
    if settings.population:
        measures.append(Measure(settings.population, {settings.population: 1}))
    series = read_series(connection, state.sets, measures, {} if known is None else known)
    with_results = {scenario for _, scenario in state.sets}
    others = (n for n in dict.fromkeys(state.scenarios) if n in with_results and n != baseline)
    scenarios = (baseline, *others)
    years, notes = _years(settings, series)
    complete, left_out = _complete(state.countries, scenarios, series, years)
    return Economics(
        settings=settings,
        request=request,
        baseline=baseline,
        scenarios=scenarios[1:],
        years=years,
        cost=cost,
        effect=effect,
        benefits=tuple(benefits),
        series=series,
        complete=complete,
        left_out=left_out,
        groups=tuple(_groups(connection, request, complete, left_out)),
        values=values,
        notes=(
            *notes,
            *_never_run(state.scenarios, with_results),
            *other_currency(settings, (cost, effect, *benefits)),
        ),
    )


_NOT_SET = (
    "ingest.toml has no [economics] with cost and effect; such as:\n"
    '[economics]\ncost = "Cost"\neffect = "Healthy Years Lived"'
)


def _never_run(scenarios: Iterable[str], with_results: Collection[str]) -> Iterator[str]:
    lacking = [name for name in scenarios if name not in with_results]
    if lacking:
        yield f"left out: no results of {at_most(lacking)} in any country"


def _state_request(
    connection: sqlite3.Connection, request: EconomicsRequest, baseline: str
) -> IndicatorRequest:
    """The countries and scenarios that patterns choose among those of the study at the run."""
    chosen = []
    for what, patterns in (("country", request.countries), ("scenario", request.scenarios)):
        view = "study_countries" if what == "country" else "study_scenarios"
        query = f"SELECT DISTINCT {what} FROM {view} WHERE run_id = ? ORDER BY 1"
        known = [name for (name,) in connection.execute(query, [request.run.run_id])]
        chosen.append(tuple(select_names(patterns, known, what)) if patterns else ())
    countries, scenarios = chosen
    return IndicatorRequest(
        request.run.run_id, baseline, scenarios, countries, consistent=request.consistent
    )


def find_measures(
    settings: EconomicsSettings, labels: Mapping[str, Label], indicators: Iterable[Indicator]
) -> list[Measure]:
    """Cost, effect, and what each stream of benefits values.

    Raises ConfigError: a name that is no label and no indicator, or something that is no sum, has
    no good direction, or is counted in people and does not exist.
    """
    known = {indicator.name: indicator for indicator in indicators}
    named = [("cost", settings.cost), ("effect", settings.effect)]
    named += [(f"benefits {each.name}", each.effect) for each in settings.benefits]
    found = [find_measure(name, labels, known, f"economics.{place}") for place, name in named]
    for (place, name), measure in [*zip(named, found, strict=True)][1:]:
        if not measure.gain:
            way = 'sense = "gained" or "averted"'
            if name not in known:
                way = f'[labels."{name}"] better = "higher" or "lower"'
            raise ConfigError(
                f"economics.{place}: nobody says whether more or less of {name!r} is better. Say "
                f"it in ingest.toml: {way}"
            )
    if settings.population and settings.population not in labels:
        hint = did_you_mean_or_list(settings.population, sorted(labels))
        raise ConfigError(f"economics.population: no label {settings.population!r}{hint}")
    return found


def _years(
    settings: EconomicsSettings, series: Mapping[str, Series]
) -> tuple[range, tuple[str, ...]]:
    """The years counted, and a note where they are fewer than was asked for."""
    found = {year for of_measure in series.values() for v in of_measure.values() for year in v}
    if not found:
        raise ConfigError(f"the results have no number of {', '.join(series)}")
    has = range(min(found), max(found) + 1)
    first, last = settings.start_year or has[0], (*settings.horizons, has[-1])[-1]
    if settings.horizons:
        last = settings.horizons[-1]
    wanted = range(first, last + 1)
    if first >= has[0] and last <= has[-1]:
        return wanted, ()
    words = f"the results have {years_text(has)}"
    cut = range(max(first, has[0]), min(last, has[-1]) + 1)
    if not settings.allow_partial or not cut:
        raise ConfigError(
            f"[economics] counts {years_text(wanted)}, but {words}. Change start_year or horizon, "
            "or cut it to what is there: allow_partial = true"
        )
    return cut, (f"years: asked for {years_text(wanted)}, {words}",)


def _complete(
    countries: Sequence[str], scenarios: Sequence[str], series: Mapping[str, Series], years: range
) -> tuple[dict[str, frozenset[str]], dict[str, str]]:
    """The scenarios that each country has wholly, and why a country is in no group.

    scenarios: the baseline first.
    """
    baseline = scenarios[0]
    complete: dict[str, frozenset[str]] = {}
    left_out: dict[str, str] = {}
    for country in countries:
        problems = {
            scenario: problem
            for scenario in scenarios
            if (problem := _problem(series, country, scenario, years))
        }
        complete[country] = frozenset(scenarios) - frozenset(problems)
        if problems:
            worst = baseline if baseline in problems else next(iter(problems))
            left_out[country] = problems[worst]
    if not any(len(found) > 1 and baseline in found for found in complete.values()):
        reasons = [f"{country}: {why}" for country, why in left_out.items()]
        raise ConfigError(
            f"no country has results of the baseline {baseline} and of another scenario, with all "
            f"years. {at_most(reasons, between='; ') or 'Run another scenario: ingest run'}"
        )
    return complete, left_out


def _problem(series: Mapping[str, Series], country: str, scenario: str, years: range) -> str:
    """What a combination lacks; empty where it has every number."""
    for name, of_measure in series.items():
        found = of_measure.get((country, scenario))
        if found is None:
            return f"no results of {scenario}"
        lacking = [year for year in years if year not in found]
        if lacking:
            return f"{scenario} has no {name} of {years_text(lacking)}"
    return ""


def _groups(
    connection: sqlite3.Connection,
    request: EconomicsRequest,
    complete: Mapping[str, frozenset[str]],
    left_out: Collection[str],
) -> Iterator[Group]:
    """The groups of each table; in groups only countries that have all.

    Raises ConfigError: a column that the countries do not have, or that none has a value in.
    """
    facts = read_country_facts(connection, request.run.run_id)
    known = [COUNTRY, TOTAL, *group_columns(connection)]
    for each in request.by:
        if each not in known:
            hint = did_you_mean(each, known)
            raise ConfigError(f"--by {each}: groups are {', '.join(known)}.{hint}")
        members: dict[str, list[str]] = {}
        for country in complete:
            own = facts.get(country, {})
            (name,) = (TOTAL,) if each == TOTAL else group_of(country, own, (each,))
            members.setdefault(name, []).append(country)
        if each not in (COUNTRY, TOTAL) and set(members) == {NO_GROUP}:
            raise ConfigError(f"--by {each}: no country of these has one")
        for name, countries in sorted(members.items()):
            whole = [c for c in countries if each == COUNTRY or c not in left_out]
            title = name if each == TOTAL else f"{each}: {name}"
            if each == COUNTRY:
                title = f"{facts.get(name, {}).get('name', name)} ({name})"
            yield Group(each, name, title, tuple(whole), len(countries))
