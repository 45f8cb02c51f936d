"""The plugin manager: default plugins, installed ones (entry points), a study's own."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pluggy

from ingest import hookspecs
from ingest.analytics.fetch import AnalyticsSource
from ingest.errors import ConfigError, IngestError, PluginError
from ingest.executors.base import Executor
from ingest.markers import PROJECT_NAME
from ingest.suggest import did_you_mean

DEFAULT_PLUGINS = (
    "ingest.default_plugins.ScenarioFiles",
    "ingest.default_plugins.CountriesFile",
    "ingest.default_plugins.LocalExecutorPlugin",
    "ingest.default_plugins.ExpectedLabels",
)
ENTRY_POINT_GROUP = PROJECT_NAME


def load_plugins(folder: Path | None = None) -> pluggy.PluginManager:
    """A manager with the default plugins, the installed ones and the files of a folder.

    Raises PluginError: a plugin that cannot be imported, or implements a hook wrongly.
    """
    manager = pluggy.PluginManager(PROJECT_NAME)
    manager.add_hookspecs(hookspecs)
    for dotted_name in DEFAULT_PLUGINS:
        module_name, _, class_name = dotted_name.rpartition(".")
        plugin = getattr(importlib.import_module(module_name), class_name)()
        manager.register(plugin, dotted_name)
    try:
        manager.load_setuptools_entrypoints(ENTRY_POINT_GROUP)
    except Exception as exc:
        raise PluginError(f"an installed plugin cannot be loaded: {exc}") from exc
    if folder is not None:
        _load_folder(manager, folder)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as exc:
        raise PluginError(f"a plugin implements no hook of that name: {exc}") from exc
    return manager


def _load_folder(manager: pluggy.PluginManager, folder: Path) -> None:
    if not folder.is_dir():
        raise PluginError(f"study.plugins: no folder {folder}")
    for path in sorted(folder.glob("*.py")):
        try:
            spec = importlib.util.spec_from_file_location(f"ingest_plugin_{path.stem}", path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            manager.register(module, str(path))
        except Exception as exc:
            raise PluginError(f"plugin {path}: {type(exc).__name__}: {exc}") from exc


def list_plugins(manager: pluggy.PluginManager) -> list[dict[str, Any]]:
    """Each plugin with its name, origin ("default", "installed" or a file) and hooks."""
    installed = dict(manager.list_plugin_distinfo())
    listed = []
    for name, plugin in manager.list_name_plugin():
        if plugin is None:
            continue
        hooks = sorted(caller.name for caller in manager.get_hookcallers(plugin) or [])
        entry: dict[str, Any] = {"name": name, "hooks": hooks}
        if name in DEFAULT_PLUGINS:
            entry["origin"] = "default"
        elif plugin in installed:
            info = installed[plugin]
            entry |= {"origin": "installed", "package": f"{info.project_name} {info.version}"}
        else:
            entry["origin"] = "file" if inspect.ismodule(plugin) else "registered"
        listed.append(entry)
    return listed


def find_executor(manager: pluggy.PluginManager, name: str) -> type[Executor]:
    """The executor class registered under a name. Raises ConfigError with the nearest known one."""
    offered = manager.hook.ingest_register_executors()
    found: type[Executor] = _find(offered, name, "executor", "run.executor")
    return found


def find_analytics_source(manager: pluggy.PluginManager, name: str) -> type[AnalyticsSource]:
    """The analytics source class registered under a name. Raises ConfigError likewise."""
    offered = manager.hook.ingest_register_analytics_sources()
    found: type[AnalyticsSource] = _find(offered, name, "analytics source", "analytics.source")
    return found


def _find(offered: Iterable[Iterable[Any]], name: str, what: str, key: str) -> Any:
    known = {cls.name: cls for group in offered for cls in group}
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        raise ConfigError(f"{key}: no {what} {name!r} (known: {names}).{did_you_mean(name, known)}")
    return known[name]


def call_observers(hook: Any, **arguments: Any) -> list[str]:
    """Call an event hook; what its plugins raise is given back as texts and stops nothing."""
    problems = []
    for implementation in hook.get_hookimpls():
        accepted = {name: arguments[name] for name in implementation.argnames}
        try:
            implementation.function(**accepted)
        except IngestError:
            raise
        except Exception as exc:  # noqa: BLE001  # a plugin may raise anything; it is told, not hidden
            name = implementation.plugin_name
            problems.append(f"plugin {name}, {hook.name}: {type(exc).__name__}: {exc}")
    return problems
