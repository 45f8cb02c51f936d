from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from ingest.charts.change_chart import change_chart
from ingest.charts.pictures import render_html, render_png, render_svg
from ingest.charts.question_charts import draw_chart
from ingest.charts.style import GREY, PALETTE, as_json, scenario_colours
from ingest.errors import ConfigError
from ingest.questions.files import COUNT, YEARS, Chart
from ingest.text.installation import not_installed
from tests.differences import change, difference

TITLE = "What is the impact?"


def drawn(chart: Chart, columns: list[str], rows: list[Any], **more: Any) -> dict[str, Any]:
    """A chart of these rows; that it can be drawn is held too."""
    spec = draw_chart(TITLE, chart, columns, rows, **more)
    assert render_svg(spec).startswith("<svg")
    return spec


def layer(spec: dict[str, Any], mark: str) -> dict[str, Any]:
    return next(found for found in spec["layer"] if found["mark"]["type"] == mark)


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
    assert "the 20 largest of 25 labels" in " ".join(spec["title"]["subtitle"])


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


LEVELS = ["timestamp_year", "baseline_value", "scenario_value"]


def test_columns_of_one_channel_become_series_and_the_baseline_is_grey() -> None:
    chart = Chart("line", {"x": "timestamp_year", "y": ["baseline_value", "scenario_value"]})
    rows = [(2025, 1.0, 2.0), (2026, 2.0, 4.5e6)]
    spec = draw_chart(TITLE, chart, LEVELS, rows, "KEN", {"baseline_value": "null"})
    assert layer(spec, "line")["encoding"]["color"]["scale"] == {
        "domain": ["null", "scenario value"],
        "range": [GREY, PALETTE[0]],
    }
    svg = render_svg(spec)
    for text in ("What is the impact?", "KEN", "null", "scenario value", "4 M", "2025"):
        assert f">{text}<" in svg, text


def test_a_scenario_keeps_its_colour_and_the_baseline_is_grey() -> None:
    colours = scenario_colours(["b", "null", "a", "baseline"])
    assert colours == {"null": GREY, "a": PALETTE[0], "b": PALETTE[1], "baseline": PALETTE[2]}
    assert scenario_colours(["a", "baseline"])["baseline"] == GREY
    assert len(set(scenario_colours(map(str, range(7))).values())) == 7


def test_lines_have_the_colours_of_their_scenarios() -> None:
    chart = Chart("line", {"x": "timestamp_year", "y": ["baseline_value", "scenario_value"]})
    names = {"baseline_value": "null", "scenario_value": "b"}
    colours = scenario_colours(["null", "a", "b"])
    spec = drawn(chart, LEVELS, [(2025, 1, 2), (2026, 2, 3)], names=names, colours=colours)
    assert layer(spec, "line")["encoding"]["color"]["scale"]["range"] == [GREY, PALETTE[1]]


def trend(lands: int) -> list[Any]:
    return [(2025 + i, f"Land {n}", 100.0 * (lands - n) + i) for n in range(lands) for i in (0, 1)]


def test_lines_are_named_at_their_ends_and_no_name_lies_on_another() -> None:
    chart = Chart("line", {"x": "timestamp_year", "y": "value", "color": "name"})
    ends = {"low": 1.0, "A": 100.0, "B": 100.0, "C": 100.0}
    rows = [(year, name, end) for year in (2025, 2026) for name, end in ends.items()]
    spec = drawn(chart, ["timestamp_year", "name", "value"], rows)
    labels = spec["layer"][-1]["data"]["values"]
    assert [label["label"] for label in labels] == list(ends)
    labels = labels[1:]
    low, high = layer(spec, "line")["encoding"]["y"]["scale"]["domain"]
    heights = [label["y"] for label in labels]
    apart = 15 / 320 * (high - low)
    assert heights[1] - heights[0] >= apart * 0.999
    assert heights[2] - heights[1] >= apart * 0.999
    assert low <= min(heights)
    assert max(heights) <= high


def test_of_many_lines_seven_have_a_colour_and_a_name() -> None:
    chart = Chart("line", {"x": "timestamp_year", "y": "value", "color": "name"})
    spec = drawn(chart, ["timestamp_year", "name", "value"], trend(10))
    scale = layer(spec, "line")["encoding"]["color"]["scale"]
    assert scale["range"][:7] == list(PALETTE)
    assert set(scale["range"][7:]) == {"#B4B9C1"}
    assert scale["domain"][0] == "Land 0"
    assert spec["title"]["subtitle"] == "the 7 largest of 10 are named"


def test_hovering_tells_every_series_of_the_year() -> None:
    chart = Chart("line", {"x": "timestamp_year", "y": "value", "color": "name"})
    spec = drawn(chart, ["timestamp_year", "name", "value"], trend(3))
    rule = layer(spec, "rule")
    assert [field["title"] for field in rule["encoding"]["tooltip"]] == [
        "year", "Land 0", "Land 1", "Land 2",
    ]  # fmt: skip
    assert rule["data"]["values"][1] == {
        "x": 2026, "t0": "2026", "t1": "301", "t2": "201", "t3": "101",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["back\\slash", "two\nlines", '\\": datum, "'])
