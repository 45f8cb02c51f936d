"""A model's results as the CSV that is stored, each number with all its digits."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from ingest.metrics import Metric


def as_csv(raw: bytes) -> bytes:
    """JSON records as CSV with the columns element_label, timestamp_year, value.

    Anything else (CSV, or JSON of another form) is given back as it is: parse_analytics reads
    both, and tells what is wrong better than could be told here.
    """
    if raw.lstrip()[:1] != b"[":
        return raw
    try:
        rows = [_row(record) for record in json.loads(raw)]
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(Metric._fields)
        writer.writerows(rows)
        return text.getvalue().encode()
    except (ValueError, KeyError, TypeError):
        return raw


def _row(record: Any) -> tuple[str, str, str]:
    """A record's cells. Raises KeyError, TypeError: it is of another form."""
    label, year, value = (record[column] for column in Metric._fields)
    for cell, types in ((label, str), (year, int | float), (value, int | float)):
        if not isinstance(cell, types) or isinstance(cell, bool):
            raise TypeError(f"{cell!r} cannot be a cell")
    return label, repr(year), repr(value)
