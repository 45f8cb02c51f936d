from __future__ import annotations

import pytest

from ingest.executors.job_name import is_ulid
from tests.conftest import Ingest, StudyFolder
from tests.recorded import MANY_AUTHORS, job_name, make_small, query, ulid

HEADER = "element_label,timestamp_year,value\n"
ROWS = 'Population,2025,10.5\n"A, b -> c",2026.0,1e3\n'
METRICS = "SELECT country, scenario, element_label, timestamp_year, value FROM metrics"


def test_a_file_by_hand_becomes_a_run_of_its_own(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / "hand.csv").write_text(
        "timestamp,author,element_label,value\n"
        "2019-01-01,Ann,Population,1.5\n2020-01-01,Ann,Population,2\n"
    )
    command = ("import", "--metrics", "hand.csv", "--country", "KEN", "--scenario", "null")
    result = ingest(*command)
    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        "",
        "Run 1 added to validation_results.db with 1 job, 1 new result set\n",
    )
    assert query(study.database, METRICS) == [
        ("KEN", "null", "Population", 2019, 1.5),
        ("KEN", "null", "Population", 2020, 2.0),
    ]
    job = query(study.database, "SELECT ulid, job_status, reason, notes FROM job_results")[0]
    assert is_ulid(job[0])
    assert job[1:] == ("success", "imported from hand.csv", "author: Ann")
    run = query(
        study.database,
        "SELECT executor, status, total_jobs, successful_jobs, study FROM validation_runs",
    )
    assert run == [("import", "completed", 1, 1, "tiny")]
    again = ingest(*command)
    assert again.stderr == (
        "Nothing to do: validation_results.db has the metrics of 1 job already\n"
    )


def test_an_export_comes_back_with_the_same_numbers(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run", "--quiet")
    ingest("export", "-o", "all.csv")
    result = ingest("import", "--metrics", "all.csv", "--database", "new.db")
    assert result.stderr == "Run 1 added to new.db with 8 jobs, 8 new result sets\n"
    order = " ORDER BY 1, 2, 3, 4"
    assert query(study.root / "new.db", METRICS + order) == query(study.database, METRICS + order)


def test_a_file_named_by_ulid_gives_its_job_the_metrics(study: StudyFolder, ingest: Ingest) -> None:
    make_small(study.root / "old.db")
    ingest("import", "old.db")
    (study.root / f"{ulid(2)}.csv").write_text(HEADER + ROWS)
    (study.root / f"{job_name(1)}.csv").write_text(
        HEADER + "Population,2025,10.5\nPopulation,2026,11\n"
    )
    files = (f"{ulid(2)}.csv", f"{job_name(1)}.csv")
    result = ingest("import", "--metrics", *files)
    assert (result.exit_code, result.stderr) == (
        0,
        "Metrics added to 1 known job, 1 new result set, 1 job there already\n",
    )
    assert query(study.database, f"{METRICS} WHERE country = 'UGA' ORDER BY 3") == [
        ("UGA", "null", "A, b -> c", 2026, 1000.0),
        ("UGA", "null", "Population", 2025, 10.5),
    ]
    assert query(study.database, "SELECT count(*) FROM validation_runs") == [(1,)]
    assert ingest("import", "--metrics", *files).stderr.startswith("Nothing to do: ")


def test_a_job_that_nobody_knows_keeps_its_ulid(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / f"{ulid(5)}.csv").write_text(HEADER + ROWS)
    options = ("--country", "KEN", "--scenario", "null")
    ingest("import", "--metrics", f"{ulid(5)}.csv", *options)
    assert query(study.database, "SELECT ulid, country FROM job_results") == [(ulid(5), "KEN")]


def test_one_author_of_several_is_chosen(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / "hand.csv").write_text(MANY_AUTHORS)
    command = ("import", "--metrics", "hand.csv", "--country", "KEN", "--scenario", "null")
    result = ingest(*command)
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: hand.csv has numbers of several authors ('Ann', 'Bob'): choose one with --author "
        "NAME; nothing was changed\n",
    )
    ingest(*command, "--author", "Bob")
    assert [row[4] for row in query(study.database, METRICS)] == [2.0]
    assert query(study.database, "SELECT notes FROM job_results") == [("author: Bob",)]


