"""CSV has every row that there is, or is an error; never a part."""

from __future__ import annotations

import csv
import io
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import pytest

from ingest.browser.files.csv_file import FileLimits, Statement, write_csv
from ingest.errors import ConfigError
from ingest.questions.catalogue import load_canned_queries
from tests.browser.site import ODD_LABEL, ODD_SCENARIO, Answer, Site, start_site
from tests.conftest import StudyFolder

QUERIES = load_canned_queries()
ROWS = 25_000
CUT = 10_000

HEAD = "/*\n---\ntitle: {title}\ndescription: Numbers.\n{more}---\n*/\n"
CHART = "chart: {mark: point, x: n, y: half}\ncolumns: {n: N, half: Half of it}\n"
COUNT = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {rows}) "
# Quotes, commas and both ends of a line, which the standard wants within quotes.
TEXT = "'a \"b\", ' || char(13, 10) || 'c' || char(10) || 'd'"
OWN = {
    "many": HEAD.format(title="Many", more=CHART)
    + COUNT.format(rows=ROWS)
    + "SELECT n, n / 2.0 AS half FROM c",
    "many_rates": HEAD.format(title="Rates", more="parameters:\n  discount_rate:\n" + CHART)
    + COUNT.format(rows=ROWS)
    + "SELECT n, :discount_rate + 0 AS half FROM c",
    "texts": HEAD.format(title="Texts", more="")
    + f"SELECT {TEXT} AS \"x, y\", NULL AS blank, 1e308 * 10 AS endless, x'00ff' AS bytes",
    "fails_midway": HEAD.format(title="Fails", more="")
    + COUNT.format(rows=20_000)
    + "SELECT CASE WHEN n = 15000 THEN abs(-9223372036854775807 - 1) ELSE n END AS n FROM c",
    "too_many": HEAD.format(title="Too many", more=CHART)
    + COUNT.format(rows=120_000)
    + "SELECT n, n / 2.0 AS half FROM c",
    "points": HEAD.format(title="Points", more=CHART)
    + COUNT.format(rows=8_000)
    + "SELECT n, n / 2.0 AS half FROM c",
    "nothing": HEAD.format(title="Nothing", more=CHART) + "SELECT 1 AS n, 2 AS half WHERE 0",
}


