from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import ConfigError
from ingest.questions.discount import Bare, parse_rate, percent_of, rate_text, rate_words


@pytest.mark.parametrize(
    ("text", "bare", "rate"),
    [
        ("3%", Bare.FRACTION, 0.03),
        ("3 %", Bare.PERCENT, 0.03),
        (" 3.5% ", Bare.PERCENT, 0.035),
        ("0.03%", Bare.PERCENT, 0.0003),
        ("0.1%", Bare.FRACTION, 0.001),
        ("30%", Bare.FRACTION, 0.3),
        ("0.03", Bare.FRACTION, 0.03),
        (".03", Bare.FRACTION, 0.03),
        (0.03, Bare.FRACTION, 0.03),
        ("0.3", Bare.FRACTION, 0.3),
        ("3", Bare.PERCENT, 0.03),
        ("0.5", Bare.PERCENT, 0.005),
        ("0", Bare.PERCENT, 0.0),
        ("0.0", Bare.FRACTION, 0.0),
        ("0%", Bare.PERCENT, 0.0),
    ],
)
def test_what_a_rate_means(text: str | float, bare: Bare, rate: float) -> None:
    assert parse_rate(text, "--discount", bare) == rate


@pytest.mark.parametrize(
    ("text", "bare", "message"),
    [
        ("0.03", Bare.PERCENT, "0.03 could mean 0.03% or 3% a year. Write 0.03% or 3%"),
        ("0.49", Bare.PERCENT, "0.49 could mean 0.49% or 49% a year. Write 0.49%"),
        ("3", Bare.FRACTION, "3 could mean 3% or 300% a year. Write 3%"),
        (3, Bare.FRACTION, "3 could mean 3% or 300% a year. Write 3%"),
        ("0.31", Bare.FRACTION, "0.31 could mean 0.31% or 31% a year. Write 0.31%"),
        ("31", Bare.PERCENT, "31 is more than 30 % a year. Write one from 0% to 30%, such as 3%"),
        ("300", Bare.FRACTION,
         "300 is more than 30 % a year. Write one from 0% to 30%, such as 3%"),
        ("30.1%", Bare.PERCENT,
         "30.1% is more than 30 % a year. Write one from 0% to 30%, such as 3%"),
        ("-5", Bare.PERCENT, "'-5' is no rate. Write one from 0% to 30%, such as 3%"),
        ("-5%", Bare.FRACTION, "'-5%' is no rate. Write one from 0% to 30%, such as 3%"),
        ("nan", Bare.FRACTION, "'nan' is no rate. Write one from 0% to 30%, such as 3%"),
        ("", Bare.PERCENT, "'' is no rate. Write one from 0% to 30%, such as 3%"),
    ],
)  # fmt: skip
def test_what_could_be_misread_or_is_no_rate(text: str | float, bare: Bare, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_rate(text, "rate", bare)
    assert str(caught.value) == f"rate: {message}"


@given(st.integers(0, 300_000))
def test_an_address_holds_the_rate_to_the_last_digit(number: int) -> None:
    rate = number / 1_000_000
    for bare in Bare:
        assert parse_rate(rate_text(rate), "rate", bare) == rate


def test_rates_in_words() -> None:
    assert (rate_text(0.07), rate_words(0.035), rate_text(1e-7)) == ("7%", "3.5 %", "0.00001%")
    assert percent_of(0.07) == 7.0
