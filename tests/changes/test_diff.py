"""Differences against a plain reference in Python, over random states."""

from __future__ import annotations

import math
import random
from contextlib import closing
from pathlib import Path

import pytest

from ingest.changes.diff import SeriesChange, Tolerances, diff_states
from ingest.database import ValidationDatabase
from ingest.database.files import open_for_reading
from ingest.database.records import JobOutcome, JobRecord, JobStatus, RunRecord
from ingest.database.states import resolve_run
from ingest.errors import ConfigError
from ingest.metrics import Metric, ResultSet
from ingest.planning.inputs import Inputs, InputSet
from ingest.planning.plan import Reason, ReasonKind
from ingest.study.combination import Combination
from ingest.study.settings import ToleranceSettings
from tests.effort import examples

State = dict[Combination, dict[tuple[str, int], float]]
INPUTS = Inputs(InputSet("s", "m", "s", "c", "standard", "q"), "d")


def store(database: ValidationDatabase, state: State, commit: str = "c" * 40, day: int = 1) -> None:
    """A run that gives each combination of the state its numbers."""
    when = f"2026-01-{day:02d}T12:00:00.000Z"
    record = RunRecord(when, commit, "", (), "s", "local", "0")
    reason = Reason(ReasonKind.NEVER_RUN, "never run")
    jobs = [JobRecord(c, f"{n:026d}", "", INPUTS, reason) for n, c in enumerate(state)]
    run_id = database.start_validation_run(record, jobs, {})
    for combination, values in state.items():
        metrics = [Metric(*key, value) for key, value in sorted(values.items())]
        outcome = JobOutcome(combination, JobStatus.SUCCESS, when, 1, result_set=ResultSet(metrics))
        database.record_job_result(run_id, outcome)


def random_state(rng: random.Random) -> State:
    """Few combinations, labels, years and values, so that everything happens."""
    return {
        Combination(country, "s"): values
        for country in "ABCD"
        if rng.random() < 0.9
        for values in [
            {
                (label, year): rng.choice([0.0, 1.0, 1.0, 1.005, 2.0, -3.0])
                for label in ("x", "y -> z")
                if rng.random() < 0.9
                for year in (2025, 2026, 2027)
                if rng.random() < 0.9
            }
        ]
        if values
    }


def expected(before: State, after: State, tolerances: Tolerances) -> set[tuple[object, ...]]:
    """Country, label, kind and changed years of every series that moved, the slow way."""
    moved = set()
    for combination in set(before) & set(after):
        a, b = before[combination], after[combination]
        for label in {key[0] for key in (*a, *b)}:
            own = tolerances.labels.get(label, tolerances.default)
            years_a = {year for name, year in a if name == label}
            years_b = {year for name, year in b if name == label}
            beyond = len(years_a ^ years_b) + sum(
                abs(b[label, year] - a[label, year]) > own.atol + own.rtol * abs(a[label, year])
                for year in years_a & years_b
            )
            if beyond:
                kind = "changed" if years_a and years_b else "added" if years_b else "removed"
                moved.add((combination.country, label, kind, beyond))
    return moved


@pytest.mark.parametrize("seed", range(examples(20, long=500)))
def test_diff_equals_a_comparison_value_by_value(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    before, after = random_state(rng), random_state(rng)
    tolerances = rng.choice(
        [
            Tolerances(),
            Tolerances(ToleranceSettings(0.01, 0.0)),
            Tolerances(ToleranceSettings(), {"x": ToleranceSettings(0.5, 0.5)}),
        ]
    )
    database = ValidationDatabase(tmp_path / "results.db")
    with database.writing():
        store(database, before)
        store(database, after)
    with closing(open_for_reading(database.path)) as connection:
        first, second = resolve_run(connection, "1"), resolve_run(connection, "2")
        found = diff_states(connection, first, second, tolerances)
        one_label = diff_states(connection, first, second, tolerances, labels=["y -> z"])
    # what run 1 had and run 2 did not run is still true after run 2
    after = before | after
    moved = {(s.country, s.element_label, s.kind, s.changed_years) for s in found.series}
    assert moved == expected(before, after, tolerances)
    assert {(s.country, s.element_label, s.kind, s.changed_years) for s in one_label.series} == {
        entry for entry in moved if entry[1] == "y -> z"
    }
    assert set(found.added) == set(after) - set(before)
    assert found.removed == ()
    compared = len(found.changed) + len(found.within) + found.equal
    assert compared == len(set(before) & set(after))


def test_sums_and_largest_year_of_a_series(tmp_path: Path) -> None:
    database = ValidationDatabase(tmp_path / "results.db")
    combination = Combination("KEN", "s")
    with database.writing():
        store(database, {combination: {("x", 2025): 1.0, ("x", 2026): 2.0, ("x", 2027): 4.0}})
        store(database, {combination: {("x", 2025): 1.0, ("x", 2026): 2.5, ("x", 2027): 3.0}})
    with closing(open_for_reading(database.path)) as connection:
        runs = resolve_run(connection, "1"), resolve_run(connection, "2")
        found = diff_states(connection, *runs)
    (series,) = found.series
    assert series == SeriesChange("KEN", "s", "x", "changed", 2, 2027, 4.0, 3.0, 7.0, 6.5)
    assert (series.absolute, series.relative) == (-1.0, -0.25)
    assert found.changed[combination].is_nondeterministic


def test_a_zero_baseline_has_no_relative_change() -> None:
    series = SeriesChange("KEN", "s", "x", "changed", 1, 2025, 0.0, 3.0, 0.0, 3.0)
    assert series.absolute == 3.0
    assert series.relative is None
    assert not math.isinf(series.absolute)


@pytest.fixture
def named_runs(tmp_path: Path) -> ValidationDatabase:
    database = ValidationDatabase(tmp_path / "results.db")
    state: State = {Combination("KEN", "s"): {("x", 2025): 1.0}}
    with database.writing():
        for day, commit in ((1, "abc1" * 10), (3, "abc2" * 10), (5, "abc2" * 10)):
            store(database, state, commit, day)
        with database.db.atomic():
            database.db.conn.execute("UPDATE validation_runs SET status = 'completed'")
            database.db.conn.execute("INSERT INTO run_tags VALUES ('release', 1)")
    return database


@pytest.mark.parametrize(
    ("name", "run_id"),
    [
        ("latest", 3), ("previous", 2), ("1", 1), ("2", 2), ("release", 1), ("abc1", 1),
        ("ABC2", 3), ("abc2abc2", 3), ("2026-01-02", 1), ("2026-01-04", 2), ("2027-01-01", 3),
        ("2026-01-03T12:00:00+00:00", 2), ("2026-01-03T11:59:59+00:00", 1),
    ],
)  # fmt: skip
def test_runs_are_named_by_number_tag_commit_and_date(
    named_runs: ValidationDatabase, name: str, run_id: int
) -> None:
    with closing(open_for_reading(named_runs.path)) as connection:
        assert resolve_run(connection, name).run_id == run_id


@pytest.mark.parametrize("name", ["7", "abcd", "2025-12-31", "nonsense", ""])
def test_a_run_that_is_not_there_is_told_with_those_that_are(
    named_runs: ValidationDatabase, name: str
) -> None:
    expected = f"no run '{name}' in this database; runs are 1 to 3"
    with (
        closing(open_for_reading(named_runs.path)) as connection,
        pytest.raises(ConfigError, match=expected),
    ):
        resolve_run(connection, name)