def test_a_name_that_is_no_part_of_an_expression_can_be_drawn(name: str) -> None:
    chart = Chart("line", {"x": "timestamp_year", "y": "value", "color": "name"})
    rows = [(year, name, 1.0) for year in (2025, 2026)]
    spec = drawn(chart, ["timestamp_year", "name", "value"], rows)
    assert layer(spec, "rule")["encoding"]["tooltip"][0]["title"] == "year"


def test_zero_is_shown_where_it_does_not_flatten_the_lines() -> None:
    chart = Chart("line", {"x": "timestamp_year", "y": ["value"]})
    columns = ["timestamp_year", "value"]

    def domain(*values: float) -> list[float]:
        spec = drawn(chart, columns, list(enumerate(values, 2025)))
        found: list[float] = layer(spec, "line")["encoding"]["y"]["scale"]["domain"]
        return found

    assert domain(10, 100)[0] == 0
    assert domain(99, 100)[0] == pytest.approx(98.96)
    assert domain(-100, -10)[1] == 0
    low, high = domain(-5, 5)
    assert low < -5
    assert high > 5
    assert domain(0, 0) == [0, 1.0]


def test_years_as_columns_become_lines() -> None:
    chart = Chart("line", {"x": YEARS, "y": "value", "color": ["scenario", "element_label"]})
    columns = ["country", "scenario", "element_label", "2025", "2026"]
    rows = [("KEN", "null", "DALYs", 1.0, 2.0), ("KEN", "up", "DALYs", 3.0, None)]
    spec = drawn(chart, columns, rows)
    assert spec["data"]["values"] == [
        {"series": "null", "x": 2025, "y": 1.0},
        {"series": "null", "x": 2026, "y": 2.0},
        {"series": "up", "x": 2025, "y": 3.0},
    ]


def test_bars_are_sorted_and_of_many_the_largest_are_shown() -> None:
    chart = Chart("bar", {"x": "difference", "y": "name"})
    rows = [(f"Land {n}", float(n - 20)) for n in range(50)]
    spec = drawn(chart, ["name", "difference"], rows)
    bars = spec["data"]["values"]
    assert len(bars) == 30
    assert [bar["value"] for bar in bars] == sorted((b["value"] for b in bars), reverse=True)
    assert (bars[0]["value"], bars[-1]["value"]) == (29.0, -20.0)
    assert min(abs(bar["value"]) for bar in bars) == 10
    assert bars[-1]["text"] == "−20"
    assert spec["title"]["subtitle"] == "the 30 largest of 50"


