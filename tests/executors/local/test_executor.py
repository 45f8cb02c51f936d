"""The local executor with real worker processes, real crashes and real programs."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import AnalyticsError, BackendError, ConfigError
from ingest.executors.base import JobState
from ingest.executors.local.executor import LocalExecutor, available_cores
from ingest.metrics import Metric
from ingest.study.local_settings import LocalSettings
from tests.conftest import PROJECT
from tests.executors.drive import (
    LIMIT_S,
    are_final,
    assert_ends,
    is_running,
    local_executor,
    make_context,
    make_job,
    poll_until,
    run_jobs,
    wait_for_text,
)

# One function for each thing a model may do; the document says which.
ACTS = """
import ctypes, fcntl, multiprocessing, os, signal, stat, struct, subprocess, sys, threading, time
from pathlib import Path

def simulate(document):
    return globals()[document["act"]](document)

def value(document):
    yield "Label", 2030, document["value"]

def pid(document):
    yield "Worker", 2030, os.getpid()

def raises(document):
    print("what the model printed", file=sys.stderr)
    raise KeyError("coverage")

def forks(document):
    if os.fork() == 0:
        sys.exit(0)
    yield "Label", 2030, document["value"]

def forks_and_both_yield(document):
    os.fork()
    yield "Label", 2030, document["value"]

def forks_and_raises(document):
    if os.fork() == 0:
        raise RuntimeError("in the child")
    raise RuntimeError("in the parent")

def pools(document):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        yield "Label", 2030, sum(pool.map(abs, range(document["value"])))

def answers_twice(document):
    frame = struct.pack(">BHQ", 1, 1, 2) + b"X" + b"[]"
    for fd in range(3, 64):
        try:
            pipe = stat.S_ISFIFO(os.fstat(fd).st_mode)
            if pipe and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
                os.write(fd, frame)
        except OSError:
            pass
    yield "Label", 2030, 1.0

def interrupts(document):
    raise KeyboardInterrupt

class OfItsOwn(BaseException):
    pass

def bases(document):
    raise OfItsOwn("of its own")

def leaves_the_generator(document):
    raise GeneratorExit

def talks(document):
    raise ValueError("first " + "x" * document["size"] + " last")

class Unprintable(Exception):
    def __str__(self): raise RuntimeError("no")

def unprintable(document):
    raise Unprintable

def raises_midway(document):
    yield "Label", 2030, 1.0
    raise RuntimeError("in the middle")

def exits(document):
    sys.exit("no such country")

def gone(document):
    print("last words", file=sys.stderr)
    os._exit(3)

def segfault(document):
    ctypes.string_at(0)

def killed(document):
    print("memory is short")
    os.kill(os.getpid(), signal.SIGKILL)

def gone_but_for_a_child(document):
    if os.fork() == 0:
        time.sleep(600)
    os._exit(3)

def prints(document):
    for number in range(document["lines"]):
        print("out", number, "x" * 90)
        print("err", number, "x" * 90, file=sys.stderr)
    if document.get("fails"):
        raise ValueError("after printing")
    yield "Label", 2030, 1.0

def reads_stdin(document):
    yield "Label", 2030, len(input())

def takes(document):
    time.sleep(document["seconds"])
    yield "Label", 2030, 1.0

def threads(document):
    values = []
    started = [threading.Thread(target=values.append, args=(n,)) for n in range(8)]
    for thread in started: thread.start()
    for thread in started: thread.join()
    yield "Label", 2030, sum(values)

def leaves_a_thread(document):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    yield "Label", 2030, 1.0

def large(document):
    for number in range(document["rows"]):
        yield f"Label {number} with a rather long name", 2030, number + 0.5

def size(document):
    yield "Label", 2030, len(document["text"])

def unicode(document):
    yield document["label"], 2030, 1.0

def sleeps(document):
    child = subprocess.Popen(["sleep", "600"])
    print("began to sleep")
    Path(document["pids"] + ".part").write_text(f"{os.getpid()} {child.pid}")
    os.rename(document["pids"] + ".part", document["pids"])
    time.sleep(600)

def stops(document):
    Path(document["pids"]).write_text(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGSTOP)
    yield "Label", 2030, 1.0

def touches(document):
    Path(document["path"]).write_text("was here")
    yield "Label", 2030, 1.0

class Number:
    def __init__(self, number): self.number = number
    def __float__(self): return float(self.number)
    def __index__(self): return int(self.number)

def odd_numbers(document):
    yield "number", Number(2030), Number(1.25)
    yield "int", 2030.0, 7
    yield "text", 2030, "2.5"

WRONG = {
    "two": ("Label", 2030), "four": ("Label", 2030, 1.0, 2.0), "a text": "abc",
    "label": (5, 2030, 1.0), "year": ("Label", "2030", 1.0), "year none": ("Label", None, 1.0),
    "value": ("Label", 2030, None), "bool": ("Label", 2030, True), "huge": ("Label", 2030, 10**400),
}

