"""Plugins as their authors write them: files of a study, an installed package, every hook."""

from __future__ import annotations

import inspect
import json
import re
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingest.analytics.sources.base import ExecutorSource
from ingest.errors import AnalyticsError, ConfigError, PluginError
from ingest.executors.base import Executor, JobUpdate
from ingest.executors.local.executor import LocalExecutor
from ingest.plugins import defaults, hookspecs
from ingest.plugins.manager import (
    call_observers,
    find_analytics_source,
    find_executor,
    list_plugins,
    load_plugins,
)
from ingest.running.backend import choose_backend
from ingest.study.local_settings import LocalSettings
from ingest.study.setting_fields import read_section
from ingest.study.settings import load_settings
from tests.conftest import PROJECT, Ingest, StudyFolder, scenario
from tests.executors.drive import make_context

HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("ingest_"))
WITH_PLUGINS = 'name = "tiny"\nplugins = "plugins"'
IMPORT = "from ingest.plugin_api import hookimpl\n"

AddPlugin = Callable[[str, str], Path]


@pytest.fixture
def add_plugin(study: StudyFolder) -> AddPlugin:
    """Writes a file into the study's plugins folder."""
    study.write_settings(study=WITH_PLUGINS)
    folder = study.root / "plugins"
    folder.mkdir()

    def add(name: str, code: str) -> Path:
        path = folder / f"{name}.py"
        path.write_text(IMPORT + code, encoding="utf-8")
        return path

    return add


def rows(study: StudyFolder, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(study.database)) as connection:
        return connection.execute(sql).fetchall()


def documented_blocks() -> list[str]:
    """The Python examples of docs/plugins.md, in order."""
    page = (PROJECT / "docs" / "plugins.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)


# --- loading -------------------------------------------------------------------------------------


def test_the_default_plugin_implements_hooks_like_others() -> None:
    (listed,) = list_plugins(load_plugins())
    assert listed["name"] == "ingest.plugins.defaults"
    assert listed["origin"] == "default"
    assert listed["hooks"] == sorted(name for name in vars(defaults) if name.startswith("ingest_"))
    assert set(listed["hooks"]) < set(HOOKS)


@pytest.mark.parametrize("find", [find_executor, find_analytics_source])
def test_what_comes_along_is_found_by_the_name_its_class_has(find: Callable[..., Any]) -> None:
    manager = load_plugins()
    hook = f"ingest_register_{'executors' if find is find_executor else 'analytics_sources'}"
    offers = getattr(defaults, hook)()
    assert len(offers) >= 2
    assert [find(manager, offer.name).name for offer in offers] == [o.name for o in offers]


def test_a_class_that_comes_along_may_be_offered_once_more(tmp_path: Path) -> None:
    (tmp_path / "again.py").write_text(
        IMPORT + "from ingest.plugin_api import LocalExecutor\n"
        "@hookimpl\ndef ingest_register_executors(): return [LocalExecutor]\n"
    )
    assert find_executor(load_plugins(tmp_path), "local") is LocalExecutor


def test_the_files_of_a_folder_are_loaded_in_order(tmp_path: Path) -> None:
    hook = IMPORT + "@hookimpl\ndef ingest_run_finished(event): pass\n"
    (tmp_path / "b_second.py").write_text(hook)
    (tmp_path / "a_first.py").write_text(hook)
    (tmp_path / "notes.txt").write_text("no plugin")
    files = [p for p in list_plugins(load_plugins(tmp_path)) if p["origin"] == "file"]
    assert [Path(plugin["name"]).name for plugin in files] == ["a_first.py", "b_second.py"]
    assert all(plugin["hooks"] == ["ingest_run_finished"] for plugin in files)


def test_a_plugin_file_may_hold_dataclasses_with_postponed_annotations(tmp_path: Path) -> None:
    (tmp_path / "modern.py").write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "from pathlib import Path\n"
        "from ingest.executors.local.executor import LocalExecutor\n"
        "from ingest.plugin_api import hookimpl\n"
        "from ingest.study.setting_fields import setting\n"
        "@dataclass(frozen=True)\n"
        "class ModernSettings:\n"
        "    words: tuple[str, ...] = setting((), 'some words')\n"
        "class Modern(LocalExecutor):\n"
        "    name = 'modern'\n"
        "    Settings = ModernSettings\n"
        "@hookimpl\n"
        "def ingest_register_executors(): return [Modern]\n"
    )
    cls = find_executor(load_plugins(tmp_path), "modern")
    settings, findings = read_section(cls.Settings, {"words": ["a", "b"]}, "modern", "ingest.toml")
    assert settings.words == ("a", "b")
    assert findings == []


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("def broken(:\n", "SyntaxError: invalid syntax"),
        ("import no_such_package\n", "No module named 'no_such_package'"),
        ("@hookimpl\ndef ingest_run_finished(evnt): pass\n", "{'evnt'}"),
    ],
)
def test_a_broken_plugin_file_is_named(tmp_path: Path, code: str, told: str) -> None:
    (tmp_path / "bad_one.py").write_text(IMPORT + code)
    with pytest.raises(PluginError) as error:
        load_plugins(tmp_path)
    message = str(error.value)
    assert str(tmp_path / "bad_one.py") in message
    assert told in message
    assert "\n" not in message


