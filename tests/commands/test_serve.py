"""`ingest serve` as a process: how it begins, what it refuses to begin with, how it ends."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ingest.text.installation import not_installed
from tests.browser.site import Site, make_served_study, start_site
from tests.conftest import Ingest, StudyFolder

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("datasette") is None, reason="pip install 'ingest[browser]'"
)


@pytest.fixture(scope="module")
def served_study(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return make_served_study(tmp_path_factory.mktemp("serve") / "tiny")


def ended(site: Site, number: signal.Signals = signal.SIGINT) -> list[str]:
    """What a server said, after a signal that it took cleanly."""
    assert site.stop(number) == 0
    return site.said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_where_and_ends_cleanly(
    served_study: StudyFolder, number: signal.Signals
) -> None:
    site = start_site(served_study.database, plain=True)
    assert "tiny" in site.get("/").text
    assert ended(site, number) == [
        f"Serving validation_results.db at http://127.0.0.1:{site.port} (Ctrl-C to stop)",
        "Stopped.",
    ]


def test_an_interrupt_while_modules_are_imported_ends_cleanly_too() -> None:
    program = """
from ingest.commands.serve import _ending_by_signal
with _ending_by_signal():
    exec("import os, signal; os.kill(os.getpid(), signal.SIGINT)")  # as dataclasses are made
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "Stopped.\n")


def test_errors_of_visitors_are_not_printed(served_study: StudyFolder) -> None:
    site = start_site(served_study.database)
    assert site.request("/nowhere").status == 404
    assert len(ended(site)) == 2


