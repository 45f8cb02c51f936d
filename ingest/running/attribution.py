"""How much of a change of results each changed input makes alone; nothing is stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pluggy

from ingest.analytics.parse import parse_rows
from ingest.database.rows import read_dicts
from ingest.errors import ConfigError
from ingest.executors.base import Executor, Job, JobState, JobUpdate
from ingest.executors.job_name import name_job, new_ulid
from ingest.planning.inputs import Inputs, InputSet
from ingest.running.backend import choose_backend
from ingest.running.put_back import Piece, TwoStates
from ingest.study.combination import Combination
from ingest.study.study import Study
from ingest.temporary import TemporaryFolder
from ingest.text.numbers import quantity_text

_POLL_S = 0.25
_SAME = 1e-9  # relative: what a model gives when it is run again
Sums = dict[str, float]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Share:
    """What one input alone moved: change in the label's unit, share of the whole change.

    Both None where the model failed with this input alone; error says how.
    """

    cause: str
    change: float | None
    share: float | None
    error: str | None = None


@dataclass(frozen=True)
class LabelShares:
    """The shares of a label's change, its sum over the years before and after.

    interaction: what the inputs moved together beyond their own changes, None where one failed.
    """

    element_label: str
    before: float
    after: float
    causes: tuple[Share, ...]
    interaction: Share | None


@dataclass(frozen=True)
class Attribution:
    """The shares of each label; notes: what could not be put back, or differs when run again."""

    country: str
    scenario: str
    before_run: int
    after_run: int
    labels: tuple[LabelShares, ...]
    notes: tuple[str, ...]


def attribute(
    study: Study,
    plugins: pluggy.PluginManager,
    connection: sqlite3.Connection,
    combination: Combination,
    labels: Sequence[str],
    say: Say,
) -> Attribution:
    """The shares of the last change of a combination's inputs, each run alone on this machine.

    say: told what is run. Raises ConfigError: no such change, or too little was kept of it.
    """
    before, after = _last_change(connection, combination)
    states = TwoStates(study, connection, combination, before.inputs, after.inputs)
    movable = [piece for piece in states.pieces if piece.obstacle is None]
    fixed = [piece for piece in states.pieces if piece.obstacle is not None]
    if len(movable) < 2:
        known = "; ".join(piece.text for piece in states.pieces) or "no input"
        raise ConfigError(
            f"{combination}: one input that can be put back is the whole change between run "
            f"{before.run_id} and run {after.run_id}: {known}"
        )
    runner = _Runner(study, plugins, states, combination, say)
    always = frozenset(piece.name for piece in fixed)
    everything = always | {piece.name for piece in movable}
    steps = len(movable) + 2
    base = runner.sums(always, f"inputs of run {before.run_id}", steps)
    whole = runner.sums(everything, f"inputs of run {after.run_id}", steps)
    alone = [
        (piece, runner.try_sums(always | {piece.name}, piece.text, steps)) for piece in movable
    ]
    return Attribution(
        *combination,
        before.run_id,
        after.run_id,
        tuple(_shares(label, base, whole, alone) for label in labels),
        (
            *(f"not put back: {piece.text} ({piece.obstacle})" for piece in fixed),
            *_differences(connection, after, whole, labels),
            *([] if fixed else _differences(connection, before, base, labels)),
        ),
    )


@dataclass(frozen=True)
class _Success:
    run_id: int
    inputs: Inputs
    result_set_id: int


def _last_change(
    connection: sqlite3.Connection, combination: Combination
) -> tuple[_Success, _Success]:
    """The newest success, and the newest before it that had other inputs."""
    successes = [
        _Success(run_id, Inputs(InputSet(*shared), document, data), set_id)
        for run_id, set_id, document, data, *shared in connection.execute(_SUCCESSES, combination)
    ]
    now = next(iter(successes), None)
    other = next((s for s in successes if now and s.inputs != now.inputs), None)
    if now is None or other is None:
        raise ConfigError(f"{combination} has no change of inputs to share out")
    return other, now


_SUCCESSES = """
SELECT j.run_id, j.result_set_id, j.document_digest, coalesce(j.country_data_digest, ''),
       i.scenario, i.model_digest, i.scenario_digest, i.code_digest, i.environment, i.query_digest
  FROM job_results AS j JOIN input_sets AS i ON i.input_set_id = j.input_set_id
 WHERE j.country = ? AND j.scenario = ? AND j.job_status = 'success'
   AND j.document_digest IS NOT NULL AND j.result_set_id IS NOT NULL
 ORDER BY j.run_id DESC
