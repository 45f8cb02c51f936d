"""Fixtures: a tiny study written anew for each test, and the real one where it is present."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ingest.cli import main

gc.disable()  # until pytest_collection_finish()

# The results browser's fixtures, which the tests of several folders use.
pytest_plugins = ["tests.browser.fixtures"]

# Started in the background, a shell has this process ignore Ctrl-C, and with it all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as after nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

PROJECT = Path(__file__).resolve().parent.parent
BUNDLED_STUDY = PROJECT / "examples" / "asthma"

# Every test below these folders may start processes and servers; elsewhere a test says so itself.
SLOW_FOLDERS = ("browser", "chromium", "cloud", "commands", "executors")
_STARTS = {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.system", "socket.bind"}
_fast_test: list[str] = []


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where slow tests are left out, their folders need not even be imported."""
    slow = {PROJECT / "tests" / name for name in SLOW_FOLDERS}
    return True if config.option.markexpr == "not slow" and collection_path in slow else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of SLOW_FOLDERS."""
    tests = PROJECT / "tests"
    for item in items:
        if item.path.relative_to(tests).parts[0] in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """Thousands of tests and their modules stay to the end: no look for garbage goes over them."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Know which test may not start a process, see _refuse()."""
    if item.get_closest_marker("slow") is None:
        _fast_test.append(item.nodeid)
    try:
        return (yield)
    finally:
        _fast_test.clear()


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if _fast_test and event in _STARTS:
        raise AssertionError(f"{event} in {_fast_test[0]}: mark it with @pytest.mark.slow")


sys.addaudithook(_refuse)

MODEL = {
    "metadata": {"name": "tiny"},
    "runtime": {"startYear": 2025, "endYear": 2028, "synchronous_iterations": 1},
    "nodes": [
        {
            "id": "population",
            "label": "Population",
            "generate_array": {"method": "population", "parameters": {"country": "AFG"}},
        },
        {
            "id": "coverage",
            "label": "Coverage",
            "generate_array": {"method": "single_value", "parameters": {"value": 0.1}},
        },
    ],
    "links": [
        {
            "id": "births",
            "label": "Births",
            "generate_array": {"method": "fertility", "parameters": {"country": "AFG"}},
        },
    ],
    "subroutines": [],
}

COUNTRY_PATHS = [
    "$.nodes[?(@.id=='population')].generate_array.parameters.country",
    "$.links[?(@.id=='births')].generate_array.parameters.country",
]
COVERAGE_PATH = "$.nodes[?(@.id=='coverage')].generate_array.parameters.value"

# Numbers that depend on everything a document holds, without any randomness.
MODEL_CODE = """
def simulate(document):
    runtime = document["runtime"]
    country = document["nodes"][0]["generate_array"]["parameters"]["country"]
    coverage = document["nodes"][1]["generate_array"]["parameters"]["value"]
    people = sum(ord(letter) for letter in country) / 7
    for year in range(runtime["startYear"], runtime["endYear"]):
        yield "Population", year, people * (year - 2000)
        yield "Healthy Years Lived", year, people * (year - 2000) * (0.9 + coverage / 10)
"""


def scenario(coverage: float, **parameters: Any) -> dict[str, Any]:
    """A scenario document that sets the country and a coverage."""
    return {
        "metadata": {"label": f"Coverage {coverage}", "description": "", "authors": []},
        "parameters": {
            "Country": {"value": "AFG", "paths": COUNTRY_PATHS, "hidden": True},
            "Coverage": {"value": coverage, "paths": [COVERAGE_PATH]},
            **parameters,
        },
    }


class StudyFolder:
    """A tiny study in a folder: four countries, two scenarios, a model in Python."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        (root / "scenarios").mkdir(exist_ok=True)
        self.write_settings()
        self.write_json("model.json", MODEL)
        self.write_json("scenarios/null.json", scenario(0.0))
        self.write_json("scenarios/scale_up.json", scenario(0.9))
        self.write_countries("KEN", "UGA", "TZA", "NAM")
        self.write_model(MODEL_CODE)

    @classmethod
    def at(cls, root: Path) -> StudyFolder:
        """A study that is there already, as it is."""
        study = cls.__new__(cls)
        study.root = root
        return study

    @property
    def database(self) -> Path:
        return self.root / "validation_results.db"

    def write_settings(self, extra: str = "", study: str = 'name = "tiny"') -> None:
        text = f'[study]\n{study}\n[executors.local]\nentry_point = "model:simulate"\nworkers = 2\n'
        (self.root / "ingest.toml").write_text(text + extra)

    def write_json(self, name: str, document: Any) -> None:
        (self.root / name).write_text(json.dumps(document, indent=1))

    def write_countries(self, *codes: str) -> None:
        countries = [{"name": f"Land of {code}", "iso3": code, "region": "East"} for code in codes]
        self.write_json("countries.json", {"countries": countries})

    def write_model(self, code: str) -> None:
        (self.root / "model.py").write_text(code)


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """The tiny study in a fresh folder outside git."""
    return StudyFolder(tmp_path / "tiny")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith(("INGEST_", "GIT_")):
            monkeypatch.delenv(name)


Ingest = Callable[..., Result]


@pytest.fixture
def ingest(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> Ingest:
    """Calls `ingest ARGUMENTS...` in the study's folder; stdout and stderr are kept apart."""
    monkeypatch.chdir(study.root)

    def call(*arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(main, list(arguments), catch_exceptions=False, **options)

    return call


@pytest.fixture(scope="session")
def real_study() -> Path:
    """Folder of the real asthma study: REAL_STUDY, or ../shared/asthma beside the project."""
    folder = Path(os.environ.get("REAL_STUDY") or PROJECT.parent / "shared" / "asthma")
    if not (folder / "model.json").exists():
        if os.environ.get("REQUIRE_REAL_STUDY"):
            pytest.fail(f"REQUIRE_REAL_STUDY is set, but there is no study in {folder}")
        pytest.skip("the real study is not part of this project; set REAL_STUDY to its folder")
    return folder
