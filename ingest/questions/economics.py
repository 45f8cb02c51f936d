"""What an economic evaluation is made of: years, measures, countries, and what money is worth."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ingest.database.choice import Chosen, NameChoice, StatePart, choose_results
from ingest.database.states import RunRef
from ingest.errors import ConfigError
from ingest.questions.catalogue import group_columns
from ingest.questions.measures import Combination, Measure, Series, find_measure, read_series
from ingest.study.country_values import Values
from ingest.study.economics import Amount, EconomicsSettings
from ingest.text.numbers import at_most, exact_sum, years_text
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

    def factors(self, rate: float) -> dict[int, float]:
        """What a year's value is multiplied by: 1 / (1 + rate) ** (year - base year)."""
        return {year: (1 + rate) ** (self.base_year - year) for year in self.years}

    def totals(self, measure: Measure, rate: float) -> dict[Combination, float]:
        """The discounted sum over the years of each combination that has all."""
        factors, series = self.factors(rate), self.series[measure.name]
        return {
            (country, scenario): exact_sum(
                [series[country, scenario][year] * factor for year, factor in factors.items()]
            )
            for country, scenarios in self.complete.items()
            for scenario in scenarios
        }

    def people(self, countries: Sequence[str], scenario: str) -> dict[int, float] | None:
        """People by year; None where no label of them is named."""
        series = self.series.get(self.settings.population)
        if series is None:
            return None
        return {
            year: exact_sum([series[country, scenario][year] for country in countries])
            for year in self.years
        }


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
    values = economics.values[amount.column]
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


def read_economics_of(
    connection: sqlite3.Connection,
    settings: EconomicsSettings,
    values: Values,
    request: EconomicsRequest,
) -> Economics:
    """The state as of a run, ready to be evaluated.

    Raises ConfigError: no [economics], a name that the state does not have, years that the results
    do not reach, or no country that has all.
    """
    if not settings.is_set:
        raise ConfigError(_NOT_SET)
    names = (*request.scenarios, settings.baseline) if request.scenarios else ()
    part = StatePart(consistent=request.consistent)
    chosen = choose_results(connection, request.run, NameChoice(request.countries, names), part)
    run_id = request.run.run_id
    if settings.baseline not in chosen.names[0]:
        hint = did_you_mean_or_list(settings.baseline, chosen.names[0])
        raise ConfigError(
            f"economics.baseline: no results of {settings.baseline!r} as of run {run_id}{hint}"
        )
    cost = find_measure(connection, settings.cost, run_id, "economics.cost")
    effect = find_measure(connection, settings.effect, run_id, "economics.effect")
    if not effect.gain:
        raise ConfigError(
            f"economics.effect: nobody says whether more or less of {effect.name!r} is better. Say "
            f'it in ingest.toml: [labels."{effect.name}"] better = "higher" or "lower"'
        )
    others = [
        find_measure(connection, each.effect, run_id, f"economics.benefits {each.name}")
        for each in settings.benefits
    ]
    people = (
        [Measure(settings.population, ((settings.population, 1),))] if settings.population else []
    )
    series = read_series(connection, chosen.jobs, [cost, effect, *others, *people])
    years, notes = _years(settings, series)
    complete, left_out = _complete(chosen, settings.baseline, series, years)
    scenarios = [name for name in chosen.names[0] if name != settings.baseline]
    return Economics(
        settings=settings,
        request=request,
        baseline=settings.baseline,
        scenarios=tuple(scenarios),
        years=years,
        cost=cost,
        effect=effect,
        benefits=tuple(others),
        series=series,
        complete=complete,
        left_out=left_out,
        groups=tuple(_groups(connection, request.by, complete, left_out)),
        values=values,
        notes=notes,
    )


_NOT_SET = (
    "ingest.toml has no [economics] with cost, effect and baseline; such as:\n"
    '[economics]\ncost = "Cost"\neffect = "Healthy Years Lived"\nbaseline = "baseline"'
)


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
    return cut, (f"asked for {years_text(wanted)}, {words}",)


def _complete(
    chosen: Chosen, baseline: str, series: Mapping[str, Series], years: range
) -> tuple[dict[str, frozenset[str]], dict[str, str]]:
    """The scenarios that each country has wholly, and why a country is in no group."""
    scenarios, countries = chosen.names
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
    by: Sequence[str],
    complete: Mapping[str, frozenset[str]],
    left_out: Collection[str],
) -> Iterator[Group]:
    """The groups of each table; in groups only countries that have all."""
    for each in by:
        if each == COUNTRY:
            names = dict(connection.execute("SELECT iso3, name FROM countries"))
            for country in complete:
                title = f"{names[country]} ({country})" if country in names else country
                yield Group(COUNTRY, country, title, (country,), 1)
            continue
        of_country = (
            _groups_of(connection, each) if each != TOTAL else dict.fromkeys(complete, TOTAL)
        )
        members: dict[str, list[str]] = {}
        for country in complete:
            members.setdefault(of_country.get(country) or "(none)", []).append(country)
        for name, countries in sorted(members.items()):
            whole = tuple(country for country in countries if country not in left_out)
            title = TOTAL if each == TOTAL else f"{each}: {name}"
            yield Group(each, name, title, whole, len(countries))


def _groups_of(connection: sqlite3.Connection, by: str) -> dict[str, str]:
    """The group of each country. Raises ConfigError: no such column, or none has a value."""
    known = group_columns(connection)
    if by not in known:
        hint = did_you_mean(by, [COUNTRY, TOTAL, *known])
        raise ConfigError(f"--by {by}: groups are {', '.join([COUNTRY, TOTAL, *known])}.{hint}")
    found = dict(connection.execute(f'SELECT iso3, "{by}" FROM countries'))
    if not any(found.values()):
        raise ConfigError(f"--by {by}: no country of this study has one")
    return found
