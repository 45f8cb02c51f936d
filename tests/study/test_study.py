from __future__ import annotations

import ast
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import ConfigError, PluginError, StudyError
from ingest.findings import Finding
from ingest.plugins.manager import load_plugins
from ingest.study.code_version import differing_parts
from ingest.study.settings import Settings, load_settings
from ingest.study.study import Study, find_scenario_files, load_study, read_study
from tests.conftest import BUNDLED_STUDY, MODEL, PROJECT, StudyFolder, scenario


def settings_of(root: Path, *overrides: str) -> Settings:
    return load_settings(root / "ingest.toml", {}, overrides)[0]


def load(root: Path, *overrides: str, plugins: Path | None = None) -> tuple[Study, list[Finding]]:
    return load_study(settings_of(root, *overrides), load_plugins(plugins).hook)


def errors(root: Path, *overrides: str) -> list[str]:
    _, findings = read_study(settings_of(root, *overrides), load_plugins().hook)
    return [str(finding) for finding in findings if finding.is_error]


def test_study_is_read_whole(study: StudyFolder) -> None:
    loaded, findings = load(study.root)
    assert findings == []
    assert loaded.name == "tiny"
    assert loaded.root == study.root
    assert loaded.model.document == MODEL
    assert [s.name for s in loaded.scenarios] == ["null", "scale_up"]
    assert [s.file for s in loaded.scenarios] == ["scenarios/null.json", "scenarios/scale_up.json"]
    assert [c.iso3 for c in loaded.countries] == ["KEN", "UGA", "TZA", "NAM"]
    assert list(loaded.code.parts) == ["model.py", "executors.local.entry_point", "study.code"]
    assert set(loaded.input_files) == {
        "ingest.toml",
        "model.json",
        "countries.json",
        "scenarios/null.json",
        "scenarios/scale_up.json",
        "model.py",
    }


