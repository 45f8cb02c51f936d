"""The bundled study: its files fit together, and its model keeps its own books."""

from __future__ import annotations

import copy
import csv
import hashlib
import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pycountry
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jsonpath_rfc9535 import JSONPathEnvironment

from tests.effort import examples

STUDY = Path(__file__).parents[1] / "examples" / "asthma"
YEARS = range(2025, 2051)
REQUIRED_LABELS = {
    "Population",
    "AsthmaEpsd",
    "Deceased",
    "Healthy Years Lived",
    "DALYs",
    "Cost",
    "Susceptible -> AsthmaEpsd",
    "Population Reached Inhaled Corticosteroids",
    "Population Reached Acute Exacerbation Treatment",
    "Population Reached Biologics",
    "Population Reached Clean Air",
}
HANDFUL = ("KEN", "IND", "DEU", "LSO", "AND")  # large, small, young, old, short-lived
ONE_PER_INCOME_GROUP = ("NER", "LSO", "CHN", "DEU")
TREATMENTS = ("inhaled_corticosteroids", "acute_exacerbation_treatment", "biologics", "clean_air")

Document = dict[str, Any]
Simulate = Callable[[Document], Iterable[tuple[str, int, float]]]
Series = dict[str, dict[int, float]]


def read_json(name: str) -> Any:
    return json.loads((STUDY / name).read_text(encoding="utf-8"))


MODEL: Document = read_json("model.json")
COUNTRIES: list[dict[str, str]] = read_json("countries.json")["countries"]
SCENARIOS: dict[str, Any] = {
    path.stem: read_json(f"scenarios/{path.name}")
    for path in sorted((STUDY / "scenarios").glob("*.json"))
}
ISO3 = [country["iso3"] for country in COUNTRIES]
ELEMENTS = {element["id"]: element for element in MODEL["nodes"] + MODEL["links"]}
COUNTRY_SLOTS = [
    id
    for id, e in ELEMENTS.items()
    if "country" in e.get("generate_array", {}).get("parameters", {})
]


@pytest.fixture(scope="module")
def simulate() -> Iterator[Simulate]:
    """The study's entry point, loaded as a worker does: the study folder leads sys.path."""
    before = set(sys.modules)
    sys.path.insert(0, str(STUDY))
    try:
        spec = importlib.util.spec_from_file_location("example_asthma_model", STUDY / "model.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        yield module.simulate
    finally:
        sys.path.remove(str(STUDY))
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(STUDY)):
                del sys.modules[name]


@cache
def places(path: str) -> tuple[tuple[str | int, ...], ...]:
    """Where a JSONPath leads in the model document."""
    found = JSONPathEnvironment().find(path, MODEL)
    return tuple(tuple(node.location) for node in found)


def compose(scenario: str, iso3: str) -> Document:
    """The model document of one combination, the plain way."""
    document = copy.deepcopy(MODEL)
    for name, parameter in SCENARIOS[scenario]["parameters"].items():
        for path in parameter["paths"]:
            (place,) = places(path)
            container: Any = document
            for key in place[:-1]:
                container = container[key]
            container[place[-1]] = iso3 if name == "Country" else parameter["value"]
    return document


def parameters(document: Document, element_id: str) -> dict[str, Any]:
    found = [e for e in document["nodes"] + document["links"] if e["id"] == element_id]
    result: dict[str, Any] = found[0]["generate_array"]["parameters"]
    return result


def series(rows: Iterable[tuple[str, int, float]]) -> Series:
    result: Series = {}
    for label, year, value in rows:
        by_year = result.setdefault(label, {})
        assert year not in by_year, f"{label} {year} stands twice"
        by_year[year] = value
    return result


def total(rows: Iterable[tuple[str, int, float]], label: str) -> float:
    values = [value for row_label, _, value in rows if row_label == label]
    assert values
    return math.fsum(values)


def close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=1e-9)


# --- the files -----------------------------------------------------------------------------------


def test_at_least_172_real_countries_each_once_in_order() -> None:
    assert len(ISO3) >= 172
    assert sorted(set(ISO3)) == ISO3
    assert all(pycountry.countries.get(alpha_3=iso3) for iso3 in ISO3)
    assert len({country["name"] for country in COUNTRIES}) == len(COUNTRIES)


