"""Which files lie in a study's folder and may decide its numbers: by git, or by their names."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ingest.study.git import list_git_files

_DATA = re.compile(
    r"""\.(csv|tsv|psv|dat|json|jsonl|geojson|toml|ya?ml|xml|ini|cfg|xls[xmb]?|ods|rds|rda|rdata
        |parquet|feather|arrow|npy|npz|pkl|pickle|mat|h5|hdf5|nc|dta|sav|sas7bdat|gz|bz2|xz|zip)""",
    re.VERBOSE | re.IGNORECASE,
)
_CODE = re.compile(
    r"""\.(py|r|rmd|qmd|jl|m|stan|bugs?|jags|do|ado|sas|gms|mod|c|cc|cpp|h|hpp|f|f90|f95|for|rs|go
        |java|scala|kt|js|mjs|ts|sh|bat|ps1|pl|lua|ipynb)""",
    re.VERBOSE | re.IGNORECASE,
)
_NOT_LOOKED_INTO = frozenset({"node_modules", "site-packages", "__pycache__", "venv"})
_STUDY_FILE = "ingest.toml"
_JOB_CSV = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}\.csv")
_JOURNAL = ".run-api.jsonl"
_END_BYTES = 65536


@dataclass(frozen=True)
class StudyFiles:
    """names: the files, relative to the study, sorted; all but hidden ones and other studies'.

    by_git: whether git told them, so that a file that is missing here is ignored by git.
    """

    names: tuple[str, ...]
    by_git: bool


def list_study_files(root: Path) -> StudyFiles:
    """The files that git tracks or would track in a study's folder; without git, all of them."""
    listed = list_git_files(root)
    names = _expanded(root, listed) if listed else _walk(root, ".")
    seen = [name for name in names if not _is_hidden(name)]
    others = {str(PurePosixPath(name).parent) for name in seen if name.endswith("/" + _STUDY_FILE)}
    own = (name for name in seen if not others.intersection(map(str, PurePosixPath(name).parents)))
    return StudyFiles(tuple(sorted(own)), by_git=bool(listed))


def is_code(name: str) -> bool:
    """Whether a file's ending is that of a programming language."""
    return _CODE.fullmatch(PurePosixPath(name).suffix) is not None


def may_be_input(name: str) -> bool:
    """Whether a file's ending is that of data, or of code whose imports cannot be followed."""
    suffix = PurePosixPath(name).suffix
    return (_DATA.fullmatch(suffix) is not None and not name.endswith(".vl.json")) or (
        suffix != ".py" and is_code(name)
    )


def is_of_ingest(root: Path, name: str, study: str) -> bool:
    """Whether ingest wrote a file, or reads it as settings: its own results are no input.

    study: the study's name, by which an IAMC file of its results is known.
    """
    path = root / name
    if _JOB_CSV.fullmatch(path.name) or path.name.endswith(_JOURNAL):
        return True
    look = _SIGNS.get(path.suffix)
    if look is None or (path.suffix == ".toml" and "/" in name):
        return False
    try:
        with path.open("rb") as file:
            if path.suffix == ".parquet":  # its columns are named at its end
                file.seek(max(0, path.stat().st_size - _END_BYTES))
            return look(file.read(_END_BYTES), study)
    except OSError:
        return False


def _is_table(head: bytes, study: str) -> bool:
    """Whether a CSV file is an export, an answer, a list of jobs, or IAMC of the study."""
    lines = [*head.decode("utf-8-sig", "replace").splitlines()[:2], "", ""]
    columns = set(lines[0].split(","))
    is_iamc = {"Model", "Variable"} <= columns
    return (
        {"scenario", "element_label"} <= columns
        or {"baseline_value", "scenario_value"} <= columns
        or columns == {"ulid", "timestamp", "country", "scenario"}
        or (is_iamc and lines[1].startswith((f"{study},", f'"{study}",')))
    )


_SIGNS: dict[str, Callable[[bytes, str], bool]] = {
    ".csv": _is_table,
    ".parquet": lambda end, _: b"element_label" in end,
    ".zip": lambda head, _: b"manifest.json" in head[:60],
    ".toml": lambda head, _: re.search(rb"^\[study\]", head, re.MULTILINE) is not None,
}


def _expanded(root: Path, listed: list[str]) -> Iterator[str]:
    """Files that are there; a submodule or a linked folder with all that is in it."""
    for name in listed:
        place = root / name
        if place.is_file():
            yield name
        elif place.is_dir():
            yield from _walk(root, name)


def _walk(root: Path, below: str) -> Iterator[str]:
    for folder, folders, files in os.walk(root / below):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        place = Path(folder).relative_to(root)
        # no pipe, device or link that leads nowhere, which cannot be read
        yield from ((place / file).as_posix() for file in files if (root / place / file).is_file())


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part in _NOT_LOOKED_INTO for part in parts)
