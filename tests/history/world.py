"""A small study as plain Python values, its files, and the edits of its history."""

from __future__ import annotations

import copy
import json
import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import COUNTRY_PATHS, COVERAGE_PATH, MODEL

BURDEN_PATH = "$.nodes[?(@.id=='burden')].generate_array.parameters.value"
CODES = ("KEN", "UGA", "TZA", "NAM", "RWA")
CODE = """
# note {note}
def simulate(document):
    runtime, (people, coverage, burden) = document["runtime"], document["nodes"][:3]
    country = people["generate_array"]["parameters"]["country"]
    if country in {broken}:
        raise ValueError("broken")
    share = coverage["generate_array"]["parameters"]["value"]
    load = burden["generate_array"]["parameters"]["value"]
    size = sum(ord(letter) for letter in country) * {factor}
    for year in range(runtime["startYear"], runtime["endYear"]):
        yield "Population", year, size * (year - 2000)
        yield "Healthy Years Lived", year, size * (year - 2000) * (2 + share - load / 4)
"""


@dataclass
class World:
    """What the files of the study say; cosmetic: values that move nothing on a page or a canvas."""

    end_year: int = 2028
    coverage: float = 0.1
    burden: float = 0.3
    cosmetic: int = 0
    factor: float = 1.5
    note: int = 0
    broken: tuple[str, ...] = ()
    environment: str = "standard"
    scenarios: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "null": {"coverage": 0.0, "wide": False, "label": "Nothing"},
            "scale_up": {"coverage": 0.9, "wide": False, "label": "More"},
            "natural": {"coverage": None, "wide": False, "label": "As it comes"},
        }
    )
    countries: dict[str, str] = field(
        default_factory=lambda: {"KEN": "East", "UGA": "East", "TZA": "South", "NAM": "South"}
    )

    def write(self, root: Path) -> None:
        """All files of the study, those of scenarios that went removed."""
        (root / "ingest.toml").write_text(
            f'[study]\nname = "tiny"\nenvironment = "{self.environment}"\n'
            '[executors.local]\nentry_point = "model:simulate"\nworkers = 1\n'
        )
        note, factor, broken = self.note, self.factor, self.broken
        code = CODE.format(note=note, factor=factor, broken=repr(broken))
        (root / "model.py").write_text(code)
        (root / "model.json").write_text(json.dumps(self._model(), indent=1))
        rows = [{"iso3": c, "name": f"Land {c}", "region": r} for c, r in self.countries.items()]
        (root / "countries.json").write_text(json.dumps({"countries": rows}))
        for file in (root / "scenarios").glob("*.json"):
            file.unlink()
        for name, values in self.scenarios.items():
            text = json.dumps(_scenario(values), indent=1)
            (root / "scenarios" / f"{name}.json").write_text(text)

    def _model(self) -> dict[str, Any]:
        model = copy.deepcopy(MODEL)
        model["metadata"]["version"] = self.cosmetic
        model["runtime"]["endYear"] = self.end_year
        burden = copy.deepcopy(model["nodes"][1]) | {"id": "burden", "label": "Burden"}
        model["nodes"].append(burden)
        for node, value in zip(model["nodes"][1:], (self.coverage, self.burden), strict=True):
            node["generate_array"]["parameters"]["value"] = value
            node["x"] = self.cosmetic
        return model


def _scenario(values: dict[str, Any]) -> dict[str, Any]:
    parameters: dict[str, Any] = {"Country": {"value": "AFG", "paths": COUNTRY_PATHS}}
    if values["coverage"] is not None:
        paths = [COVERAGE_PATH, BURDEN_PATH] if values["wide"] else [COVERAGE_PATH]
        parameters["Coverage"] = {"value": values["coverage"], "paths": paths}
    return {"metadata": {"label": values["label"]}, "parameters": parameters}


# --- edits ----------------------------------------------------------------------------------------


def _value(world: World, rng: random.Random) -> None:
    name = rng.choice(("coverage", "burden"))
    setattr(world, name, rng.choice([v for v in (0.1, 0.2, 0.3) if v != getattr(world, name)]))


def _runtime(world: World, rng: random.Random) -> None:
    world.end_year = rng.choice([year for year in (2027, 2028, 2030) if year != world.end_year])