def wrong(document):
    yield "Label", 2029, 1.0
    yield WRONG[document["what"]]

def no_rows(document):
    return None
"""


@pytest.fixture(autouse=True)
def _nothing_hangs() -> Iterator[None]:
    """A call that never comes back (a full pipe) fails its test instead of stopping them all."""

    def give_up(number: int, frame: Any) -> None:
        raise TimeoutError(f"no answer within {2 * LIMIT_S:.0f} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 2 * LIMIT_S)
    gc.freeze()
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    gc.collect()  # a process or file that was left open is this test's fault, not a later one's


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "acts.py").write_text(ACTS)
    return tmp_path


ENTRY_POINT = "acts:simulate"


def act(name: str, **arguments: Any) -> dict[str, Any]:
    return {"act": name, **arguments}


def one_fault(root: Path, document: dict[str, Any]) -> tuple[str, str, bool]:
    """Kind, message and can_pass of a job that must fail, between two that must not."""
    with local_executor(root, entry_point=ENTRY_POINT) as executor:
        documents = {"A": act("value", value=1), "BAD": document, "C": act("value", value=2)}
        ended = run_jobs(executor, documents)
    assert set(ended.faults) == {"BAD"}
    assert [ended.metrics(ulid)[0].value for ulid in "AC"] == [1.0, 2.0]
    fault = ended.faults["BAD"]
    return fault.kind, fault.message, fault.can_pass


# --- results -------------------------------------------------------------------------------------


def test_results_come_back_for_each_job(root: Path) -> None:
    with local_executor(root, entry_point=ENTRY_POINT, workers=3) as executor:
        documents = {f"J{n}": act("value", value=n / 3) for n in range(40)}
        ended = run_jobs(executor, documents)
    assert ended.faults == {}
    assert {ulid: ended.metrics(ulid) for ulid in documents} == {
        f"J{n}": [Metric("Label", 2030, n / 3)] for n in range(40)
    }


def test_each_job_is_said_to_run_before_it_ends(root: Path) -> None:
    with local_executor(root, entry_point=ENTRY_POINT, workers=2) as executor:
        ended = run_jobs(executor, {f"J{n}": act("value", value=n) for n in range(9)})
    for n in range(9):
        states = [update.state for update in ended.updates if update.ulid == f"J{n}"]
        assert states[0] is JobState.RUNNING
        assert states[-1] is JobState.SUCCEEDED


def test_a_result_is_handed_out_once(root: Path) -> None:
    with local_executor(root, entry_point=ENTRY_POINT) as executor:
        run_jobs(executor, {"A": act("value", value=1)})
        with pytest.raises(AnalyticsError, match="no result of job A"):
            executor.fetch("A")


def test_numbers_of_other_types_are_taken_as_floats(root: Path) -> None:
    with local_executor(root, entry_point=ENTRY_POINT) as executor:
        metrics = run_jobs(executor, {"A": act("odd_numbers")}).metrics("A")
    assert metrics == [("int", 2030, 7.0), ("number", 2030, 1.25), ("text", 2030, 2.5)]
    assert all(type(metric.value) is float for metric in metrics)


@pytest.mark.parametrize("label", ["Années -> état", "喘息", 'a,b "c"', "emoji 🫁", "x\u00a0y"])
def test_labels_in_any_script_come_through(root: Path, label: str) -> None:
    with local_executor(root, entry_point=ENTRY_POINT) as executor:
        metrics = run_jobs(executor, {"A": act("unicode", label=label)}).metrics("A")
    assert metrics == [Metric(label, 2030, 1.0)]


def test_documents_and_results_of_megabytes_pass_without_a_deadlock(root: Path) -> None:
    text = "ä" * 3_000_000
    with local_executor(root, entry_point=ENTRY_POINT, workers=2) as executor:
        documents = {f"IN{n}": act("size", text=text) for n in range(4)}
        documents |= {f"OUT{n}": act("large", rows=40_000) for n in range(3)}
        ended = run_jobs(executor, documents)
    assert [ended.metrics(f"IN{n}")[0].value for n in range(4)] == [3_000_000.0] * 4
    assert all(len(ended.results[f"OUT{n}"]) > 3_000_000 for n in range(3))
    assert len(ended.result_set("OUT2")) == 40_000


def test_megabytes_of_output_do_not_block_a_model(root: Path) -> None:
    with local_executor(root, entry_point=ENTRY_POINT) as executor:
        ended = run_jobs(executor, {"A": act("prints", lines=20_000), "B": act("value", value=2)})
    assert ended.faults == {}
    assert ended.metrics("B") == [Metric("Label", 2030, 2.0)]


def test_threads_of_a_model_do_not_disturb(root: Path) -> None:
    with local_executor(root, entry_point=ENTRY_POINT) as executor:
        documents = {"A": act("leaves_a_thread"), "B": act("threads"), "C": act("pid")}
        ended = run_jobs(executor, documents)
    assert ended.metrics("B") == [Metric("Label", 2030, 28.0)]


# --- workers -------------------------------------------------------------------------------------


def test_workers_live_on_over_many_jobs(root: Path) -> None:
    with local_executor(root, entry_point=ENTRY_POINT, workers=2) as executor:
        ended = run_jobs(executor, {f"J{n}": act("pid") for n in range(60)})
        pids = {ended.metrics(f"J{n}")[0].value for n in range(60)}
    assert len(pids) <= 2


def test_a_crashed_worker_is_replaced_by_another(root: Path) -> None:
    with local_executor(root, entry_point=ENTRY_POINT) as executor:
        ended = run_jobs(executor, {"A": act("pid"), "BAD": act("gone"), "C": act("pid")})
        before, after = ended.metrics("A")[0].value, ended.metrics("C")[0].value
        more = run_jobs(executor, {f"J{n}": act("pid") for n in range(5)})
    assert before != after
    assert {more.metrics(f"J{n}")[0].value for n in range(5)} == {after}


def test_a_worker_that_is_killed_while_idle_costs_no_job(root: Path) -> None:
    with local_executor(root, entry_point=ENTRY_POINT) as executor:
        pid = int(run_jobs(executor, {"A": act("pid")}).metrics("A")[0].value)
        os.kill(pid, signal.SIGKILL)
        assert_ends(pid)
        assert list(executor.poll([], 0.1)) == []
        ended = run_jobs(executor, {"B": act("pid")})
    assert int(ended.metrics("B")[0].value) != pid


def test_the_number_of_workers_defaults_to_the_cores(root: Path) -> None:
    settings = LocalSettings(entry_point=ENTRY_POINT)
    with closing(LocalExecutor(settings, make_context(root))) as executor:
        executor.start()
        jobs = [make_job(f"J{n}", act("takes", seconds=1)) for n in range(3 * available_cores())]
        list(executor.submit(jobs))
        begun = [update for update in executor.poll([], 0.0) if update.state is JobState.RUNNING]
        assert len(begun) == available_cores()
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


def test_closing_ends_the_workers_and_what_they_started(root: Path) -> None:
    before = open_files()
    with local_executor(root, entry_point=ENTRY_POINT, workers=2) as executor:
        pids = start_sleeping(executor, root, "A")
        list(executor.submit([make_job("B", act("gone")), make_job("C", act("value", value=1))]))
        poll_until(executor, ["B", "C"], lambda updates: are_final(updates, ["B", "C"]))
    for pid in pids:
        assert_ends(pid)
    assert open_files() == before


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


def start_sleeping(executor: LocalExecutor, root: Path, ulid: str) -> list[int]:
    """Submit a job that sleeps; returns the worker's process id and that of its child."""
    pids = root / f"{ulid}.pids"
    list(executor.submit([make_job(ulid, act("sleeps", pids=str(pids)))]))
    poll_until(executor, [ulid], lambda updates: bool(updates))
    return [int(pid) for pid in wait_for_text(pids).split()]