def test_every_country_has_usable_facts_and_the_same_groups() -> None:
    with (STUDY / "country_facts.csv").open(encoding="utf-8", newline="") as file:
        facts = {row["iso3"]: row for row in csv.DictReader(file)}
    assert list(facts) == ISO3
    for country in COUNTRIES:
        row = facts[country["iso3"]]
        assert {key: row[key] for key in country} == country
        assert 10_000 < float(row["population"]) < 2e9
        assert 45 < float(row["life_expectancy_years"]) < 86
        assert 300 < float(row["income_per_person"]) < 200_000
        assert 0.9 < float(row["fertility"]) < 8
        assert row["fertility_source"] in {"gapminder", "rule"}
    assert len({row["region"] for row in facts.values()}) == 6
    assert len({row["income_group"] for row in facts.values()}) == 4


def test_eight_scenarios_with_metadata() -> None:
    assert len(SCENARIOS) == 8
    assert {"null", "baseline"} <= set(SCENARIOS)
    for scenario in SCENARIOS.values():
        assert {"label", "description", "authors", "date_created"} == set(scenario["metadata"])
        for parameter in scenario["parameters"].values():
            assert {"value", "paths", "description", "category"} <= set(parameter)
    assert len({scenario["metadata"]["label"] for scenario in SCENARIOS.values()}) == 8


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_path_matches_exactly_one_place(scenario: str) -> None:
    given_places: list[tuple[str | int, ...]] = []
    for name, parameter in SCENARIOS[scenario]["parameters"].items():
        assert parameter["paths"], name
        for path in parameter["paths"]:
            assert len(places(path)) == 1, f"{name}: {path}"
            given_places += places(path)
    assert len(given_places) == len(set(given_places)), "one place set by two parameters"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_country_parameter_covers_every_slot(scenario: str) -> None:
    assert len(COUNTRY_SLOTS) >= 6
    document = compose(scenario, "KEN")
    assert {parameters(document, slot)["country"] for slot in COUNTRY_SLOTS} == {"KEN"}
    assert '"AFG"' not in json.dumps(document)


def test_ids_are_unique_and_references_lead_somewhere() -> None:
    assert len(ELEMENTS) == len(MODEL["nodes"]) + len(MODEL["links"])
    named = [id for link in MODEL["links"] for id in (link["source"], link["target"])]
    named += [id for subroutine in MODEL["subroutines"] for id in subroutine["elements"]]
    assert set(named) <= set(ELEMENTS)


def test_document_describes_itself() -> None:
    for element in ELEMENTS.values():
        assert element["unit"], element["id"]
        assert element["description"], element["id"]
        array = element.get("generate_array", {"parameters": {}, "notes": {}})
        assert set(array["notes"]) == set(array["parameters"]), element["id"]


def test_code_list_names_every_file_the_model_reads() -> None:
    config = tomllib.loads((STUDY / "ingest.toml").read_text(encoding="utf-8"))
    code = set(config["study"]["code"])
    assert all((STUDY / name).is_file() for name in code)
    scripts = {path.name for path in STUDY.glob("*.py")} - {"build_country_facts.py"}
    assert code == scripts
    assert config["study"]["country_data"] == [{"file": "country_facts.csv", "key": "iso3"}]


def test_readme_names_every_label_scenario_and_the_licence(simulate: Simulate) -> None:
    text = (STUDY / "README.md").read_text(encoding="utf-8")
    labels = set(series(simulate(compose("baseline", "KEN"))))
    assert [label for label in labels if f"`{label}`" not in text] == []
    assert [name for name in SCENARIOS if f"`{name}`" not in text] == []
    assert "CC BY 4.0" in text
    assert "not for policy" in text


