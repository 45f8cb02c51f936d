from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.database import ValidationDatabase
from ingest.database.changes import replace_series_changes
from ingest.database.cleanup import (
    Cleanup,
    CleanupRule,
    clean_up,
    give_space_back,
    plan_cleanup,
    read_pinned,
)
from ingest.database.files import open_for_reading
from ingest.database.records import JobOutcome, JobRecord, JobStatus, RunRecord, RunStatus
from ingest.database.states import make_state_table
from ingest.database.tags import read_tags, store_tag
from ingest.database.write import insert_result_set
from ingest.errors import DatabaseError
from ingest.metrics import Metric, ResultSet
from ingest.planning.inputs import Inputs, InputSet
from ingest.planning.plan import Reason, ReasonKind
from ingest.study.combination import Combination
from tests.effort import examples

KEN, UGA = Combination("KEN", "null"), Combination("UGA", "null")
# A run: for each combination the number it gave, or None where it failed.
Run = dict[Combination, float | None]


def add_run(database: ValidationDatabase, number: int, jobs: Run, *, ended: bool = True) -> int:
    record = RunRecord(
        f"2026-01-{number:02}T00:00:00.000Z", "c" * 40, "main", (), "tiny", "local", "1", 0
    )
    inputs = Inputs(InputSet("null", f"m{number}", "s", "c", "standard", "q"), f"d{number}")
    reason = Reason(ReasonKind.NEVER_RUN, "never run")
    records = [
        JobRecord(combination, f"{number:020}{i:06}", "name", inputs, reason)
        for i, combination in enumerate(jobs)
    ]
    contents = {f"m{number}": ("model", "{}"), "s": ("scenario", "[]")}
    run_id = database.start_validation_run(record, records, contents)
    if not ended:
        return run_id
    for combination, value in jobs.items():
        status = JobStatus.FAILED if value is None else JobStatus.SUCCESS
        results = None if value is None else ResultSet([Metric(f"L{value:g}", 2025, value)])
        database.record_job_result(
            run_id, JobOutcome(combination, status, record.timestamp, 1, 0.1, results)
        )
        changes = (combination.country, combination.scenario, "L", "changed", *[None] * 9, "")
        row = [0 if position == 4 else value for position, value in enumerate(changes)]
        stored = rows_of(database, "SELECT * FROM series_changes WHERE run_id = ?", run_id)
        kept = [tuple(old[1:]) for old in stored]
        replace_series_changes(database.db, run_id, [*kept, tuple(row)])
    database.update_run_status(run_id, RunStatus.COMPLETED, record.timestamp)
    return run_id


def test_a_run_keeps_how_much_it_moved(build: Callable[..., Path]) -> None:
    path = build({KEN: 1.0, UGA: 2.0})
    counts = "SELECT changed_series, changed_combinations FROM validation_runs"
    assert rows(path, counts) == [(2, 2)]
    with closing(ValidationDatabase(path)) as database, database.writing():
        [[*row]] = rows_of(database, "SELECT * FROM series_changes WHERE country = 'KEN'")
        replace_series_changes(database.db, 1, [tuple(row[1:]), ("KEN", "null", "M", *row[4:])])
    assert rows(path, counts) == [(2, 1)]


def rows_of(database: ValidationDatabase, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(sql, values)]


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Path]:
    """Makes a database of runs, numbered from 1."""
    numbers = iter(range(1000))

    def make(*runs: Run, tags: dict[str, int] | None = None) -> Path:
        path = tmp_path / f"results{next(numbers)}.db"
        database = ValidationDatabase(path)
        with database.writing():
            for number, run in enumerate(runs, start=1):
                add_run(database, number, run)
            for tag, run_id in (tags or {}).items():
                store_tag(database.db, run_id, tag)
        return path

    return make


def rows(path: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql, values).fetchall()


def clean(path: Path, rule: CleanupRule) -> Any:
    database = ValidationDatabase(path)
    with database.writing():
        removed = clean_up(database.db, rule)
        give_space_back(database.db)
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(path, "PRAGMA foreign_key_check") == []
    return removed


def runs(path: Path) -> list[int]:
    return [run_id for (run_id,) in rows(path, "SELECT run_id FROM validation_runs ORDER BY 1")]


def jobs(path: Path) -> list[tuple[int, str]]:
    return rows(path, "SELECT run_id, country FROM job_results ORDER BY 1, 2")


def state(path: Path, run_id: int) -> list[tuple[Any, ...]]:
    """The numbers that were true as of a run."""
    with closing(sqlite3.connect(path)) as connection:
        make_state_table(connection, "s", run_id)
        return connection.execute(
            """SELECT country, scenario, run_id, element_label, timestamp_year, value
                 FROM s JOIN metric_values USING (result_set_id) JOIN elements USING (element_id)
                ORDER BY 1, 2, 4, 5"""
        ).fetchall()


