from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingest.study.country import Country, parse_countries
from ingest.study.json_files import read_json


def parse(*entries: Any) -> tuple[list[Country], list[str]]:
    countries, findings = parse_countries({"countries": list(entries)}, "countries.json")
    return countries, [f"{f.severity}: {f}" for f in findings]


def test_countries_keep_the_order_of_the_file() -> None:
    countries, findings = parse({"name": "Uganda", "iso3": "UGA"}, {"name": "Kenya", "iso3": "KEN"})
    assert countries == [Country("UGA", "Uganda"), Country("KEN", "Kenya")]
    assert findings == []


def test_every_further_text_becomes_a_group_and_nothing_else_does() -> None:
    (kenya,), _ = parse(
        {"iso3": "KEN", "name": "Kenya", "region": "AFR", "income_group": "LMIC",
         "population": 5, "Odd Key": "x", "note": None}
    )  # fmt: skip
    assert kenya.groups == {"region": "AFR", "income_group": "LMIC"}


def test_country_without_a_name_is_named_by_its_code() -> None:
    countries, findings = parse({"iso3": "KEN"}, {"iso3": "UGA", "name": ""})
    assert [country.name for country in countries] == ["KEN", "UGA"]
    assert findings == []


def test_unknown_code_is_an_error_with_the_nearest_one() -> None:
    countries, findings = parse({"name": "Kenya", "iso3": "KEN"}, {"name": "Uganda", "iso3": "ugX"})
    assert [country.iso3 for country in countries] == ["KEN"]
    assert findings == [
        "error: countries.json, country 2: 'ugX' (Uganda) is no ISO 3166 alpha-3 code."
        " Did you mean UGA?"
    ]


@pytest.mark.parametrize("iso3", ["ken", "KE", "Kenya", "KEN ", "123", ""])
def test_code_that_is_not_three_capital_letters_is_an_error(iso3: str) -> None:
    countries, (finding,) = parse({"name": "Kenya", "iso3": iso3})
    assert countries == []
    place = f"error: countries.json, country 1: {iso3!r} (Kenya)"
    assert finding.startswith(f"{place} is no ISO 3166 alpha-3 code.")


@pytest.mark.parametrize("iso3", ["XKX", "AAA", "QMA", "ZZZ"])
def test_user_assigned_code_is_a_warning_and_kept(iso3: str) -> None:
    countries, findings = parse({"name": "Kosovo", "iso3": iso3})
    assert [country.iso3 for country in countries] == [iso3]
    assert findings == [
        f"warning: countries.json, country 1: {iso3} (Kosovo) is a user-assigned code,"
        " not an ISO 3166 country"
    ]


def test_code_that_stands_twice_is_an_error_that_names_both() -> None:
    countries, findings = parse({"name": "Kenya", "iso3": "KEN"}, {"name": "Kenia", "iso3": "KEN"})
    assert [country.name for country in countries] == ["Kenya"]
    assert findings == ["error: countries.json: KEN stands twice (Kenya, Kenia)"]


@pytest.mark.parametrize(
    "entry", [{"name": "Kenya"}, {"iso3": 5}, {"iso3": "KEN", "name": None}, "KEN", None, []]
)
def test_entry_without_its_texts_is_an_error_that_shows_it(entry: Any) -> None:
    countries, findings = parse(entry)
    assert countries == []
    assert findings == [
        f'error: countries.json, country 1: needs texts "name" and "iso3", found {entry!r}'
    ]


def test_empty_list_is_an_error() -> None:
    assert parse() == ([], ["error: countries.json: the list of countries is empty"])


@pytest.mark.parametrize("document", [None, [], {}, {"countries": {}}, {"Countries": []}])
def test_document_without_a_list_is_an_error_that_says_what_to_write(document: Any) -> None:
    countries, (finding,) = parse_countries(document, "c.json")
    assert countries == []
    assert str(finding) == (
        'c.json: no list "countries": write {"countries": [{"name": "Kenya", "iso3": "KEN"}]}'
    )


def test_all_problems_are_told_at_once() -> None:
    _, findings = parse({"iso3": "QQQQ"}, {}, {"iso3": "XKX"}, {"iso3": "KEN"}, {"iso3": "KEN"})
    assert [finding.split(":")[0] for finding in findings] == ["error", "error", "warning", "error"]


@pytest.mark.parametrize(
    ("name", "number"),
    [("test", 8), ("appendix_3", 62), ("pruned", 172), ("", 250)],
)
def test_real_list_of_countries_is_read(real_study: Path, name: str, number: int) -> None:
    file = real_study / "countries" / f"list_of_{name + '_' if name else ''}countries.json"
    countries, findings = parse_countries(read_json(file, file.name), file.name)
    assert len(countries) == number
    assert not [finding for finding in findings if finding.is_error]
