"""The schema: numbered migrations of the tables with sqlite-utils, then the views anew.

What a released migration does to tables never changes.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from ingest.database.changes import RECOUNT
from ingest.database.connection import Database as Connected
from ingest.database.labels import fill_in_labels
from ingest.database.migrations import Migrations
from ingest.database.views import refresh_views

TABLES = (
    "validation_runs", "job_results", "input_sets", "inputs", "result_sets", "elements",
    "metric_values", "countries", "scenarios", "labels", "series_changes", "quality_findings",
    "run_tags", "reference_values", "model_versions", "run_inputs", "study_names", "other_series",
    "other_values", "file_contents", "study_settings", "reference_levels", "reference_facts",
)  # fmt: skip
"""Every table of ours; ingest.database.views has the names of the views."""

if TYPE_CHECKING:
    from sqlite_utils import Database

migrations = Migrations("ingest")

_FINAL = "'success', 'failed', 'timeout', 'cancelled'"


@migrations(name="m001_runs_jobs_and_metrics")
def _m001_runs_jobs_and_metrics(db: Database) -> None:
    """Runs, jobs and metrics in compact form, behind the names of the read contract."""
    _create_run_tables(db)
    _create_result_tables(db)
    _create_job_results(db)
    db.table("countries").create(
        {"iso3": str, "name": str, "region": str, "income_group": str}, pk="iso3", not_null={"name"}
    )
    db.table("scenarios").create(
        {"name": str, "label": str, "description": str, "file": str}, pk="name"
    )


def _create_run_tables(db: Database) -> None:
    db.execute(
        """CREATE TABLE validation_runs (
            run_id INTEGER PRIMARY KEY AUTOINCREMENT,
            timestamp TEXT NOT NULL,
            git_commit TEXT NOT NULL,
            status TEXT NOT NULL
                CHECK (status IN ('running', 'completed', 'failed', 'interrupted')),
            total_jobs INTEGER NOT NULL DEFAULT 0,
            successful_jobs INTEGER NOT NULL DEFAULT 0,
            failed_jobs INTEGER NOT NULL DEFAULT 0,
            up_to_date_jobs INTEGER NOT NULL DEFAULT 0,
            finished_at TEXT,
            git_branch TEXT,
            dirty_files TEXT,
            study TEXT,
            executor TEXT,
            ingest_version TEXT
        )"""
    )
    db.execute(
        """CREATE TABLE inputs (
            digest TEXT PRIMARY KEY,
            kind TEXT NOT NULL,
            content TEXT NOT NULL
        ) WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE input_sets (
            input_set_id INTEGER PRIMARY KEY,
            scenario TEXT NOT NULL,
            model_digest TEXT NOT NULL,
            scenario_digest TEXT NOT NULL,
            code_digest TEXT NOT NULL,
            environment TEXT NOT NULL,
            query_digest TEXT NOT NULL,
            UNIQUE (scenario, model_digest, scenario_digest, code_digest, environment, query_digest)
        )"""
    )


def _create_result_tables(db: Database) -> None:
    db.execute(
        """CREATE TABLE result_sets (
            result_set_id INTEGER PRIMARY KEY,
            digest TEXT NOT NULL UNIQUE,
            row_count INTEGER NOT NULL,
            first_year INTEGER NOT NULL,
            last_year INTEGER NOT NULL
        )"""
    )
    db.execute(
        """CREATE TABLE elements (
            element_id INTEGER PRIMARY KEY,
            element_label TEXT NOT NULL UNIQUE
        )"""
    )
    db.execute(
        """CREATE TABLE metric_values (
            result_set_id INTEGER NOT NULL REFERENCES result_sets (result_set_id),
            element_id INTEGER NOT NULL REFERENCES elements (element_id),
            timestamp_year INTEGER NOT NULL,
            value REAL NOT NULL,
            PRIMARY KEY (result_set_id, element_id, timestamp_year)
        ) WITHOUT ROWID"""
    )


def _create_job_results(db: Database) -> None:
    db.execute(
        f"""CREATE TABLE job_results (
            run_id INTEGER NOT NULL REFERENCES validation_runs (run_id),
            country TEXT NOT NULL,
            scenario TEXT NOT NULL,
            ulid TEXT NOT NULL,
            job_status TEXT NOT NULL CHECK (job_status IN ('submitted', 'running', {_FINAL})),
            submitted_at TEXT,
            completed_at TEXT,
            job_name TEXT,
            external_id TEXT,
            attempts INTEGER NOT NULL DEFAULT 0,
            duration_s REAL,
            reason_kind TEXT,
            reason TEXT,
            error_kind TEXT,
            error TEXT,
            notes TEXT,
            input_digest TEXT,
            document_digest TEXT,
            input_set_id INTEGER REFERENCES input_sets (input_set_id),
            result_set_id INTEGER REFERENCES result_sets (result_set_id),
            PRIMARY KEY (run_id, country, scenario)
        )"""
    )
    db.execute("CREATE INDEX job_results_combination ON job_results (country, scenario, run_id)")
    db.execute("CREATE INDEX job_results_result_set ON job_results (result_set_id)")


@migrations(name="m002_latest_metrics")
def _m002_latest_metrics(db: Database) -> None:
    """A change of views only, which are in ingest.database.views."""


@migrations(name="m003_changes_references_quality_and_tags")
def _m003_changes_references_quality_and_tags(db: Database) -> None:
    """What moved in each run, published figures, data-quality findings, and names of runs."""
    db.execute(
        """CREATE TABLE series_changes (
            run_id INTEGER NOT NULL REFERENCES validation_runs (run_id),
            country TEXT NOT NULL,
            scenario TEXT NOT NULL,
            element_label TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('changed', 'added', 'removed')),
            changed_years INTEGER NOT NULL,
            largest_year INTEGER,
            before_value REAL,
            after_value REAL,
            absolute_change REAL,
            relative_change REAL,
            before_sum REAL,
            after_sum REAL,
            cause TEXT,
            PRIMARY KEY (run_id, country, scenario, element_label)
        ) WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE reference_values (
            reference TEXT NOT NULL,
            country TEXT NOT NULL,
            scenario TEXT NOT NULL,
            element_label TEXT NOT NULL,
            value REAL NOT NULL,
            PRIMARY KEY (reference, country, scenario, element_label)
        ) WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE quality_findings (
            run_id INTEGER NOT NULL REFERENCES validation_runs (run_id),
            country TEXT NOT NULL,
            scenario TEXT NOT NULL,
            rule TEXT NOT NULL,
            severity TEXT NOT NULL CHECK (severity IN ('error', 'warning')),
            element_label TEXT,
            timestamp_year INTEGER,
            value REAL,
            message TEXT NOT NULL
        )"""
    )
    db.execute("CREATE INDEX quality_findings_job ON quality_findings (run_id, country, scenario)")
    db.execute(
        """CREATE TABLE run_tags (
            tag TEXT PRIMARY KEY,
            run_id INTEGER NOT NULL REFERENCES validation_runs (run_id)
        ) WITHOUT ROWID"""
    )


@migrations(name="m004_imported_from")
def _m004_imported_from(db: Database) -> None:
    """Where an imported run came from: a digest by which it is recognised; null for own runs."""
    db.execute("ALTER TABLE validation_runs ADD COLUMN source TEXT")


@migrations(name="m005_labels")
def _m005_labels(db: Database) -> None:
    """Units and meanings of element labels; the next run of the study fills them in."""
    db.execute(
        """CREATE TABLE labels (
            element_label TEXT PRIMARY KEY,
            unit TEXT NOT NULL,
            description TEXT NOT NULL
        )"""
    )


@migrations(name="m006_faster_latest_results")
def _m006_faster_latest_results(db: Database) -> None:
    """A change of views only, which are in ingest.database.views."""


@migrations(name="m007_counts_of_changes")
def _m007_counts_of_changes(db: Database) -> None:
    """How much each run moved; the first and last year of all results without a scan."""
    for column in ("changed_series", "changed_combinations"):
        db.execute(f"ALTER TABLE validation_runs ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")
    db.execute(RECOUNT)
    for column in ("first_year", "last_year"):
        db.execute(f"CREATE INDEX result_sets_{column} ON result_sets ({column})")


@migrations(name="m008_states_of_one_model")
def _m008_states_of_one_model(db: Database) -> None:
    """The model of each success, the study's lists at each run, and what a run restored."""
    db.execute(
        """CREATE TABLE model_versions (
            model_version_id INTEGER PRIMARY KEY,
            model_digest TEXT NOT NULL,
            code_digest TEXT NOT NULL,
            environment TEXT NOT NULL,
            query_digest TEXT NOT NULL,
            UNIQUE (model_digest, code_digest, environment, query_digest)
        )"""
    )
    version = "model_digest, code_digest, environment, query_digest"
    db.execute(f"INSERT INTO model_versions ({version}) SELECT DISTINCT {version} FROM input_sets")
    db.execute(
        """ALTER TABLE input_sets ADD COLUMN model_version_id INTEGER
            REFERENCES model_versions (model_version_id)"""
    )
    db.execute(
        f"""UPDATE input_sets SET model_version_id = (
                SELECT v.model_version_id FROM model_versions AS v
                 WHERE ({version}) = (input_sets.model_digest, input_sets.code_digest,
                                      input_sets.environment, input_sets.query_digest))"""
    )
    db.execute(
        """CREATE TABLE run_inputs (
            run_id INTEGER NOT NULL REFERENCES validation_runs (run_id),
            scenario TEXT NOT NULL,
            input_set_id INTEGER NOT NULL REFERENCES input_sets (input_set_id),
            PRIMARY KEY (run_id, scenario)
        ) WITHOUT ROWID"""
    )
    for column in ("countries_digest", "scenarios_digest", "labels_digest"):
        db.execute(f"ALTER TABLE validation_runs ADD COLUMN {column} TEXT")
    db.execute("ALTER TABLE validation_runs ADD COLUMN restored_jobs INTEGER NOT NULL DEFAULT 0")
    # of a run that may be gone by now
    db.execute("ALTER TABLE job_results ADD COLUMN restored_from INTEGER")
    db.execute("ALTER TABLE job_results ADD COLUMN country_data_digest TEXT")


