"""Indicators as a study writes them: [[indicators]] in ingest.toml, read with clear errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from ingest.errors import ConfigError
from ingest.findings import Finding, error
from ingest.study.combination import select_names
from ingest.study.label import Label
from ingest.study.setting_fields import key_of, read_section, setting
from ingest.text.numbers import at_most
from ingest.text.suggest import did_you_mean_or_list

AGGREGATES = ("sum", "mean", "last", "first", "max", "min")
SENSES = ("level", "averted", "gained")
LARGEST_RATE = 0.3
_ADDING = ("sum", "mean", "last", "first")
_YEARS = range(1900, 2301)


@dataclass(frozen=True)
class Indicator:
    """[[indicators]]: a number made of labels, or the ratio of two other indicators."""

    name: str = setting("", "what it is called in tables")
    labels: tuple[str, ...] = setting(
        (), 'element labels or patterns (`Population*`) that are added; `"-Deaths"` is subtracted'
    )
    ratio: tuple[str, ...] = setting(
        (), "in place of `labels`: two indicators, the first divided by the second"
    )
    aggregate: str = setting("sum", "what is taken of the years", choices=AGGREGATES)
    from_year: int | None = setting(None, "first year that counts; all where unset", key="from")
    until: tuple[int, ...] = setting(
        (), "last year that counts, or several: each is a number of its own; all where unset"
    )
    sense: str = setting(
        "level",
        "the scenario's own number, what it averts (baseline - scenario), or what it gains "
        "(scenario - baseline)",
        choices=SENSES,
    )
    per: str = setting("", "label to divide by, of the same years; undiscounted")
    scale: float = setting(1.0, "what the number is multiplied by, such as 100000 with `per`")
    discount: float = setting(0.0, "rate a year as a fraction: 0.03; goes with `sum`", minimum=0)
    base_year: int | None = setting(
        None, "year to discount to; the first of the results where unset"
    )
    unit: str = setting("", "its unit; that of its labels where empty")
    allow_partial: bool = setting(
        False, "a country whose results lack some of the years has a number too, and it is told"
    )

    @property
    def adds_over_countries(self) -> bool:
        """Whether countries may be added: a largest value of a sum is no sum of largest values."""
        return self.aggregate in _ADDING

    def select(self, known: Sequence[str]) -> dict[str, int]:
        """How often each label counts: 1, or -1 where it is subtracted.

        known: every label there is. Raises ConfigError: a name or pattern that matches none.
        """
        counts: dict[str, int] = {}
        names = set(known)
        added = [text for text in self.labels if text in names or not text.startswith("-")]
        subtracted = [text[1:] for text in self.labels if text not in added]
        for sign, patterns in ((1, added), (-1, subtracted)):
            for label in select_names(patterns, known, "label") if patterns else ():
                counts[label] = counts.get(label, 0) + sign
        return {label: count for label, count in counts.items() if count}


def read_indicators_section(raw: Any, where: str) -> tuple[tuple[Indicator, ...], list[Finding]]:
    """The indicators in the raw value of `indicators`, and everything that is wrong with them.

    where: the file, for messages, which count the indicators from 1.
    """
    if not isinstance(raw, list) or not all(isinstance(values, dict) for values in raw):
        return (), [
            error("bad-value", where, "indicators: tables headed [[indicators]] are needed")
        ]
    indicators, findings = [], []
    for number, values in enumerate(raw, 1):
        place = f"indicators[{number}]"
        indicator, problems = read_section(Indicator, values, place, where)
        if not problems:
            messages = _value_problems(indicator)
            problems = [error("bad-value", where, f"{place}.{message}") for message in messages]
        findings += problems
        if not problems:
            indicators.append(indicator)
    findings += [error("same-name", where, message) for message in _same_names(indicators)]
    if not findings:
        findings += [error("bad-value", where, text) for text in _ratio_problems(indicators)]
    return tuple(indicators), findings


def _value_problems(indicator: Indicator) -> Iterator[str]:
    if not indicator.name.strip():
        yield "name: give it one, such as Deaths averted"
    if bool(indicator.labels) == bool(indicator.ratio):
        yield "labels: write the labels that are added, or ratio = [A, B], and not both"
    if indicator.ratio and len(indicator.ratio) != 2:
        yield f"ratio: two indicators are needed, not {len(indicator.ratio)}"
    if indicator.ratio:
        yield from _unused_with_ratio(indicator)
    if indicator.discount > LARGEST_RATE:
        meant = f" {indicator.discount:g} % is {indicator.discount / 100:g}"
        yield (
            f"discount: {indicator.discount:g} is more than 30 % a year: it is a fraction."
            + (meant if indicator.discount <= LARGEST_RATE * 100 else "")
        )
    if indicator.discount and indicator.aggregate != "sum":
        yield f'discount: goes with aggregate = "sum", not with "{indicator.aggregate}"'
    if indicator.base_year is not None and not indicator.discount:
        yield "base_year: needs a rate: add discount = 0.03"
    if not indicator.scale > 0:
        yield f"scale: must be more than 0, not {indicator.scale:g}"
    yield from _year_problems(indicator)


def _unused_with_ratio(indicator: Indicator) -> Iterator[str]:
    """Keys that decide nothing in a ratio, whose members have their own."""
    plain = Indicator()
    for key in ("aggregate", "sense", "per", "discount", "base_year", "from_year"):
        if getattr(indicator, key) != getattr(plain, key):
            name = key.removesuffix("_year") if key == "from_year" else key
            yield f"{name}: a ratio has that of its two indicators; write it there"


def _year_problems(indicator: Indicator) -> Iterator[str]:
    named = [("from", indicator.from_year), ("base_year", indicator.base_year)]
    named += [("until", year) for year in indicator.until]
    for key, year in named:
        if year is not None and year not in _YEARS:
            yield f"{key}: {year} is no year from {_YEARS[0]} to {_YEARS[-1]}"
    if len(set(indicator.until)) < len(indicator.until):
        yield "until: a year is given twice"
    for year in indicator.until:
        if indicator.from_year is not None and year < indicator.from_year:
            yield f"until: there is no year from {indicator.from_year} to {year}"


def _same_names(indicators: Sequence[Indicator]) -> Iterator[str]:
    names = [indicator.name for indicator in indicators]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"indicators: {names.count(name)} are named {name!r}; give each its own name"


def _ratio_problems(indicators: Sequence[Indicator]) -> Iterator[str]:
    known = {indicator.name: indicator for indicator in indicators}
    for indicator in indicators:
        unknown = [name for name in indicator.ratio if name not in known]
        for name in unknown:
            hint = did_you_mean_or_list(name, list(known))
            yield f"indicator {indicator.name!r}: ratio: no indicator {name!r}{hint}"
        circle = _circle(indicator, known)
        if circle:
            yield f"indicator {indicator.name!r}: ratio: goes in a circle: {' -> '.join(circle)}"
        elif not unknown and indicator.ratio and not indicator.until:
            first, second = (horizons(known[name], known) for name in indicator.ratio)
            if first != second and first and second:
                yield (
                    f"indicator {indicator.name!r}: ratio: {indicator.ratio[0]!r} and "
                    f"{indicator.ratio[1]!r} end in other years: say until here"
                )


def _circle(start: Indicator, known: Mapping[str, Indicator]) -> list[str]:
    """The names on the way from an indicator back to itself; none where there is no such way."""
    ways = [[start.name]]
    while ways:
        way = ways.pop()
        for name in known[way[-1]].ratio if way[-1] in known else ():
            if name == start.name:
                return [*way, name]
            if name not in way:
                ways.append([*way, name])
    return []


def leaves(indicator: Indicator, known: Mapping[str, Indicator]) -> Iterator[Indicator]:
    """The indicators of labels that an indicator is made of: itself, or those of its ratio."""
    if not indicator.ratio:
        yield indicator
    for name in indicator.ratio:
        yield from leaves(known[name], known)


def discounted(
    indicators: Sequence[Indicator],
    wanted: Sequence[str],
    rate: float | None,
    base_year: int | None,
) -> tuple[Indicator, ...]:
    """The indicators with another rate, or another year to discount to; None leaves their own.

    Only sums over years are discounted, and what is divided by `per` only where it has a rate of
    its own. wanted: names of those that are asked for. Raises ConfigError: none of them takes it.
    """
    changed = {one.name: _discounted(one, rate, base_year) for one in indicators}
    asked = [leaf for name in wanted for leaf in leaves(changed[name], changed)]
    if (rate or base_year is not None) and not any(one.discount for one in asked):
        names = at_most([repr(name) for name in wanted])
        if rate:
            raise ConfigError(f"discount: {names}: no sum over years, so nothing is discounted")
        raise ConfigError(
            f"base year {base_year}: {names}: not discounted; give a rate, such as 3%"
        )
    return tuple(changed.values())


def _discounted(indicator: Indicator, rate: float | None, base_year: int | None) -> Indicator:
    takes = indicator.aggregate == "sum" and not (indicator.per or indicator.ratio)
    if rate is not None and (indicator.discount or takes):
        indicator = replace(indicator, discount=rate)
    if not indicator.discount:
        return replace(indicator, base_year=None)
    return indicator if base_year is None else replace(indicator, base_year=base_year)


def horizons(indicator: Indicator, known: Mapping[str, Indicator]) -> tuple[int, ...]:
    """The last years of an indicator: its own, else those of the members of its ratio."""
    if indicator.until or not indicator.ratio:
        return indicator.until
    members = (horizons(known[name], known) for name in indicator.ratio)
    return next(filter(None, members), ())


# --- against the labels and the years of a study -------------------------------------------------


def indicator_findings(
    indicators: Iterable[Indicator],
    labels: Iterable[Label],
    years: range | None,
    where: str,
) -> list[Finding]:
    """What does not fit the labels and the years of a study, as errors.

    years: those that the model document computes, None where it does not say.
    """
    known = {label.element_label: label for label in labels}
    findings = []
    for indicator in indicators:
        place = f"indicator {indicator.name!r}"
        try:
            messages = label_problems(indicator, known)
        except ConfigError as exc:
            findings.append(error("unknown-label", where, f"{place}: {exc}"))
        else:
            findings += [error("bad-indicator", where, f"{place}: {text}") for text in messages]
        outside = _horizon_problems(indicator, years)
        findings += [error("bad-horizon", where, f"{place}: {text}") for text in outside]
    return findings


def label_problems(indicator: Indicator, known: Mapping[str, Label]) -> list[str]:
    """Why the labels of an indicator cannot be put together: units, sums over years.

    Raises ConfigError: a label that is not known.
    """
    if indicator.ratio:
        return []
    chosen = [known[name] for name in indicator.select(list(known))]
    if indicator.per:
        select_names([indicator.per], known, "label")
    if not chosen:
        return ["labels: what is added is subtracted again, and nothing is left"]
    return [*_unit_problems(chosen), *_adding_problems(indicator, chosen)]


def _unit_problems(labels: Sequence[Label]) -> Iterator[str]:
    units: dict[str, list[str]] = {}
    for label in labels:
        if label.unit:
            units.setdefault(label.unit, []).append(label.element_label)
    if len(units) > 1:
        told = "; ".join(f"{names[0]} is in {unit}" for unit, names in units.items())
        yield f"its labels have different units: {told}. If they are the same, say so in [units]"


def _adding_problems(indicator: Indicator, labels: Sequence[Label]) -> Iterator[str]:
    if indicator.aggregate != "sum":
        return
    for label in labels:
        if label.over_years != "sum":
            name = label.element_label
            yield (
                f"{name!r} ({label.kind}) is not summed over years. Take "
                f'aggregate = "last" or "mean", or say [labels."{name}"] over_years = "sum"'
            )


def _horizon_problems(indicator: Indicator, years: range | None) -> Iterator[str]:
    if not years or indicator.allow_partial:
        return
    told = f"the model computes {years[0]} to {years[-1]}"
    for year in indicator.until:
        if year not in years:
            yield f"until: {year} is outside the years of the model: {told}"
    if indicator.from_year is not None and indicator.from_year not in years:
        yield f"from: {indicator.from_year} is outside the years of the model: {told}"


def unit_of(
    indicator: Indicator, labels: Mapping[str, Label], known: Mapping[str, Indicator]
) -> str:
    """The unit that an indicator says, else the one of its labels or members; empty if unknown."""
    if indicator.unit:
        return indicator.unit
    if indicator.ratio:
        members = [unit_of(known[name], labels, known) for name in indicator.ratio]
        return " / ".join(members) if all(members) else ""
    units = {
        labels[name].unit_of_years if indicator.aggregate == "sum" else labels[name].unit
        for name in indicator.select(list(labels))
    }
    unit = next(iter(units)) if len(units) == 1 else ""
    if not indicator.per:
        return unit
    scale = "" if indicator.scale == 1 else f"{indicator.scale:,.10g} "
    return f"{unit or indicator.name} per {scale}{labels[indicator.per].unit or indicator.per}"


def compares(indicator: Indicator, known: Mapping[str, Indicator]) -> bool:
    """Whether it is of differences to the baseline alone, which itself has no number of its own."""
    if indicator.ratio:
        return all(compares(known[name], known) for name in indicator.ratio)
    return indicator.sense != "level"


def said_of(indicator: Indicator) -> dict[str, Any]:
    """What a definition says beside the defaults, by the keys of the file."""
    values = ((key_of(field), getattr(indicator, field.name), field) for field in fields(indicator))
    return {key: value for key, value, field in values if value != field.default}


def definition_text(indicator: Indicator) -> str:
    """What a definition says, on one line: labels = ...; sense = averted."""
    said = {key: value for key, value in said_of(indicator).items() if key != "name"}
    return "; ".join(
        f"{key} = {', '.join(map(str, value)) if isinstance(value, tuple) else value}"
        for key, value in said.items()
    )
