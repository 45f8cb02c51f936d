"""The questions in canned_queries/ as Datasette's canned queries."""

from datasette import hookimpl

from ingest.browser.questions.routes import datasette_queries


@hookimpl
def canned_queries(datasette, database):
    """Each file as a query of every database that ingest made."""

    async def queries():
        return await datasette_queries(datasette, database)

    return queries