"""


def _shares(
    label: str, base: Sums, whole: Sums, alone: Sequence[tuple[Piece, Sums | str]]
) -> LabelShares:
    before, after = base.get(label, 0.0), whole.get(label, 0.0)
    total = after - before
    causes = [_share(piece.text, sums, label, before, total) for piece, sums in alone]
    moved = [cause.change for cause in causes if cause.change is not None]
    interaction = None
    if len(moved) == len(causes):
        rest = total - sum(moved)
        rest = 0.0 if abs(rest) <= _SAME * max(abs(after), abs(before)) else rest
        interaction = Share("interaction", rest, rest / total if total else None)
    return LabelShares(label, before, after, tuple(causes), interaction)


def _share(text: str, sums: Sums | str, label: str, before: float, total: float) -> Share:
    if isinstance(sums, str):
        return Share(text, None, None, sums)
    change = sums.get(label, 0.0) - before
    return Share(text, change, change / total if total else None)


def _differences(
    connection: sqlite3.Connection, success: _Success, again: Sums, labels: Sequence[str]
) -> list[str]:
    """Labels whose stored sums are not those that the model gives when it is run again."""
    stored = {
        row["element_label"]: row["total"]
        for row in read_dicts(connection, _STORED_SUMS, success.result_set_id)
    }
    return [
        f"{label}: run {success.run_id} stored {quantity_text(stored.get(label))}, run again it "
        f"gives {quantity_text(again.get(label))}; the shares are of the numbers of now"
        for label in labels
        if abs(stored.get(label, 0.0) - again.get(label, 0.0))
        > _SAME * max(abs(stored.get(label, 0.0)), abs(again.get(label, 0.0)))
    ]


_STORED_SUMS = """
SELECT e.element_label, sum(m.value) AS total
  FROM metric_values AS m JOIN elements AS e ON e.element_id = m.element_id
 WHERE m.result_set_id = ? GROUP BY e.element_label
"""


class _Runner:
    """Runs mixtures of two states, each in a folder of its own."""

    def __init__(
        self,
        study: Study,
        plugins: pluggy.PluginManager,
        states: TwoStates,
        combination: Combination,
        say: Say,
    ) -> None:
        self._study, self._plugins = study, plugins
        self._states, self._combination = states, combination
        self._say = say
        self._count = 0

    def try_sums(self, new: frozenset[str], what: str, total: int) -> Sums | str:
        """As sums(); the first line of the error where the model fails with this mixture."""
        try:
            return self.sums(new, what, total)
        except ConfigError as exc:
            return str(exc).partition("\n")[0]

    def sums(self, new: frozenset[str], what: str, total: int) -> Sums:
        """Each label's sum over the years. Raises ConfigError: the model failed."""
        self._count += 1
        self._say(f"{self._count} of {total}: {what}")
        with TemporaryFolder("attribute") as place:
            self._states.fill(place, new)
            settings = self._study.settings
            local = replace(settings.run, executor="local")
            executors = {**settings.executors}
            executors["local"] = {**executors.get("local", {}), "workers": 1}
            here = replace(settings, root=place, run=local, executors=executors)
            executor = choose_backend(here, self._plugins).make_executor()
            try:
                executor.start()
                raw = self._result(executor, self._states.document(new))
            finally:
                executor.close()
        sums: Sums = {}
        for row in parse_rows(raw, is_whole=True):
            label = str(row.element_label)
            sums[label] = sums.get(label, 0.0) + float(row.value)
        return sums

    def _result(self, executor: Executor, document: bytes) -> bytes:
        ulid = new_ulid()
        job = Job(self._combination, ulid, name_job(self._study.name, ulid), document)
        list(executor.submit([job]))
        while True:
            for update in executor.poll([ulid], _POLL_S):
                if isinstance(update, JobUpdate) and update.state is JobState.SUCCEEDED:
                    return executor.fetch(ulid)
                if isinstance(update, JobUpdate) and update.state is JobState.FAILED:
                    raise ConfigError(update.fault.message if update.fault else "the model failed")
