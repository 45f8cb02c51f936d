"""What of the settings of an executor or a source of results decides a result.

An executor or a source says it itself, by identity(settings). What is told of the executor is a
part of the code version, what is told of the source a part of the analytics query.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ingest.errors import IngestError, PluginError
from ingest.study.local_settings import MODEL_SECTION, LocalSettings
from ingest.study.setting_fields import TextList, input_values, read_section
from ingest.study.settings import Settings

DEFAULT_MARK = " (default)"
"""What the name of a part ends with whose value the executor has by default."""


def executor_parts(settings: Settings, hooks: Any) -> dict[str, str]:
    """What of the executors' settings is a part of the code version, by name.

    How the model is called, as written, wherever it runs; and what the chosen executor says.
    Raises PluginError: its identity() raises, or gives no mapping of texts.
    """
    written = settings.executors.get(MODEL_SECTION, {})
    names = (name for name in input_values(LocalSettings()) if name in written)
    parts = {f"executors.{MODEL_SECTION}.{name}": _text(written[name]) for name in names}
    chosen = settings.run.executor
    cls = _find(hooks.ingest_register_executors(), chosen)
    if cls is None or chosen == MODEL_SECTION:
        return parts
    own, _ = read_section(cls.Settings, settings.executors.get(chosen, {}), "", "")
    by_default = _identity(cls, cls.Settings())
    for name, value in _identity(cls, own).items():
        is_default = name in by_default and by_default[name] == value
        mark = DEFAULT_MARK if is_default else ""
        parts[f"executors.{chosen}.{name}{mark}"] = _text(value)
    return parts


def query_values(settings: Settings, hooks: Any) -> dict[str, Any]:
    """What decides which numbers are read of a job: of [analytics], and what the source says.

    Lists are sorted. Raises PluginError: the source's identity() raises or gives no mapping.
    """
    analytics = settings.analytics
    cls = _find(hooks.ingest_register_analytics_sources(), analytics.source)
    values = input_values(analytics, asks_query=cls is not None and cls.asks_query)
    if cls is not None:
        tables = settings.analytics_sources
        own, _ = read_section(cls.Settings, tables.get(cls.name, {}), "", "")
        values |= _identity(cls, own)
    return {n: sorted(v) if isinstance(v, list | tuple) else v for n, v in values.items()}


def _find(offered: Iterable[Iterable[Any]], name: str) -> Any:
    """The class that is offered under a name, None where none is."""
    return next((cls for group in offered for cls in group if cls.name == name), None)


def _identity(cls: Any, settings: Any) -> Mapping[str, Any]:
    try:
        identity = cls.identity(settings)
    except (IngestError, KeyboardInterrupt):
        raise
    except BaseException as exc:
        raise PluginError(f"{cls.name}: identity() raised {type(exc).__name__}: {exc}") from exc
    kinds = (str, int, float, bool, list, tuple, type(None))
    is_mapping = isinstance(identity, Mapping) and all(
        isinstance(name, str) and isinstance(value, kinds) for name, value in identity.items()
    )
    if not is_mapping:
        given = f"{identity!r:.100}"
        raise PluginError(f"{cls.name}: identity() must give settings by name, not {given}")
    return identity  # type: ignore[no-any-return]  # looked at above


def _text(value: Any) -> str:
    """A setting as it is stored: as written in a variable, or as Python shows what TOML gave."""
    if isinstance(value, tuple) and not isinstance(value, TextList):
        value = list(value)
    return str(getattr(value, "text", value))
