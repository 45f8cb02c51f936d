from __future__ import annotations

from pathlib import Path

import pytest

from ingest.errors import ConfigError
from ingest.questions.reference import ReferenceValue, parse_reference
from ingest.text.csv_rows import parse_column_mapping

FORM = ("COLUMN=SCENARIO", "CR1=asthma_cr1")
MAPPING = {"CR1": "asthma_cr1", "CR3": "asthma_cr3"}


def parse(text: str, mapping: dict[str, str] = MAPPING, iso3_column: str = "ISO3") -> object:
    return parse_reference(text.encode(), "t.csv", mapping, iso3_column)


def test_numbers_with_thousands_commas_zero_and_blank() -> None:
    table = parse_reference(
        b'ISO3,CR1,CR3\r\nAFG,"9,319,675","1,200.5"\r\nPRK,0,\r\nKEN, -7 ,1e3\r\n', "t.csv", MAPPING
    )
    assert table.values == (
        ReferenceValue("AFG", "asthma_cr1", 9_319_675.0),
        ReferenceValue("AFG", "asthma_cr3", 1200.5),
        ReferenceValue("KEN", "asthma_cr1", -7.0),
        ReferenceValue("KEN", "asthma_cr3", 1000.0),
    )
    assert table.without == (("PRK", "asthma_cr1"), ("PRK", "asthma_cr3"))
    assert table.countries == ("AFG", "KEN")
    assert table.scenarios == ("asthma_cr1", "asthma_cr3")


def test_the_shape_of_the_published_table(real_study: Path) -> None:
    raw = (real_study / "data" / "asthma_impact_a3.csv").read_bytes()
    table = parse_reference(raw, "asthma_impact_a3.csv", MAPPING)
    assert len(raw.splitlines()) == 1 + 69
    assert len(table.countries) == 68
    assert len(table.values) == 2 * 68
    assert table.without == (("PRK", "asthma_cr1"), ("PRK", "asthma_cr3"))
    assert table.values[0] == ReferenceValue("AFG", "asthma_cr1", 9_319_675.0)
    assert table.values[-1] == ReferenceValue("YEM", "asthma_cr3", 6_869_688.0)


def test_columns_are_named_as_scenarios_where_no_mapping_is_given() -> None:
    table = parse_reference("\ufeffCountry,null,up\nKEN,1,2\n".encode(), "t.csv", {}, "Country")
    assert [(value.scenario, value.value) for value in table.values] == [("null", 1), ("up", 2)]


def test_a_column_that_is_not_mapped_is_left_alone() -> None:
    table = parse_reference(b"ISO3,name,CR1\nKEN,Kenya,1\n\n", "t.csv", {"CR1": "up"})
    assert table.values == (ReferenceValue("KEN", "up", 1.0),)


def test_namibia_is_a_country_and_not_a_missing_value() -> None:
    table = parse_reference(b"ISO3,up\nNAM,1\n", "t.csv", {})
    assert table.countries == ("NAM",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.csv is empty. Write a header ISO3,SCENARIO,... and a row for each country"),
        (
            "iso3,CR1,CR3\nKEN,1,2\n",
            "t.csv has no column 'ISO3' (--iso3-column); it has iso3, CR1, CR3. "
            "Did you mean iso3?",
        ),
        (
            "ISO3,CR1,CR2\nKEN,1,2\n",
            "t.csv has no column 'CR3' (--column); it has ISO3, CR1, CR2. Did you mean CR2?",
        ),
        ("ISO3,CR1,CR3,CR1\nKEN,1,2,3\n", "t.csv has the column 'CR1' twice"),
        (
            "ISO3,CR1,CR3\nPRK,0,\n",
            "t.csv has no figure in CR1, CR3. Nothing was stored",
        ),
        (
            "ISO3,CR1,CR3\nKEN,12 million,1\n",
            "t.csv: 1 bad row: line 2: CR1 is '12 million', not a number. Nothing was stored",
        ),
        (
            "ISO3,CR1,CR3\nKEN,1,234,5\nKEM,1,2\nUGA,nan,1\nTZA,1,2\nTZA,1,2\nNAM,\"1,23\",2\n"
            "ZWE,inf,1\nZMB,x,1\n",
            "t.csv: 6 bad rows: line 2: 4 cells where the header has 3 (numbers with thousands "
            "commas need quotes); line 3: 'KEM' is no ISO 3166 alpha-3 code; line 4: CR1 is 'nan', "
            "not a number; line 6: TZA is in line 5 already; line 8: CR1 is 'inf', not a "
            "number; and 1 more. Nothing was stored",
        ),
        (
            'ISO3,CR1,CR3\nKEN,"1,2\n',
            "t.csv is broken or cut-off CSV: unexpected end of data (line 2)",
        ),
        (
            "ISO3,CR1,CR3\nTaiwan (Province of China),1,2\nWorld,3,4\nTotal,3,4\nGB,1,2\n",
            "t.csv: 4 bad rows: line 2: Taiwan (Province of China): write TWN; line 3: "
            "World: an aggregate, leave it out; line 4: Total: an aggregate, leave it out; line 5: "
            "GB: write GBR. Nothing was stored",
        ),
        (
            "ISO3,Impact,\n,CR1,CR3\nKEN,1,2\n",
            "t.csv: line 2: ,CR1,CR3 is a second line of header, delete it. Nothing was stored",
        ),
        ("Table 3,,\nISO3,CR1,CR3\nKEN,1,2\n",
         "t.csv: the header is line 2; delete the lines above it"),
        (
            "ISO3,CR1,CR3\nKEN,n/a,\n",
            "t.csv: 1 bad row: line 2: CR1 is 'n/a', not a number. Nothing was stored",
        ),
        ("ISO3,CR1,CR3\nKEN,1\n", "t.csv: 1 bad row: line 2: 2 cells where the header has 3. "
         "Nothing was stored"),
    ],
)  # fmt: skip
def test_a_bad_table_is_told_with_line_numbers(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value) == message


def test_a_table_without_a_mapping_has_errors_of_its_own() -> None:
    for text, message in (
        ("ISO3\nKEN\n", "t.csv has no column beside ISO3"),
        ("ISO3,a,a\nKEN,1,2\n", "t.csv has a column twice; it has ISO3, a, a"),
    ):
        with pytest.raises(ConfigError) as caught:
            parse(text, {})
        assert str(caught.value) == message


def test_a_file_that_is_not_utf8_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_reference("ISO3,é\n".encode("latin-1"), "t.csv", {})
    assert str(caught.value) == "t.csv is not UTF-8 text (byte 6). In Excel, save it as 'CSV UTF-8'"


def test_column_mapping() -> None:
    assert parse_column_mapping(["CR1 = asthma_cr1", "CR3=x=y"], *FORM) == {
        "CR1": "asthma_cr1",
        "CR3": "x=y",
    }


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["CR1"], "--column CR1: write COLUMN=SCENARIO, such as CR1=asthma_cr1"),
        (["=x"], "--column =x: write COLUMN=SCENARIO, such as CR1=asthma_cr1"),
        (["a=x", "a=y"], "--column a=y: column a is given twice"),
        (["a=x", "b=x"], "--column: scenario x is given to two columns"),
    ],
)
def test_a_bad_column_mapping(pairs: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_column_mapping(pairs, *FORM)
    assert str(caught.value) == message
