"""Run every country x scenario of a model and keep every result in one SQLite file.

The flow: study -> planning -> running (executors, analytics) -> database -> changes / questions
-> charts -> browser. docs/architecture.md shows it; what plugins may use is in plugin_api.py.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    """`__version__`, read from the installed package when it is asked for."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ingest")
    except PackageNotFoundError:  # run straight from a source folder that was never installed
        return "0+unknown"
