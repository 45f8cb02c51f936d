"""All faults at once and kills all the while: a run ends as one that nobody disturbed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pycountry
import pytest

from ingest.dev_server.faults import KINDS, Faults
from ingest.dev_server.jobs import document_digest
from ingest.executors.run_api.journal import SubmissionJournal, journal_path
from ingest.plugins.manager import load_plugins
from ingest.study.compose import compose_scenarios
from ingest.study.settings import STUDY_FILE, load_settings
from ingest.study.study import load_study
from tests.cloud.driving import LIMIT_S, digests, options, run, select, served
from tests.conftest import StudyFolder, scenario
from tests.effort import examples

pytestmark = pytest.mark.slow

COUNTRIES, SCENARIOS = examples(8, 62), examples(4, 8)
JOBS = COUNTRIES * SCENARIOS
KILLS = examples(6, 60)
# Faults that are a job's or a server's own end: each makes a job fail, and is told.
ENDS = {"job-failed", "job-stuck", "status-lost"}


@pytest.fixture
def large_study(study: StudyFolder) -> StudyFolder:
    codes = [country.alpha_3 for country in pycountry.countries]
    study.write_countries(*sorted(codes)[:COUNTRIES])
    for number in range(SCENARIOS - 2):
        study.write_json(f"scenarios/s{number}.json", scenario(0.1 * (number + 1)))
    return study


@pytest.mark.parametrize("seed", range(examples(1, 2)))
def test_a_campaign_of_kills_and_faults_ends_as_an_undisturbed_run(
    large_study: StudyFolder, seed: int
) -> None:
    dice = random.Random(seed)
    study = large_study
    assert run(study, "--database", "alone.db")[0] == 0
    with served(study, faults=Faults(retry_after_s=0.02, seed=seed), job_time_s=0.05) as server:
        given = options(server, *_QUICK)
        for _ in range(KILLS):
            server.change_faults(rates=_rates(dice))
            _kill_amid(study, given, dice)
        server.change_faults(rates={})
        told = [run(study, *given) for _ in range(3)]
        documents = Counter(server.counts()["documents"])
        _differences_are_told(study)
        _only_made_up_for_is_missed(study, *given[2:])
    assert told[-1][0] == 0, [text[-2000:] for _, text in told]
    assert digests(study.database) == digests(study.root / "alone.db")
    assert len(documents) == JOBS
    _all_is_told(study, documents)
    assert _counters_are_right(study)


def _rates(dice: random.Random) -> dict[str, float]:
    """Five kinds of faults at 0.2 to 0.5, a job's own end at a tenth of that."""
    kinds = dice.sample(sorted(KINDS), 5)
    return {kind: dice.uniform(0.2, 0.5) / (10 if kind in ENDS else 1) for kind in kinds}


_QUICK = (
    "run.poll_interval_max_s=0.3",
    "run.retry_delay_s=0.05",
    "run.job_timeout_s=2",
    "run.unknown_limit_s=2",
    "run.unreachable_limit_s=20",
    "analytics.lag_s=5",
    "analytics.incomplete=fail",  # so that the next run computes it, as it does what else failed
    "executors.run-api.submit_timeout_s=3",
)


def _kill_amid(study: StudyFolder, given: list[str], dice: random.Random) -> None:
    """Start a run and kill it at some moment: alone, with its submitter, or by SIGTERM."""
    command = [sys.executable, "-m", "ingest", "run", *given]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=study.root, stdout=quiet, stderr=quiet, process_group=0)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=dice.uniform(0.3, 3.0))
    how = dice.choice(("run", "run", "both", "terminate"))
    if how == "both":
        submitter = SubmissionJournal(journal_path(study.database)).holder()
        if submitter:
            with contextlib.suppress(ProcessLookupError):
                os.kill(submitter, signal.SIGKILL)
    process.send_signal(signal.SIGTERM if how == "terminate" else signal.SIGKILL)
    process.wait(timeout=LIMIT_S)


def _only_made_up_for_is_missed(study: StudyFolder, *given: str) -> None:
    """A backfill fills what it can; a job that never had results was run again with success."""
    command = [sys.executable, "-m", "ingest", "backfill", "--json", *given]
    ended = subprocess.run(command, cwd=study.root, capture_output=True, text=True)
    told = json.loads(ended.stdout)
    assert ended.returncode == (1 if told["missed"] else 0), ended.stderr
    made_up_for = select(
        study.database,
        """SELECT job.ulid FROM job_results AS job JOIN job_results AS later
            USING (country, scenario, input_digest)
            WHERE later.run_id > job.run_id AND later.job_status = 'success'""",
    )
    missed = {job["ulid"] for cause in told["causes"] for job in cause["jobs"]}
    assert len(missed) == told["missed"]
    assert missed <= {ulid for (ulid,) in made_up_for}, told["causes"]


def _differences_are_told(study: StudyFolder) -> None:
    """Whatever differs from the undisturbed run is marked as incomplete."""
    other = set(digests(study.database)) - set(digests(study.root / "alone.db"))
    marked = select(
        study.database,
        "SELECT country, scenario FROM latest_results WHERE error_kind = 'incomplete'",
    )
    assert {row[:2] for row in other} <= set(marked)


def _all_is_told(study: StudyFolder, documents: Counter[str]) -> None:
    """A document is accepted once, and again only where another attempt at it is stored."""
    query = "SELECT country, scenario, sum(attempts) FROM job_results GROUP BY 1, 2"
    attempts = {(country, scenario): n for country, scenario, n in select(study.database, query)}
    accepted = {
        combination: documents[document_digest(document)]
        for combination, document in _documents(study)
    }
    assert sum(accepted.values()) == documents.total()
    assert min(accepted.values()) >= 1
    assert {pair: n for pair, n in accepted.items() if n > attempts[pair]} == {}


def _documents(study: StudyFolder) -> Iterator[tuple[tuple[str, str], bytes]]:
    settings, _ = load_settings(study.root / STUDY_FILE, {})
    loaded, _ = load_study(settings, load_plugins().hook)
    for name, composed in compose_scenarios(loaded.model, loaded.scenarios).items():
        for country in loaded.countries:
            yield (country.iso3, name), composed.document(country.iso3)


def _counters_are_right(study: StudyFolder) -> bool:
    """Whether each run's counters are those of its jobs."""
    wrong = select(
        study.database,
        """SELECT run_id FROM validation_runs AS r
            WHERE (total_jobs, successful_jobs) <> (
                  SELECT count(*), coalesce(sum(job_status = 'success'), 0)
                    FROM job_results AS j WHERE j.run_id = r.run_id)""",
    )
    return wrong == []
