"""What has to run and why: pure, from the inputs as they are now and the stored ones handed in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ingest.planning.causes import Cause, ChangeFinder
from ingest.planning.code_history import FileLookup, no_file
from ingest.planning.inputs import ContentLookup, Inputs, InputSet
from ingest.study.combination import Combination
from ingest.study.json_files import sha256_text

if TYPE_CHECKING:
    from ingest.study.compose import ComposedScenario
    from ingest.study.study import Study


class ReasonKind(StrEnum):
    """Why a combination runs, for machines."""

    UNFINISHED = "unfinished"
    INPUT = "input"
    CODE = "code"
    ENVIRONMENT = "environment"
    COMMIT = "commit"
    FAILED = "failed"
    NO_METRICS = "no-metrics"
    NEVER_RUN = "never-run"
    FORCED = "forced"


@dataclass(frozen=True)
class Reason:
    """Why a combination runs: a kind, and words that name what changed; cause: all of it."""

    kind: ReasonKind
    text: str
    cause: Cause | None = None

    @classmethod
    def of(cls, kind: ReasonKind, cause: Cause, scenarios: Sequence[str] = ()) -> Reason:
        """The reason that a cause is, for all of these scenarios (its own where none is given)."""
        return cls(kind, cause.reason(scenarios or [cause.scenario]), cause)


class StoredSuccess(NamedTuple):
    """The newest success of a combination; inputs is None where they were not recorded.

    source: the analytics source of its run, None where that was not recorded.
    """

    run_id: int
    git_commit: str
    has_metrics: bool
    inputs: Inputs | None
    source: str | None = None


class StoredFailure(NamedTuple):
    """The newest job of a combination, when it was no success."""

    run_id: int
    job_status: str


class UnfinishedJob(NamedTuple):
    """A job of a run that was cut off, with the digest of the inputs it was begun for."""

    run_id: int
    input_digest: str


EarlierLookup = Callable[[Combination, Inputs], int | None]
"""The newest run in which a combination succeeded with such inputs, None where none did."""


@dataclass(frozen=True)
class StoredState:
    """What the database knows about combinations.

    content: an input's content by digest. file: the content of a code or data file by digest.
    """

    successes: Mapping[Combination, StoredSuccess]
    failures: Mapping[Combination, StoredFailure]
    unfinished: Mapping[Combination, UnfinishedJob]
    content: ContentLookup
    earlier: EarlierLookup = lambda combination, inputs: None
    file: FileLookup = no_file


EMPTY_STATE = StoredState({}, {}, {}, lambda digest: None)


@dataclass(frozen=True)
class PlannedJob:
    """A combination that has to run, with its inputs and the reason."""

    combination: Combination
    inputs: Inputs
    reason: Reason


@dataclass(frozen=True)
class RestoredJob:
    """A combination whose inputs were computed before: it takes the result of that run."""

    combination: Combination
    inputs: Inputs
    run_id: int


@dataclass(frozen=True)
class Plan:
    """to_run in the order of submission; up_to_date: combinations that need nothing.

    A plan of failed jobs alone has nothing up to date: the other combinations are not looked at.
    newly_covered: files that the results so far did not record; they are taken to be of these files
    as they are now.
    """

    to_run: tuple[PlannedJob, ...]
    up_to_date: tuple[Combination, ...]
    restored: tuple[RestoredJob, ...] = ()
    newly_covered: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many combinations were looked at."""
        return len(self.to_run) + len(self.up_to_date) + len(self.restored)

    def restored_by_run(self) -> dict[int, list[Combination]]:
        """The combinations to restore by the run that computed them, the newest run first."""
        groups: dict[int, list[Combination]] = {}
        for job in sorted(self.restored, key=lambda job: -job.run_id):
            groups.setdefault(job.run_id, []).append(job.combination)
        return groups

    def by_reason(self) -> dict[Reason, list[Combination]]:
        """The combinations to run, grouped by reason, the largest group first.

        Scenarios that changed in the same way have one reason together.
        """
        groups: dict[tuple[ReasonKind, str], list[PlannedJob]] = {}
        for job in self.to_run:
            cause = job.reason.cause
            key = (job.reason.kind, cause.key if cause else job.reason.text)
            groups.setdefault(key, []).append(job)
        largest_first = sorted(groups.values(), key=lambda group: -len(group))
        return {
            _shared_reason(group): [job.combination for job in group] for group in largest_first
        }


def _shared_reason(jobs: Sequence[PlannedJob]) -> Reason:
    first = jobs[0].reason
    scenarios = list(dict.fromkeys(job.combination.scenario for job in jobs))
    return Reason.of(first.kind, first.cause, scenarios) if first.cause else first


