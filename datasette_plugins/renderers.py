"""Charts of questions as files (.png, .svg, .vl.json), and CSV that is whole."""

from datasette import hookimpl

from ingest.browser.files import renderers
from ingest.browser.questions import routes as question_routes


@hookimpl
def register_output_renderer(datasette):
    """Each format, shown on questions with a chart."""
    return renderers.renderers()


async def sql_csv(datasette, request):
    """CSV of visitors' SQL, where it is allowed; that of questions has the route of their pages."""
    return await question_routes.answer_database(datasette, request)


@hookimpl
def register_routes(datasette):
    """CSV of a database."""
    return [(question_routes.sql_csv_pattern(datasette), sql_csv)]


@hookimpl
def extra_template_vars(datasette, request):
    """What templates/query.html needs to show a picture beside links to its page."""
    return {"absolute_url": lambda path: datasette.absolute_url(request, path)}
