"""A results database as forty runs leave it: 28 million numbers of 172 countries x 8 scenarios.

    python benchmarks/large_database.py --output FOLDER [--rows 28000000]

The first run has the numbers of the bundled model. Each later one runs most combinations again and
moves some of their labels, once in a while all. Everything is stored as `ingest run` stores it, and
the same database is made every time.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ingest.analytics.quality import QualityFinding
from ingest.database import ValidationDatabase, write
from ingest.database.records import (
    AcceptedJob,
    JobOutcome,
    JobRecord,
    JobStatus,
    RunRecord,
    RunStatus,
)
from ingest.database.references import replace_reference
from ingest.database.study_settings import keep_definitions
from ingest.database.tags import store_tag
from ingest.findings import Severity
from ingest.metrics import Metric, ResultSet
from ingest.planning.inputs import Inputs
from ingest.planning.plan import (
    Reason,
    ReasonKind,
    input_sets_of,
    list_digests,
    study_contents,
    wanted_inputs,
)
from ingest.plugins.manager import load_plugins
from ingest.running.closing import close_changes
from ingest.study.combination import Combination
from ingest.study.compose import compose_scenarios
from ingest.study.json_files import canonical_json, sha256_text
from ingest.study.settings import load_settings
from ingest.study.study import Study, load_study

BUNDLED = Path(__file__).resolve().parent.parent / "examples" / "asthma"
NAME = "validation_results.db"
ROWS = 28_000_000
COUNTRIES = 172
SEED = 20261127
BEGIN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

# How many of the eight scenarios a run executes, and how many labels it moves, run after run.
SCENARIOS_OF_RUNS = (8, 8, 7, 8, 6, 8, 8, 7)
LABELS_OF_RUNS = (2, 1, 4, 2, 3, 21, 2, 1, 3)
FAILED_SHARE = 0.006
SUSPICIOUS_SHARE = 0.05

Numbers = dict[Combination, dict[str, list[Metric]]]
"""The newest numbers of each combination by label, in the order of the years."""

ERROR = """ValueError: life expectancy of {country} is missing for 2031
Traceback (most recent call last):
  File "model.py", line 88, in simulate
    expectancy = facts[country].life_expectancy[year]
ValueError: life expectancy of {country} is missing for 2031"""


def load_bundled() -> Study:
    """The bundled study with the first of its countries."""
    settings, _ = load_settings(BUNDLED / "ingest.toml", {})
    study = load_study(settings, load_plugins().hook)[0]
    return replace(study, countries=study.countries[:COUNTRIES])


def simulate(study: Study) -> Numbers:
    """What the bundled model says of every combination."""
    sys.path.insert(0, str(BUNDLED))
    model: Any = importlib.import_module("model")
    numbers: Numbers = {}
    for name, composed in compose_scenarios(study.model, study.scenarios).items():
        for country in study.countries:
            by_label: dict[str, list[Metric]] = {}
            for row in sorted(model.simulate(json.loads(composed.document(country.iso3)))):
                by_label.setdefault(row[0], []).append(Metric(*row))
            numbers[Combination(country.iso3, name)] = by_label
    return numbers


@dataclass(frozen=True)
class RunPlan:
    """One run: which scenarios it executes and which labels it moves."""

    number: int
    scenarios: tuple[str, ...]
    labels: tuple[str, ...]
    begin: datetime

    def moment(self, seconds: float) -> str:
        """A time as it is stored, so many seconds after the run's beginning."""
        moment = self.begin + timedelta(seconds=seconds)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plan_runs(scenarios: list[str], labels: list[str], chance: random.Random) -> Iterator[RunPlan]:
    """Runs without end, a week between them; the first executes everything."""
    number = 0
    while True:
        executed = SCENARIOS_OF_RUNS[number % len(SCENARIOS_OF_RUNS)]
        moved = min(LABELS_OF_RUNS[number % len(LABELS_OF_RUNS)], len(labels))
        yield RunPlan(
            number + 1,
            tuple(sorted(chance.sample(scenarios, executed))),
            tuple(sorted(chance.sample(labels, moved))),
            BEGIN + timedelta(days=7 * number, minutes=chance.randrange(600)),
        )
        number += 1


