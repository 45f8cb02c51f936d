from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingest.errors import ConfigError
from ingest.study.country_values import read_country_values
from ingest.study.economics import (
    NO_ECONOMICS,
    Amount,
    EconomicsSettings,
    parse_amount,
    read_economics,
)
from ingest.study.settings import Settings, load_settings

LEAST = {"cost": "Cost", "effect": "Healthy Years Lived", "baseline": "null"}
STREAM = {"name": "social", "effect": "Healthy Years Lived", "value": "1 x gdp"}


def read(**raw: Any) -> EconomicsSettings:
    settings, findings = read_economics(LEAST | raw, "ingest.toml")
    assert findings == []
    return settings


def problems(**raw: Any) -> list[str]:
    settings, findings = read_economics(LEAST | raw, "ingest.toml")
    assert settings == NO_ECONOMICS
    return [str(finding).removeprefix("ingest.toml: economics.") for finding in findings]


def test_three_keys_are_enough() -> None:
    settings = read()
    assert settings.is_set
    assert (settings.discount_cost, settings.discount_effect) == (0.03, 0.03)
    assert (settings.horizons, settings.amounts, settings.columns) == ((), (), ())
    assert not NO_ECONOMICS.is_set


def test_numbers_and_multiples_stand_in_one_list() -> None:
    settings = read(
        thresholds=[500, 0.5, "1 x gdp", "3×gdp", "1.5 * gni"], benefits=[STREAM | {"value": 90}]
    )
    assert settings.amounts == (
        Amount(500), Amount(0.5), Amount(1, "gdp"), Amount(3, "gdp"), Amount(1.5, "gni"),
    )  # fmt: skip
    assert list(map(str, settings.amounts)) == ["500", "0.5", "1 x gdp", "3 x gdp", "1.5 x gni"]
    assert settings.benefits[0].amount == Amount(90)
    assert settings.columns == ("gdp", "gni")


@pytest.mark.parametrize("horizon", [2050, [2050], [2050, 2030, 2050]])
def test_a_horizon_is_one_year_or_several(horizon: object) -> None:
    assert read(horizon=horizon).horizons[-1] == 2050


@pytest.mark.parametrize("text", ["", "x gdp", "1 gdp", "-1", "1e999", "nan", "1 x 2", "1 x"])
def test_other_amounts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a number or a multiple"):
        parse_amount(text)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"cost": ""}, "cost: it is needed"),
        ({"discount_cost": 3}, "discount_cost: 3 a year is 300%; a rate is 0 to 0.3. For 3 %, "
                               "write 0.03"),
        ({"discount_effect": 1.5}, "discount_effect: 1.5 a year is 150%; a rate is 0 to 0.3. For "
                                   "1.5 %, write 0.015"),
        ({"discount_cost": 300.0}, "discount_cost: 300 a year is 30000%; a rate is 0 to 0.3."),
        ({"discount_cost": -0.03}, "discount_cost: must be at least 0, not -0.03"),
        ({"horizon": "soon"}, "horizon: a whole number or a list of them is needed, "
                               "not 'soon'"),
        ({"horizon": [2030, 20500]}, "horizon: 20500 is no year from 1900 to 2300"),
        ({"horizon": 2030, "start_year": 2031}, "horizon: 2030 is before the start_year 2031"),
        ({"base_year": 25}, "base_year: 25 is no year from 1900 to 2300"),
        ({"thresholds": ["gdp"]}, 'thresholds: write a number or a multiple such as '
                                  '"1 x gdp_per_person", not \'gdp\''),
        ({"thresholds": [0]}, "thresholds: 0 must be more than 0"),
        ({"thresholds": [True]}, "thresholds: a list of texts is needed, not [True]"),
        ({"benefits": [{"name": "social"}]}, "benefits[1].effect: it is needed"),
        ({"benefits": [STREAM, STREAM]}, "benefits[2].name: 'social' is the name of another "
                                         "stream"),
        ({"benefits": [STREAM | {"value": "much"}]}, "benefits[1].value: write a number or a "
         'multiple such as "1 x gdp_per_person", not \'much\''),
        ({"benefits": ["social"]}, "benefits: a list of tables is needed, "
         '[{name = "...", effect = "...", value = "...", source = "..."}], not [\'social\']'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(raw: dict[str, Any], words: str) -> None:
    assert problems(**raw)[0] == words


def test_a_misspelt_key_has_a_suggestion() -> None:
    _, (finding,) = read_economics(LEAST | {"discount_costs": 0.03}, "ingest.toml")
    assert str(finding).startswith("ingest.toml: unknown key economics.discount_costs. Did you")


def test_an_option_changes_a_key_for_once(tmp_path: Path) -> None:
    text = "[economics]\ncost = 'Cost'\neffect = 'E'\nbaseline = 'null'\nhorizon = 2040\n"
    (tmp_path / "ingest.toml").write_text(text)
    options = ["economics.horizon=2030,2050", "economics.thresholds=100, 2 x gdp"]
    settings, _ = load_settings(tmp_path / "ingest.toml", {}, options)
    assert settings.economics.horizons == (2030, 2050)
    assert settings.economics.amounts == (Amount(100), Amount(2, "gdp"))


# --- numbers of countries ------------------------------------------------------------------------


def settings_with(tmp_path: Path, own: str | None = None, data: str | None = None) -> Settings:
    text = "[study]\n"
    if own is not None:
        (tmp_path / "gdp.csv").write_text(own)
        text += 'country_values = "gdp.csv"\n'
    if data is not None:
        (tmp_path / "facts.csv").write_text(data)
        text += 'country_data = [{ file = "facts.csv", key = "code" }]\n'
    text += '[economics]\ncost = "C"\neffect = "E"\nbaseline = "null"\nthresholds = ["1 x gdp"]\n'
    (tmp_path / "ingest.toml").write_text(text)
    return load_settings(tmp_path / "ingest.toml", {})[0]


def test_values_come_from_the_file_named_or_from_country_data(tmp_path: Path) -> None:
    own, data = "iso3,gdp\nKEN,2000\nUGA,\n", "code,gdp\nKEN,1500\nUGA,700.5\n"
    settings = settings_with(tmp_path, own, data)
    assert read_country_values(settings) == {"gdp": {"KEN": 2000.0}}
    settings = settings_with(tmp_path, None, data)
    assert read_country_values(settings) == {"gdp": {"KEN": 1500.0, "UGA": 700.5}}


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (None, "no file has the column gdp"),
        ("iso3,gpd\nKEN,1\n", "no column 'gdp' in gdp.csv. Did you mean gpd?"),
        ("country,gdp\nKEN,1\n", "gdp.csv: no column iso3; it has country, gdp"),
        ("iso3,gdp\nKEN,1\nKEN,2\n", "gdp.csv: several rows for KEN"),
        ("iso3,gdp\nKEN,n/a\n", "gdp.csv: gdp of KEN is 'n/a', no number above 0; leave the cell"),
        ("iso3,gdp\nKEN,0\n", "gdp of KEN is '0', no number above 0"),
        ("iso3,gdp\nKEN,-5\n", "gdp of KEN is '-5', no number above 0"),
        ("iso3,gdp\nKEN,inf\n", "gdp of KEN is 'inf', no number above 0"),
    ],
)
def test_wrong_values_are_told(tmp_path: Path, own: str | None, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_country_values(settings_with(tmp_path, own))
    assert words in str(caught.value)
