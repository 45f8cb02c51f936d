"""The numbers are shown without being counted first."""

from datasette import hookimpl

from ingest.browser.tables.large_tables import (
    can_be_sorted,
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


@hookimpl
def extra_template_vars(request, table):
    """What templates/table.html asks before it offers to sort."""
    return {"can_be_sorted": request is None or table is None or can_be_sorted(request, table)}