def test_a_misspelt_hook_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "typo.py").write_text(IMPORT + "@hookimpl\ndef ingest_run_finishd(event): pass\n")
    with pytest.raises(PluginError) as error:
        load_plugins(tmp_path)
    assert "typo.py" in str(error.value)
    assert "'ingest_run_finishd'" in str(error.value)
    assert str(error.value).endswith("Did you mean ingest_run_finished?")


def test_a_plugins_folder_that_is_missing_is_named(study: StudyFolder, ingest: Ingest) -> None:
    study.write_settings(study='name = "tiny"\nplugins = "nowhere"')
    result = ingest("run")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: study.plugins: no folder ")
    assert "nowhere" in result.stderr


def test_a_broken_plugin_stops_a_run_with_exit_code_2(
    study: StudyFolder, add_plugin: AddPlugin, ingest: Ingest
) -> None:
    add_plugin("bad", "raise RuntimeError('not today')\n")
    result = ingest("run")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "bad.py: RuntimeError: not today" in result.stderr
    assert not study.database.exists()


# --- an installed package ------------------------------------------------------------------------


@dataclass
class Distribution:
    """A folder that looks like site-packages with one package installed."""

    folder: Path
    module: str

    def install(self, code: str, target: str | None = None) -> None:
        info = self.folder / f"{self.module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {self.module.replace('_', '-')}\nVersion: 1.2\n"
        )
        (info / "entry_points.txt").write_text(
            f"[ingest]\n{self.module}_plugin = {target or self.module}\n"
        )
        (self.folder / f"{self.module}.py").write_text(IMPORT + code)


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Distribution:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    # a module of another test of this name must not be found
    monkeypatch.delitem(sys.modules, "ingest_moon_phase", raising=False)
    return Distribution(folder, "ingest_moon_phase")


@pytest.mark.slow
def test_an_installed_plugin_is_loaded_and_listed_with_its_package(
    distribution: Distribution, study: StudyFolder, ingest: Ingest
) -> None:
    distribution.install(
        "from ingest.findings import warning\n"
        "@hookimpl\n"
        "def ingest_check_metrics(combination, result_set):\n"
        "    return [warning('moon', str(combination), 'the moon is full')]\n"
    )
    expected = {
        "name": "ingest_moon_phase_plugin",
        "hooks": ["ingest_check_metrics"],
        "origin": "installed",
        "package": "ingest-moon-phase 1.2",
    }
    assert expected in list_plugins(load_plugins())
    assert expected in json.loads(ingest("plugins", "--json").stdout)
    assert "ingest-moon-phase 1.2" in ingest("plugins").stdout
    assert ingest("run").exit_code == 0
    notes = rows(study, "SELECT DISTINCT notes FROM job_results WHERE country = 'KEN'")
    assert all("the moon is full" in note for (note,) in notes)


def test_an_installed_plugin_may_be_an_object(distribution: Distribution) -> None:
    code = (
        "class Plugin:\n"
        "    @hookimpl\n"
        "    def ingest_run_finished(self, event): pass\n"
        "plugin = Plugin()\n"
    )
    distribution.install(code, "ingest_moon_phase:plugin")
    (plugin,) = [p for p in list_plugins(load_plugins()) if p["origin"] == "installed"]
    assert plugin["hooks"] == ["ingest_run_finished"]


@pytest.mark.parametrize(
    ("code", "target", "told"),
    [
        ("1 / 0\n", None, "ZeroDivisionError"),
        ("", "ingest_moon_phase:missing", "AttributeError"),
        ("", "no_such_module_at_all", "ModuleNotFoundError"),
        ("@hookimpl\ndef ingest_run_finished(evnt): pass\n", None, "evnt"),
    ],
)
def test_a_broken_installed_plugin_is_named(
    distribution: Distribution, ingest: Ingest, code: str, target: str | None, told: str
) -> None:
    distribution.install(code, target)
    with pytest.raises(PluginError, match=r"^installed plugin ingest_moon_phase_plugin: ") as error:
        load_plugins()
    assert told in str(error.value)
    assert ingest("run").exit_code == 2


