"""What has to run and why: pure, from the inputs as they are now and the stored ones handed in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ingest.planning.code_history import CodeHistory, FileLookup, no_file
from ingest.planning.country_rows import country_changes
from ingest.planning.input_changes import (
    describe_changes,
    document_changes,
    parameter_changes,
)
from ingest.planning.inputs import ContentLookup, Inputs, InputSet
from ingest.study.combination import Combination
from ingest.study.json_files import canonical_json, sha256_text
from ingest.study.setting_fields import input_names

if TYPE_CHECKING:
    from ingest.study.compose import ComposedScenario
    from ingest.study.settings import AnalyticsSettings
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


class Reason(NamedTuple):
    """Why a combination runs: a kind, and words that name what changed."""

    kind: ReasonKind
    text: str


class StoredSuccess(NamedTuple):
    """The newest success of a combination; inputs is None where they were not recorded."""

    run_id: int
    git_commit: str
    has_metrics: bool
    inputs: Inputs | None


class StoredFailure(NamedTuple):
    """The newest job of a combination, when it was no success."""

    run_id: int
    job_status: str


class UnfinishedJob(NamedTuple):
    """A job of a run that was cut off, with the digest of the inputs it was begun for."""

    run_id: int
    input_digest: str


EarlierLookup = Callable[[Combination, str], int | None]
"""The newest run in which a combination succeeded with an input digest, None where none did."""


@dataclass(frozen=True)
class StoredState:
    """What the database knows about combinations.

    content: an input's content by digest. file: the content of a code or data file by digest.
    """

    successes: Mapping[Combination, StoredSuccess]
    failures: Mapping[Combination, StoredFailure]
    unfinished: Mapping[Combination, UnfinishedJob]
    content: ContentLookup
    earlier: EarlierLookup = lambda combination, digest: None
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
        """The combinations to run, grouped by reason, the largest group first."""
        groups: dict[Reason, list[Combination]] = {}
        for job in self.to_run:
            groups.setdefault(job.reason, []).append(job.combination)
        return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


@dataclass(frozen=True)
class PlanRules:
    """How strict a plan is: triggers as in run.rerun_triggers; commit is HEAD as it is now."""

    triggers: frozenset[str] = frozenset({"input", "code", "environment"})
    commit: str = "unknown"
    force: bool = False
    only_failed: bool = False
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
    describe = _Describer(stored, contents, files, row_files)
    to_run, up_to_date, restored = [], [], []
    for combination, inputs in wanted.items():
        reason = _reason(combination, inputs, stored, rules, describe)
        earlier = _run_to_restore(combination, inputs, reason, stored, rules)
        if earlier is not None:
            restored.append(RestoredJob(combination, inputs, earlier))
        elif reason is not None:
            to_run.append(PlannedJob(combination, inputs, reason))
        elif not rules.only_failed:
            up_to_date.append(combination)
    unrecorded = sorted(describe.unrecorded) if restored else ()
    return Plan(tuple(to_run), tuple(up_to_date), tuple(restored), tuple(unrecorded))


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
        return stored.earlier(combination, inputs.digest)
    return None


_RESTORED_KINDS = {ReasonKind.INPUT, ReasonKind.CODE, ReasonKind.ENVIRONMENT, ReasonKind.FAILED}


def _is_of_another_model(success: StoredSuccess, inputs: Inputs, rules: PlanRules) -> bool:
    """Whether inputs changed in places that decide nothing for this combination.

    A value that its document is without, or files that an earlier code version did not cover.
    """
    if success.inputs is None:
        return False
    old, new = success.inputs, inputs
    same_code = "code" in rules.triggers or old.shared.code_digest == new.shared.code_digest
    same_rest = (old.shared.environment, old.shared.query_digest) == (
        new.shared.environment,
        new.shared.query_digest,
    )
    is_same = (old.shared.model_version, old.shared.scenario_digest, old.country_data_digest) == (
        new.shared.model_version,
        new.shared.scenario_digest,
        new.country_data_digest,
    )
    return same_code and same_rest and not is_same


def _reason(
    combination: Combination,
    inputs: Inputs,
    stored: StoredState,
    rules: PlanRules,
    describe: _Describer,
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
    return _changed(success, inputs, combination.country, rules, describe)


def _failed(failure: StoredFailure) -> Reason:
    words = {"timeout": "timed out", "cancelled": "cancelled"}
    text = words.get(failure.job_status, failure.job_status)
    return Reason(ReasonKind.FAILED, f"{text} in run {failure.run_id}")


def _changed(
    success: StoredSuccess, inputs: Inputs, iso3: str, rules: PlanRules, describe: _Describer
) -> Reason | None:
    """Which of the inputs that count differ from those of the newest success."""
    old = success.inputs
    if old is None:
        return Reason(ReasonKind.INPUT, f"inputs of run {success.run_id} were not recorded")
    before, now = old.shared, inputs.shared
    if "input" in rules.triggers:
        if old.document_digest != inputs.document_digest:
            return Reason(ReasonKind.INPUT, describe.document(before, now))
        if before.query_digest != now.query_digest:
            return Reason(ReasonKind.INPUT, "analytics query changed")
        if old.country_data_digest != inputs.country_data_digest:
            text = describe.country_data(
                iso3, before.code_digest, old.country_data_digest, inputs.country_data_digest
            )
            if text:
                return Reason(ReasonKind.INPUT, text)
    if "code" in rules.triggers and before.code_digest != now.code_digest:
        text = describe.code(before.code_digest, now.code_digest)
        if text:
            return Reason(ReasonKind.CODE, text)
    if "environment" in rules.triggers and before.environment != now.environment:
        text = f"environment changed ({before.environment} -> {now.environment})"
        return Reason(ReasonKind.ENVIRONMENT, text)
    if "commit" in rules.triggers and success.git_commit != rules.commit:
        text = f"commit changed ({success.git_commit[:7]} -> {rules.commit[:7]})"
        return Reason(ReasonKind.COMMIT, text)
    return None


class _Describer:
    """Words for what changed, each made once however many combinations share it.

    unrecorded: files that stored results did not record and that count from now on.
    """

    def __init__(
        self,
        stored: StoredState,
        new: ContentLookup,
        files: FileLookup,
        row_files: Mapping[str, str],
    ) -> None:
        self._old, self._new = stored.content, new
        self._files = files
        self._row_files = row_files
        self._history = CodeHistory(stored.content, stored.file)
        self.unrecorded: set[str] = set()
        self.document = lru_cache(maxsize=None)(self._document)
        self.code = lru_cache(maxsize=None)(self._code)
        self.country_data = lru_cache(maxsize=None)(self._country_data)

    def _document(self, before: Any, now: Any) -> str:
        causes = []
        if before.model_digest != now.model_digest:
            old, new = self._old(before.model_digest), self._new(now.model_digest)
            details = describe_changes(document_changes(old, new), 2) if old is not None else ""
            causes.append(_with_details("model document changed", details))
        if before.scenario_digest != now.scenario_digest:
            old, new = self._old(before.scenario_digest), self._new(now.scenario_digest)
            details = describe_changes(parameter_changes(old, new), 2) if old is not None else ""
            causes.append(_with_details(f"scenario {now.scenario} changed", details))
        return " and ".join(causes) or "composition of the document changed"

    def _code(self, before: str, now: str) -> str:
        """Empty where the versions are the same as far as both cover the same files."""
        changes = self._history.changes(before, now, self._new, self._files)
        if not changes:
            self.unrecorded.update(self._history.newly_covered(before, self._new(now)))
            return ""
        return _with_details("code changed", describe_changes(changes, 3))

    def _country_data(self, iso3: str, code: str, before: str, now: str) -> str:
        """Empty where the rows are the same as far as it is known."""
        old, new = (
            look_up(digest) if digest else {}
            for look_up, digest in ((self._old, before), (self._new, now))
        )
        if old is None or new is None:
            return "country data changed"
        named = new.keys() - old.keys()
        self.unrecorded.update(n for n in named if self._history.known_file(code, n) is None)
        changes = country_changes(iso3, old, new, code, self._row_files, self._history)
        return describe_changes(changes, 3)


def _with_details(text: str, details: str) -> str:
    return f"{text} ({details})" if details else text


def query_content(settings: AnalyticsSettings) -> str:
    """What of the analytics settings decides a result, as canonical JSON; lists are sorted."""
    names = input_names(type(settings), settings.source)
    values = {name: getattr(settings, name) for name in names}
    return canonical_json({n: sorted(v) if isinstance(v, tuple) else v for n, v in values.items()})


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
    query_digest = sha256_text(query_content(study.settings.analytics))
    return {
        scenario.name: InputSet(
            scenario=scenario.name,
            model_digest=study.model.digest,
            scenario_digest=scenario.digest,
            code_digest=study.code.digest,
            environment=study.settings.study.environment,
            query_digest=query_digest,
        )
        for scenario in study.scenarios
    }


def study_contents(study: Study) -> dict[str, tuple[str, str]]:
    """Kind and content (canonical JSON) of each input of a study, by digest."""
    query = query_content(study.settings.analytics)
    contents = {
        sha256_text(query): ("query", query),
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
