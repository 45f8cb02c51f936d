"""The digest that tells whether a container's image holds the study's code as it is now."""

from __future__ import annotations

from pathlib import Path

from ingest.errors import ConfigError, StudyError
from ingest.findings import has_errors
from ingest.study.code_version import read_code_version
from ingest.study.line_ends import file_digest
from ingest.study.local_settings import LocalSettings
from ingest.study.setting_fields import read_section
from ingest.study.settings import STUDY_FILE, StudySettings, load_settings
from ingest.study.study import code_settings


def read_model_settings(root: Path) -> tuple[StudySettings, LocalSettings]:
    """[study] and [executors.local] as the study's file itself has them, without overrides.

    Raises ConfigError: no such file, wrong keys, or nothing that says how the model is called.
    """
    settings, _ = load_settings(root / STUDY_FILE, {})
    raw = settings.executors.get("local", {})
    local, findings = read_section(LocalSettings, raw, "executors.local", STUDY_FILE)
    if has_errors(findings):
        raise StudyError(findings)
    if not local.command and local.entry_point is None:
        raise ConfigError(
            "the container calls the model as [executors.local] says: write entry_point or "
            f"command there, in {STUDY_FILE}"
        )
    return settings.study, local


def read_code_digest(root: Path, study: StudySettings, local: LocalSettings) -> str:
    """SHA-256 of the model's code and data, and of how it is called.

    Raises StudyError: a pattern of study.code is none, a file cannot be read.
    """
    runs = {"entry_point": local.entry_point or "", "command": "\n".join(local.command)}
    for entry in study.country_data:
        runs[f"country data {entry.file}"] = file_digest(root / entry.file)
    version, findings = read_code_version(root, code_settings(root, study), local, runs)
    if has_errors(findings):
        raise StudyError(findings)
    return version.digest
