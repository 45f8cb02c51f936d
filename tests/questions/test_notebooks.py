"""ResultsQuery as docs/notebooks.md shows it: totals, several scenarios, units, groups, rates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ingest.cli import main
from ingest.errors import ConfigError
from ingest.questions.results_query import ResultsQuery
from tests.conftest import PROJECT, StudyFolder, scenario

pytestmark = pytest.mark.slow

PEOPLE = {code: sum(map(ord, code)) / 7 for code in ("KEN", "NAM", "TZA", "UGA")}
YEARS = (2025, 2026, 2027)
SETTINGS = """
[units]
"Healthy Years Lived" = "years"
[[indicators]]
name = "Years gained"
labels = "Healthy Years Lived"
sense = "gained"
discount = 0.25
[[indicators]]
name = "Mean people"
labels = "Population"
aggregate = "mean"
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    study = StudyFolder(tmp_path_factory.mktemp("notebooks") / "tiny")
    study.write_settings(SETTINGS)
    study.write_json("scenarios/half.json", scenario(0.5))
    countries: list[dict[str, Any]] = [{"name": f"Land {c}", "iso3": c} for c in PEOPLE]
    countries[0]["region"] = countries[3]["region"] = "East"
    study.write_json("countries.json", {"countries": countries})
    result = CliRunner().invoke(main, ["run", "-q", "--study", str(study.root)])
    assert result.exit_code == 0, result.output
    return study


@pytest.fixture
def results(stored: StudyFolder) -> ResultsQuery:
    return ResultsQuery(stored.database)


def healthy(coverage: float, rate: float = 0.0, base: int = 2025) -> float:
    """Healthy years of all countries and years."""
    return sum(
        people * (year - 2000) * (0.9 + coverage / 10) / (1 + rate) ** (year - base)
        for people in PEOPLE.values()
        for year in YEARS
    )


def test_the_total_is_one_row(results: ResultsQuery) -> None:
    label = "Healthy Years Lived"
    frame = results.compare_scenarios("null", "scale_up", label, by="total", discount_rate=0.1)
    assert frame.columns[0] == "element_label"
    assert frame["scenario_value"].tolist() == [pytest.approx(healthy(0.9, 0.1), rel=1e-13)]
    spec = results.comparison_chart("null", "scale_up", label, by="total").to_dict()
    (values,) = spec["datasets"].values() if "datasets" in spec else [spec["data"]["values"]]
    assert [value["total"] for value in values] == ["total"]


@pytest.mark.parametrize("chosen", [["half", "scale_up"], ["*"], ["scale_up", "h*", "null"]])
def test_several_scenarios_and_labels(results: ResultsQuery, chosen: list[str]) -> None:
    labels = ["Healthy Years Lived", "Population"]
    frame = results.compare_scenarios("null", chosen, labels, by="total", columns="unit")
    assert set(frame["scenario"]) == {"half", "scale_up"}
    own = frame[(frame["scenario"] == "half") & (frame["element_label"] == labels[0])]
    assert own["difference"].tolist() == [pytest.approx(healthy(0.5) - healthy(0.0), rel=1e-12)]
    assert own["unit"].tolist() == ["years"]
    assert set(frame.attrs["captions"]) == {"half", "scale_up"}
    assert set(frame.attrs["years"]["half"]) == set(labels)
    alone = results.compare_scenarios("null", "half", labels, by="total")
    assert "scenario" not in alone.columns
    assert alone["difference"].tolist() == frame[frame["scenario"] == "half"]["difference"].tolist()


def test_a_list_without_another_scenario_is_refused(results: ResultsQuery) -> None:
    with pytest.raises(ConfigError, match="there is no scenario to compare with null"):
        results.compare_scenarios("null", ["null"])
    with pytest.raises(ConfigError, match="Did you mean half"):
        results.compare_scenarios("null", ["hlaf"])


def test_units_names_and_groups_are_columns(results: ResultsQuery) -> None:
    frame = results.state(labels="Healthy*", columns=["unit", "region", "name"])
    assert {str(frame[name].dtype) for name in ("unit", "region", "name")} == {"string"}
    assert set(zip(frame["country"], frame["region"], strict=True)) == {
        ("KEN", "East"), ("UGA", "East"), ("NAM", "(none)"), ("TZA", "(none)"),
    }  # fmt: skip
    assert set(frame["unit"]) == {"years"}
    assert set(results.get_metric_trends("Population", columns="unit")["unit"]) == {""}
    by_year = results.compare_scenarios("null", "half", by=["country", "year"], columns="name")
    assert by_year["name"][0] == "Land KEN"
    assert set(results.indicators("Years gained", columns="region")["region"]) == {"East", "(none)"}


@pytest.mark.parametrize(
    ("by", "column", "message"),
    [
        ("country", "regoin", "no 'regoin' that these rows could have. Did you mean region?"),
        ("total", "region", "no 'region' that these rows could have; it has unit"),
        ("region", "region", "no 'region' that these rows could have"),
    ],
)
def test_a_column_that_rows_cannot_have_is_refused(
    results: ResultsQuery, by: str, column: str, message: str
) -> None:
    with pytest.raises(ConfigError) as told:
        results.compare_scenarios("null", "half", by=by, columns=column)
    assert "columns: " + message.partition(";")[0] in str(told.value)


@pytest.mark.parametrize(
    ("rate", "base_year", "meant"), [(None, None, 0.25), (0, None, 0.0), ("5%", 2027, 0.05)]
)
def test_indicators_take_a_rate_and_a_base_year(
    results: ResultsQuery, rate: float | str | None, base_year: int | None, meant: float
) -> None:
    frame = results.indicators(
        by="total", scenarios="scale_up", discount_rate=rate, base_year=base_year
    )
    gained, people = frame["value"]
    base = base_year or 2025
    expected = healthy(0.9, meant, base) - healthy(0.0, meant, base)
    assert gained == pytest.approx(expected, rel=1e-11)
    assert people == pytest.approx(26 * sum(PEOPLE.values()), rel=1e-13)


def test_a_rate_that_nothing_takes_is_refused(results: ResultsQuery) -> None:
    with pytest.raises(ConfigError, match="no sum over years, so nothing is discounted"):
        results.indicators("Mean people", discount_rate=0.03)
    with pytest.raises(ConfigError, match="discount_rate: 3 could mean 3% or 300%"):
        results.indicators(discount_rate=3)
    with pytest.raises(ConfigError, match="'Mean people': not discounted; give a rate"):
        results.indicators("Mean people", base_year=2025)


def blocks_of(heading: str) -> list[str]:
    page = (PROJECT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)


@pytest.mark.parametrize("library", ["polars", "duckdb"])
def test_documented_code_of_other_libraries_runs(
    results: ResultsQuery, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(library, reason=f"pip install {library} runs what docs/notebooks.md shows")
    monkeypatch.chdir(tmp_path)
    (block,) = (block for block in blocks_of("Polars and DuckDB") if f"import {library}" in block)
    names: dict[str, Any] = {"results": results}
    exec(block, names)
    found = names["by_region"]
    rows = found.rows() if library == "polars" else list(found.itertuples(index=False, name=None))
    (people,) = (row[3] for row in rows if row[:3] == ("East", "null", 2025))
    assert people == pytest.approx(25 * (PEOPLE["KEN"] + PEOPLE["UGA"]), rel=1e-13)
    if library == "polars":
        assert set(names["last"]["timestamp_year"]) == {2027}
