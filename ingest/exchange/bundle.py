"""Bundles: everything about a run in one zip file that another database can take in.

results.db       the runs that the state consists of, whole, as a database of the current form
inputs/          the kept content of their inputs: model document, scenarios, code version, query
manifest.json    what it is, row counts, and the SHA-256 of every member and every result set
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import sqlite3
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest import __version__
from ingest.clock import SystemClock, utc_text
from ingest.database import ValidationDatabase
from ingest.database.connection import Database
from ingest.database.other_series import OtherNumbers
from ingest.database.read import read_result_set, read_study_name
from ingest.database.states import RunRef, make_state_table
from ingest.database.study_identity import are_one_study, claim, read_study_names
from ingest.database.transfer import (
    ImportedRuns,
    check_contents,
    count_rows,
    import_runs,
    open_excerpt,
    run_digest,
    runs_of_state,
    unfinished_jobs,
    write_excerpt,
)
from ingest.errors import ConfigError, DatabaseError, NewerSchemaError
from ingest.study.combination import Combination
from ingest.study.json_files import canonical_json, sha256_text
from ingest.temporary import TemporaryFolder
from ingest.text.file_kind import zip_bomb
from ingest.text.installation import update_command
from ingest.text.numbers import count_text

Manifest = dict[str, Any]

FORMAT = "ingest bundle"
FORMAT_VERSION = 1
FIRST = "first import"
_MANIFEST = "manifest.json"
_DATABASE = "results.db"
_LARGEST_MANIFEST_BYTES = 256 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_WRONG_TYPES = (TypeError, ValueError, OverflowError, AttributeError, KeyError)
# Equal contents give equal zip files: members carry no time of their own.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class BundleError(ConfigError):
    """A file is no bundle, or not as it was when it was written; nothing was changed."""


# --- out ----------------------------------------------------------------------------------------


def write_bundle(connection: sqlite3.Connection, run: RunRef, path: Path) -> Manifest:
    """Write the bundle of the state as of a run; gives its manifest.

    Raises ConfigError: one of the runs has jobs that have not ended.
    """
    make_state_table(connection, "bundle_state", run.run_id)
    run_ids = runs_of_state(connection, "bundle_state", run.run_id)
    for run_id, jobs in unfinished_jobs(connection, run_ids):
        raise ConfigError(
            f"run {run_id} has {count_text(jobs, 'unfinished job')} and cannot be bundled yet. "
            "Resume it with: ingest run"
        )
    with TemporaryFolder("bundle") as folder:
        excerpt = folder / _DATABASE
        write_excerpt(connection, run_ids, excerpt)
        with open_excerpt(excerpt) as written:
            inputs = _read_inputs(written)
            manifest = _make_manifest(written, run, inputs, excerpt)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            _add(archive, _MANIFEST, json.dumps(manifest, indent=1).encode())
            for name, content in inputs.items():
                _add(archive, name, content)
            with (
                archive.open(_zip_info(_DATABASE), "w", force_zip64=True) as member,
                excerpt.open("rb") as file,
            ):
                shutil.copyfileobj(file, member, _CHUNK_BYTES)
    return manifest


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(_zip_info(name), content)


def _zip_info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _ZIP_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def _read_inputs(connection: sqlite3.Connection) -> dict[str, bytes]:
    """The content of the kept inputs by their names in the zip."""
    rows = connection.execute("SELECT kind, digest, content FROM inputs ORDER BY kind, digest")
    return {f"inputs/{kind}-{digest}.json": content.encode() for kind, digest, content in rows}


def _make_manifest(
    connection: sqlite3.Connection, run: RunRef, inputs: Mapping[str, bytes], excerpt: Path
) -> Manifest:
    """The manifest; its digest is of everything else in it."""
    members = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
        for name, content in inputs.items()
    }
    with excerpt.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    members[_DATABASE] = {"sha256": digest, "size_bytes": excerpt.stat().st_size}
    manifest: Manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "ingest_version": __version__,
        "created": utc_text(datetime.now(UTC), "seconds"),
        "study": read_study_name(connection, run.run_id) or None,
        "run": {
            "run_id": run.run_id,
            "timestamp": run.timestamp,
            "git_commit": run.git_commit,
            "status": run.status,
        },
        "runs": _run_digests(connection),
        "scenarios": _scenario_inputs(connection),
        "row_counts": count_rows(connection),
        "members": members,
        "result_sets": check_contents(connection),
    }
    return {**manifest, "digest": sha256_text(canonical_json(manifest))}


def _run_digests(connection: sqlite3.Connection) -> dict[str, str]:
    ids = connection.execute("SELECT run_id FROM validation_runs ORDER BY run_id").fetchall()
    return {str(run_id): run_digest(connection, run_id) for (run_id,) in ids}


def _scenario_inputs(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """The digests of each scenario's kept content, so that a person finds its file."""
    found: dict[str, list[str]] = {}
    for scenario, digest in connection.execute(
        "SELECT DISTINCT scenario, scenario_digest FROM input_sets ORDER BY 1, 2"
    ):
        found.setdefault(scenario, []).append(digest)
    return found