def test_study_in_the_current_folder_names_its_files_the_same(
    study: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = load(study.root)[0].input_files
    monkeypatch.chdir(study.root)
    assert load(Path())[0].input_files == elsewhere


def test_how_the_model_is_called_is_part_of_the_code_version(study: StudyFolder) -> None:
    before = load(study.root)[0].code.digest
    overrides = ("executors.local.workers=7", "study.name=other")
    assert load(study.root, *overrides)[0].code.digest == before
    assert load(study.root, "executors.local.entry_point=model:other")[0].code.digest != before


def test_how_the_model_is_called_is_written_as_databases_hold_it(study: StudyFolder) -> None:
    parts = load(study.root, "executors.local.command=Rscript,model.R")[0].code.parts
    assert parts["executors.local.entry_point"] == "model:simulate"
    assert parts["executors.local.command"] == "Rscript,model.R"
    file = study.root / "ingest.toml"
    called = re.sub("entry_point.*", 'command = ["Rscript", "model.R"]', file.read_text())
    file.write_text(called)
    parts = load(study.root)[0].code.parts
    assert parts["executors.local.command"] == "['Rscript', 'model.R']"


@pytest.mark.parametrize("offered", ["SlurmExecutor", 'Offer("slurm", __name__, "SlurmExecutor")'])
def test_an_executors_own_inputs_are_part_of_the_code_version(
    study: StudyFolder, tmp_path: Path, offered: str
) -> None:
    folder = tmp_path / "own plugins"
    folder.mkdir()
    (folder / "slurm.py").write_text(
        """from dataclasses import dataclass
from ingest.plugin_api import LocalExecutor, hookimpl, setting
from ingest.plugins.defaults import Offer

@dataclass(frozen=True)
class SlurmSettings:
    image: str = setting("standard", "container image", is_input=True)
    queue: str = setting("short", "queue")

class SlurmExecutor(LocalExecutor):
    name = "slurm"
    Settings = SlurmSettings

@hookimpl
def ingest_register_executors():
    return [OFFERED]
""".replace("OFFERED", offered)
    )

    def parts(*overrides: str) -> Mapping[str, str]:
        return load(study.root, *overrides, plugins=folder)[0].code.parts

    chosen, image = "run.executor=slurm", "executors.slurm.image"
    assert parts("executors.slurm.image=new") == parts()
    assert parts(chosen, "executors.slurm.queue=long") == parts(chosen)
    assert differing_parts(parts(), parts(chosen)) == []
    for old, new, differ in (
        ([], [f"{image}=new"], True),
        ([f"{image}=new"], [], True),
        ([f"{image}=new"], [f"{image}=newer"], True),
        ([], [f"{image}=standard"], False),
    ):
        found = differing_parts(parts(chosen, *old), parts(chosen, *new))
        assert found == [image] * differ, (old, new)
    # older databases hold what was written alone, be it the default
    written = {**parts(), image: "standard"}
    assert differing_parts(written, parts(chosen)) == []
    assert differing_parts(written, parts(chosen, f"{image}=new")) == [image]


IDENTITIES = [
    ("raise LookupError('no')", "odd: identity() raised LookupError: no"),
    ("return ['a']", "odd: identity() must give settings by name, not ['a']"),
    ("return {'a': object}", "odd: identity() must give settings by name, not {'a': <class 'obj"),
    ("raise SystemExit(0)", "odd: identity() raised SystemExit: 0"),
]


@pytest.mark.parametrize("kind", ["Executor", "AnalyticsSource"])
@pytest.mark.parametrize(("body", "told"), IDENTITIES)
def test_an_identity_that_misbehaves_is_an_error_that_names_the_plugin(
    study: StudyFolder, tmp_path: Path, body: str, told: str, kind: str
) -> None:
    hook, chosen = {
        "Executor": ("ingest_register_executors", "run.executor=odd"),
        "AnalyticsSource": ("ingest_register_analytics_sources", "analytics.source=odd"),
    }[kind]
    (tmp_path / "odd.py").write_text(
        f"from ingest.plugin_api import {kind}, hookimpl\n"
        f"class Odd({kind}):\n    name = 'odd'\n"
        f"    @classmethod\n    def identity(cls, settings):\n        {body}\n"
        f"@hookimpl\ndef {hook}():\n    return [Odd]\n"
    )
    with pytest.raises(PluginError) as caught:
        load(study.root, chosen, plugins=tmp_path)
    assert str(caught.value).startswith(told)


def test_no_executor_or_source_is_named_where_studies_are_read_and_planned() -> None:
    hooks = load_plugins().hook
    offered = (*hooks.ingest_register_executors(), *hooks.ingest_register_analytics_sources())
    names = {cls.name for group in offered for cls in group}
    assert {"local", "run-api", "aws-batch", "analytics-api", "s3"} <= names
    for folder in ("study", "planning"):
        for path in (PROJECT / "ingest" / folder).glob("*.py"):
            texts = {
                node.value
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
            allowed = {"local"} if path.name == "local_settings.py" else set()
            assert texts & names <= allowed, path


def test_override_of_the_entry_point_with_the_same_value_changes_nothing(
    study: StudyFolder,
) -> None:
    same = load(study.root, "executors.local.entry_point=model:simulate")[0].code.digest
    assert same == load(study.root)[0].code.digest


def test_models_digest_does_not_depend_on_blanks_or_key_order(study: StudyFolder) -> None:
    before = load(study.root)[0].model.digest
    reordered = json.dumps(dict(reversed(list(MODEL.items()))))
    (study.root / "model.json").write_text(reordered)
    assert load(study.root)[0].model.digest == before
    study.write_json("model.json", MODEL | {"metadata": {}})
    assert load(study.root)[0].model.digest != before


def test_bundled_study_loads_without_a_finding() -> None:
    loaded, findings = load(BUNDLED_STUDY)
    assert findings == []
    assert len(loaded.scenarios) == 8


# --- errors --------------------------------------------------------------------------------------


def test_missing_model_is_an_error(study: StudyFolder) -> None:
    (study.root / "model.json").unlink()
    assert errors(study.root) == ["model.json: cannot be read: No such file or directory"]


def test_model_of_broken_json_is_an_error_with_its_place(study: StudyFolder) -> None:
    (study.root / "model.json").write_text('{\n "nodes": [\n')
    assert errors(study.root) == [
        "model.json, line 3, column 1: invalid JSON: Expecting value",
    ]


def test_model_that_is_no_object_is_an_error(study: StudyFolder) -> None:
    study.write_json("model.json", [])
    assert errors(study.root) == ["model.json: a model document is a JSON object"]


@pytest.mark.parametrize("value", [{}, None, "x", [1], [{}, []]])
@pytest.mark.parametrize("key", ["nodes", "links"])
def test_model_whose_nodes_or_links_are_no_list_of_objects_is_an_error(
    study: StudyFolder, key: str, value: Any
) -> None:
    study.write_json("model.json", MODEL | {key: value})
    assert errors(study.root) == [f'model.json: "{key}" must be a list of objects']


def test_model_may_lack_nodes_and_links(study: StudyFolder) -> None:
    study.write_json("model.json", {})
    assert errors(study.root) == []


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("metadata", "metadata is no RFC 9535 JSONPath: "),
        ("", " is no RFC 9535 JSONPath: "),
        ("$", "$ names the whole model document"),
        ("$.nodes[*", "$.nodes[* is no RFC 9535 JSONPath: "),
    ],
)
def test_path_of_what_is_no_input_that_cannot_be_used_is_an_error(
    study: StudyFolder, path: str, problem: str
) -> None:
    study.write_settings(study=f'ignore = ["{path}"]')
    (message,) = errors(study.root)
    assert message.startswith(f"ingest.toml: study.ignore: {problem}")


