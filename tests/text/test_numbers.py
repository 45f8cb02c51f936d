from __future__ import annotations

import json
import math
import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.charts.style import exact_text
from ingest.study.rule_kinds import shown
from ingest.text.json_text import json_text
from ingest.text.numbers import (
    exact_number,
    exact_sum,
    factor_text,
    finite,
    in_full,
    percent_text,
    quantity_text,
    shared_decimals,
    signed_quantity_text,
    table_number,
    whole_number,
)
from ingest.text.times import duration_text

WRITERS: dict[str, Callable[[float], str]] = {
    "percent": percent_text,
    "quantity": quantity_text,
    "signed quantity": signed_quantity_text,
    "factor": factor_text,
    "whole": whole_number,
    "in full": lambda number: in_full(number, 3),
    "table": table_number,
    "signed table": lambda number: table_number(number, signed=True),
    "table with decimals": lambda number: table_number(number, shared_decimals([number, 1.0])),
    "exact": exact_number,
    "hover": exact_text,
    "rule": shown,
    "duration": duration_text,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_double_is_written_in_a_few_letters(name: str) -> None:
    @given(st.floats())
    @example(5e-324)
    @example(-5e-324)
    @example(1e308)
    @example(-1.7976931348623157e308)
    @example(math.inf)
    @example(-math.inf)
    @example(math.nan)
    @example(999_999.9999999)
    @example(9.99999999e17)
    def write(number: float) -> None:
        text = WRITERS[name](number)
        assert 0 < len(text) <= 32
        assert not re.search("inf|nan", text) or name == "rule"

    write()


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1e4, "+1,000,000 %"),
        (-1e4, "−1,000,000 %"),
        (10_000.1, "more than 1,000,000 %"),
        (1.0 / 1e-310, "more than 1,000,000 %"),
        (-1e308, "less than −1,000,000 %"),
        (123.0, "+12,300 %"),
        (1e-250, "+0.000000000000 %"),
        (math.nan, "n/a"),
    ],
)
def test_shares_are_capped_in_words(share: float, text: str) -> None:
    assert percent_text(share) == text


@given(st.floats(allow_nan=False))
def test_finite_changes_nothing_but_infinity(number: float) -> None:
    assert finite(number) == number or math.isinf(number)
    assert math.isfinite(finite(number))


@given(st.lists(st.floats()))
@example([1e308, 1e308, -1e308])
@example([math.inf, -math.inf])
def test_sums_never_raise(numbers: list[float]) -> None:
    exact_sum(numbers)


def test_sums_are_exact() -> None:
    assert exact_sum([0.1] * 10) == 1.0


@given(
    st.recursive(
        st.floats() | st.text() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    )
)
@example({"a": [math.inf, (1.0, -math.inf)], "b": math.nan})
def test_json_never_has_infinity_or_nan(value: object) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    json.loads(json_text(value), parse_constant=refuse)
    assert json_text([1.5, math.inf, {"x": math.nan}]) == '[1.5, null, {"x": null}]'
