from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ingest.database import ValidationDatabase
from ingest.questions.results_query import ResultsQuery
from tests.conftest import PROJECT
from tests.questions.test_canned_queries import LABEL, store_run

pytestmark = pytest.mark.slow


def test_the_example_in_the_docs_finds_the_parameter_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ValidationDatabase(tmp_path / "results.db").writing() as database:
        store_run(database, {
            ("NAM", "low_incidence"): (1.0, 2.0, 3.0), ("NAM", "high_incidence"): (3.0, 6.0, 9.0),
            ("KEN", "low_incidence"): (2.0, 2.0, 2.0), ("KEN", "high_incidence"): (6.0, 4.0, 2.0),
        })  # fmt: skip
    # a quarter of the way everywhere, but one value that is 1 higher; 2040 has no result
    rows = [("NAM", 2025, 1.5), ("NAM", 2026, 3.0), ("KEN", 2025, 4.0), ("NAM", 2040, 9.0)]
    lines = [f"{country},{year},{LABEL},{value}" for country, year, value in rows]
    Path("gbd.csv").write_text("\n".join(["iso3,year,label,value", *lines, "KEN,2025,Other,"]))
    docs = (PROJECT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    found = re.search(r"## Calibration\n.*?```python\n(.*?)```", docs, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {"results": ResultsQuery("results.db")}
    exec(found[1].replace("Asthma Deaths", LABEL), names)
    # least squares: sum of slope * (observed - low) / sum of slope^2
    slopes, rests = (2.0, 4.0, 4.0), (0.5, 1.0, 2.0)
    closed = sum(a * b for a, b in zip(slopes, rests, strict=True)) / sum(a * a for a in slopes)
    assert names["best"] == pytest.approx(closed, abs=0.0005)
    errors = [names["best"] * a - b for a, b in zip(slopes, rests, strict=True)]
    expected = (sum(error * error for error in errors) / 3) ** 0.5
    assert names["rmse"](names["best"]) == pytest.approx(expected, rel=1e-12)
