"""Run every country x scenario of a model and keep every result in one SQLite file."""

from importlib.metadata import PackageNotFoundError, version

from ingest.markers import hookimpl

try:
    __version__ = version("ingest")
except PackageNotFoundError:  # run straight from a source folder that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__", "hookimpl"]
