from __future__ import annotations

import math
from typing import Any

import pytest

from ingest.dev_server.faults import KINDS, Dice, Endpoint, Faults, parse_latency, parse_rates
from ingest.errors import ConfigError

SUBJECTS = [f"document {number}" for number in range(500)]


def hits(faults: Faults, kind: str, subjects: list[str]) -> list[bool]:
    dice = Dice()
    return [dice.hits(faults, kind, subject) for subject in subjects]


def test_same_seed_gives_the_same_faults_in_whatever_order_calls_arrive() -> None:
    faults = Faults(rates={"submit-429": 0.3}, seed=7)
    forward = dict(zip(SUBJECTS, hits(faults, "submit-429", SUBJECTS), strict=True))
    backward = SUBJECTS[::-1]
    assert dict(zip(backward, hits(faults, "submit-429", backward), strict=True)) == forward


def test_another_seed_gives_other_faults() -> None:
    seeds = [Faults(rates={"submit-429": 0.3}, seed=seed) for seed in (1, 2)]
    assert hits(seeds[0], "submit-429", SUBJECTS) != hits(seeds[1], "submit-429", SUBJECTS)


def test_about_the_given_share_is_hit() -> None:
    share = sum(hits(Faults(rates={"status-500": 0.2}), "status-500", SUBJECTS)) / len(SUBJECTS)
    assert 0.1 < share < 0.3


def test_a_call_that_is_made_again_is_decided_anew() -> None:
    faults = Faults(rates={"submit-429": 0.5})
    assert len(set(hits(faults, "submit-429", ["the same"] * 50))) == 2


def test_a_kind_that_is_decided_once_a_job_stays_decided() -> None:
    faults = Faults(rates={"status-lost": 0.5})
    dice = Dice()
    for subject in SUBJECTS[:20]:
        assert len({dice.hits(faults, "status-lost", subject) for _ in range(10)}) == 1
    assert len(set(hits(faults, "status-lost", SUBJECTS[:50]))) == 2


@pytest.mark.parametrize(("rate", "expected"), [(0.0, False), (1.0, True)])
def test_rates_0_and_1_are_never_and_always(rate: float, expected: bool) -> None:
    assert set(hits(Faults(rates={"status-drop": rate}), "status-drop", SUBJECTS)) == {expected}


def test_every_kind_names_its_endpoint() -> None:
    assert {kind.partition("-")[0] for kind in KINDS} == {*Endpoint, "job"}


def test_options_are_read() -> None:
    assert parse_rates(["submit-429:0.1", " status-500 : 1"]) == {
        "submit-429": 0.1,
        "status-500": 1.0,
    }
    assert parse_latency(["submit=0.5, status=0.1", "docs=2"]) == {
        "submit": 0.5,
        "status": 0.1,
        "docs": 2.0,
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"rates": {"submit-492": 0.1}},
            "no fault 'submit-492'. Did you mean submit-429? All kinds: ingest dev-server --help",
        ),
        (
            {"rates": {"submit-429": 2}},
            "fault submit-429: a rate from 0 to 1 is needed, not 2",
        ),
        (
            {"rates": {"submit-429": True}},
            "fault submit-429: a rate from 0 to 1 is needed, not True",
        ),
        ({"rates": ["submit-429"]}, "rates: an object is needed, not ['submit-429']"),
        (
            {"latency_s": {"post": 1}},
            "latency: no endpoint 'post'; there are docs, submit, status, analytics",
        ),
        ({"latency_s": {"docs": -1}}, "latency docs: seconds from 0 on are needed, not -1"),
        ({"retry_after_s": "2"}, "retry_after_s: seconds from 0 on are needed, not '2'"),
        ({"analytics_lag_s": math.inf}, "analytics_lag_s: seconds from 0 on are needed, not inf"),
        ({"seed": 1.5}, "seed: a whole number is needed, not 1.5"),
        (
            {"rate": {}},
            "faults have no 'rate'; there are rates, latency_s, retry_after_s, analytics_lag_s, "
            "seed",
        ),
    ],
)
def test_what_is_wrong_with_faults_is_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Faults().changed(changes)
    assert str(caught.value) == message


def test_wrong_options_are_told() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_rates(["submit-429"])
    assert str(caught.value) == "--fault 'submit-429': write KIND:RATE, e.g. submit-429:0.1"
    with pytest.raises(ConfigError) as caught:
        parse_latency(["submit"])
    assert str(caught.value) == (
        "--latency 'submit': write ENDPOINT=SECONDS, e.g. submit=0.5,status=0.1"
    )


def test_changes_replace_the_named_fields_alone() -> None:
    faults = Faults(rates={"submit-429": 0.1}, latency_s={"docs": 1.0}, seed=3)
    assert faults.changed({"rates": {}, "retry_after_s": 2}) == Faults(
        latency_s={"docs": 1.0}, retry_after_s=2, seed=3
    )