@dataclass(frozen=True)
class PlanRules:
    """How strict a plan is.

    triggers: as in run.rerun_triggers; commit: HEAD as it is now; ignore: as in study.ignore;
    source: as analytics.source is now.
    """

    triggers: frozenset[str] = frozenset({"input", "code", "environment"})
    commit: str = "unknown"
    source: str = "executor"
    force: bool = False
    only_failed: bool = False
    ignore: tuple[str, ...] = ()
    reuse: bool = True


def make_plan(
    wanted: Mapping[Combination, Inputs],
    stored: StoredState,
    rules: PlanRules,
    contents: ContentLookup,
    files: FileLookup = no_file,
    row_files: Mapping[str, str] = MappingProxyType({}),
) -> Plan:
    """The plan for the wanted combinations, in their order.

    contents, files: content of an input or a file as it is now, by digest, to name what changed.
    row_files: digests of the files of country data as they are now.
    """
    changes = ChangeFinder(stored.content, contents, rules.ignore, stored.file, files, row_files)
    to_run, up_to_date, restored = [], [], []
    for combination, inputs in wanted.items():
        reason = _reason(combination, inputs, stored, rules, changes)
        earlier = _run_to_restore(combination, inputs, reason, stored, rules)
        if earlier is not None:
            restored.append(RestoredJob(combination, inputs, earlier))
        elif reason is not None:
            to_run.append(PlannedJob(combination, inputs, reason))
        elif not rules.only_failed:
            up_to_date.append(combination)
    return Plan(
        tuple(to_run), tuple(up_to_date), tuple(restored), _newly_covered(restored, stored, changes)
    )


def _newly_covered(
    restored: Iterable[RestoredJob], stored: StoredState, changes: ChangeFinder
) -> tuple[str, ...]:
    """The files that results did not record and that they are taken to be of."""
    pairs = set()
    for job in restored:
        success = stored.successes.get(job.combination)
        if success is not None and success.inputs is not None and success.run_id == job.run_id:
            old, new = success.inputs, job.inputs
            codes = old.shared.code_digest, new.shared.code_digest
            pairs.add((*codes, old.country_data_digest, new.country_data_digest))
    return tuple(sorted({file for pair in pairs for file in changes.unrecorded(*pair)}))


def _run_to_restore(
    combination: Combination,
    inputs: Inputs,
    reason: Reason | None,
    stored: StoredState,
    rules: PlanRules,
) -> int | None:
    """The run whose result a combination takes; None where it has to run, or needs nothing."""
    if rules.only_failed:
        return None
    if reason is None:
        if "input" not in rules.triggers:
            return None
        success = stored.successes[combination]
        return success.run_id if _is_of_another_model(success, inputs, rules) else None
    if rules.reuse and reason.kind in _RESTORED_KINDS:
        return stored.earlier(combination, inputs)
    return None


_RESTORED_KINDS = {ReasonKind.INPUT, ReasonKind.CODE, ReasonKind.ENVIRONMENT, ReasonKind.FAILED}


def _is_of_another_model(success: StoredSuccess, inputs: Inputs, rules: PlanRules) -> bool:
    """Whether inputs changed in places that decide nothing for this combination.

    A value that its document is without, or files that an earlier code version did not cover.
    """
    if success.inputs is None or success.inputs == inputs:
        return False
    old, new = success.inputs.shared, inputs.shared
    same_code = "code" in rules.triggers or old.code_digest == new.code_digest
    same_rest = old.environment == new.environment
    is_same = (
        old.has_model_of(new)
        and (old.code_digest, old.scenario_digest) == (new.code_digest, new.scenario_digest)
        and old.query_digest == new.query_digest
        and success.inputs.country_data_digest == inputs.country_data_digest
    )
    return same_code and same_rest and not is_same


def _reason(
    combination: Combination,
    inputs: Inputs,
    stored: StoredState,
    rules: PlanRules,
    changes: ChangeFinder,
) -> Reason | None:
    """Why a combination has to run, or None when it is up to date."""
    failure = stored.failures.get(combination)
    if rules.only_failed:
        return _failed(failure) if failure else None
    unfinished = stored.unfinished.get(combination)
    if unfinished and unfinished.input_digest == inputs.digest:
        return Reason(ReasonKind.UNFINISHED, f"left over from run {unfinished.run_id}")
    if rules.force:
        return Reason(ReasonKind.FORCED, "--force")
    success = stored.successes.get(combination)
    if success is None:
        return _failed(failure) if failure else Reason(ReasonKind.NEVER_RUN, "never run")
    if not success.has_metrics:
        return Reason(ReasonKind.NO_METRICS, f"success without metrics in run {success.run_id}")
    return _changed(success, inputs, combination.country, rules, changes)


def _failed(failure: StoredFailure) -> Reason:
    words = {"timeout": "timed out", "cancelled": "cancelled"}
    text = words.get(failure.job_status, failure.job_status)
    return Reason(ReasonKind.FAILED, f"{text} in run {failure.run_id}")


