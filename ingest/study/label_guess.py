"""What an element label probably is, by the words of its unit and its name.

A guess that is wrong gives a wrong sum, so that what no word tells is a flow that is summed, and no
direction is good.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Clues:
    """What a label is guessed from. node: its entry in the model document; known: all labels."""

    name: str
    unit: str
    description: str
    node: Mapping[str, Any]
    known: Container[str]


_OF_ALL = "Population"
"""The label that shares of the population are weighted by."""
_SHARE_OF_ALL = re.compile(
    r"(\b(share|per ?cent|fraction|proportion)|%) of (the |all )?(population|people)\b(?! )"
)

# Units, the first that fits. Money and counts of events are what is in a year.
_UNITS = (
    ("cumulative", r"cumulative|to date|since the start"),
    (
        "share",
        r"\b(share|percent(age)?|fraction|proportion|ratio|relative|probability|odds|rate|index"
        r"|dimensionless|at birth)\b|%|^(0|none|zero)\b.* to (1|one)$"
        r"|\bper (?!(the )?(year|annum)\b)|/ ?(?!year|yr|annum|a\b)\w",
    ),
    ("flow", r"(in|per|a|each|/) ?(the )?(year|annum)\b|annual|yearly|events?\b"),
    (
        "stock",
        r"1 january|31 december|mid-?year|(start|end) of (the )?year|at a moment|alive|stock"
        r"|prevalent|^(number of )?(people|persons|population|inhabitants)\b",
    ),
)  # fmt: skip
_EVENTS = r"\b(births?|deaths?|died|cases?|inciden(ce|t)|new|events?|visits?|reached|treated)\b"
_NAMES = (
    ("flow", "->|→"),
    ("cumulative", r"\b(cumulative|to date)\b"),
    (
        "share",
        r"\b(share|per ?cent|percentage|fraction|proportion|ratio|probability|rate|risk|prevalence"
        r"|coverage|cfr|paf|dw|pin|life expectancy|fertility|participation|per capita)\b"
        r"|\b(disability|effect|impact) (weight|size|effect|impact|transform)\b"
        r"|\bmortality (effect|impact)\b|%",
    ),
    ("flow", _EVENTS),
    ("stock", r"^(total )?population$|^population (of|aged|by)\b|\b(prevalent|alive|stock)\b"),
)  # fmt: skip

_NO_DIRECTION = re.compile(
    r"\b(effect|impact|reduction|transform|target|baseline|delta|on|relative|detection|detected"
    r"|treated|reached|coverage|cured|recovered)\b"
)
_AVOIDED = re.compile(r"\b(averted|saved|savings?|gained)\b")
_HIGHER = re.compile(r"\b(healthy (life )?years?( lived)?|hyl|qalys?|life expectancy)\b")
_LOWER = re.compile(
    r"\b(deaths?|deceased|died|mortality|fatality|cfr|cases?|incidence|prevalence|prevalent|dalys?"
    r"|ylds?|ylls?|years? lost|life lost|lived with disability|costs?)\b"
)
_ARROW = re.compile(r"->|→")
_DEATH = re.compile(r"\b(deceased|deaths?|dead)\b")
_MONEY = re.compile(r"\b(costs?|spending|expenditure)\b")
_OF_A_YEAR = re.compile(r",? ?\b(in the|in a|in one|per|a|each) (year|annum)\b|/ ?(year|yr|a)\b")


def guess_meaning(clues: Clues, said: Mapping[str, str]) -> dict[str, str]:
    """A value for each key of LabelSettings but the unit; said: the keys that need no guess."""
    kind = said.get("kind") or _kind(clues)
    over_years = said.get("over_years") or ("sum" if kind == "flow" else "last")
    return {
        "kind": kind,
        "over_years": over_years,
        "over_countries": _over_countries(clues) if kind == "share" else "sum",
        "sum_unit": _sum_unit(clues.unit, kind) if over_years == "sum" else "",
        "better": _better(clues),
    }


def is_money(name: str) -> bool:
    """Whether a label counts what something costs."""
    return _MONEY.search(_words(name)) is not None


def _words(name: str) -> str:
    """A name in small letters with blanks between its words: healthy years lived."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", name)
    return re.sub(r"[_\s]+|(?<=\w)-(?=\w)", " ", parts).casefold().strip()


def _kind(clues: Clues) -> str:
    name, unit = _words(clues.name), clues.unit.casefold()
    by_unit, by_name = _first(_UNITS, unit), _first(_NAMES, name)
    if re.search(r"\bcumulative\b", clues.description.casefold()) and by_unit != "share":
        return "cumulative"
    if by_unit == "stock" and by_name == "flow" and "1 january" not in unit:
        return "flow"  # deaths in "people"
    if unit:
        return by_unit or "flow"
    return by_name or _kind_of_node(clues.node) or "flow"


def _first(patterns: tuple[tuple[str, str], ...], text: str) -> str:
    return next((kind for kind, pattern in patterns if re.search(pattern, text)), "")


def _kind_of_node(node: Mapping[str, Any]) -> str:
    """A state that is not emptied each year is a stock, a constant is the same in every year."""
    kind = node.get("node_type")
    if kind == "STATE" and not node.get("flush"):
        return "stock"
    return "share" if kind == "CONSTANT" else ""


def _over_countries(clues: Clues) -> str:
    of_all = _SHARE_OF_ALL.search(clues.unit.casefold()) and _OF_ALL in clues.known
    return f"weighted:{_OF_ALL}" if of_all else "none"


def _sum_unit(unit: str, kind: str) -> str:
    """Healthy years in the year: healthy years; people at a moment: person-years."""
    if kind in ("stock", "cumulative"):
        people = re.match(r"(people|persons|population)\b", unit.casefold())
        return "person-years" if people else f"{unit} x years" if unit else ""
    return _OF_A_YEAR.sub("", unit).strip()


def _better(clues: Clues) -> str:
    name, unit = _words(clues.name), clues.unit.casefold()
    if _ARROW.search(name):  # of a link, only what it leads to says whether it is good
        return "lower" if _DEATH.search(_ARROW.split(name)[-1]) else "none"
    if _NO_DIRECTION.search(name) or "reduction" in unit:
        return "none"
    if _AVOIDED.search(name):
        return "higher"
    if _LOWER.search(name):
        return "lower"
    return "higher" if _HIGHER.search(name) else "none"