# --- errors in the model -------------------------------------------------------------------------


def line_of(code: str) -> int:
    return ACTS[: ACTS.index(code)].count("\n") + 1


def test_an_exception_is_told_with_type_message_place_and_output(root: Path) -> None:
    kind, message, can_pass = one_fault(root, act("raises"))
    first, *output = message.splitlines()
    assert (kind, can_pass) == ("model error", False)
    assert first == f"KeyError: 'coverage' (acts.py:{line_of('raise KeyError')})"
    assert output[0] == "what the model printed"
    assert output[-1] == "KeyError: 'coverage'"
    assert "Traceback (most recent call last):" in output


def test_a_generator_that_raises_midway_gives_no_half_result(root: Path) -> None:
    kind, message, _ = one_fault(root, act("raises_midway"))
    place = line_of('raise RuntimeError("in the middle")')
    assert kind == "model error"
    assert message.startswith(f"RuntimeError: in the middle (acts.py:{place})\n")


def test_sys_exit_in_a_model_is_an_error_of_the_model(root: Path) -> None:
    kind, message, can_pass = one_fault(root, act("exits"))
    assert (kind, can_pass) == ("model error", False)
    assert message.startswith("SystemExit: no such country (acts.py:")


def test_a_model_that_reads_stdin_finds_it_empty(root: Path) -> None:
    kind, message, _ = one_fault(root, act("reads_stdin"))
    assert kind == "model error"
    assert message.startswith("EOFError: EOF when reading a line (acts.py:")


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("two", "('Label', 2030), not (label, year, value): not enough values"),
        ("four", "not (label, year, value): too many values"),
        ("a text", "'abc', not (label, year, value)"),
        ("label", "(5, 2030, 1.0), not (label, year, value): a label is a text"),
        ("year", "('Label', '2030', 1.0), not (label, year, value)"),
        ("year none", "('Label', None, 1.0), not (label, year, value)"),
        ("value", "('Label', 2030, None), not (label, year, value)"),
        ("bool", "('Label', 2030, True), not (label, year, value)"),
        ("huge", "not (label, year, value): int too large"),
    ],
)
def test_a_row_of_the_wrong_form_is_shown(root: Path, what: str, told: str) -> None:
    kind, message, can_pass = one_fault(root, act("wrong", what=what))
    assert (kind, can_pass) == ("model error", False)
    assert message.startswith("row 2 of the model is ")
    assert told in message