@pytest.mark.slow
def test_build_script_makes_both_files_from_its_sources(tmp_path: Path) -> None:
    script = shutil.copy(STUDY / "build_country_facts.py", tmp_path)
    (tmp_path / "income.csv").write_text(
        "country,income,health,population,region\n"
        "Kenya,2898,66.6,46050302,sub_saharan_africa\n"
        "Japan,36162,83.5,126573481,east_asia_pacific\n"
        "Germany,44053,81.1,80688545,europe_central_asia\n"
        "Austria,44401,81,8544586,europe_central_asia\n"
        '"Congo, Dem. Rep.",809,58.3,77266814,sub_saharan_africa\n',
        encoding="utf-8",
    )
    known = {"Kenya": 4.78, "Japan": 1.27, "Germany": 1.34}
    records = [{"year": 2005, "country": c, "fertility": f} for c, f in known.items()]
    records.append({"year": 2000, "country": "Austria", "fertility": 9.9})
    (tmp_path / "gapminder.json").write_text(json.dumps(records), encoding="utf-8")
    subprocess.run(
        [sys.executable, script, tmp_path / "income.csv", tmp_path / "gapminder.json"],
        check=True,
        capture_output=True,
    )
    with (tmp_path / "country_facts.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["iso3"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["AUT", "COD", "DEU", "JPN", "KEN"]
    assert (rows["KEN"]["fertility"], rows["KEN"]["fertility_source"]) == ("4.78", "gapminder")
    # Slope through Kenya and Japan; Germany alone sets the level of its region.
    slope = (math.log(1.27) - math.log(4.78)) / (83.5 - 66.6)
    assert rows["AUT"]["fertility_source"] == "rule"
    assert float(rows["AUT"]["fertility"]) == pytest.approx(
        1.34 * math.exp(slope * (81 - 81.1)), abs=0.011
    )
    assert float(rows["COD"]["fertility"]) == 6.0
    countries = json.loads((tmp_path / "countries.json").read_text(encoding="utf-8"))["countries"]
    assert countries[1] == {
        "name": "Democratic Republic of the Congo",
        "iso3": "COD",
        "region": "Sub-Saharan Africa",
        "income_group": "Low income",
    }


# --- the shape of the results --------------------------------------------------------------------


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_label_has_every_year_finite_and_not_negative(
    scenario: str, simulate: Simulate
) -> None:
    labels = set(series(simulate(compose("baseline", "KEN"))))
    assert labels >= REQUIRED_LABELS
    for iso3 in HANDFUL:
        result = series(simulate(compose(scenario, iso3)))
        assert set(result) == labels
        for label, by_year in result.items():
            assert list(by_year) == list(YEARS), label
            assert all(type(value) is float for value in by_year.values()), label
            assert all(math.isfinite(v) and v >= 0.0 for v in by_year.values()), label


def test_a_run_over_all_combinations_gives_over_400_000_rows(simulate: Simulate) -> None:
    rows = list(simulate(compose("baseline", "KEN")))
    assert len(rows) * len(ISO3) * len(SCENARIOS) > 400_000


def test_labels_come_from_the_document(simulate: Simulate) -> None:
    document = compose("baseline", "KEN")
    before = series(simulate(document))
    next(e for e in document["nodes"] if e["id"] == "asthma")["label"] = "Renamed"
    after = series(simulate(document))
    assert after["Renamed"] == before["AsthmaEpsd"]
    assert set(after) == set(before) - {"AsthmaEpsd"} | {"Renamed"}


def test_a_shorter_horizon_gives_the_first_years_of_a_longer_one(simulate: Simulate) -> None:
    document = compose("all_treatments", "IND")
    whole = list(simulate(document))
    document["runtime"]["endYear"] = 2031
    assert list(simulate(document)) == [row for row in whole if row[1] < 2031]


# --- the books -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", ["null", "baseline", "all_treatments"])
@pytest.mark.parametrize("iso3", HANDFUL)
def test_people_are_conserved(scenario: str, iso3: str, simulate: Simulate) -> None:
    s = series(simulate(compose(scenario, iso3)))
    for year in YEARS:
        assert close(s["Population"][year], s["Susceptible"][year] + s["AsthmaEpsd"][year])
        assert close(
            s["Deaths"][year],
            s["AsthmaEpsd -> Deceased"][year] + s["Susceptible -> Deceased"][year],
        )
        assert s["Asthma Deaths"][year] < s["AsthmaEpsd -> Deceased"][year]
    assert s["Deceased"][2025] == 0.0
    for year in YEARS[:-1]:
        after = year + 1
        assert close(
            s["Population"][after], s["Population"][year] + s["Births"][year] - s["Deaths"][year]
        )
        assert close(
            s["AsthmaEpsd"][after],
            s["AsthmaEpsd"][year]
            + s["Susceptible -> AsthmaEpsd"][year]
            - s["AsthmaEpsd -> Susceptible"][year]
            - s["AsthmaEpsd -> Deceased"][year],
        )
        assert close(s["Deceased"][after], s["Deceased"][year] + s["Deaths"][year])


@pytest.mark.parametrize("iso3", HANDFUL)
def test_burden_adds_up(iso3: str, simulate: Simulate) -> None:
    s = series(simulate(compose("baseline", iso3)))
    for year in YEARS:
        assert close(
            s["DALYs"][year], s["Years Lived with Disability"][year] + s["Years of Life Lost"][year]
        )
        assert close(s["Asthma Prevalence"][year], s["AsthmaEpsd"][year] / s["Population"][year])
    for year in YEARS[:-1]:
        lived = (s["Population"][year] + s["Population"][year + 1]) / 2
        assert close(s["Healthy Years Lived"][year] + s["Years Lived with Disability"][year], lived)


def test_start_state_is_the_same_in_every_scenario(simulate: Simulate) -> None:
    for iso3 in HANDFUL:
        starts = {
            (result["Population"][2025], result["AsthmaEpsd"][2025])
            for result in (series(simulate(compose(name, iso3))) for name in SCENARIOS)
        }
        assert len(starts) == 1


def test_reach_and_cost_follow_from_coverage_by_hand(simulate: Simulate) -> None:
    document = compose("null", "DEU")
    node = parameters(document, "coverage_inhaled_corticosteroids")
    node |= {"target": 0.8, "start_index": 1, "end_index": 5}
    reach = parameters(document, "reached_inhaled_corticosteroids")
    reach |= {"in_need": 0.5, "goods_cost": 40, "delivery_cost": 0}
    s = series(simulate(document))
    label = "Population Reached Inhaled Corticosteroids"
    expected = {2025: 0.0, 2026: 0.0, 2027: 0.2, 2028: 0.4, 2029: 0.6, 2030: 0.8, 2050: 0.8}
    for year, coverage in expected.items():
        assert s[label][year] == pytest.approx(s["AsthmaEpsd"][year] * 0.5 * coverage, rel=1e-12)
        assert s["Cost"][year] == pytest.approx(40 * s[label][year], rel=1e-12)


@pytest.mark.parametrize("target", [0, 0.5])
def test_target_at_or_below_todays_coverage_keeps_it(target: float, simulate: Simulate) -> None:
    document = compose("baseline", "DEU")
    parameters(document, "coverage_inhaled_corticosteroids")["target"] = target
    in_need = parameters(document, "reached_inhaled_corticosteroids")["in_need"]
    s = series(simulate(document))
    for year in YEARS:
        reached = s["Population Reached Inhaled Corticosteroids"][year]
        assert reached == pytest.approx(s["AsthmaEpsd"][year] * in_need * 0.55, rel=1e-12)


def test_null_reaches_nobody_and_costs_nothing(simulate: Simulate) -> None:
    rows = list(simulate(compose("null", "KEN")))
    values = [
        v for label, _, v in rows if label.startswith("Population Reached") or label == "Cost"
    ]
    assert len(values) == 5 * len(YEARS)
    assert set(values) == {0.0}


# --- the sense of it -----------------------------------------------------------------------------


# Without shrinking: it would take minutes, and any failing example tells enough.
@settings(
    max_examples=examples(15, long=300),
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
)
@given(
    iso3=st.sampled_from(HANDFUL),
    lower=st.fixed_dictionaries({name: st.floats(0, 1) for name in TREATMENTS}),
    share_of_gap=st.fixed_dictionaries({name: st.floats(0, 1) for name in TREATMENTS}),
)
def test_more_coverage_never_lowers_healthy_years(
    simulate: Simulate, iso3: str, lower: dict[str, float], share_of_gap: dict[str, float]
) -> None:
    higher = {name: low + (1 - low) * share_of_gap[name] for name, low in lower.items()}
    runs = []
    for targets in (lower, higher):
        document = compose("all_treatments", iso3)
        for name, target in targets.items():
            parameters(document, f"coverage_{name}")["target"] = min(1.0, target)
        runs.append(series(simulate(document))["Healthy Years Lived"])
    for year in YEARS:
        assert runs[1][year] >= runs[0][year] * (1 - 1e-12)


@pytest.mark.parametrize("treatment", TREATMENTS)
def test_each_treatment_alone_gains_healthy_years_and_costs(
    treatment: str, simulate: Simulate
) -> None:
    gains, costs = [], []
    for target in (0.0, 0.3, 0.6, 1.0):
        document = compose("null", "IND")
        parameters(document, f"coverage_{treatment}")["target"] = target
        rows = list(simulate(document))
        gains.append(total(rows, "Healthy Years Lived"))
        costs.append(total(rows, "Cost"))
    assert gains == sorted(set(gains))
    assert costs == sorted(set(costs))


def test_scenarios_stand_in_order_in_every_country(simulate: Simulate) -> None:
    scale_ups = sorted(set(SCENARIOS) - {"null", "baseline"})
    for iso3 in ISO3:
        healthy = {}
        for name in SCENARIOS:
            document = compose(name, iso3)
            document["runtime"]["endYear"] = 2030  # the order shows early; the whole is too slow
            healthy[name] = total(simulate(document), "Healthy Years Lived")
        assert healthy["null"] < healthy["baseline"], iso3
        best = max(healthy.values())
        for name in scale_ups:
            assert healthy["baseline"] <= healthy[name], (iso3, name)
            assert healthy[name] <= best == healthy["all_treatments"], (iso3, name)
        assert healthy["all_treatments_slow"] < healthy["all_treatments"], iso3
        assert healthy["baseline"] < healthy["inhaled_corticosteroids"], iso3


def test_world_totals_are_of_the_right_size(simulate: Simulate) -> None:
    world: dict[str, float] = {}
    for iso3 in ISO3:
        document = compose("baseline", iso3)
        document["runtime"]["endYear"] = 2026
        for label, _, value in simulate(document):
            world[label] = world.get(label, 0.0) + value
    assert 7.5e9 < world["Population"] < 8.5e9
    assert 0.03 < world["AsthmaEpsd"] / world["Population"] < 0.045
    assert 3e5 < world["Asthma Deaths"] < 7e5
    assert 1.2e8 < world["Births"] < 1.4e8
    assert 5.5e7 < world["Deaths"] < 8e7
    assert 1.5e7 < world["DALYs"] < 3.5e7
    assert 0.99 < world["Healthy Years Lived"] / world["Population"] < 1.01


@pytest.mark.parametrize(
    ("iso3", "millions_2025", "millions_2050", "prevalence"),
    [
        ("KEN", (50, 62), (75, 100), (0.02, 0.04)),
        ("IND", (1350, 1500), (1550, 1850), (0.02, 0.04)),
        ("DEU", (76, 86), (72, 86), (0.05, 0.09)),
    ],
)
def test_a_few_countries_look_like_themselves(
    iso3: str,
    millions_2025: tuple[float, float],
    millions_2050: tuple[float, float],
    prevalence: tuple[float, float],
    simulate: Simulate,
) -> None:
    s = series(simulate(compose("baseline", iso3)))
    assert millions_2025[0] < s["Population"][2025] / 1e6 < millions_2025[1]
    assert millions_2050[0] < s["Population"][2050] / 1e6 < millions_2050[1]
    assert all(prevalence[0] < value < prevalence[1] for value in s["Asthma Prevalence"].values())


def test_mortality_meets_the_life_expectancy(simulate: Simulate) -> None:
    demography = sys.modules["asthma_demography"]
    elements = sys.modules["asthma_inputs"].Elements(MODEL)
    shape = demography.read_mortality(elements)
    for years in (46.0, 55.0, 66.8, 75.0, 86.0):
        dying = demography.death_probabilities(shape, years)
        alive = demography.survivors((*dying, 1.0))
        lived = math.fsum((a + b) / 2 for a, b in pairwise(alive))
        assert lived == pytest.approx(years, abs=1e-5)


def test_stable_population_shares_sum_to_one(simulate: Simulate) -> None:
    inputs, demography = sys.modules["asthma_inputs"], sys.modules["asthma_demography"]
    under_15 = {}
    for iso3 in HANDFUL:
        country = demography.Demography.read(inputs.Elements(compose("baseline", iso3)))
        shares = country.stable_population(0.004)
        assert math.fsum(shares) == pytest.approx(1.0, abs=1e-12)
        under_15[iso3] = math.fsum(shares[:15]) + math.fsum(shares[101:116])
    assert under_15["KEN"] > 0.35
    assert under_15["DEU"] < 0.22


# --- parameters ----------------------------------------------------------------------------------


def short_run(simulate: Simulate, document: Document) -> list[tuple[str, int, float]] | str:
    document["runtime"]["endYear"] = 2033
    try:
        return list(simulate(document))
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("slot", COUNTRY_SLOTS)
def test_every_country_slot_is_used(slot: str, simulate: Simulate) -> None:
    before = short_run(simulate, compose("all_treatments_half", "NER"))
    document = compose("all_treatments_half", "NER")
    parameters(document, slot)["country"] = "DEU"
    assert short_run(simulate, document) != before


def numbers(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where the numbers stand in nested parameters."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from numbers(inner, (*place, key))
    elif isinstance(value, int | float):
        yield place


@pytest.mark.parametrize("element_id", [id for id, e in ELEMENTS.items() if "generate_array" in e])
def test_every_number_of_the_document_is_read(element_id: str, simulate: Simulate) -> None:
    before = {c: short_run(simulate, compose("all_treatments", c)) for c in ONE_PER_INCOME_GROUP}
    for place in numbers(parameters(MODEL, element_id)):
        changed = False
        for iso3 in ONE_PER_INCOME_GROUP:
            document = compose("all_treatments", iso3)
            container: Any = parameters(document, element_id)
            for key in place[:-1]:
                container = container[key]
            number = container[place[-1]]
            container[place[-1]] = number + 1 if number >= 1 or number == 0 else number * 0.9
            changed = changed or short_run(simulate, document) != before[iso3]
        assert changed, f"{element_id} {place} changes nothing"


def test_document_is_only_read(simulate: Simulate) -> None:
    document = compose("all_treatments", "KEN")
    before = copy.deepcopy(document)
    list(simulate(document))
    assert document == before


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("iso3", ["XXX", "COUNTRY", None])
def test_missing_country_is_named(iso3: str | None, simulate: Simulate) -> None:
    document = compose("baseline", "KEN")
    for slot in COUNTRY_SLOTS:
        parameters(document, slot)["country"] = iso3
    with pytest.raises(ValueError, match=r"country_facts\.csv") as error:
        list(simulate(document))
    assert repr(iso3) in str(error.value)


@pytest.mark.parametrize(
    ("element_id", "name", "value", "message"),
    [
        ("fertility", "long_run", "many", "'long_run' of 'fertility' is 'many', not a number"),
        ("fertility", "long_run", math.nan, "'long_run' of 'fertility' is nan, not a number"),
        ("fertility", "long_run", True, "'long_run' of 'fertility' is True, not a number"),
        ("reached_clean_air", "coverage", "gone", "no node or link has the id 'gone'"),
        ("coverage_clean_air", "end_index", 1, "'coverage_clean_air' is not after start_index"),
        ("coverage_clean_air", "today", {}, "'today' of 'coverage_clean_air' lacks"),
        ("asthma_to_susceptible", "per_1000", [[5, 1]], "ages [5] of 'per_1000'"),
    ],
)
def test_a_bad_parameter_is_named(
    element_id: str, name: str, value: object, message: str, simulate: Simulate
) -> None:
    document = compose("all_treatments", "KEN")
    parameters(document, element_id)[name] = value
    with pytest.raises(ValueError, match="model document") as error:
        list(simulate(document))
    assert message in str(error.value)


def test_a_lacking_parameter_is_named(simulate: Simulate) -> None:
    document = compose("baseline", "KEN")
    del parameters(document, "disability")["weights"]
    with pytest.raises(ValueError, match="'disability' has no parameter 'weights'"):
        list(simulate(document))


@pytest.mark.parametrize(
    "change", [{"endYear": 2025}, {"startYear": 2014}, {"synchronous_iterations": 10}]
)
def test_a_runtime_that_cannot_be_run_is_refused(
    change: dict[str, int], simulate: Simulate
) -> None:
    document = compose("baseline", "KEN")
    document["runtime"] |= change
    with pytest.raises(ValueError, match="runtime"):
        list(simulate(document))


# --- the same bits -------------------------------------------------------------------------------

DIGEST_SCRIPT = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
from model import simulate
rows = [row for document in json.load(sys.stdin) for row in simulate(document)]
print(hashlib.sha256(repr(rows).encode()).hexdigest())
"""


def digest_in_a_new_process(documents: list[Document], hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-B", "-c", DIGEST_SCRIPT, str(STUDY)],
        input=json.dumps(documents),
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.slow
def test_results_are_the_same_bits_in_every_process(simulate: Simulate) -> None:
    documents = [compose(name, iso3) for name in ("null", "all_treatments") for iso3 in HANDFUL]
    here = [
        hashlib.sha256(repr([r for d in ordered for r in simulate(d)]).encode()).hexdigest()
        for ordered in (documents, documents)
    ]
    assert here[0] == here[1]
    assert {digest_in_a_new_process(documents, seed) for seed in ("0", "1", "4242")} == {here[0]}


def test_results_do_not_depend_on_what_ran_before(simulate: Simulate) -> None:
    documents = [compose("baseline", iso3) for iso3 in HANDFUL]
    forward = [list(simulate(document)) for document in documents]
    backward = [list(simulate(document)) for document in reversed(documents)]
    assert forward == backward[::-1]
