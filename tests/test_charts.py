from __future__ import annotations

import sys
from typing import Any

import pytest

from ingest.canned_queries import CannedQuery, Chart
from ingest.charts import (
    PALETTE,
    change_chart,
    query_chart,
    render_html,
    render_png,
    render_svg,
)
from ingest.errors import ConfigError
from tests.differences import change, difference


def query(chart: Chart | None, unit: str = "") -> CannedQuery:
    return CannedQuery("impact", "What is the impact?", "", unit, (), {}, chart, "SELECT 1")


def marks(spec: dict[str, Any]) -> list[str]:
    return [layer["mark"]["type"] for layer in spec["layer"]]


def test_change_chart_has_a_bar_for_each_label_and_the_largest_first() -> None:
    series = [
        change("KEN", label="A", after=101.0),
        change("TZA", label="A", after=103.0),
        change("KEN", label="B", after=90.0),
        change("KEN", label="From zero", before=0.0),
    ]
    spec = change_chart(difference(series))
    assert marks(spec) == ["rule", "bar", "tick"]
    assert [(v["label"], v["smallest"], v["largest"]) for v in spec["data"]["values"]] == [
        ("B", -0.1, -0.1),
        ("A", 0.01, 0.03),
    ]
    assert spec["title"]["text"] == "What changed from run 6 to run 7"


def test_change_chart_says_how_many_labels_it_leaves_out() -> None:
    series = [change(label=f"Label {n}", after=100.0 + n) for n in range(1, 26)]
    spec = change_chart(difference(series))
    assert len(spec["data"]["values"]) == 20
    assert spec["data"]["values"][0]["label"] == "Label 25"
    assert spec["title"]["subtitle"].endswith("the 20 largest of 25 labels")


def test_change_chart_without_changes_says_so() -> None:
    svg = render_svg(change_chart(difference()))
    assert "Nothing changed between run 6 and run 7" in svg


def test_pictures_are_drawn_without_a_browser() -> None:
    spec = change_chart(difference([change()]))
    assert render_png(spec).startswith(b"\x89PNG")
    svg = render_svg(spec)
    assert svg.startswith("<svg")
    assert "Healthy Years Lived" in svg
    assert "+2 %" in svg


def test_hostile_labels_are_text_in_pictures() -> None:
    svg = render_svg(change_chart(difference([change(label="<script>x</script> [0].a")])))
    assert "<script>" not in svg
    assert "&lt;script&gt;x&lt;/script&gt; [0].a" in svg


def test_a_chart_as_html_carries_its_scripts() -> None:
    html = render_html(change_chart(difference([change()])))
    assert "<script src" not in html
    assert "cdn.jsdelivr" not in html


def test_columns_of_one_channel_become_series_and_the_baseline_is_grey() -> None:
    chart = Chart("line", {"x": "timestamp_year", "y": ["baseline_value", "scenario_value"]})
    rows = [(2025, 1.0, 2.0), (2026, 2.0, 4.5e6)]
    columns = ["timestamp_year", "baseline_value", "scenario_value"]
    spec = query_chart(query(chart), columns, rows, "KEN", {"baseline_value": "null"})
    assert spec["encoding"]["color"]["scale"] == {
        "domain": ["null", "scenario value"],
        "range": ["#5B616A", PALETTE[0]],
    }
    svg = render_svg(spec)
    for text in ("What is the impact?", "KEN", "null", "scenario value", "4 M", "2025"):
        assert f">{text}<" in svg, text


@pytest.mark.parametrize(("rows", "turned"), [(3, False), (30, True)])
def test_bars_of_many_names_lie_on_their_side(rows: int, turned: bool) -> None:
    chart = Chart("bar", {"x": "name", "y": "difference", "color": "group"})
    values = [(f"Land {number}", number, None) for number in range(rows)]
    spec = query_chart(query(chart), ["name", "difference", "group"], values)
    names = spec["encoding"]["y" if turned else "x"]
    assert (names["field"], names["type"], names["sort"]) == ("name", "nominal", None)
    assert "color" not in spec["encoding"], "a column without values has no legend"
    assert render_svg(spec).startswith("<svg")


def test_a_column_named_like_a_path_is_taken_literally() -> None:
    chart = Chart("bar", {"x": "a.b[0]", "y": "it's"})
    svg = render_svg(query_chart(query(chart), ["a.b[0]", "it's"], [("Kenya", 5)]))
    assert ">Kenya<" in svg


@pytest.mark.parametrize(
    ("rows", "text"),
    [([], "No rows. Are country"), ([("KEN", None)], "No numbers in these rows to draw")],
)
def test_a_chart_without_numbers_says_why(rows: list[Any], text: str) -> None:
    spec = query_chart(query(Chart("bar", {"x": "name", "y": "value"})), ["name", "value"], rows)
    assert text in render_svg(spec)


def test_a_query_without_a_chart_is_told() -> None:
    with pytest.raises(ConfigError, match=r"^canned query impact has no chart$"):
        query_chart(query(None), ["a"], [(1,)])


def test_a_chart_that_cannot_be_drawn_is_told() -> None:
    with pytest.raises(ConfigError, match=r"^the chart cannot be drawn: "):
        render_svg({"nonsense": 1})


def test_a_chart_loads_nothing_from_elsewhere() -> None:
    spec = {
        "data": {"url": "http://192.0.2.1/x.json"},
        "mark": "bar",
        "encoding": {"x": {"field": "a", "type": "nominal"}},
    }
    with pytest.raises(ConfigError, match=r"^the chart cannot be drawn: "):
        render_svg(spec)


def test_without_vl_convert_the_hint_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(ConfigError) as error:
        render_svg({})
    assert str(error.value) == "vl-convert is not installed: pip install 'ingest[charts]'"
