"""Study: the model document, scenarios, countries and code version that ingest.toml names."""

from __future__ import annotations

import glob
import os
import pickle
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ingest.errors import ConfigError, StudyError
from ingest.findings import Finding, error, has_errors
from ingest.study.accepted import ACCEPTED_FILE
from ingest.study.code_version import CodeSettings, CodeVersion, default_files, read_code_version
from ingest.study.country import Country, parse_countries
from ingest.study.country_data import NO_COUNTRY_DATA, CountryData, read_country_data
from ingest.study.country_groups import add_groups
from ingest.study.git import list_git_files
from ingest.study.identity import executor_parts, query_values
from ingest.study.json_files import JsonFileError, canonical_json, read_json, sha256_text
from ingest.study.json_paths import JsonPathError, locations, remove
from ingest.study.label import Label, label_findings, read_labels
from ingest.study.lists import Rows, look_alike_findings, study_rows
from ingest.study.local_settings import MODEL_SECTION, LocalSettings
from ingest.study.scenario import Scenario, parse_scenario
from ingest.study.setting_fields import read_section
from ingest.study.settings import STUDY_FILE, Settings, StudySettings
from ingest.study.study_files import is_code, list_study_files
from ingest.text.names import name_problem


@dataclass(frozen=True)
class Model:
    """The model document; file is relative to the study's folder.

    ignore: JSONPaths of what is no input in it (study.ignore).
    """

    document: dict[str, Any]
    file: str
    ignore: tuple[str, ...] = ()

    def copy_document(self) -> Any:
        """A copy of the document to change, several times faster than copy.deepcopy makes one."""
        return pickle.loads(self._pickled)

    @cached_property
    def _pickled(self) -> bytes:
        return pickle.dumps(self.document)

    @cached_property
    def content(self) -> str:
        """The document as canonical JSON."""
        return canonical_json(self.document)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of content."""
        return sha256_text(self.content)

    @cached_property
    def input_digest(self) -> str:
        """SHA-256 of the document as canonical JSON, without what is no input."""
        return sha256_text(canonical_json(remove(self.copy_document(), self.ignore)))


@dataclass(frozen=True)
class Study:
    """Everything that decides a result, read and checked."""

    settings: Settings
    model: Model
    scenarios: tuple[Scenario, ...]
    countries: tuple[Country, ...]
    code: CodeVersion
    input_files: tuple[str, ...]
    country_data: CountryData = NO_COUNTRY_DATA
    query: str = "{}"
    """What decides which numbers are read of a job, as canonical JSON."""

    @property
    def name(self) -> str:
        """The study's name."""
        return self.settings.name

    @property
    def root(self) -> Path:
        """The folder that holds ingest.toml."""
        return self.settings.root

    @cached_property
    def lists(self) -> dict[str, str]:
        """The rows of what the study consists of and calls things, by kind, as canonical JSON."""
        return {kind: canonical_json(entries) for kind, entries in self.rows.items()}

    @cached_property
    def rows(self) -> dict[str, Rows]:
        """What the study consists of and calls things, by kind."""
        return study_rows(self.countries, self.scenarios, self.labels)

    @property
    def labels(self) -> tuple[Label, ...]:
        """The element labels that the model document, [units] and [labels] name."""
        return read_labels(self.model.document, self.settings.units, self.settings.labels)


def load_study(settings: Settings, hooks: Any) -> tuple[Study, list[Finding]]:
    """The study and the warnings about it. Raises StudyError with every error at once.

    hooks: the plugins' hooks ingest_discover_scenarios and ingest_load_countries.
    """
    study, findings = read_study(settings, hooks)
    if study is None or has_errors(findings):
        raise StudyError(findings)
    return study, findings


def read_study(settings: Settings, hooks: Any) -> tuple[Study | None, list[Finding]]:
    """The study as far as it can be read (None without a model document), and what is wrong."""
    model, findings = _read_model(settings)
    scenarios, more = _read_scenarios(settings, hooks)
    findings += more
    countries, more = _read_countries(settings, hooks)
    findings += more
    data, more = read_country_data(
        settings.root, settings.study.country_data, [country.iso3 for country in countries]
    )
    findings += more
    code, more = _read_code(settings, hooks, (scenario.file for scenario in scenarios))
    findings += more
    if model is None:
        return None, findings
    files = [model.file, settings.study.countries, STUDY_FILE, *(s.file for s in scenarios)]
    files += [settings.study.groups] if settings.study.groups else []
    files += [*code.files, *data.names]
    query = canonical_json(query_values(settings, hooks))
    study = Study(
        settings, model, tuple(scenarios), tuple(countries), code, tuple(files), data, query
    )
    findings += label_findings(model.document, study.labels, settings.labels, STUDY_FILE)
    findings += look_alike_findings(study.rows)
    return study, findings


def _read_code(
    settings: Settings, hooks: Any, scenario_files: Iterable[str]
) -> tuple[CodeVersion, list[Finding]]:
    local = model_settings(settings)
    chosen = code_settings(
        settings.root,
        settings.study,
        settings.name,
        scenario_files,
        model_is_here=bool(local.command or local.entry_point),
    )
    return read_code_version(settings.root, chosen, local, executor_parts(settings, hooks))


_NO_INPUTS = ("groups", "plugins", "country_values")


def code_settings(
    root: Path,
    study: StudySettings,
    name: str = "",
    scenario_files: Iterable[str] = (),
    *,
    model_is_here: bool = False,
) -> CodeSettings:
    """What [study] says of code; the files and folders it names are inputs of another kind."""
    others = {*scenario_files, study.model, study.countries, ACCEPTED_FILE}
    others |= {value for key in _NO_INPUTS if (value := getattr(study, key, None))}
    for entry in study.scenarios:
        found = _matches(root, entry) if glob.has_magic(entry) else [root / entry]
        others |= {_relative(path, root) for path in found}
    return CodeSettings(
        name=name,
        patterns=study.code,
        version=study.code_version,
        ignored=study.ignore_files,
        others=frozenset(others),
        row_files=tuple(entry.file for entry in study.country_data),
        model_is_here=model_is_here,
    )


