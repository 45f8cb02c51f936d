from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.analytics.validate import parse_analytics
from ingest.executors.model_call import (
    ModelCrashError,
    ModelError,
    call_entry_point,
    describe_exit,
    load_entry_point,
    run_command,
)
from ingest.metrics import Metric


@pytest.fixture(autouse=True)
def _modules_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test imports from its folder is forgotten after it."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_an_entry_point_is_found_in_the_studys_folder_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    (tmp_path / "wave.py").write_text("def simulate(document): return [('L', 2030, 1.0)]\n")
    function = load_entry_point("wave:simulate", tmp_path)  # there is one in the standard library
    assert list(function({})) == [("L", 2030, 1.0)]
    assert sys.path.count(str(tmp_path)) == 1
    load_entry_point("wave:simulate", tmp_path)
    assert sys.path.count(str(tmp_path)) == 1


def test_each_study_has_its_own_model_also_in_one_process(tmp_path: Path) -> None:
    numbers = []
    for value in (1.0, 2.0, 1.0):
        root = tmp_path / f"study{value:.0f}"
        root.mkdir(exist_ok=True)
        (root / "model_of_a_study.py").write_text(
            f"def simulate(document): return [('L', 2030, {value})]\n"
        )
        numbers += load_entry_point("model_of_a_study:simulate", root)({})
    assert numbers == [("L", 2030, 1.0), ("L", 2030, 2.0), ("L", 2030, 1.0)]


def test_an_entry_point_may_lie_in_a_package(tmp_path: Path) -> None:
    (tmp_path / "package_of_study").mkdir()
    (tmp_path / "package_of_study/inner.py").write_text("def simulate(document): return []\n")
    assert list(load_entry_point("package_of_study.inner:simulate", tmp_path)({})) == []


def test_a_call_gives_json_that_is_parsed_to_the_same_numbers(tmp_path: Path) -> None:
    def simulate(document: Any) -> Iterator[tuple[str, int, float]]:
        yield "Länge", document["year"], 0.1 + 0.2
        yield "Länge", document["year"] + 1, 1e-300

    raw = call_entry_point(simulate, b'{"year": 2030}', tmp_path)
    assert list(parse_analytics(raw)) == [
        Metric("Länge", 2030, 0.1 + 0.2),
        Metric("Länge", 2031, 1e-300),
    ]


def test_rows_may_be_a_list(tmp_path: Path) -> None:
    raw = call_entry_point(lambda document: [("L", 2030, 1.0)], b"{}", tmp_path)
    assert json.loads(raw) == [{"element_label": "L", "timestamp_year": 2030, "value": 1.0}]


def test_an_error_names_the_innermost_place_in_the_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "outer_part.py").write_text(
        "import json\nimport inner_part\ndef simulate(document):\n    inner_part.read('{')\n"
    )
    (tmp_path / "inner_part.py").write_text(
        "import json\ndef read(text):\n    return json.loads(text)\n"
    )
    function = load_entry_point("outer_part:simulate", tmp_path)
    with pytest.raises(ModelError) as error:
        call_entry_point(function, b"{}", tmp_path)
    assert str(error.value).startswith("JSONDecodeError: Expecting property name")
    assert str(error.value).endswith("(inner_part.py:3)")
    assert "Traceback (most recent call last):" in capsys.readouterr().err


def test_an_error_message_of_many_lines_becomes_one(tmp_path: Path) -> None:
    def simulate(document: Any) -> Any:
        raise ValueError("first line\n  second line")

    with pytest.raises(ModelError, match=r"^ValueError: first line second line$"):
        call_entry_point(simulate, b"{}", tmp_path)