# --- every hook, through `ingest run` ------------------------------------------------------------


@pytest.mark.slow
def test_ingest_discover_scenarios_chooses_the_scenario_files(
    study: StudyFolder, add_plugin: AddPlugin, ingest: Ingest
) -> None:
    (study.root / "variants").mkdir()
    study.write_json("variants/half.json", scenario(0.5))
    add_plugin(
        "variants",
        "@hookimpl\n"
        "def ingest_discover_scenarios(settings):\n"
        "    return sorted((settings.root / 'variants').glob('*.json'))\n",
    )
    assert ingest("run").exit_code == 0
    assert rows(study, "SELECT DISTINCT scenario FROM job_results") == [("half",)]


@pytest.mark.slow
def test_a_plugin_that_answers_none_leaves_scenarios_to_the_next(
    study: StudyFolder, add_plugin: AddPlugin, ingest: Ingest
) -> None:
    add_plugin("nothing", "@hookimpl\ndef ingest_discover_scenarios(settings): return None\n")
    assert ingest("run").exit_code == 0
    assert len(rows(study, "SELECT DISTINCT scenario FROM job_results")) == 2


@pytest.mark.slow
def test_ingest_load_countries_reads_a_countries_file_of_another_kind(
    study: StudyFolder, add_plugin: AddPlugin, ingest: Ingest
) -> None:
    study.write_settings(study=WITH_PLUGINS + '\ncountries = "countries.csv"')
    (study.root / "countries.csv").write_text(
        "iso3,name,region\nKEN,Kenya,Africa\nCIV,Côte d'Ivoire,Africa\n", encoding="utf-8"
    )
    without = ingest("run")
    assert without.exit_code == 2
    assert "no plugin reads countries.csv" in without.stderr
    (example,) = [block for block in documented_blocks() if "ingest_load_countries" in block]
    add_plugin("csv_countries", example)
    assert ingest("run").exit_code == 0
    assert rows(study, "SELECT iso3, name, region FROM countries ORDER BY iso3") == [
        ("CIV", "Côte d'Ivoire", "Africa"),
        ("KEN", "Kenya", "Africa"),
    ]
    assert len(rows(study, "SELECT 1 FROM job_results")) == 4


@pytest.mark.slow
def test_ingest_register_executors_offers_an_executor_with_settings_of_its_own(
    study: StudyFolder, add_plugin: AddPlugin, ingest: Ingest
) -> None:
    add_plugin(
        "fixed",
        "import json\n"
        "from dataclasses import dataclass\n"
        "from ingest.executors.base import Executor, JobState, JobUpdate, Submission\n"
        "from ingest.study.setting_fields import setting\n"
        "@dataclass(frozen=True)\n"
        "class Settings:\n"
        "    value: float = setting(1.0, 'the value of every metric', minimum=0)\n"
        "class Fixed(Executor):\n"
        "    name = 'fixed'\n"
        "    Settings = Settings\n"
        "    def submit(self, jobs):\n"
        "        return (Submission(job.ulid, f'external-{job.ulid}') for job in jobs)\n"
        "    def poll(self, ulids, wait_s):\n"
        "        return [JobUpdate(ulid, JobState.SUCCEEDED) for ulid in ulids]\n"
        "    def fetch(self, ulid):\n"
        "        return f'element_label,timestamp_year,value\\n"
        "Fixed,2030,{self.settings.value}'.encode()\n"
        "@hookimpl\n"
        "def ingest_register_executors(): return [Fixed]\n",
    )
    study.write_settings("[executors.fixed]\nvalue = 2.5\n", WITH_PLUGINS)
    result = ingest("run", "--executor", "fixed", "--set", "run.poll_interval_s=0.01")
    assert result.exit_code == 0, result.stderr
    assert rows(study, "SELECT DISTINCT element_label, value FROM metrics") == [("Fixed", 2.5)]
    assert rows(study, "SELECT DISTINCT executor FROM validation_runs") == [("fixed",)]
    ids = rows(study, "SELECT ulid, external_id FROM job_results")
    assert len(ids) == 8
    assert all(external_id == f"external-{ulid}" for ulid, external_id in ids)
    study.write_settings("[executors.fixed]\nvaleu = 2.5\n", WITH_PLUGINS)
    mistyped = ingest("run", "--executor", "fixed")
    assert mistyped.exit_code == 2
    assert "unknown key executors.fixed.valeu. Did you mean value?" in mistyped.stderr


