"""What several questions share: parameters, and pieces of SQL that they include by name."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from ingest.errors import ConfigError
from ingest.resources import resource_path
from ingest.text.suggest import did_you_mean
from ingest.text.yaml_text import read_yaml

_FOLDER = "canned_queries"
_INCLUDE = re.compile(r"^-- include:(.*)$", re.MULTILINE)


def read_text(path: Path) -> str:
    """The text of a file. Raises ConfigError: it cannot be read as UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{path.name} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path.name} cannot be read: {exc}") from exc


@lru_cache(maxsize=1)
def fragments() -> dict[str, str]:
    """The pieces of SQL by name: tables of a WITH clause, described in its first comment."""
    files = sorted((resource_path(_FOLDER) / "fragments").glob("*.sql"))
    return {file.stem: read_text(file).strip() for file in files}


def include_fragments(file: str, sql: str) -> str:
    """The SQL with fragments in place of each line `-- include: NAME, NAME`.

    A comma at the end of the line is kept. Raises ConfigError: there is no such fragment.
    """

    def expanded(line: re.Match[str]) -> str:
        names, comma = line[1].rstrip(" ,"), "," if line[1].rstrip().endswith(",") else ""
        found = [_find("fragment", fragments(), name.strip(), file) for name in names.split(",")]
        return ",\n".join(found) + comma

    return _INCLUDE.sub(expanded, sql)


@lru_cache(maxsize=1)
def _parameters() -> dict[str, Any]:
    shared: dict[str, Any] = read_yaml(read_text(resource_path(_FOLDER) / "parameters.yml"))
    return shared


def with_shared(file: str, name: str, own: Any) -> Any:
    """What is declared here on top of the shared parameter of that name, or of the one in `use`.

    Raises ConfigError: there is no such shared parameter.
    """
    if own is not None and not (isinstance(own, dict) and "use" in own):
        return own
    used = str((own or {}).get("use", name))
    where = f"{file}: parameter {name}"
    shared = _find("shared parameter", _parameters(), used, where)
    changed = {key: value for key, value in (own or {}).items() if key != "use"}
    words = {"default_text": ""} if "default" in changed else {}  # they describe the shared default
    return {**shared, **words, **changed}


def _find(what: str, known: dict[str, Any], name: str, where: str) -> Any:
    if name not in known:
        raise ConfigError(f"{where}: no {what} {name!r}.{did_you_mean(name, known)}")
    return known[name]
