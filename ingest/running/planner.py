"""RunPlanner: from a study's files to the plan, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ingest.database import ValidationDatabase
from ingest.errors import StudyError
from ingest.findings import Finding, has_errors, warning
from ingest.planning.inputs import Inputs, InputSet
from ingest.planning.list_changes import list_changes
from ingest.planning.plan import (
    Plan,
    PlanRules,
    StoredState,
    content_lookup,
    input_sets_of,
    make_plan,
    study_contents,
    wanted_inputs,
)
from ingest.study.combination import Combination, select_names
from ingest.study.compose import ComposedScenario, compose_scenarios, composition_findings
from ingest.study.country import Country
from ingest.study.file_contents import FileContents
from ingest.study.git import GitState
from ingest.study.scenario import Scenario
from ingest.study.study import Study
from ingest.text.numbers import at_most, count_text

_SHOWN_FILES = 5


def _is_same(now: InputSet, stored: InputSet) -> bool:
    """Whether what decides the results of a scenario is as it was."""
    rest = [replace(shared, model_digest="", model_identity="") for shared in (now, stored)]
    return rest[0] == rest[1] and now.has_model_of(stored)


@dataclass(frozen=True)
class Selection:
    """Which combinations are looked at, and how strictly; patterns are comma lists or globs."""

    countries: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    force: bool = False
    only_failed: bool = False
    reuse: bool = True
    """Whether results that were computed before for the same inputs are taken."""


class RunPlanner:
    """Plans one run of a study against what its database holds; changes nothing."""

    def __init__(
        self,
        study: Study,
        database: ValidationDatabase,
        git: GitState,
        selection: Selection = Selection(),
    ) -> None:
        self.study = study
        self.git = git
        self.selection = selection
        self.findings: list[Finding] = []
        """Warnings found while composing."""
        self._database = database
        self._composed: dict[str, ComposedScenario] = {}

    def discover_scenarios(self) -> list[Scenario]:
        """The chosen scenarios. Raises ConfigError for one that does not exist."""
        by_name = {scenario.name: scenario for scenario in self.study.scenarios}
        return [by_name[n] for n in select_names(self.selection.scenarios, by_name, "scenario")]

    def load_countries(self) -> list[Country]:
        """The chosen countries. Raises ConfigError for one that does not exist."""
        by_iso3 = {country.iso3: country for country in self.study.countries}
        chosen = select_names(
            self.selection.countries,
            by_iso3,
            "country",
            describe=lambda iso3: f"{iso3} ({by_iso3[iso3].name})",
        )
        return [by_iso3[iso3] for iso3 in chosen]

    def generate_all_combinations(self) -> dict[Combination, Inputs]:
        """Every chosen combination with its inputs. Raises StudyError when composing fails."""
        scenarios, countries = self.discover_scenarios(), self.load_countries()
        self._composed = compose_scenarios(self.study.model, scenarios)
        unmatched = self.study.settings.study.unmatched_paths
        self.findings = composition_findings(list(self._composed.values()), unmatched)
        if has_errors(self.findings):
            raise StudyError(self.findings)
        return wanted_inputs(self.study, self._composed, [c.iso3 for c in countries])

    def filter_combinations_needing_rerun(
        self, combinations: Mapping[Combination, Inputs], stored: StoredState
    ) -> Plan:
        """The plan: which of the combinations have to run, and why."""
        rules = PlanRules(
            triggers=frozenset(self.study.settings.run.rerun_triggers),
            commit=self.git.commit,
            source=self.study.settings.analytics.source,
            force=self.selection.force,
            only_failed=self.selection.only_failed,
            ignore=self.study.settings.study.ignore,
            reuse=self.selection.reuse,
        )
        contents = content_lookup(study_contents(self.study))
        row_files = {file.name: file.digest for file in self.study.country_data.files}
        files = FileContents(self.study).read
        plan = make_plan(combinations, stored, rules, contents, files, row_files)
        if plan.newly_covered:
            self.findings.append(_taken_for_granted(plan))
        return plan

    def plan(self) -> Plan:
        """All planning steps: what would run now, and why.

        Raises OtherStudyError: the results are of another study.
        """
        self._database.refuse_other_study(self.study.name)
        return self.filter_combinations_needing_rerun(
            self.generate_all_combinations(), self._database.stored_state()
        )

    def study_changes(self) -> list[str]:
        """What the study consists of or calls otherwise than at the newest run, a line each."""
        stored = self._database.stored_lists()
        return list_changes(stored, self.study.rows) if stored else []

    def inputs_changed(self) -> bool:
        """Whether the study has other inputs than at the newest run, whatever runs of it."""
        now = input_sets_of(self.study)
        stored = {shared.scenario: shared for shared in self._database.stored_input_sets()}
        return now.keys() != stored.keys() or not all(_is_same(now[n], stored[n]) for n in now)

    def end_year(self, combination: Combination) -> int | None:
        """The first year after the horizon of a combination's document, where it names one."""
        composed = self._composed.get(combination.scenario)
        return composed.years[1] if composed else None

    def compose_document(self, combination: Combination) -> bytes:
        """The model document of a combination that was generated, as UTF-8 JSON."""
        return self._composed[combination.scenario].document(combination.country)


def _taken_for_granted(plan: Plan) -> Finding:
    files = plan.newly_covered
    message = (
        f"{count_text(len(files), 'file')} that earlier runs did not record: "
        f"{at_most(files, _SHOWN_FILES)}. Results so far are taken to be of these "
        "files as they are now. If one has changed since, run: ingest run --force"
    )
    return warning("taken-for-granted", "", message)
