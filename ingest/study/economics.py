"""[economics] of a study: what counts as cost and as effect, how it is discounted and valued."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ingest.findings import Finding, error
from ingest.study.indicators import LARGEST_RATE
from ingest.study.setting_fields import FromText, read_section, setting

_NUMBER = r"\d+(?:\.\d*)?|\.\d+"
_AMOUNT = re.compile(rf"({_NUMBER})(?:\s*[x×*]\s*([A-Za-z_]\w*))?")
_YEARS = range(1900, 2301)


@dataclass(frozen=True)
class Amount:
    """Money for one unit of effect: a number, or a multiple of a column of the countries."""

    factor: float
    column: str = ""

    def __str__(self) -> str:
        return f"{self.factor:g} x {self.column}" if self.column else f"{self.factor:,g}"


def parse_amount(text: str) -> Amount:
    """An amount as it is written: 500, 0.5 x gdp_per_person. Raises ValueError: it is neither."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or not math.isfinite(float(found[1])):
        raise ValueError(f'write a number or a multiple such as "1 x gdp_per_person", not {text!r}')
    return Amount(float(found[1]), found[2] or "")


@dataclass(frozen=True)
class BenefitSettings:
    """[[economics.benefits]]: one stream of benefits, and what one unit of it is worth."""

    name: str = setting("", "the stream's name, such as `social` or `productivity`")
    effect: str = setting("", "what is valued: an element label or an indicator")
    value: str = setting(
        "", "worth of one unit: a number, or a multiple of a column: `0.5 x gdp_per_person`"
    )
    source: str = setting("", "where the value comes from; shown with the results")

    @property
    def amount(self) -> Amount:
        """What one unit is worth."""
        return parse_amount(self.value)


@dataclass(frozen=True)
class EconomicsSettings:
    """[economics]: costs and effects, how they are discounted and valued; it runs nothing."""

    cost: str = setting("", "what a scenario costs: an element label or an indicator")
    effect: str = setting(
        "", "what it achieves: a label or an indicator; of a label, `better` says which way is good"
    )
    baseline: str = setting(
        "", "the scenario that all others are compared with; that of [study] if empty"
    )
    discount_cost: float = setting(0.03, "discount rate of costs and benefits in money", minimum=0)
    discount_effect: float = setting(0.03, "discount rate of effects", minimum=0)
    base_year: int | None = setting(
        None, "the year that is discounted to; the first one counted if unset"
    )
    start_year: int | None = setting(None, "the first year counted; the results' first if unset")
    horizon: tuple[int, ...] = setting(
        (), "the last year counted, or several; the results' last if empty"
    )
    allow_partial: bool = setting(
        False, "a horizon that the results do not reach is cut to their years, and told"
    )
    currency: str = setting("", "the currency of costs, values and thresholds")
    currency_year: int | None = setting(None, "the year of its prices")
    thresholds: tuple[str, ...] = setting(
        (), "cost of one unit of effect that is worth it: numbers, or multiples of a column"
    )
    population: str = setting(
        "", "the label of people, for cost per person and for the mean threshold of groups"
    )
    source: str = setting("", "where the thresholds come from; shown with the results")
    benefits: tuple[BenefitSettings, ...] = setting((), "the streams of the investment case")

    @property
    def is_set(self) -> bool:
        """Whether the study has such a section."""
        return bool(self.cost and self.effect)

    @property
    def horizons(self) -> tuple[int, ...]:
        """The last years counted, in order."""
        return tuple(sorted(set(self.horizon)))

    @property
    def amounts(self) -> tuple[Amount, ...]:
        """The thresholds."""
        return tuple(map(parse_amount, self.thresholds))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the countries that amounts are multiples of, each once."""
        all_amounts = (*self.amounts, *(benefit.amount for benefit in self.benefits))
        return tuple(dict.fromkeys(each.column for each in all_amounts if each.column))

    @property
    def money(self) -> str:
        """The currency with the year of its prices: US$ 2015."""
        return f"{self.currency} {self.currency_year or ''}".strip()


NO_ECONOMICS = EconomicsSettings()


def read_economics(raw: Mapping[str, Any], where: str) -> tuple[EconomicsSettings, list[Finding]]:
    """[economics] and what is wrong with it; what is wrong leaves a section that is not set.

    where: the file, for messages.
    """
    values = {key: _as_texts(key, value) for key, value in raw.items()}
    settings, findings = read_section(EconomicsSettings, values, "economics", where)
    if raw and not findings:
        findings = [error("bad-value", where, f"economics.{text}") for text in _problems(settings)]
    return (NO_ECONOMICS if findings else settings), findings


def _as_texts(key: str, value: Any) -> Any:
    """Numbers of a list that may hold texts, too, as texts; anything else as it is."""
    if key == "benefits" and isinstance(value, list):
        return [
            {name: _as_texts(name, each) for name, each in table.items()}
            if isinstance(table, dict)
            else table
            for table in value
        ]
    if key == "thresholds":
        items = value if isinstance(value, list) else [value]
        return [*map(_text, items)] if not isinstance(value, FromText) else value
    return _text(value) if key == "value" else value


def _text(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


def _problems(settings: EconomicsSettings) -> Iterator[str]:
    for key in ("cost", "effect"):
        if not getattr(settings, key):
            yield f"{key}: it is needed"
    for key in ("discount_cost", "discount_effect"):
        yield from _rate_problems(key, getattr(settings, key))
    yield from _year_problems(settings)
    for text in settings.thresholds:
        yield from _amount_problems("thresholds", text)
    names = [benefit.name for benefit in settings.benefits]
    for number, benefit in enumerate(settings.benefits, 1):
        place = f"benefits[{number}]"
        for key in ("name", "effect", "value"):
            if not getattr(benefit, key):
                yield f"{place}.{key}: it is needed"
        if benefit.name and names.index(benefit.name) < number - 1:
            yield f"{place}.name: {benefit.name!r} is the name of another stream"
        if benefit.value:
            yield from _amount_problems(f"{place}.value", benefit.value)


def _rate_problems(key: str, rate: float) -> Iterator[str]:
    if rate > LARGEST_RATE:
        meant = f" For {rate:g} %, write {rate / 100:g}" if rate <= 100 * LARGEST_RATE else ""
        yield f"{key}: {rate:g} a year is {rate:.0%}; a rate is 0 to {LARGEST_RATE:g}.{meant}"


def _year_problems(settings: EconomicsSettings) -> Iterator[str]:
    years = [("start_year", settings.start_year), ("base_year", settings.base_year)]
    years += [("horizon", year) for year in settings.horizon]
    for key, year in years:
        if year is not None and year not in _YEARS:
            yield f"{key}: {year} is no year from {_YEARS[0]} to {_YEARS[-1]}"
    if settings.start_year and settings.horizons and settings.start_year > settings.horizons[0]:
        yield f"horizon: {settings.horizons[0]} is before the start_year {settings.start_year}"


def _amount_problems(key: str, text: str) -> Iterator[str]:
    try:
        amount = parse_amount(text)
    except ValueError as exc:
        yield f"{key}: {exc}"
        return
    if amount.factor <= 0:
        yield f"{key}: {text} must be more than 0"
