"""JSON says in a header where it was cut, and of a question whether its results belong together."""

from __future__ import annotations

from typing import Any

from ingest.browser.protocols import Datasette, Request
from ingest.browser.questions.routes import question_consistency
from ingest.browser.server.datasette_internals import json_answer

TRUNCATED_HEADER = "Ingest-Truncated"
MIXED_HEADER = "Ingest-Mixed-Inputs"


async def render_json(
    datasette: Datasette, request: Request, args: Any, data: dict[str, Any], view_name: str
) -> Any:
    """Datasette's JSON; with Ingest-Truncated: ROWS where there were more rows than it has.

    A question about a state has `mixed` and `state` beside its rows, and where inputs are mixed
    the header Ingest-Mixed-Inputs. The shapes array and arrayfirst are plain lists and have no
    place for keys. Datasette names the next page of a table in the header Link.
    """
    if "rows" not in data and args.get("_shape") == "arrayfirst":
        from datasette.utils.asgi import BadRequest

        raise BadRequest("_shape=arrayfirst: this is no list of rows")
    is_cut = data.get("truncated") and not data.get("next_url")
    rows = len(data.get("rows") or ()) if is_cut else None
    consistency = await question_consistency(datasette, request)
    if consistency is not None:
        data.update(consistency.as_json())
    answer = json_answer(args, data, view_name)
    if rows is not None:
        answer.headers[TRUNCATED_HEADER] = str(rows)
    if consistency is not None and consistency.is_mixed:
        answer.headers[MIXED_HEADER] = ", ".join(consistency.differing)
    return answer