@pytest.mark.slow
def test_ingest_register_analytics_sources_offers_a_source(
    study: StudyFolder, add_plugin: AddPlugin, ingest: Ingest
) -> None:
    (example,) = [b for b in documented_blocks() if "ingest_register_analytics_sources" in b]
    every_job = example.replace('f"{ulid}.csv"', '"every_job.csv"')
    add_plugin("folder", every_job)
    study.write_settings(
        '[analytics]\nsource = "folder"\n[analytics.folder]\npath = "numbers"\n', WITH_PLUGINS
    )
    (study.root / "numbers").mkdir()
    failed = ingest("run", "--countries", "KEN")
    assert failed.exit_code == 1
    assert rows(study, "SELECT DISTINCT error_kind, error FROM job_results") == [
        ("results not fetched", "no file every_job.csv in numbers")
    ]
    (study.root / "numbers/every_job.csv").write_text(
        "element_label,timestamp_year,value\nFrom the folder,2030,7\n"
    )
    assert ingest("run", "--countries", "UGA").exit_code == 0
    labels = rows(study, "SELECT DISTINCT element_label, value FROM metrics")
    assert labels == [("From the folder", 7.0)]


@pytest.mark.slow
def test_another_source_or_a_setting_of_it_that_decides_a_result_means_a_re_run(
    study: StudyFolder, add_plugin: AddPlugin, ingest: Ingest
) -> None:
    (example,) = [b for b in documented_blocks() if "ingest_register_analytics_sources" in b]
    add_plugin("folder", example.replace('f"{ulid}.csv"', '"every_job.csv"'))
    for folder, value in (("results", 7), ("others", 9)):
        (study.root / folder).mkdir()
        csv = f"element_label,timestamp_year,value\nFrom the folder,2030,{value}\n"
        (study.root / folder / "every_job.csv").write_text(csv)
    study.write_settings(study=WITH_PLUGINS)
    assert ingest("run", "--quiet").exit_code == 0
    source = "\n[analytics]\nsource = 'folder'\n"
    other_place = "[analytics.folder]\npath = 'others'\n"
    for settings, told, values in (
        (source, "analytics.source executor -> folder", [(7.0,)]),
        (source + other_place, "analytics.folder.path results -> others", [(9.0,)]),
    ):
        study.write_settings(settings, study=WITH_PLUGINS)
        plan = ingest("plan").output
        assert plan.startswith("8 of 8 combinations to run"), plan
        assert f"analytics query changed ({told})" in plan
        assert ingest("run", "--quiet").exit_code == 0
        shown = "SELECT DISTINCT value FROM latest_metrics"
        assert rows(study, shown) == values
        assert "Nothing to do" in ingest("run").output
    told = json.loads(ingest("explain", "KEN", "null", "--json").stdout)
    assert "analytics.folder.path results -> others" in json.dumps(told)
    assert rows(study, "SELECT analytics_source FROM validation_runs") == [
        ("executor",), ("folder",), ("folder",),
    ]  # fmt: skip


