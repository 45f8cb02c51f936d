from __future__ import annotations

import pytest

from ingest.text.suggest import nearest


@pytest.mark.parametrize(
    ("word", "found"),
    [("KNE", "KEN"), ("kenya", "KEN"), ("NRE", "NER"), ("kem", "KEN"), ("XXX", None)],
)
def test_two_letters_in_the_wrong_order_are_the_likeliest_mistake(
    word: str, found: str | None
) -> None:
    assert nearest(word, ["NER", "KEN", "TZA", "DEU"]) == found
