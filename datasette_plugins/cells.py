"""Cells of tables and questions for people: links, states, times, numbers."""

from datasette import hookimpl

from ingest.browser.questions import table as question_table
from ingest.browser.tables import hook as cell_hook


@hookimpl
def render_cell(row, value, column, table, database, datasette):
    """HTML of one cell; None leaves it to Datasette."""
    return cell_hook.render_cell(datasette, database, table, column, value, row)


@hookimpl
def extra_template_vars(datasette, request):
    """What the table of templates/query.html needs."""

    async def table_of_question(columns, rows, display_rows):
        return await question_table.read_question_table(
            datasette, request, columns, rows, display_rows
        )

    return {"question_table": table_of_question}