@pytest.mark.slow
def test_variables_set_what_a_plugins_executor_and_source_declare(
    study: StudyFolder, add_plugin: AddPlugin, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("class ThreadExecutor", "ingest_register_analytics_sources"):
        (example,) = [block for block in documented_blocks() if part in block]
        add_plugin(part.split()[-1], example)
    study.write_settings(study=WITH_PLUGINS)
    monkeypatch.setenv("INGEST_EXECUTORS_THREADS_WORKERS", "0")
    told = ingest("check", "--set", "run.executor=threads")
    assert told.exit_code == 2
    assert "executors.threads.workers: must be at least 1, not 0" in told.output
    assert ingest("check").exit_code == 0
    monkeypatch.setenv("INGEST_ANALYTICS_FOLDER_PATHS", "x")
    told = ingest("check", "--set", "analytics.source=folder")
    assert "unknown key analytics.folder.paths. Did you mean path?" in told.output
    told = ingest("check")
    assert told.exit_code == 0
    assert "INGEST_ANALYTICS_FOLDER_PATHS: names no setting and is ignored" in told.output


CHECK = """
from ingest.findings import error, warning

@hookimpl
def ingest_check_metrics(settings, combination, result_set):
    if combination.country == "KEN":
        return [error("low", "Population", f"{settings.name}: {len(result_set)} rows are wrong")]
    if combination.country == "UGA":
        return [warning("odd", "Population", "looks odd")]
    if combination.country == "TZA":
        raise LookupError("the check itself is broken")
"""


@pytest.mark.slow
def test_ingest_check_metrics_fails_a_job_or_leaves_a_note(
    study: StudyFolder, add_plugin: AddPlugin, ingest: Ingest
) -> None:
    add_plugin("checks", CHECK)
    assert ingest("run", "--scenarios", "null").exit_code == 1
    found = rows(
        study,
        """SELECT country, job_status, error_kind, error, notes, result_set_id IS NOT NULL
             FROM job_results ORDER BY country""",
    )
    assert [row[:4] for row in found] == [
        ("KEN", "failed", "metric check", "Population: tiny: 6 rows are wrong"),
        ("NAM", "success", None, None),
        (
            "TZA",
            "failed",
            "metric check",
            "plugin plugins/checks.py, ingest_check_metrics: "
            "LookupError: the check itself is broken",
        ),
        ("UGA", "success", None, None),
    ]
    assert "Population: looks odd" in found[3][4]
    assert not found[1][4]
    assert [bool(row[5]) for row in found] == [False, True, False, True]
    assert rows(study, "SELECT DISTINCT country FROM metrics ORDER BY 1") == [("NAM",), ("UGA",)]


@pytest.mark.slow
def test_a_label_that_was_asked_for_and_is_missing_is_noted(
    study: StudyFolder, ingest: Ingest
) -> None:
    study.write_settings('[analytics]\nelement_labels = ["Population", "Deaths"]\n')
    assert ingest("run", "--countries", "KEN", "--scenarios", "null").exit_code == 0
    ((notes,),) = rows(study, "SELECT notes FROM job_results")
    assert "no metric labelled 'Deaths'" in notes
    assert rows(study, "SELECT DISTINCT element_label FROM metrics") == [("Population",)]


WRONG_HOOKS = [
    ("ingest_discover_scenarios(settings)", "raise SystemExit(0)", "SystemExit: 0"),
    ("ingest_discover_scenarios(settings)", "raise LookupError('none')", "LookupError: none"),
    ("ingest_discover_scenarios(settings)", "return 'scenarios'", "'scenarios' is no Path"),
    ("ingest_discover_scenarios(settings)", "return ['a.json']", "'a.json' is no Path"),
    ("ingest_discover_scenarios(settings)", "yield 1 / 0", "ZeroDivisionError: division by zero"),
    ("ingest_load_countries(settings)", "import sys; sys.exit(0)", "SystemExit: 0"),
    ("ingest_load_countries(settings)", "return open('gone')", "FileNotFoundError: [Errno 2] No"),
    ("ingest_load_countries(settings)", "raise LookupError('x' * 5_000_000)",
     f"LookupError: {'x' * 667} [... 4,999,000 bytes left out ...] {'x' * 333}"),
    ("ingest_register_executors()", "raise SystemExit(1)", "SystemExit: 1"),
    ("ingest_register_executors()", "return [int]", "<class 'int'> is no subclass of Executor"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(("hook", "code", "told"), WRONG_HOOKS)
def test_a_hook_that_misbehaves_is_one_line_with_exit_code_2(
    ingest: Ingest, add_plugin: AddPlugin, command: str, hook: str, code: str, told: str
) -> None:
    add_plugin("odd", f"@hookimpl\ndef {hook}:\n    {code}\n")
    result = ingest(command)
    assert result.exit_code == 2
    name = hook.partition("(")[0]
    (line,) = [text for text in result.output.splitlines() if "odd.py" in text]
    assert f"plugin plugins/odd.py, {name}: {told}" in line


@pytest.mark.parametrize("code", ["import sys; sys.exit(0)\n", "raise SystemExit\n", "exit(3)\n"])
def test_a_plugin_that_exits_while_it_is_loaded_is_named(
    ingest: Ingest, add_plugin: AddPlugin, code: str
) -> None:
    add_plugin("leaves", code)
    result = ingest("check")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: plugin plugins/leaves.py: SystemExit: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("return 'all is well'", "'all is well' is no Finding"),
        ("return [0.5]", "0.5 is no Finding"),
        ("yield 1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_metric_check_that_misbehaves_fails_its_jobs(
    study: StudyFolder, add_plugin: AddPlugin, ingest: Ingest, code: str, told: str
) -> None:
    add_plugin("odd", f"@hookimpl\ndef ingest_check_metrics(result_set):\n    {code}\n")
    assert ingest("run", "--countries", "KEN").exit_code == 1
    found = rows(study, "SELECT DISTINCT error_kind, error FROM job_results")
    assert found == [("metric check", f"plugin plugins/odd.py, ingest_check_metrics: {told}")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", ["start(self)", "submit(self, jobs)", "poll(self, ulids, wait_s)"]
)
def test_an_executor_that_exits_ends_the_run_with_one_line(
    study: StudyFolder, add_plugin: AddPlugin, ingest: Ingest, method: str
) -> None:
    add_plugin(
        "leaves",
        "import sys\nfrom ingest.plugin_api import LocalExecutor\n"
        "class Leaves(LocalExecutor):\n    name = 'leaves'\n"
        f"    def {method}: sys.exit(0)\n"
        "@hookimpl\ndef ingest_register_executors(): return [Leaves]\n",
    )
    executor = '[executors.leaves]\nentry_point = "model:simulate"\n'
    study.write_settings(executor, study=WITH_PLUGINS)
    result = ingest("run", "--executor", "leaves")
    assert result.exit_code == 2
    told = "Error: leaves (ingest_plugin_leaves.Leaves) called sys.exit(0)"
    assert result.stderr.splitlines()[-1] == told


AROUND_EXAMPLES = """
import csv
from ingest.plugin_api import AnalyticsSource, LocalExecutor, warning
HOOK_URL = "https://example.org/hook"
class SlurmExecutor(LocalExecutor):
    name = "slurm"
class WarehouseSource(AnalyticsSource):
    name = "warehouse"
class requests:
    @staticmethod
    def post(url, json): print("posted", url, json)
"""


@pytest.mark.slow
def test_the_examples_of_all_hooks_work_together(
    study: StudyFolder, add_plugin: AddPlugin, ingest: Ingest
) -> None:
    """As in the docstrings of hooks, copied into one file."""
    texts = [inspect.getdoc(getattr(hookspecs, hook)) or "" for hook in HOOKS]
    examples = [text[text.rindex("\n\n") :] for text in texts]
    assert all("@hookimpl" in example for example in examples)
    add_plugin("examples", AROUND_EXAMPLES + "".join(map(textwrap.dedent, examples)))
    study.write_settings(
        '[executors.slurm]\nentry_point = "model:simulate"\n',
        study=WITH_PLUGINS + '\ncountries = "countries.csv"',
    )
    (study.root / "countries.csv").write_text("name,iso3\nKenya,KEN\nUganda,UGA\n")
    (study.root / "scenarios").rename(study.root / "variants")
    study.write_model("def simulate(document): yield 'Change', 2030, -1.5\n")
    result = ingest("run", "--executor", "slurm")
    assert result.exit_code == 0, result.stderr
    assert "4 succeeded, 0 failed" in result.stdout
    assert "warning" not in result.stderr.lower()
    ((notes,),) = rows(study, "SELECT DISTINCT notes FROM job_results")
    assert "Change: 2030: -1.5" in notes
    assert "posted https://example.org/hook {'run': 1, 'failed': 0}\n" in result.stdout


EVENTS = """
from pathlib import Path
LOG = Path(__file__).parent.parent / "events.txt"

def log(*words):
    with LOG.open("a") as file:
        print(*words, file=file)

@hookimpl
def ingest_job_finished(event):
    log("job", event.run_id, event.combination, event.job_status, event.row_count, event.error_kind)

@hookimpl
def ingest_run_finished(event):
    log("run", event.run_id, event.status, event.total_jobs, event.failed_jobs)
"""


@pytest.mark.slow
def test_ingest_job_finished_and_ingest_run_finished_are_told_what_happened(
    study: StudyFolder, add_plugin: AddPlugin, ingest: Ingest
) -> None:
    add_plugin("events", EVENTS)
    add_plugin("checks", CHECK)
    ingest("run", "--countries", "KEN,NAM", "--scenarios", "null")
    *jobs, run = (study.root / "events.txt").read_text().splitlines()
    assert sorted(jobs) == [
        "job 1 KEN / null failed 0 metric check",
        "job 1 NAM / null success 6 None",
    ]
    assert run == "run 1 failed 2 1"


@pytest.mark.slow
@pytest.mark.parametrize(
    "problem",
    [
        "raise OSError('no connection')",
        # an error that would stop a run when ingest itself raised it
        "from ingest.errors import ConfigError; raise ConfigError('no connection')",
    ],
)
def test_a_plugin_that_raises_in_an_event_hook_is_reported_and_stops_nothing(
    study: StudyFolder, add_plugin: AddPlugin, ingest: Ingest, problem: str
) -> None:
    add_plugin("a_events", EVENTS)
    add_plugin(
        "breaks",
        f"@hookimpl\ndef ingest_job_finished(event):\n    {problem}\n"
        f"@hookimpl\ndef ingest_run_finished(event):\n    {problem}\n",
    )
    result = ingest("run")
    assert result.exit_code == 0
    assert "8 succeeded, 0 failed" in result.stdout
    lines = [line for line in result.stderr.splitlines() if "no connection" in line]
    assert len(lines) == 8 + 1
    assert "breaks.py" in lines[0]
    assert "ingest_run_finished" in lines[-1]
    # those who come after it are told all the same
    assert len((study.root / "events.txt").read_text().splitlines()) == 8 + 1


def test_every_hook_has_a_test_here() -> None:
    code = Path(__file__).read_text(encoding="utf-8")
    for hook in HOOKS:
        assert re.search(rf"^def test_{hook}|^def test_\w*_and_{hook}", code, re.MULTILINE), hook


def test_call_observers_gives_each_hook_what_it_asks_for(tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(
        IMPORT + "@hookimpl\ndef ingest_run_finished(): raise ValueError('called')\n"
    )
    manager = load_plugins(tmp_path)
    (problem,) = call_observers(manager.hook.ingest_run_finished, event=None)
    assert problem.endswith("plugin.py, ingest_run_finished: ValueError: called")


# --- finding executors and sources ---------------------------------------------------------------


@pytest.mark.slow
def test_an_unknown_executor_is_told_with_the_nearest_one(ingest: Ingest) -> None:
    result = ingest("run", "--executor", "locl")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: run.executor: no executor 'locl' (known: ")
    assert result.stderr.endswith("Did you mean local?\n")


@pytest.mark.slow
def test_an_unknown_analytics_source_is_told(study: StudyFolder, ingest: Ingest) -> None:
    study.write_settings('[analytics]\nsource = "warehouse"\n')
    result = ingest("run")
    assert result.exit_code == 2
    assert "analytics.source: no analytics source 'warehouse' (known: " in result.stderr


def register(tmp_path: Path, hook: str, answer: str) -> Path:
    (tmp_path / "plugin.py").write_text(
        "from ingest.analytics.sources.base import AnalyticsSource\n"
        "from ingest.executors.base import Executor\n"
        "from ingest.executors.local.executor import LocalExecutor\n"
        "class Mine(LocalExecutor): pass\n"
        "class Nameless(Executor): pass\n"
        f"{IMPORT}@hookimpl\ndef {hook}(): return {answer}\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("[int]", "ingest_register_executors: <class 'int'> is no subclass of Executor"),
        ("['local']", "'local' is no subclass of Executor with a name"),
        ("'local'", "'local' is no subclass of Executor with a name"),
        ("7", "7 is no subclass of Executor with a name"),
        ("Nameless", "Nameless'> is no subclass of Executor with a name"),
        ("[Mine]", "two plugins offer an executor named 'local'"),
    ],
)
def test_a_plugin_that_offers_no_executor_is_told(tmp_path: Path, answer: str, told: str) -> None:
    manager = load_plugins(register(tmp_path, "ingest_register_executors", answer))
    with pytest.raises(PluginError) as error:
        find_executor(manager, "local")
    assert told in str(error.value)


def test_a_plugin_that_offers_no_source_is_told(tmp_path: Path) -> None:
    manager = load_plugins(register(tmp_path, "ingest_register_analytics_sources", "[Executor]"))
    with pytest.raises(PluginError, match="is no subclass of AnalyticsSource with a name"):
        find_analytics_source(manager, "anything")


def test_the_backend_of_a_study_is_made_of_its_settings(study: StudyFolder) -> None:
    settings, _ = load_settings(study.root / "ingest.toml", {}, ["run.max_in_flight=7"])
    backend = choose_backend(settings, load_plugins())
    assert backend.executor_type is LocalExecutor
    assert backend.executor_settings == LocalSettings(entry_point="model:simulate", workers=2)
    context = backend.context
    assert (context.root, context.study_name) == (settings.root, "tiny")
    assert (context.environment, context.max_in_flight) == ("standard", 7)
    assert context.state_path == settings.database_path
    assert backend.check() == []
    with closing(backend.make_executor()) as executor:
        source = backend.make_source(executor)
        assert isinstance(source, ExecutorSource)
        with pytest.raises(AnalyticsError):
            source.fetch("01UNKNOWN")
        source.close()


@pytest.mark.parametrize(
    ("workers", "in_flight", "jobs", "started"),
    [(300, None, 3, 3), (300, 2, 3, 2), (2, None, 3, 2), (300, None, 1, 1)],
)
def test_there_are_never_more_workers_than_jobs(
    study: StudyFolder, workers: int, in_flight: int | None, jobs: int, started: int
) -> None:
    overrides = [f"executors.local.workers={workers}"]
    overrides += [f"run.max_in_flight={in_flight}"] if in_flight else []
    settings, _ = load_settings(study.root / "ingest.toml", {}, overrides)
    with closing(choose_backend(settings, load_plugins()).make_executor(jobs)) as executor:
        assert isinstance(executor, LocalExecutor)
        assert executor.worker_count == started


def test_an_executor_without_results_says_where_to_get_them() -> None:
    class Silent(Executor):
        name = "silent"

        def submit(self, jobs: Any) -> Any:
            return iter(())

        def poll(self, ulids: Any, wait_s: float) -> list[JobUpdate]:
            return []

    executor = Silent(Silent.Settings(), make_context(Path()))
    executor.start()
    with pytest.raises(AnalyticsError, match=r"silent brings no results: set analytics\.source"):
        executor.fetch("01X")
    assert dict(executor.cancel(["01X"])) == {}
    assert list(Silent.check(executor.settings, executor.context)) == []
    executor.close()


def test_settings_of_a_backend_that_are_wrong_are_told(study: StudyFolder) -> None:
    settings, _ = load_settings(study.root / "ingest.toml", {}, ["executors.local.workers=many"])
    with pytest.raises(ConfigError, match=r"executors\.local\.workers: a whole number is needed"):
        choose_backend(settings, load_plugins())


# --- the documentation ---------------------------------------------------------------------------


def test_every_hook_has_a_heading_and_an_example_in_the_documentation() -> None:
    page = (PROJECT / "docs" / "plugins.md").read_text(encoding="utf-8")
    for hook in HOOKS:
        section = page.partition(f"\n### {hook}\n")[2].partition("\n##")[0]
        assert "```python" in section, hook
        assert f"def {hook}(" in section, hook


def test_every_example_in_the_documentation_is_a_plugin_that_loads(tmp_path: Path) -> None:
    blocks = documented_blocks()
    assert len(blocks) == 1 + len(HOOKS) + 2
    for number, block in enumerate(blocks):
        (tmp_path / f"example_{number}.py").write_text(block, encoding="utf-8")
    files = [p for p in list_plugins(load_plugins(tmp_path)) if p["origin"] == "file"]
    assert all(plugin["hooks"] for plugin in files)
    assert {hook for plugin in files for hook in plugin["hooks"]} == set(HOOKS)


@pytest.mark.slow
def test_the_documented_executor_gives_the_same_results_as_the_local_one(
    study: StudyFolder, add_plugin: AddPlugin
) -> None:
    (executor,) = [block for block in documented_blocks() if "class ThreadExecutor" in block]
    add_plugin("threads", executor).write_text(executor, encoding="utf-8")
    found = {}
    for name in ("local", "threads"):
        # a process of its own: this executor imports the study's model into it
        command = [sys.executable, "-W", "error", "-c", "from ingest.cli import main; main()"]
        command += ["run", "--executor", name, "--database", f"{name}.db"]
        run = subprocess.run(command, cwd=study.root, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        assert "8 succeeded, 0 failed" in run.stdout
        with closing(sqlite3.connect(study.root / f"{name}.db")) as connection:
            found[name] = connection.execute(
                """SELECT country, scenario, digest FROM job_results
                     JOIN result_sets USING (result_set_id) ORDER BY country, scenario"""
            ).fetchall()
    assert len(found["threads"]) == 8
    assert found["threads"] == found["local"]


@pytest.mark.slow
def test_the_documented_executor_fails_a_job_whose_model_raises(
    study: StudyFolder, add_plugin: AddPlugin
) -> None:
    (executor,) = [block for block in documented_blocks() if "class ThreadExecutor" in block]
    add_plugin("threads", executor)
    study.write_model("def simulate(document):\n    raise ValueError('no data')\n")
    command = [sys.executable, "-W", "error", "-c", "from ingest.cli import main; main()"]
    command += ["run", "--executor", "threads", "--countries", "KEN"]
    run = subprocess.run(command, cwd=study.root, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "2 x model error: ValueError: no data (model.py:2)" in run.stdout


@pytest.mark.slow
def test_another_entry_point_of_the_documented_executor_means_a_re_run(
    study: StudyFolder, add_plugin: AddPlugin, ingest: Ingest
) -> None:
    (executor,) = [block for block in documented_blocks() if "class ThreadExecutor" in block]
    add_plugin("threads", executor)
    command = [sys.executable, "-m", "ingest", "run", "--quiet", "--executor", "threads"]
    for function, to_run in (("simulate", True), ("simulate", False), ("other", True)):
        settings = f'[executors.threads]\nentry_point = "model:{function}"\n'
        study.write_settings(settings, study=WITH_PLUGINS)
        plan = ingest("plan", "--set", "run.executor=threads").output
        assert plan.startswith("8 of 8 combinations to run") is to_run, plan
        if function == "simulate":
            subprocess.run(command, cwd=study.root, check=True)
    assert "code changed (executors.threads.entry_point" in plan
