"""The pages of questions: parameters with defaults, drop-downs, the answer and its charts."""

from datasette import hookimpl

from ingest.browser.files import vega_bundle
from ingest.browser.questions import routes as question_routes
from ingest.charts.style import as_json


async def question(datasette, request):
    """One question, in any format."""
    return await question_routes.answer_question(datasette, request)


async def vega():
    """The script that draws charts."""
    return await vega_bundle.serve_vega()


@hookimpl
def startup(datasette):
    """The script that draws charts is made while nobody waits for it."""
    vega_bundle.warm_up()


@hookimpl
def register_routes(datasette):
    """Questions are looked at before Datasette answers them."""
    return [
        (r"/-/ingest/vega\.js$", vega),
        (question_routes.question_pattern(datasette), question),
    ]


@hookimpl
def prepare_jinja2_environment(env, datasette):
    """Specifications go into pages as JSON that cannot end its element."""
    from markupsafe import Markup

    env.filters["chart_json"] = lambda spec: Markup(as_json(spec))
    env.globals["vega_url"] = vega_bundle.vega_url(datasette.setting("base_url"))


@hookimpl
def extra_template_vars(datasette, request):
    """What templates/query.html and templates/_chart.html need."""

    async def question_page(columns, rows, truncated):
        return await question_routes.question_page(datasette, request, columns, rows, truncated)

    return {"question_page": question_page}
