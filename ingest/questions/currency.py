"""Whether all money of an economic evaluation is in one currency; nothing is converted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ingest.questions.measures import Measure
from ingest.study.economics import EconomicsSettings

_MARK = re.compile(r"[$€£¥₹]|\b[A-Z]{3}\b")
_ALIKE = "If they are the same, write them alike: [units] says what a label is in"


def other_currency(settings: EconomicsSettings, measures: Sequence[Measure]) -> Iterator[str]:
    """What is not in the currency that is set, or where none is, not in that of the cost.

    measures: cost, effect and those of the benefits. Of benefits only those that are money count.
    """
    cost, _, *benefits = measures
    currency = settings.currency
    if cost.unit and currency.casefold() not in cost.unit.casefold():
        yield f"economics.currency is {currency}, but {cost.name!r} is in {cost.unit}. {_ALIKE}"
    said = f"economics.currency is {currency}" if currency else f"{cost.name!r} is in {cost.unit}"
    for name, unit in dict.fromkeys((each.name, each.unit) for each in benefits):
        marks = _marks(unit)
        of_cost = _marks(cost.unit)
        is_other = currency.casefold() not in unit.casefold()
        if marks and (is_other or (not currency and of_cost and of_cost.isdisjoint(marks))):
            yield f"{said}, but the benefit {name!r} is in {unit}. {_ALIKE}"


def _marks(unit: str) -> set[str]:
    """The signs and codes of currencies in a unit: $ of US$, 2015; EUR of million EUR."""
    found = set(_MARK.findall(unit))
    codes = {mark for mark in found if len(mark) == 3}
    if codes:
        import pycountry  # its tables are read on first use, so not on import of this module

        found -= {code for code in codes if pycountry.currencies.get(alpha_3=code) is None}
    return found