@pytest.mark.parametrize(
    ("name", "text", "options", "message"),
    [
        (
            "m.csv",
            HEADER + "Population,2025,1\nPopulation,2025,2\nPopulation,20x5,3\n,2026,4\nX,2026\n",
            ("--country", "KEN", "--scenario", "null"),
            "m.csv: 4 bad rows: line 3: 'Population' 2025 stands twice, with 1.0 and 2.0; line 4: "
            "timestamp_year '20x5' is no number ('Population' 20x5); line 5: element_label '' is "
            "blank; line 6: 2 cells instead of 3; nothing was changed",
        ),
        (
            "m.csv",
            "timestamp,element_label,value\n2019-13-01,X,1\n",
            ("--country", "KEN", "--scenario", "null"),
            "m.csv: 1 bad row: line 2: timestamp_year '2019-13-01' is no number "
            "('X' 2019-13-01); nothing was changed",
        ),
        (
            "m.csv",
            HEADER,
            ("--country", "KEN", "--scenario", "null"),
            "m.csv has no row; nothing was changed",
        ),
        (
            "m.csv",
            "element_label,value\n",
            (),
            "m.csv lacks timestamp_year (or a date timestamp): its header is "
            "'element_label,value'; say which column it is: --column NAME=COLUMN",
        ),
        (
            "m.csv",
            "value,element_label,value,timestamp\n",
            (),
            "m.csv has value twice: its header is 'value,element_label,value,timestamp'",
        ),
        (
            "m.csv",
            HEADER + ROWS,
            ("--country", "KEN"),
            "m.csv does not say of which scenario its numbers are: add --scenario NAME, or a "
            "column scenario",
        ),
        (
            "m.csv",
            "country,scenario," + HEADER + "KEN,null,X,2025,1\n",
            ("--country", "UGA"),
            "m.csv has a column country: leave out --country UGA",
        ),
        (
            "m.csv",
            "country,scenario," + HEADER + ",null,X,2025,1\n",
            (),
            "m.csv, line 2: country or scenario is blank; nothing was changed",
        ),
        (
            "m.csv",
            HEADER + ROWS,
            ("--country", "KEN", "--scenario", "null", "--author", "Ann"),
            "m.csv has no column author: leave out --author",
        ),
        (
            f"{ulid(5)}.csv",
            HEADER + ROWS,
            (),
            f"{ulid(5)}.csv: no job here has the ULID {ulid(5)}: add --country ISO3 --scenario "
            "NAME, or bring in the jobs first; nothing was changed",
        ),
        (
            "m.csv",
            HEADER + 'X,2025,"1',
            (),
            "m.csv is broken or cut-off CSV: unexpected end of data (line 2)",
        ),
        (
            "m.csv",
            "\udcff",
            (),
            "m.csv is not UTF-8 text (byte 1). In Excel, save it as 'CSV UTF-8'",
        ),
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing(
    study: StudyFolder,
    ingest: Ingest,
    name: str,
    text: str,
    options: tuple[str, ...],
    message: str,
) -> None:
    (study.root / name).write_text(text, errors="surrogateescape")
    (study.root / "good.csv").write_text("country,scenario," + HEADER + "NAM,null,X,2025,1\n")
    files = ("good.csv", name) if not options and name == "m.csv" else (name,)
    result = ingest("import", "--metrics", *files, *options)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {message}\n")
    assert not study.database.exists()


def test_a_known_job_is_not_overwritten(study: StudyFolder, ingest: Ingest) -> None:
    make_small(study.root / "old.db")
    ingest("import", "old.db")
    for number in (1, 3):
        (study.root / f"{ulid(number)}.csv").write_text(HEADER + ROWS)
    other = ingest("import", "--metrics", f"{ulid(1)}.csv")
    assert (other.exit_code, other.stderr) == (
        2,
        f"Error: {ulid(1)}.csv: job {ulid(1)} (KEN / null) has other numbers here; see which: "
        f"ingest export --check {ulid(1)}.csv\n",
    )
    failed = ingest("import", "--metrics", f"{ulid(3)}.csv")
    assert (failed.exit_code, failed.stderr) == (
        2,
        f"Error: {ulid(3)}.csv: job {ulid(3)} (KEN / scale_up) did not succeed, it is failed in "
        "run 1; nothing was changed\n",
    )
    where = ("--country", "NAM", "--scenario", "null")
    wrong = ingest("import", "--metrics", f"{ulid(1)}.csv", *where)
    assert (wrong.exit_code, wrong.stderr) == (
        2,
        f"Error: {ulid(1)}.csv is of NAM / null, but job {ulid(1)} here is KEN / null; "
        "nothing was changed\n",
    )
    assert query(study.database, "SELECT count(*) FROM metrics") == [(2,)]


def test_a_combination_in_two_files_is_refused(study: StudyFolder, ingest: Ingest) -> None:
    for name in ("a.csv", "b.csv"):
        (study.root / name).write_text("country,scenario," + HEADER + "KEN,null,X,2025,1\n")
    result = ingest("import", "--metrics", "a.csv", "b.csv")
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: KEN / null stands in a.csv and in b.csv; nothing was changed\n",
    )


def test_two_jobs_that_nobody_knows_cannot_be_of_one_combination(
    study: StudyFolder, ingest: Ingest
) -> None:
    for number in (1, 2):
        (study.root / f"{ulid(number)}.csv").write_text(f"{HEADER}X,2025,{number}\n")
    files = [f"{ulid(number)}.csv" for number in (1, 2)]
    result = ingest("import", "--metrics", *files, "--country", "KEN", "--scenario", "null")
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: KEN / null stands in {files[0]} and in {files[1]}; nothing was changed\n",
    )
    assert not study.database.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.zip", "b.zip"), "name one file; several files need --metrics"),
        (
            ("a.zip", "--country", "KEN"),
            "--country, --scenario, --author, --column, --sheet and --decimal need --metrics",
        ),
    ],
)
def test_options_of_metrics_need_metrics(
    ingest: Ingest, arguments: tuple[str, ...], message: str
) -> None:
    result = ingest("import", *arguments)
    assert (result.exit_code, result.stderr) == (2, f"Error: {message}\n")


