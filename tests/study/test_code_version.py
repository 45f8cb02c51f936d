from __future__ import annotations

from pathlib import Path

import pytest

from ingest.study.code_version import CodeSettings, CodeVersion, read_code_version
from ingest.study.local_settings import LocalSettings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / "model.py").write_text("model")
    (tmp_path / "lib" / "tables.py").write_text("tables")
    (tmp_path / "facts.csv").write_text("facts")
    return tmp_path


def read(root: Path, *patterns: str, version: str | None = None, **runs: str) -> CodeVersion:
    code, findings = read_code_version(
        root, CodeSettings(patterns=patterns, version=version), LocalSettings(), runs
    )
    assert findings == []
    return code


def problems(root: Path, *patterns: str) -> list[str]:
    _, findings = read_code_version(root, CodeSettings(patterns=patterns), LocalSettings(), {})
    return [f"{finding.severity}: {finding}" for finding in findings]


def test_parts_are_the_files_that_the_patterns_find_and_how_the_model_is_called(
    root: Path,
) -> None:
    code = read(root, "lib/*", "*.py", entry_point="model:simulate")
    assert list(code.parts) == ["lib/tables.py", "model.py", "entry_point"]
    assert code.parts["entry_point"] == "model:simulate"
    assert code.parts["model.py"] == (
        "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"
    )


def test_pattern_reaches_into_subfolders(root: Path) -> None:
    assert set(read(root, "**/*.py").parts) == {"model.py", "lib/tables.py"}


def test_folder_is_no_part(root: Path) -> None:
    assert set(read(root, "*").parts) == {"model.py", "facts.csv"}


def test_file_found_twice_is_one_part(root: Path) -> None:
    assert read(root, "model.py", "*.py").digest == read(root, "*.py").digest


def test_digest_changes_with_a_files_content(root: Path) -> None:
    before = read(root, "*.py").digest
    (root / "model.py").write_text("model ")
    assert read(root, "*.py").digest != before


def test_digest_changes_with_a_files_name(root: Path) -> None:
    before = read(root, "*.py").digest
    (root / "model.py").rename(root / "other.py")
    assert read(root, "*.py").digest != before


def test_digest_does_not_change_with_a_file_that_no_pattern_finds(root: Path) -> None:
    before = read(root, "*.py").digest
    (root / "facts.csv").write_text("other")
    (root / "lib" / "tables.py").write_text("other")
    assert read(root, "*.py").digest == before


def test_digest_changes_with_how_the_model_is_called(root: Path) -> None:
    assert read(root, "*.py", entry="a").digest != read(root, "*.py", entry="b").digest


def test_named_version_stands_for_the_files(root: Path) -> None:
    before = read(root, "*.py", version="image:1", entry="a")
    (root / "model.py").write_text("other")
    assert read(root, "*.py", version="image:1", entry="a").digest == before.digest
    assert before.parts == {"version": "image:1", "entry": "a"}
    assert read(root, "*.py", version="image:2", entry="a").digest != before.digest


def test_empty_version_names_none(root: Path) -> None:
    assert read(root, "*.py", version="").digest == read(root, "*.py").digest


def test_pattern_that_finds_no_file_is_a_warning(root: Path) -> None:
    assert problems(root, "*.py", "*.jl", "nothing.py") == [
        "warning: ingest.toml: study.code pattern '*.jl' finds no file",
        "warning: ingest.toml: study.code pattern 'nothing.py' finds no file",
    ]


def test_study_without_python_files_is_no_warning(tmp_path: Path) -> None:
    assert problems(tmp_path, "*.py") == []


@pytest.mark.parametrize("pattern", ["/etc/*.conf", ""])
def test_pattern_that_is_none_is_an_error(root: Path, pattern: str) -> None:
    assert problems(root, pattern) == [
        f"error: ingest.toml: study.code: {pattern!r} is no pattern below the study's folder"
    ]
