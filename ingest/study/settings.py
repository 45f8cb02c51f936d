"""Every setting of a study: name, default, one sentence; read from ingest.toml, INGEST_* and --set.

Later sources win: default, ingest.toml, INGEST_<SECTION>_<KEY>, --set section.key=value, option.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ingest.errors import ConfigError, StudyError
from ingest.findings import Finding, error, has_errors
from ingest.study.economics import NO_ECONOMICS, EconomicsSettings, read_economics
from ingest.study.indicators import Indicator, read_indicators_section
from ingest.study.label import LabelSettings, read_label_settings
from ingest.study.local_settings import MODEL_SECTION
from ingest.study.quality_rules import Rule, read_rules
from ingest.study.regular_files import read_regular
from ingest.study.setting_fields import read_section, setting
from ingest.study.setting_variables import (
    apply_environment,
    apply_override,
    apply_plugin_variables,
    unknown_variables,
)
from ingest.text.suggest import did_you_mean

STUDY_FILE = "ingest.toml"
RERUN_TRIGGERS = ("input", "code", "environment", "commit")


@dataclass(frozen=True)
class CountryDataFile:
    """One entry of study.country_data."""

    file: str = setting("", "the CSV or TSV file, relative to ingest.toml")
    key: str = setting("iso3", "its column of ISO3 codes")


@dataclass(frozen=True)
class StudySettings:
    """[study]: the files a study is made of; paths are relative to ingest.toml."""

    name: str = setting("", "name of the study; the folder's name where empty")
    model: str = setting("model.json", "the model document")
    scenarios: tuple[str, ...] = setting(
        ("scenarios",), "folders or glob patterns of scenario files; a name is a file's stem"
    )
    countries: str = setting("countries.json", "the countries file")
    baseline: str = setting(
        "", "scenario that indicators compare with; null, else baseline, else the first, if empty"
    )
    groups: str | None = setting(
        None,
        "a CSV file of groups of countries: a column iso3, and one for each grouping",
    )
    code: tuple[str, ...] | None = setting(
        None,
        "glob patterns of the files whose change means a re-run (reason: code); if unset, the "
        "files that the command names, what these and the entry point import, and data files",
    )
    ignore_files: tuple[str, ...] = setting(
        (), "glob patterns of files that do not count as code or data where `code` is unset"
    )
    country_data: tuple[CountryDataFile, ...] = setting(
        (), "CSV files with a row for each country; a row is an input of its country alone"
    )
    country_values: str | None = setting(
        None,
        "a CSV file with a column iso3 and numbers of countries that are no input of the model, "
        "such as GDP per person; [economics] has multiples of them",
    )
    code_version: str | None = setting(
        None, "the model code's version or image as a text, instead of the files of `code`"
    )
    environment: str = setting(
        "standard", "name of the environment the jobs run in; a change means a re-run"
    )
    unmatched_paths: str = setting(
        "error", "what a path that matches nothing is", choices=("error", "warning")
    )
    ignore: tuple[str, ...] = setting(
        (
            "$.metadata",
            "$['nodes','links','subroutines'][*]['x','y','color','description','narration']",
        ),
        "JSONPaths of what is no input in the model document: a change there runs nothing",
    )
    plugins: str | None = setting(None, "folder of plugin files (*.py) to load")


@dataclass(frozen=True)
class RunSettings:
    """[run]: how jobs are submitted, watched and repeated."""

    executor: str = setting(
        MODEL_SECTION, "where jobs run: an executor with a section below, or a plugin's"
    )
    max_in_flight: int | None = setting(
        None,
        "jobs submitted and not yet finished, at most; the executor's own if unset (mostly 100)",
        minimum=1,
    )
    submit_rate: str | None = setting(
        None,
        "submissions in a span of time, at most (`50/1s`, `10/1m`); the executor's own if unset",
    )
    poll_interval_s: float = setting(
        1.0,
        "seconds between two questions after a job's state, growing with its time in flight",
        above=0,
    )
    poll_interval_max_s: float = setting(
        30.0, "largest value the poll interval grows to, in seconds", above=0
    )
    job_timeout_s: float = setting(3600.0, "a job running longer than this is stopped", above=0)
    unknown_limit_s: float = setting(
        600.0,
        "a job fails when its state has been unknown for this long (a lost job, a new word)",
        above=0,
    )
    unreachable_limit_s: float = setting(
        600.0,
        "the run stops when no job in flight could be asked about for this long; "
        "the next run takes them up",
        above=0,
    )
    retries: int = setting(
        2,
        "further attempts at a job after a fault that can pass (a crash, a lost connection)",
        minimum=0,
    )
    retry_delay_s: float = setting(
        1.0, "seconds before the first further attempt; doubled, with jitter, each time", minimum=0
    )
    save_csv: bool = setting(
        False,
        "also write each job's numbers to results/<ULID>.csv and a line to validation_results.csv",
    )
    require_commit: bool = setting(
        False, "a run is an error (exit code 2) where git cannot tell the commit of the study"
    )
    rerun_triggers: tuple[str, ...] = setting(
        ("input", "code", "environment"),
        "what makes a combination run again",
        choices=RERUN_TRIGGERS,
    )


@dataclass(frozen=True)
class AnalyticsSettings:
    """[analytics]: where a job's metrics come from and how strict they are read."""

    source: str = setting(
        "executor",
        "where metrics come from: `executor` (what it brings) or a source by its name (found by "
        "`url` or a section [analytics.NAME] where the executor brings none)",
    )
    element_labels: tuple[str, ...] = setting(
        (), "keep only these labels; all labels where empty", is_input=True
    )
    url: str | None = setting(None, "address of the analytics API")
    event_type: str = setting(
        "ECHO",
        "analytics API: kind of event",
        choices=("*", "ECHO", "BALANCE_SET", "EDGE_VALUES_CALCULATED"),
        is_query=True,
    )
    group_by: tuple[str, ...] = setting(
        ("element_label",),
        "analytics API: columns to group by, `element_label` among them",
        is_query=True,
    )
    group_by_date: str = setting(
        "timestamp:year", "analytics API: date column and its unit", is_query=True
    )
    aggregations: tuple[str, ...] = setting(
        ("value:last",), "analytics API: `value:last` or `value:sum`", is_query=True
    )
    filters: tuple[str, ...] = setting(
        (),
        "analytics API: `column=value` or `column__op=value`; op: eq, neq, gt, gte, lt, lte, in, "
        "contains",
        is_query=True,
    )
    concurrency: int = setting(4, "jobs whose results are fetched side by side, at most", minimum=1)
    pause_s: float = setting(0.0, "seconds between the starts of two calls for results", minimum=0)
    lag_s: float = setting(
        300.0, "how long results that are not there yet are asked for again", minimum=0
    )
    incomplete: str = setting(
        "keep",
        "what becomes of results that lack years or labels when lag_s is over: they are kept and "
        "told, or the job fails, or (accept) no one looks",
        choices=("keep", "fail", "accept"),
    )
    on_bad_rows: str = setting(
        "fail",
        "a bad row fails the job, or is dropped, counted and recorded",
        choices=("fail", "skip"),
        is_input=True,
    )


