from __future__ import annotations

import re
import sqlite3

import pytest

from ingest.errors import ConfigError
from ingest.questions.catalogue import run_canned_query
from ingest.questions.files import parse_canned_query
from ingest.questions.shared import fragments, include_fragments
from ingest.resources import resource_path
from tests.conftest import PROJECT
from tests.questions.test_canned_queries import HEAD, LABEL, QUERIES, connection

__all__ = ["connection"]  # a fixture

NAMES = ("run", "baseline", "scenario", "label", "countries", "until", "discount_rate", "base_year")
PARAMETERS = "parameters:\n" + "".join(f"  {name}:\n" for name in NAMES)


def test_a_question_of_your_own_can_use_the_fragments(connection: sqlite3.Connection) -> None:
    page = (PROJECT / "docs" / "questions.md").read_text(encoding="utf-8")
    (example,) = (
        sql for sql in re.findall(r"```sql\n(.*?)```", page, re.DOTALL) if "include" in sql
    )
    query = parse_canned_query("own", HEAD.format(PARAMETERS) + example)
    _, rows = run_canned_query(connection, query, {"run": 1, "baseline": "up", "scenario": "null"})
    assert rows == [("KEN", 10.1 + 20.2 + 30.3), ("UGA", 1.1 + 2.2 + 3.3), ("TZA", 0.0)]


@pytest.mark.parametrize("name", QUERIES)
def test_the_sql_of_a_question_is_whole(name: str, connection: sqlite3.Connection) -> None:
    query = QUERIES[name]
    assert "include:" not in query.sql
    values = dict.fromkeys((parameter.name for parameter in query.parameters), "")
    connection.execute(query.sql, values | ({"label": LABEL} if "label" in values else {}))


@pytest.mark.parametrize("comma", ["", ","])
def test_fragments_stand_one_after_the_other_and_a_last_comma_stays(comma: str) -> None:
    known = fragments()
    sql = include_fragments("q.sql", f"WITH\n-- include: chosen,pairs{comma}\nSELECT 1")
    assert sql == f"WITH\n{known['chosen']},\n{known['pairs']}{comma}\nSELECT 1"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("yeary", "q.sql: no fragment 'yeary'. Did you mean yearly?"),
        ("chosen, pears,", "q.sql: no fragment 'pears'. Did you mean pairs?"),
        ("", "q.sql: no fragment ''."),
    ],
)
def test_an_unknown_fragment_gets_a_suggestion(line: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_canned_query("q", HEAD.format("") + f"WITH\n-- include: {line}\nSELECT 1")
    assert str(caught.value).startswith(message)


def test_every_fragment_is_used() -> None:
    files = resource_path("canned_queries").glob("*.sql")
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    used = ",".join(line.partition("include:")[2] for line in lines if "-- include:" in line)
    assert {name.strip() for name in used.split(",") if name.strip()} == set(fragments())
