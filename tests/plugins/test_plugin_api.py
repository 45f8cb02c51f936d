"""ingest.plugin_api is all that a plugin imports, and all that the docs ask it to import."""

from __future__ import annotations

import ast
import dataclasses
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import plugin_api
from ingest.plugin_api import JobFinished, RunFinished
from ingest.plugins import hookspecs
from tests.conftest import PROJECT

PAGES = sorted([PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")])
# Pages for people who write notebooks or tests, no plugins.
OTHER_IMPORTS = {
    "notebooks.md": {
        "ingest.questions.results_query", "ingest.changes.diff", "ingest.study.settings",
    },
    "dev-server.md": {"ingest.dev_server"},
}  # fmt: skip
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("ingest_")}
# A path below ingest, written with dots: only plugin_api is for others.
DEEP_PATH = re.compile(r"\bingest\.(?!plugin_api\b)[a-z_]+\.[A-Za-z_.]+")


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def imported_from_ingest(source: str) -> Iterator[tuple[str, str]]:
    """Module and name of each import from ingest."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ingest":
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            names = (alias.name for alias in node.names)
            yield from ((name, "") for name in names if name.split(".")[0] == "ingest")


def example_of(hook: str) -> str:
    """The code in a hook's docstring."""
    example = re.search(r"^ *@hookimpl\n.*", HOOKS[hook].__doc__ or "", re.MULTILINE | re.DOTALL)
    assert example
    return textwrap.dedent(example[0])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documented_code_imports_only_the_plugin_api(page: Path) -> None:
    allowed = {"ingest.plugin_api"} | OTHER_IMPORTS.get(page.name, set())
    for block in python_blocks(page):
        imports = list(imported_from_ingest(block))
        assert {module for module, _ in imports} <= allowed, block
        names = {name for module, name in imports if module == "ingest.plugin_api"}
        assert names <= set(plugin_api.__all__)


def test_plugins_of_the_documentation_are_looked_at() -> None:
    blocks = python_blocks(PROJECT / "docs" / "plugins.md")
    with_hook = [block for block in blocks if "@hookimpl" in block]
    assert len(with_hook) > len(HOOKS)
    assert all(("ingest.plugin_api", "hookimpl") in imported_from_ingest(b) for b in with_hook)


@pytest.mark.parametrize("name", ["plugins.md", "executors.md"])
def test_pages_for_plugin_authors_name_no_other_module(name: str) -> None:
    text = (PROJECT / "docs" / name).read_text(encoding="utf-8")
    assert DEEP_PATH.findall(text) == []


@pytest.mark.parametrize("hook", HOOKS)
def test_hooks_name_no_other_module(hook: str) -> None:
    assert DEEP_PATH.findall(HOOKS[hook].__doc__ or "") == []


@pytest.mark.parametrize("hook", HOOKS)
def test_example_of_a_hook_takes_its_arguments(hook: str) -> None:
    (function,) = ast.parse(example_of(hook)).body
    assert isinstance(function, ast.FunctionDef)
    assert function.name == hook
    taken = {argument.arg for argument in function.args.args}
    known = set(HOOKS[hook].__annotations__) - {"return"}
    assert taken <= known


@pytest.mark.parametrize(
    ("hook", "event"), [("ingest_job_finished", JobFinished), ("ingest_run_finished", RunFinished)]
)
def test_example_of_an_event_reads_what_it_has(hook: str, event: type) -> None:
    read = set(re.findall(r"event\.(\w+)", example_of(hook)))
    assert read
    assert read <= {field.name for field in dataclasses.fields(event)}


def test_everything_in_the_api_is_named_and_nothing_else_is_public() -> None:
    public = {name for name in vars(plugin_api) if not name.startswith("_")} - {"annotations"}
    assert sorted(public) == sorted(plugin_api.__all__)
