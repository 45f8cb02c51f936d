"""No request but one that reads is accepted, and pages load nothing from elsewhere."""

from datasette import hookimpl

from ingest.browser.server.security import guard


@hookimpl(trylast=True)  # the last one to be asked is put around all others
def asgi_wrapper(datasette):
    """The outermost layer: what it refuses reaches nothing."""
    return guard
