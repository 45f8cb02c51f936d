"""What a study consists of and calls things: countries, scenarios and labels as rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ingest.findings import Finding, warning
from ingest.study.country import Country
from ingest.study.label import Label
from ingest.study.scenario import Scenario
from ingest.text.names import look_alikes

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


def look_alike_findings(rows: Mapping[str, Rows]) -> Iterator[Finding]:
    """A warning for each group of names that a reader or a file system takes for one.

    rows: as of study_rows(). Scenarios, labels and the groups of countries are looked at.
    """
    places = {row["name"]: row["file"] for row in rows["scenarios"]}
    names = {"scenarios": list(places), "labels": [row["element_label"] for row in rows["labels"]]}
    for row in rows["countries"]:
        for grouping, group in row.items():
            if grouping not in ("iso3", "name"):
                names.setdefault(f"groups of {grouping}", []).append(group)
    for what, known in names.items():
        for alike in look_alikes(known):
            shown = " and ".join(
                ascii(name) + (f" ({places[name]!a})" if what == "scenarios" else "")
                for name in alike
            )
            message = f"{what} that look alike, and are one on some systems: {shown}. Rename one"
            yield warning("look-alike", "", message)