# --- in -----------------------------------------------------------------------------------------


def import_bundle(
    path: Path,
    database: ValidationDatabase,
    *,
    study: str | None = None,
    wait: bool = False,
    compare: Callable[[Database, Iterable[int]], None] = lambda db, run_ids: None,
) -> ImportedRuns:
    """Add a bundle's runs to a database, made where there is none; gives what was done.

    study: whose results a database is meant for that holds none yet; the bundle's where None.
    compare: stores what the added runs moved here, where other runs may come before them.
    Everything in the bundle is checked before the database is touched.
    Raises BundleError (of another study, too), DatabaseError.
    """
    with checked_bundle(path) as excerpt:
        names = read_study_names(excerpt)
        if study is not None and not database.path.exists():
            _refuse_other_study(path, names, database.path, [study])
        with database.writing(wait=wait):
            own = read_study_names(database.db.conn) or ([study] if study else [])
            _refuse_other_study(path, names, database.path, own)
            with database.db.atomic():
                imported = import_runs(database.db, excerpt)
                claim(database.db, next(iter(names), None), SystemClock().timestamp(), FIRST)
                compare(database.db, imported.added.values())
            if imported.added:
                database.settle()
            return imported


def _refuse_other_study(
    path: Path, names: Sequence[str], database: Path, own: Sequence[str]
) -> None:
    if not are_one_study(names, own):
        raise BundleError(
            f"{path} is of study {names[0]!r}, {database} of {own[0]!r}; nothing was changed. Keep "
            f"its numbers apart with --as-study {shlex.quote(names[0])}, or import it into another "
            "--database FILE"
        )


def numbers_of_bundle(excerpt: sqlite3.Connection, path: Path) -> Iterator[OtherNumbers]:
    """The newest numbers of each combination in the database of a checked bundle."""
    rows = excerpt.execute(
        """SELECT country, scenario, result_set_id FROM latest_results
            WHERE result_set_id IS NOT NULL ORDER BY country, scenario"""
    ).fetchall()
    for country, scenario, result_set_id in rows:
        numbers = read_result_set(excerpt, result_set_id)
        yield OtherNumbers(Combination(country, scenario), numbers, path.name)


