"""Metric and ResultSet: one job's numbers, sorted, validated and fingerprinted."""

from __future__ import annotations

import hashlib
import json
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import NamedTuple


class Metric(NamedTuple):
    """One number: an element's label, a calendar year, and the value in the label's own unit."""

    element_label: str
    timestamp_year: int
    value: float


@dataclass(frozen=True)
class ResultSet:
    """All metrics of one job, sorted by label and year, each (label, year) once, values finite.

    notes: what was noticed and is kept with the job, e.g. rows that were dropped or stood twice.
    """

    metrics: Sequence[Metric]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.metrics)

    def __iter__(self) -> Iterator[Metric]:
        return iter(self.metrics)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the rows: labels with their counts as JSON, then all years, then all values.

        Years are little-endian 64-bit integers, values little-endian IEEE 754 doubles, so equal
        digests mean equal numbers to the last bit, on every machine.
        """
        labels, years, values = zip(*self.metrics, strict=True) if self.metrics else ((), (), ())
        runs = [[label, sum(1 for _ in group)] for label, group in groupby(labels)]
        digest = hashlib.sha256(json.dumps(runs).encode())
        digest.update(_little_endian(array("q", years)))
        digest.update(_little_endian(array("d", values)))
        return digest.hexdigest()

    @property
    def element_labels(self) -> list[str]:
        """The labels, sorted."""
        return [label for label, _ in groupby(metric.element_label for metric in self.metrics)]

    def years(self) -> tuple[int, int] | None:
        """First and last year, None without metrics."""
        if not self.metrics:
            return None
        years = [metric.timestamp_year for metric in self.metrics]
        return min(years), max(years)


def _little_endian(numbers: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()
