from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.study.git import GitState, read_git_state

pytestmark = pytest.mark.slow

Git = Callable[..., str]

FILES = ("ingest.toml", "model.json", "scenarios/null.json")


def run_git(folder: Path, *arguments: str) -> str:
    """git in a folder, as someone; nothing of this machine's configuration is used."""
    nobody = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    someone = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    done = subprocess.run(
        ["git", *someone, "-C", str(folder), *arguments],
        env=os.environ | nobody,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout.strip()


def write(root: Path, *files: str) -> None:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("before")


def commit_all(root: Path) -> str:
    run_git(root, "add", "--all")
    run_git(root, "commit", "--quiet", "--message", "all")
    return run_git(root, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository on the branch trunk with FILES committed."""
    root = tmp_path / "repository"
    root.mkdir()
    run_git(root, "init", "--quiet", "--initial-branch=trunk")
    write(root, *FILES)
    commit_all(root)
    return root


def test_commit_and_branch_are_those_of_head(repository: Path) -> None:
    commit = run_git(repository, "rev-parse", "HEAD")
    state = read_git_state(repository, FILES)
    assert state == GitState(commit, "trunk", ())
    assert state.is_known
    assert state.short_commit == commit[:7]
    assert len(commit) == 40


def test_new_commit_is_seen(repository: Path) -> None:
    before = read_git_state(repository, FILES).commit
    (repository / "model.json").write_text("after")
    after = commit_all(repository)
    assert read_git_state(repository, FILES) == GitState(after, "trunk", ())
    assert after != before


def test_detached_head_has_no_branch_but_a_commit(repository: Path) -> None:
    commit = run_git(repository, "rev-parse", "HEAD")
    run_git(repository, "checkout", "--quiet", "--detach")
    assert read_git_state(repository, FILES) == GitState(commit, "HEAD", ())


def test_modified_staged_deleted_and_untracked_input_files_are_dirty(repository: Path) -> None:
    files = (*FILES, "new.json", "staged.json")
    (repository / "model.json").write_text("after")
    (repository / "scenarios/null.json").unlink()
    write(repository, "new.json", "staged.json")
    run_git(repository, "add", "staged.json")
    assert read_git_state(repository, files).dirty_files == (
        "model.json",
        "new.json",
        "scenarios/null.json",
        "staged.json",
    )


def test_file_that_is_no_input_is_not_dirty(repository: Path) -> None:
    write(repository, "validation_results.db", "scenarios/notes.txt", "README.md")
    assert read_git_state(repository, FILES).dirty_files == ()
    (repository / "model.json").write_text("after")
    assert read_git_state(repository, ("ingest.toml",)).dirty_files == ()


def test_study_without_files_is_not_dirty(repository: Path) -> None:
    (repository / "model.json").write_text("after")
    assert read_git_state(repository, ()).dirty_files == ()


def test_ignored_input_file_is_dirty_for_no_commit_holds_it(repository: Path) -> None:
    write(repository, "generated/countries.json")
    (repository / ".gitignore").write_text("generated/\n")
    commit_all(repository)
    files = (*FILES, "generated/countries.json")
    assert read_git_state(repository, files).dirty_files == ("generated/countries.json",)


def test_study_in_a_subfolder_names_its_files_relative_to_itself(repository: Path) -> None:
    study = repository / "studies" / "asthma"
    write(study, *FILES)
    commit = commit_all(repository)
    assert read_git_state(study, FILES) == GitState(commit, "trunk", ())
    (study / "model.json").write_text("after")
    (repository / "ingest.toml").write_text("after")
    write(study, "scenarios/new.json")
    dirty = read_git_state(study, (*FILES, "scenarios/new.json")).dirty_files
    assert dirty == ("model.json", "scenarios/new.json")


def test_input_file_beside_the_studys_folder_is_named_as_the_study_names_it(
    repository: Path,
) -> None:
    study = repository / "studies"
    write(study, "ingest.toml", "model.json")
    commit_all(repository)
    (repository / "model.json").write_text("after")
    files = ("ingest.toml", "model.json", "../model.json")
    assert read_git_state(study, files).dirty_files == ("../model.json",)


def test_input_file_outside_the_repository_is_dirty_and_hides_no_other(repository: Path) -> None:
    write(repository.parent, "shared.json")
    (repository / "model.json").write_text("after")
    absolute = str(repository.parent / "shared.json")
    files = (*FILES, "../shared.json", absolute)
    dirty = read_git_state(repository, files).dirty_files
    assert dirty == ("../shared.json", absolute, "model.json")


def test_study_reached_through_a_link_is_that_of_the_repository(repository: Path) -> None:
    link = repository.parent / "link"
    link.symlink_to(repository, target_is_directory=True)
    (repository / "model.json").write_text("after")
    assert read_git_state(link, FILES).dirty_files == ("model.json",)


@pytest.mark.parametrize(
    "name",
    ["a b", " edge ", "Äquator", "世界", "a[1]", "b*", ":(top)x", "-x", 'quo"te', "back\\slash"],
)
def test_name_of_any_kind_is_told_as_it_is(repository: Path, name: str) -> None:
    study = repository / name
    file = f"{name}/{name}.json"
    write(study, file, "scenarios/a1.json")
    assert read_git_state(study, (file,)).dirty_files == (file,)
    commit_all(repository)
    assert read_git_state(study, (file,)).dirty_files == ()
    (study / file).write_text("after")
    (study / "scenarios/a1.json").write_text("after")
    assert read_git_state(study, (file,)).dirty_files == (file,)


def test_name_that_is_a_pattern_to_git_stands_for_itself_alone(repository: Path) -> None:
    write(repository, "a[1].json", "a1.json")
    commit_all(repository)
    (repository / "a1.json").write_text("after")
    assert read_git_state(repository, ("a[1].json",)).dirty_files == ()


def test_asking_changes_nothing_in_the_repository(repository: Path) -> None:
    os.utime(repository / "model.json", (1_000_000_000, 1_000_000_000))  # git would note this
    before = (repository / ".git" / "index").read_bytes()
    read_git_state(repository, FILES)
    assert (repository / ".git" / "index").read_bytes() == before
    assert not (repository / ".git" / "index.lock").exists()


def test_outside_git_everything_is_unknown(tmp_path: Path) -> None:
    write(tmp_path, *FILES)
    state = read_git_state(tmp_path, FILES)
    assert state == GitState("unknown", "", ())
    assert not state.is_known
    assert state.short_commit == "unknown"


def test_repository_without_a_commit_is_unknown(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "--quiet")
    write(tmp_path, *FILES)
    assert read_git_state(tmp_path, FILES) == GitState()


def test_without_git_installed_everything_is_unknown(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert read_git_state(repository, FILES) == GitState()
