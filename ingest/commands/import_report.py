"""What `ingest import` says at its end: what came in, what was known, what to do next."""

from __future__ import annotations

from pathlib import Path

from ingest.database.imports import ImportReport
from ingest.database.other_series import KeptApart
from ingest.database.transfer import ImportedRuns
from ingest.text.numbers import at_most, count_text


def bundle_summary(imported: ImportedRuns, path: Path) -> str:
    """One line on the runs of a bundle."""
    known = count_text(len(imported.known), "run")
    if not imported.added:
        return f"Nothing to do: {path} has {known} of this bundle already"
    as_runs = at_most([f"{old} as {new}" for old, new in imported.added.items()])
    sets = count_text(imported.new_result_sets, "new result set")
    there = f"; {known} there already" if imported.known else ""
    added = count_text(len(imported.added), "run")
    return f"{added} added to {path} (run {as_runs}), {sets}{there}"


def bundle_notes(imported: ImportedRuns) -> list[str]:
    """Warnings about what a bundle's import left as it is."""
    notes = _shadowing(imported.shadowing)
    if imported.kept_tags:
        notes.append(
            f"tags that mean another run here stay as they are: {at_most(imported.kept_tags)}"
        )
    return notes


def jobs_summary(report: ImportReport, recorded: int, file: Path, path: Path) -> str:
    """What recorded jobs came in, and the command that fetches what they lack."""
    if not report.has_changed:
        jobs = count_text(recorded, "job")
        return f"Nothing to do: {path} has what {file} records ({jobs}) already"
    parts = []
    if report.added:
        runs = at_most(list(report.added))
        parts.append(f"{count_text(len(report.added), 'run')} added to {path} (run {runs})")
    if report.grown:
        parts.append(f"run {at_most(list(report.grown))} of {path} has grown")
    if report.new_jobs or report.added:
        parts.append(count_text(report.new_jobs, "new job"))
    if report.new_result_sets:
        parts.append(count_text(report.new_result_sets, "new result set"))
    if report.known:
        parts.append(f"{count_text(report.known, 'job')} there already")
    if report.completed:
        lacked = f"{report.completed:,} of them got what they lacked"
        parts.append(lacked if report.new_jobs else f"{lacked} in {path}")
    text = ", ".join(parts)
    if report.without_metrics:
        successes = count_text(report.without_metrics, "success has|successes have")
        text += f"\n{successes} no metrics yet. Fetch them with: ingest backfill"
    return text


def jobs_notes(report: ImportReport) -> list[str]:
    """Warnings about recorded jobs."""
    return [*report.warnings, *_shadowing(report.shadowing)]


def metrics_summary(report: ImportReport, path: Path) -> str:
    """One line on metrics out of files."""
    known = count_text(report.known - report.completed, "job")
    if not report.has_changed:
        return f"Nothing to do: {path} has the metrics of {known} already"
    parts = [
        f"run {run_id} added to {path} with {count_text(jobs, 'job')}"
        for run_id, jobs in report.added.items()
    ]
    if report.completed:
        parts.append(f"metrics added to {count_text(report.completed, 'known job')}")
    parts.append(count_text(report.new_result_sets, "new result set"))
    if report.known > report.completed:
        parts.append(f"{known} there already")
    text = ", ".join(parts)
    return text[0].upper() + text[1:]


def apart_summary(done: KeptApart, study: str, path: Path) -> str:
    """What was kept apart as another study's, and the command that reads it."""
    if not done.stored:
        known = count_text(done.known, "combination")
        return f"Nothing to do: {path} has the numbers of {known} of {study} already"
    replaced = f", {done.replaced:,} of them in place of others" if done.replaced else ""
    there = f"; {done.known:,} there already" if done.known else ""
    return (
        f"{count_text(done.stored, 'combination')} of {study} kept apart in {path}{replaced}{there}"
        '\nRead them with: ingest query "SELECT * FROM other_metrics LIMIT 5"'
    )


def _shadowing(runs: int) -> list[str]:
    if not runs:
        return []
    return [
        f"{runs} of the added runs began before the newest run that was there; "
        "in the state they count as newer"
    ]