def test_snapshot_is_a_copy_that_is_removed_at_the_end(
    served_study: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "results.db"
    shutil.copy(served_study.database, database)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    site = start_site(database, "--snapshot")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM run_tags")
        connection.execute("DELETE FROM series_changes")
    assert "3 series of 3 combinations" in site.get("/results/-/run/2").text
    (folder,) = scratch.glob("ingest_serve_*")
    assert [file.name for file in folder.iterdir()] == ["results.db"]
    said = ended(site)
    assert said[0].startswith("Serving a copy of results.db at http://127.0.0.1:")
    assert list(scratch.glob("ingest_serve_*")) == []


def test_database_of_any_name_has_pages_and_descriptions(
    served_study: StudyFolder, tmp_path: Path
) -> None:
    database = tmp_path / "my results.v2.db"
    shutil.copy(served_study.database, database)
    site = start_site(database)
    route = "/my+results~2Ev2"
    assert "Run 2" in site.get(f"{route}/-/run/2").text
    assert "One row for each" in site.get(f"{route}/validation_runs").text
    assert f'href="{route}/-/job/' in site.get("/").text
    ended(site)


def test_several_databases_are_served_side_by_side(
    served_study: StudyFolder, tmp_path: Path
) -> None:
    second, foreign = tmp_path / "second.db", tmp_path / "foreign.db"
    shutil.copy(served_study.database, second)
    with closing(sqlite3.connect(foreign)) as connection, connection:
        connection.execute("CREATE TABLE validation_runs (a)")
    site = start_site(served_study.database, extra=[str(second), str(foreign)])
    home = site.get("/").text
    assert 'href="/validation_results/-/overview" aria-current="true"' in home
    assert 'href="/second/-/overview"' in home
    assert "/foreign/-/overview" not in home
    assert 'href="/second/-/run/2"' in site.get("/second/-/runs").text
    assert site.request("/foreign/-/runs").status == 404
    assert "One row for each" in site.get("/second/validation_runs").text
    assert "One row for each" not in site.get("/foreign/validation_runs").text
    ended(site)


def test_what_stands_after_the_dashes_is_passed_on(
    served_study: StudyFolder, tmp_path: Path
) -> None:
    own = tmp_path / "own.yml"
    own.write_text("license: CC BY 4.0\nlicense_url: https://example.org/licence\n")
    site = start_site(
        served_study.database,
        extra=["--setting", "base_url", "/results/", "--metadata", str(own)],
    )
    page = site.get("/results/").text
    assert 'href="/results/validation_results/-/run/3"' in page
    assert 'href="/results/static/ingest.css' in page
    assert '<a href="https://example.org/licence">CC BY 4.0</a>' in page
    assert "One row for each" in site.get("/results/validation_results/validation_runs").text
    assert site.said[0].endswith(f"at http://127.0.0.1:{site.port}/results (Ctrl-C to stop)")
    ended(site)


def test_sql_of_visitors_is_allowed_by_option_and_cannot_write(served_study: StudyFolder) -> None:
    site = start_site(served_study.database, "--allow-sql", "--cors")
    before = site.checksum()
    path = "/validation_results.json?_shape=array&sql="
    answer = site.get(f"{path}select+count(*)+as+n+from+job_results")
    assert answer.json() == [{"n": 13}]
    assert answer.headers["access-control-allow-origin"] == "*"
    for sql in ("delete+from+job_results", "with+a+as+(select+1)+delete+from+job_results"):
        assert site.request(f"{path}{sql}").status == 400
    assert "sql_editor.js" in site.get("/validation_results").text
    assert site.checksum() == before
    ended(site)


def test_pages_of_other_sites_may_not_read_without_the_option(served_study: StudyFolder) -> None:
    site = start_site(served_study.database)
    assert "access-control-allow-origin" not in site.get("/validation_results.json").headers
    assert "sql_editor.js" not in site.get("/validation_results").text
    ended(site)


def test_reads_work_while_a_run_writes(served_study: StudyFolder, tmp_path: Path) -> None:
    database = tmp_path / "validation_results.db"
    shutil.copy(served_study.database, database)
    site = start_site(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            """INSERT INTO validation_runs (timestamp, git_commit, status, total_jobs, study)
               VALUES ('2026-11-24T09:00:00.000Z', 'unknown', 'running', 5, 'tiny')"""
        )
        assert "Run 3" in site.get("/").text
        connection.execute("COMMIT")
        connection.execute(
            """INSERT INTO job_results (run_id, country, scenario, ulid, job_status)
               VALUES (4, 'KEN', 'null', 'U', 'running')"""
        )
        text = site.get("/").text
        assert "is going on" in text
        assert 'data-progress="/validation_results/-/progress.json?run=4"' in text
        assert '<progress value="0" max="5"' in text
        words = site.get("/validation_results/-/progress.json").json()["words"]
        assert words.startswith("0 of 5 jobs ended, 1 running; ")
        connection.execute("UPDATE validation_runs SET status = 'completed' WHERE run_id = 4")
        assert "is going on" not in site.get("/").text
    ended(site)


def test_open_opens_the_browser(
    served_study: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.part\nmv {opened}.part {opened}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    site = start_site(served_study.database, "--open")
    while not opened.exists():
        assert site.process.poll() is None
    assert opened.read_text() == f"http://127.0.0.1:{site.port}\n"
    ended(site)


def test_database_without_a_run_says_what_to_do(
    study: StudyFolder, ingest: Ingest, tmp_path: Path
) -> None:
    ingest("run", "--quiet", "--countries", "KEN")
    with closing(sqlite3.connect(study.database)) as connection, connection:
        for table in ("job_results", "validation_runs", "countries", "scenarios", "elements"):
            connection.execute(f"DELETE FROM {table}")
    site = start_site(study.database)
    assert "There is no run in this database yet." in site.get("/").text
    assert "There is no run in this database yet." in site.get("/validation_results/-/runs").text
    assert "names no country yet" in site.get("/validation_results/-/countries").text
    assert site.request("/validation_results/-/progress.json").status == 404
    ended(site)


# --- what it does not begin with -----------------------------------------------------------------


def test_without_a_database_serve_says_how_to_make_one(study: StudyFolder, ingest: Ingest) -> None:
    result = ingest("serve")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: there is no database validation_results.db yet. Make one with: ingest run\n"
    )


def test_taken_port_is_named_with_another(served_study: StudyFolder, ingest: Ingest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = ingest("serve", "-d", str(served_study.database), "--port", str(port))
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: port {port} is taken. Choose another: ingest serve --port "
        f"{port + 1 if port < 65535 else 8001}\n"
    )


def test_address_that_cannot_be_listened_on_is_named(
    served_study: StudyFolder, ingest: Ingest
) -> None:
    host = "no.such.host.invalid"
    result = ingest("serve", "-d", str(served_study.database), "--port", "0", "--host", host)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {host} port 0 cannot be listened on: ")
    assert result.stderr.count("\n") == 1


def test_older_schema_is_told_with_how_it_is_brought_up_to_date(
    served_study: StudyFolder, ingest: Ingest, tmp_path: Path
) -> None:
    database = tmp_path / "older.db"
    shutil.copy(served_study.database, database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM _sqlite_migrations WHERE name LIKE 'm004%'")
    result = ingest("serve", "-d", str(database))
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: {database} has an older schema. It is brought up to date, after a copy is set "
        "aside, by the next: ingest run\n"
    )


def test_later_foreign_and_original_databases_are_refused(ingest: Ingest, tmp_path: Path) -> None:
    database = tmp_path / "other.db"
    for statements, words in (
        (["CREATE TABLE a (b)"], "is a database of something else; name another --database"),
        (
            [f"CREATE TABLE {t} (a)" for t in ("validation_runs", "job_results", "metrics")],
            "has the original three-table form and is left as it is. Bring it in with: ",
        ),
    ):
        database.unlink(missing_ok=True)
        with closing(sqlite3.connect(database)) as connection, connection:
            for statement in statements:
                connection.execute(statement)
        result = ingest("serve", "-d", str(database))
        assert result.exit_code == 2
        assert result.stderr.startswith(f"Error: {database} {words}")
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--nonsense"], "Datasette: No such option"),
        (["--setting", "suggest_facet", "on"], "Datasette: Invalid value for '--setting': "),
        (["--port", "9"], "--port cannot be passed on to Datasette; use: ingest serve --port"),
        (["--root"], "--root cannot be passed on to Datasette"),
        (["nowhere.db"], "Datasette: Invalid value for '[FILES]...': Path 'nowhere.db' does not"),
    ],
)
def test_options_that_datasette_does_not_take_are_told(
    served_study: StudyFolder, ingest: Ingest, extra: list[str], message: str
) -> None:
    result = ingest("serve", "-d", str(served_study.database), "--", *extra)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {message}")


