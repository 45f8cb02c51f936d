from __future__ import annotations

import os
import shutil
import subprocess
import sys
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


def problem_of(root: Path) -> str:
    """Why git cannot tell the commit of a study."""
    state = read_git_state(root, FILES)
    assert not state.is_known
    return state.problem


def test_repository_of_another_user_is_told_with_the_line_that_allows_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert problem_of(repository) == (
        "git does not read " + str(repository) + ", which belongs to another user. Allow it with: "
        "git config --global --add safe.directory " + str(repository)
    )
    # what that line does
    config = repository.parent / "config"
    run_git(repository, "config", "--file", str(config), "safe.directory", str(repository))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    assert read_git_state(repository, FILES).is_known


def test_repository_without_a_commit_says_so(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "--quiet")
    write(tmp_path, *FILES)
    assert problem_of(tmp_path) == (
        f"the repository {tmp_path} has no commit yet. Make one with: git add . && git commit"
    )


def test_without_git_installed_nobody_can_tell_the_commit(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert problem_of(repository) == (
        f"git is not installed, or not on PATH, so that nobody can tell the commit of {repository}"
    )


def test_folder_outside_git_has_no_problem_without_git_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_git_state(tmp_path, FILES) == GitState()


@pytest.mark.parametrize("content", ["garbage", "gitdir: /nowhere/x"])
def test_broken_repository_is_told_in_gits_words(tmp_path: Path, content: str) -> None:
    (tmp_path / ".git").write_text(content)
    problem = problem_of(tmp_path)
    assert problem.startswith(f"the repository {tmp_path} cannot be read (git: fatal: ")
    assert problem.endswith(f"). See: git -C {tmp_path} fsck")


def test_repository_that_lost_its_objects_has_a_commit_and_no_clean_file(repository: Path) -> None:
    commit = run_git(repository, "rev-parse", "HEAD")
    shutil.rmtree(repository / ".git" / "objects")
    (repository / ".git" / "objects").mkdir()
    state = read_git_state(repository, FILES)
    assert (state.commit, state.dirty_files) == (commit, tuple(sorted(FILES)))
    assert "cannot be read (git: fatal: bad object HEAD)" in state.problem


def test_bare_repository_is_no_place_for_a_study(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "--quiet", "--bare")
    assert problem_of(tmp_path).startswith(f"{tmp_path} is a bare repository")


# --- what git tells the commands that it starts is about another repository ----------------------


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"])
def test_variables_about_another_repository_change_nothing(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    other = tmp_path / "other"
    write(other, "model.json")
    run_git(tmp_path, "init", "--quiet", str(other))
    commit_all(other)
    before = read_git_state(repository, FILES)
    places = {"GIT_WORK_TREE": other, "GIT_INDEX_FILE": other / ".git" / "index"}
    monkeypatch.setenv(name, str(places.get(name, other / ".git")))
    assert read_git_state(repository, FILES) == before


def test_hook_in_a_worktree_sees_no_false_dirty_files(repository: Path) -> None:
    tree = repository.parent / "tree"
    run_git(repository, "worktree", "add", "--quiet", str(tree))
    told, script = repository.parent / "told", repository.parent / "tell.py"
    script.write_text(
        "from pathlib import Path\n"
        "from ingest.study.git import read_git_state\n"
        f"state = read_git_state(Path({str(repository)!r}), {FILES!r})\n"
        f"Path({str(told)!r}).write_text(repr(state))\n"
    )
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec {sys.executable} {script}\n")
    hook.chmod(0o755)
    commit = run_git(repository, "rev-parse", "HEAD")
    write(tree, "new.json")
    commit_all(tree)
    assert told.read_text() == repr(GitState(commit, "trunk", ()))


def test_git_dir_without_a_repository_in_the_studys_folder_is_told(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "elsewhere"
    write(study, *FILES)
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    assert problem_of(study) == (
        f"GIT_DIR is set ({repository / '.git'}), and ingest looks for .git in the study's folder"
    )


def test_settings_of_git_in_the_environment_still_hold(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    for name, value in (("COUNT", "1"), ("KEY_0", "safe.directory"), ("VALUE_0", "*")):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    assert read_git_state(repository, FILES).problem == ""


# --- submodules ----------------------------------------------------------------------------------


@pytest.fixture
def with_submodule(repository: Path, tmp_path: Path) -> Path:
    """The repository with another one in it, as the submodule "shared"."""
    other = tmp_path / "other"
    write(other, "countries.json", "years.json")
    run_git(tmp_path, "init", "--quiet", str(other))
    commit_all(other)
    allowed = ("-c", "protocol.file.allow=always")
    run_git(repository, *allowed, "submodule", "--quiet", "add", str(other), "shared")
    commit_all(repository)
    return repository


SHARED = (*FILES, "shared/countries.json", "shared/years.json")


def test_file_of_a_submodule_is_dirty_by_itself(with_submodule: Path) -> None:
    commit = run_git(with_submodule, "rev-parse", "HEAD")
    assert read_git_state(with_submodule, SHARED) == GitState(commit, "trunk", ())
    (with_submodule / "shared/years.json").write_text("after")
    (with_submodule / "model.json").write_text("after")
    dirty = read_git_state(with_submodule, SHARED).dirty_files
    assert dirty == ("model.json", "shared/years.json")


def test_submodule_at_another_commit_is_dirty_as_a_whole(with_submodule: Path) -> None:
    (with_submodule / "shared/years.json").write_text("after")
    commit_all(with_submodule / "shared")
    dirty = read_git_state(with_submodule, SHARED).dirty_files
    assert dirty == ("shared/countries.json", "shared/years.json")


def test_study_in_a_submodule_has_the_submodules_commit(
    with_submodule: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = with_submodule / "shared"
    commit = run_git(study, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(with_submodule / ".git"))
    assert read_git_state(study, ("years.json",)).commit == commit


def test_clone_that_is_no_submodule_is_not_committed(repository: Path) -> None:
    write(repository / "shared", "countries.json")
    run_git(repository / "shared", "init", "--quiet")
    commit_all(repository / "shared")
    dirty = read_git_state(repository, (*FILES, "shared/countries.json")).dirty_files
    assert dirty == ("shared/countries.json",)