@migrations(name="m009_contents_of_files")
def _m009_contents_of_files(db: Database) -> None:
    """The contents of code and data files by digest."""
    db.execute(
        """CREATE TABLE file_contents (
            digest TEXT PRIMARY KEY,
            content BLOB,
            not_kept TEXT,
            CHECK ((content IS NULL) <> (not_kept IS NULL))
        ) WITHOUT ROWID"""
    )


@migrations(name="m010_meaning_of_labels")
def _m010_meaning_of_labels(db: Database) -> None:
    """How labels add up and which direction is good; the next run of the study says it anew."""
    for column in ("kind", "over_years", "over_countries", "sum_unit", "better", "guessed"):
        db.execute(f"ALTER TABLE labels ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")
    fill_in_labels(db.conn)


@migrations(name="m011_whose_results")
def _m011_whose_results(db: Database) -> None:
    """Whose results these are, and a place beside them for numbers of others."""
    db.execute(
        """CREATE TABLE study_names (
            study_name_id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            since TEXT NOT NULL,
            reason TEXT NOT NULL
        )"""
    )
    # the names in the study's own runs; where all were imported, the newest run's
    db.execute(
        """INSERT INTO study_names (name, since, reason)
           SELECT study, min(timestamp), 'in run ' || min(run_id)
             FROM validation_runs
            WHERE study <> '' AND (source IS NULL OR run_id = (
                  SELECT CASE WHEN count(source) = count(*) THEN max(run_id) END
                    FROM validation_runs WHERE study <> ''))
            GROUP BY study ORDER BY max(run_id)"""
    )
    db.execute(
        """CREATE TABLE other_series (
            series_id INTEGER PRIMARY KEY,
            study TEXT NOT NULL,
            country TEXT NOT NULL,
            scenario TEXT NOT NULL,
            element_label TEXT NOT NULL,
            origin TEXT NOT NULL,
            imported_at TEXT NOT NULL,
            UNIQUE (study, country, scenario, element_label)
        )"""
    )
    db.execute(
        """CREATE TABLE other_values (
            series_id INTEGER NOT NULL REFERENCES other_series (series_id),
            timestamp_year INTEGER NOT NULL,
            value REAL NOT NULL,
            PRIMARY KEY (series_id, timestamp_year)
        ) WITHOUT ROWID"""
    )


