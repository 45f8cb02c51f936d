from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ingest.database import ValidationDatabase
from ingest.database.files import open_for_reading
from ingest.database.records import JobOutcome, JobRecord, JobStatus, RunRecord, RunStatus
from ingest.database.study_settings import keep_settings
from ingest.database.write import keep_study
from ingest.errors import ConfigError
from ingest.metrics import Metric, ResultSet
from ingest.planning.inputs import Inputs, InputSet
from ingest.planning.plan import Reason, ReasonKind
from ingest.questions.catalogue import (
    bind_values,
    group_columns,
    load_canned_queries,
    parameter_options,
    run_canned_query,
    sql_for,
)
from ingest.questions.files import YEARS, CannedQuery, is_sql, parse_canned_query, used_parameters
from ingest.study.combination import Combination
from ingest.study.country import Country
from ingest.study.label import Label
from tests.conftest import Ingest, StudyFolder

NOW = "2026-11-23T09:00:00.000Z"
RECORD = RunRecord(NOW, "c" * 40, "main", (), "tiny", "local", "0.1.0", 0)
INPUTS = Inputs(InputSet("null", "m1", "s1", "c1", "standard", "q1"), "d1")
REASON = Reason(ReasonKind.NEVER_RUN, "never run")
LABEL = "Healthy Years Lived"

COUNTRIES = [
    Country("KEN", "Kenya", {"region": "East", "income_group": "Low", "club": "A"}),
    Country("UGA", "Uganda", {"region": "East", "income_group": "High", "club": "B"}),
    Country("TZA", "Tanzania", {"region": "South", "income_group": "Low"}),
    Country("NAM", "Namibia", {"region": "South", "income_group": "High", "club": "A"}),
]
# Tanzania's baseline is 0, Namibia has the baseline alone.
RUN_1 = {
    ("KEN", "null"): (10.1, 20.2, 30.3),
    ("KEN", "up"): (11.7, 22.9, 33.1),
    ("UGA", "null"): (1.1, 2.2, 3.3),
    ("UGA", "up"): (1.4, 2.6, 3.9),
    ("TZA", "null"): (0.0, 0.0, 0.0),
    ("TZA", "up"): (1.0, 1.0, 1.0),
    ("NAM", "null"): (5.0, 5.0, 5.0),
}
RUN_2 = {("KEN", "up"): (12.3, 24.1, 36.7)}

Values = Mapping[tuple[str, str], Sequence[float]]
QUERIES = load_canned_queries()
PROMISED = (
    "biggest_changes", "compare_scenarios", "data_quality", "failed_jobs", "history_of_a_number",
    "label_catalogue", "label_trend", "metrics_pivot", "missing_combinations", "model_fit",
    "reference_against_model", "run_against_run", "run_history", "scenario_impact",
    "scenario_impact_by_group", "scenario_totals", "suspicious_values",
)  # fmt: skip
COMPARING = (
    "compare_scenarios",
    "reference_against_model",
    "scenario_impact",
    "scenario_impact_by_group",
)
_ulids = count()


def store_run(
    database: ValidationDatabase, values: Values, failing: Sequence[Combination] = ()
) -> int:
    """One run with a success for each combination; Population is ten times the healthy years."""
    jobs = [
        JobRecord(Combination(*names), f"{next(_ulids):026d}", "job", INPUTS, REASON)
        for names in (*values, *failing)
    ]
    run_id = database.start_validation_run(RECORD, jobs, {})
    for combination, numbers in values.items():
        metrics = [Metric(LABEL, 2025 + i, value) for i, value in enumerate(numbers)]
        metrics += [Metric("Population", 2025 + i, 10 * value) for i, value in enumerate(numbers)]
        outcome = JobOutcome(
            Combination(*combination), JobStatus.SUCCESS, NOW, 1, 0.5, ResultSet(metrics)
        )
        database.record_job_result(run_id, outcome)
    for combination in failing:
        database.record_job_result(
            run_id, JobOutcome(combination, JobStatus.FAILED, NOW, 1, error_kind="x", error="x")
        )
    database.update_run_status(run_id, RunStatus.COMPLETED, NOW)
    return run_id


