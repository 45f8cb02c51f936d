"""JSON with fewer rows than there are says so."""

from datasette import hookimpl

from ingest.browser.tables.truncation import render_json


@hookimpl
def register_output_renderer(datasette):
    """In place of Datasette's own JSON, which it calls."""
    return {"extension": "json", "render": render_json}
