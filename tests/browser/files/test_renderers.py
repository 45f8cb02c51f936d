"""Charts of questions as files: .vl.json, .png and .svg, in the real server."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import pytest

from ingest.browser.files.drawing import DrawingProcess
from ingest.charts.style import message_chart
from ingest.errors import ConfigError
from ingest.questions.catalogue import load_canned_queries
from tests.browser.files.test_whole_csv import ROWS, get, own
from tests.browser.site import ODD_LABEL, ODD_SCENARIO, Answer, Site, run_ingest, start_site
from tests.conftest import StudyFolder

__all__ = ["own"]  # the fixture

QUERIES = load_canned_queries()
CHARTS = [(name, chart.anchor) for name, query in QUERIES.items() for chart in query.charts]
WITHOUT = [name for name, query in QUERIES.items() if not query.charts]
QUESTION = "/validation_results/compare_scenarios"
SVG = "{http://www.w3.org/2000/svg}"


def png_size(picture: bytes) -> tuple[int, int]:
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert picture[12:16] == b"IHDR"
    return struct.unpack(">II", picture[16:24])


def svg_words(answer: Answer) -> str:
    """All text of a picture, on one line."""
    root = ElementTree.fromstring(answer.body)
    assert root.tag == f"{SVG}svg"
    return " ".join(" ".join(text.itertext()) for text in root.iter(f"{SVG}text"))


def words_of(spec: dict[str, Any]) -> list[str]:
    """The lines of a specification's title and subtitle."""
    parts = (spec["title"]["text"], spec["title"].get("subtitle", []))
    return [line for part in parts for line in (part if isinstance(part, list) else [part])]


# --- every chart ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "anchor"), CHARTS)
def test_every_chart_of_every_question_is_a_file(site: Site, name: str, anchor: str) -> None:
    files = {
        ending: site.get(f"/validation_results/{name}.{ending}?_chart={anchor}")
        for ending in ("vl.json", "png", "svg")
    }
    spec = files["vl.json"].json()
    assert " ".join(words_of(spec)).startswith(QUERIES[name].title)
    assert QUERIES[name].title in svg_words(files["svg"])
    root = ElementTree.fromstring(files["svg"].body)
    size = tuple(2 * round(float(root.attrib[side])) for side in ("width", "height"))
    assert png_size(files["png"].body) == pytest.approx(size, abs=2)
    assert {ending: answer.headers["content-type"] for ending, answer in files.items()} == {
        "vl.json": "application/json; charset=utf-8", "png": "image/png", "svg": "image/svg+xml",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "anchor"), CHARTS)
def test_a_specification_holds_all_that_it_needs(site: Site, name: str, anchor: str) -> None:
    text = site.get(f"/validation_results/{name}.vl.json?_chart={anchor}").text
    assert '"url"' not in text
    assert '"values"' in text


def test_a_page_links_only_the_files_of_its_charts(site: Site) -> None:
    page = site.get(QUESTION).text
    for ending in ("png", "svg", "vl.json"):
        assert f'href="{QUESTION}.{ending}?' in page


@pytest.mark.parametrize("name", ["job_results", *WITHOUT])
def test_what_has_no_chart_has_no_picture(site: Site, name: str) -> None:
    answer = site.request(f"/validation_results/{name}.png")
    assert answer.status == 404
    assert answer.json()["error"] == (
        "there is no .png of this; charts are of questions that have one"
    )
    assert ".png" not in site.get(f"/validation_results/{name}").text


# --- what they show ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("compare_scenarios", {"country": "UGA", "scenario": "scale_up", "run": "1"}),
        ("compare_scenarios", {"country": "KEN", "scenario": ODD_SCENARIO, "label": ODD_LABEL}),
        ("reference_against_model", {}),
    ],
)
def test_it_is_the_specification_that_a_terminal_gives(
    site: Site, served_study: StudyFolder, name: str, values: dict[str, str]
) -> None:
    parameters = [part for pair in values.items() for part in ("-p", "=".join(pair))]
    printed = run_ingest(served_study.root, "chart", name, *parameters).stdout
    assert site.get(f"/validation_results/{name}.vl.json?{urlencode(values)}").text == printed