def _changed(
    success: StoredSuccess, inputs: Inputs, country: str, rules: PlanRules, changes: ChangeFinder
) -> Reason | None:
    """Which of the inputs that count differ from those of the newest success."""
    old = success.inputs
    if old is None:
        return Reason(ReasonKind.INPUT, f"inputs of run {success.run_id} were not recorded")
    if old == inputs and "commit" not in rules.triggers:
        return None
    before, now = old.shared, inputs.shared
    if "input" in rules.triggers:
        is_other = old.document_digest != inputs.document_digest
        if is_other and not changes.is_same_input(before, now, country):
            return _document_reason(changes.of_documents(before, now))
        query = _query_cause(success, before, now, rules, changes)
        if query.changes:
            return Reason.of(ReasonKind.INPUT, query)
        if old.country_data_digest != inputs.country_data_digest:
            digests = old.country_data_digest, inputs.country_data_digest
            cause = changes.of_country_data(country, before.code_digest, *digests)
            if cause.changes:
                return Reason.of(ReasonKind.INPUT, cause)
    if "code" in rules.triggers and before.code_digest != now.code_digest:
        cause = changes.of_code(before.code_digest, now.code_digest)
        if cause.changes:
            return Reason.of(ReasonKind.CODE, cause)
    if "environment" in rules.triggers and before.environment != now.environment:
        text = f"environment changed ({before.environment} -> {now.environment})"
        return Reason(ReasonKind.ENVIRONMENT, text)
    if "commit" in rules.triggers and success.git_commit != rules.commit:
        text = f"commit changed ({success.git_commit[:7]} -> {rules.commit[:7]})"
        return Reason(ReasonKind.COMMIT, text)
    return None


def _query_cause(
    success: StoredSuccess, before: InputSet, now: InputSet, rules: PlanRules, changes: ChangeFinder
) -> Cause:
    """What of the analytics query and its source is another; what was not recorded is not."""
    if before.query_digest == now.query_digest:
        return Cause(())
    sources = (success.source or rules.source, rules.source)
    return changes.of_query(before.query_digest, now.query_digest, sources)


def _document_reason(cause: Cause) -> Reason:
    if not cause.changes:
        return Reason(ReasonKind.INPUT, "composition of the document changed")
    return Reason.of(ReasonKind.INPUT, cause)


def wanted_inputs(
    study: Study, composed: Mapping[str, ComposedScenario], countries: Iterable[str]
) -> dict[Combination, Inputs]:
    """The inputs of each combination, scenario by scenario.

    composed: the chosen scenarios applied to the model, by name. countries: the chosen ISO3 codes.
    """
    iso3_codes = list(countries)
    shared = input_sets_of(study)
    rows = {iso3: study.country_data.digest(iso3) for iso3 in iso3_codes}
    return {
        Combination(iso3, name): Inputs(shared[name], scenario.document_digest(iso3), rows[iso3])
        for name, scenario in composed.items()
        for iso3 in iso3_codes
    }


def input_sets_of(study: Study) -> dict[str, InputSet]:
    """What the combinations of each scenario of a study share, by the scenario's name."""
    query_digest = sha256_text(study.query)
    model = study.model
    return {
        scenario.name: InputSet(
            scenario=scenario.name,
            model_digest=model.digest,
            scenario_digest=scenario.digest,
            code_digest=study.code.digest,
            environment=study.settings.study.environment,
            query_digest=query_digest,
            model_identity="" if model.input_digest == model.digest else model.input_digest,
        )
        for scenario in study.scenarios
    }


def study_contents(study: Study) -> dict[str, tuple[str, str]]:
    """Kind and content (canonical JSON) of each input of a study, by digest."""
    contents = {
        sha256_text(study.query): ("query", study.query),
        study.model.digest: ("model", study.model.content),
        study.code.digest: ("code", study.code.content),
    }
    for scenario in study.scenarios:
        contents[scenario.digest] = ("scenario", scenario.content)
    if study.country_data.files:
        for country in study.countries:
            rows = study.country_data.content(country.iso3)
            contents[sha256_text(rows)] = ("country data", rows)
    for kind, content in study.lists.items():
        contents[sha256_text(content)] = (kind, content)
    return contents


def list_digests(study: Study) -> dict[str, str]:
    """The digests of what a study consists of and calls things, by kind."""
    return {kind: sha256_text(content) for kind, content in study.lists.items()}


def content_lookup(contents: Mapping[str, tuple[str, str]]) -> ContentLookup:
    """Parsed content by digest, None for what is not known."""

    def look_up(digest: str) -> Any:
        return json.loads(contents[digest][1]) if digest in contents else None

    return look_up
