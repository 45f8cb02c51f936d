"""One direction: a module imports only from its own stage or from one to the left of it."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.conftest import PROJECT

# From left to right. A name is a module below ingest/, or a package with all its modules.
# "__init__" is what `from ingest import ...` gives.
STAGES: dict[str, tuple[str, ...]] = {
    "words": (
        "findings", "suggest", "errors", "markers", "clock", "resources",
        "number_text", "job_name", "__init__",
    ),
    "settings": ("json_files", "setting_fields", "rules", "settings"),
    "files": ("country", "label", "scenario", "code_version", "git", "study"),
    "documents": ("compose", "inputs", "input_changes"),
    "plan": ("plan",),
    "executors": ("executors",),
    "analytics": ("analytics", "quality"),
    "database": ("database",),
    "results": (
        "quality_state", "run_quality", "states", "causes", "diff", "query", "export", "bundle",
        "canned_query_files", "canned_queries", "questions", "compare", "reference",
        "diff_summary", "range_bars", "report_markdown", "report_html", "charts", "chart_style",
        "chart_drawing", "chart_lines", "chart_bars", "chart_points", "chart_map", "chart_pictures",
        "map_shapes", "importing", "csv_check",
    ),
    "browser": ("browser",),
    "runner": (
        "planning", "scheduler", "events", "hookspecs", "default_plugins", "plugins",
        "executor_setup", "job_csv", "analytics_processor", "run_changes", "run_session",
        "run_start", "runner", "backfill",
    ),
    "dev-server": ("dev_server",),
    "commands": ("commands",),
    "cli": ("cli", "__main__"),
}  # fmt: skip


@dataclass(frozen=True)
class OnlyIn:
    """Where a library may be imported: patterns of modules, perhaps within functions alone."""

    modules: tuple[str, ...]
    within_functions: bool = False


CLOUD = OnlyIn(("executors.*", "analytics.fetch*"), within_functions=True)
LIBRARIES: dict[str, OnlyIn] = {
    # browser.server meets the errors of Datasette's own command line
    "click": OnlyIn(("cli", "commands.*", "browser.server")),
    "rich": OnlyIn(("commands.*",)),
    "tabulate": OnlyIn(("commands.*",)),
    "boto3": CLOUD,
    "botocore": CLOUD,
    "requests": CLOUD,
    "sqlite_utils": OnlyIn(("database.*",)),
    # outside database/ for its types and errors alone; everything is opened by database.files
    "sqlite3": OnlyIn(
        ("database.*", *STAGES["results"], "browser.*", "importing.*", "backfill", "commands.*")
    ),
    "jsonpath_rfc9535": OnlyIn(("compose",)),
    "pycountry": OnlyIn(("country", "map_shapes"), within_functions=True),
    "pandas": OnlyIn(("query",), within_functions=True),
    "altair": OnlyIn(("query",), within_functions=True),
    "pyarrow": OnlyIn(("export",), within_functions=True),
    "vl_convert": OnlyIn(("chart_pictures", "browser.vega_bundle"), within_functions=True),
    "datasette": OnlyIn(("browser.*",), within_functions=True),
}


@dataclass(frozen=True)
class Import:
    """One imported module, by its whole name. lazy: within a function; typing: for mypy alone."""

    name: str
    line: int
    lazy: bool
    typing: bool


# --- reading -------------------------------------------------------------------------------------


def read_modules() -> dict[str, ast.Module]:
    """Every module below ingest/ by its name without "ingest.", parsed."""
    modules = {}
    for path in sorted((PROJECT / "ingest").rglob("*.py")):
        modules[module_name(path)] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return modules


def module_name(path: Path) -> str:
    parts = path.relative_to(PROJECT / "ingest").with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def read_imports(
    node: ast.AST, known: frozenset[str], lazy: bool = False, typing: bool = False
) -> Iterator[Import]:
    """The imports in a syntax tree, those in functions too; known: the modules of ingest."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, lazy, typing)
        elif isinstance(child, ast.ImportFrom):
            for name in from_names(child, known):
                yield Import(name, child.lineno, lazy, typing)
        else:
            in_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            yield from read_imports(child, known, lazy or in_function, typing or for_types)


def from_names(node: ast.ImportFrom, known: frozenset[str]) -> Iterator[str]:
    """`from ingest.database import read` is the module ingest.database.read, if there is one."""
    base = node.module or ""
    if node.level:
        yield "." * node.level + base
        return
    for alias in node.names:
        whole = f"{base}.{alias.name}"
        yield whole if whole.removeprefix("ingest.") in known else base


MODULES = read_modules()
KNOWN = frozenset(MODULES)


def own(name: str) -> str | None:
    """The module of ingest that an import names, without "ingest."; None for another library."""
    if name == "ingest":
        return "__init__"
    return name.removeprefix("ingest.") if name.startswith("ingest.") else None


# --- the rules -----------------------------------------------------------------------------------


def stage_of(module: str) -> int | None:
    """Where in STAGES a module stands, from the left; None where it is not listed."""
    for number, names in enumerate(STAGES.values()):
        if any(module == name or module.startswith(f"{name}.") for name in names):
            return number
    return None


