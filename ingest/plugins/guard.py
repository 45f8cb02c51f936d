"""Hooks of plugins, guarded: whatever one raises or answers wrongly is an error that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import pluggy

from ingest.analytics.sources.base import AnalyticsSource
from ingest.errors import IngestError, PluginError
from ingest.executors.base import Executor
from ingest.findings import Finding
from ingest.plugins import defaults
from ingest.text.foreign import shorten_middle

_TEXT_LETTERS = 1_000


def guard_hooks(manager: pluggy.PluginManager) -> None:
    """Have each hook of each plugin but the default one raise IngestError, and nothing else."""
    for plugin in manager.get_plugins() - {defaults}:
        for caller in manager.get_hookcallers(plugin) or ():
            for implementation in caller.get_hookimpls():
                is_wrapper = implementation.wrapper or implementation.hookwrapper
                if implementation.plugin is plugin and not is_wrapper:
                    what = f"plugin {implementation.plugin_name}, {caller.name}"
                    function = _guarded(implementation.function, what, _KINDS.get(caller.name))
                    implementation.function = function  # type: ignore[misc]  # by its type


def one_line(error: BaseException) -> str:
    """The type of an error and its text, without a long middle."""
    text = shorten_middle(" ".join(str(error).split()), _TEXT_LETTERS)
    return f"{type(error).__name__}: {text}"


def _guarded(
    function: Callable[..., Any], what: str, kind: tuple[Callable[[Any], bool], str] | None
) -> Callable[..., Any]:
    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            answer = function(*arguments, **named)
            if kind is None or answer is None:
                return answer
            members = _members(answer)
        except (IngestError, KeyboardInterrupt):
            raise
        except BaseException as exc:  # sys.exit() too: the exit code is not a plugin's to choose
            raise PluginError(f"{what}: {one_line(exc)}") from exc
        fits, wanted = kind
        wrong = [member for member in members if not fits(member)]
        if wrong:
            raise PluginError(f"{what}: {wrong[0]!r:.100} is no {wanted}")
        return members

    return call


def _members(answer: Any) -> list[Any]:
    is_one = isinstance(answer, (str, bytes, dict)) or not isinstance(answer, Iterable)
    return [answer] if is_one else list(answer)


def _is_offer(base: type[Any]) -> tuple[Callable[[Any], bool], str]:
    def fits(offered: Any) -> bool:
        if isinstance(offered, defaults.Offer):
            return True
        is_class = isinstance(offered, type) and issubclass(offered, base)
        return is_class and isinstance(getattr(offered, "name", None), str)

    return fits, f"subclass of {base.__name__} with a name"


# What the members of an answer must be; hooks that are missing here may answer anything.
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "ingest_discover_scenarios": (lambda path: isinstance(path, Path), "Path of a scenario file"),
    "ingest_register_executors": _is_offer(Executor),
    "ingest_register_analytics_sources": _is_offer(AnalyticsSource),
    "ingest_check_metrics": (lambda finding: isinstance(finding, Finding), "Finding"),
}