def test_a_model_that_gives_no_rows_at_all_is_told(root: Path) -> None:
    _, message, _ = one_fault(root, act("no_rows"))
    assert message == "the model gave None, no rows of (label, year, value)"


def test_the_tail_of_the_output_is_that_of_the_failed_job(root: Path) -> None:
    with local_executor(root, entry_point=ENTRY_POINT) as executor:
        documents = {
            "LOUD": act("prints", lines=3_000),
            "A": act("raises"),
            "B": act("prints", lines=30, fails=True),
            "C": act("raises"),
        }
        faults = run_jobs(executor, documents).faults
    for ulid in "AC":
        assert faults[ulid].message.splitlines()[1] == "what the model printed"
    tail = faults["B"].message.splitlines()[1:]
    assert len(tail) == 20
    assert tail[-1] == "ValueError: after printing"
    assert "err 29 " + "x" * 90 in tail
    assert "\0" not in "".join(fault.message for fault in faults.values())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("interrupts", "KeyboardInterrupt (acts.py:"),
        ("bases", "OfItsOwn: of its own (acts.py:"),
        ("leaves_the_generator", "GeneratorExit (acts.py:"),
        ("unprintable", "Unprintable: (its text cannot be shown: RuntimeError) (acts.py:"),
    ],
)
def test_whatever_a_model_raises_is_its_own_error_and_not_tried_again(
    root: Path, name: str, told: str
) -> None:
    kind, message, can_pass = one_fault(root, act(name))
    assert (kind, can_pass) == ("model error", False)
    assert message.startswith(told)


@pytest.mark.parametrize("size", [3_000, 5_000_000])
def test_a_long_message_loses_its_middle_and_keeps_the_place(root: Path, size: int) -> None:
    _, message, _ = one_fault(root, act("talks", size=size))
    first = message.partition("\n")[0]
    place = line_of('raise ValueError("first')
    assert first.startswith("ValueError: first xxx")
    assert first.endswith(f"xxx last (acts.py:{place})")
    assert f"[... {size + 11 - 1_000:,} bytes left out ...]" in first
    assert len(message) < 12_000


# --- a model that forks --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["forks", "forks_and_both_yield", "forks_and_raises"])
def test_a_model_that_forks_fails_its_job_and_answers_for_no_other(root: Path, name: str) -> None:
    documents = {f"J{n:02}": act(name if n % 4 == 1 else "value", value=n) for n in range(12)}
    with local_executor(root, entry_point=ENTRY_POINT, workers=2) as executor:
        ended = run_jobs(executor, documents)
        more = run_jobs(executor, {"A": act("value", value=50)})
    forked = {ulid for ulid, document in documents.items() if document["act"] == name}
    assert set(ended.faults) == forked
    for fault in ended.faults.values():
        assert (fault.kind, fault.can_pass) == ("model error", False)
        assert fault.message.startswith("the model forked, and the forked process came back")
    values = {ulid: ended.metrics(ulid)[0].value for ulid in set(documents) - forked}
    assert values == {ulid: documents[ulid]["value"] for ulid in values}
    assert more.metrics("A")[0].value == 50


def test_a_model_that_uses_multiprocessing_as_it_should_is_left_alone(root: Path) -> None:
    with local_executor(root, entry_point=ENTRY_POINT) as executor:
        ended = run_jobs(executor, {f"J{n}": act("pools", value=n) for n in range(4)})
    assert ended.faults == {}
    assert [ended.metrics(f"J{n}")[0].value for n in range(4)] == [0, 0, 1, 3]


def test_a_model_that_forks_while_it_is_imported_is_told(root: Path) -> None:
    (root / "splits.py").write_text(
        "import os\nos.fork()\ndef simulate(document): return [('Label', 2030, 1.0)]\n"
    )
    settings = LocalSettings(entry_point="splits:simulate", workers=1)
    assert "the model forked" in str(start_error(root, settings))


def test_an_answer_for_another_job_is_refused(root: Path) -> None:
    kind, message, can_pass = one_fault(root, act("answers_twice"))
    assert (kind, can_pass) == ("model error", False)
    # the worker sees the false answer, or that what it forked came back, whichever is first
    seen = ("the worker process answered for another job than its own", "the model forked")
    assert message.startswith(seen)


# --- whose modules are loaded --------------------------------------------------------------------

FOREIGN = "raise RuntimeError('a module of somebody else was loaded')\n"
_NAMES = ("csv", "statistics", "calendar", "json", "struct", "signal", "ingest", "random", "enum")