def latest(path: Path) -> list[tuple[Any, ...]]:
    return rows(path, "SELECT * FROM latest_metrics ORDER BY country, scenario, element_label")


def test_old_runs_go_with_all_that_was_theirs_alone(build: Callable[..., Path]) -> None:
    path = build({KEN: 1.0, UGA: 1.0}, {KEN: 2.0, UGA: 2.0}, {KEN: 3.0, UGA: 3.0})
    before = latest(path)
    removed = clean(path, CleanupRule(keep=1))
    assert (removed.runs, removed.trimmed_runs, removed.jobs) == ((1, 2), (), 4)
    assert (removed.result_sets, removed.values, removed.elements) == (2, 2, 2)
    assert (removed.input_sets, removed.inputs, removed.series_changes) == (2, 2, 4)
    assert removed.size_bytes > 0
    assert runs(path) == [3]
    assert latest(path) == before
    assert rows(path, "SELECT element_label FROM elements") == [("L3",)]
    assert rows(path, "SELECT digest FROM inputs ORDER BY 1") == [("m3",), ("s",)]
    assert rows(path, "SELECT DISTINCT run_id FROM series_changes") == [(3,)]
    assert rows(path, "SELECT count(*) FROM metric_values") == [(1,)]


def test_the_newest_success_stays_and_other_jobs_of_its_run_go(build: Callable[..., Path]) -> None:
    path = build({KEN: 1.0, UGA: 1.5}, {KEN: 2.0}, {KEN: 3.0})
    before = latest(path)
    removed = clean(path, CleanupRule(keep=1))
    assert (removed.runs, removed.trimmed_runs) == ((2,), (1,))
    assert jobs(path) == [(1, "UGA"), (3, "KEN")]
    assert latest(path) == before
    assert rows(path, "SELECT run_id, country FROM series_changes") == [(1, "UGA"), (3, "KEN")]
    counts = "SELECT run_id, changed_series, changed_combinations FROM validation_runs"
    assert rows(path, counts) == [(1, 1, 1), (3, 1, 1)]
    assert rows(path, "SELECT total_jobs FROM validation_runs WHERE run_id = 1") == [(2,)]


def test_a_success_stays_though_later_runs_of_it_failed(build: Callable[..., Path]) -> None:
    path = build({KEN: 1.0}, {KEN: None}, {KEN: None}, {UGA: 1.0})
    before = latest(path)
    clean(path, CleanupRule(keep=1))
    assert latest(path) == before
    # the failure of run 3 is the newest word on KEN: it decides what --only-failed runs
    assert jobs(path) == [(1, "KEN"), (3, "KEN"), (4, "UGA")]


def test_what_was_true_as_of_a_tagged_run_stays(build: Callable[..., Path]) -> None:
    path = build(
        {KEN: 1.0, UGA: 1.0}, {KEN: 2.0}, {KEN: 3.0, UGA: 3.0}, {KEN: 4.0}, tags={"paper": 2}
    )
    then = state(path, 2)
    assert clean(path, CleanupRule(keep=1)).runs == ()
    # run 1 holds UGA as of run 2, run 3 the newest of UGA
    assert jobs(path) == [(1, "UGA"), (2, "KEN"), (3, "UGA"), (4, "KEN")]
    assert state(path, 2) == then
    with closing(open_for_reading(path)) as connection:
        assert read_pinned(connection).tagged == (2,)
        assert [tag["tag"] for tag in read_tags(connection)] == ["paper"]


def test_by_age_runs_begun_before_go_but_never_the_newest(build: Callable[..., Path]) -> None:
    path = build({KEN: 1.0}, {KEN: 2.0}, {KEN: 3.0})
    assert clean(path, CleanupRule(before="2026-01-02T00:00:00.000Z")).runs == (1,)
    assert clean(path, CleanupRule(before="2030-01-01T00:00:00.000Z")).runs == (2,)
    assert runs(path) == [3]


def test_with_age_and_number_a_run_goes_when_both_choose_it(build: Callable[..., Path]) -> None:
    path = build(*[{KEN: float(number)} for number in range(1, 6)])
    rule = CleanupRule(keep=2, before="2026-01-03T00:00:00.000Z")
    assert clean(path, rule).runs == (1, 2)


def test_a_run_that_is_going_on_stays(build: Callable[..., Path]) -> None:
    path = build({KEN: 1.0}, {KEN: 2.0})
    database = ValidationDatabase(path)
    with database.writing():
        add_run(database, 3, {KEN: None}, ended=False)
        add_run(database, 4, {KEN: 4.0})
    assert clean(path, CleanupRule(keep=1)).runs == (1,)
    # run 2 is what is true as of run 3
    assert runs(path) == [2, 3, 4]