def test_it_says_where_its_numbers_come_from(site: Site) -> None:
    spec = site.get(f"{QUESTION}.vl.json?run=1").json()
    source = words_of(spec)[-1]
    assert source.startswith("Source: run 1, no commit, ")
    page = site.get(f"{QUESTION}?run=1").text
    assert source.removeprefix("Source: ") in page
    assert source in svg_words(site.get(f"{QUESTION}.svg?run=1"))
    outlines = site.get("/validation_results/scenario_impact.vl.json?_chart=map").json()
    assert words_of(outlines)[-1].endswith("; outlines: Natural Earth")


def test_odd_texts_stay_texts(site: Site) -> None:
    asked = urlencode({"country": "KEN", "scenario": ODD_SCENARIO, "label": ODD_LABEL})
    answer = site.get(f"{QUESTION}.svg?{asked}")
    words = svg_words(answer)
    assert ODD_LABEL in words
    assert ODD_SCENARIO in words
    elements = {
        element.tag.removeprefix(SVG) for element in ElementTree.fromstring(answer.body).iter()
    }
    assert not elements & {"script", "b", "i", "a", "image", "foreignObject"}
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'"
    )


def test_an_answer_without_rows_is_a_picture_that_says_so(own: Site) -> None:
    words = svg_words(get(own, "/nothing.svg"))
    assert "No rows." in words
    assert words.endswith("Nothing")
    assert png_size(get(own, "/nothing.png").body)


def test_a_picture_is_of_every_row_where_the_page_is_cut(own: Site) -> None:
    assert "Only the first 10,000 rows are shown" in get(own, "/many").text
    spec = get(own, "/many.vl.json").json()
    assert len(spec["data"]["values"]) == ROWS
    rates = get(own, "/many_rates.vl.json?discount_rate=3").json()["data"]["values"]
    assert {row["y"] for row in rates if "y" in row} == {0.03}


def test_more_rows_than_can_be_drawn_are_refused(own: Site) -> None:
    answer = get(own, "/too_many.png")
    assert (answer.status, answer.json()["error"]) == (
        400,
        "there are more than 100,000 rows, too many for a chart; choose less",
    )


# --- asking --------------------------------------------------------------------------------------


def test_a_chart_is_chosen_by_its_name(site: Site) -> None:
    first, second = (chart.anchor for chart in QUERIES["compare_scenarios"].charts[:2])
    bare = site.get(f"{QUESTION}.vl.json")
    assert site.get(f"{QUESTION}.vl.json?_chart={first}").body == bare.body
    other = site.get(f"{QUESTION}.vl.json?_chart={second}")
    assert other.body != bare.body
    assert bare.headers["content-disposition"] == 'inline; filename="compare_scenarios.vl.json"'
    assert other.headers["content-disposition"] == (
        f'inline; filename="compare_scenarios-{second}.vl.json"'
    )


@pytest.mark.parametrize("ending", ["png", "svg", "vl.json"])
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("country=KEM", "country: there is no 'KEM'. Did you mean KEN?"),
        ("_chart=diference",
         "_chart: compare_scenarios has no chart 'diference'. Did you mean difference?"),
        ("_chart=nix", "_chart: compare_scenarios has no chart 'nix'. It has "
         + ", ".join(chart.anchor for chart in QUERIES["compare_scenarios"].charts)),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly_is_a_clear_400(
    site: Site, ending: str, asked: str, message: str
) -> None:
    answer = site.request(f"{QUESTION}.{ending}?{asked}")
    assert (answer.status, answer.json()["error"]) == (400, message)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("ending", ["png", "svg", "vl.json"])
def test_sql_that_fails_is_a_400(own: Site, ending: str) -> None:
    (own.database.parent / "canned_queries" / "broken.sql").write_text(
        "/*\n---\ntitle: B\ndescription: B\nchart: {mark: point, x: n, y: n}\n"
        "columns: {n: N}\n---\n*/\nSELECT abs(-9223372036854775807 - 1) AS n"
    )
    answer = get(own, f"/broken.{ending}")
    assert (answer.status, answer.json()["error"]) == (400, "SQL: integer overflow")