def test_study_without_a_model_is_none_and_the_rest_is_still_looked_at(study: StudyFolder) -> None:
    (study.root / "model.json").unlink()
    (study.root / "scenarios" / "null.json").write_text("{")
    study.write_countries("KEN", "QQQ")
    found, findings = read_study(settings_of(study.root), load_plugins().hook)
    assert found is None
    assert [f.code for f in findings] == ["bad-model", "bad-scenario", "user-assigned-iso3"]


def test_broken_scenario_is_an_error_with_its_place(study: StudyFolder) -> None:
    (study.root / "scenarios" / "null.json").write_text('{"parameters": }')
    assert errors(study.root) == [
        "scenarios/null.json, line 1, column 16: invalid JSON: Expecting value"
    ]


def test_scenario_without_parameters_is_an_error(study: StudyFolder) -> None:
    study.write_json("scenarios/null.json", {})
    (found,) = errors(study.root)
    assert found.startswith('scenarios/null.json: no table "parameters":')


def test_two_scenarios_of_one_name_are_an_error(study: StudyFolder) -> None:
    (study.root / "more").mkdir()
    study.write_json("more/null.json", scenario(0.5))
    assert errors(study.root, "study.scenarios=scenarios,more") == [
        "more/null.json: a scenario named null stands in scenarios/null.json already"
    ]


def test_study_without_scenario_files_is_an_error(study: StudyFolder) -> None:
    shutil.rmtree(study.root / "scenarios")
    (study.root / "scenarios").mkdir()
    assert errors(study.root) == [
        "ingest.toml: no scenario file found in scenarios: set study.scenarios in ingest.toml"
    ]


def test_missing_scenario_folder_is_an_error_among_others(study: StudyFolder) -> None:
    shutil.rmtree(study.root / "scenarios")
    (study.root / "model.json").unlink()
    assert errors(study.root) == [
        "model.json: cannot be read: No such file or directory",
        f"ingest.toml: study.scenarios: no folder or file {study.root / 'scenarios'}",
    ]


def test_missing_countries_are_an_error(study: StudyFolder) -> None:
    assert errors(study.root, "study.countries=c.json") == [
        "c.json: cannot be read: No such file or directory"
    ]


def test_countries_of_another_kind_of_file_are_an_error(study: StudyFolder) -> None:
    assert errors(study.root, "study.countries=countries.csv") == [
        "countries.csv: no plugin reads countries.csv: a .json file is read without one"
    ]