def test_no_module_of_the_folder_one_is_in_reaches_the_model(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path_factory.mktemp("here")
    for name in (*_NAMES, "acts", "own_part"):
        (here / f"{name}.py").write_text(FOREIGN)
    (root / "own_part.py").write_text("import csv, statistics, calendar\nmean = statistics.mean\n")
    (root / "means.py").write_text(
        "import own_part\ndef simulate(document): yield 'Mean', 2030, own_part.mean([1, 3])\n"
    )
    monkeypatch.chdir(here)
    with local_executor(root, entry_point="means:simulate") as executor:
        assert run_jobs(executor, {"A": {}}).metrics("A") == [Metric("Mean", 2030, 2.0)]


def test_the_studys_folder_comes_before_one_that_pythonpath_names(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "acts.py").write_text(FOREIGN)
    monkeypatch.setenv("PYTHONPATH", f"{other}{os.pathsep}{root}")
    with local_executor(root, entry_point=ENTRY_POINT) as executor:
        assert run_jobs(executor, {"A": act("value", value=3)}).metrics("A")[0].value == 3


@pytest.mark.parametrize("name", _NAMES)
def test_a_file_of_the_study_named_like_a_module_of_ours_stops_no_run(
    root: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / f"{name}.py").write_text(FOREIGN)
    (root / "simple.py").write_text("def simulate(document): yield 'Label', 2030, 1.0\n")
    monkeypatch.chdir(root)
    with local_executor(root, entry_point="simple:simulate") as executor:
        assert run_jobs(executor, {"A": {}}).metrics("A") == [Metric("Label", 2030, 1.0)]


def test_check_warns_of_files_named_like_modules_of_ours(root: Path) -> None:
    for name in ("statistics", "ingest", "own_part"):
        (root / f"{name}.py").write_text("")
    findings = LocalExecutor.check(LocalSettings(ENTRY_POINT), make_context(root))
    assert [(finding.where, finding.is_error) for finding in findings] == [
        ("ingest.py", False),
        ("statistics.py", False),
    ]


@pytest.mark.parametrize("name", ["ingest", "json", "signal"])
def test_an_entry_point_in_a_module_of_that_name_is_told(root: Path, name: str) -> None:
    (root / f"{name}.py").write_text("def simulate(document): yield 'Label', 2030, 1.0\n")
    told = str(start_error(root, LocalSettings(entry_point=f"{name}:simulate", workers=1)))
    assert f"has a module {name} of its own: rename the study's {name}.py" in told


# --- crashes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "first_line", "output"),
    [
        ("gone", "the worker process exited with status 3", "last words"),
        ("segfault", "the worker process was killed by SIGSEGV", "Segmentation fault"),
        ("killed", "the worker process was killed by SIGKILL", "memory is short"),
        ("gone_but_for_a_child", "the worker process exited with status 3", ""),
    ],
)
def test_a_crash_fails_its_job_alone_and_may_pass(
    root: Path, name: str, first_line: str, output: str
) -> None:
    kind, message, can_pass = one_fault(root, act(name))  # the job after it was prefetched
    assert (kind, can_pass) == ("worker crashed", True)
    assert message.splitlines()[0] == first_line
    assert output in message


def test_a_segmentation_fault_tells_the_place_in_the_model(root: Path) -> None:
    _, message, _ = one_fault(root, act("segfault"))
    assert f"line {line_of('ctypes.string_at(0)')} in segfault" in message


def test_many_crashes_among_many_jobs_lose_none(root: Path) -> None:
    acts = ["value", "gone", "value", "killed", "raises"]
    documents = {f"J{n:02}": act(acts[n % 5], value=n) for n in range(40)}
    with local_executor(root, entry_point=ENTRY_POINT, workers=3) as executor:
        ended = run_jobs(executor, documents)
    kinds = {ulid: fault.kind for ulid, fault in ended.faults.items()}
    crashed = {f"J{n:02}" for n in range(40) if n % 5 in (1, 3)}
    assert {ulid for ulid, kind in kinds.items() if kind == "worker crashed"} == crashed
    assert {ulid for ulid, kind in kinds.items() if kind == "model error"} == {
        f"J{n:02}" for n in range(40) if n % 5 == 4
    }
    assert len(ended.results) == 16


# --- cancelling ----------------------------------------------------------------------------------


def test_cancelling_a_running_job_kills_it_and_gives_its_output(root: Path) -> None:
    with local_executor(root, entry_point=ENTRY_POINT) as executor:
        worker, child = start_sleeping(executor, root, "A")
        assert is_running(worker)
        assert dict(executor.cancel(["A"])) == {"A": "began to sleep"}
        assert_ends(worker)
        assert_ends(child)
        ended = run_jobs(executor, {"B": act("value", value=2)})
    assert {update.ulid for update in ended.updates} == {"B"}
    assert ended.metrics("B") == [Metric("Label", 2030, 2.0)]


