"""How long the main job's parts take: composing, planning, a local job, storing.

    python benchmarks/main_job.py [--real FOLDER]

Times are the best of several rounds; every comparison is made within one run. --real names the
folder of a study with 172 countries x 8 scenarios to compose; the bundled one stands in for it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from timing import best

from ingest.database import ValidationDatabase
from ingest.database.write import insert_result_set
from ingest.metrics import Metric, ResultSet
from ingest.planning.inputs import Inputs
from ingest.planning.plan import PlanRules, make_plan, wanted_inputs
from ingest.plugins.manager import load_plugins
from ingest.running.backend import choose_backend
from ingest.running.runner import ValidationRunner
from ingest.study.combination import Combination
from ingest.study.compose import compose_scenarios
from ingest.study.git import GitState
from ingest.study.json_files import read_json
from ingest.study.scenario import Parameter, parse_scenario
from ingest.study.settings import load_settings
from ingest.study.study import Model, Study, load_study

PROJECT = Path(__file__).resolve().parent.parent
BUNDLED = PROJECT / "examples" / "asthma"
LABELS, YEARS = 12, 26


def report(what: str, figure: str, aim: str) -> None:
    print(f"{what:<58} {figure:>16}   aim: {aim}")


def load_bundled(folder: Path, overrides: list[str]) -> Study:
    settings, _ = load_settings(folder / "ingest.toml", {}, overrides)
    return load_study(settings, load_plugins().hook)[0]


def bench_composition(real: Path | None) -> None:
    """172 x 8 documents, from the parsed model document to bytes and digests."""
    if real is not None:
        model = Model(read_json(real / "model.json", "model.json"), "model.json")
        files = sorted((real / "scenarios").glob("*.json"))
        scenarios = [parse_scenario(read_json(f, f.name), f.stem, f.name)[0] for f in files]
        listed = read_json(real / "countries" / "list_of_pruned_countries.json", "countries")
        countries = [entry["iso3"] for entry in listed["countries"]]
    else:
        study = load_bundled(BUNDLED, [])
        model, scenarios = study.model, list(study.scenarios)
        countries = [country.iso3 for country in study.countries][:172]

    def compose() -> int:
        composed = compose_scenarios(model, scenarios)
        size = 0
        for scenario in composed.values():
            for iso3 in countries:
                size += len(scenario.document(iso3)) + len(scenario.document_digest(iso3))
        return size

    which = "real" if real else "bundled"
    what = f"compose {len(countries)} x {len(scenarios)} documents ({which} study)"
    report(what, f"{best(compose):.3f} s", "under 0.2 s")


def bench_planning() -> None:
    """250 countries x 50 scenarios against a full database: composing, reading and planning."""
    study = load_bundled(BUNDLED, [])
    base = study.scenarios[1]
    scenarios = tuple(
        replace(base, name=f"s{i}", parameters=(*base.parameters, _years(i))) for i in range(50)
    )
    countries = [a + b + "X" for a in "ABCDEFGHIJKLMNOPQRSTUVWXY" for b in "ABCDEFGHIJ"]

    def wanted() -> dict[Combination, Inputs]:
        return wanted_inputs(study, compose_scenarios(study.model, scenarios), countries)

    with database_with_successes(wanted()) as database:

        def plan() -> None:
            made = make_plan(wanted(), database.stored_state(), PlanRules(), lambda digest: None)
            assert not made.to_run
            assert len(made.up_to_date) == 12_500

        report("plan 250 x 50 combinations, database full", f"{best(plan, 3):.3f} s", "under 0.5 s")


def _years(number: int) -> Parameter:
    return Parameter(f"p{number}", 2051 + number, ("$.runtime.endYear",))


@contextmanager
def database_with_successes(wanted: dict[Combination, Inputs]) -> Iterator[ValidationDatabase]:
    """A database in which every combination has succeeded."""
    from ingest.database.records import JobOutcome, JobRecord, JobStatus, RunRecord
    from ingest.planning.plan import Reason, ReasonKind

    with tempfile.TemporaryDirectory() as folder:
        database = ValidationDatabase(Path(folder) / "results.db")
        with database.writing():
            record = RunRecord("2026-01-01T00:00:00.000Z", "c", "", (), "s", "local", "0")
            reason = Reason(ReasonKind.NEVER_RUN, "never run")
            jobs = [
                JobRecord(combination, f"{number:026d}", "", inputs, reason)
                for number, (combination, inputs) in enumerate(wanted.items())
            ]
            run_id = database.start_validation_run(record, jobs, {})
            results = ResultSet([Metric("Population", 2025, 1.0)])
            for job in jobs:
                outcome = JobOutcome(
                    job.combination, JobStatus.SUCCESS, record.timestamp, 1, result_set=results
                )
                database.record_job_result(run_id, outcome)
            database.settle()
            yield database
        database.close()


TRIVIAL_MODEL = """
ROWS = [(f"Label {i}", 2025 + y, i * 1.5 + y) for i in range(12) for y in range(26)]
def simulate(document):
    return ROWS
