"""What import-linter cannot say: imports within functions, connections, and SQL that writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import PROJECT

# Slow to import, or not installed everywhere: imported by the function that needs them.
LAZY = {
    "altair", "boto3", "botocore", "datasette", "pandas", "pyarrow", "pycountry", "requests",
    "sqlite_utils", "vl_convert",
}  # fmt: skip
OPENING = {"sqlite3.connect", "sqlite3.Connection", "sqlite_utils.Database", "Database"}
# Tables of the connection itself are no writing.
WRITING = re.compile(
    r"\s*(INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|VACUUM|REINDEX)\s+"
    r"(?!.*\b(temp|TEMP)\b)[A-Z(\"]",
    re.DOTALL,
)


@cache
def read_modules(below: str = "") -> dict[str, ast.Module]:
    """Every module of ingest below a folder, by its path, parsed."""
    paths = sorted((PROJECT / "ingest" / below).rglob("*.py"))
    return {
        str(path.relative_to(PROJECT)): ast.parse(path.read_text(encoding="utf-8"))
        for path in paths
    }


def imports_when_loaded(node: ast.AST) -> Iterator[tuple[str, int]]:
    """The libraries that a module imports when it is imported itself, with their lines."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name.partition(".")[0], child.lineno) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield ("." if child.level else (child.module or "").partition(".")[0], child.lineno)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from imports_when_loaded(child)


def slow_imports(tree: ast.Module) -> list[str]:
    return [f"line {line}: {name}" for name, line in imports_when_loaded(tree) if name in LAZY]


def opened_connections(tree: ast.Module) -> set[str]:
    return {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)} & OPENING


def writing_sql(tree: ast.Module) -> list[str]:
    texts = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return [f"line {n.lineno}: {n.value.split()[0]}" for n in texts if WRITING.match(n.value)]


def test_slow_libraries_are_imported_within_functions() -> None:
    found = {name: slow_imports(tree) for name, tree in read_modules().items()}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_no_import_is_relative() -> None:
    relative = [
        f"{name}:{line}"
        for name, tree in read_modules().items()
        for library, line in imports_when_loaded(tree)
        if library == "."
    ]
    assert relative == []


def test_only_the_database_package_opens_connections_and_writes() -> None:
    outside = {n: t for n, t in read_modules().items() if not n.startswith("ingest/database/")}
    found = {name: [*opened_connections(t), *writing_sql(t)] for name, t in outside.items()}
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_the_top_of_the_package_stays_small() -> None:
    assert len(list((PROJECT / "ingest").glob("*.py"))) <= 10


@pytest.mark.parametrize(
    ("source", "check"),
    [
        ("import pandas", slow_imports),
        ("if True:\n from boto3.session import Session", slow_imports),
        ("sqlite3.connect('x')", opened_connections),
        ("run('DELETE FROM metrics')", writing_sql),
        ('run("""\n  INSERT INTO metrics""")', writing_sql),
    ],
)
def test_what_is_not_allowed_is_found(source: str, check: object) -> None:
    assert callable(check)
    assert check(ast.parse(source))


@pytest.mark.parametrize(
    ("source", "check"),
    [
        ("def f():\n import pandas", slow_imports),
        ("if TYPE_CHECKING:\n import pandas", slow_imports),
        ("import json, yaml", slow_imports),
        ("run('SELECT updated FROM t')", writing_sql),
        ("say('Delete the file')", writing_sql),
        ("run('DROP TABLE IF EXISTS temp.chosen')", writing_sql),
    ],
)
def test_what_is_allowed_is_left_alone(source: str, check: object) -> None:
    assert callable(check)
    assert not check(ast.parse(source))


def test_modules_are_found(tmp_path: Path) -> None:
    assert "ingest/study/study.py" in read_modules()
