"""A study whose runs failed, changed and found things, and the real `ingest serve` on it."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest

from tests.conftest import MODEL_CODE, PROJECT, StudyFolder, scenario
from tests.forks import Fork

# Everything that a page could take for markup, or for an end of it.
_HEBREW = "\u05e9\u05dc\u05d5\u05dd"
ODD_TEXT = f"<script>alert(1)</script> \"quoted\" 'single' a -> b & c \N{PARTY POPPER} {_HEBREW}"
ODD_LABEL = f'Cost <b>"net"</b> -> {_HEBREW} \N{PARTY POPPER}'
ODD_SCENARIO = 'odd <i>name "x" & y'

# The tiny model with a label of odd text; Uganda fails when the coverage is 0.5.
SERVED_CODE = f"""{MODEL_CODE}

_plain = simulate


def simulate(document):
    country = document["nodes"][0]["generate_array"]["parameters"]["country"]
    coverage = document["nodes"][1]["generate_array"]["parameters"]["value"]
    if country == "UGA" and coverage == 0.5:
        raise ValueError({ODD_TEXT!r})
    for label, year, value in _plain(document):
        yield label, year, value
        if label == "Population":
            yield {ODD_LABEL!r}, year, -value
"""
RULES = """
[[rules]]
name = "cost is positive"
kind = "bounds"
label = "Cost*"
minimum = 0
severity = "warning"
"""
ECONOMICS = f"""
[economics]
cost = {json.dumps(ODD_LABEL, ensure_ascii=False)}
effect = "Healthy Years Lived"
currency = "US$"
population = "Population"
thresholds = [0.5, "2 x gdp"]
source = {json.dumps(ODD_TEXT, ensure_ascii=False)}
[[economics.benefits]]
name = "social"
effect = "Healthy Years Lived"
value = 3
"""
STUDY = 'name = "tiny"\ncode = ["model.py"]\ncountry_values = "gdp.csv"'


def run_ingest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`ingest ARGUMENTS...` in a study's folder; jobs may fail."""
    command = [sys.executable, "-m", "ingest", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stderr
    return result


INDICATORS = """
[[indicators]]
name = "Years gained"
labels = "Healthy Years Lived"
sense = "gained"
until = [2026, 2027]
"""


def make_served_study(folder: Path) -> StudyFolder:
    """Run 1: eight successes. Run 2: scale_up has another coverage, and fails for Uganda.

    Every run has findings of the rule `cost is positive`. A third scenario has an odd name and
    ran for Kenya alone, in run 3.
    """
    study = StudyFolder(folder)
    study.write_settings(RULES + INDICATORS + ECONOMICS, STUDY)
    (study.root / "gdp.csv").write_text("iso3,gdp\nKEN,20\nUGA,30\nTZA,40\n")
    study.write_model(SERVED_CODE)
    run_ingest(study.root, "run", "--quiet")
    study.write_json("scenarios/scale_up.json", scenario(0.5))
    run_ingest(study.root, "run", "--quiet")
    study.write_json(f"scenarios/{ODD_SCENARIO}.json", scenario(0.3))
    run_ingest(study.root, "run", "--quiet", "--countries", "KEN", "--scenarios", ODD_SCENARIO)
    run_ingest(study.root, "tag", "2", "published")
    return study


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Site:
    """A running `ingest serve`. said: the lines it wrote to stderr so far."""

    process: Fork | subprocess.Popen[bytes]
    port: int
    database: Path
    lines: Queue[str] = field(default_factory=Queue)
    said: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Any request; redirects are not followed."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())

    def get(self, path: str) -> Answer:
        """A page that has to be there."""
        answer = self.request(path)
        assert answer.status == 200, f"{path}: {answer.status} {answer.text[:2000]}"
        return answer

    def checksum(self) -> str:
        return hashlib.sha256(self.database.read_bytes()).hexdigest()

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self.read_lines()
        return code

    def read_lines(self) -> list[str]:
        while True:
            try:
                self.said.append(self.lines.get(timeout=0.2))
            except Empty:
                return self.said


def start_site(
    database: Path,
    *options: str,
    folder: Path | None = None,
    extra: Sequence[str] = (),
    files: int | None = None,
    plain: bool = False,
) -> Site:
    """`ingest serve` on a free port, once it says that it serves.

    files: as many may be open. plain: a new interpreter, no fork of one that has imported all.
    """
    command = ["ingest", "serve", "-d", str(database), "--port", "0"]
    command += [*options, *(["--", *extra] if extra else [])]
    folder = folder or database.parent
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(PROJECT)}
    process: Fork | subprocess.Popen[bytes]
    if plain or any(name.startswith("COVERAGE_PROCESS") for name in os.environ):
        words = [sys.executable, "-m", *command]
        process = subprocess.Popen(words, cwd=folder, env=environment, stderr=subprocess.PIPE)
        assert process.stderr is not None
        errors = os.dup(process.stderr.fileno())
        process.stderr.close()
    else:
        process = Fork("tests.browser.ready", command, folder, environment, files)
        os.close(process.out)
        errors = process.err
    site = Site(process, 0, database)
    threading.Thread(target=_read, args=[site, errors], daemon=True).start()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            line = site.lines.get(timeout=0.2)
        except Empty:
            assert process.poll() is None, f"ended: {site.said}"
            continue
        site.said.append(line)
        found = re.search(r"Serving .* at https?://[^ ]*:(\d+)", line)
        if found:
            site.port = int(found[1])
            return site
    process.kill()
    pytest.fail(f"ingest serve did not begin within 120 s: {site.said}")


def _read(site: Site, errors: int) -> None:
    with os.fdopen(errors) as lines:
        for line in lines:
            site.lines.put(line.rstrip("\n"))