def test_without_datasette_serve_says_how_to_get_it(served_study: StudyFolder) -> None:
    code = (
        "import sys; sys.modules['datasette'] = None; from ingest.cli import main; "
        f"main(['serve', '-d', {str(served_study.database)!r}])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stderr == f"Error: {not_installed('datasette', 'browser')}\n"


@pytest.mark.parametrize("host", ["", " "])
def test_empty_host_is_refused(study: StudyFolder, ingest: Ingest, host: str) -> None:
    result = ingest("serve", "--host", host)
    assert result.exit_code == 2
    assert "an empty host would listen everywhere; say 0.0.0.0 for that" in result.stderr


def test_who_sees_the_results_is_said(served_study: StudyFolder) -> None:
    site = start_site(served_study.database, "--host", "0.0.0.0", "--allow-sql", "--cors")
    assert site.request("/", Host="evil.example.com").status == 421
    assert site.request("/", Host="192.0.2.1").status == 200
    assert (
        "Whoever reaches 0.0.0.0 on this network can read every result, write SQL that reads and "
        "have pages of other sites read it, without a login." in ended(site)
    )


def test_name_of_a_web_server_before_it_can_be_allowed(served_study: StudyFolder) -> None:
    site = start_site(served_study.database, "--allow-host", "results.example.org")
    assert site.request("/", Host="results.example.org").status == 200
    assert site.request("/", Host="other.example.org").status == 421
    ended(site)


@pytest.mark.parametrize("address", ["nginx", "10.0.0.1/8", "*", ""])
def test_proxy_is_an_address(study: StudyFolder, ingest: Ingest, address: str) -> None:
    result = ingest("serve", "--proxy", address)
    assert result.exit_code == 2
    assert f"{address} is no address or network" in result.stderr


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.9"}
ROWS = "/validation_results/job_results.json?_size=1"


@pytest.mark.parametrize(
    ("proxies", "scheme"),
    [((), "http"), (("192.0.2.0/24",), "http"), (("192.0.2.1", "127.0.0.0/8"), "https")],
)
def test_only_a_named_proxy_says_how_it_was_asked(
    served_study: StudyFolder, proxies: tuple[str, ...], scheme: str
) -> None:
    options = [part for address in proxies for part in ("--proxy", address)]
    site = start_site(served_study.database, *options, "--diagnostics")
    assert site.request(ROWS, **FORWARDED).json()["next_url"].startswith(f"{scheme}://127.0.0.1:")
    settings = site.get("/-/settings.json").json()
    wanted = {
        "suggest_facets": False, "allow_csv_stream": False, "allow_download": False,
        "default_allow_sql": False, "max_returned_rows": 10_000, "default_page_size": 50,
    }  # fmt: skip
    assert {name: settings[name] for name in wanted} == wanted
    ended(site)


def test_copy_of_a_killed_server_goes_with_the_next_start(
    served_study: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    first, second = (start_site(served_study.database, "--snapshot") for _ in range(2))
    first.process.kill()
    first.process.wait()
    assert len(list(tmp_path.glob("ingest_serve_*/*.db"))) == 2
    ended(start_site(served_study.database))
    assert len(list(tmp_path.glob("ingest_serve_*/*.db"))) == 1  # of the one that still serves
    ended(second)
    assert list(tmp_path.glob("ingest_serve_*")) == []