def direction_problem(module: str, imported: Import) -> str | None:
    """What is wrong with a module's import of another module of ingest."""
    if imported.name.startswith("."):
        return f"line {imported.line}: write the whole name instead of a relative import"
    target = own(imported.name)
    if target is None:
        return None
    here, there = stage_of(module), stage_of(target)
    if here is None or there is None or there <= here:
        return None
    stages = list(STAGES)
    return (
        f"line {imported.line}: {module} ({stages[here]}) imports {target} ({stages[there]}), "
        "which stands to the right of it"
    )


def library_problem(module: str, imported: Import) -> str | None:
    """What is wrong with a module's import of another library."""
    library = imported.name.partition(".")[0]
    rule = LIBRARIES.get(library)
    if rule is None:
        return None
    inside = [name for name in rule.modules if fnmatchcase(module, name)]
    if not inside and not any(module == name.removesuffix(".*") for name in rule.modules):
        return f"line {imported.line}: {library} belongs into {', '.join(rule.modules) or 'none'}"
    if rule.within_functions and not imported.lazy and not imported.typing:
        return f"line {imported.line}: import {library} within the function that needs it"
    return None


def imports_of(module: str) -> list[Import]:
    return list(read_imports(MODULES[module], KNOWN))


def test_every_module_has_a_stage() -> None:
    unknown = [module for module in MODULES if stage_of(module) is None]
    assert not unknown, (
        f"new module {', '.join(unknown)}: add it to STAGES in tests/test_imports.py, in the "
        "leftmost stage whose modules and those before it are all that it imports"
    )


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_from_its_own_stage_or_the_left_alone(module: str) -> None:
    problems = [direction_problem(module, imported) for imported in imports_of(module)]
    assert [problem for problem in problems if problem] == []


@pytest.mark.parametrize("module", MODULES)
def test_library_is_imported_where_it_belongs_alone(module: str) -> None:
    problems = [library_problem(module, imported) for imported in imports_of(module)]
    assert [problem for problem in problems if problem] == []


@pytest.mark.parametrize("module", MODULES)
def test_database_alone_opens_connections(module: str) -> None:
    called = {ast.unparse(n.func) for n in ast.walk(MODULES[module]) if isinstance(n, ast.Call)}
    opened = called & {"sqlite3.connect", "sqlite3.Connection", "sqlite_utils.Database"}
    assert module.startswith("database") or not opened


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {
        module: {
            target
            for imported in imports_of(module)
            if not imported.typing and (target := own(imported.name)) and target != module
        }
        for module in MODULES
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as exc:
        pytest.fail(f"a circle of imports: {' <- '.join(exc.args[1])}")


# --- the rules can fail --------------------------------------------------------------------------


def problems_in(module: str, source: str) -> list[str]:
    found = read_imports(ast.parse(source), KNOWN)
    problems = [
        p for i in found for p in (direction_problem(module, i), library_problem(module, i))
    ]
    return [problem for problem in problems if problem]


@pytest.mark.parametrize(
    ("module", "source", "problem"),
    [
        (
            "compose",
            "from ingest.plan import Plan",
            "line 1: compose (documents) imports plan (plan), which stands to the right of it",
        ),
        (
            "plan",
            "def f():\n    from ingest.database import read",
            "line 2: plan (plan) imports database.read (database), which stands to the right of it",
        ),
        (
            "executors.local",
            "import ingest.database",
            "line 1: executors.local (executors) imports database (database), "
            "which stands to the right of it",
        ),
        ("plan", "from . import study",
         "line 1: write the whole name instead of a relative import"),
        ("planning", "import click", "line 1: click belongs into cli, commands.*, browser.server"),
        ("causes", "import sqlite_utils", "line 1: sqlite_utils belongs into database.*"),
        ("commands.run", "def f():\n import boto3",
         "line 2: boto3 belongs into executors.*, analytics.fetch*"),
        ("executors.aws_batch", "import boto3",
         "line 1: import boto3 within the function that needs it"),
        ("executors.aws_batch", "from botocore.config import Config",
         "line 1: import botocore within the function that needs it"),
        ("commands.serve", "def f():\n import datasette.app",
         "line 2: datasette belongs into browser.*"),
    ],
)  # fmt: skip
def test_wrong_import_is_told(module: str, source: str, problem: str) -> None:
    assert problems_in(module, source) == [problem]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("plan", "from ingest.study import Study\nimport json"),
        ("executors.aws_batch", "def f():\n import boto3"),
        ("analytics.fetch_api", "def f():\n import requests"),
        ("executors.aws_batch", "if TYPE_CHECKING:\n import boto3"),
        ("cli", "import click\nfrom ingest import __version__"),
        ("database", "import sqlite_utils"),
    ],
)
def test_right_import_is_left_alone(module: str, source: str) -> None:
    assert problems_in(module, source) == []


def test_new_module_needs_a_line_in_the_table() -> None:
    assert stage_of("some_new_module") is None
    assert stage_of("planner") is None
    assert stage_of("executors.some_new_executor") == stage_of("executors")
