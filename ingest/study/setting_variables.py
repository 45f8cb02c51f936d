"""Settings that INGEST_* variables and --set options give, put where ingest.toml has its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ingest.errors import ConfigError
from ingest.findings import Finding, warning
from ingest.study.local_settings import MODEL_SECTION
from ingest.study.setting_fields import FromText
from ingest.text.suggest import did_you_mean

ENVIRONMENT_PREFIX = "INGEST_"
_EXECUTOR_PREFIX = "INGEST_EXECUTORS_"
Sections = Mapping[str, type[Any]]


def _targets(sections: Sections) -> dict[str, tuple[str, str]]:
    """Section and key that each INGEST_* variable of ingest's own settings sets."""
    targets = {
        _variable(section, key): (section, key)
        for section, cls in sections.items()
        for key in cls.__dataclass_fields__
    }
    return targets | {
        "INGEST_DATABASE": ("database", "path"),
        "INGEST_EXECUTOR": ("run", "executor"),
    }


def apply_environment(
    raw: dict[str, Any], environ: Mapping[str, str], sections: Sections
) -> dict[str, str]:
    """Set what INGEST_<SECTION>_<KEY> variables say; gives the other INGEST_* variables."""
    targets = _targets(sections)
    others = {}
    for variable, text in sorted(environ.items()):
        if variable in targets:
            _set_text(raw, targets[variable], text)
        elif variable.startswith(ENVIRONMENT_PREFIX) and variable not in OTHER_VARIABLES:
            others[variable] = text
    return others


def apply_plugin_variables(
    raw: dict[str, Any],
    variables: dict[str, str],
    place_of_choice: tuple[str, str, str],
    options: set[tuple[str, ...]],
) -> None:
    """Set what INGEST_EXECUTORS_<NAME>_<KEY> or INGEST_ANALYTICS_<NAME>_<KEY> variables say.

    They are for the executor or source that is chosen and for those with a section, and for what
    says how the model is called. An option wins. What is taken is no longer among the variables.
    """
    parent, section, key = place_of_choice
    tables, chooser = raw.get(parent, {}), raw.get(section, {})
    chosen = chooser.get(key) if isinstance(chooser, dict) else None
    names = {MODEL_SECTION} if parent == "executors" else set()
    names |= {str(getattr(chosen, "text", chosen))} if chosen else set()
    if isinstance(tables, dict):
        names |= {name for name, table in tables.items() if isinstance(table, dict)}
    for variable in list(variables):
        for name in sorted(names, key=len, reverse=True):
            prefix = _variable(parent, name) + "_"
            if variable.startswith(prefix):
                text = variables.pop(variable)
                place = (parent, name, variable.removeprefix(prefix).lower())
                if place not in options:
                    _set_text(raw, place, text)
                break


def unknown_variables(variables: Iterable[str], sections: Sections) -> list[Finding]:
    """A warning for each that names nothing; what is for another executor may be none's here."""
    targets = _targets(sections)
    return [
        warning(
            "unknown-variable",
            variable,
            f"names no setting and is ignored.{did_you_mean(variable, targets)}",
        )
        for variable in variables
        if not variable.startswith(_EXECUTOR_PREFIX)
    ]


def _set_text(raw: dict[str, Any], place: Sequence[str], text: str) -> str | None:
    """Set a text at a place; gives the section in the way that is no table."""
    *sections, key = place
    target = raw
    for section in sections:
        target = target.setdefault(section, {})
        if not isinstance(target, dict):
            return section
    target[key] = FromText(text)
    return None


# Read by the command line itself, before there are settings.
OTHER_VARIABLES = frozenset({"INGEST_STUDY"})


def _variable(*names: str) -> str:
    return ENVIRONMENT_PREFIX + "_".join(names).upper().replace("-", "_")


def apply_override(raw: dict[str, Any], override: str) -> tuple[str, ...]:
    """Set what a --set option says; gives the place of the setting."""
    match = re.fullmatch(r"([\w-]+(?:\.[\w-]+)+)\s*=\s*(.*)", override, flags=re.DOTALL)
    if match is None:
        raise ConfigError(f"--set {override!r}: write section.key=value, e.g. run.max_in_flight=50")
    place = tuple(match[1].split("."))
    in_the_way = _set_text(raw, place, match[2])
    if in_the_way:
        raise ConfigError(f"--set {override!r}: {in_the_way} is not a section")
    return place
