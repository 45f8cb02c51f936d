"""Calling a study's model on one document: a Python entry point, or a command in any language."""

from __future__ import annotations

import contextlib
import importlib
import json
import operator
import os
import select
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from ingest.text.foreign import shorten_middle

EntryPoint = Callable[[Any], Iterable[tuple[str, int, float]]]
DOCUMENT_PLACEHOLDER, RESULT_PLACEHOLDER = "{document}", "{result}"
_SUMMARY_LETTERS = 1_000
# A forked process comes back in a moment; one that takes longer works on something of its own.
_FORK_WAIT_S = 0.2
_FORKED = (
    "the model forked, and the forked process came back out of it: use multiprocessing, or end it "
    "with os._exit()"
)


class ModelError(Exception):
    """The model failed on one document; str(error) is one line.

    Not an IngestError: executors turn it into the job's fault.
    """


class Stopped(BaseException):
    """This process is told to end, whatever the model does: no error of the model's.

    Not an IngestError, nor an Exception, so that no model catches it.
    """


class ModelCrashError(ModelError):
    """The model was killed (by the system when memory ran out, say): another attempt may pass."""


def load_entry_point(entry_point: str, root: Path) -> EntryPoint:
    """The function that "module:function" names, found with the study's folder first on sys.path.

    Modules that are loaded by then stay what they are: the study's json.py does not replace
    Python's. A module of another study that has the entry point's name is loaded no more.
    Raises ModelError: not of that form, no such module or function, a module that hides
    behind another of its name, or an error while importing.
    """
    module_name, colon, function_name = entry_point.partition(":")
    if not (module_name and colon and function_name):
        raise ModelError(f'entry_point {entry_point!r} is not of the form "module:function"')
    folder = str(root.resolve())
    sys.path[:] = [folder, *(place for place in sys.path if place != folder)]
    package = module_name.partition(".")[0]
    if package in sys.modules and _hides(root, package, sys.modules[package]):
        if package in sys.stdlib_module_names or package == "ingest":
            raise ModelError(
                f"entry_point {entry_point!r}: ingest or Python has a module {package} of its own: "
                f"rename the study's {package}.py"
            )
        for name in [n for n in sys.modules if n == package or n.startswith(package + ".")]:
            del sys.modules[name]  # the model of another study
    try:
        with _one_process():
            module = importlib.import_module(module_name)
    except (ModelError, Stopped):
        raise
    except BaseException as exc:
        summary = error_summary(exc, root)
        raise ModelError(f"entry_point {entry_point!r} cannot be imported: {summary}") from exc
    function = getattr(module, function_name, None)
    if not callable(function):
        raise ModelError(f"entry_point {entry_point!r}: {module_name} has no {function_name}()")
    return function  # type: ignore[no-any-return]  # its signature is the study's promise


def module_path(entry_point: str) -> str:
    """The file that the module of an entry point was loaded from, its name where it has none."""
    name = entry_point.partition(":")[0]
    module = sys.modules.get(name)
    return getattr(module, "__file__", None) or name


def command_path(command: Sequence[str], root: Path) -> str:
    """The program that a command runs, and the files of the study among its arguments."""
    program = shutil.which(command[0], path=os.environ.get("PATH")) or str(root / command[0])
    files = (root / argument for argument in command[1:] if "{" not in argument)
    return " ".join([program, *(str(file) for file in files if file.is_file())])


def _hides(root: Path, name: str, module: ModuleType) -> bool:
    """Whether a study's folder has a module of this name that a loaded one hides."""
    folder = root.resolve()
    file = getattr(module, "__file__", None)
    is_own = file is not None and Path(file).resolve().is_relative_to(folder)
    places = (folder / f"{name}.py", folder / name / "__init__.py")
    return not is_own and any(place.is_file() for place in places)


def call_entry_point(function: EntryPoint, document: bytes, root: Path) -> bytes:
    """What the entry point yields for one document, as a JSON array of records.

    Raises ModelError: an exception in the model (type, message, place), or a yield of wrong form.
    """
    records = []
    try:
        with _one_process():
            for row in _rows(function(json.loads(document))):
                try:
                    records.append(_record(row))
                except (TypeError, ValueError, OverflowError) as exc:
                    raise ModelError(_wrong_yield(len(records) + 1, row, exc)) from exc
    except (ModelError, Stopped):
        raise
    except BaseException as exc:
        traceback.print_exc()
        raise ModelError(error_summary(exc, root)) from exc
    return json.dumps(records).encode()


