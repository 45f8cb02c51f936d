from __future__ import annotations

import json

import pytest

from tests.conftest import Ingest, StudyFolder


@pytest.fixture
def grouped(study: StudyFolder) -> StudyFolder:
    """The study of four countries, whose list has no groups, with a CSV file of them."""
    study.write_settings(study='name = "tiny"\ngroups = "groups.csv"')
    write(study, "KEN,Kenya,Africa,Low", "UGA,Uganda,Africa,", "TZA,Tanzania,,", "NAM,,Africa,Low",
          "FRA,France,Europe,High")  # fmt: skip
    return study


def write(study: StudyFolder, *lines: str, header: str = "iso3,name,who_region,wealth") -> None:
    (study.root / "groups.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("header", "lines", "message"),
    [
        ("country,region", ["KEN,East"],
         "groups.csv: no column iso3 with the countries' codes. It has country, region"),
        ("iso3,region,region", ["KEN,East,West"], "groups.csv: the column 'region' stands twice"),
        ("iso3,WHO region", ["KEN,East"],
         "groups.csv: column 'WHO region': name groups in small letters, digits and _, as "
         "income_group"),
        ("iso3,name", ["KEN,Kenya"], "groups.csv: no column of groups beside iso3, name"),
        ("iso3,region", ["KEN,East", "KEM,East"],
         "groups.csv, line 3: 'KEM' (KEM) is no ISO 3166 alpha-3 code. Did you mean YEM?"),
        ("iso3,region", ["KEN,East", "UGA,East", "KEN,South"],
         "groups.csv, line 4: KEN is in line 2 already"),
        ("iso3,region", ["KEN,East,Low"], "groups.csv, line 2: 3 cells where the header has 2"),
        ("iso3,region", ["KEN,East"],
         "groups.csv: no row for UGA, TZA, NAM: in no group of this file"),
    ],
)  # fmt: skip
def test_check_says_what_is_wrong_with_the_file(
    grouped: StudyFolder, ingest: Ingest, header: str, lines: list[str], message: str
) -> None:
    write(grouped, *lines, header=header)
    result = ingest("check", "--json")
    told = [f"{f['where']}: {f['message']}" for f in json.loads(result.stdout)["findings"]]
    assert message in told
    assert result.exit_code == (0 if "no row for" in message else 2)


def test_a_file_that_is_not_there_is_told(grouped: StudyFolder, ingest: Ingest) -> None:
    (grouped.root / "groups.csv").unlink()
    result = ingest("check")
    assert result.exit_code == 2
    assert "groups.csv: study.groups names it, and it cannot be read" in (
        result.stdout + result.stderr
    )


def test_two_files_that_disagree_are_an_error(grouped: StudyFolder, ingest: Ingest) -> None:
    document = json.loads((grouped.root / "countries.json").read_text())
    for country in document["countries"]:
        country["who_region"] = "Africa" if country["iso3"] == "UGA" else "Asia"
    grouped.write_json("countries.json", document)
    result = ingest("run")
    assert result.exit_code == 2
    assert (
        "groups.csv: KEN: who_region is 'Africa' here and 'Asia' in the countries file. Say it in "
        "one of them"
    ) in result.stderr
    assert "UGA" not in result.stderr