LONG = "country,scenario,metric,year,value\n"


def test_imported_numbers_never_take_the_models_place(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run", "--quiet")
    state = query(
        study.database, METRICS.replace("metrics", "latest_metrics") + " ORDER BY 1,2,3,4"
    )
    (study.root / "published.csv").write_text(
        LONG + "KEN,null,Population,2025,1\nUGA,null,Population,2025,2\nUGA,new,Population,2025,3\n"
    )
    result = ingest("import", "--metrics", "published.csv")
    assert (result.exit_code, result.stdout, result.stderr) == (
        2,
        "",
        "Error: the model has results of 2 combinations already, and imported numbers never take "
        "their place: KEN / null (published.csv; run 1), UGA / null (published.csv; run 1). Keep a "
        "published or other series beside them with --as-study NAME, or load impacts with ingest "
        "reference load; nothing was changed\n",
    )
    assert query(study.database, "SELECT count(*) FROM validation_runs") == [(1,)]
    beside = ingest("import", "--metrics", "published.csv", "--as-study", "GBD 2021")
    assert (beside.exit_code, beside.stderr.splitlines()[0]) == (
        0,
        "3 combinations of GBD 2021 kept apart in validation_results.db",
    )
    assert state == query(
        study.database, METRICS.replace("metrics", "latest_metrics") + " ORDER BY 1,2,3,4"
    )
    assert query(study.database, "SELECT * FROM other_metrics ORDER BY country, scenario") == [
        ("GBD 2021", "KEN", "null", "Population", 2025, 1.0),
        ("GBD 2021", "UGA", "new", "Population", 2025, 3.0),
        ("GBD 2021", "UGA", "null", "Population", 2025, 2.0),
    ]


def test_numbers_kept_apart_are_replaced_by_the_next_edition(
    study: StudyFolder, ingest: Ingest
) -> None:
    command = ("import", "--metrics", "published.csv", "--as-study", "GBD")
    (study.root / "published.csv").write_text(LONG + "KEN,a,Deaths,2020,1\nUGA,a,Deaths,2020,2\n")
    ingest(*command)
    (study.root / "published.csv").write_text(LONG + "KEN,a,Cases,2021,5\nUGA,a,Deaths,2020,2\n")
    assert ingest(*command).stderr.splitlines()[0] == (
        "1 combination of GBD kept apart in validation_results.db, 1 of them in place of others; "
        "1 there already"
    )
    assert query(study.database, "SELECT country, element_label FROM other_metrics") == [
        ("UGA", "Deaths"),
        ("KEN", "Cases"),
    ]


def test_a_corrected_file_of_numbers_that_nobody_computed_comes_in(
    study: StudyFolder, ingest: Ingest
) -> None:
    for value in (1, 2):
        (study.root / "hand.csv").write_text(LONG + f"KEN,null,X,2025,{value}\n")
        assert ingest("import", "--metrics", "hand.csv").exit_code == 0
    assert query(study.database, "SELECT value FROM latest_metrics") == [(2.0,)]


def test_an_export_of_the_models_numbers_is_there_already(
    study: StudyFolder, ingest: Ingest
) -> None:
    ingest("run", "--quiet")
    ingest("export", "-o", "all.csv")
    assert ingest("import", "--metrics", "all.csv").stderr == (
        "Nothing to do: validation_results.db has the metrics of 8 jobs already\n"
    )


def test_numbers_of_an_imported_job_are_the_models_too(study: StudyFolder, ingest: Ingest) -> None:
    make_small(study.root / "old.db")
    ingest("import", "old.db")
    (study.root / "m.csv").write_text(LONG + "KEN,null,Population,2025,77\n")
    result = ingest("import", "--metrics", "m.csv")
    assert (result.exit_code, "KEN / null (m.csv; run 1)" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (LONG + "KEN,null,Deaths,2025,7\n", ()),
        (
            "iso,arm,cause,when,deaths\nKEN,null,Deaths,2025,7\n",
            ("country=iso", "scenario=arm", "element_label=cause", "timestamp_year=when",
             "value=deaths"),
        ),
        (
            "country,scenario,element_label,metric,year,value\nKEN,null,x,Deaths,2025,7\n",
            ("element_label=metric",),
        ),
    ],
)  # fmt: skip
def test_long_files_of_other_tools(
    study: StudyFolder, ingest: Ingest, text: str, columns: tuple[str, ...]
) -> None:
    (study.root / "long.csv").write_text(text)
    options = [part for column in columns for part in ("--column", column)]
    result = ingest("import", "--metrics", "long.csv", *options)
    assert result.exit_code == 0, result.stderr
    assert query(study.database, METRICS) == [("KEN", "null", "Deaths", 2025, 7.0)]


