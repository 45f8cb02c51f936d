"""Each mark in each of its forms against a whole specification in golden/*.json.

Where a chart is meant to change, write them again and read the difference before you commit it:

    GOLDEN=write pytest tests/charts/test_golden.py
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from ingest.charts import style
from ingest.charts.change_chart import change_chart
from ingest.charts.question_charts import DRAWINGS, draw_chart
from ingest.charts.small_multiples import draw_differences, draw_values
from ingest.charts.style import Spec, message_chart, scenario_colours
from ingest.questions.files import COUNT, YEARS, Chart
from ingest.questions.marks import MARKS
from tests.conftest import PROJECT
from tests.differences import change, difference

GOLDEN = Path(__file__).parent / "golden"
SHAPES = {"url": "/static/world-110m.json", "format": {"type": "topojson"}}
COLOURS = scenario_colours(["null", "low", "high"])
SERIES = {
    "null": [(2025, 1.0), (2026, 2.0)],
    "low": [(2025, 1.5), (2026, 2.5)],
    "high": [(2026, 9.0)],
}


def drawn(mark: str, encoding: dict[str, Any], columns: str, *rows: Any, **more: Any) -> Spec:
    return draw_chart("What?", Chart(mark, encoding), columns.split(), rows, "Kenya", **more)


LEVELS = {"x": "timestamp_year", "y": ["baseline_value", "scenario_value"]}
TREND = {"x": "timestamp_year", "y": "value", "color": "name"}
POINTS = {"x": "published", "y": "model", "name": "name"}

CASES: dict[str, Spec] = {
    "bar": drawn(
        "bar", {"x": "difference", "y": ["name", "scenario"]}, "name scenario difference percent",
        ("Kenya", "low", 1.5e6, 2.5), ("Uganda", "low", -20.0, None), ("Chad", "low", None, None),
        colours={"difference": COLOURS["low"]},
    ),
    "bar_better": drawn(
        "bar", {"x": "difference", "y": "name"}, "name difference percent",
        ("Kenya", -1.5e6, -2.5), ("Uganda", 20.0, 0.1), better="lower",
    ),
    "bar_many": drawn(
        "bar", {"x": "percent", "y": "name"}, "name percent",
        *((f"Land {n}", n / 4) for n in range(1, 33)),
    ),
    "bar_groups": drawn(
        "bar", {"x": "difference", "y": "group_1", "color": "group_2"},
        "group_1 group_2 difference percent",
        ("East", "A", 1.0, 10.0), ("East", "B", 2.0, 20.0), ("South", "A", 4.0, 40.0),
    ),
    "bar_stacked": drawn(
        "bar", {"x": ["successful_jobs", "failed_jobs"], "y": "run_id"},
        "run_id successful_jobs failed_jobs", (2, 5, 1), (1, 4, 0),
    ),
    "bar_count": drawn(
        "bar", {"x": COUNT, "y": "error_kind"}, "error_kind", ("timeout",), ("model",), ("model",),
        (None,),
    ),
    "bar_scenarios": drawn(
        "bar", {"x": "value", "y": "scenario"}, "scenario value",
        ("null", 1.0), ("low", 3.0), ("high", 2.0), colours=COLOURS,
    ),
    "line": drawn(
        "line", LEVELS, "timestamp_year baseline_value scenario_value",
        *((2025 + n, 1.0 * n, 2.5 * n - 3) for n in range(10)),
        names={"baseline_value": "null", "scenario_value": "high"}, colours=COLOURS,
    ),
    "line_single": drawn(
        "line", {"x": "run_id", "y": "value"}, "run_id value",
        (1, 5.0), (2, 5.5), (3, 5.75), (4, None),
    ),
    "line_many": drawn(
        "line", TREND, "timestamp_year name value",
        *((2025 + n, f"Land {m}", 10.0 * m + n) for m in range(10) for n in range(2)),
    ),
    "line_years": drawn(
        "line", {"x": YEARS, "y": "value", "color": ["scenario", "element_label"]},
        "country scenario element_label 2025 2026",
        ("KEN", "null", "DALYs", 1.0, 2.0), ("KEN", "low", "DALYs", 3.0, 2.01),
        ("KEN", "high", "DALYs", 4.0, None),
    ),
    "map": drawn(
        "map", {"country": "country", "value": "percent"}, "country name percent difference",
        ("KEN", "Kenya", 2.0, 10.0), ("FRA", None, -4.0, 1.0), ("SGP", "Singapore", 1.0, 1.0),
        shapes=SHAPES,
    ),
    "map_better": drawn(
        "map", {"country": "country", "value": "percent"}, "country name percent difference",
        ("KEN", "Kenya", -2.0, -10.0), ("FRA", "France", 4.0, 1.0), shapes=SHAPES, better="lower",
    ),
    "point": drawn(
        "point", POINTS, "name published model", ("A", -1.0, 2.0), ("B", 1000.0, 900.0),
    ),
    "point_many": drawn(
        "point", POINTS, "name published model", *((f"L{n}", 2.0**n, 3.0**n) for n in range(13)),
    ),
    "point_intervals": drawn(
        "point", {**POINTS, "low": "low", "high": "high"}, "name published model low high",
        ("A", 5.0, 4.0, 3.0, 6.5), ("B", 2.0, 9.0, None, None),
    ),
    "point_intervals_logarithmic": drawn(
        "point", {**POINTS, "low": "low", "high": "high"}, "name published model low high",
        ("A", 1.0, 2.0, 0.0, 3.0), ("B", 1000.0, 900.0, 800.0, 1200.0),
    ),
    "change": change_chart(
        difference([change("KEN", label="A", after=101.0), change("TZA", label="A", after=103.0),
                    change(label="B", after=90.0), change("KEN", label="C", after=90.0),
                    change("TZA", label="C", after=120.0)])
    ),
    "multiples": draw_values("Lives in Kenya", "people", "null", SERIES, COLOURS) or {},
    "multiples_difference": draw_differences("Lives", "", "null", SERIES, COLOURS) or {},
    "message": message_chart("What?", "No rows."),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_chart_is_the_golden_one(name: str) -> None:
    text = json.dumps(CASES[name], indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    file = GOLDEN / f"{name}.json"
    if os.environ.get("GOLDEN") == "write":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_each_golden_file_has_a_case() -> None:
    assert sorted(file.stem for file in GOLDEN.glob("*.json")) == sorted(CASES)


def test_every_mark_has_a_drawing_and_a_golden_chart() -> None:
    assert list(DRAWINGS) == list(MARKS)
    assert {name.partition("_")[0] for name in CASES} >= set(MARKS)


def test_every_colour_of_a_chart_has_one_for_the_dark_page() -> None:
    script = (PROJECT / "static" / "charts.js").read_text(encoding="utf-8")
    swapped = set(re.findall(r'"(#\w{6})": "#', script))
    grid = style.styled("", "", {})["config"]["axis"]["gridColor"]  # forPage() sets its own
    used = set(re.findall(r"#\w{6}", json.dumps(CASES)))
    assert used - swapped == {grid}
