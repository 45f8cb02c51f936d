from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas
import pytest

from ingest.changes.diff import Tolerances
from ingest.errors import ConfigError, DatabaseMissingError
from ingest.questions.results_query import ResultsQuery
from ingest.study.settings import ToleranceSettings
from ingest.text.installation import not_installed
from tests.conftest import Ingest, StudyFolder, scenario
from tests.exchange.test_export import EXACT, run_without
from tests.odd_study import ODD_LABEL, make_odd, metrics, run_study

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:mixed inputs"),  # of the second run of `stored`
]

STATE_TYPES = {
    "country": "string",
    "scenario": "string",
    "element_label": "string",
    "timestamp_year": "int64",
    "value": "float64",
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """The odd study, run twice: the second time one country under one scenario changed."""
    study = make_odd(StudyFolder(tmp_path_factory.mktemp("query") / "tiny"))
    groups = {"KEN": "Africa, East", "NAM": "NA", "TZA": "Africa, East"}
    countries = [
        {"name": code, "iso3": code, **({"region": groups[code]} if code in groups else {})}
        for code in ("KEN", "NAM", "TZA", "UGA")
    ]
    study.write_json("countries.json", {"countries": countries})
    run_study(study)
    study.write_json("scenarios/scale_up.json", scenario(0.5))
    run_study(study, "--countries", "NAM")
    return study


@pytest.fixture
def results(stored: StudyFolder) -> ResultsQuery:
    return ResultsQuery(stored.database)


def types(frame: pandas.DataFrame) -> dict[str, str]:
    return {str(name): str(kind) for name, kind in frame.dtypes.items()}


def rows(frame: pandas.DataFrame) -> list[tuple[object, ...]]:
    return list(frame.itertuples(index=False, name=None))


def test_state_holds_the_numbers_of_the_metrics_view(
    stored: StudyFolder, results: ResultsQuery
) -> None:
    frame = results.state()
    assert types(frame) == STATE_TYPES
    assert rows(frame) == metrics(stored)
    assert not frame.isna().any().any()


def test_mixed_inputs_are_warned_of(results: ResultsQuery) -> None:
    words = r"mixed inputs: scenario scale_up differs: .*scale_up of run 1 .*scale_up of run 2"
    with pytest.warns(UserWarning, match=words):
        results.state()
    with pytest.warns(UserWarning, match=words):
        results.compare_scenarios("null", "scale_up")


def test_state_of_an_earlier_run(stored: StudyFolder, results: ResultsQuery) -> None:
    before, now = results.state(1), results.state("latest")
    assert len(before) == len(now)
    moved = now[before["value"] != now["value"]]
    assert set(moved["country"]) == {"NAM"}
    assert set(moved["element_label"]) == {"Healthy Years Lived"}


def test_names_choose_rows(stored: StudyFolder, results: ResultsQuery) -> None:
    frame = results.state(countries=["NAM", "K*"], scenarios="null", labels=ODD_LABEL)
    assert rows(frame) == metrics(
        stored,
        "country IN ('KEN', 'NAM') AND scenario = 'null' AND element_label = ?",
        [ODD_LABEL],
    )


def test_trends_are_one_label_over_the_years(stored: StudyFolder, results: ResultsQuery) -> None:
    frame = results.get_metric_trends("NA", countries="NAM")
    assert types(frame) == STATE_TYPES
    assert rows(frame) == metrics(stored, "country = 'NAM' AND element_label = 'NA'")


def test_an_unknown_name_is_told_with_the_nearest(results: ResultsQuery) -> None:
    with pytest.raises(ConfigError) as told:
        results.get_metric_trends("Populatoin")
    assert str(told.value) == "no label Populatoin in this study. Did you mean Population?"
    with pytest.raises(ConfigError) as told:
        results.compare_scenarios("nul", "scale_up")
    assert str(told.value) == "no results of scenario 'nul' as of run 2. Did you mean null?"
    with pytest.raises(ConfigError) as told:
        results.compare_scenarios("null", "scale_up", by="regoin")
    assert str(told.value).endswith(" Did you mean region?")
    with pytest.raises(ConfigError) as told:
        results.state("latets")
    assert str(told.value).startswith("no run 'latets' in this database; runs are 1 to 2.")


def plain_sums(stored: StudyFolder, keys: tuple[int, ...]) -> dict[object, tuple[float, float]]:
    """Healthy years by the given columns, under null and under scale_up, added in order."""
    sums: dict[object, tuple[float, float]] = {}
    for row in metrics(stored, "element_label = 'Healthy Years Lived'"):
        key = tuple(row[k] for k in keys)
        a, b = sums.get(key, (0.0, 0.0))
        sums[key] = (a + row[4], b) if row[1] == "null" else (a, b + row[4])
    return sums


@pytest.mark.parametrize(("by", "column"), [("country", 0), ("year", 3)])
def test_comparison_sums_what_both_scenarios_have(
    stored: StudyFolder, results: ResultsQuery, by: str, column: int
) -> None:
    frame = results.compare_scenarios("null", "scale_up", "Healthy Years Lived", by=by)
    key = "timestamp_year" if by == "year" else "country"
    assert types(frame) == {
        key: "int64" if by == "year" else "string",
        "element_label": "string",
        "baseline_value": "float64",
        "scenario_value": "float64",
        "difference": "float64",
        "percent": "float64",
        "over_years": "string",
        "over_countries": "string",
    }
    assert frame["over_years"].isna().all() == (by == "year")
    assert frame["over_countries"].isna().all() == (by == "country")
    expected = [
        (name, "Healthy Years Lived", a, b, b - a, 100 * (b - a) / abs(a))
        for (name,), (a, b) in sorted(plain_sums(stored, (column,)).items())  # type: ignore[misc]
    ]
    assert rows(frame.drop(columns=["over_years", "over_countries"])) == expected


def test_groups_add_up_to_the_whole_and_no_group_is_missing(results: ResultsQuery) -> None:
    whole = results.compare_scenarios("null", "scale_up", "Healthy Years Lived")
    grouped = results.compare_scenarios("null", "scale_up", "Healthy Years Lived", by="region")
    assert str(grouped["region"].dtype) == "string"
    assert list(grouped["region"]) == ["(none)", "Africa, East", "NA"]
    assert math.isclose(
        grouped["baseline_value"].sum(), whole["baseline_value"].sum(), rel_tol=1e-14
    )
    groups = ["region", "year"]
    nested = results.compare_scenarios("null", "scale_up", "Healthy Years Lived", by=groups)
    assert list(nested.columns[:3]) == ["region", "timestamp_year", "element_label"]
    assert len(nested) == 9
    assert math.isclose(
        nested["scenario_value"].sum(), whole["scenario_value"].sum(), rel_tol=1e-14
    )


def test_a_country_that_no_table_describes_is_compared_too(
    stored: StudyFolder, tmp_path: Path
) -> None:
    path = tmp_path / "copy.db"
    with closing(sqlite3.connect(stored.database)) as old, closing(sqlite3.connect(path)) as new:
        old.backup(new)
        new.execute("DELETE FROM countries")
        new.commit()
    frame = ResultsQuery(path).compare_scenarios("null", "scale_up", "Population")
    assert list(frame["country"]) == ["KEN", "NAM", "TZA", "UGA"]


def test_a_zero_baseline_has_no_percent(study: StudyFolder, ingest: Ingest) -> None:
    code = 'def simulate(d):\n c = d["nodes"][1]["generate_array"]["parameters"]["value"]\n'
    study.write_model(code + ' yield "Gain", 2025, c\n')
    ingest("run", "--quiet", "--countries", "NAM")
    frame = ResultsQuery(study.database).compare_scenarios("null", "scale_up")
    assert rows(frame)[0][:5] == ("NAM", "Gain", 0.0, 0.9, 0.9)
    assert math.isnan(frame["percent"][0])


def test_diff_names_what_moved_and_why(results: ResultsQuery) -> None:
    frame = results.diff()
    assert types(frame) == {
        "country": "string",
        "scenario": "string",
        "element_label": "string",
        "kind": "string",
        "changed_years": "int64",
        "largest_year": "Int64",
        "before": "float64",
        "after": "float64",
        "absolute": "float64",
        "relative": "float64",
        "before_sum": "float64",
        "after_sum": "float64",
        "cause": "string",
    }
    (row,) = frame.to_dict("records")
    assert (row["country"], row["scenario"]) == ("NAM", "scale_up")
    assert (row["kind"], row["changed_years"]) == ("changed", 3)
    assert row["absolute"] == row["after"] - row["before"] < 0
    assert "Coverage" in row["cause"]
    assert "0.9" in row["cause"]


def test_diff_of_nothing_is_an_empty_frame_of_the_same_columns(results: ResultsQuery) -> None:
    same = results.diff("latest", "latest")
    wide = Tolerances(ToleranceSettings(rtol=0.5, atol=0.0))
    hidden = results.diff(tolerances=wide)
    other = results.diff(countries="KEN")
    for frame in (same, hidden, other):
        assert len(frame) == 0
        assert types(frame) == types(results.diff())


def test_latest_run_summary_counts(results: ResultsQuery) -> None:
    summary = results.get_latest_run_summary()
    assert (summary["run_id"], summary["status"]) == (2, "completed")
    assert (summary["total_jobs"], summary["successful_jobs"]) == (1, 1)
    assert summary["failures"] == []


def test_failed_jobs_come_with_their_errors(study: StudyFolder, ingest: Ingest) -> None:
    study.write_model('def simulate(document):\n    raise ValueError("no births, ever")\n')
    assert ingest("run", "--quiet", "--countries", "NAM", "--scenarios", "null").exit_code == 1
    results = ResultsQuery(study.database)
    frame = results.get_failed_jobs()
    assert types(frame) == {
        "run_id": "int64",
        "country": "string",
        "scenario": "string",
        "ulid": "string",
        "job_status": "string",
        "error_kind": "string",
        "error": "string",
        "attempts": "int64",
        "duration_s": "float64",
        "completed_at": "string",
        "reason": "string",
    }
    (row,) = frame.to_dict("records")
    assert (row["country"], row["scenario"], row["job_status"]) == ("NAM", "null", "failed")
    assert "no births, ever" in row["error"]
    assert results.get_latest_run_summary()["failures"][0]["jobs"] == ["NAM / null"]
    with pytest.raises(ConfigError, match="run 1 has no success as of it"):
        results.state()


def test_no_failed_job_is_an_empty_frame(results: ResultsQuery) -> None:
    frame = results.get_failed_jobs(1)
    assert len(frame) == 0
    assert str(frame["run_id"].dtype) == "int64"


def test_csv_from_a_notebook_reads_back_to_the_same_frame(
    results: ResultsQuery, tmp_path: Path
) -> None:
    path = tmp_path / "results.csv"
    frame = results.state()
    assert results.export_results_csv(path) == len(frame)
    read = pandas.read_csv(path, dtype=STATE_TYPES, keep_default_na=False, **EXACT)
    pandas.testing.assert_frame_equal(read.drop(columns="run_id"), frame, check_exact=True)
    assert set(read["run_id"]) == {1, 2}  # for results are of two versions of a scenario
    with pytest.raises(ConfigError, match="exists; overwrite it with --force"):
        results.export_results_csv(path)
    assert results.export_results_csv(path, 1, countries="NAM", force=True) == 22


def test_trend_chart_has_every_point_and_can_be_drawn(
    stored: StudyFolder, results: ResultsQuery
) -> None:
    spec = results.trend_chart(ODD_LABEL).to_dict()
    (values,) = spec["datasets"].values() if "datasets" in spec else [spec["data"]["values"]]
    assert [tuple(value.values()) for value in values] == metrics(
        stored, "element_label = ?", [ODD_LABEL]
    )
    assert json.loads(json.dumps(spec))["mark"]["type"] == "line"


@pytest.mark.parametrize("rate", [0.25, "25%"])
def test_a_comparison_is_discounted_and_says_so(
    stored: StudyFolder, results: ResultsQuery, rate: float | str
) -> None:
    label = "Healthy Years Lived"
    sums = {"until_year": 2026, "discount_rate": rate, "base_year": 2024}
    frame = results.compare_scenarios("null", "scale_up", label, "KEN", **sums)
    (expected,) = [
        sum(row[4] / 1.25 ** (row[3] - 2024) for row in metrics(stored, condition))
        for condition in [
            f"country = 'KEN' AND scenario = 'null' AND element_label = '{label}' "
            "AND timestamp_year <= 2026"
        ]
    ]
    assert frame["baseline_value"][0] == pytest.approx(expected, rel=1e-14)
    caption = "only KEN · 2025-2026 · discounted at 25 % a year to 2024 · run 2, no commit"
    assert frame.attrs == {
        "run_id": 2,
        "git_commit": "unknown",
        "discount_rate": 0.25,
        "captions": {label: caption},
        "years": {label: [2025, 2026]},
        "horizon_notes": {label: []},
    }
    spec = results.comparison_chart("null", "scale_up", label, "KEN", **sums).to_dict()
    assert spec["title"]["subtitle"] == [caption]
    (values,) = spec["datasets"].values() if "datasets" in spec else [spec["data"]["values"]]
    assert values[0]["difference"] == frame["difference"][0]


def test_a_horizon_that_is_not_reached_is_in_the_frame(results: ResultsQuery) -> None:
    frame = results.compare_scenarios("null", "scale_up", "Healthy Years Lived", until_year=2060)
    assert frame.attrs["horizon_notes"] == {
        "Healthy Years Lived": ["asked for until 2060, the results end in 2027"]
    }
    with pytest.raises(ConfigError, match="discount_rate: 3 could mean 3% or 300% a year"):
        results.compare_scenarios("null", "scale_up", discount_rate=3)


@pytest.mark.parametrize(("by", "mark"), [("country", "bar"), ("region", "bar"), ("year", "line")])
def test_comparison_chart_is_drawn_from_the_comparison(
    results: ResultsQuery, by: str, mark: str
) -> None:
    label = "Healthy Years Lived"
    spec = results.comparison_chart("null", "scale_up", label, by=by).to_dict()
    frame = results.compare_scenarios("null", "scale_up", label, by=by)
    (values,) = spec["datasets"].values() if "datasets" in spec else [spec["data"]["values"]]
    assert [value["difference"] for value in values] == list(frame["difference"])
    assert spec["mark"]["type"] == mark
    names = [value["timestamp_year" if by == "year" else by] for value in values]
    assert (
        names
        == {
            "country": ["KEN", "NAM", "TZA", "UGA"],
            "region": ["(none)", "Africa, East", "NA"],
            "year": [2025, 2026, 2027],
        }[by]
    )


def test_a_chart_of_many_points_is_not_refused(study: StudyFolder, ingest: Ingest) -> None:
    code = "def simulate(d):\n for year in range(1900, 2300):\n  yield 'Long', year, year / 7\n"
    study.write_model(code)
    study.write_countries("KEN", "NAM", "TZA", "UGA", "RWA", "BDI", "ZMB")
    ingest("run", "--quiet")
    assert ResultsQuery(study.database).trend_chart("Long").to_dict()["mark"]["type"] == "line"


def test_without_a_database_the_next_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissingError, match=r"there is no database .* yet"):
        ResultsQuery(tmp_path / "none.db").state()


@pytest.mark.parametrize(
    ("module", "call", "message"),
    [
        ("pandas", "state()", f"{not_installed('pandas', 'frames')}\n"),
        ("altair", "trend_chart('x')", f"{not_installed('altair', 'charts')}\n"),
    ],
)
def test_a_missing_library_is_told_in_one_line(module: str, call: str, message: str) -> None:
    code = f"""
from ingest.errors import ConfigError
from ingest.questions.results_query import ResultsQuery
try:
    ResultsQuery("validation_results.db").{call}
except ConfigError as error:
    print(error)
"""
    assert run_without(module, code) == message


def test_summary_and_csv_need_no_pandas(stored: StudyFolder, tmp_path: Path) -> None:
    code = f"""
from ingest.questions.results_query import ResultsQuery
results = ResultsQuery({str(stored.database)!r})
print(results.get_latest_run_summary()["run_id"],
      results.export_results_csv({str(tmp_path / "out.csv")!r}, countries="NAM"))
"""
    assert run_without("pandas", code) == "2 22\n"