def _scenario_value(world: World, rng: random.Random) -> None:
    values = world.scenarios[rng.choice(sorted(world.scenarios))]
    values["coverage"] = rng.choice([v for v in (None, 0.0, 0.5, 0.9) if v != values["coverage"]])


def _scenario_paths(world: World, rng: random.Random) -> None:
    values = world.scenarios[rng.choice(sorted(world.scenarios))]
    values["wide"] = not values["wide"]


def _cosmetic(world: World, rng: random.Random) -> None:
    world.cosmetic += 1


def _scenario_label(world: World, rng: random.Random) -> None:
    world.scenarios[rng.choice(sorted(world.scenarios))]["label"] = f"Label {rng.random():.3f}"


def _code(world: World, rng: random.Random) -> None:
    world.factor = rng.choice([factor for factor in (1.5, 2.5, 3.5) if factor != world.factor])


def _code_note(world: World, rng: random.Random) -> None:
    world.note = rng.choice([note for note in range(3) if note != world.note])


def _break_or_repair(world: World, rng: random.Random) -> None:
    world.broken = () if world.broken else rng.choice((("KEN",), ("UGA", "TZA"), CODES))


def _environment(world: World, rng: random.Random) -> None:
    world.environment = "standard" if world.environment == "large" else "large"


def _add_scenario(world: World, rng: random.Random) -> None:
    name = rng.choice(("null", "scale_up", "natural", "extra", "more"))
    world.scenarios.setdefault(name, {"coverage": 0.5, "wide": False, "label": name})


def _delete_scenario(world: World, rng: random.Random) -> None:
    if len(world.scenarios) > 2:
        del world.scenarios[rng.choice(sorted(world.scenarios))]


def _rename_scenario(world: World, rng: random.Random) -> None:
    free = [name for name in ("null", "natural", "renamed") if name not in world.scenarios]
    if free:
        values = world.scenarios.pop(rng.choice(sorted(world.scenarios)))
        world.scenarios[rng.choice(free)] = values


def _countries(world: World, rng: random.Random) -> None:
    code = rng.choice(CODES)
    if code not in world.countries:
        world.countries[code] = "North"
    elif len(world.countries) > 2:
        del world.countries[code]


def _groups(world: World, rng: random.Random) -> None:
    code = rng.choice(sorted(world.countries))
    world.countries[code] = "East" if world.countries[code] != "East" else "South"


EDITS: dict[str, Callable[[World, random.Random], None]] = {
    "value": _value,
    "runtime": _runtime,
    "scenario value": _scenario_value,
    "scenario paths": _scenario_paths,
    "cosmetic": _cosmetic,
    "scenario label": _scenario_label,
    "code": _code,
    "code note": _code_note,
    "break or repair": _break_or_repair,
    "environment": _environment,
    "add scenario": _add_scenario,
    "delete scenario": _delete_scenario,
    "rename scenario": _rename_scenario,
    "countries": _countries,
    "groups": _groups,
}


class Repository:
    """The study in git: a commit for each edit, and the worlds of all of them."""

    def __init__(self, root: Path, rng: random.Random) -> None:
        self.root, self._rng, self.world = root, rng, World()
        self.commits: list[tuple[str, World]] = []
        self._git("init", "-q", "-b", "main")
        (root / ".gitignore").write_text("*.db*\n*.csv\n__pycache__\n")
        self._commit("first")

    def _git(self, *arguments: str) -> str:
        names = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "gc.auto=0")
        command = ["git", "-C", str(self.root), *names, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def _commit(self, message: str) -> None:
        self.world.write(self.root)
        self._git("add", "-A")
        self._git("commit", "-q", "--allow-empty", "-m", message)
        self.commits.append((self._git("rev-parse", "HEAD"), copy.deepcopy(self.world)))

    def edit(self) -> str:
        """One more commit by an edit, or back to an earlier one; says what it was."""
        if len(self.commits) > 3 and self._rng.random() < 0.2:
            sha, world = self._rng.choice(self.commits[-8:-1])
            self._git("checkout", "-q", sha)
            self.world = copy.deepcopy(world)
            return f"checkout {sha[:7]}"
        edit = self._rng.choice(sorted(EDITS))
        EDITS[edit](self.world, self._rng)
        self._commit(edit)
        return edit
