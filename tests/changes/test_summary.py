from __future__ import annotations

import pytest

from ingest.changes.summary import (
    Direction,
    headline,
    largest,
    nondeterministic_warning,
    range_text,
    share_text,
    summarise_causes,
    summarise_labels,
    summarise_patterns,
)
from ingest.study.combination import Combination
from ingest.text.numbers import (
    count_text,
    factor_text,
    percent_text,
    quantity_text,
    signed_quantity_text,
)
from tests.differences import NONE_CHANGED, cause, change, difference

COUNTRIES = ("KEN", "TZA", "UGA", "NAM")


def test_one_label_in_all_countries_by_one_factor_is_one_line() -> None:
    sizes = zip(COUNTRIES, (1, 5, 9e9, 0.3), strict=True)
    series = [change(country, before=size, after=size * 1.02) for country, size in sizes]
    [pattern] = summarise_patterns(difference(series))
    assert pattern.text(4) == "100 % of changes: Healthy Years Lived, all 4 countries, cr1, ×1.02"
    assert pattern.text() == "100 % of changes: Healthy Years Lived, 4 countries, cr1, ×1.02"


def test_the_pattern_with_the_larger_share_comes_first() -> None:
    many = [change(c, label="A", before=1.0, after=1.1) for c in COUNTRIES[:3]]
    one = [change("KEN", label="B", before=1.0, after=0.5)]
    texts = [p.text() for p in summarise_patterns(difference([*one, *many]))]
    assert texts == [
        "75 % of changes: A, KEN, TZA, UGA, cr1, ×1.10",
        "25 % of changes: B, KEN, cr1, ×0.50",
    ]


def test_labels_that_moved_in_the_same_places_are_one_pattern_with_a_range() -> None:
    series = [change(label="A", after=90.0), change(label="B", after=103.0)]
    [pattern] = summarise_patterns(difference(series))
    assert pattern.labels == ("A", "B")
    assert pattern.text() == "100 % of changes: 2 labels, KEN, cr1, −10.0 % to +3.00 %"


def test_a_label_has_its_range_by_size_where_all_went_one_way() -> None:
    series = [change(c, after=a) for c, a in zip(COUNTRIES, (98.0, 99.6, 97.9), strict=False)]
    [label] = summarise_labels(difference(series))
    assert label.direction is Direction.DOWN
    assert label.range_text == "−0.400 % to −2.10 %"
    assert label.median == pytest.approx(-0.02)
    assert label.largest_series is series[2]
    assert (label.series, label.share_of_changes, label.not_available) == (3, 1.0, 0)


def test_a_label_that_went_both_ways_has_its_lowest_and_highest() -> None:
    series = [change("KEN", after=101.0), change("TZA", after=95.0), change("UGA", after=103.0)]
    [label] = summarise_labels(difference(series))
    assert label.direction is Direction.MIXED
    assert label.range_text == "−5.00 % to +3.00 %"


def test_a_zero_baseline_is_not_available_and_never_infinite() -> None:
    series = [change("KEN", before=0.0, after=5.0), change("TZA", after=101.0)]
    diff = difference(series)
    [label] = summarise_labels(diff)
    assert (label.not_available, label.smallest, label.largest) == (1, 0.01, 0.01)
    assert largest(diff, 5) == [series[1], series[0]]
    [pattern] = summarise_patterns(diff)
    assert pattern.factor is None


def test_a_label_with_zero_baselines_alone_has_no_relative_change() -> None:
    diff = difference([change(before=0.0, after=5.0)])
    [label] = summarise_labels(diff)
    assert (label.range_text, label.median, label.direction) == ("n/a", None, Direction.UP)
    assert "n/a in 2050" in headline(diff)


def test_series_that_came_or_went_are_counted_by_themselves() -> None:
    series = [
        change("KEN", before=None, after=1.0, kind="added"),
        change("TZA", before=1.0, after=None, kind="removed"),
        change("UGA"),
    ]
    diff = difference(series)
    [label] = summarise_labels(diff)
    assert (label.series, label.added, label.removed, label.not_available) == (3, 1, 1, 0)
    assert largest(diff, 5) == [series[2]]


def test_causes_have_countries_and_scenarios() -> None:
    diff = difference(
        [change("KEN"), change("TZA"), change("KEN", "cr3"), change("UGA", "cr3")],
        changed={
            Combination("KEN", "cr1"): cause("a"),
            Combination("TZA", "cr1"): cause("a"),
            Combination("KEN", "cr3"): cause("a"),
            Combination("UGA", "cr3"): NONE_CHANGED,
        },
    )
    first, second = summarise_causes(diff)
    assert first.cause == "in 2 scenarios: a 0.95 -> 0.9"
    assert (first.combinations, first.countries) == (3, 2)
    assert first.scenarios == ("cr1", "cr3")
    assert not first.is_nondeterministic
    assert second.is_nondeterministic
    assert nondeterministic_warning(diff) == (
        "the model is not deterministic: 1 combination changed although no input did"
    )


@pytest.mark.parametrize(
    ("diff", "text"),
    [
        (difference(), "Nothing changed between run 6 and run 7: 5 combinations are equal."),
        (
            difference(within=(Combination("KEN", "cr1"),)),
            "Nothing changed between run 6 and run 7: 6 combinations are equal within the "
            "tolerance.",
        ),
        (
            difference(added=(Combination("KEN", "cr1"),)),
            "No number changed between run 6 and run 7 (5 combinations compared), "
            "but 1 combination added.",
        ),
        (
            difference([change()], removed=(Combination("UGA", "x"), Combination("UGA", "y"))),
            "1 of 8 combinations changed between run 6 and run 7: 1 label, KEN, cr1; largest "
            "Healthy Years Lived, KEN / cr1, +2.00 % in 2050; 2 combinations removed.",
        ),
    ],
)
def test_headline(diff: object, text: str) -> None:
    assert headline(diff) == text  # type: ignore[arg-type]


def test_nothing_to_sum_up_gives_empty_lists() -> None:
    diff = difference()
    assert summarise_labels(diff) == summarise_causes(diff) == summarise_patterns(diff) == []
    assert nondeterministic_warning(diff) == ""


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (percent_text(0.0134), "+1.34 %"),
        (percent_text(-0.021), "−2.10 %"),
        (percent_text(-0.0000179), "−0.00179 %"),
        (percent_text(123.456), "+12,346 %"),
        (percent_text(0.0), "0 %"),
        (percent_text(None), "n/a"),
        (quantity_text(10_612_345), "10.61 million"),
        (quantity_text(-999_960_000), "−1.000 billion"),
        (quantity_text(1.5e15), "1,500 trillion"),
        (quantity_text(47_387.6), "47,388"),
        (quantity_text(0.03125), "0.03125"),
        (quantity_text(None), "n/a"),
        (signed_quantity_text(-2537.4), "−2,537"),
        (signed_quantity_text(None), "n/a"),
        (factor_text(1.02), "×1.02"),
        (factor_text(0.999982), "×0.999982"),
        (factor_text(1.0), "×1.00"),
        (count_text(1, "country|countries"), "1 country"),
        (count_text(1376, "series|series"), "1,376 series"),
        (share_text(0.004), "<1 %"),
        (share_text(0.996), ">99 %"),
        (share_text(0.93), "93 %"),
        (range_text(None, None), "n/a"),
        (range_text(0.5, 0.5), "+50.0 %"),
    ],
)
def test_numbers_as_people_read_them(given: str, text: str) -> None:
    assert given == text
