"""[executors.local]: how the study's model is called, wherever it runs."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.study.setting_fields import setting

MODEL_SECTION = "local"
"""The section of [executors] that says how the model is called; the default executor's."""


@dataclass(frozen=True)
class LocalSettings:
    """[executors.local]: the study's model on this machine."""

    entry_point: str | None = setting(
        None,
        'the model as "module:function"; gets the document, yields (label, year, value)',
        is_input=True,
    )
    command: tuple[str, ...] = setting(
        (),
        "the model as a program and arguments with {document} and {result} for the files",
        is_input=True,
    )
    workers: int = setting(0, "worker processes; 0 stands for one a core", minimum=0)
    pass_variables: tuple[str, ...] = setting(
        (),
        "variables that the model gets though they begin with AWS_ or INGEST_; * is any ending",
    )