@pytest.mark.parametrize("ending", ["png", "svg", "vl.json"])
def test_head_has_the_headers_and_no_body(site: Site, ending: str) -> None:
    answer = site.request(f"{QUESTION}.{ending}", "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    wanted = site.get(f"{QUESTION}.{ending}").headers
    for name in ("content-type", "content-disposition"):
        assert answer.headers[name] == wanted[name]


def test_pages_of_other_sites_may_show_it_where_that_is_allowed(own: Site, site: Site) -> None:
    for ending in ("png", "vl.json"):
        assert get(own, f"/nothing.{ending}").headers["access-control-allow-origin"] == "*"
        headers = site.get(f"{QUESTION}.{ending}").headers
        assert "access-control-allow-origin" not in headers


def test_other_requests_are_answered_while_a_picture_is_drawn(own: Site) -> None:
    get(own, "/nothing.png")  # so that the process runs
    drawn = threading.Event()

    def draw() -> None:
        assert png_size(get(own, "/points.png").body)
        drawn.set()

    begin = time.monotonic()
    thread = threading.Thread(target=draw)
    thread.start()
    waits = []
    while not drawn.is_set():
        asked = time.monotonic()
        assert get(own, "/nothing.json").status == 200
        waits.append(time.monotonic() - asked)
    thread.join()
    assert max(waits) < (time.monotonic() - begin) / 2


# --- links to pages ------------------------------------------------------------------------------


def metadata(page: Answer) -> dict[str, str]:
    found = re.findall(r'<meta property="og:(\w+)" content="([^"]*)">', page.text)
    return {name: unescape(text) for name, text in found}


def test_a_link_to_a_page_shows_title_answer_and_picture(site: Site) -> None:
    asked = urlencode({"country": "KEN", "scenario": ODD_SCENARIO, "label": ODD_LABEL})
    shown = metadata(site.get(f"{QUESTION}?{asked}"))
    assert shown["title"] == QUERIES["compare_scenarios"].title
    assert ODD_LABEL in shown["description"]
    assert shown["image"].startswith(f"{site.url}{QUESTION}.png?")
    path = urlsplit(shown["image"])
    assert png_size(site.get(f"{path.path}?{path.query}").body)


def test_the_picture_of_a_link_has_the_address_that_others_see(own: Site) -> None:
    answer = own.request("/results/validation_results/many", Host="results.example.org")
    assert metadata(answer)["image"].startswith(
        "http://results.example.org/results/validation_results/many.png"
    )
    assert "image" not in metadata(get(own, "/nothing"))


def test_it_is_https_where_the_server_says_so(served_study: StudyFolder) -> None:
    with served(served_study.database, "--setting", "force_https_urls", "on") as secure:
        assert metadata(secure.get(QUESTION))["image"].startswith("https://127.0.0.1:")


@contextmanager
def served(database: Path, *extra: str) -> Iterator[Site]:
    running = start_site(database, "--allow-host", "results.example.org", extra=extra)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


# --- the process that draws ----------------------------------------------------------------------

SPEC = message_chart("Title", "Message")


def test_a_drawing_that_takes_too_long_is_ended_and_the_next_one_works() -> None:
    with closing(DrawingProcess(limit_s=0.01)) as process:
        with pytest.raises(ConfigError, match=r"^the chart was not drawn within 0\.01 s"):
            process.draw("png", SPEC)
        process.limit_s = 60
        assert png_size(process.draw("png", SPEC))


def test_a_process_that_ended_is_started_again() -> None:
    with closing(DrawingProcess()) as process:
        first = process.draw("svg", SPEC)
        process.stop()
        for child in multiprocessing.active_children():
            child.join()
        assert process.draw("svg", SPEC) == first


def test_a_wrong_chart_is_told_and_the_process_goes_on() -> None:
    with closing(DrawingProcess()) as process:
        with pytest.raises(ConfigError, match=r"^the chart cannot be drawn: "):
            process.draw("svg", {"mark": "nix", "data": {"values": []}})
        assert b"Message" in process.draw("svg", SPEC)


def test_a_chart_that_loads_something_is_not_drawn(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text(json.dumps([{"a": "secret"}]))
    spec = {
        "data": {"url": (tmp_path / "secret.json").as_uri()},
        "mark": "text",
        "encoding": {"text": {"field": "a"}},
    }
    with closing(DrawingProcess()) as process:
        try:
            picture = process.draw("svg", spec)
        except ConfigError:
            return
        assert b"secret" not in picture


DRAW_AND_WAIT = """
import multiprocessing
import os
import time
from ingest.browser.files.drawing import DrawingProcess
from ingest.charts.style import message_chart

process = DrawingProcess()
process.draw("svg", message_chart("Title", "Message"))
print(multiprocessing.active_children()[0].pid, flush=True)
time.sleep(600)
"""


def test_the_process_ends_with_its_server_however_that_ends() -> None:
    command = [sys.executable, "-c", DRAW_AND_WAIT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        drawing = int(server.stdout.readline())
        server.kill()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and is_alive(drawing):
        time.sleep(0.05)
    assert not is_alive(drawing)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