@contextmanager
def checked_bundle(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection to the database of a bundle, all digests checked.

    Raises BundleError.
    """
    with TemporaryFolder("bundle") as folder:
        excerpt = folder / _DATABASE
        try:
            with zipfile.ZipFile(path) as archive:
                if (why := zip_bomb(archive, path.stat().st_size)) is not None:
                    raise BundleError(f"{path} is not unpacked: {why}; nothing was changed")
                manifest = _read_manifest(archive, path)
                _check_members(archive, manifest, path, excerpt)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as exc:
            raise _damaged(path, str(exc) or "it is cut off") from exc
        except (
            RuntimeError,
            *_WRONG_TYPES,
        ) as exc:  # RuntimeError: zipfile's error for an encrypted member
            raise _damaged(path, str(exc)) from exc
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(open_excerpt(excerpt))
                _check_database(connection, manifest)
            except NewerSchemaError as exc:
                raise BundleError(
                    f"{path} was written by a later version of ingest "
                    f"({manifest.get('ingest_version')}); nothing was changed. " + update_command()
                ) from exc
            except (DatabaseError, sqlite3.Error, *_WRONG_TYPES) as exc:
                raise _damaged(path, str(exc).replace(str(excerpt), _DATABASE)) from exc
            yield connection


def _damaged(path: Path, why: str) -> BundleError:
    return BundleError(f"{path} is not as it was written: {why}; nothing was changed")


def _read_manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    names = archive.namelist()
    if _MANIFEST not in names:
        raise BundleError(f"{path} is no bundle of ingest: it has no {_MANIFEST}")
    if archive.getinfo(_MANIFEST).file_size > _LARGEST_MANIFEST_BYTES:
        raise _damaged(path, f"{_MANIFEST} is too large")
    try:
        manifest = json.loads(archive.read(_MANIFEST))
    except ValueError as exc:
        raise _damaged(path, f"{_MANIFEST} is no JSON") from exc
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError(f"{path} is no bundle of ingest: its {_MANIFEST} is of something else")
    if manifest.get("format_version") != FORMAT_VERSION:
        raise BundleError(
            f"{path} has version {manifest.get('format_version')!r} of the bundle format, this "
            f"ingest reads version {FORMAT_VERSION}. {update_command()}"
        )
    rest = {key: value for key, value in manifest.items() if key != "digest"}
    if manifest.get("digest") != _digest_of(rest) or not isinstance(rest.get("members"), dict):
        raise _damaged(path, f"{_MANIFEST} does not have its digest")
    if sorted(names) != sorted([_MANIFEST, *rest["members"]]) or _DATABASE not in names:
        raise _damaged(path, f"its members are not those that {_MANIFEST} lists")
    return manifest


def _digest_of(value: Any) -> str | None:
    try:
        return sha256_text(canonical_json(value))
    except ValueError:  # NaN, a lone surrogate: nothing that was written by us
        return None


def _check_members(archive: zipfile.ZipFile, manifest: Manifest, path: Path, excerpt: Path) -> None:
    """Check the digest of every member, and put the database to where `excerpt` says."""
    for name, facts in manifest["members"].items():
        digest, left = hashlib.sha256(), facts["size_bytes"]
        target = excerpt if name == _DATABASE else Path(os.devnull)
        with archive.open(name) as member, target.open("wb") as sink:
            # never more than was announced: a small file can unpack to a very large one
            while left >= 0 and (chunk := member.read(_CHUNK_BYTES)):
                left -= len(chunk)
                digest.update(chunk)
                sink.write(chunk)
        if left != 0 or digest.hexdigest() != facts["sha256"]:
            raise _damaged(path, f"{name} does not have its digest")


def _check_database(connection: sqlite3.Connection, manifest: Manifest) -> None:
    """Recompute what the manifest says of the database: its numbers, runs, inputs and counts.

    Raises DatabaseError.
    """
    if check_contents(connection) != manifest["result_sets"]:
        raise DatabaseError(f"its result sets are not those that {_MANIFEST} lists")
    if _run_digests(connection) != manifest["runs"]:
        raise DatabaseError(f"its runs are not those that {_MANIFEST} lists")
    counts = count_rows(connection)
    if {table: counts.get(table) for table in manifest["row_counts"]} != manifest["row_counts"]:
        raise DatabaseError(f"its row counts are not those that {_MANIFEST} lists")