def test_waiting_and_prefetched_jobs_are_cancelled_without_being_run(root: Path) -> None:
    with local_executor(root, entry_point=ENTRY_POINT) as executor:
        start_sleeping(executor, root, "RUNS")
        others = {
            name: act("touches", path=str(root / name)) for name in ("PREFETCHED", "WAITING", "C")
        }
        list(executor.submit([make_job(*other) for other in others.items()]))
        executor.poll(list(others), 0.0)  # hands the first of them to the worker
        assert dict(executor.cancel(["PREFETCHED", "WAITING"])) == {}
        assert set(executor.cancel(["RUNS"])) == {"RUNS"}
        updates = poll_until(executor, list(others), lambda updates: are_final(updates, ["C"]))
        ended = run_jobs(executor, {"D": act("value", value=2)})
    assert {update.ulid for update in [*updates, *ended.updates]} == {"C", "D"}
    assert not (root / "PREFETCHED").exists()
    assert not (root / "WAITING").exists()


def test_a_prefetched_job_that_was_cancelled_never_ends(root: Path) -> None:
    go_on = root / "go-on"
    (root / "waits.py").write_text(
        "import os, time\n"
        "def simulate(document):\n"
        "    while not os.path.exists('go-on'): time.sleep(0.01)\n"
        "    yield 'Label', 2030, 1.0\n"
    )
    with local_executor(root, entry_point="waits:simulate") as executor:
        list(executor.submit([make_job(ulid, {}) for ulid in ("A", "PREFETCHED", "C")]))
        poll_until(executor, ["A"], lambda updates: bool(updates))
        executor.cancel(["PREFETCHED"])
        go_on.write_text("")
        updates = poll_until(executor, ["A", "C"], lambda updates: are_final(updates, ["A", "C"]))
        with pytest.raises(AnalyticsError):
            executor.fetch("PREFETCHED")
    states = [(u.ulid, u.state) for u in updates if u.state.is_final]
    assert states == [("A", JobState.SUCCEEDED), ("C", JobState.SUCCEEDED)]


def test_a_prefetched_job_that_had_ended_when_it_was_cancelled_is_not_told(root: Path) -> None:
    with local_executor(root, entry_point=ENTRY_POINT) as executor:
        documents = {name: act("touches", path=str(root / name)) for name in ("B", "C")}
        documents = {"A": act("takes", seconds=0.2)} | documents  # so that this poll misses its end
        list(executor.submit([make_job(*document) for document in documents.items()]))
        executor.poll(["A", "B", "C"], 0.0)
        wait_for_text(root / "B")  # both have run, and nobody has heard of it yet,
        time.sleep(0.5)  # but for the moment between B's last line and its answer
        assert dict(executor.cancel(["B"])) == {}
        updates = poll_until(executor, ["A", "C"], lambda updates: are_final(updates, ["A", "C"]))
    assert {update.ulid for update in updates} == {"A", "C"}
    assert (root / "C").exists()


def test_jobs_of_any_length_end_once_however_workers_take_turns(root: Path) -> None:
    """Lengths about the time for which poll() waits: jobs are recalled at every moment."""
    chance = random.Random(20_300)
    documents = {
        f"J{n}": act("takes", seconds=chance.choice([0.0, 0.02, 0.05, 0.15])) for n in range(60)
    }
    with local_executor(root, entry_point=ENTRY_POINT, workers=3) as executor:
        for names in (list(documents)[start : start + 4] for start in range(0, 60, 4)):
            ended = run_jobs(executor, {name: documents[name] for name in names})
            final = [update.ulid for update in ended.updates if update.state.is_final]
            assert sorted(final) == sorted(names)
            assert ended.faults == {}


def test_a_job_behind_a_long_one_goes_to_a_worker_that_is_idle(root: Path) -> None:
    with local_executor(root, entry_point=ENTRY_POINT, workers=2) as executor:
        start_sleeping(executor, root, "LONG")
        # both workers get two jobs; the one behind LONG must not wait for its end
        ended = run_jobs(executor, {f"J{n}": act("value", value=n) for n in range(3)})
    assert sorted(ended.results) == ["J0", "J1", "J2"]


def test_a_worker_that_stops_reading_holds_up_no_other(root: Path) -> None:
    """As a model does that computes in C without letting other threads run."""
    pids = root / "stopped"
    text = "x" * 3_000_000
    with local_executor(root, entry_point=ENTRY_POINT, workers=2) as executor:
        list(executor.submit([make_job("STOPPED", act("stops", pids=str(pids)))]))
        poll_until(executor, ["STOPPED"], lambda updates: bool(updates))
        wait_for_text(pids)
        large = [f"J{n}" for n in range(4)]
        list(executor.submit([make_job(ulid, act("size", text=text)) for ulid in large]))
        # one of them is prefetched by the worker that has stopped
        updates = poll_until(executor, large, lambda u: sum(x.state.is_final for x in u) == 3)
        assert set(executor.cancel(["STOPPED"])) == {"STOPPED"}
        left = sorted(set(large) - {u.ulid for u in updates if u.state.is_final})
        poll_until(executor, left, lambda updates: are_final(updates, left))


