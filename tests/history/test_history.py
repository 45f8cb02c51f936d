"""Sixty commits of a generated history: every answer is the oracle's, or says what is mixed."""

from __future__ import annotations

import csv
import json
import random
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from typing import Any

import pytest

from ingest.browser.pages.matrix import read_matrix
from ingest.browser.pages.overview import read_overview
from tests.conftest import Ingest, StudyFolder
from tests.effort import examples
from tests.history.oracle import Job, Oracle, Pair
from tests.history.world import Repository

pytestmark = pytest.mark.slow
COMMITS = 60
CHECKED_EVERY = 4


class Checks:
    """Asks `ingest` and compares with the oracle; told: the history so far, for a failure."""

    def __init__(self, study: StudyFolder, ingest: Ingest, oracle: Oracle, rng: Any) -> None:
        self.study, self.ingest, self.oracle, self.rng = study, ingest, oracle, rng

    def ask(self, *arguments: str) -> Any:
        """The JSON that a command prints."""
        result = self.ingest(*arguments)
        assert result.exit_code == 0, (arguments, result.stderr)
        return json.loads(result.stdout)

    def everything(self) -> None:
        """All answers as of now and as of an earlier run."""
        newest = len(self.oracle.runs)
        for run in {newest, self.rng.randint(1, newest)}:
            self.export(run, consistent=False)
            self.export(run, consistent=True)
            self.compare(run)
        self.diff(self.rng.randint(1, newest), newest)
        self.explain()
        self.status()
        self.pages()

    def export(self, run: int, *, consistent: bool) -> None:
        oracle, state = self.oracle, self.oracle.state(run)
        if consistent:
            state = {p: job for p, job in state.items() if oracle.is_current(run, p, job)}
        option = ["--consistent"] if consistent else []
        result = self.ingest("export", str(run), *option)
        if not state:
            assert (result.exit_code, "nothing to export" in result.stderr) == (2, True)
            return
        assert result.exit_code == 0, result.stderr
        rows = list(csv.DictReader(result.stdout.splitlines()))
        is_mixed = bool(oracle.differing(run, state)) and not consistent
        assert ("run_id" in rows[0], "mixed inputs" in result.stderr) == (is_mixed, is_mixed)
        found: dict[Pair, dict[Any, float]] = defaultdict(dict)
        for row in rows:
            pair, key = (row["country"], row["scenario"]), (row["element_label"],)
            found[pair][*key, int(row["timestamp_year"])] = float(row["value"])
            assert not is_mixed or int(row["run_id"]) == state[pair].origin, (run, pair)
        assert found.keys() == state.keys(), (run, consistent)
        for pair, job in state.items():
            assert found[pair] == pytest.approx(job.numbers, rel=1e-12), (run, pair)

    def compare(self, run: int) -> None:
        world = self.oracle.runs[run - 1].world
        names = sorted(world.scenarios)
        low, high = self.rng.sample(names, 2)
        chosen = self.rng.choice(([], [], self.rng.sample(sorted(world.countries), 2)))
        for by in ("country", "region", "total"):
            for consistent in (False, True):
                self.one_comparison(run, (low, high), sorted(chosen), by, consistent)

    def one_comparison(
        self, run: int, pair: Pair, chosen: list[str], by: str, consistent: bool
    ) -> None:
        where = (run, pair, chosen, by, consistent)
        expected = self.oracle.compare(run, *pair, chosen, consistent=consistent)
        options = ["--run", str(run), "--by", by, *(["--consistent"] if consistent else [])]
        options += ["--country", ",".join(chosen)] if chosen else []
        result = self.ingest("compare", *pair, *options, "--json")
        if not expected or any(c not in {p[0] for p in self.oracle.state(run)} for c in chosen):
            assert result.exit_code == 2, where
            return
        assert result.exit_code == 0, (where, result.stderr)
        answer = json.loads(result.stdout)
        keys = {
            country: row["region"] if by == "region" else by for country, row in expected.items()
        }
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for country, row in expected.items():
            key = country if by == "country" else keys[country]
            sums[key] = [sums[key][0] + row["low"], sums[key][1] + row["high"]]
        found = {
            row.get(by, by): [row["baseline_value"], row["scenario_value"]]
            for row in answer["rows"]
        }
        assert found == {key: pytest.approx(value) for key, value in sums.items()}, where
        total = [sum(row[side] for row in expected.values()) for side in ("low", "high")]
        assert answer["total"]["baseline_value"] == pytest.approx(total[0]), where
        assert answer["total"]["scenario_value"] == pytest.approx(total[1]), where
        countries = chosen or sorted(self.oracle.runs[run - 1].world.countries)
        asked = [(country, scenario) for country in countries for scenario in pair]
        differing = sorted((answer["mixed"] or {"differing": []})["differing"])
        assert differing == self.oracle.differing(run, asked), where
        assert answer["state"] == self.oracle.counts(run, asked), where

    def diff(self, before: int, after: int) -> None:
        old, new = self.oracle.state(before), self.oracle.state(after)
        answer = self.ask("diff", str(before), str(after), "--json")
        named = {
            kind: {(entry["country"], entry["scenario"]) for entry in answer[kind]}
            for kind in ("added", "removed")
        }
        assert named == {"added": new.keys() - old.keys(), "removed": old.keys() - new.keys()}
        both = old.keys() & new.keys()
        changed = {pair for pair in both if not _is_close(old[pair], new[pair])}
        assert {(s["country"], s["scenario"]) for s in answer["series"]
                if (s["country"], s["scenario"]) in both} == changed  # fmt: skip
        causes = {
            (c["country"], c["scenario"]): json.dumps([cause["changes"], cause["cause"]])
            for cause in answer["causes"]
            for c in cause["combinations"]
        }
        for pair in changed:
            for slot in _moved(old[pair], new[pair]):
                assert slot in causes[pair].lower(), (before, after, pair, slot, causes[pair])

    def explain(self) -> None:
        pair = self.rng.choice(sorted(self.oracle.jobs))
        answer = self.ask("explain", *pair, "--json")
        jobs, before = self.oracle.jobs[pair], None
        assert [(e["run_id"], e["job_status"]) for e in answer] == [(j.run, j.status) for j in jobs]
        for job, entry in zip(jobs, answer, strict=True):
            same = None
            if before is not None and job.status == "success":
                same = _is_close(before, job)
            assert entry["same_results"] == same, (pair, entry)
            if same is False and before is not None:
                told = json.dumps([entry["changes"], entry["cause"]]).lower()
                assert all(slot in told for slot in _moved(before, job)), (pair, entry)
            before = job if job.status == "success" else before

    def status(self) -> None:
        answer = self.ask("status", "--json", "-n", "100")
        runs = {run["run_id"]: run for run in answer}
        assert sorted(runs) == list(range(1, len(self.oracle.runs) + 1))
        for number, run in enumerate(self.oracle.runs, 1):
            counts, told = run.counts, runs[number]
            assert told["failed_jobs"] == counts["failed"], number
            assert told["successful_jobs"] == counts["success"] + counts["restored"], number

    def pages(self) -> None:
        newest = len(self.oracle.runs)
        world, state = self.oracle.runs[-1].world, self.oracle.state(newest)
        with closing(sqlite3.connect(self.study.database)) as connection:
            matrix = read_matrix(connection)
            assert read_overview(connection).matrix.counts == matrix.counts
            latest = connection.execute("SELECT country, scenario FROM latest_results").fetchall()
        assert sorted(matrix.scenarios) == sorted(world.scenarios)
        assert {row.iso3: row.region for row in matrix.rows} == world.countries
        assert sorted(latest) == list(state)
        assert matrix.with_numbers == len(state)
        assert matrix.without_success == matrix.size - len(state)
        for row in matrix.rows:
            for cell in row.cells:
                jobs = self.oracle.jobs.get((row.iso3, cell.scenario), [])
                assert cell.run_id == (jobs[-1].run if jobs else None), cell
                is_failed = bool(jobs) and jobs[-1].status == "failed"
                if (row.iso3, cell.scenario) not in state:
                    assert cell.kind == ("failed" if is_failed else "missing"), cell
                else:
                    assert (cell.kind == "stale") == is_failed, cell