@pytest.fixture(scope="module")
def own(served_study: StudyFolder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with large questions and tables of its own, below /results/; CSV up to 1 MiB."""
    folder = tmp_path_factory.mktemp("whole")
    database = folder / "validation_results.db"
    with (
        closing(sqlite3.connect(served_study.database)) as source,
        closing(sqlite3.connect(database)) as target,
    ):
        source.backup(target)
        add_tables(target)
    (folder / "canned_queries").mkdir()
    for name, text in OWN.items():
        (folder / "canned_queries" / f"{name}.sql").write_text(text, encoding="utf-8")
    extra = ["--setting", "base_url", "/results/", "--setting", "max_csv_mb", "1"]
    options = ("--allow-sql", "--cors", "--allow-host", "results.example.org")
    running = start_site(database, *options, extra=extra)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def add_tables(connection: sqlite3.Connection) -> None:
    """12,000 things of two kinds, some with bytes."""
    connection.executescript(
        f"""CREATE TABLE kinds (id INTEGER PRIMARY KEY, name TEXT);
            INSERT INTO kinds VALUES (1, 'even'), (2, 'odd');
            CREATE TABLE things (id INTEGER PRIMARY KEY, kind INTEGER REFERENCES kinds (id),
                                 content BLOB);
            {COUNT.format(rows=12_000)} INSERT INTO things
            SELECT n, CASE WHEN n < 12000 THEN 1 + n % 2 END, CASE n WHEN 7 THEN x'ff' END FROM c"""
    )
    connection.commit()


def read(answer: Answer) -> list[dict[str, str]]:
    assert answer.status == 200, answer.text[:500]
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


def get(own: Site, path: str, **arguments: Any) -> Answer:
    query = f"?{urlencode(arguments, doseq=True)}" if arguments else ""
    return own.request(f"/results/validation_results{path}{query}")


def scalar(site: Site, sql: str) -> int:
    with closing(sqlite3.connect(f"file:{site.database}?mode=ro", uri=True)) as connection:
        return int(connection.execute(sql).fetchone()[0])


# --- questions -----------------------------------------------------------------------------------


def test_a_question_has_every_row_where_json_is_cut(own: Site) -> None:
    rows = read(get(own, "/many.csv"))
    assert [row["n"] for row in rows] == [str(n) for n in range(1, ROWS + 1)]
    assert len(get(own, "/many.json", _shape="array").json()) == CUT


def test_its_length_is_told_so_that_a_part_is_never_taken_for_the_whole(own: Site) -> None:
    answer = get(own, "/many.csv")
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert "transfer-encoding" not in answer.headers


@pytest.mark.parametrize("name", QUERIES)
def test_csv_has_the_columns_and_numbers_of_json(site: Site, name: str) -> None:
    path = f"/validation_results/{name}"
    wanted = site.get(f"{path}.json").json()
    header, *rows = csv.reader(io.StringIO(site.get(f"{path}.csv?_raw=on").text, newline=""))
    assert header == wanted["columns"]
    assert rows == [["" if cell is None else str(cell) for cell in row] for row in wanted["rows"]]


def test_no_cell_is_a_formula_in_a_spreadsheet() -> None:
    sql = "SELECT '=1+1' AS \"=a\", '-x' AS b, '@y' AS c, '+ z' AS d, '-1.5' AS e, -2 AS f, '' AS g"
    assert written(sql, FileLimits(60, 1)).getvalue() == (
        b"'=a,b,c,d,e,f,g\r\n'=1+1,'-x,'@y,'+ z,-1.5,-2,\r\n"
    )
    assert written(sql, FileLimits(60, 1), raw=True).getvalue() == (
        b"=a,b,c,d,e,f,g\r\n=1+1,-x,@y,+ z,-1.5,-2,\r\n"
    )


def test_parameters_are_those_of_the_other_formats(site: Site) -> None:
    asked = urlencode({"scenario": ODD_SCENARIO, "label": ODD_LABEL, "country": "KEN"})
    path = "/validation_results/compare_scenarios"
    rows = read(site.get(f"{path}.csv?{asked}"))
    wanted = site.get(f"{path}.json?{asked}&_shape=array").json()
    assert rows
    assert [float(row["scenario_value"]) for row in rows] == [
        row["scenario_value"] for row in wanted
    ]


def test_texts_are_quoted_as_the_standard_has_it(own: Site) -> None:
    answer = get(own, "/texts.csv")
    head, _, body = answer.text.partition("\r\n")
    assert head == '"x, y",blank,endless,bytes'
    assert body.startswith('"a ""b"", \r\nc\nd",,inf,')
    assert body.endswith("\r\n")
    (row,) = read(answer)
    blob = row["bytes"].removeprefix(own.url)
    assert own.request(blob).body == b"\x00\xff"


def test_with_dl_it_is_a_file_to_keep_and_without_a_text_to_read(own: Site) -> None:
    shown, kept = get(own, "/nothing.csv").headers, get(own, "/nothing.csv", _dl="1").headers
    assert shown["content-type"] == "text/plain; charset=utf-8"
    assert "content-disposition" not in shown
    assert kept["content-type"] == "text/csv; charset=utf-8"
    assert kept["content-disposition"] == 'attachment; filename="nothing.csv"'
    assert shown["access-control-allow-origin"] == "*"


def test_the_heading_can_be_left_out_and_stands_alone_without_rows(own: Site) -> None:
    assert get(own, "/nothing.csv").text == "n,half\r\n"
    assert get(own, "/nothing.csv", _header="off").text == ""
    assert get(own, "/many.csv", _header="off").text.startswith("1,0.5\r\n")


def test_what_fails_midway_is_an_error_and_no_file(own: Site) -> None:
    assert len(get(own, "/fails_midway.json", _shape="array").json()) == CUT
    answer = get(own, "/fails_midway.csv")
    assert (answer.status, answer.json()["error"]) == (400, "SQL: integer overflow")


def test_a_file_beyond_the_limit_is_refused_with_what_to_do(own: Site) -> None:
    answer = get(own, "/too_many.csv")
    assert answer.status == 400
    assert answer.json()["error"] == (
        "this is more than 1 MiB of CSV. Choose less, or take it with `ingest export`; "
        "who runs the server sets the limit: --setting max_csv_mb"
    )


def test_a_wrong_parameter_is_a_clear_400(site: Site) -> None:
    answer = site.request("/validation_results/compare_scenarios.csv?country=KEM")
    assert (answer.status, answer.json()["error"]) == (
        400,
        "country: there is no 'KEM'. Did you mean KEN?",
    )


@pytest.mark.parametrize("path", ["/many.csv", "/things.csv", "/fails_midway.csv"])
def test_head_has_no_body_and_reads_no_row(own: Site, path: str) -> None:
    answer = own.request(f"/results/validation_results{path}", "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_one_who_leaves_or_stays_slow_holds_up_nobody(own: Site) -> None:
    with socket.create_connection(("127.0.0.1", own.port)) as slow:
        slow.sendall(
            b"GET /results/validation_results/many.csv HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        assert slow.recv(15) == b"HTTP/1.1 200 OK"
        assert len(read(get(own, "/many.csv"))) == ROWS
    assert len(read(get(own, "/many.csv"))) == ROWS


# --- tables and views ----------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [{}, {"_size": "max"}, {"_stream": "on"}])
def test_a_table_is_whole(own: Site, arguments: dict[str, str]) -> None:
    rows = read(get(own, "/things.csv", **arguments))
    assert [row["id"] for row in rows] == [str(n) for n in range(1, 12_001)]
    assert list(rows[0]) == ["id", "kind", "content"]


def test_a_filtered_view_has_what_the_filters_leave(site: Site) -> None:
    rows = read(site.get("/validation_results/metrics.csv?run_id=1"))
    assert len(rows) == scalar(site, "SELECT count(*) FROM metrics WHERE run_id = 1")
    kenya = read(site.get("/validation_results/metrics.csv?run_id=1&country=KEN&_sort_desc=value"))
    values = [float(row["value"]) for row in kenya]
    assert len(values) == 2 * 3 * 3
    assert values == sorted(values, reverse=True)
    some = site.get("/validation_results/metrics.json?run_id=1&country=KEN&_shape=array&_size=max")
    assert {row["value"] for row in some.json()} == set(values)


def test_a_size_that_is_asked_for_is_kept(own: Site) -> None:
    assert len(read(get(own, "/things.csv", _size="7"))) == 7
    assert len(read(get(own, "/things.csv", _size="11000"))) == 11_000
    assert get(own, "/things.csv", _size="-1").status == 400


def test_a_page_that_is_asked_for_begins_where_it_does(own: Site) -> None:
    page = get(own, "/things.json", _size="5").json()
    rows = read(get(own, "/things.csv", _next=page["next"]))
    assert [int(row["id"]) for row in rows] == list(range(6, 12_001))
    view = get(own, "/metrics.json", _size="5").json()
    assert len(read(get(own, "/metrics.csv", _next=view["next"], _size="3"))) == 3


def test_labels_stand_beside_the_keys_that_they_explain(own: Site) -> None:
    rows = read(get(own, "/things.csv", _labels="on", _sort_desc="id"))
    assert list(rows[0]) == ["id", "kind", "kind_label", "content"]
    assert len(rows) == 12_000
    ends = [(row["id"], row["kind"], row["kind_label"]) for row in (rows[0], rows[1], rows[-1])]
    assert ends == [("12000", "", ""), ("11999", "2", "odd"), ("1", "2", "odd")]


def test_bytes_of_a_table_are_an_address(own: Site) -> None:
    (row,) = read(get(own, "/things.csv", id="7"))
    assert own.request(row["content"].removeprefix(own.url)).body == b"\xff"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nowhere.csv", 404), ("/things.csv?_sort=nix", 400), ("/things.csv?_where=nix", 400)],
)
def test_what_is_wrong_with_a_table_is_told(own: Site, path: str, status: int) -> None:
    assert own.request(f"/results/validation_results{path}").status == status


def test_sql_of_visitors_is_whole_where_it_is_allowed(own: Site, site: Site) -> None:
    sql = COUNT.format(rows=ROWS) + "SELECT n FROM c WHERE n > CAST(:least AS INTEGER)"
    assert len(read(get(own, ".csv", sql=sql, least=10))) == ROWS - 10
    for wrong in ("SELECT nix", "DELETE FROM things"):
        answer = get(own, ".csv", sql=wrong)
        assert (answer.status, answer.json()["error"][:5]) == (400, "SQL: ")
    assert site.request("/validation_results.csv?sql=select+1").status == 403


# --- the file itself -----------------------------------------------------------------------------

ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c"


def written(
    sql: str, limits: FileLimits, given_up: threading.Event | None = None, *, raw: bool = False
) -> io.BytesIO:
    file = io.BytesIO()
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        event = given_up or threading.Event()
        write_csv(connection, Statement(sql, {}), file, limits, event, raw=raw)
    return file


@pytest.mark.parametrize("sql", [ENDLESS, f"{ENDLESS} WHERE n < 0"])
def test_rows_that_take_too_long_are_given_up(sql: str) -> None:
    message = r"^these rows take more than 0\.2 s to read\. Choose less, .*sql_time_limit_ms$"
    with pytest.raises(ConfigError, match=message):
        written(sql, FileLimits(0.2, 0))


@pytest.mark.parametrize("row", [1, 2_500, 5_000])
def test_the_limit_counts_work_and_no_waiting(row: int) -> None:
    """As on a machine whose processor others use: one row takes longer than the limit."""
    file = io.BytesIO()
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        connection.create_function("wait", 1, lambda n: time.sleep(0.5) if n == row else n)
        statement = Statement(
            f"{ENDLESS.replace('SELECT n FROM', 'SELECT wait(n) FROM')} LIMIT 5000", {}
        )
        write_csv(connection, statement, file, FileLimits(0.4, 0), threading.Event())
    assert file.getvalue().count(b"\n") == 5001


def test_rows_that_nobody_waits_for_are_given_up() -> None:
    given_up = threading.Event()
    given_up.set()
    with pytest.raises(ConfigError):
        written(ENDLESS, FileLimits(3600, 0), given_up)


def test_the_file_stays_open_for_who_sends_it() -> None:
    assert written("SELECT 1 AS a", FileLimits(60, 1)).getvalue() == b"a\r\n1\r\n"
