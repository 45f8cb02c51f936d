"""What templates/api.html needs beside absolute_url() of renderers.py: the limit of this server."""

from datasette import hookimpl


@hookimpl
def extra_template_vars(datasette):
    """row_limit: the most rows that JSON has."""
    return {"row_limit": datasette.setting("max_returned_rows")}
