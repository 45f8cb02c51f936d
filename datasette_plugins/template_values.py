"""What every template can use: ingest's shell (navigation, study, links) and its text filters."""

from datasette import hookimpl

from ingest.browser.links import static_version
from ingest.browser.server.shell import TEMPLATE_FILTERS, read_shell


@hookimpl
def prepare_jinja2_environment(env, datasette):
    """Globals and filters, so that error pages, which get few values, wear the same clothes."""

    async def ingest_shell(database=None, path=""):
        """The frame around a page; database: the one that it is about."""
        return await read_shell(datasette, database, path)

    env.globals["ingest_shell"] = ingest_shell
    env.globals["static_version"] = static_version
    env.filters.update(TEMPLATE_FILTERS)