class LargeDatabase:
    """Writes run after run of the bundled study. rows: numbers stored so far."""

    def __init__(self, database: ValidationDatabase, study: Study) -> None:
        self._database = database
        self._study = study
        self._inputs = wanted_inputs(
            study,
            compose_scenarios(study.model, study.scenarios),
            [country.iso3 for country in study.countries],
        )
        self._numbers = simulate(study)
        self._chance = random.Random(SEED)
        self.rows = 0

    def runs(self) -> Iterator[RunPlan]:
        """What the runs do, one after the other."""
        labels = sorted(next(iter(self._numbers.values())))
        return plan_runs([s.name for s in self._study.scenarios], labels, self._chance)

    def store_run(self, run: RunPlan) -> None:
        """One run from its beginning to its end, as `ingest run` stores it."""
        database, jobs = self._database, self._jobs(run)
        study = self._study
        write.keep_study(database.db, study.countries, study.scenarios, study.labels)
        keep_definitions(database.db, study.settings)
        input_sets = [
            replace(shared, code_digest=sha256_text(_code(run.number)))
            for shared in input_sets_of(study).values()
        ]
        run_id = database.start_validation_run(
            self._record(run, jobs), jobs, self._contents(run), input_sets=input_sets
        )
        accepted = [
            AcceptedJob(job.combination, job.ulid, job.job_name, None, run.moment(i * 0.05), 1)
            for i, job in enumerate(jobs)
        ]
        write.mark_submitted(database.db, run_id, accepted)
        failures = 0
        for i, job in enumerate(jobs):
            outcome = self._outcome(run, job.combination, run.moment(1 + i * 0.05))
            stored = database.record_job_result(run_id, outcome)
            if stored is None:
                failures += 1
            elif stored.is_new and outcome.result_set is not None:
                self.rows += len(outcome.result_set)
        status = RunStatus.FAILED if failures else RunStatus.COMPLETED
        database.update_run_status(run_id, status, run.moment(2 + len(jobs) * 0.05))
        close_changes(database, run_id, self._study.settings)
        database.settle()

    def _record(self, run: RunPlan, jobs: list[JobRecord]) -> RunRecord:
        return RunRecord(
            timestamp=run.moment(0),
            git_commit=sha256_text(f"commit {run.number}")[:40],
            git_branch="main",
            dirty_files=("model.py",) if run.number % 5 == 0 else (),
            study=self._study.name,
            executor="local",
            ingest_version="0.1.0",
            up_to_date_jobs=len(self._inputs) - len(jobs),
            **{f"{kind}_digest": digest for kind, digest in list_digests(self._study).items()},
        )

    def _jobs(self, run: RunPlan) -> list[JobRecord]:
        first = run.number == 1
        reason = (
            Reason(ReasonKind.NEVER_RUN, "never run")
            if first
            else Reason(ReasonKind.CODE, f"code changed ({_code_file(run.number)})")
        )
        code_digest = sha256_text(_code(run.number))
        return [
            JobRecord(
                combination,
                f"01K{run.number:05d}{i:018d}",
                f"asthma-01K{run.number:05d}{i:018d}",
                Inputs(replace(inputs.shared, code_digest=code_digest), inputs.document_digest),
                reason,
            )
            for i, (combination, inputs) in enumerate(self._inputs.items())
            if combination.scenario in run.scenarios
        ]

    def _contents(self, run: RunPlan) -> dict[str, tuple[str, str]]:
        code = _code(run.number)
        return {**study_contents(self._study), sha256_text(code): ("code", code)}

    def _outcome(self, run: RunPlan, combination: Combination, completed_at: str) -> JobOutcome:
        """A success with the numbers of this run, or now and then a failure."""
        if self._chance.random() < FAILED_SHARE:
            return self._failure(combination, completed_at)
        by_label = self._numbers[combination]
        if run.number > 1:
            move = 1 + self._chance.uniform(-0.02, 0.02)
            for label in run.labels:
                by_label[label] = [
                    Metric(n, year, value * move) for n, year, value in by_label[label]
                ]
        metrics = [metric for label in sorted(by_label) for metric in by_label[label]]
        return JobOutcome(
            combination,
            JobStatus.SUCCESS,
            completed_at,
            1,
            duration_s=self._chance.uniform(0.004, 0.02),
            result_set=ResultSet(metrics),
            findings=self._findings(combination, metrics),
        )

    def _failure(self, combination: Combination, completed_at: str) -> JobOutcome:
        status, kind, error = self._chance.choice(
            (
                (JobStatus.FAILED, "model error", ERROR.format(country=combination.country)),
                (JobStatus.FAILED, "model error", ERROR.format(country=combination.country)),
                (JobStatus.TIMEOUT, "timeout", "ran longer than 3600 s"),
                (JobStatus.CANCELLED, "stopped", "stopped by hand"),
            )
        )
        return JobOutcome(
            combination, status, completed_at, 1, duration_s=0.01, error_kind=kind, error=error
        )

    def _findings(self, combination: Combination, metrics: list[Metric]) -> list[QualityFinding]:
        if self._chance.random() >= SUSPICIOUS_SHARE:
            return []
        label, year, value = self._chance.choice(metrics)
        rule, severity = self._chance.choice(
            (
                ("people are not negative", Severity.ERROR),
                ("the start is the same", Severity.WARNING),
                ("no jumps", Severity.WARNING),
            )
        )
        message = f"{label} is {value:.6g} in {year}"
        return [QualityFinding(rule, severity, *combination, label, year, value, message)]

    def store_beside(self, last_run: int) -> None:
        """Published figures of scenarios' impacts, and names for some runs."""
        figures = [
            (country, scenario, self._impact(country, scenario) * self._chance.uniform(0.8, 1.2))
            for country, scenario in self._numbers
            if scenario != "null"
        ]
        replace_reference(self._database.db, "Burden study 2026", "Healthy Years Lived", figures)
        for run_id, tag in ((1, "first"), (last_run // 2, "published"), (last_run, "candidate")):
            store_tag(self._database.db, max(run_id, 1), tag)
        self._database.settle()

    def _impact(self, country: str, scenario: str) -> float:
        """A scenario's healthy years over those of the baseline, all years together."""
        high, low = (
            self._numbers[Combination(country, name)]["Healthy Years Lived"]
            for name in (scenario, "null")
        )
        return math.fsum(b.value - a.value for a, b in zip(low, high, strict=True))


def _code_file(number: int) -> str:
    return ("model.py", "asthma_disease.py", "asthma_demography.py", "country_facts.csv")[
        number % 4
    ]


def _code(number: int) -> str:
    """The content that is kept of a run's code: a digest for each file."""
    files = {_code_file(i): sha256_text(f"code {i}") for i in range(number + 1)}
    return canonical_json(files)


def make_large_database(folder: Path, rows: int = ROWS) -> Path:
    """A new database with at least so many numbers in a folder; progress goes to stderr."""
    path = folder / NAME
    if path.exists():
        raise SystemExit(f"{path} is there already; name another folder or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()
    database = ValidationDatabase(path)
    with database.writing():
        large = LargeDatabase(database, load_bundled())
        for run in large.runs():
            large.store_run(run)
            seconds = time.perf_counter() - begin
            print(f"run {run.number}: {large.rows:,} rows, {seconds:.0f} s", file=sys.stderr)
            if large.rows >= rows:
                break
        large.store_beside(run.number)
    database.close()
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS, help="numbers to store at least")
    parser.add_argument("--output", type=Path, required=True, help="folder for the database")
    arguments = parser.parse_args()
    print(make_large_database(arguments.output, arguments.rows))


if __name__ == "__main__":
    main()
