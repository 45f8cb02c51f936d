"""Limits on what one statement may take that SQLite has none for, or looks at too late.

SQLite's progress handler is not called within a function, and its limit on the length of a value
does not end the work of printf(); what a statement gives piles up outside of it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from sys import getsizeof
from typing import Any

# In bytes: several times what a database holds in one place, and no burden for the machine.
LONGEST_VALUE = 32_000_000
_MOST_AT_ONCE = 64_000_000
_WIDEST = 100_000
_PLACE = re.compile(r"%[-+ ,0#!']*(\*|\d+)?(?:\.(\*|\d+))?l*[A-Za-z]")


class _Cursor(sqlite3.Cursor):
    """Reads no more at once than the machine bears."""

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """So many rows. Raises OperationalError: they are larger than an answer may be."""
        rows, left = [], _MOST_AT_ONCE
        for row in islice(self, size or self.arraysize):
            rows.append(row)
            left -= sum(map(getsizeof, row))
            if left < 0:
                message = f"the rows are larger than {_MOST_AT_ONCE // 1_000_000} MB; ask for less"
                raise sqlite3.OperationalError(message)
        return rows


class LimitedConnection(sqlite3.Connection):
    """A connection whose statements can neither give nor write texts without end."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._plain = sqlite3.connect(":memory:", check_same_thread=False)
        for name in ("printf", "format"):
            self.create_function(name, -1, partial(_printed, self._plain))

    def cursor(self, factory: Any = _Cursor) -> Any:
        """A cursor that reads no more at once than the machine bears."""
        return super().cursor(factory)

    def close(self) -> None:
        """Close it, and what its functions use."""
        self._plain.close()
        super().close()


def _printed(plain: sqlite3.Connection, *values: Any) -> Any:
    """SQLite's own printf(); "string or blob too big" before it begins to fill a wide place."""
    if values and any(width > _WIDEST for width in _widths(values)):
        raise OverflowError
    places = ",".join("?" * len(values))
    return plain.execute(f"SELECT printf({places})", values).fetchone()[0]


def _widths(values: Sequence[Any]) -> Iterator[float]:
    """How wide and precise the places of a format are; with a * as the values say."""
    given = iter(values[1:])
    for place in _PLACE.finditer(str(values[0])):
        for width in filter(None, place.groups()):
            yield abs(_number(next(given, 0) if width == "*" else width))
        next(given, None)


def _number(value: object) -> float:
    """What SQLite takes a text to be, which may go on after a number; no less than that."""
    found = re.match(r"\s*[-+]?\d+(\.\d*)?(e[-+]?\d+)?", str(value), re.IGNORECASE)
    return float(found[0]) if found else 0.0