@contextmanager
def _one_process() -> Iterator[None]:
    """Nothing but this process comes out: one that the model forked within ends here.

    Raises ModelError where one did: it would have answered for this job, and taken the next ones.
    """
    pid = os.getpid()
    reading, writing = os.pipe()
    try:
        yield
    finally:
        if os.getpid() != pid:
            with contextlib.suppress(OSError):  # the model closed it, or nobody listens any more
                os.write(writing, b"!")
            os._exit(1)
        came_back = _is_told(reading, writing)
        if came_back:
            raise ModelError(_FORKED)


def _is_told(reading: int, writing: int) -> bool:
    """Whether a forked process says that it came back; the pipe is closed.

    Without one the pipe ends at once: nobody else holds the end that is written to.
    """
    with contextlib.suppress(OSError):  # a model that closes what it did not open
        os.close(writing)
        is_over = select.select([reading], [], [], _FORK_WAIT_S)[0]
        told = bool(is_over) and os.read(reading, 1) != b""
        os.close(reading)
        return told
    return False


def _rows(answer: Any) -> Iterable[Any]:
    if not isinstance(answer, Iterable):
        raise ModelError(f"the model gave {answer!r:.60}, no rows of (label, year, value)")
    return answer


def _record(row: Any) -> dict[str, Any]:
    label, year, value = row
    if not isinstance(label, str) or isinstance(value, bool):
        raise TypeError("a label is a text, a value a number")
    if not isinstance(year, float):
        year = operator.index(year)
    return {"element_label": label, "timestamp_year": year, "value": float(value)}


def _wrong_yield(number: int, row: Any, error: Exception) -> str:
    return f"row {number} of the model is {row!r:.80}, not (label, year, value): {error}"


def error_summary(error: BaseException, root: Path) -> str:
    """Type, message and the innermost place in the study's own files, on one line."""
    message = shorten_middle(" ".join(_text_of(error).split()), _SUMMARY_LETTERS)
    summary = f"{type(error).__name__}: {message}" if message else type(error).__name__
    root = root.resolve()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(root) and "site-packages" not in path.parts:
            return f"{summary} ({path.relative_to(root)}:{frame.lineno})"
    return summary


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as exc:  # noqa: BLE001  # an exception class of the model's own
        return f"(its text cannot be shown: {type(exc).__name__})"


def run_command(
    command: Sequence[str], document: bytes, root: Path, folder: Path | None = None
) -> bytes:
    """The result file that a command writes for one document, CSV or JSON as it is.

    command: program and arguments; {document} and {result} in them become the files' paths.
    folder: where the two files are put for the time being; the system's where not given.
    It runs in the study's folder; what it prints goes to this process's own output.
    Raises ModelError: no such program, an exit status other than 0, no result file.
    Raises ModelCrashError: the program was killed by a signal.
    """
    with TemporaryDirectory(prefix="job-", dir=folder, ignore_cleanup_errors=True) as place:
        document_path, result_path = Path(place, "document.json"), Path(place, "result.csv")
        document_path.write_bytes(document)
        paths = {DOCUMENT_PLACEHOLDER: str(document_path), RESULT_PLACEHOLDER: str(result_path)}
        arguments = [_filled(argument, paths) for argument in command]
        try:
            status = subprocess.run(
                arguments, cwd=root, stdin=subprocess.DEVNULL, check=False
            ).returncode
        except OSError as exc:
            raise ModelError(f"command {arguments[0]!r} cannot be run: {exc.strerror}") from exc
        if status != 0:
            kind = ModelCrashError if status < 0 else ModelError
            raise kind(f"command {arguments[0]!r} {describe_exit(status)}")
        if not result_path.is_file():
            raise ModelError(f"command {arguments[0]!r} wrote no result to {RESULT_PLACEHOLDER}")
        return result_path.read_bytes()


def _filled(argument: str, paths: dict[str, str]) -> str:
    for placeholder, path in paths.items():
        argument = argument.replace(placeholder, path)
    return argument


def describe_exit(status: int) -> str:
    """A process's end in words: "exited with status 3" or "was killed by SIGSEGV"."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was killed by {name}"
