from __future__ import annotations

import dataclasses

import pytest

from ingest.planning.inputs import Inputs, InputSet

SHARED = InputSet("null", "model", "scenario", "code", "standard", "query")
INPUTS = Inputs(SHARED, "document")


@pytest.mark.parametrize("field", ["code_digest", "environment", "query_digest"])
def test_digest_differs_with_each_shared_input(field: str) -> None:
    changed = dataclasses.replace(SHARED, **{field: "other"})
    assert Inputs(changed, "document").digest != INPUTS.digest


def test_digest_differs_with_the_document() -> None:
    assert Inputs(SHARED, "other").digest != INPUTS.digest


@pytest.mark.parametrize("field", ["scenario", "model_digest", "scenario_digest"])
def test_digest_does_not_differ_with_what_shows_in_the_document_alone(field: str) -> None:
    changed = dataclasses.replace(SHARED, **{field: "other"})
    assert Inputs(changed, "document").digest == INPUTS.digest


def test_digest_does_not_mix_up_neighbouring_inputs() -> None:
    one = dataclasses.replace(SHARED, code_digest="a", environment="b")
    two = dataclasses.replace(SHARED, code_digest="b", environment="a")
    assert Inputs(one, "document").digest != Inputs(two, "document").digest
    assert len(INPUTS.digest) == 64
