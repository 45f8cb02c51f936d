"""What a failed job of AWS Batch is told with."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.executors.aws_batch.jobs import fault_of
from ingest.executors.aws_batch.store import ErrorDocument

LONG = "x" * 5_000_000


@pytest.mark.parametrize(
    ("described", "error"),
    [
        ({}, ErrorDocument("model error", LONG, can_pass=False)),
        ({}, ErrorDocument("model error", "no such node", can_pass=False, tail=LONG)),
        ({"statusReason": LONG, "container": {"exitCode": 1}}, None),
        ({"attempts": [{"container": {"exitCode": 1, "reason": LONG}}]}, None),
    ],
)
def test_long_words_of_a_container_lose_their_middle(
    described: dict[str, Any], error: ErrorDocument | None
) -> None:
    message = fault_of(described, error).message
    assert len(message) < 11_000
    assert "[... 4,99" in message
    assert " bytes left out ...]" in message
