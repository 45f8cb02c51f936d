"""Pages, JSON and pictures say where results of different inputs stand side by side."""

from __future__ import annotations

from tests.browser.site import Site

# Run 2 of the served study has another scale_up, which failed for Uganda: its numbers are older.
ASKED = "/validation_results/scenario_impact{}?scenario=scale_up&run={}"


def test_the_page_has_a_box_with_what_differs(site: Site) -> None:
    page = site.get(ASKED.format("", 2)).text
    assert "Mixed inputs: scenario scale_up differ" in page
    box = page.partition("mixed-inputs")[2].partition("</p>")[0]
    assert "consistent=yes" in box
    assert "mixed inputs" in page.partition('class="conditions"')[2].partition("</small>")[0]
    assert "mixed-inputs" not in site.get(ASKED.format("", 1)).text


def test_json_has_mixed_and_the_counts(site: Site) -> None:
    answer = site.get(ASKED.format(".json", 2))
    body = answer.json()
    assert body["mixed"]["differing"] == ["scenario scale_up"]
    sources = {(one["scenario"], *one["runs"]) for one in body["mixed"]["sources"]}
    assert sources == {("null", 1, 1), ("scale_up", 1, 1), ("scale_up", 2, 2)}
    assert body["state"] == {"current": 7, "stale": 0, "failed": 1, "missing": 0, "retired": 0}
    assert answer.headers["ingest-mixed-inputs"] == "scenario scale_up"
    assert site.get(ASKED.format(".json", 1)).json()["mixed"] is None


def test_a_picture_says_it(site: Site) -> None:
    title = site.get(ASKED.format(".vl.json", 2)).json()["title"]
    assert "mixed inputs" in str(title["subtitle"])
    assert "mixed inputs" not in site.get(ASKED.format(".vl.json", 1)).text


def test_the_switch_leaves_out_what_does_not_belong(site: Site) -> None:
    rows = site.get(ASKED.format(".json", 2) + "&_shape=array").json()
    belonging = site.get(ASKED.format(".json", 2) + "&consistent=yes&_shape=array").json()
    assert [row["country"] for row in rows if row not in belonging] == ["UGA"]
    page = site.get(ASKED.format("", 2) + "&consistent=yes").text
    assert "mixed inputs" not in page.partition('class="conditions"')[2].partition("</small>")[0]
