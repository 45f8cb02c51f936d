"""The adapters in a real Datasette server on loopback, on a database that `ingest run` made."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.canned_queries import load_canned_queries
from tests.conftest import PROJECT, StudyFolder

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("datasette") is None, reason="pip install 'ingest[browser]'"
)


class Server:
    """A Datasette that serves one database."""

    def __init__(self, database: Path) -> None:
        self.database = database
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "datasette", str(database), "--port", str(self.port),
                "--plugins-dir", str(PROJECT / "datasette_plugins"),
                "--template-dir", str(PROJECT / "templates"),
                "--static", f"static:{PROJECT / 'static'}",
                "--metadata", str(PROJECT / "metadata.yml"),
                "--setting", "suggest_facets", "off",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def get(self, path: str) -> str:
        """The body of a page, which must be there."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            assert answer.status == 200
            return str(answer.read().decode())

    def wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                self.get("/-/versions.json")
            except urllib.error.URLError:
                assert self.process.poll() is None, "datasette ended"
                time.sleep(0.05)
            else:
                return
        pytest.fail("datasette did not answer within 60 s")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    study = StudyFolder(tmp_path_factory.mktemp("served") / "tiny")
    run = [sys.executable, "-m", "ingest", "run", "--quiet"]
    subprocess.run(run, cwd=study.root, check=True)
    started = Server(study.database)
    try:
        started.wait()
        yield started
    finally:
        started.process.terminate()
        started.process.wait()


def test_every_canned_query_answers_with_its_defaults(server: Server) -> None:
    for query in load_canned_queries().values():
        assert query.title in server.get(f"/validation_results/{query.name}")
        rows = server.get(f"/validation_results/{query.name}.json?_shape=array")
        assert isinstance(json.loads(rows), list)


def test_a_question_gives_its_numbers_as_json(server: Server) -> None:
    path = "/validation_results/scenario_impact.json?_shape=array"
    rows = json.loads(
        server.get(f"{path}&baseline=null&scenario=scale_up&label=Healthy+Years+Lived")
    )
    people = {code: sum(map(ord, code)) / 7 for code in ("KEN", "NAM", "TZA", "UGA")}
    for row in rows:
        expected = people[row["country"]] * (25 + 26 + 27) * 0.09
        assert row["difference"] == pytest.approx(expected, rel=1e-9)
    assert [row["country"] for row in rows] == list(people)


def test_tables_are_described_and_the_style_is_served(server: Server) -> None:
    page = server.get("/validation_results/validation_runs")
    assert "One row for each" in page
    assert "/static/ingest.css" in page
    assert "tabular-nums" in server.get("/static/ingest.css")


def test_looking_changes_nothing(server: Server) -> None:
    before = hashlib.sha256(server.database.read_bytes()).hexdigest()
    for path in ("/", "/validation_results", "/validation_results/latest_metrics"):
        assert server.get(path)
    assert hashlib.sha256(server.database.read_bytes()).hexdigest() == before