def test_an_error_without_message_is_its_type(tmp_path: Path) -> None:
    def simulate(document: Any) -> Any:
        raise MemoryError

    with pytest.raises(ModelError, match=r"^MemoryError$"):
        call_entry_point(simulate, b"{}", tmp_path)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("L", 2030), r"\(label, year, value\): not enough values"),
        ((5, 2030, 1.0), "a label is a text"),
        (("L", "2030", 1.0), "cannot be interpreted as an integer"),
        (("L", 2030, False), "a value a number"),
        (("L", 2030, 10**400), "int too large"),
    ],
)
def test_a_row_of_the_wrong_form_is_shown(tmp_path: Path, row: Any, told: str) -> None:
    rows = [("Good", 2030, 1.0), row]
    with pytest.raises(ModelError, match=rf"^row 2 of the model is \(.*{told}"):
        call_entry_point(lambda document: rows, b"{}", tmp_path)


@pytest.mark.parametrize(
    ("entry_point", "told"),
    [
        ("no_colon", "is not of the form"),
        ("no_such_module_here:simulate", "cannot be imported: ModuleNotFoundError: No module"),
        ("json:simulate", r"json has no simulate\(\)"),
    ],
)
def test_an_entry_point_that_cannot_be_loaded_is_named(
    tmp_path: Path, entry_point: str, told: str
) -> None:
    with pytest.raises(ModelError, match=f"^entry_point '{entry_point}'.*{told}"):
        load_entry_point(entry_point, tmp_path)


@pytest.mark.parametrize("answer", [None, 5, True])
def test_an_answer_that_is_no_rows_is_shown(tmp_path: Path, answer: Any) -> None:
    with pytest.raises(ModelError, match=f"the model gave {answer!r}, no rows"):
        call_entry_point(lambda document: answer, b"{}", tmp_path)


def test_numbers_that_are_not_finite_are_left_to_the_checks_of_results(tmp_path: Path) -> None:
    raw = call_entry_point(lambda document: [("L", 2030, float("nan"))], b"{}", tmp_path)
    with pytest.raises(Exception, match=r"record 1: value nan is not finite \('L' 2030\)"):
        parse_analytics(raw)


def test_a_command_runs_in_the_studys_folder_and_leaves_no_files(tmp_path: Path) -> None:
    study, files = tmp_path / "study", tmp_path / "files"
    study.mkdir()
    files.mkdir()
    script = 'cat "$1" > "$2"; pwd >> "$2"; ls "$(dirname "$1")" >> "$2"'
    command = ["sh", "-c", script, "sh", "{document}", "{result}"]
    raw = run_command(command, b"the document\n", study, files)
    assert raw.decode().split("\n")[:2] == ["the document", str(study)]
    assert list(files.iterdir()) == []


def test_placeholders_are_filled_within_arguments(tmp_path: Path) -> None:
    script = 'printf "%s" "$1" > "${2#--out=}"'
    command = ["sh", "-c", script, "sh", "--in={document}:{result}", "--out={result}"]
    document, result = run_command(command, b"", tmp_path).decode().split(":")
    assert document.startswith("--in=")
    assert document.endswith("document.json")
    assert result.endswith("result.csv")


@pytest.mark.parametrize(
    ("script", "kind", "told"),
    [
        ("exit 4", ModelError, "'sh' exited with status 4"),
        ("kill -SEGV $$", ModelCrashError, "'sh' was killed by SIGSEGV"),
        ("true", ModelError, "'sh' wrote no result to {result}"),
    ],
)
def test_a_command_that_fails_is_told(
    tmp_path: Path, script: str, kind: type[ModelError], told: str
) -> None:
    with pytest.raises(ModelError) as error:
        run_command(["sh", "-c", script], b"", tmp_path)
    assert type(error.value) is kind
    assert told in str(error.value)


def test_a_program_without_permission_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.sh").write_text("#!/bin/sh\n")
    with pytest.raises(ModelError, match=r"'./model.sh' cannot be run: Permission denied"):
        run_command(["./model.sh"], b"", tmp_path)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exited with status 0"),
        (3, "exited with status 3"),
        (-9, "was killed by SIGKILL"),
        (-11, "was killed by SIGSEGV"),
        (-250, "was killed by signal 250"),
    ],
)
def test_the_end_of_a_process_is_put_in_words(status: int, words: str) -> None:
    assert describe_exit(status) == words
