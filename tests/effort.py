"""How many examples and seeds random tests try: few as a rule, many in `make test-long`."""

from __future__ import annotations

import os

IS_LONG = bool(os.environ.get("INGEST_TEST_LONG"))


def examples(usual: int, long: int) -> int:
    """How many to try in this run of the tests."""
    return long if IS_LONG else usual
