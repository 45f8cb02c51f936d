"""Runs by the words that people type for them, and what a reader has to know of the run found."""

from __future__ import annotations

import sqlite3
from typing import Any

from ingest.commands.common.output import warn
from ingest.database.states import RunRef, resolve_run
from ingest.text.numbers import at_most, count_text


def find_run(connection: sqlite3.Connection, name: str) -> RunRef:
    """The run that a name means, as resolve_run() finds it.

    Says on stderr where a commit was named and its only run had files that were not committed.
    """
    run = resolve_run(connection, name)
    if run.uncommitted and run.is_named_by_commit(name):
        files = f"{count_text(len(run.uncommitted), 'file')} ({at_most(run.uncommitted)})"
        warn(
            f"run {run.run_id} is not of commit {run.git_commit[:7]} alone: {files} were not "
            "committed, and no run has that commit without changes"
        )
    return run


def run_as_json(run: RunRef) -> dict[str, Any]:
    """What JSON answers say of the run that they are about."""
    return {
        "run_id": run.run_id,
        "timestamp": run.timestamp,
        "git_commit": run.git_commit,
        "dirty_files": list(run.uncommitted),
    }
