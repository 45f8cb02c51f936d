"""Every hook of Datasette that the results browser uses; what they do is in ingest/browser/."""

from weakref import WeakKeyDictionary

from datasette import hookimpl
from markupsafe import Markup

from ingest.browser.files import renderers, vega_bundle
from ingest.browser.files.json_answer import render_json
from ingest.browser.links import EDITOR, static_version
from ingest.browser.memo import memo_of
from ingest.browser.pages.routes import page_routes
from ingest.browser.questions import routes as questions
from ingest.browser.questions.table import read_question_table
from ingest.browser.server.conditional import conditional
from ingest.browser.server.errors import answer_exception
from ingest.browser.server.served_files import ServedFiles
from ingest.browser.server.shell import TEMPLATE_FILTERS, read_shell
from ingest.browser.tables import hook as cells
from ingest.browser.tables.large_tables import can_be_sorted, count_without_scan, uncounted
from ingest.charts.style import as_json
from ingest.database.indicator_function import add_indicator_function

_served = WeakKeyDictionary()


@hookimpl
def startup(datasette):
    """The databases of the command line are all there by now."""
    for database in datasette.databases.values():
        count_without_scan(database)
    _served[datasette] = ServedFiles(datasette)
    vega_bundle.warm_up()


@hookimpl
def prepare_connection(conn, database, datasette):
    """What questions about indicators read, remembered until the database changes."""
    path = datasette.databases[database].path if database in datasette.databases else None
    add_indicator_function(conn, lambda: memo_of(path))


@hookimpl
def register_routes(datasette):
    """Pages, and questions and tables, which are looked at before Datasette answers them."""
    return [
        *page_routes(),
        *questions.routes(datasette),
        (vega_bundle.ROUTE, vega_bundle.serve_vega),
    ]


@hookimpl
def canned_queries(datasette, database):
    """The questions, for every database that ingest made."""
    return lambda: questions.datasette_queries(datasette, database)


@hookimpl
def register_output_renderer(datasette):
    """Charts of questions as files, and Datasette's JSON with a header where it was cut."""
    return [*renderers.renderers(), {"extension": "json", "render": render_json}]


@hookimpl
def render_cell(row, value, column, table, database, datasette):
    """HTML of one cell; None leaves it to Datasette."""
    return cells.render_cell(datasette, database, table, column, value, row)


@hookimpl(hookwrapper=True)
def handle_exception(datasette, request, exception):
    """Ours instead of Datasette's, which would print what is a visitor's mistake, too."""
    outcome = yield
    if answer := answer_exception(datasette, request, exception):
        outcome.force_result([answer()])


@hookimpl(tryfirst=True)
def asgi_wrapper(datasette):
    """Innermost, the first to be put around Datasette: what others add is on a 304, too."""

    def wrap(app):
        inner = uncounted(conditional(app, datasette))

        async def answer(scope, receive, send):  # startup comes after the wrapping
            await _served[datasette].answer(inner, scope, receive, send)

        return answer

    return wrap


@hookimpl
def prepare_jinja2_environment(env, datasette):
    """Globals and filters, so that error pages, which get few values, share layout and menu."""

    async def ingest_shell(database=None, path=""):
        return await read_shell(datasette, database, path)

    env.globals["ingest_shell"] = ingest_shell
    env.globals["static_version"] = static_version
    env.globals["vega_url"] = vega_bundle.vega_url(datasette.setting("base_url"))
    env.globals["row_limit"] = datasette.setting("max_returned_rows")
    env.filters.update(TEMPLATE_FILTERS)
    # JSON that cannot end its element
    env.filters["chart_json"] = lambda spec: Markup(as_json(spec))


@hookimpl
def extra_template_vars(datasette, request, table):
    """What templates ask about their request."""

    async def question_page(columns, rows, truncated):
        return await questions.question_page(datasette, request, columns, rows, truncated)

    async def question_table(columns, rows, display_rows):
        return await read_question_table(datasette, request, columns, rows, display_rows)

    return {
        "question_page": question_page,
        "question_table": question_table,
        "absolute_url": lambda path: datasette.absolute_url(request, path),
        "has_editor": request is not None and EDITOR in request.args,
        "editor_address": request and f"{request.path}?{request.query_string}&{EDITOR}=1",
        "can_be_sorted": request is None or table is None or can_be_sorted(request, table),
    }
