"""What answers must be after each run: plain Python over recorded inputs, without ingest's help."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.history.world import World

Pair = tuple[str, str]
Numbers = dict[tuple[str, int], float]
PARTS = ("the model document", "the code", "the environment")


def slots(world: World, scenario: str) -> tuple[float, float]:
    """Coverage and burden that a job of a scenario computes with."""
    values = world.scenarios[scenario]
    if values["coverage"] is None:
        return world.coverage, world.burden
    return values["coverage"], values["coverage"] if values["wide"] else world.burden


def numbers(world: World, country: str, scenario: str) -> Numbers:
    """Every number of a combination, by label and year."""
    coverage, burden = slots(world, scenario)
    size = sum(map(ord, country)) * world.factor
    found: Numbers = {}
    for year in range(2025, world.end_year):
        found["Population", year] = size * (year - 2000)
        found["Healthy Years Lived", year] = size * (year - 2000) * (2 + coverage - burden / 4)
    return found


def inputs(world: World, scenario: str) -> dict[str, object]:
    """What went in, by the part that an answer names; cosmetic values are no input."""
    values = world.scenarios[scenario]
    parameter = None if values["coverage"] is None else (values["coverage"], values["wide"])
    return {
        "the model document": (world.coverage, world.burden, world.end_year),
        "the code": (world.factor, world.note, world.broken),
        "the environment": world.environment,
        f"scenario {scenario}": parameter,
    }


def computed_from(world: World, scenario: str) -> tuple[object, ...]:
    """What decides the numbers of a combination: its composed document, code and environment."""
    code = (world.factor, world.note, world.broken)
    return (slots(world, scenario), world.end_year, code, world.environment)


@dataclass(frozen=True)
class Job:
    """One job of a combination; origin: the run that computed its numbers."""

    run: int
    status: str
    inputs: dict[str, object]
    computed_from: tuple[object, ...]
    slots: dict[str, object]
    numbers: Numbers
    origin: int


@dataclass(frozen=True)
class Run:
    """A run, with the study as it was then, and how many jobs came to what."""

    world: World
    counts: Counter[str]


@dataclass
class Oracle:
    """The history of a study, kept run by run."""

    runs: list[Run] = field(default_factory=list)
    jobs: dict[Pair, list[Job]] = field(default_factory=dict)

    # --- what a run does ----------------------------------------------------------------------

    def run(
        self, world: World, countries: Iterable[str], scenarios: Iterable[str], *options: str
    ) -> bool:
        """Follow a run of these names; gives whether there is anything to record."""
        world = copy.deepcopy(world)
        number, counts = len(self.runs) + 1, Counter[str]()
        for scenario in scenarios:
            for country in countries:
                done = self._job(world, (country, scenario), number, options)
                if done is not None:
                    self.jobs.setdefault((country, scenario), []).append(done)
                    kind = done.status if done.origin == number else "restored"
                    counts[kind] += 1
        if not counts and self.runs and not _is_other_study(self.runs[-1].world, world):
            return False
        self.runs.append(Run(world, counts))
        return True

    def _job(self, world: World, pair: Pair, number: int, options: Sequence[str]) -> Job | None:
        country, scenario = pair
        now, source = inputs(world, scenario), computed_from(world, scenario)
        successes = [job for job in self.jobs.get(pair, []) if job.status == "success"]
        newest, reuse = (successes[-1] if successes else None), "--no-reuse" not in options
        alike = [job for job in successes if job.computed_from == source]
        if "--force" not in options and newest is not None:
            if newest.computed_from == source:  # what a change does not reach is never run
                if newest.inputs == now:
                    return None
                return self._made(world, pair, number, "success", newest.origin)
            if alike and reuse:
                return self._made(world, pair, number, "success", alike[-1].origin)
        failed = country in world.broken
        return self._made(world, pair, number, "failed" if failed else "success", number)

    def _made(self, world: World, pair: Pair, number: int, status: str, origin: int) -> Job:
        country, scenario = pair
        coverage, burden = slots(world, scenario)
        found = numbers(world, country, scenario) if status == "success" else {}
        moving = {"coverage": coverage, "burden": burden, "endYear": world.end_year}
        moving |= {"code": (world.factor, world.note), "environment": world.environment}
        now, source = inputs(world, scenario), computed_from(world, scenario)
        return Job(number, status, now, source, moving, found, origin)

    def retire(self) -> None:
        """Forget every job of what is no longer in the study."""
        study = self.runs[-1].world
        for pair in list(self.jobs):
            if pair[0] not in study.countries or pair[1] not in study.scenarios:
                del self.jobs[pair]

    # --- what answers say, as of a run --------------------------------------------------------

    def state(self, run: int) -> dict[Pair, Job]:
        """The newest success of each combination of the study as it was at the run."""
        found = {}
        for country in self.runs[run - 1].world.countries:
            for scenario in self.runs[run - 1].world.scenarios:
                jobs = [j for j in self.jobs.get((country, scenario), []) if j.run <= run]
                successes = [job for job in jobs if job.status == "success"]
                if successes:
                    found[country, scenario] = successes[-1]
        return dict(sorted(found.items()))

    def is_current(self, run: int, pair: Pair, job: Job) -> bool:
        """Whether a job had the inputs that the study had at the run."""
        return job.inputs == inputs(self.runs[run - 1].world, pair[1])

    def counts(self, run: int, pairs: Iterable[Pair]) -> dict[str, int]:
        """How many of some combinations are current, stale, failed, missing and retired."""
        found = dict.fromkeys(("current", "stale", "failed", "missing", "retired"), 0)
        state = self.state(run)
        for pair in pairs:
            jobs = [job for job in self.jobs.get(pair, []) if job.run <= run]
            if pair in state and self.is_current(run, pair, state[pair]):
                found["current"] += 1
            elif not jobs:
                found["missing"] += 1
            else:
                found["failed" if jobs[-1].status == "failed" else "stale"] += 1
        return found

    def differing(self, run: int, pairs: Iterable[Pair]) -> list[str]:
        """Which inputs differ between the results of some combinations; empty: they belong."""
        state = self.state(run)
        seen: dict[str, list[object]] = {}
        for pair in pairs:
            for part, value in (state[pair].inputs if pair in state else {}).items():
                if value not in seen.setdefault(part, []):
                    seen[part].append(value)
        return sorted(part for part, values in seen.items() if len(values) > 1)

    def compare(
        self, run: int, low: str, high: str, countries: Sequence[str], *, consistent: bool
    ) -> dict[str, dict[str, Any]]:
        """Healthy years under both scenarios by country, over the years that both have."""
        state = self.state(run)
        rows = {}
        for country in countries or sorted(self.runs[run - 1].world.countries):
            both = [(country, low), (country, high)]
            found = [state[pair] for pair in both if pair in state]
            if consistent:
                found = [state[p] for p in both if p in state and self.is_current(run, p, state[p])]
            if len(found) == 2:
                years = [key for key in found[0].numbers if key in found[1].numbers]
                years = [key for key in years if key[0] == "Healthy Years Lived"]
                sums = [sum(job.numbers[key] for key in years) for job in found]
                region = self.runs[run - 1].world.countries[country]
                rows[country] = {"low": sums[0], "high": sums[1], "region": region}
        return rows


def _is_other_study(before: World, now: World) -> bool:
    """Whether the inputs, or what the study consists of and calls things, are others."""
    sides = []
    for world in (before, now):
        names = {name: values["label"] for name, values in world.scenarios.items()}
        of_scenarios = {name: inputs(world, name) for name in world.scenarios}
        sides.append((names, of_scenarios, world.countries))
    return sides[0] != sides[1]
