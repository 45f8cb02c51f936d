"""Settings of the study that decide how results are read, for readers that have no study folder."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ingest.database.connection import Database
from ingest.database.kept_economics import economics_content
from ingest.database.rows import first_value, insert_rows
from ingest.study.indicators import Indicator, horizons, said_of
from ingest.study.scenario_order import choose_baseline
from ingest.study.setting_fields import read_section
from ingest.study.settings import Settings


def keep_settings(db: Database, sections: Mapping[str, Any]) -> None:
    """Keep sections as they are now, as JSON; where all are as they were, nothing is written."""
    wanted = {name: json.dumps(content, ensure_ascii=False) for name, content in sections.items()}
    known = dict(db.conn.execute("SELECT section, content FROM study_settings"))
    changed = [item for item in wanted.items() if item not in known.items()]
    if changed:
        with db.atomic():
            conflict = "ON CONFLICT (section) DO UPDATE SET content = excluded.content"
            insert_rows(db.conn, "study_settings", ("section", "content"), changed, conflict)


def read_setting(connection: sqlite3.Connection, section: str) -> Any:
    """What a section holds, None where no run of this version has kept it yet."""
    query = "SELECT content FROM study_settings WHERE section = ?"
    content = first_value(connection, query, section)
    return None if content is None else json.loads(content)


@dataclass(frozen=True)
class Definitions:
    """The indicators of a study, and the scenario that they compare with."""

    indicators: tuple[Indicator, ...] = ()
    baseline: str = ""


def keep_definitions(db: Database, settings: Settings) -> None:
    """Keep the definitions of a study as its files say them now."""
    known = {indicator.name: indicator for indicator in settings.indicators}
    listed = [
        said_of(replace(indicator, until=horizons(indicator, known)))
        for indicator in settings.indicators
    ]
    sections = {"baseline": settings.study.baseline, "indicators": listed}
    keep_settings(db, {**sections, "economics": economics_content(settings)})


def read_definitions(connection: sqlite3.Connection, settings: Settings | None) -> Definitions:
    """The definitions of the study that is at hand, else those that its newest run kept.

    settings: None where there is only the database. The baseline is a scenario of the results.
    Raises ConfigError: study.baseline is none.
    """
    if settings is not None:
        indicators, baseline = settings.indicators, settings.study.baseline
    else:
        kept = read_setting(connection, "indicators") or []
        indicators = tuple(read_section(Indicator, values, "", "")[0] for values in kept)
        baseline = str(read_setting(connection, "baseline") or "")
    return Definitions(indicators, choose_baseline(baseline, _scenarios(connection)))


def _scenarios(connection: sqlite3.Connection) -> list[str]:
    """The scenarios that the results have, of the study where it has any."""
    of_study = """SELECT scenario FROM present_scenarios AS present WHERE EXISTS (
                  SELECT 1 FROM job_results AS job
                   WHERE job.scenario = present.scenario AND job_status = 'success')"""
    every = "SELECT DISTINCT scenario FROM job_results WHERE job_status = 'success'"
    found = connection.execute(of_study).fetchall() or connection.execute(every).fetchall()
    return [name for (name,) in found]
