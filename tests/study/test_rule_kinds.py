"""The borders of rules: what lies exactly on one is no finding, what lies beyond is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from ingest.changes import quality_of_state
from ingest.study.quality_rules import Rule, read_rules
from ingest.study.rule_kinds import KINDS, MIN_COUNTRIES, Scope, rule_kind
from tests.conftest import PROJECT

MORE, LESS = math.inf, -math.inf


def problems(kind: str, *data: Any, **keys: Any) -> int:
    """How many problems a rule of a kind finds; every label is A."""
    (rule,), findings = read_rules([{"kind": kind, **keys}], "ingest.toml")
    assert findings == []
    return len(list(KINDS[kind].check(rule, *data)))


def beyond(number: float, towards: float) -> float:
    """The next number there is."""
    return math.nextafter(number, towards)


def job(*values: float) -> dict[str, dict[int, float]]:
    return {"A": dict(enumerate(values, 2025))}


def test_a_bound_itself_is_within() -> None:
    keys = {"label": "A", "minimum": 0.5, "maximum": 2.0, "rtol": 0}
    assert problems("bounds", job(0.5, 2.0), **keys) == 0
    assert problems("bounds", job(beyond(0.5, LESS), beyond(2.0, MORE)), **keys) == 2


@pytest.mark.parametrize(("direction", "wrong"), [("increasing", LESS), ("decreasing", MORE)])
def test_standing_still_is_monotone(direction: str, wrong: float) -> None:
    keys = {"label": "A", "direction": direction, "rtol": 0}
    assert problems("monotone", job(3.0, 3.0), **keys) == 0
    assert problems("monotone", job(3.0, beyond(3.0, wrong)), **keys) == 1


def test_rtol_itself_is_rounding() -> None:
    """A quarter and its multiples are exact."""
    keys = {"label": "A", "maximum": 1.0}
    assert problems("bounds", job(4.0), **keys, rtol=0.75) == 0
    assert problems("bounds", job(4.0), **keys, rtol=beyond(0.75, LESS)) == 1


def test_a_sum_that_is_off_by_rtol_holds() -> None:
    parts = {"A": {2025: 3.0}, "T": {2025: 4.0}}
    keys = {"sum": ["A"], "total": "T"}
    assert problems("conserved", parts, **keys, rtol=0.25) == 0
    assert problems("conserved", parts, **keys, rtol=beyond(0.25, LESS)) == 1


def test_the_first_and_the_last_year_are_needed() -> None:
    years = {"A": {2025: 1.0, 2026: 1.0}, "B": {2026: 1.0}, "C": {2025: 1.0}}
    assert problems("complete_years", years) == 2


def test_equal_scenarios_are_in_order() -> None:
    keys = {"label": "A", "scenarios": ["low", "high"], "rtol": 0}
    for compare in ("sum", "value"):
        for high, found in ((1.0, 0), (beyond(1.0, LESS), 1)):
            data = {"low": {2025: 1.0}, "high": {2025: high}}
            assert problems("ordering", "A", data, **keys, compare=compare) == found


def test_a_move_by_the_factor_itself_is_no_jump() -> None:
    for after, found in ((8.0, 0), (beyond(8.0, MORE), 1), (0.5, 0), (beyond(0.5, LESS), 1)):
        assert problems("jump", "A", {2025: 2.0}, {2025: after}, label="A", factor=4) == found


# The logarithms are exact multiples of log 2, the median is 0 and its absolute deviation log 2.
RATIOS = dict(zip("ABCDEFGHI", [0.5] * 4 + [1.0] + [2.0] * 3 + [8.0], strict=True))
Z_OF_I = math.log(8) / (1.4826 * math.log(2))


def test_a_country_at_z_itself_is_no_outlier() -> None:
    keys = {"label": "A", "per": "P"}
    assert problems("outlier", "A", RATIOS, **keys, z=Z_OF_I) == 0
    assert problems("outlier", "A", RATIOS, **keys, z=beyond(Z_OF_I, LESS)) == 1
    below = {country: 1 / ratio for country, ratio in RATIOS.items()}
    assert problems("outlier", "A", below, **keys, z=Z_OF_I) == 0
    assert problems("outlier", "A", below, **keys, z=beyond(Z_OF_I, LESS)) == 1


def test_eight_countries_are_enough_for_an_outlier() -> None:
    keys = {"label": "A", "per": "P"}
    eight = dict.fromkeys("ABCDEFG", 1.0) | {"H": 1000.0}
    assert MIN_COUNTRIES == len(eight) == 8
    assert problems("outlier", "A", eight, **keys) == 1
    del eight["A"]
    assert problems("outlier", "A", eight, **keys) == 0


def ratios_with_z(z: float) -> dict[str, float]:
    return RATIOS | {"I": math.exp(z * 1.4826 * math.log(2))}


@pytest.mark.parametrize(
    ("kind", "keys", "within", "outside"),
    [
        ("outlier", {"per": "P"}, [ratios_with_z(5.99)], [ratios_with_z(6.01)]),
        ("jump", {}, [{2025: 1.0}, {2025: 9.99}], [{2025: 1.0}, {2025: 10.01}]),
    ],
)
def test_documented_defaults_hold(
    kind: str, keys: dict[str, Any], within: list[Any], outside: list[Any]
) -> None:
    assert problems(kind, "A", *within, label="A", **keys) == 0
    assert problems(kind, "A", *outside, label="A", **keys) == 1


def test_rounding_is_a_billionth_by_default() -> None:
    assert problems("bounds", job(1 + 0.99e-9), label="A", maximum=1) == 0
    assert problems("bounds", job(1 + 1.01e-9), label="A", maximum=1) == 1


# --- the registration ----------------------------------------------------------------------------


def test_every_scope_is_checked_somewhere() -> None:
    """JOB by analytics.quality, the others on the stored state."""
    assert {Scope.JOB, *quality_of_state.CHECKS} == set(Scope)
    assert {kind.scope for kind in KINDS.values()} == set(Scope)


def test_every_key_of_a_kind_is_one_of_a_rule() -> None:
    known = set(Rule.__dataclass_fields__)
    unknown = {name: set(kind.keys) - known for name, kind in KINDS.items()}
    assert {name: keys for name, keys in unknown.items() if keys} == {}


def test_a_kind_is_known_once_its_check_is_written() -> None:
    register: Callable[[Any], Any] = rule_kind("odd", "nothing is odd", Scope.JOB, needs=("label",))
    assert "odd" not in KINDS
    try:
        check = register(lambda rule, results: iter(()))
        assert KINDS["odd"].check is check
        assert KINDS["odd"].keys[0] == "label"
    finally:
        del KINDS["odd"]


def test_the_page_on_quality_says_when_each_kind_is_checked() -> None:
    page = (PROJECT / "docs" / "quality.md").read_text(encoding="utf-8")
    after_each_job = page.split("- **After each job**")[1].split("- **At the end of a run**")[0]
    at_the_end = page.split("- **At the end of a run**")[1].split("- **Whenever you like**")[0]
    for name, kind in KINDS.items():
        assert (f"`{name}`" in after_each_job) == (kind.scope is Scope.JOB), name
        assert (f"`{name}`" in at_the_end) == (kind.scope is not Scope.JOB), name
