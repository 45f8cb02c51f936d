"""Groups of countries from a CSV file: iso3,region,who_region with a row for each country."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ingest.errors import ConfigError
from ingest.findings import Finding, error, warning
from ingest.study.country import GROUP_NAME, Country, check_iso3
from ingest.study.regular_files import read_regular
from ingest.text.csv_rows import parse_csv
from ingest.text.numbers import at_most
from ingest.text.suggest import did_you_mean

_KEY = "iso3"
_NOT_GROUPS = (_KEY, "name")

Groups = dict[str, dict[str, str]]
"""The group of each country by the grouping's name, by ISO3 code."""


def add_groups(
    countries: Sequence[Country], path: Path, where: str
) -> tuple[list[Country], list[Finding]]:
    """The countries with their groups of a CSV file as well, and what is wrong with it.

    where: how messages name the file. A code of no country of the study is passed over, a blank
    cell is no group. A group that the country has already has to be the same.
    """
    try:
        header, rows = parse_csv(read_regular(path), where)
    except OSError as exc:
        message = f"study.groups names it, and it cannot be read: {exc.strerror}"
        return list(countries), [error("bad-groups", where, message)]
    except ConfigError as exc:
        return list(countries), [error("bad-groups", "", str(exc))]
    findings = list(_check_header(header, where))
    if findings:
        return list(countries), findings
    groups, findings = _read_rows(header, rows, where)
    findings += _conflicts(countries, groups, where)
    lacking = [country.iso3 for country in countries if country.iso3 not in groups]
    if lacking and not findings:
        message = f"no row for {at_most(lacking, 5)}: in no group of this file"
        findings.append(warning("country-without-groups", where, message))
    return [_with_groups(country, groups.get(country.iso3, {})) for country in countries], findings


def _with_groups(country: Country, groups: Mapping[str, str]) -> Country:
    return replace(country, groups={**country.groups, **groups})


def _check_header(header: Sequence[str], where: str) -> Iterator[Finding]:
    if _KEY not in header:
        hint = did_you_mean(_KEY, header) or f" It has {', '.join(header) or 'no header'}"
        yield error("bad-groups", where, f"no column {_KEY} with the countries' codes.{hint}")
        return
    for column in dict.fromkeys(header):
        if header.count(column) > 1:
            yield error("bad-groups", where, f"the column {column!r} stands twice")
        elif not GROUP_NAME.fullmatch(column):
            message = (
                f"column {column!r}: name groups in small letters, digits and _, as income_group"
            )
            yield error("bad-groups", where, message)
    if set(header) <= set(_NOT_GROUPS):
        yield error("bad-groups", where, f"no column of groups beside {', '.join(header)}")


def _read_rows(
    header: Sequence[str], rows: Sequence[tuple[int, list[str]]], where: str
) -> tuple[Groups, list[Finding]]:
    groups: Groups = {}
    lines: dict[str, int] = {}
    findings: list[Finding] = []
    for line, cells in rows:
        place = f"{where}, line {line}"
        if len(cells) != len(header):
            message = f"{len(cells)} cells where the header has {len(header)}"
            findings.append(error("bad-groups", place, message))
            continue
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        iso3 = row[_KEY]
        wrong = check_iso3(iso3, row.get("name", iso3), place)
        if wrong is not None and wrong.is_error:
            findings.append(wrong)
        elif iso3 in lines:
            message = f"{iso3} is in line {lines[iso3]} already"
            findings.append(error("duplicate-iso3", place, message))
        else:
            lines[iso3] = line
            groups[iso3] = {k: v for k, v in row.items() if v and k not in _NOT_GROUPS}
    return groups, findings


def _conflicts(countries: Sequence[Country], groups: Groups, where: str) -> Iterator[Finding]:
    """Groups that the countries file and this file say differently."""
    for country in countries:
        for name, group in groups.get(country.iso3, {}).items():
            known = country.groups.get(name)
            if known and known != group:
                message = (
                    f"{country.iso3}: {name} is {group!r} here and {known!r} in the countries "
                    "file. Say it in one of them"
                )
                yield error("group-conflict", where, message)