@migrations(name="m012_other_years")
def _m012_other_years(db: Database) -> None:
    """The years of a series that moved which only one of the two states has."""
    db.execute("ALTER TABLE series_changes ADD COLUMN other_years TEXT NOT NULL DEFAULT ''")


@migrations(name="m013_horizon_of_documents")
def _m013_horizon_of_documents(db: Database) -> None:
    """Until when results of a job have to reach; not known of earlier jobs."""
    db.execute("ALTER TABLE job_results ADD COLUMN end_year INTEGER")


@migrations(name="m014_why_no_commit")
def _m014_why_no_commit(db: Database) -> None:
    """Why git could not tell a run's commit or its files, where it could not."""
    db.execute("ALTER TABLE validation_runs ADD COLUMN git_problem TEXT")


@migrations(name="m016_journals")
def _m016_journals(db: Database) -> None:
    """The journal beside the database in which the answers to a run's submissions stand."""
    db.execute("ALTER TABLE validation_runs ADD COLUMN journal_id TEXT")


@migrations(name="m017_study_settings")
def _m017_study_settings(db: Database) -> None:
    """What the study says of its indicators, for readers that have no study folder."""
    db.execute(
        """CREATE TABLE study_settings (
            section TEXT PRIMARY KEY,
            content TEXT NOT NULL
        ) WITHOUT ROWID"""
    )


