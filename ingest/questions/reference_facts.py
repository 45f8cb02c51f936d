"""What published figures hold for, held against what they are compared with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ingest.database.kept_economics import read_kept_economics
from ingest.database.references import DIFFERENCE, LEVEL, ReferenceFacts, read_facts
from ingest.questions.compare import CompareRequest
from ingest.questions.discount import percent_of, rate_words
from ingest.questions.horizon import Horizon
from ingest.study.label import Label


@dataclass(frozen=True)
class Compared:
    """What differences of results are under.

    last_year: the last year that is summed. base_year: discounted to, where the rate is not 0.
    """

    baseline: str
    discount_rate: float
    last_year: int | None
    base_year: int | None

    @classmethod
    def of(cls, baseline: str, rate: float, horizon: Horizon, label: Label) -> Compared:
        """As it was asked for; only sums over years are discounted."""
        last = horizon.years.last if horizon.years else None
        return cls(baseline, rate if label.over_years == "sum" else 0.0, last, horizon.base_year)


def facts_words(facts: ReferenceFacts) -> list[str]:
    """Baseline null, discounted at 3 % a year to 2025, until 2035, USD 2021: what is said."""
    words = [f"baseline {facts.baseline}"] if facts.baseline else []
    if facts.discount_rate is not None:
        to = f" to {facts.base_year}" if facts.base_year else ""
        words.append(rate_text_of(facts.discount_rate) + to)
    words += [f"until {facts.until_year}"] if facts.until_year else []
    return [*words, *filter(None, [money_of(facts), facts.source])]


def rate_text_of(rate: float) -> str:
    """Discounted at 3 % a year, or not discounted."""
    return f"discounted at {rate_words(rate)} a year" if rate else "not discounted"


def money_of(facts: ReferenceFacts) -> str:
    """The currency with the year of its prices; empty where it is not said."""
    return f"{facts.currency or ''} {facts.currency_year or ''}".strip()


def read_contradictions(
    connection: sqlite3.Connection, reference: str, label: Label, compared: Compared | None
) -> tuple[str, ...]:
    """One clause for each fact that the comparison does not share; nothing for what is not said.

    compared: None where levels are compared, which are neither summed nor discounted.
    """
    kind = DIFFERENCE if compared else LEVEL
    facts = read_facts(connection, reference, label.element_label, kind)
    of_sums = _of_sums(facts, compared) if compared else ()
    pairs = [*of_sums, *_of_money(connection, facts, label)]
    return tuple(f"{reference} is {its}, the results are {own}" for its, own in pairs)


def _of_sums(facts: ReferenceFacts, compared: Compared) -> Iterator[tuple[str, str]]:
    """Its words and those of the comparison, where they differ."""
    if facts.baseline not in (None, compared.baseline):
        yield f"against {facts.baseline}", f"against {compared.baseline}"
    if facts.discount_rate not in (None, compared.discount_rate):
        yield rate_text_of(facts.discount_rate or 0), rate_text_of(compared.discount_rate)
    elif compared.discount_rate and facts.base_year not in (None, compared.base_year):
        yield f"discounted to {facts.base_year}", f"to {compared.base_year}"
    if facts.until_year is not None and compared.last_year not in (None, facts.until_year):
        yield f"until {facts.until_year}", f"until {compared.last_year}"


def _of_money(
    connection: sqlite3.Connection, facts: ReferenceFacts, label: Label
) -> Iterator[tuple[str, str]]:
    if not facts.currency:
        return
    economics, _ = read_kept_economics(connection)
    if not economics.currency:
        if label.unit and facts.currency.casefold() not in label.unit.casefold():
            yield f"in {money_of(facts)}", f"in {label.unit}"
        return
    is_other = facts.currency.casefold() != economics.currency.casefold()
    years = (facts.currency_year, economics.currency_year)
    if is_other or (None not in years and years[0] != years[1]):
        yield f"in {money_of(facts)}", f"in {economics.money}"


def facts_as_json(facts: ReferenceFacts) -> dict[str, Any]:
    """What is said by name; null for what is not."""
    rate = facts.discount_rate
    return {
        **{name: value for name, value in vars(facts).items() if name != "discount_rate"},
        "discount_rate_percent": None if rate is None else percent_of(rate),
    }


def take_facts(
    request: CompareRequest, facts: ReferenceFacts, label: Label, rate: float | None
) -> tuple[CompareRequest, tuple[str, ...]]:
    """The request with the rate, base year and last year of a reference where it has none.

    rate: the one that was asked for, None for none. Gives what was taken in words, too.
    """
    taken = []
    if request.until_year is None and facts.until_year is not None:
        request = replace(request, until_year=facts.until_year)
        taken.append(f"until {facts.until_year}")
    if rate is None and facts.discount_rate and label.over_years == "sum":
        request = replace(request, discount_rate=facts.discount_rate)
        taken.append(rate_text_of(facts.discount_rate))
    if request.discount_rate and request.base_year is None and facts.base_year is not None:
        request = replace(request, base_year=facts.base_year)
        taken.append(f"to {facts.base_year}")
    return request, tuple(taken)
