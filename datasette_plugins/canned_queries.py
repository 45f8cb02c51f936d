"""The questions in canned_queries/ as Datasette's canned queries."""

from datasette import hookimpl

from ingest.canned_queries import load_canned_queries


@hookimpl
def canned_queries(datasette, database):
    """Each file as a query of every database that ingest made; parameters may stay empty."""
    return {
        query.name: {
            "sql": query.sql,
            "title": query.title,
            "description": f"{query.description} Unit: {query.unit}.",
            "params": [parameter.name for parameter in query.parameters],
        }
        for query in load_canned_queries().values()
    }