"""


def bench_job_overhead() -> None:
    """A whole run of a model that does nothing but hand out 312 rows, for each job."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("countries.json", "model.json"):
            (folder / file).write_bytes((BUNDLED / file).read_bytes())
        (folder / "scenarios").symlink_to(BUNDLED / "scenarios")
        (folder / "model.py").write_text(TRIVIAL_MODEL)
        (folder / "ingest.toml").write_text('[executors.local]\nentry_point = "model:simulate"\n')
        settings, _ = load_settings(folder / "ingest.toml", {})
        plugins = load_plugins()
        study, _ = load_study(settings, plugins.hook)
        database = ValidationDatabase(settings.database_path)
        with database.writing():
            runner = ValidationRunner(study, database, GitState(), plugins=plugins)
            made = runner.execute(runner.plan(), choose_backend(settings, plugins))
        database.close()
    figure = f"{made.elapsed_s / made.total_jobs * 1000:.2f} ms"
    report(f"overhead of a local job ({made.total_jobs:,} jobs of 312 rows)", figure, "under 2 ms")


def bench_storing(sets: int = 1500) -> None:
    """Metric rows stored a second, next to plain executemany into the same table."""
    labels = [f"Label {number}" for number in range(LABELS)]
    keys = [(label, 2025 + year) for label in sorted(labels) for year in range(YEARS)]
    result_sets = [
        [Metric(label, year, seed * 1.1 + position) for position, (label, year) in enumerate(keys)]
        for seed in range(sets)
    ]
    rows = sets * len(keys)
    rates = []
    for _ in range(3):
        rates.append((rows / _store(result_sets), rows / _store_plainly(result_sets)))
    ours, plain = max(r[0] for r in rates), max(r[1] for r in rates)
    ratio = max(a / b for a, b in rates)
    report(f"store {rows:,} rows, a transaction a job", f"{ours:,.0f} rows/s", "")
    report("plain executemany into the same table, one transaction", f"{plain:,.0f} rows/s", "")
    report("ratio within one round", f"{ratio:.2f}", "at least 0.7")


def _store(result_sets: list[list[Metric]]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        database = ValidationDatabase(Path(folder) / "results.db")
        with database.writing():
            begin = time.perf_counter()
            for metrics in result_sets:
                with database.db.atomic():
                    insert_result_set(database.db, ResultSet(metrics))
            seconds = time.perf_counter() - begin
        database.close()
        return seconds


def _store_plainly(result_sets: list[list[Metric]]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        database = ValidationDatabase(Path(folder) / "results.db")
        with database.writing():
            connection = database.db.conn
            elements = {f"Label {number}": number for number in range(LABELS)}
            connection.executemany(
                "INSERT INTO elements VALUES (?, ?)",
                [(number, label) for label, number in elements.items()],
            )
            connection.executemany(
                "INSERT INTO result_sets VALUES (?, ?, 312, 2025, 2050)",
                [(number, str(number)) for number in range(len(result_sets))],
            )
            connection.commit()
            begin = time.perf_counter()
            connection.executemany(
                "INSERT INTO metric_values VALUES (?, ?, ?, ?)",
                (
                    (number, elements[label], year, value)
                    for number, metrics in enumerate(result_sets)
                    for label, year, value in metrics
                ),
            )
            connection.commit()
            seconds = time.perf_counter() - begin
        database.close()
        return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=Path, help="folder of the real study")
    arguments = parser.parse_args()
    bench_composition(arguments.real)
    bench_planning()
    bench_job_overhead()
    bench_storing()


if __name__ == "__main__":
    main()