def test_bars_below_zero_have_the_longest_first_and_room_for_their_numbers() -> None:
    spec = drawn(Chart("bar", {"x": "v", "y": "n"}), ["n", "v"], [("a", -1.0), ("b", -2.0)])
    assert [bar["name"] for bar in spec["data"]["values"]] == ["b", "a"]
    low, high = spec["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert low < -2
    assert high == 0


def test_rows_are_counted() -> None:
    chart = Chart("bar", {"x": COUNT, "y": "error_kind"})
    rows = [("timeout",), ("model error",), ("model error",), (None,)]
    spec = drawn(chart, ["error_kind"], rows)
    assert [(bar["name"], bar["value"]) for bar in spec["data"]["values"]] == [
        ("model error", 2),
        ("timeout", 1),
        ("(none)", 1),
    ]


def test_several_columns_of_numbers_are_stacked_and_groups_have_a_legend() -> None:
    chart = Chart("bar", {"x": ["successful_jobs", "failed_jobs"], "y": "run_id"})
    spec = drawn(chart, ["run_id", "successful_jobs", "failed_jobs"], [(2, 5, 1), (1, 4, 0)])
    colour = spec["layer"][0]["encoding"]["color"]
    assert colour["scale"]["domain"] == ["successful jobs", "failed jobs"]
    assert [bar["name"] for bar in spec["data"]["values"]] == ["2", "2", "1", "1"]
    chart = Chart("bar", {"x": "difference", "y": "group_1", "color": "group_2"})
    spec = drawn(chart, ["group_1", "group_2", "difference"], [("E", "A", 1.0), ("E", "B", 2.0)])
    assert spec["layer"][0]["encoding"]["color"]["scale"]["domain"] == ["A", "B"]
    spec = drawn(chart, ["group_1", "group_2", "difference"], [("E", None, 1.0)])
    assert "value" in spec["layer"][0]["encoding"]["color"], "without groups there is no legend"


def test_a_bar_without_a_group_has_its_numbers_under_their_titles() -> None:
    chart = Chart("bar", {"x": "difference", "y": "name", "color": "group"})
    rows = [("A", "East", 1.0, 10.0), ("B", None, 2.0, 20.0)]
    spec = drawn(chart, ["name", "group", "difference", "percent"], rows)
    titles = [field["title"] for field in spec["layer"][0]["encoding"]["tooltip"]]
    assert titles == ["name", "group", "difference", "percent"]
    texts = [[bar[f"t{n}"] for n in range(4)] for bar in spec["data"]["values"]]
    assert texts == [["A", "East", "1", "10"], ["B", "", "2", "20"]]


def test_what_all_bars_have_in_common_stands_in_the_subtitle() -> None:
    chart = Chart("bar", {"x": "percent", "y": ["name", "scenario"]})
    spec = drawn(chart, ["name", "scenario", "percent"], [("A", "up", 1.0), ("B", "up", 2.0)])
    assert [bar["name"] for bar in spec["data"]["values"]] == ["B", "A"]
    assert spec["title"]["subtitle"] == "up"


def test_points_stand_against_the_line_on_which_both_are_equal() -> None:
    chart = Chart("point", {"x": "reference_value", "y": "model_value", "name": "name"})
    columns = ["name", "reference_value", "model_value"]
    spec = drawn(chart, columns, [("A", 1.0, 2.0), ("B", 1000.0, 900.0)])
    assert spec["layer"][1]["encoding"]["x"]["scale"]["type"] == "log"
    spec = drawn(chart, columns, [("A", -1.0, 2.0), ("B", 1000.0, 900.0)])
    assert "type" not in spec["layer"][1]["encoding"]["x"]["scale"]


def test_the_map_is_joined_by_numeric_codes_and_its_colours_are_centred_on_zero() -> None:
    chart = Chart("map", {"country": "country", "value": "percent"})
    rows = [("KEN", "Kenya", 2.0, 10.0), ("FRA", "France", -4.0, 1.0), ("SGP", "Singapore", 1, 1)]
    rows.append(("XKX", "Kosovo", 3, 3))
    spec = drawn(chart, ["country", "name", "percent", "difference"], rows)
    coloured = spec["layer"][1]
    values = coloured["transform"][0]["from"]["data"]["values"]
    assert values[0] == {"id": "404", "value": 2.0, "t0": "Kenya", "t1": "2", "t2": "10"}
    assert coloured["encoding"]["color"]["scale"]["domain"] == [-4.0, 4.0]
    assert spec["title"]["subtitle"] == "grey: no data; too small to be seen: SGP, XKX"
    svg = render_svg(spec)
    assert 'aria-roledescription="geoshape"' in svg


def test_a_map_on_a_page_fetches_its_outlines_and_nothing_else() -> None:
    chart = Chart("map", {"country": "country", "value": "percent"})
    shapes = {"url": "/static/world-110m.json", "format": {"type": "topojson"}}
    spec = draw_chart(TITLE, chart, ["country", "percent"], [("KEN", 1.0)], shapes=shapes)
    assert spec["data"] == shapes
    assert len(as_json(spec)) < 5000


HOSTILE = "<script>alert(1)</script> & \"q\" 'x' -> [0].a \N{PILE OF POO} \N{HEBREW LETTER ALEF}"


@pytest.mark.parametrize(
    "chart",
    [
        Chart("line", {"x": "year", "y": "value", "color": "name"}),
        Chart("bar", {"x": "value", "y": "name"}),
        Chart("point", {"x": "year", "y": "value", "name": "name"}),
    ],
    ids=lambda chart: chart.mark,
)
def test_hostile_texts_are_text_in_every_chart(chart: Chart) -> None:
    rows = [(2025, HOSTILE, 1.0), (2026, HOSTILE, 2.0), (2026, "other", 2.0)]
    spec = draw_chart(TITLE, chart, ["year", "name", "value"], rows, HOSTILE)
    svg = render_svg(spec)
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg
    element = as_json(spec)
    assert not set("<>&") & set(element)
    assert json.loads(element) == spec


def test_a_column_named_like_a_path_is_taken_literally() -> None:
    chart = Chart("bar", {"x": "it's", "y": "a.b[0]"})
    svg = render_svg(draw_chart(TITLE, chart, ["a.b[0]", "it's"], [("Kenya", 5)]))
    assert ">Kenya<" in svg


def test_a_number_that_is_none_is_left_out() -> None:
    chart = Chart("line", {"x": "timestamp_year", "y": ["value"]})
    rows = [(2025, 1.0), (2026, float("inf")), (2027, None), (2028, 3.0)]
    spec = drawn(chart, ["timestamp_year", "value"], rows)
    assert [value["x"] for value in spec["data"]["values"]] == [2025, 2028]


@pytest.mark.parametrize(
    ("rows", "text"),
    [([], "No rows. Are country"), ([("KEN", None)], "No numbers in these rows to draw")],
)
def test_a_chart_without_numbers_says_why(rows: list[Any], text: str) -> None:
    spec = draw_chart(TITLE, Chart("bar", {"x": "value", "y": "name"}), ["name", "value"], rows)
    assert text in render_svg(spec)


def test_a_mark_that_nothing_draws_is_an_error() -> None:
    with pytest.raises(KeyError, match="pie"):
        draw_chart(TITLE, Chart("pie", {"x": "value"}), ["value"], [(1,)])


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
    assert str(error.value) == not_installed("vl-convert-python", "charts")