def store_two_runs(path: Path) -> None:
    """Two runs of hand-made numbers, the second of one combination alone and a failure."""
    with ValidationDatabase(path).writing() as database:
        keep_study(database.db, COUNTRIES, [])
        keep_settings(database.db, {"indicators": [{"name": "Years", "labels": [LABEL]}]})
        store_run(database, RUN_1)
        store_run(database, RUN_2, failing=[Combination("UGA", "up")])


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """The two runs, open for reading."""
    store_two_runs(tmp_path / "results.db")
    with closing(open_for_reading(tmp_path / "results.db")) as opened:
        yield opened


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database with the schema and nothing else."""
    with ValidationDatabase(tmp_path / "empty.db").writing():
        pass
    with closing(open_for_reading(tmp_path / "empty.db")) as opened:
        yield opened


def answer(connection: sqlite3.Connection, name: str, **values: Any) -> list[dict[str, Any]]:
    columns, rows = run_canned_query(connection, QUERIES[name], values)
    return [dict(zip(columns, row, strict=True)) for row in rows]


# --- every file ----------------------------------------------------------------------------------


def test_the_promised_queries_are_there() -> None:
    assert set(PROMISED) <= QUERIES.keys()


@pytest.mark.parametrize("name", QUERIES)
def test_every_question_says_all_that_a_page_shows(name: str) -> None:
    query = QUERIES[name]
    assert query.title.endswith("?")
    assert query.description.endswith(".")
    assert query.unit
    assert query.columns
    assert query.answer
    assert query.empty
    assert query.charts
    assert query.topic in ("Compare", "Countries", "Changes", "Runs", "Data")


def published(query: CannedQuery, columns: Sequence[str]) -> list[str]:
    """The columns, those of years under the name that stands for them."""
    years = [column for column in columns if column.isdecimal()]
    assert bool(years) == query.has_year_columns
    return [c for c in columns if c not in years] + ([YEARS] if years else [])


@pytest.mark.slow
@pytest.mark.parametrize("name", QUERIES)
def test_query_runs_with_its_defaults_on_a_tiny_study(
    name: str, study: StudyFolder, ingest: Ingest
) -> None:
    ingest("run", "--quiet")
    with closing(open_for_reading(study.database)) as connection:
        columns, _ = run_canned_query(connection, QUERIES[name], {})
    assert published(QUERIES[name], columns) == list(QUERIES[name].columns)


@pytest.mark.parametrize("name", QUERIES)
def test_query_runs_with_its_defaults_on_an_empty_database(
    name: str, empty: sqlite3.Connection
) -> None:
    columns, rows = run_canned_query(empty, QUERIES[name], {})
    assert (published(QUERIES[name], columns), rows) == (list(QUERIES[name].columns), [])


@pytest.mark.parametrize("name", QUERIES)
def test_query_takes_every_value_as_text_as_a_browser_gives_it(
    name: str, connection: sqlite3.Connection
) -> None:
    query = QUERIES[name]
    _, expected = run_canned_query(connection, query, {})
    _, defaults = run_canned_query(connection, query, {p.name: None for p in query.parameters})
    texts = {"run": "2", "discount_rate": "0", "until": "", "base_year": ""}
    used = {key: value for key, value in texts.items() if key in used_parameters(query.sql)}
    _, rows = run_canned_query(connection, query, used)
    assert rows == expected == defaults


@pytest.mark.parametrize("name", QUERIES)
def test_options_of_every_parameter_hold_its_default(
    name: str, connection: sqlite3.Connection
) -> None:
    query = QUERIES[name]
    values = bind_values(connection, query, {})
    for parameter in query.parameters:
        options = parameter_options(connection, query, parameter, values)
        known = [value for value, _ in options]
        assert len(set(known)) == len(options)
        if parameter.options is None or parameter.name in NOT_LOADED.get(name, ()):
            continue
        chosen = values[parameter.name]
        assert set(chosen.split(",") if parameter.many and chosen else [chosen]) <= {*known, ""}


# Nothing is published in these runs, so there is nothing to choose from.
NOT_LOADED = {
    "reference_against_model": ("reference", "scenario", "label"),
    "model_fit": ("reference", "label"),
}


def plan_of(connection: sqlite3.Connection, query: CannedQuery) -> list[str]:
    values = {parameter.name: "" for parameter in query.parameters}
    statements = [sql_for(connection, query)]
    for parameter in query.parameters:
        default = str(parameter.default)
        statements += [sql for sql in (parameter.options, default) if sql and is_sql(sql)]
    return [
        row[3]
        for statement in statements
        for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
    ]


@pytest.mark.parametrize("name", QUERIES)
def test_no_question_looks_at_every_number(name: str, connection: sqlite3.Connection) -> None:
    tables = ("metric_values", "low", "high", "model", "series_changes")
    scans = [
        step
        for step in plan_of(connection, QUERIES[name])
        if step.startswith("SCAN") and step.split()[1] in tables
    ]
    assert scans == []


def test_a_look_at_every_number_is_seen(connection: sqlite3.Connection) -> None:
    query = parse_canned_query("q", HEAD.format("") + "SELECT count(value) FROM metric_values")
    assert any(step.startswith("SCAN metric_values") for step in plan_of(connection, query))


@pytest.mark.parametrize("name", COMPARING)
def test_query_reads_the_values_by_their_key(name: str, connection: sqlite3.Connection) -> None:
    steps = set(plan_of(connection, QUERIES[name]))
    assert any(
        step.startswith("SEARCH low USING PRIMARY KEY (result_set_id=? AND element_id=?")
        for step in steps
    )
    assert (
        "SEARCH high USING PRIMARY KEY (result_set_id=? AND element_id=? AND timestamp_year=?)"
        in steps
    )


# --- numbers -------------------------------------------------------------------------------------


def plain_sum(connection: sqlite3.Connection, run_id: int, country: str, scenario: str) -> float:
    row = connection.execute(
        """SELECT sum(value) FROM metrics
            WHERE run_id = ? AND country = ? AND scenario = ? AND element_label = ?""",
        [run_id, country, scenario, LABEL],
    ).fetchone()
    return float(row[0])


def test_scenario_impact_agrees_with_plain_sql_to_the_last_digit(
    connection: sqlite3.Connection,
) -> None:
    rows = answer(connection, "scenario_impact", baseline="null", scenario="up", run=1)
    assert [row["country"] for row in rows] == ["KEN", "TZA", "UGA"]
    for row in rows:
        low = plain_sum(connection, 1, row["country"], "null")
        high = plain_sum(connection, 1, row["country"], "up")
        assert (row["baseline_value"], row["scenario_value"]) == (low, high)
        assert row["difference"] == high - low
        assert row["percent"] == (100 * (high - low) / low if low else None)
        assert (row["first_year"], row["last_year"]) == (2025, 2027)


def test_state_as_of_a_run_takes_the_newest_success_by_then(connection: sqlite3.Connection) -> None:
    before = answer(connection, "scenario_impact", baseline="null", scenario="up", run=1)
    after = answer(connection, "scenario_impact", baseline="null", scenario="up", run=2)
    assert after == answer(connection, "scenario_impact", baseline="null", scenario="up")
    assert before[1:] == after[1:]
    assert before[0]["scenario_value"] == plain_sum(connection, 1, "KEN", "up")
    assert after[0]["scenario_value"] == plain_sum(connection, 2, "KEN", "up")
    assert after[0]["baseline_value"] == plain_sum(connection, 1, "KEN", "null")


def test_compare_scenarios_gives_each_year_of_one_country(connection: sqlite3.Connection) -> None:
    rows = answer(connection, "compare_scenarios", country="KEN", baseline="null", scenario="up")
    assert [tuple(row.values())[:4] for row in rows] == [
        (2025, 10.1, 12.3, 12.3 - 10.1),
        (2026, 20.2, 24.1, 24.1 - 20.2),
        (2027, 30.3, 36.7, 36.7 - 30.3),
    ]
    assert rows[0]["percent"] == 100 * (12.3 - 10.1) / 10.1


def test_another_label_and_the_other_direction(connection: sqlite3.Connection) -> None:
    (row,) = answer(
        connection, "compare_scenarios",
        country="UGA", baseline="up", scenario="null", label="Population", until=2025,
    )  # fmt: skip
    assert row["baseline_value"] == 10 * 1.4
    assert row["difference"] == 10 * 1.1 - 10 * 1.4


def test_until_keeps_the_years_up_to_and_including_it(connection: sqlite3.Connection) -> None:
    rows = answer(connection, "scenario_impact", baseline="null", scenario="up", until=2026)
    assert rows[0]["baseline_value"] == 10.1 + 20.2
    assert rows[0]["last_year"] == 2026


@pytest.mark.parametrize(
    ("base_year", "factors"),
    [
        ("", (1, 1.1, 1.21)),
        (2025, (1, 1.1, 1.21)),
        (2023, (1.21, 1.331, 1.4641)),
        (2026, (1 / 1.1, 1, 1.1)),
        (2028, (1 / 1.331, 1 / 1.21, 1 / 1.1)),
    ],
)
def test_discounting_against_hand_computed_figures(
    connection: sqlite3.Connection, base_year: Any, factors: Sequence[float]
) -> None:
    values = {"discount_rate": "10%", "base_year": base_year, "baseline": "null", "scenario": "up"}
    rows = answer(connection, "scenario_impact", run=1, **values)
    low = 10.1 / factors[0] + 20.2 / factors[1] + 30.3 / factors[2]
    high = 11.7 / factors[0] + 22.9 / factors[1] + 33.1 / factors[2]
    # the factors here are rounded decimals, those of the query a product
    assert rows[0]["baseline_value"] == pytest.approx(low, rel=1e-14)
    assert rows[0]["difference"] == pytest.approx(high - low, rel=1e-13)
    yearly = answer(connection, "compare_scenarios", country="KEN", run=1, **values)
    assert [row["baseline_value"] for row in yearly] == pytest.approx(
        [10.1 / factors[0], 20.2 / factors[1], 30.3 / factors[2]], rel=1e-14
    )


def test_discounting_of_three_percent_is_the_textbook_formula(
    connection: sqlite3.Connection,
) -> None:
    (row,) = answer(
        connection, "scenario_impact",
        baseline="null", scenario="up", countries="TZA", discount_rate="3",
    )  # fmt: skip
    assert row["difference"] == pytest.approx(1 + 1 / 1.03 + 1 / 1.03**2, rel=1e-15)


def test_groups_hold_the_sums_of_their_countries(connection: sqlite3.Connection) -> None:
    rows = answer(
        connection, "scenario_impact_by_group", baseline="null", scenario="up", group_1="region"
    )
    assert [(row["group_1"], row["group_2"], row["countries"]) for row in rows] == [
        ("East", None, 2),
        ("South", None, 1),
    ]
    # another order of adding: equal up to rounding
    assert rows[0]["baseline_value"] == pytest.approx(10.1 + 20.2 + 30.3 + 1.1 + 2.2 + 3.3)
    assert rows[1]["percent"] is None


@pytest.mark.parametrize(
    "groups",
    [
        {"group_1": "region"},
        {"group_1": "income_group"},
        {"group_1": "club"},
        {"group_1": "country"},
        {"group_1": "year"},
        {"group_1": "region", "group_2": "income_group"},
        {"group_1": "region", "group_2": "club", "group_3": "year"},
    ],
    ids=lambda groups: "-".join(groups.values()),
)
def test_groups_add_up_to_the_whole(connection: sqlite3.Connection, groups: dict[str, str]) -> None:
    chosen = {"baseline": "null", "scenario": "up", "discount_rate": 0.03}
    (whole,) = answer(connection, "scenario_impact_by_group", group_1="", **chosen)
    parts = answer(connection, "scenario_impact_by_group", **groups, **chosen)
    assert len(parts) > 1
    for column in ("baseline_value", "scenario_value", "difference"):
        # another order of adding: equal up to rounding
        assert sum(row[column] for row in parts) == pytest.approx(whole[column], rel=1e-13)
    if "year" not in groups.values():
        assert sum(row["countries"] for row in parts) == whole["countries"] == 3


def test_a_column_that_a_study_adds_is_a_group(connection: sqlite3.Connection) -> None:
    assert group_columns(connection) == ["region", "income_group", "club"]
    rows = answer(
        connection, "scenario_impact_by_group", baseline="null", scenario="up", group_1="club"
    )
    assert [(row["group_1"], row["countries"]) for row in rows] == [
        ("(none)", 1),
        ("A", 1),
        ("B", 1),
    ]


def test_the_file_itself_is_plain_sqlite_with_the_groups_every_database_has(
    connection: sqlite3.Connection,
) -> None:
    query = QUERIES["scenario_impact_by_group"]
    values: dict[str, Any] = {parameter.name: "" for parameter in query.parameters}
    values |= {"baseline": "null", "scenario": "up", "label": LABEL, "group_1": "income_group"}
    rows = connection.execute(query.sql, values).fetchall()
    assert [(row[0], row[3]) for row in rows] == [("High", 1), ("Low", 2)]


def test_countries_are_chosen_by_whole_codes(connection: sqlite3.Connection) -> None:
    chosen = {"baseline": "null", "scenario": "up"}
    rows = answer(connection, "scenario_impact", countries="UGA, KEN", **chosen)
    assert [row["country"] for row in rows] == ["KEN", "UGA"]
    assert answer(connection, "scenario_impact", countries="KE", **chosen) == []


# --- numbers of the other questions --------------------------------------------------------------


def test_label_trend_gives_the_chosen_countries(connection: sqlite3.Connection) -> None:
    rows = answer(connection, "label_trend", scenario="up", countries="KEN,NAM")
    assert [tuple(row.values()) for row in rows] == [
        (2025, "KEN", "Kenya", 12.3), (2026, "KEN", "Kenya", 24.1), (2027, "KEN", "Kenya", 36.7),
    ]  # fmt: skip
    assert answer(connection, "label_trend", scenario="up", countries="KE") == []


def test_scenario_totals_are_held_against_the_baseline(connection: sqlite3.Connection) -> None:
    low, high = answer(connection, "scenario_totals", country="KEN", run=1)
    assert (low["scenario"], low["value"], low["difference"]) == ("null", 10.1 + 20.2 + 30.3, 0)
    assert high["value"] == plain_sum(connection, 1, "KEN", "up")
    assert high["difference"] == high["value"] - low["value"]
    assert (high["first_year"], high["last_year"]) == (2025, 2027)
    (alone,) = answer(connection, "scenario_totals", country="NAM", baseline="up")
    assert (alone["value"], alone["difference"]) == (15.0, None)


def test_the_pivot_has_a_column_a_year(connection: sqlite3.Connection) -> None:
    rows = answer(connection, "metrics_pivot", country="KEN", label="")
    assert list(rows[0]) == ["country", "scenario", "element_label", "2025", "2026", "2027"]
    assert [list(row.values())[1:] for row in rows[:2]] == [
        ["null", LABEL, 10.1, 20.2, 30.3],
        ["up", LABEL, 12.3, 24.1, 36.7],
    ]
    assert len(rows) == 4
    assert len(answer(connection, "metrics_pivot", country="KEN", scenario="up")) == 1


def test_the_catalogue_has_every_label(connection: sqlite3.Connection) -> None:
    first, second = answer(connection, "label_catalogue", country="KEN", scenario="up", run=1)
    assert first["element_label"] == LABEL
    assert (first["first_value"], first["last_value"]) == (11.7, 33.1)
    assert first["total"] == plain_sum(connection, 1, "KEN", "up")
    assert first["percent"] == 100 * (33.1 - 11.7) / 11.7
    assert second["last_value"] == 10 * 33.1
    rows = answer(connection, "label_catalogue", country="NAM", scenario="up")
    assert [(row["element_label"], row["total"]) for row in rows] == [
        (LABEL, None),
        ("Population", None),
    ]


def test_the_catalogue_tells_units_and_meanings(tmp_path: Path) -> None:
    with ValidationDatabase(tmp_path / "r.db").writing() as database:
        store_run(database, {("KEN", "null"): [1.5]})
        keep_study(
            database.db, [], [], [Label(LABEL, "healthy years", "Years lived."), Label("X", "m")]
        )
    with closing(open_for_reading(tmp_path / "r.db")) as stored:
        first, *others = answer(stored, "label_catalogue", country="KEN", scenario="null")
    assert (first["unit"], first["description"]) == ("healthy years", "Years lived.")
    assert all(row["unit"] is None for row in others)
    assert "X" not in [row["element_label"] for row in others]


def test_run_against_run_compares_two_states(connection: sqlite3.Connection) -> None:
    chosen = {"country": "KEN", "scenario": "up", "run": 2, "before": 1}
    rows = answer(connection, "run_against_run", **chosen)
    assert [(row["before_value"], row["after_value"]) for row in rows] == [
        (11.7, 12.3), (22.9, 24.1), (33.1, 36.7),
    ]  # fmt: skip
    assert rows[0]["difference"] == 12.3 - 11.7
    unchanged = answer(connection, "run_against_run", **{**chosen, "scenario": "null"})
    assert {row["difference"] for row in unchanged} == {0.0}


def test_history_has_a_number_for_each_run(connection: sqlite3.Connection) -> None:
    chosen = {"country": "KEN", "scenario": "up"}
    first, second = answer(connection, "history_of_a_number", year="2026", **chosen)
    assert (first["value"], first["change"]) == (22.9, None)
    assert (second["value"], second["change"]) == (24.1, 24.1 - 22.9)
    (alone,) = answer(connection, "history_of_a_number", run=1, **chosen)
    assert alone["value"] == plain_sum(connection, 1, "KEN", "up")
    rows = answer(connection, "history_of_a_number", country="UGA", scenario="up")
    assert [(row["run_id"], row["change"]) for row in rows] == [(1, None), (2, 0.0)]


def test_failed_jobs_have_their_causes(connection: sqlite3.Connection) -> None:
    (row,) = answer(connection, "failed_jobs")
    assert (row["run_id"], row["country"], row["name"], row["scenario"]) == (
        2, "UGA", "Uganda", "up",
    )  # fmt: skip
    assert (row["job_status"], row["error_kind"], row["error"]) == ("failed", "x", "x")
    assert answer(connection, "failed_jobs", run=1) == []
    assert answer(connection, "failed_jobs", scenario="null") == []


def test_missing_combinations_never_succeeded(connection: sqlite3.Connection) -> None:
    (row,) = answer(connection, "missing_combinations")
    assert (row["country"], row["name"], row["scenario"]) == ("NAM", "Namibia", "up")
    assert (row["last_run"], row["last_status"]) == (None, None)
    assert answer(connection, "missing_combinations", scenario="null") == []


def test_run_history_has_the_newest_run_first(connection: sqlite3.Connection) -> None:
    second, first = answer(connection, "run_history")
    assert (second["run_id"], first["run_id"]) == (2, 1)
    assert (second["total_jobs"], second["successful_jobs"], second["failed_jobs"]) == (2, 1, 1)
    assert second["duration_s"] == 0
    assert [row["run_id"] for row in answer(connection, "run_history", rows=1)] == [2]


def test_biggest_changes_and_findings_are_those_that_are_stored(tmp_path: Path) -> None:
    store_two_runs(tmp_path / "results.db")
    with closing(sqlite3.connect(tmp_path / "results.db")) as writing, writing:
        for country, share in (("KEN", -0.5), ("UGA", None), ("TZA", 0.25)):
            writing.execute(
                """INSERT INTO series_changes (run_id, country, scenario, element_label, kind,
                       changed_years, largest_year, before_value, after_value, relative_change)
                   VALUES (2, ?, 'up', ?, 'changed', 3, 2026, 1, 2, ?)""",
                [country, LABEL, share],
            )
        writing.execute(
            """INSERT INTO quality_findings (run_id, country, scenario, rule, severity, message)
               VALUES (1, 'KEN', 'up', 'bounds', 'error', 'too small')"""
        )
    with closing(open_for_reading(tmp_path / "results.db")) as reading:
        rows = answer(reading, "biggest_changes")
        assert [(row["country"], row["percent"]) for row in rows] == [
            ("UGA", None), ("KEN", -50.0), ("TZA", 25.0),
        ]  # fmt: skip
        assert len(answer(reading, "biggest_changes", rows=1)) == 1
        assert [row["name"] for row in answer(reading, "biggest_changes", country="TZA")] == [
            "Tanzania"
        ]
        (finding,) = answer(reading, "data_quality")
        assert (finding["rule"], finding["message"]) == ("bounds", "too small")
        assert answer(reading, "data_quality", severity="warning") == []


def test_suspicious_values_are_negative_missing_or_jump(tmp_path: Path) -> None:
    with ValidationDatabase(tmp_path / "results.db").writing() as database:
        keep_study(database.db, COUNTRIES, [])
        store_run(database, {("KEN", "up"): (1.0, -2.0, -1.9), ("UGA", "up"): (10.0, 12.0, 30.0)})
    with closing(open_for_reading(tmp_path / "results.db")) as reading:
        rows = answer(reading, "suspicious_values", label=LABEL, scenario="")
        assert [(r["country"], r["timestamp_year"], r["problem"]) for r in rows] == [
            ("KEN", 2026, "negative value"),
            ("KEN", 2027, "negative value"),
            ("UGA", 2027, "jump"),
        ]
        assert rows[2]["percent"] == 150
        (jump,) = answer(reading, "suspicious_values", label=LABEL, jump="19")[2:3]
        assert (jump["timestamp_year"], jump["value_before"]) == (2026, 10.0)
    with closing(sqlite3.connect(tmp_path / "results.db")) as writing, writing:
        writing.execute("DELETE FROM metric_values WHERE timestamp_year = 2026")
    with closing(open_for_reading(tmp_path / "results.db")) as reading:
        problems = [row["problem"] for row in answer(reading, "suspicious_values", scenario="up")]
        assert problems == ["negative value", "missing years"]


# --- errors --------------------------------------------------------------------------------------


def test_an_unknown_parameter_gets_a_suggestion(connection: sqlite3.Connection) -> None:
    with pytest.raises(ConfigError) as caught:
        run_canned_query(connection, QUERIES["scenario_impact"], {"scenari": "up"})
    assert str(caught.value) == (
        "canned query scenario_impact has no parameter 'scenari'. Did you mean scenario?"
    )


HEAD = "/*\n---\ntitle: T\ndescription: D\n{}---\n*/\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1", "q.sql does not begin with a comment /* --- (YAML) --- */"),
        (HEAD.format(""), "q.sql has no SQL after its comment"),
        ("/*\n---\n- a\n---\n*/ SELECT 1", "q.sql: the comment is no mapping of keys to values"),
        ("/*\n---\ntitle: T\n---\n*/ SELECT 1", "q.sql: the comment has no description"),
        (
            HEAD.format("paramters: {}\n") + "SELECT 1",
            "q.sql: the comment has an unknown key 'paramters'. Did you mean parameters?",
        ),
        (
            HEAD.format("parameters: {a: {defalt: 1}}\n") + "SELECT :a",
            "q.sql: parameter a has an unknown key 'defalt'. Did you mean default?",
        ),
        (
            HEAD.format("parameters: {a: {options: KEN}}\n") + "SELECT :a",
            "q.sql: parameter a: options has to be a SELECT of value[, label]",
        ),
        (
            HEAD.format("parameters: {a: {default: [1]}}\n") + "SELECT :a",
            "q.sql: parameter a: default has to be a SELECT of one value, or a literal",
        ),
        (HEAD.format("") + "SELECT :a", "q.sql: :a is not among the parameters of its comment"),
        (
            HEAD.format("parameters: {a: {default: 1}}\n") + "SELECT 1",
            "q.sql: parameter a is not used in the SQL",
        ),
        (
            HEAD.format("chart: {x: a}\n") + "SELECT 1",
            "q.sql: chart has no mark (bar, line, map, point)",
        ),
        (
            HEAD.format("columns: {a: A}\nchart: {mark: pie, x: a}\n") + "SELECT 1",
            "q.sql: chart: mark 'pie' is none of bar, line, map, point",
        ),
        (
            HEAD.format("columns: {a: A}\ncharts: {One: {mark: map, value: a}}\n") + "SELECT 1",
            "q.sql: charts: One: mark map needs a column for country",
        ),
        (
            HEAD.format("columns: {year: Y}\nchart: {mark: bar, x: yaer}\n") + "SELECT 1",
            "q.sql: chart: x: no column 'yaer'. Did you mean year?",
        ),
    ],
)
def test_a_bad_file_is_told_by_name_and_problem(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_canned_query("q", text)
    assert str(caught.value) == message


def test_bad_yaml_is_told_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"^q\.sql: the YAML in its comment: .* line 5, column "):
        parse_canned_query("q", HEAD.format("unit: [\n") + "SELECT 1")


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"^q\.sql cannot be read: "):
        load_canned_queries(tmp_path)


def test_sql_that_fails_is_told_with_its_file(empty: sqlite3.Connection) -> None:
    query = parse_canned_query("q", HEAD.format("") + "SELECT wages")
    with pytest.raises(ConfigError) as caught:
        run_canned_query(empty, query, {})
    assert str(caught.value) == "q.sql: SQL: no such column: wages"


def test_a_parameter_without_a_default_needs_a_value(empty: sqlite3.Connection) -> None:
    query = parse_canned_query("q", HEAD.format("parameters: {a: {title: A}}\n") + "SELECT :a AS a")
    assert run_canned_query(empty, query, {"a": 7}) == (["a"], [(7,)])
    with pytest.raises(ConfigError) as caught:
        run_canned_query(empty, query, {})
    assert str(caught.value) == "canned query q needs a value for a"


def test_front_matter_is_not_part_of_the_sql() -> None:
    query = parse_canned_query(
        "q",
        HEAD.format("unit: years\ncolumns: {a: an a}\nchart: {mark: bar, x: a, y: [a]}\n")
        + "SELECT 1 AS a\n",
    )
    assert (query.sql, query.unit, query.parameters) == ("SELECT 1 AS a", "years", ())
    assert query.chart is not None
    assert (query.chart.mark, query.chart.encoding) == ("bar", {"x": "a", "y": ["a"]})
