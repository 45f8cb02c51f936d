from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from ingest.browser.files import vega_bundle as module
from ingest.browser.files.vega_bundle import bundle_version, vega_bundle, vega_url
from ingest.errors import ConfigError
from ingest.text.installation import not_installed

vl_convert = pytest.importorskip("vl_convert")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of this test's own, and nothing remembered from another test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    vega_bundle.cache_clear()
    return tmp_path / "ingest"


def test_the_script_is_made_once_and_kept_by_version(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = vega_bundle()
    assert b"vegaEmbed" in made
    (kept,) = cache.iterdir()
    assert kept.name == f"vega-{bundle_version()}.js"
    assert kept.read_bytes() == made
    vega_bundle.cache_clear()
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda: pytest.fail("made again"))
    assert vega_bundle() == made


def test_without_a_place_to_keep_it_the_script_is_made_nevertheless(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("a file where the folder should be")
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda: "script")
    assert vega_bundle() == b"script"
    assert cache.read_text() == "a file where the folder should be"


def test_the_cache_lies_in_the_home_folder_where_nothing_else_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert module.cache_folder() == tmp_path / ".cache" / "ingest"


def test_without_vl_convert_the_hint_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(ConfigError) as caught:
        vega_bundle()
    assert str(caught.value) == not_installed("vl-convert-python", "charts")
    assert vega_url("/") == "/-/ingest/vega.js"