def test_unreadable_code_pattern_is_an_error(study: StudyFolder) -> None:
    assert errors(study.root, "study.code=/etc/*.conf") == [
        "ingest.toml: study.code: '/etc/*.conf' is no pattern below the study's folder"
    ]


def test_loading_tells_every_error_at_once(study: StudyFolder) -> None:
    study.write_json("model.json", [])
    study.write_json("scenarios/null.json", {"parameters": {"A": 1}})
    study.write_json("countries.json", {"countries": []})
    with pytest.raises(StudyError) as caught:
        load(study.root)
    assert [str(finding) for finding in caught.value.findings] == [
        "model.json: a model document is a JSON object",
        'scenarios/null.json: parameter \'A\': a table with "value" and "paths" is needed',
        "countries.json: the list of countries is empty",
    ]
    assert str(caught.value).endswith("is a JSON object (and 2 more: ingest check)")


# --- scenario files ------------------------------------------------------------------------------


def names(root: Path, *entries: str) -> list[str]:
    files = find_scenario_files(settings_of(root, f"study.scenarios={','.join(entries)}"))
    return [file.relative_to(root).as_posix() for file in files]


def test_scenarios_come_from_folders_files_and_globs_in_their_order(study: StudyFolder) -> None:
    write = study.write_json
    (study.root / "more" / "deep").mkdir(parents=True)
    for file in ("more/b.json", "more/a.json", "more/deep/c.json", "single.json"):
        write(file, scenario(0.0))
    (study.root / "more" / "notes.txt").write_text("")
    own = ["scenarios/null.json", "scenarios/scale_up.json"]
    assert names(study.root, "scenarios") == own
    assert names(study.root, "more", "scenarios") == ["more/a.json", "more/b.json", *own]
    assert names(study.root, "single.json", "more/**/*.json") == [
        "single.json",
        "more/a.json",
        "more/b.json",
        "more/deep/c.json",
    ]


def test_file_named_twice_is_one_scenario(study: StudyFolder) -> None:
    assert names(study.root, "scenarios", "scenarios/n*.json") == [
        "scenarios/null.json",
        "scenarios/scale_up.json",
    ]


def test_folder_whose_name_looks_like_a_pattern_is_a_folder(study: StudyFolder) -> None:
    (study.root / "set[1]").mkdir()
    study.write_json("set[1]/a.json", scenario(0.0))
    assert names(study.root, "set[1]") == ["set[1]/a.json"]


def test_absolute_pattern_of_scenarios_is_refused(study: StudyFolder) -> None:
    with pytest.raises(ConfigError) as caught:
        names(study.root, "/etc/*.json")
    assert str(caught.value) == (
        "study.scenarios: '/etc/*.json' is no pattern below the study's folder"
    )


# --- plugins -------------------------------------------------------------------------------------

PLUGIN = """
from ingest.plugin_api import hookimpl

@hookimpl
def ingest_discover_scenarios(settings):
    return [settings.root / "scenarios" / "scale_up.json"]

@hookimpl
def ingest_load_countries(settings):
    if settings.study.countries.endswith(".txt"):
        codes = (settings.root / settings.study.countries).read_text().split()
        return {"countries": [{"iso3": code, "name": code} for code in codes]}
"""


def test_plugin_may_find_scenarios_and_read_countries(study: StudyFolder) -> None:
    (study.root / "plugins").mkdir()
    (study.root / "plugins" / "own.py").write_text(PLUGIN)
    (study.root / "countries.txt").write_text("KEN UGA")
    overrides = ("study.countries=countries.txt",)
    loaded, _ = load(study.root, *overrides, plugins=study.root / "plugins")
    assert [s.name for s in loaded.scenarios] == ["scale_up"]
    assert [c.iso3 for c in loaded.countries] == ["KEN", "UGA"]


def test_plugin_that_answers_none_leaves_it_to_the_next(study: StudyFolder) -> None:
    (study.root / "plugins").mkdir()
    (study.root / "plugins" / "own.py").write_text(PLUGIN)
    loaded, _ = load(study.root, plugins=study.root / "plugins")
    assert [c.iso3 for c in loaded.countries] == ["KEN", "UGA", "TZA", "NAM"]