# --- a model that cannot be used -----------------------------------------------------------------


def start_error(root: Path, settings: LocalSettings) -> ConfigError:
    with (
        closing(LocalExecutor(settings, make_context(root))) as executor,
        pytest.raises(ConfigError) as caught,
    ):
        executor.start()
    return caught.value


@pytest.mark.parametrize(
    ("entry_point", "told"),
    [
        ("nowhere:simulate", "'nowhere:simulate' cannot be imported: ModuleNotFoundError"),
        ("acts:missing", "'acts:missing': acts has no missing()"),
        ("acts:WRONG", "'acts:WRONG': acts has no WRONG()"),
        ("acts", "'acts' is not of the form \"module:function\""),
        ("acts:", "'acts:' is not of the form"),
        (":simulate", "':simulate' is not of the form"),
        ("broken:simulate", "'broken:simulate' cannot be imported: ZeroDivisionError: "),
        ("broken:simulate", "(broken.py:2)"),
        ("unwritten:simulate", "'unwritten:simulate' cannot be imported: SyntaxError: "),
        ("leaves:simulate", "'leaves:simulate' cannot be imported: SystemExit: not today"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_named(root: Path, entry_point: str, told: str) -> None:
    (root / "broken.py").write_text("def simulate(document): ...\n1 / 0\n")
    (root / "unwritten.py").write_text("def simulate(:\n")
    (root / "leaves.py").write_text("import sys\nsys.exit('not today')\n")
    assert told in str(start_error(root, LocalSettings(entry_point=entry_point, workers=1)))


def test_neither_entry_point_nor_command_says_what_to_write(root: Path) -> None:
    message = str(start_error(root, LocalSettings()))
    assert "executors.local needs entry_point" in message
    assert 'entry_point = "model:simulate"' in message


def test_a_model_that_crashes_while_it_is_imported_is_told(root: Path) -> None:
    (root / "crashes.py").write_text("import os\nprint('so far')\nos._exit(9)\n")
    settings = LocalSettings(entry_point="crashes:simulate", workers=2)
    with closing(LocalExecutor(settings, make_context(root))) as executor:
        with pytest.raises(BackendError, match="exited with status 9 before it was ready") as error:
            executor.start()
        assert "so far" in str(error.value)


def test_a_worker_that_cannot_be_started_leaves_nothing_open(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_files()
    monkeypatch.setattr(sys, "executable", str(root / "no-python"))
    settings = LocalSettings(entry_point=ENTRY_POINT, workers=1)
    with (
        closing(LocalExecutor(settings, make_context(root))) as executor,
        pytest.raises(BackendError, match="cannot start a worker process"),
    ):
        executor.start()
    gc.collect()
    assert open_files() == before


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (LocalSettings(), "no-model-code"),
        (LocalSettings("acts:simulate", ("sh", "{document}")), "bad-value"),
        (LocalSettings(command=("no-such-program", "{document}")), "no-program"),
        (LocalSettings("acts"), "bad-value"),
        (LocalSettings("nowhere:simulate"), "no-module"),
        (LocalSettings("acts:simulate"), None),
        (LocalSettings(command=("sh", "{document}")), None),
        (LocalSettings(command=("./acts.py", "{document}")), None),
    ],
)
def test_check_finds_what_would_stop_it(
    root: Path, settings: LocalSettings, code: str | None
) -> None:
    findings = LocalExecutor.check(settings, make_context(root))
    assert [finding.code for finding in findings] == ([code] if code else [])


# --- a command as the model ----------------------------------------------------------------------


SHELL_MODEL = """#!/bin/sh
case "$(cat "$1")" in
*fails*) echo "went wrong" >&2; exit 4;;
*silent*) exit 0;;
*killed*) echo "memory is short"; kill -KILL $$;;
*broken*) echo "element_label,timestamp_year,value" > "$2"; echo "a,b" >> "$2"; exit 0;;
*folder*) mkdir "$2"; exit 0;;
esac
printf 'element_label,timestamp_year,value\\n"Label, quoted",2030,1.5\\n' > "$2"
"""
SHELL = ("sh", "model.sh", "{document}", "{result}")

PYTHON_MODEL = """
import json, sys
document = json.load(open(sys.argv[1].removeprefix("--in=")))
rows = [{"element_label": "Länge", "timestamp_year": 2030, "value": len(document["text"])}]
json.dump(rows * document.get("times", 1), open(sys.argv[2].removeprefix("--out="), "w"))
"""
PYTHON = (sys.executable, "model_program.py", "--in={document}", "--out={result}")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    (tmp_path / "model.sh").write_text(SHELL_MODEL)
    (tmp_path / "model.sh").chmod(0o755)
    (tmp_path / "model_program.py").write_text(PYTHON_MODEL)
    return tmp_path


def command_fault(programs: Path, document: str) -> tuple[str, str, bool]:
    with local_executor(programs, command=SHELL) as executor:
        ended = run_jobs(executor, {"A": "", "BAD": document, "C": ""})
    assert set(ended.results) == {"A", "C"}
    fault = ended.faults["BAD"]
    return fault.kind, fault.message, fault.can_pass


@pytest.mark.parametrize("command", [SHELL, ("./model.sh", "{document}", "{result}")])
def test_a_shell_script_is_a_model(programs: Path, command: tuple[str, ...]) -> None:
    with local_executor(programs, command=command, workers=2) as executor:
        ended = run_jobs(executor, {f"J{n}": "" for n in range(6)})
    assert ended.faults == {}
    assert ended.metrics("J5") == [Metric("Label, quoted", 2030, 1.5)]


def test_a_program_may_write_json_of_megabytes(programs: Path) -> None:
    document = {"text": "ä" * 2_000_000, "times": 40_000}
    with local_executor(programs, command=PYTHON, workers=2) as executor:
        ended = run_jobs(executor, {"A": document, "B": document})
    assert ended.metrics("A") == ended.metrics("B") == [Metric("Länge", 2030, 2_000_000.0)]
    assert len(ended.results["A"]) > 2_000_000


def test_an_exit_status_fails_the_job_with_the_tail_of_its_output(programs: Path) -> None:
    kind, message, can_pass = command_fault(programs, "fails")
    assert (kind, can_pass) == ("model error", False)
    assert message == "command 'sh' exited with status 4\nwent wrong"


@pytest.mark.parametrize("document", ["silent", "folder"])
def test_a_program_that_writes_no_result_is_told(programs: Path, document: str) -> None:
    kind, message, _ = command_fault(programs, document)
    assert (kind, message) == ("model error", "command 'sh' wrote no result to {result}")


def test_a_program_that_is_killed_may_pass(programs: Path) -> None:
    kind, message, can_pass = command_fault(programs, "killed")
    assert (kind, can_pass) == ("command crashed", True)
    assert message == "command 'sh' was killed by SIGKILL\nmemory is short"


def test_a_program_that_is_missing_is_named(programs: Path) -> None:
    with local_executor(programs, command=("no-such-program", "{document}")) as executor:
        fault = run_jobs(executor, {"A": ""}).faults["A"]
    expected = "command 'no-such-program' cannot be run: No such file or directory"
    assert (fault.kind, fault.message) == ("model error", expected)


def test_cancelling_a_program_kills_it_and_removes_its_files(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = programs / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    (programs / "slow.sh").write_text('echo "still here"; echo $$ > pid; sleep 600; sleep 1')
    with local_executor(programs, command=("sh", "slow.sh", "{document}")) as executor:
        list(executor.submit([make_job("A", "x" * 100_000)]))
        poll_until(executor, ["A"], lambda updates: (programs / "pid").exists())
        pid = int(wait_for_text(programs / "pid"))
        assert list(temporary.rglob("document.json"))
        assert dict(executor.cancel(["A"])) == {"A": "still here"}
        assert_ends(pid)
        assert not list(temporary.rglob("document.json"))
    assert list(temporary.iterdir()) == []


# --- the parent is gone --------------------------------------------------------------------------

PARENT = """
import json, sys
from pathlib import Path
from tests.executors.drive import local_executor, make_job
root, settings, document = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
with local_executor(root, workers=2, **settings) as executor:
    jobs = [make_job(f"J{n}", document | {"pids": f"{root}/{n}.pids"}) for n in range(2)]
    list(executor.submit(jobs))
    while True:
        executor.poll([], 0.1)
"""
# Like the act "sleeps": a program that says who it is, who runs it, and goes on for long.
SLEEPING_PROGRAM = """
import json, os, sys, time
pids = json.load(open(sys.argv[1]))["pids"]
open(pids + ".part", "w").write(f"{os.getppid()} {os.getpid()}")
os.rename(pids + ".part", pids)
time.sleep(600)
"""


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the parent is killed on purpose
@pytest.mark.parametrize(
    "settings",
    [
        {"entry_point": ENTRY_POINT},
        {"command": [sys.executable, "sleeping.py", "{document}"]},
    ],
    ids=["entry point", "command"],
)
def test_workers_and_their_children_end_when_the_run_is_killed(
    root: Path, settings: dict[str, Any]
) -> None:
    (root / "sleeping.py").write_text(SLEEPING_PROGRAM)
    script = [sys.executable, "-c", PARENT, str(root), json.dumps(settings)]
    with subprocess.Popen([*script, json.dumps(act("sleeps"))], cwd=PROJECT) as parent:
        pids = [int(pid) for n in range(2) for pid in wait_for_text(root / f"{n}.pids").split()]
        assert len(pids) == 4
        assert all(is_running(pid) for pid in pids)
        parent.kill()
        parent.wait()
    for pid in pids:
        assert_ends(pid)
