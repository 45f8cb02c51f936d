"""JSON that was cut at max_returned_rows says so, in every shape: by a header."""

from __future__ import annotations

from typing import Any

from ingest.browser.server.datasette_internals import json_answer

TRUNCATED_HEADER = "Ingest-Truncated"


def render_json(args: Any, data: dict[str, Any], view_name: str) -> Any:
    """Datasette's JSON; with Ingest-Truncated: ROWS where there were more rows than it has.

    The shapes array and arrayfirst are plain lists and have no place for it. Datasette
    names the next page of a table in the header Link.
    """
    is_cut = data.get("truncated") and not data.get("next_url")
    rows = len(data.get("rows") or ()) if is_cut else None
    answer = json_answer(args, data, view_name)
    if rows is not None:
        answer.headers[TRUNCATED_HEADER] = str(rows)
    return answer
