"""No request but one that reads is accepted, and pages load nothing from elsewhere."""

from datasette import hookimpl

from ingest.browser.security import guard


@hookimpl
def asgi_wrapper(datasette):
    """The outermost layer: what it refuses reaches nothing."""
    return guard
