"""What base.py promises of every analytics source. A new one is added to SETTINGS, nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ingest.analytics.sources.base import AnalyticsSource
from ingest.findings import Finding
from ingest.plugins.manager import find_analytics_source, load_plugins
from ingest.study.setting_fields import read_section, section_fields
from tests.conftest import PROJECT
from tests.executors.drive import make_context

# name -> settings of its own: a first one, one that decides another result, one that does not
SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "analytics-api": ({}, {}, {}),
    "s3": (
        {"location": "s3://bucket/a/{ulid}.csv"},
        {"location": "s3://bucket/b/{ulid}.csv"},
        {"location": "s3://other/a/{ulid}.csv", "region": "eu-west-1"},
    ),
    "folder": ({"path": "results"}, {"path": "others"}, {}),
}


@pytest.fixture(params=SETTINGS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> type[AnalyticsSource]:
    """Each source that comes along, and the one that docs/plugins.md holds as an example."""
    blocks = re.findall(r"```python\n(.*?)```", (PROJECT / "docs/plugins.md").read_text(), re.S)
    (code,) = [block for block in blocks if "class FolderSource" in block]
    (tmp_path / "folder.py").write_text(code)
    return find_analytics_source(load_plugins(tmp_path), request.param)


def identity(source: type[AnalyticsSource], raw: Mapping[str, Any]) -> dict[str, Any]:
    settings, findings = read_section(source.Settings, raw, f"analytics.{source.name}", "x")
    assert findings == []
    return dict(source.identity(settings))


def test_every_source_that_comes_along_is_held_to_the_contract() -> None:
    offered = load_plugins().hook.ingest_register_analytics_sources()
    assert {cls.name for group in offered for cls in group} < SETTINGS.keys()


def test_identity_changes_with_what_decides_a_result_alone(source: type[AnalyticsSource]) -> None:
    first, other, same = SETTINGS[source.name]
    assert identity(source, first) == identity(source, first)
    assert (identity(source, first) != identity(source, other)) is (first != other)
    assert identity(source, first | same) == identity(source, first)


def test_identity_names_the_source_unless_a_query_does(source: type[AnalyticsSource]) -> None:
    assert identity(source, {}).get("source", source.name) == source.name
    assert ("source" in identity(source, {})) is not source.asks_query


def test_settings_can_be_read_from_an_empty_section_and_are_documented(
    source: type[AnalyticsSource],
) -> None:
    settings, findings = read_section(source.Settings, {}, "x", "y")
    assert (settings, findings) == (source.Settings(), [])
    assert all(field.metadata["doc"] for field, _ in section_fields(source.Settings))


def test_check_answers_with_findings(source: type[AnalyticsSource], tmp_path: Path) -> None:
    findings = list(source.check(source.Settings(), make_context(tmp_path)))
    assert all(isinstance(finding, Finding) for finding in findings)
