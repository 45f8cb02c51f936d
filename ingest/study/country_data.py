"""Country data: files with a row for each country, where a row is an input of its country alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ingest.errors import ConfigError
from ingest.findings import Finding, error, warning
from ingest.study.json_files import canonical_json, sha256_text
from ingest.study.line_ends import file_digest, with_line_feeds
from ingest.study.regular_files import read_regular
from ingest.study.settings import CountryDataFile
from ingest.text.csv_rows import parse_csv
from ingest.text.numbers import at_most, count_text

Row = Mapping[str, str]
_SHOWN = 5


@dataclass(frozen=True)
class RowFile:
    """One file of country data; digest is of the whole file, rows are by ISO3 code."""

    name: str
    key: str
    digest: str
    rows: Mapping[str, Row] = field(repr=False)


@dataclass(frozen=True)
class CountryData:
    """All files of country data of a study."""

    files: tuple[RowFile, ...] = ()

    def rows(self, iso3: str) -> dict[str, Row | None]:
        """The country's row in each file, None where it has none."""
        return {file.name: file.rows.get(iso3) for file in self.files}

    def content(self, iso3: str) -> str:
        """The country's rows as canonical JSON."""
        return canonical_json(self.rows(iso3))

    def digest(self, iso3: str) -> str:
        """SHA-256 of the country's rows; empty where the study has no country data."""
        return sha256_text(self.content(iso3)) if self.files else ""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The files, relative to the study."""
        return tuple(file.name for file in self.files)


NO_COUNTRY_DATA = CountryData()


def read_country_data(
    root: Path, chosen: Iterable[CountryDataFile], countries: Sequence[str]
) -> tuple[CountryData, list[Finding]]:
    """The files that study.country_data names, and what is wrong with them.

    countries: the ISO3 codes of the study.
    """
    files: list[RowFile] = []
    findings: list[Finding] = []
    for entry in chosen:
        try:
            raw = with_line_feeds(read_regular(root / entry.file))
            rows, counts = parse_rows(raw, entry.file, entry.key)
            files.append(RowFile(entry.file, entry.key, file_digest(root / entry.file), rows))
            findings += _row_findings(entry, counts, countries)
        except OSError as exc:
            reason = f"cannot be read: {exc.strerror}"
            findings.append(error("bad-country-data", entry.file, reason))
        except ConfigError as exc:
            findings.append(error("bad-country-data", "", str(exc)))
    return CountryData(tuple(files)), findings


def parse_rows(raw: bytes, name: str, key: str) -> tuple[dict[str, Row], Counter[str]]:
    """The rows of a file by the code in its key column, and how many rows each code has.

    Raises ConfigError: no such column, not UTF-8, or broken CSV.
    """
    header, lines = parse_csv(raw, name, "\t" if name.lower().endswith(".tsv") else ",")
    if key not in header:
        columns = ", ".join(header)
        raise ConfigError(f'{name}: no column {key!r} (study.country_data: key = "{key}"); '
                          f"it has {columns}")  # fmt: skip
    place = header.index(key)
    codes = [cells[place].strip() if place < len(cells) else "" for _, cells in lines]
    rows: dict[str, Row] = {
        code: dict(zip(header, cells, strict=False))
        for code, (_, cells) in zip(codes, lines, strict=True)
    }
    return rows, Counter(codes)


def _row_findings(
    entry: CountryDataFile, counts: Counter[str], countries: Sequence[str]
) -> Iterator[Finding]:
    """Countries without a row or with several, and codes that are no country of the study."""
    several = [code for code, count in counts.items() if count > 1]
    if several:
        message = (
            f"{at_most(several, _SHOWN)}: several rows in column {entry.key}; a file of "
            "study.country_data has one row for each country"
        )
        yield error("several-rows", entry.file, message)
    missing = [iso3 for iso3 in countries if iso3 not in counts]
    if missing:
        count = count_text(len(missing), "country|countries")
        yield warning("no-row", entry.file, f"no row for {count}: {at_most(missing, _SHOWN)}")
    known = set(countries)
    others = [code for code in counts if code not in known]
    if others and known:
        rows = count_text(len(others), "row")
        message = f"{rows} of no country of the study, so no input: {at_most(others, _SHOWN)}"
        yield warning("unknown-row", entry.file, message)