def test_thousands_separators_are_read_as_reference_load_reads_them(
    study: StudyFolder, ingest: Ingest
) -> None:
    (study.root / "long.csv").write_text(LONG + 'KEN,null,Deaths,2025,"9,319,675.5"\n')
    ingest("import", "--metrics", "long.csv")
    assert query(study.database, "SELECT value FROM metrics") == [(9319675.5,)]
    (study.root / "figures.csv").write_text('ISO3,null\nKEN,"9,319,675.5"\n')
    ingest("reference", "load", "figures.csv", "--name", "a", "--label", "Deaths")
    assert query(study.database, "SELECT value FROM reference_values") == [(9319675.5,)]
    for text, message in (
        (LONG + "KEN,null,Deaths,2025,9,319\n", "6 cells instead of 5 (numbers with thousands "
         "commas need quotes)"),
        (LONG + 'KEN,null,Deaths,2025,"9,31 m"\n', "value '9,31 m' is no number"),
    ):  # fmt: skip
        (study.root / "long.csv").write_text(text)
        result = ingest("import", "--metrics", "long.csv")
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            LONG + "KEN,null,X,2025,1\nWorld,null,X,2025,9\nKenya,null,X,2025,1\n"
            "Kenya,null,X,2026,1\nPalestine,null,X,2025,1\nXKX,null,X,2025,1\n"
            "Korea (South),null,X,2025,1\nVirgin Islands,null,X,2025,1\n",
            (),
            "m.csv: line 3: World: an aggregate, leave it out; line 4: Kenya: write KEN; line 6: "
            "Palestine: write PSE; line 8: 'Korea (South)' is no ISO 3166 alpha-3 code; line 9: "
            "'Virgin Islands' is no ISO 3166 alpha-3 code; nothing was changed",
        ),
        (
            LONG + "KEN,null,X,2025,1\nTotal,,,,1\n",
            (),
            "m.csv: line 3: a row of totals, leave it out; nothing was changed",
        ),
        (
            "metric,year,value\nX,2025,1\nTotal,,1\n",
            ("--country", "KEN", "--scenario", "null"),
            "m.csv: line 3: a row of totals, leave it out; nothing was changed",
        ),
        (
            LONG + ",,,,(thousands)\nKEN,null,X,2025,1\n",
            (),
            "m.csv: line 2: ,,,,(thousands) is a second line of header, delete it; nothing was "
            "changed",
        ),
        (
            "Table 3. Deaths\n\n" + LONG + "KEN,null,X,2025,1\n",
            (),
            "m.csv: the header is line 3; delete the lines above it",
        ),
        (
            "metric,year,value\nX,2025,1\n",
            ("--country", "Kenya", "--scenario", "null"),
            "--country Kenya: write KEN",
        ),
        (
            LONG + "KEM,null,X,2025,1\n",
            (),
            "m.csv: line 2: 'KEM' is no ISO 3166 alpha-3 code; nothing was changed",
        ),
        (
            LONG,
            ("--column", "metric"),
            "--column metric: write NAME=COLUMN, such as element_label=metric",
        ),
        (
            LONG,
            ("--column", "cause=element_label"),
            "--column cause=element_label: NAME is one of element_label, timestamp_year, "
            "timestamp, value, country, scenario, author. Write it as element_label=cause",
        ),
        (
            LONG,
            ("--column", "element_label=metrics"),
            "m.csv has no column 'metrics' (--column); it has country, scenario, metric, year, "
            "value. Did you mean metric?",
        ),
    ],
)
def test_tables_that_need_a_hand_are_told_what_to_write(
    study: StudyFolder, ingest: Ingest, text: str, options: tuple[str, ...], message: str
) -> None:
    (study.root / "m.csv").write_text(text)
    result = ingest("import", "--metrics", "m.csv", *options)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {message}\n")
    assert not study.database.exists()
