"""What a process imports before it is `ingest serve`."""

from __future__ import annotations

import importlib

MODULES = (
    *("datasette.cli", "uvicorn", "uvicorn.protocols.http.h11_impl", "uvicorn.lifespan.on"),
    *("ingest.cli", "ingest.commands.serve", "ingest.browser.pages.routes"),
    *("ingest.browser.files.renderers", "ingest.browser.questions.routes"),
)


def get_ready() -> None:
    """Import them; a site is an interpreter of its own from there on."""
    for module in MODULES:
        importlib.import_module(module)
