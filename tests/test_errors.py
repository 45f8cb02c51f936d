"""The tree of errors is drawn in its docstring, and drawn right."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator

from ingest import errors
from ingest.errors import IngestError
from tests.conftest import PROJECT

LINE = re.compile(r"(?P<branch>[│├└─ ]*)(?P<name>\w+Error) +(exit code )?(?P<code>\d+)")


def drawn() -> Iterator[tuple[str, str, int]]:
    """Name, parent and exit code of each error in the docstring."""
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := LINE.match(line):
            depth = len(match["branch"]) // 4
            above[depth:] = [match["name"]]
            yield match["name"], above[depth - 1] if depth else "Exception", int(match["code"])


def import_modules_with_errors() -> None:
    for path in sorted((PROJECT / "ingest").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        bases = {
            ast.unparse(b) for n in ast.walk(tree) if isinstance(n, ast.ClassDef) for b in n.bases
        }
        if any(base.endswith("Error") for base in bases):
            importlib.import_module(".".join(path.relative_to(PROJECT).with_suffix("").parts))


def walk(cls: type[IngestError]) -> Iterator[type[IngestError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from walk(child)


def test_every_error_is_drawn_in_its_place_with_its_exit_code() -> None:
    import_modules_with_errors()
    tree = [cls for cls in walk(IngestError) if cls.__module__.startswith("ingest.")]
    assert "ingest.exchange.bundle" in {cls.__module__ for cls in tree}
    found = {(cls.__name__, cls.__bases__[0].__name__, cls.exit_code) for cls in tree}
    assert set(drawn()) == found


def test_errors_that_can_be_imported_are_those_defined_here() -> None:
    defined = {cls.__name__ for cls in walk(IngestError) if cls.__module__ == "ingest.errors"}
    assert sorted(defined) == errors.__all__


def test_branches_join_up() -> None:
    """Of one parent the last child has the corner, the others the tee."""
    rows = list(drawn())
    lines = [line for line in (errors.__doc__ or "").splitlines() if LINE.match(line)]
    last = {parent: name for name, parent, _ in rows}
    for (name, parent, _), line in zip(rows[1:], lines[1:], strict=True):
        assert ("└── " if last[parent] == name else "├── ") + name in line
