"""Whose ULIDs and backend ids are: two jobs that share one cannot be told from each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ingest.executors.base import Submission
from ingest.study.combination import Combination


@dataclass(frozen=True)
class Holder:
    """The job that a ULID or id belongs to."""

    run_id: int
    combination: Combination


@dataclass(frozen=True)
class Clash:
    """A name given to a job that another one has already."""

    what: str
    name: str
    holder: Holder

    @property
    def message(self) -> str:
        """Both jobs' fault: the first line is the same for all, the second names them."""
        holder = self.holder
        return (
            f"the backend gave two jobs one {self.what}, so that nobody can tell whose results "
            f"are whose\n{self.what} {self.name}: also of {holder.combination}, run {holder.run_id}"
        )


class Claims:
    """The ULID and the backend's id of every job, each of one job alone."""

    def __init__(self, known: Iterable[tuple[str, int, Combination]] = ()) -> None:
        """known: name, run and combination of jobs that are stored."""
        self._holders = {name: Holder(run_id, of) for name, run_id, of in known}

    def find_clash(self, submission: Submission, own: Holder, *, is_adopted: bool) -> Clash | None:
        """The first name of an accepted job that another job has; else they are its own from now.

        is_adopted: an earlier run may have had the same job, of the same combination.
        """
        names = {"ULID": submission.new_ulid, "job id": submission.external_id}
        given = {what: name for what, name in names.items() if name is not None}
        for what, name in given.items():
            holder = self._holders.get(name, own)
            is_same = holder == own or (is_adopted and holder.combination == own.combination)
            if not is_same:
                return Clash(what, name, holder)
        for name in given.values():
            self._holders[name] = own
        return None
