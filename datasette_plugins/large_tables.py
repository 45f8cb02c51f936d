"""The numbers are shown without being counted first."""

from datasette import hookimpl

from ingest.browser.large_tables import (
    count_without_scan,
    leave_large_references_out,
    uncounted,
)


@hookimpl
def startup(datasette):
    """The databases of the command line are all there by now."""
    for database in datasette.databases.values():
        count_without_scan(database)
        leave_large_references_out(database)


@hookimpl
def asgi_wrapper(datasette):
    """Inside the guard: it only adds an argument."""
    return uncounted
