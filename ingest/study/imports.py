"""Which Python files of a study a program imports, found by reading the code, not by running it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

_IMPORTERS = ("import_module", "__import__", "run_module", "run_path")


def reached_files(root: Path, starts: Iterable[str], files: Iterable[str]) -> set[str]:
    """The starts that are there, and all that they import from among the study's files.

    starts: files relative to root. files: the study's files; a module `rates` is any of them that
    ends in rates.py or rates/__init__.py, since a program may put any folder on its path.
    """
    by_module: dict[str, list[str]] = {}
    for file in files:
        path = PurePosixPath(file)
        if path.suffix == ".py":
            place = path.parent if path.name == "__init__.py" else path.with_suffix("")
            for length in range(1, len(place.parts) + 1):
                by_module.setdefault(".".join(place.parts[-length:]), []).append(file)
    reached: set[str] = set()
    waiting = [start for start in starts if (root / start).is_file()]
    while waiting:
        file = waiting.pop()
        if file not in reached:
            reached.add(file)
            for module in _imported(root, file) if file.endswith(".py") else ():
                waiting += module_files(root, module, by_module)
    return reached


def module_files(root: Path, module: str, by_module: dict[str, list[str]]) -> list[str]:
    """The files of a module and of the packages that it lies in."""
    found = []
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        name = ".".join(parts[:length])
        place = PurePosixPath(*parts[:length])
        direct = (f"{place}.py", f"{place}/__init__.py")
        found += by_module.get(name, []) or [file for file in direct if (root / file).is_file()]
    return found


def _imported(root: Path, file: str) -> Iterator[str]:
    """The full names that a file imports; nothing where it is no Python that can be read."""
    import ast
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes in the study's own code
            tree = ast.parse((root / file).read_bytes(), file)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    package = PurePosixPath(file).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}".strip(".") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            text = getattr(node.args[0], "value", None)
            if called in _IMPORTERS and isinstance(text, str):
                yield text.removesuffix(".py").replace("/", ".").strip(".")
