"""Countries of a study: ISO3 code, name and the groups they belong to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ingest.findings import Finding, error, warning
from ingest.text.suggest import did_you_mean

# ISO 3166-1: codes that users may assign themselves (XKX for Kosovo is the common one).
_USER_ASSIGNED = re.compile(r"AA[A-Z]|Q[M-Z][A-Z]|X[A-Z]{2}|ZZ[A-Z]")
# Codes that are withdrawn or never were in ISO 3166, and whose country has one code now.
_SUCCESSORS = {
    "BUR": "MMR", "BYS": "BLR", "DDR": "DEU", "DHY": "BEN", "FXX": "FRA", "HVO": "BFA",
    "KOS": "XKX", "KSV": "XKX", "NHB": "VUT", "PCZ": "PAN", "RHO": "ZWE", "ROM": "ROU",
    "TMP": "TLS", "UNK": "XKX", "VDR": "VNM", "YMD": "YEM", "ZAR": "COD",
}  # fmt: skip
GROUP_NAME = re.compile(r"[a-z][a-z0-9_]*")
_AGGREGATES = frozenset(
    ("total", "totals", "grand total", "sum", "world", "global", "all", "all countries")
)


@dataclass(frozen=True)
class Country:
    """One country; groups maps a grouping (region, income_group, ...) to this country's group."""

    iso3: str
    name: str
    groups: Mapping[str, str] = field(default_factory=dict)


def parse_countries(document: Any, where: str) -> tuple[list[Country], list[Finding]]:
    """The countries in `{"countries": [{"name", "iso3", ...}]}`, in file order, and what is wrong.

    Every further text field of an entry (region, income_group, ...) becomes a group.
    """
    entries = document.get("countries") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        message = 'no list "countries": write {"countries": [{"name": "Kenya", "iso3": "KEN"}]}'
        return [], [error("bad-countries", where, message)]
    countries: dict[str, Country] = {}
    findings: list[Finding] = []
    for number, entry in enumerate(entries, 1):
        country, more = _parse_country(entry, f"{where}, country {number}")
        findings += more
        if country is None:
            continue
        if country.iso3 in countries:
            message = (
                f"{country.iso3} stands twice ({countries[country.iso3].name}, {country.name})"
            )
            findings.append(error("duplicate-iso3", where, message))
            continue
        countries[country.iso3] = country
    if not entries:
        findings.append(error("bad-countries", where, "the list of countries is empty"))
    return list(countries.values()), findings


def _parse_country(entry: Any, where: str) -> tuple[Country | None, list[Finding]]:
    iso3 = entry.get("iso3") if isinstance(entry, dict) else None
    if not isinstance(iso3, str) or not isinstance(entry.get("name", ""), str):
        message = f'needs texts "name" and "iso3", found {entry!r:.80}'
        return None, [error("bad-countries", where, message)]
    name = entry.get("name") or iso3
    finding = check_iso3(iso3, name, where)
    if finding is not None and finding.is_error:
        return None, [finding]
    groups = {
        key: value
        for key, value in entry.items()
        if key not in ("iso3", "name") and isinstance(value, str) and GROUP_NAME.fullmatch(key)
    }
    return Country(iso3, name, groups), [finding] if finding else []


def check_iso3(iso3: str, name: str, where: str) -> Finding | None:
    """What is wrong with an ISO3 code: an error when unknown, a warning when user-assigned."""
    if iso3 in _known_iso3():
        return None
    if re.fullmatch(r"[A-Z]{3}", iso3) and _USER_ASSIGNED.fullmatch(iso3):
        message = f"{iso3} ({name}) is a user-assigned code, not an ISO 3166 country"
        return warning("user-assigned-iso3", where, message)
    code = find_iso3(iso3)
    hint = f" Write {code}" if code else did_you_mean(iso3, _known_iso3())
    return error("unknown-iso3", where, f"{iso3!r} ({name}) is no ISO 3166 alpha-3 code.{hint}")


@lru_cache(maxsize=1024)
def country_problem(text: str) -> str | None:
    """What is wrong with a text in place of an ISO3 code, and what to write; None for a code."""
    if not text:
        return "the country is blank"
    finding = check_iso3(text, text, "")
    if finding is None or not finding.is_error:
        return None
    if is_aggregate(text):
        return f"{text}: an aggregate, leave it out"
    code = find_iso3(text)
    if code:
        return f"{text}: write {code}"
    return f"{text!r} is no ISO 3166 alpha-3 code"


def is_country(text: str) -> bool:
    """Whether a text is a country's ISO3 code, or stands for one as a name or two letters."""
    finding = check_iso3(text, text, "")
    return finding is None or not finding.is_error or find_iso3(text) is not None


def is_aggregate(text: str) -> bool:
    """Whether a text in a table says that its row is a sum of others."""
    return text.strip().casefold() in _AGGREGATES


def find_iso3(text: str) -> str | None:
    """The code of a country by its name, two-letter or withdrawn code, else None."""
    import pycountry

    if text.upper() in _SUCCESSORS:
        return _SUCCESSORS[text.upper()]
    name = text.partition("(")[0].strip()  # Iran (Islamic Republic of)
    with suppress(LookupError):
        return str(pycountry.countries.lookup(name).alpha_3)
    start = f"{name},".casefold()  # Palestine, State of
    found = [c.alpha_3 for c in pycountry.countries if c.name.casefold().startswith(start)]
    return str(found[0]) if len(found) == 1 else None


@lru_cache(maxsize=1)
def _known_iso3() -> frozenset[str]:
    import pycountry  # its tables are read on first use, so not on import of this module

    return frozenset(country.alpha_3 for country in pycountry.countries)