@dataclass(frozen=True)
class DatabaseSettings:
    """[database]: the SQLite file."""

    path: str = setting("validation_results.db", "the results database, relative to ingest.toml")


@dataclass(frozen=True)
class ToleranceSettings:
    """[tolerance]: a change is what moves by more than atol + rtol * |before|."""

    rtol: float = setting(1e-6, "relative tolerance", minimum=0)
    atol: float = setting(1e-9, "absolute tolerance, in the label's own unit", minimum=0)


@dataclass(frozen=True)
class QualitySettings:
    """[quality]: what comes of the findings of [[rules]]."""

    fail_run: bool = setting(False, "a run with error findings ends with exit code 3")
    max_findings: int = setting(
        20, "findings kept of one rule and job, at most; the last says how many more", minimum=1
    )


@dataclass(frozen=True)
class ResultsSettings:
    """[results]: which results are shown."""

    consistent: bool = setting(False, "compare and export only results of the study's inputs now")


@dataclass(frozen=True)
class Settings:
    """All settings of one study; root is the folder that holds ingest.toml."""

    root: Path
    study: StudySettings = StudySettings()
    run: RunSettings = RunSettings()
    analytics: AnalyticsSettings = AnalyticsSettings()
    database: DatabaseSettings = DatabaseSettings()
    tolerance: ToleranceSettings = ToleranceSettings()
    quality: QualitySettings = QualitySettings()
    results: ResultsSettings = ResultsSettings()
    economics: EconomicsSettings = NO_ECONOMICS
    rules: tuple[Rule, ...] = ()
    indicators: tuple[Indicator, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    """[units]: the unit of each element label."""
    labels: Mapping[str, LabelSettings] = field(default_factory=dict)
    """[labels]: how each element label adds up, and which direction is good."""
    tolerance_labels: Mapping[str, ToleranceSettings] = field(default_factory=dict)
    tolerance_indicators: Mapping[str, ToleranceSettings] = field(default_factory=dict)
    executors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    analytics_sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The study's name; its folder's name where none is written."""
        return self.study.name or self.root.resolve().name

    @property
    def database_path(self) -> Path:
        """Where the results database lies."""
        return self.root / self.database.path


SECTIONS: dict[str, type[Any]] = {
    "study": StudySettings,
    "run": RunSettings,
    "analytics": AnalyticsSettings,
    "database": DatabaseSettings,
    "tolerance": ToleranceSettings,
    "quality": QualitySettings,
    "results": ResultsSettings,
    "economics": EconomicsSettings,
}


def load_settings(
    study_file: Path, environ: Mapping[str, str], overrides: Sequence[str] = ()
) -> tuple[Settings, list[Finding]]:
    """The settings of a study and the warnings about them.

    Raises ConfigError (no such file), StudyError (every wrong key and value at once).
    """
    settings, findings = read_settings_file(study_file, environ, overrides)
    if has_errors(findings):
        raise StudyError(findings)
    return settings, findings


def read_settings_file(
    study_file: Path, environ: Mapping[str, str], overrides: Sequence[str] = ()
) -> tuple[Settings, list[Finding]]:
    """The settings, with the default in place of what is wrong, and all that is wrong with them.

    environ: where INGEST_* variables are looked up. overrides: "section.key=value" texts.
    Raises ConfigError: no such file, not TOML, an override of another form.
    """
    raw = _read_toml(study_file)
    others = apply_environment(raw, environ, SECTIONS)
    options = {apply_override(raw, override) for override in overrides}
    apply_plugin_variables(raw, others, ("executors", "run", "executor"), options)
    apply_plugin_variables(raw, others, ("analytics", "analytics", "source"), options)
    settings, more = _settings_from(raw, study_file)
    return settings, [*unknown_variables(others, SECTIONS), *more]


def _read_toml(study_file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_regular(study_file).decode("utf-8-sig"))
    except FileNotFoundError as exc:
        folder = study_file.parent.resolve()
        raise ConfigError(
            f"no {study_file.name} in {folder}. "
            "Name a study with --study FOLDER, or write a first one: ingest init DIR"
        ) from exc
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise ConfigError(f"{study_file} cannot be read: {reason}") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{study_file} is not valid TOML: {exc}") from exc


def _settings_from(raw: dict[str, Any], study_file: Path) -> tuple[Settings, list[Finding]]:
    where = study_file.name
    tables = (*SECTIONS, "executors", "units", "labels")
    findings = [
        error("unknown-key", where, f"unknown section [{key}].{did_you_mean(key, known)}")
        for known in [(*tables, "rules", "indicators")]
        for key in raw
        if key not in known
    ]
    not_tables = _not_tables({key: raw.get(key, {}) for key in tables}, "", where)
    if not_tables:
        return Settings(study_file.parent), findings + not_tables
    own = _take_tables(raw, "tolerance", lambda key: key in ("labels", "indicators"))
    sources = _take_tables(raw, "analytics", lambda key: key not in _keys("analytics"))
    sections: dict[str, Any] = {}
    for name, section in SECTIONS.items():
        values = raw.get(name, {})
        if section is EconomicsSettings:
            sections[name], more = read_economics(values, where)
        else:
            sections[name], more = read_section(section, values, name, where)
        findings += more
    tolerances, more = _read_own_tolerances("labels", own, sections["tolerance"], where)
    findings += more
    rules, more = read_rules(raw.get("rules", []), where)
    findings += more
    indicators, more = read_indicators_section(raw.get("indicators", []), where)
    findings += more
    of_indicators, more = _read_own_tolerances("indicators", own, sections["tolerance"], where)
    findings += more
    if not has_errors(findings):
        named = [(f'tolerance.indicators."{name}"', name) for name in of_indicators]
        named += [(f"rule {rule.name!r}", rule.indicator) for rule in rules if rule.indicator]
        findings += _unknown_indicators(named, indicators, where)
    units, more = _read_units(raw.get("units", {}), where)
    findings += more
    labels, more = read_label_settings(raw.get("labels", {}), where)
    executors = raw.get("executors", {})
    settings = Settings(
        study_file.parent,
        **sections,
        rules=rules,
        indicators=indicators,
        units=units,
        labels=labels,
        tolerance_labels=tolerances,
        tolerance_indicators=of_indicators,
        executors={name: table for name, table in executors.items() if isinstance(table, dict)},
        analytics_sources=sources,
    )
    return settings, findings + more + _not_tables(executors, "executors.", where)


def _not_tables(values: Mapping[str, Any], prefix: str, where: str) -> list[Finding]:
    return [
        error("bad-value", where, f"{prefix}{key}: a table is needed")
        for key, value in values.items()
        if not isinstance(value, dict)
    ]


def _read_own_tolerances(
    kind: str, tables: Mapping[str, Mapping[str, Any]], general: ToleranceSettings, where: str
) -> tuple[dict[str, ToleranceSettings], list[Finding]]:
    """[tolerance.labels."..."] or [tolerance.indicators]; what is not set is as in general."""
    tolerances: dict[str, ToleranceSettings] = {}
    findings: list[Finding] = []
    for label, values in tables.get(kind, {}).items():
        name = f'tolerance.{kind}."{label}"'
        if not isinstance(values, dict):
            findings.append(error("bad-value", where, f"{name}: a table with rtol, atol is needed"))
            continue
        tolerances[label], more = read_section(
            ToleranceSettings, asdict(general) | values, name, where
        )
        findings += more
    return tolerances, findings


def _unknown_indicators(
    named: Iterable[tuple[str, str]], indicators: Sequence[Indicator], where: str
) -> list[Finding]:
    """What names an indicator, with the place where it does, and there is none of that name."""
    known = [indicator.name for indicator in indicators]
    return [
        error(
            "unknown-indicator",
            where,
            f"{place}: no indicator {name!r}.{did_you_mean(name, known)}",
        )
        for place, name in named
        if name not in known
    ]


def _read_units(raw: Mapping[str, Any], where: str) -> tuple[dict[str, str], list[Finding]]:
    units = {label: unit for label, unit in raw.items() if isinstance(unit, str)}
    findings = [
        error("bad-value", where, f'units."{label}": a text is needed, not {unit!r}')
        for label, unit in raw.items()
        if label not in units
    ]
    return units, findings


def _keys(section: str) -> frozenset[str]:
    return frozenset(SECTIONS[section].__dataclass_fields__)


def _take_tables(
    raw: dict[str, Any], section: str, wanted: Callable[[str], bool]
) -> dict[str, dict[str, Any]]:
    """Tables within a section, taken out of it: [tolerance.labels], [analytics.<source>]."""
    values = raw.get(section, {})
    tables = {key: v for key, v in values.items() if isinstance(v, dict) and wanted(key)}
    raw[section] = {key: value for key, value in values.items() if key not in tables}
    return tables
