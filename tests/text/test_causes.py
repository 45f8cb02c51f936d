from __future__ import annotations

import pytest

from ingest.text.causes import cause_of

UUIDS = "8a3c1d2e-0000-4abc-8def-0123456789ab", "ffffffff-1111-4abc-8def-0123456789ab"
ULIDS = "01JD0000000000000000000000", "01JDZZZZZZZZZZZZZZZZZZZZZZ"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(
            (f"the run API's answer of job {a} names no known state",
             f"the run API's answer of job {b} names no known state")
            for a, b in (UUIDS, ULIDS)
        ),
        ("no results after 301 s", "no results after 299.5 s"),
        ("https://host:8080/a/1 could not be asked", "https://host/b could not be asked"),
        ("no file /tmp/a/model.csv", "no file /tmp/b/x.csv"),
        ("life expectancy missing for KEN under null", "life expectancy missing for UGA under up"),
        ("object at 0x7f4c82953c60", "object at 0x7f4c82950000"),
    ],
)  # fmt: skip
def test_messages_about_other_jobs_are_one_cause(one: str, other: str) -> None:
    assert cause_of(one, ["KEN", "null"]) == cause_of(other, ["UGA", "up"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the command ended with exit code 1", "the command ended with exit code 137"),
        ("host answered 404", "host answered 500"),
        ("KeyError: 'births'", "KeyError: 'deaths'"),
        ("nullable", "able"),
    ],
)
def test_what_happened_tells_causes_apart(one: str, other: str) -> None:
    assert cause_of(one, ["null"]) != cause_of(other, ["null"])
