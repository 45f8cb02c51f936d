"""Changes that were accepted, as accepted.toml beside ingest.toml lists them; it runs nothing."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ingest.findings import Finding, error, warning
from ingest.study.regular_files import read_regular
from ingest.study.setting_fields import read_section, setting
from ingest.text.suggest import did_you_mean

ACCEPTED_FILE = "accepted.toml"
_TABLE = "accepted"
_NEEDED = ("cause", "who", "why", "until")


@dataclass(frozen=True)
class Accepted:
    """[[accepted]]: a cause whose changes a gate lets pass."""

    cause: str = setting(
        "", "words of the cause as `ingest diff` tells it; `*` and `?` as in globs"
    )
    country: tuple[str, ...] = setting((), "only in these: ISO3 codes and globs; all if empty")
    scenario: tuple[str, ...] = setting((), "only under these: names and globs; all if empty")
    label: tuple[str, ...] = setting((), "only these element labels: names and globs")
    indicator: tuple[str, ...] = setting((), "only these indicators: names and globs")
    who: str = setting("", "who accepted it")
    why: str = setting("", "why it is right that the numbers move")
    until: str = setting("", "the last day on which it holds, `2026-12-31`")

    @property
    def words(self) -> str:
        """The entry in one line."""
        return f"{self.cause}: {self.why} ({self.who}, until {self.until})"

    def is_expired(self, today: date) -> bool:
        """Whether its last day is over."""
        return self.until < today.isoformat()


def read_accepted(folder: Path) -> tuple[tuple[Accepted, ...], list[Finding]]:
    """The entries of a study's accepted.toml, none where there is no file, and what is wrong."""
    try:
        raw = tomllib.loads(read_regular(folder / ACCEPTED_FILE).decode("utf-8-sig"))
    except FileNotFoundError:
        return (), []
    except (OSError, ValueError) as exc:  # a text that is not UTF-8, or not TOML
        reason = exc.strerror if isinstance(exc, OSError) else exc
        return (), [error("bad-value", ACCEPTED_FILE, f"cannot be read: {reason}")]
    findings = [
        error("unknown-key", ACCEPTED_FILE, f"unknown key {key}.{did_you_mean(key, [_TABLE])}")
        for key in raw
        if key != _TABLE
    ]
    tables = raw.get(_TABLE, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        message = f"{_TABLE}: tables headed [[{_TABLE}]] are needed"
        return (), [*findings, error("bad-value", ACCEPTED_FILE, message)]
    read = [_read(table, f"{_TABLE}[{number}]") for number, table in enumerate(tables, 1)]
    findings += [finding for _, own in read for finding in own]
    return tuple(entry for entry, own in read if not own), findings


def accepted_findings(folder: Path, today: date) -> list[Finding]:
    """What is wrong with a study's accepted.toml, and which of its entries are over."""
    entries, findings = read_accepted(folder)
    over = [
        warning("expired", ACCEPTED_FILE, f"expired: {entry.words}")
        for entry in entries
        if entry.is_expired(today)
    ]
    return findings + over


def _read(table: dict[str, Any], place: str) -> tuple[Accepted, list[Finding]]:
    values = {key: str(value) if type(value) is date else value for key, value in table.items()}
    entry, findings = read_section(Accepted, values, place, ACCEPTED_FILE)
    if not findings:
        messages = [f"{key}: it is missing" for key in _NEEDED if not getattr(entry, key).strip()]
        messages += _bad_date(entry.until)
        findings = [error("bad-value", ACCEPTED_FILE, f"{place}.{text}") for text in messages]
    stripped = {name: getattr(entry, name).strip() for name in _NEEDED}
    return Accepted(**{**vars(entry), **stripped}), findings


def _bad_date(text: str) -> list[str]:
    try:
        is_date = not text.strip() or date.fromisoformat(text.strip()).isoformat() == text.strip()
    except ValueError:
        is_date = False
    return [] if is_date else [f"until: a date such as 2026-12-31 is needed, not {text!r}"]
