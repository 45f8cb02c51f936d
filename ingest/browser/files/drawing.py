"""`python -m ingest.browser.files.drawing`: draws the charts that come in on stdin, until it ends.

A process of its own, because vl-convert holds Python up while it draws: in the server no page
would be answered meanwhile. It imports little, so that the first picture does not wait for it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import IO, Any

from ingest.charts.pictures import render_png, render_svg
from ingest.errors import ConfigError


def draw(kind: str, spec: dict[str, Any]) -> bytes:
    """The picture of a chart. kind: png or svg. Raises ConfigError as render_svg() does."""
    return render_png(spec) if kind == "png" else render_svg(spec).encode()


def encode_order(kind: str, spec: dict[str, Any]) -> bytes:
    """What the process is told: one line."""
    return json.dumps([kind, spec]).encode() + b"\n"


def answer(order: bytes) -> bytes:
    """What the process says to an order: a line of JSON, and the picture where there is one."""
    try:
        picture = draw(*json.loads(order))
    except ConfigError as exc:
        return json.dumps({"error": str(exc)}).encode() + b"\n"
    return json.dumps({"size": len(picture)}).encode() + b"\n" + picture


def read_answer(pipe: IO[bytes]) -> bytes:
    """The picture that the process sent. Raises ConfigError: it is wrong; EOFError: it is gone."""
    line = pipe.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    head = json.loads(line)
    if "error" in head:
        raise ConfigError(head["error"])
    picture = pipe.read(head["size"])
    if len(picture) < head["size"]:
        raise EOFError
    return picture


def main() -> None:
    """Answer each order; whatever else is printed goes to stderr."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for order in sys.stdin.buffer:
        answers.write(answer(order))
        answers.flush()


if __name__ == "__main__":
    main()
