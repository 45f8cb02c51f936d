"""Data that has not changed is not sent again: ETag and 304."""

from datasette import hookimpl

from ingest.browser.server.conditional import conditional


@hookimpl(tryfirst=True)
def asgi_wrapper(datasette):
    """Innermost, the first one to be put around Datasette: what others add is on a 304, too."""
    return lambda app: conditional(app, datasette)
