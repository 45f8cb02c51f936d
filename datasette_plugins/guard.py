"""Only requests that read are accepted, and pages load nothing from elsewhere."""

from datasette import hookimpl

from ingest.browser.server.base_path import below_base_path
from ingest.browser.server.security import guard


@hookimpl(trylast=True)
def asgi_wrapper(datasette):
    """Outermost, the last to be put around all others: what it refuses reaches nothing."""
    return lambda app: below_base_path(guard(app), datasette)
