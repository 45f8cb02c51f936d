"""What a study consists of and calls things: countries, scenarios and labels as rows."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.study.country import Country
from ingest.study.label import Label
from ingest.study.scenario import Scenario

Rows = list[dict[str, str]]
KEYS = {"countries": "iso3", "scenarios": "name", "labels": "element_label"}
"""Each list with the column that names its entries."""
_SCENARIO = ("name", "label", "description", "file")


def study_rows(
    countries: Sequence[Country], scenarios: Sequence[Scenario], labels: Sequence[Label] = ()
) -> dict[str, Rows]:
    """The rows of each list of KEYS."""
    return {
        "countries": [{"iso3": c.iso3, "name": c.name, **c.groups} for c in countries],
        "scenarios": [{name: getattr(s, name) for name in _SCENARIO} for s in scenarios],
        "labels": [vars(label) for label in labels],
    }