@migrations(name="m018_where_from")
def _m018_where_from(db: Database) -> None:
    """Which source a run's results are from, and the path its model was loaded from."""
    for column in ("analytics_source", "model_path"):
        db.execute(f"ALTER TABLE validation_runs ADD COLUMN {column} TEXT")


@migrations(name="m019_references_of_every_kind")
def _m019_references_of_every_kind(db: Database) -> None:
    """Published levels, and what published figures hold for; nothing is known of earlier ones."""
    db.execute(
        """CREATE TABLE reference_levels (
            reference TEXT NOT NULL,
            element_label TEXT NOT NULL,
            scenario TEXT NOT NULL,
            country TEXT NOT NULL,
            timestamp_year INTEGER NOT NULL,
            value REAL NOT NULL,
            low REAL,
            high REAL,
            unit TEXT NOT NULL,
            source TEXT NOT NULL,
            CHECK ((low IS NULL) = (high IS NULL) AND (low IS NULL OR value BETWEEN low AND high)),
            PRIMARY KEY (reference, element_label, scenario, country, timestamp_year)
        ) WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE reference_facts (
            reference TEXT NOT NULL,
            element_label TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('difference', 'level')),
            baseline TEXT,
            discount_rate REAL,
            until_year INTEGER,
            base_year INTEGER,
            currency TEXT,
            currency_year INTEGER,
            source TEXT,
            PRIMARY KEY (reference, element_label, kind)
        ) WITHOUT ROWID"""
    )


def update_schema(connection: sqlite3.Connection) -> None:
    """Bring a database of any age to the current form, all or nothing."""
    with Connected(connection).atomic():
        migrations.apply(connection)
        refresh_views(connection)
