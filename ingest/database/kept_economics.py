"""[economics] as the newest run kept it, for readers that have no study folder."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from ingest.database.rows import first_value
from ingest.errors import ConfigError
from ingest.study.country_values import Values, read_country_values
from ingest.study.economics import NO_ECONOMICS, EconomicsSettings, read_economics
from ingest.study.settings import Settings


def economics_content(settings: Settings) -> dict[str, Any]:
    """[economics] with the numbers of countries that its amounts are multiples of; for JSON.

    A file that cannot be read leaves them out: `ingest check` says why, and no run stops for it.
    """
    if not settings.economics.is_set:
        return {}
    values: Values = {}
    with suppress(ConfigError):
        values = read_country_values(settings)
    said = {key: value for key, value in asdict(settings.economics).items() if value is not None}
    return {"settings": said, "values": values}


def read_kept_economics(connection: sqlite3.Connection) -> tuple[EconomicsSettings, Values]:
    """What the newest run kept; a section that is not set where it kept none."""
    query = "SELECT content FROM study_settings WHERE section = 'economics'"
    content = json.loads(first_value(connection, query) or "{}")
    if not content:
        return NO_ECONOMICS, {}
    settings, _ = read_economics(content["settings"], "")
    return settings, content["values"]
