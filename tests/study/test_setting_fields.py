"""Settings as a plugin's author declares them: what is taken, and what is refused with a reason."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import pytest

from ingest.errors import PluginError
from ingest.study.local_settings import LocalSettings
from ingest.study.setting_fields import FromText, input_values, read_section, setting
from ingest.study.settings import AnalyticsSettings


@dataclass(frozen=True)
class EveryType:
    """Each type that a setting may have."""

    text: str = setting("a", "text")
    number: int = setting(1, "whole number")
    share: float = setting(0.5, "number")
    on: bool = setting(False, "switch")
    names: tuple[str, ...] = setting((), "texts")
    maybe_text: str | None = setting(None, "text or unset")
    maybe_number: Optional[int] = setting(None, "number or unset")  # noqa: UP045
    maybe_names: tuple[str, ...] | None = setting(None, "texts or unset")


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("text", "b", "b"), ("number", 2, 2), ("share", 2, 2.0), ("on", True, True),
        ("names", ["b", "c"], ("b", "c")), ("names", "b", ("b",)),
        ("names", FromText("b, c"), ("b", "c")), ("maybe_text", FromText(""), None),
        ("maybe_text", "b", "b"), ("maybe_number", FromText("2"), 2),
        ("maybe_number", FromText(""), None), ("maybe_names", FromText("b,c"), ("b", "c")),
        ("maybe_names", FromText(""), None),
    ],
)  # fmt: skip
def test_known_types_are_read(key: str, value: object, read: object) -> None:
    section, findings = read_section(EveryType, {key: value}, "x", "ingest.toml")
    assert findings == []
    assert section == dataclasses.replace(EveryType(), **{key: read})


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        (dict, "dict"), (Path, "Path"), (bytes, "bytes"), (complex, "complex"), (object, "object"),
        (list[str], "list[str]"), (dict[str, str], "dict[str, str]"),
        (tuple[float, ...], "tuple[float, ...]"), (tuple[str, str], "tuple[str, str]"),
        (int | str, "int | str"), (int | str | None, "int | str | None"), (Path | None, "Path"),
        (type(None), "NoneType"), (Any, "Any"),
    ],
)  # fmt: skip
def test_other_types_are_refused_with_those_that_are_known(hint: Any, shown: str) -> None:
    section = dataclasses.make_dataclass("Odd", [("folder", hint, setting(None, "a folder"))])
    with pytest.raises(PluginError) as caught:
        read_section(section, {}, "executors.odd", "ingest.toml")
    message = str(caught.value)
    assert re.match(r"\S*\bOdd\.folder: a setting cannot be of type ", message)
    assert shown in message.partition(";")[0]
    assert message.endswith(
        "; use str, int, float, bool or tuple[str, ...], or one of these with | None"
    )
    assert caught.value.exit_code == 2


def test_a_field_that_setting_did_not_make_is_refused() -> None:
    section = dataclasses.make_dataclass("Odd", [("folder", str, "here")])
    with pytest.raises(PluginError, match=r"Odd\.folder must be made by setting\(\)$"):
        read_section(section, {}, "x", "ingest.toml")


def test_a_class_that_is_no_dataclass_is_refused() -> None:
    class Odd:
        """Not a dataclass."""

    with pytest.raises(
        PluginError, match=r"Odd must be a dataclass whose fields setting\(\) makes"
    ):
        read_section(Odd, {}, "x", "ingest.toml")


# --- which settings decide numbers ---------------------------------------------------------------

NO_INPUTS = {"source", "url", "concurrency", "pause_s", "lag_s", "incomplete"}


def test_every_setting_of_analytics_is_an_input_or_known_to_be_none() -> None:
    """A new one has to be named here or marked with is_input where it is declared."""
    fields = set(AnalyticsSettings.__dataclass_fields__)
    assert set(input_values(AnalyticsSettings(), asks_query=True)) == fields - NO_INPUTS
    assert input_values(AnalyticsSettings()) == {"element_labels": (), "on_bad_rows": "fail"}


def test_how_the_model_is_called_is_an_input() -> None:
    assert list(input_values(LocalSettings())) == ["entry_point", "command"]
    assert set(LocalSettings.__dataclass_fields__) == {
        "entry_point", "command", "workers", "pass_variables",
    }  # fmt: skip