def test_without_a_rule_only_what_nobody_refers_to_goes(build: Callable[..., Path]) -> None:
    path = build({KEN: 1.0}, {KEN: 2.0})
    assert clean(path, CleanupRule()).is_empty
    database = ValidationDatabase(path)
    with database.writing(), database.db.atomic():
        insert_result_set(database.db, ResultSet([Metric("Nobody's", 2025, 1.0)]))
    removed = clean(path, CleanupRule())
    assert (removed.runs, removed.result_sets, removed.elements) == ((), 1, 1)


def test_an_empty_database_has_nothing_to_remove(build: Callable[..., Path]) -> None:
    assert clean(build(), CleanupRule(keep=1)).is_empty


def test_planning_changes_nothing_and_foretells_the_removal(build: Callable[..., Path]) -> None:
    path = build({KEN: 1.0, UGA: 1.0}, {KEN: 2.0}, {KEN: None})
    with closing(open_for_reading(path)) as connection:
        before = list(connection.iterdump())
        planned = plan_cleanup(connection, CleanupRule(keep=1))
        assert list(connection.iterdump()) == before
    assert clean(path, CleanupRule(keep=1)) == planned


def test_a_row_that_would_be_left_without_its_run_undoes_everything(
    build: Callable[..., Path],
) -> None:
    path = build({KEN: 1.0}, {KEN: 2.0})
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (run_id REFERENCES validation_runs (run_id))")
        connection.execute("INSERT INTO notes VALUES (1)")
        connection.commit()
    database = ValidationDatabase(path)
    with database.writing(), pytest.raises(DatabaseError) as error:
        clean_up(database.db, CleanupRule(keep=1))
    assert str(error.value) == (
        "a row of notes refers to validation_runs that would be removed; nothing was changed"
    )
    assert jobs(path) == [(1, "KEN"), (2, "KEN")]


def test_after_a_clean_up_results_can_be_stored_again(build: Callable[..., Path]) -> None:
    path = build({KEN: 1.0}, {KEN: 2.0})
    database = ValidationDatabase(path)
    with database.writing():
        with database.db.atomic():
            insert_result_set(database.db, ResultSet([Metric("Gone", 2025, 1.0)]))
        clean_up(database.db, CleanupRule(keep=1))
        add_run(database, 3, {KEN: 1.0})
        with database.db.atomic():
            insert_result_set(database.db, ResultSet([Metric("Gone", 2025, 1.0)]))
    assert runs(path) == [2, 3], "numbers of runs are not used again"
    assert rows(path, "PRAGMA foreign_key_check") == []
    assert latest(path) == [(3, "KEN", "null", "L1", 2025, 1.0)]


RUNS = st.lists(
    st.dictionaries(
        st.sampled_from([KEN, UGA, Combination("KEN", "cr1"), Combination("TZA", "cr1")]),
        st.one_of(st.none(), st.sampled_from([1.0, 2.0, 3.0])),
        max_size=4,
    ),
    min_size=1,
    max_size=7,
)


@settings(
    max_examples=examples(20, long=400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=RUNS, keep=st.integers(1, 4), tagged=st.integers(1, 7))
def test_what_runs_that_stay_say_never_changes(
    build: Callable[..., Path], history: list[Run], keep: int, tagged: int
) -> None:
    path = build(*history, tags={"pin": min(tagged, len(history))})
    count = len(history)
    stay = {*range(max(1, count - keep + 1), count + 1), min(tagged, count)}
    states = {run_id: state(path, run_id) for run_id in stay}
    planning = stored_state(path)
    numbers = latest(path)
    clean(path, CleanupRule(keep=keep))
    assert {run_id: state(path, run_id) for run_id in stay} == states
    assert stored_state(path) == planning
    assert latest(path) == numbers
    assert stay <= set(runs(path))
    referred = "SELECT result_set_id FROM job_results WHERE result_set_id IS NOT NULL"
    assert rows(path, f"SELECT * FROM result_sets WHERE result_set_id NOT IN ({referred})") == []


def stored_state(path: Path) -> tuple[Any, ...]:
    """What decides which combinations run next."""
    with closing(ValidationDatabase(path)) as database:
        found = database.stored_state()
    return found.successes, found.failures, found.unfinished


@pytest.mark.parametrize("name", [field.name for field in fields(Cleanup)])
def test_a_cleanup_that_removes_anything_is_not_empty(name: str) -> None:
    nothing: dict[str, Any] = {
        field.name: () if field.name in ("runs", "trimmed_runs") else 0 for field in fields(Cleanup)
    }
    assert Cleanup(**nothing).is_empty
    assert not Cleanup(**nothing | {name: (1,) if nothing[name] == () else 1}).is_empty