def _is_close(one: Job, other: Job) -> bool:
    if one.numbers.keys() != other.numbers.keys():
        return False
    return bool(one.numbers == pytest.approx(other.numbers, rel=1e-9))


def _moved(before: Job, after: Job) -> list[str]:
    """What of the inputs moved the numbers, as a cause names it.

    A scenario that sets both slots by its parameter Coverage is named by that parameter, and by the
    slot where its paths came or went.
    """
    moved = [name.lower() for name in before.slots if before.slots[name] != after.slots[name]]
    name = next(part for part in before.inputs if part.startswith("scenario "))
    old, new = before.inputs[name], after.inputs[name]
    if isinstance(old, tuple) and isinstance(new, tuple) and old[1] != new[1]:
        return moved
    return ["coverage" if slot == "burden" and old != new else slot for slot in moved]


@pytest.mark.parametrize("seed", range(examples(1, 20)))
def test_every_answer_of_a_history_is_right(study: StudyFolder, ingest: Ingest, seed: int) -> None:
    rng = random.Random(seed)
    repository, oracle = Repository(study.root, rng), Oracle()
    checks = Checks(study, ingest, oracle, rng)
    told: list[str] = []
    done = Counter[str]()
    try:
        for commit in range(COMMITS):
            told.append(repository.edit() if commit else "first")
            if commit and rng.random() < 0.35:
                continue
            told.append(_run(repository, oracle, ingest, rng))
            done[told[-1].split()[0]] += 1
            if commit % CHECKED_EVERY == 0:
                checks.everything()
            if rng.random() < 0.04:
                told.append("gc")
                assert ingest("gc", "--retired", "--yes").exit_code == 0
                oracle.retire()
        checks.everything()
    except AssertionError as exc:
        exc.add_note(f"seed {seed}: " + "; ".join(told))
        raise


def _run(repository: Repository, oracle: Oracle, ingest: Ingest, rng: random.Random) -> str:
    """One run, whole or partial; gives its words for a failure."""
    world = repository.world
    countries, scenarios = sorted(world.countries), sorted(world.scenarios)
    options: list[str] = []
    if rng.random() < 0.3:
        countries = sorted(rng.sample(countries, rng.randint(1, len(countries))))
        options += ["--countries", ",".join(countries)]
    if rng.random() < 0.3:
        scenarios = sorted(rng.sample(scenarios, rng.randint(1, len(scenarios))))
        options += ["--scenarios", ",".join(scenarios)]
    options += rng.choices([["--no-reuse"], ["--force"], []], [1, 1, 10])[0]
    is_new = oracle.run(world, countries, scenarios, *options)
    result = ingest("run", "--quiet", *options)
    failures = oracle.runs[-1].counts["failed"] if is_new else 0
    assert (result.exit_code == 0) == (failures == 0), (options, result.stderr, result.stdout)
    return f"run {len(oracle.runs) if is_new else '-'} {' '.join(options)}"