def model_settings(settings: Settings) -> LocalSettings:
    """How the model is called; what is wrong with it is told by the executor that calls it."""
    local, _ = read_section(LocalSettings, settings.executors.get(MODEL_SECTION, {}), "", "")
    return local


def _read_model(settings: Settings) -> tuple[Model | None, list[Finding]]:
    file = settings.study.model
    try:
        document = read_json(settings.root / file, file)
    except JsonFileError as exc:
        return None, [error("bad-model", exc.where, exc.reason)]
    if not isinstance(document, dict):
        return None, [error("bad-model", file, "a model document is a JSON object")]
    findings = []
    for key in ("nodes", "links"):
        entries = document.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            findings.append(error("bad-model", file, f'"{key}" must be a list of objects'))
    if findings:
        return None, findings
    ignore = settings.study.ignore
    findings = [
        error("bad-value", STUDY_FILE, f"study.ignore: {problem}")
        for problem in (_path_problem(path, document) for path in ignore)
        if problem
    ]
    return Model(document, file, ignore), findings


def _path_problem(path: str, document: Any) -> str:
    """What is wrong with a path of study.ignore; empty where it is right."""
    try:
        found = locations(path, document)
    except JsonPathError as exc:
        return str(exc)
    return f"{path} names the whole model document" if () in found else ""


def _read_scenarios(settings: Settings, hooks: Any) -> tuple[list[Scenario], list[Finding]]:
    scenarios: dict[str, Scenario] = {}
    findings: list[Finding] = []
    try:
        paths = hooks.ingest_discover_scenarios(settings=settings) or []
    except ConfigError as exc:
        return [], [error("no-scenarios", STUDY_FILE, str(exc))]
    for path in paths:
        where = _relative(path, settings.root)
        problem = name_problem(path.stem)
        if problem:
            message = f"the name of a scenario {problem}: rename the file"
            findings.append(error("bad-name", repr(where), message))
            continue
        if path.stem in scenarios:
            message = f"a scenario named {path.stem} stands in {scenarios[path.stem].file} already"
            findings.append(error("duplicate-scenario", where, message))
            continue
        try:
            document = read_json(path, where)
        except JsonFileError as exc:
            findings.append(error("bad-scenario", exc.where, exc.reason))
            continue
        scenarios[path.stem], more = parse_scenario(document, path.stem, where)
        findings += more
    if not paths:
        patterns = ", ".join(settings.study.scenarios)
        message = f"no scenario file found in {patterns}: set study.scenarios in {STUDY_FILE}"
        findings.append(error("no-scenarios", STUDY_FILE, message))
    return list(scenarios.values()), findings


def _read_countries(settings: Settings, hooks: Any) -> tuple[list[Country], list[Finding]]:
    where = settings.study.countries
    try:
        document = hooks.ingest_load_countries(settings=settings)
    except JsonFileError as exc:
        return [], [error("bad-countries", exc.where, exc.reason)]
    if document is None:
        message = f"no plugin reads {where}: a .json file is read without one"
        return [], [error("bad-countries", where, message)]
    countries, findings = parse_countries(document, where)
    groups = settings.study.groups
    if not groups:
        return countries, findings
    countries, more = add_groups(countries, settings.root / groups, groups)
    return countries, [*findings, *more]


def study_files(settings: Settings) -> list[Path]:
    """The files that the settings name, the code, and the data files that git tracks."""
    study = settings.study
    patterns = (*(study.code or ()), *([f"{study.plugins}/*.py"] if study.plugins else []))
    named = (study.model, study.countries, study.groups, study.country_values)
    found = [settings.root / name for name in named if name]
    with suppress(ConfigError):  # what is wrong with a study is for `ingest check` to say
        found += find_scenario_files(settings)
    for pattern in patterns:
        with suppress(ValueError, NotImplementedError):
            found += settings.root.glob(pattern)
    found += [settings.root / entry.file for entry in study.country_data]
    if study.code is None:
        local = model_settings(settings)
        chosen = code_settings(settings.root, study, settings.name)
        names = default_files(settings.root, chosen, local, list_study_files(settings.root))
        tracked = set(list_git_files(settings.root, tracked_only=True) or ())
        found += [settings.root / name for name in names if name in tracked or is_code(name)]
    return found


def find_scenario_files(settings: Settings) -> list[Path]:
    """The scenario files that study.scenarios names, sorted by name within each entry.

    An entry is a folder (its *.json files), a file or a glob pattern below the study's folder.
    Raises ConfigError: a folder or file that does not exist, a pattern that is none.
    """
    found: dict[Path, None] = {}
    for entry in settings.study.scenarios:
        place = settings.root / entry
        if place.is_dir():
            matches = sorted(place.glob("*.json"))
        elif os.path.lexists(place):
            matches = [place]
        elif glob.has_magic(entry):
            matches = _matches(settings.root, entry)
        else:
            raise ConfigError(f"study.scenarios: no folder or file {place}")
        # what is named like a scenario and is none is told when it is read
        found |= dict.fromkeys(p for p in matches if p.suffix == ".json" or not p.is_dir())
    return list(found)


def _matches(root: Path, pattern: str) -> list[Path]:
    try:
        return sorted(root.glob(pattern))
    except (ValueError, NotImplementedError) as exc:
        message = f"study.scenarios: {pattern!r} is no pattern below the study's folder"
        raise ConfigError(message) from exc


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
