"""The plugin manager: the default plugin, installed ones (entry points), a study's own."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pluggy

from ingest.analytics.sources.base import AnalyticsSource
from ingest.errors import ConfigError, IngestError, PluginError
from ingest.executors.base import Executor
from ingest.plugins import defaults, hookspecs
from ingest.plugins.guard import guard_hooks, one_line
from ingest.plugins.hookspecs import PROJECT_NAME
from ingest.text.suggest import did_you_mean

ENTRY_POINT_GROUP = PROJECT_NAME


def load_plugins(folder: Path | None = None) -> pluggy.PluginManager:
    """A manager with the default plugin, the installed ones and the files of a folder.

    Raises PluginError: a plugin that cannot be imported, or implements a hook wrongly.
    """
    manager = pluggy.PluginManager(PROJECT_NAME)
    manager.add_hookspecs(hookspecs)
    manager.register(defaults, defaults.__name__)
    try:
        manager.load_setuptools_entrypoints(ENTRY_POINT_GROUP)
    except (Exception, SystemExit) as exc:
        name = _unloaded_entry_point(manager)
        raise PluginError(f"installed plugin {name}: {one_line(exc)}") from exc
    if folder is not None:
        _load_folder(manager, folder)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as exc:
        hooks = [name for name in vars(hookspecs) if name.startswith("ingest_")]
        unknown = re.search(r"'(\w+)'", str(exc))
        hint = did_you_mean(unknown[1], hooks) if unknown else ""
        raise PluginError(
            f"plugin {manager.get_name(exc.plugin)}: there is no such hook: {one_line(exc)}.{hint}"
        ) from exc
    guard_hooks(manager)
    return manager


def _unloaded_entry_point(manager: pluggy.PluginManager) -> str:
    """The installed plugin at which loading stopped."""
    entry_points = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    return next((e.name for e in entry_points if not manager.has_plugin(e.name)), "(unknown)")


def _load_folder(manager: pluggy.PluginManager, folder: Path) -> None:
    if not folder.is_dir():
        raise PluginError(f"study.plugins: no folder {folder}")
    for path in sorted(folder.glob("*.py")):
        try:
            spec = importlib.util.spec_from_file_location(f"ingest_plugin_{path.stem}", path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = module  # dataclasses and type hints look there
            spec.loader.exec_module(module)
            manager.register(module, str(path))
        except (Exception, SystemExit) as exc:
            raise PluginError(f"plugin {path}: {one_line(exc)}") from exc


def list_plugins(manager: pluggy.PluginManager) -> list[dict[str, Any]]:
    """Each plugin with its name, origin ("default", "installed" or a file) and hooks."""
    installed = dict(manager.list_plugin_distinfo())
    listed = []
    for name, plugin in manager.list_name_plugin():
        if plugin is None:
            continue
        hooks = sorted(caller.name for caller in manager.get_hookcallers(plugin) or [])
        entry: dict[str, Any] = {"name": name, "hooks": hooks}
        if plugin is defaults:
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
    known: dict[str, Any] = {}
    for cls in (cls for group in offered for cls in group):
        other = known.setdefault(cls.name, cls)
        if other is not cls and _loaded(other) is not _loaded(cls):
            raise PluginError(f"two plugins offer an {what} named {cls.name!r}: rename one")
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        raise ConfigError(f"{key}: no {what} {name!r} (known: {names}).{did_you_mean(name, known)}")
    return _loaded(known[name])


def _loaded(offer: Any) -> Any:
    return offer.load() if isinstance(offer, defaults.Offer) else offer


def call_observers(hook: Any, **arguments: Any) -> list[str]:
    """Call an event hook; what its plugins raise is given back as texts and stops nothing."""
    problems = []
    for implementation in hook.get_hookimpls():
        accepted = {name: arguments[name] for name in implementation.argnames}
        try:
            implementation.function(**accepted)
        except PluginError as exc:
            problems.append(str(exc))
        except IngestError as exc:
            problems.append(f"plugin {implementation.plugin_name}, {hook.name}: {one_line(exc)}")
    return problems
