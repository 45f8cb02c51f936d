"""The numbers are shown without being counted first."""

from datasette import hookimpl

from ingest.browser.large_tables import uncounted


@hookimpl
def asgi_wrapper(datasette):
    """Inside the guard: it only adds an argument."""
    return uncounted
