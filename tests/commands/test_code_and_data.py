"""A change of the model is noticed: its code in any language, its data, one country's row."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from typing import Any

import pytest

from tests.conftest import MODEL_CODE, Ingest, StudyFolder, scenario

FACTS = "iso3,name,life_expectancy,income\nKEN,Kenya,66.63,low\nUGA,Uganda,62.2,low\n"
R_MODEL = "rate <- 0.1\nwrite_results(rate)\n"
LIB_MODEL = MODEL_CODE.replace("\ndef", "from lib.rates import FACTOR\n\n\ndef", 1).replace(
    "/ 7", "/ 7 * FACTOR"
)
# Adds the life expectancy of the country to every number.
FACTS_MODEL = MODEL_CODE.replace(
    "\ndef",
    """
import csv
from pathlib import Path

FACTS = Path(__file__).with_name("country_facts.csv")
with FACTS.open(newline="") as file:
    YEARS = {row["iso3"]: float(row["life_expectancy"]) for row in csv.DictReader(file)}


def""",
    1,
).replace("/ 7", "/ 7 + YEARS.get(country, 0)")
COUNTRY_DATA = 'name = "tiny"\ncountry_data = [{file = "country_facts.csv", key = "iso3"}]'
# A program in another language, as far as ingest can tell: it reads rate from model.R.
FAKE_RSCRIPT = f"""#!{sys.executable}
import json, re, sys
code, document, result = sys.argv[1:]
rate = float(re.search("rate <- (.*)", open(code).read())[1])
with open(result, "w") as file:
    print("element_label,timestamp_year,value", file=file)
    print("Healthy Years Lived", 2025, 100 * rate, sep=",", file=file)
"""


def write(study: StudyFolder, name: str, text: str) -> None:
    path = study.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def replace(study: StudyFolder, name: str, old: str, new: str) -> None:
    text = (study.root / name).read_text()
    assert old in text
    write(study, name, text.replace(old, new))


def run(ingest: Ingest, *options: str) -> str:
    result = ingest("run", "--quiet", *options)
    assert result.exit_code == 0, result.output
    return result.stderr


def plan(ingest: Ingest) -> list[str]:
    """The lines of the plan that say what would run."""
    result = ingest("plan")
    assert result.exit_code == 0
    return [line.strip() for line in result.stdout.splitlines() if " to run (" not in line]


NOTHING = ["Nothing to do: 8 of 8 combinations are up to date (commit unknown)."]
RESTORED = ["8  restored from run 1: KEN, UGA, TZA and 1 more under null, scale_up"]
EVERY = ": KEN, UGA, TZA and 1 more under null, scale_up"


@pytest.fixture
def r_study(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    """A model in R, with an Rscript on the path that plays it."""
    (study.root / "model.py").unlink()
    write(study, "model.R", R_MODEL)
    settings = '[study]\nname = "tiny"\n[executors.local]\ncommand = '
    command = ["Rscript", "model.R", "{document}", "{result}"]
    write(study, "ingest.toml", settings + json.dumps(command))
    program = study.root.parent / "bin" / "Rscript"
    program.parent.mkdir()
    program.write_text(FAKE_RSCRIPT)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return study


@pytest.fixture
def facts_study(study: StudyFolder) -> StudyFolder:
    """A model that reads a row of country_facts.csv for each country that has one."""
    write(study, "country_facts.csv", FACTS)
    study.write_model(FACTS_MODEL)
    return study


# --- what the default covers ---------------------------------------------------------------------


def test_edited_model_in_r_runs_again_and_its_line_is_shown(
    r_study: StudyFolder, ingest: Ingest
) -> None:
    run(ingest)
    assert plan(ingest) == NOTHING
    replace(r_study, "model.R", "0.1", "0.2")
    assert plan(ingest) == [f"8  code changed (model.R, line 1: rate <- 0.1 -> rate <- 0.2){EVERY}"]
    run(ingest)
    explained = ingest("explain", "KEN", "null").stdout
    assert "inputs       code: model.R, line 1: rate <- 0.1 -> rate <- 0.2" in explained
    difference = ingest("diff", "1", "2").stdout
    assert "code: model.R, line 1: rate <- 0.1 -> rate <- 0.2" in difference


def test_edited_module_in_a_subfolder_runs_again(study: StudyFolder, ingest: Ingest) -> None:
    write(study, "lib/rates.py", "FACTOR = 1.0\n")
    study.write_model(LIB_MODEL)
    run(ingest)
    replace(study, "lib/rates.py", "1.0", "1.5")
    assert plan(ingest) == [
        f"8  code changed (lib/rates.py, line 1: FACTOR = 1.0 -> FACTOR = 1.5){EVERY}"
    ]


def test_edited_workbook_runs_again(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / "costs.xlsx").write_bytes(b"PK\x03\x04\xff\xfe")
    run(ingest)
    (study.root / "costs.xlsx").write_bytes(b"PK\x03\x04\xff\xfe\xfd")
    assert plan(ingest) == [f"8  code changed (costs.xlsx, no text, 6 bytes -> 7 bytes){EVERY}"]


def test_cell_of_a_data_file_is_shown(facts_study: StudyFolder, ingest: Ingest) -> None:
    run(ingest)
    replace(facts_study, "country_facts.csv", "66.63", "67.63")
    assert plan(ingest) == [
        f"8  code changed (country_facts.csv, KEN, life_expectancy 66.63 -> 67.63){EVERY}"
    ]


def test_check_lists_what_counts(study: StudyFolder, ingest: Ingest) -> None:
    write(study, "lib/rates.py", "FACTOR = 1.0\n")
    study.write_model(LIB_MODEL)
    write(study, "data/costs.csv", "drug,cost\na,1\n")
    write(study, "country_facts.csv", FACTS)
    for name in ("scripts/plot.py", "notes.md", ".cache/x.json", "elsewhere/ingest.toml"):
        write(study, name, "")
    write(study, "elsewhere/model.json", "{}")
    study.write_settings(study=COUNTRY_DATA + '\nignore_files = ["notes/*", "*.yaml"]')
    write(study, "notes/figures.csv", "a\n1\n")
    write(study, "ci.yaml", "")
    assert ingest("check").stdout.startswith(
        "Code: lib/rates.py, model.py\n"
        "Data: data/costs.csv\n"
        "Country data: country_facts.csv (iso3)\n"
    )
    answer = json.loads(ingest("check", "--json").stdout)
    assert {kind: answer[kind] for kind in ("code", "data", "country_data")} == {
        "code": ["lib/rates.py", "model.py"],
        "data": ["data/costs.csv"],
        "country_data": ["country_facts.csv (iso3)"],
    }


def test_no_code_file_is_an_error(r_study: StudyFolder, ingest: Ingest) -> None:
    (r_study.root / "model.R").unlink()
    result = ingest("check")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "Error: ingest.toml: no file of the model's code is found: name it in "
        'executors.local.command, or write [study] code = ["model.R", "data/*.csv"]; '
    )
    assert ingest("run").exit_code == 2


def test_explicit_code_keeps_its_meaning(facts_study: StudyFolder, ingest: Ingest) -> None:
    facts_study.write_settings(study='name = "tiny"\ncode = ["model.py"]')
    run(ingest)
    replace(facts_study, "country_facts.csv", "66.63", "67.63")
    assert plan(ingest) == NOTHING


def test_results_and_exports_are_no_data(study: StudyFolder, ingest: Ingest) -> None:
    study.write_settings("[run]\nsave_csv = true\n")
    run(ingest)
    for form, name in (
        ("csv", "all.csv"),
        ("wide", "wide.csv"),
        ("iamc", "iamc.csv"),
        ("bundle", "results.zip"),
        ("parquet", "all.parquet"),
    ):
        assert ingest("export", "--format", form, "--output", name).exit_code == 0
    write(study, "variant.toml", '[study]\nname = "variant"\n')
    assert plan(ingest) == NOTHING


def test_git_says_which_data_files_there_are(study: StudyFolder, ingest: Ingest) -> None:
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-C", str(study.root)]
    write(study, ".gitignore", "*.db*\nscratch/\nsecrets.json\n")
    write(study, "scratch/figures.csv", "a\n1\n")
    write(study, "data/new.csv", "a\n1\n")
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "model.py"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "all"], check=True)
    assert "Data: data/new.csv\n" in ingest("check").stdout


# --- an update of ingest, a change of what is covered --------------------------------------------


def forget_default(study: StudyFolder) -> str:
    """Make the stored code version what the first default made it: *.py of the study's folder."""
    with closing(sqlite3.connect(study.database)) as connection, connection:
        digest, content = connection.execute(
            "SELECT digest, content FROM inputs WHERE kind = 'code'"
        ).fetchone()
        parts = {
            name: value
            for name, value in json.loads(content).items()
            if name.startswith("executors.") or (name.endswith(".py") and "/" not in name)
        }
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        old = hashlib.sha256(text.encode()).hexdigest()
        connection.execute("UPDATE inputs SET digest = ?, content = ? WHERE digest = ?",
                           [old, text, digest])  # fmt: skip
        connection.execute("UPDATE input_sets SET code_digest = ?", [old])
        connection.execute("UPDATE model_versions SET code_digest = ?", [old])
        connection.execute("DELETE FROM file_contents")
    return old


def test_nothing_runs_again_because_the_default_covers_more(
    study: StudyFolder, ingest: Ingest
) -> None:
    write(study, "lib/rates.py", "FACTOR = 1.0\n")
    study.write_model(LIB_MODEL)
    run(ingest)
    forget_default(study)
    said = (
        "Warning: 1 file that earlier runs did not record: lib/rates.py. Results so far are taken "
        "to be of these files as they are now. If one has changed since, run: ingest run --force\n"
    )
    assert plan(ingest) == RESTORED
    assert ingest("plan").stderr == said
    assert run(ingest) == said
    assert plan(ingest) == NOTHING
    # said once, and a change from now on is noticed
    assert ingest("plan").stderr == ""
    assert run(ingest) == ""
    replace(study, "lib/rates.py", "1.0", "1.5")
    changed = "lib/rates.py, line 1: FACTOR = 1.0 -> FACTOR = 1.5"
    assert plan(ingest) == [f"8  code changed ({changed}){EVERY}"]
    run(ingest)
    assert f"inputs       code: {changed}\n" in ingest("explain", "KEN", "null").stdout


def test_what_the_first_default_covered_is_compared_after_an_update(
    study: StudyFolder, ingest: Ingest
) -> None:
    write(study, "lib/rates.py", "FACTOR = 1.0\n")
    run(ingest)
    forget_default(study)
    replace(study, "model.py", "/ 7", "/ 8")
    write(study, "more.py", "")
    assert plan(ingest) == [f"8  code changed (model.py, more.py added){EVERY}"]


def test_change_of_the_ignored_files_runs_nothing(facts_study: StudyFolder, ingest: Ingest) -> None:
    write(facts_study, "notes.csv", "a\n1\n")
    run(ingest)
    facts_study.write_settings(study='name = "tiny"\nignore_files = ["notes.*"]')
    write(facts_study, "notes.csv", "a\n2\n")
    assert plan(ingest) == RESTORED
    assert run(ingest) == ""
    assert plan(ingest) == NOTHING
    replace(facts_study, "country_facts.csv", "66.63", "67.63")
    assert "country_facts.csv, KEN, life_expectancy 66.63 -> 67.63" in plan(ingest)[0]
    replace(facts_study, "country_facts.csv", "67.63", "66.63")
    facts_study.write_settings()
    assert ingest("plan").stderr.startswith(
        "Warning: 1 file that earlier runs did not record: notes.csv. "
    )
    assert "8  restored from run 2" in plan(ingest)[0]


def test_version_named_where_no_file_was_recorded_runs_nothing(
    r_study: StudyFolder, ingest: Ingest
) -> None:
    run(ingest)
    forget_default(r_study)  # which had no R
    replace(r_study, "ingest.toml", "[study]", '[study]\ncode_version = "1"')
    assert plan(ingest) == RESTORED
    run(ingest)
    replace(r_study, "ingest.toml", '"1"', '"2"')
    assert plan(ingest) == [f"8  code changed (version 1 -> 2){EVERY}"]


# --- country data --------------------------------------------------------------------------------


def test_row_of_a_country_is_an_input_of_it_alone(facts_study: StudyFolder, ingest: Ingest) -> None:
    facts_study.write_settings(study=COUNTRY_DATA)
    run(ingest)
    replace(facts_study, "country_facts.csv", "66.63", "67.63")
    changed = "country_facts.csv, KEN, life_expectancy 66.63 -> 67.63"
    assert plan(ingest) == [f"2  {changed}: KEN under null, scale_up", "6  up to date"]
    run(ingest)
    assert plan(ingest) == NOTHING
    assert f"inputs       {changed}\n" in ingest("explain", "KEN", "null").stdout
    assert changed in ingest("diff", "1", "2").stdout


def test_rows_of_countries_come_and_go(facts_study: StudyFolder, ingest: Ingest) -> None:
    facts_study.write_settings(study=COUNTRY_DATA)
    run(ingest)
    write(facts_study, "country_facts.csv", FACTS.replace("KEN,Kenya", "TZA,Tanzania"))
    assert plan(ingest) == [
        "2  country_facts.csv, KEN: row removed: KEN under null, scale_up",
        "2  country_facts.csv, TZA: row added: TZA under null, scale_up",
        "4  up to date",
    ]


def test_naming_country_data_runs_only_what_differs(
    facts_study: StudyFolder, ingest: Ingest
) -> None:
    run(ingest)
    facts_study.write_settings(study=COUNTRY_DATA)
    assert plan(ingest) == RESTORED
    replace(facts_study, "country_facts.csv", "66.63", "67.63")
    assert plan(ingest)[1:] == ["6  restored from run 1: UGA, TZA, NAM under null, scale_up"]
    assert "country_facts.csv, KEN, life_expectancy 66.63 -> 67.63" in plan(ingest)[0]


def test_naming_country_data_after_an_update_runs_nothing(
    facts_study: StudyFolder, ingest: Ingest
) -> None:
    run(ingest)
    forget_default(facts_study)
    facts_study.write_settings(study=COUNTRY_DATA)
    assert plan(ingest) == RESTORED
    assert "1 file that earlier runs did not record: country_facts.csv" in run(ingest)
    assert run(ingest).startswith("Warning: country_facts.csv: no row for 2 countries")
    replace(facts_study, "country_facts.csv", "66.63", "67.63")
    assert "country_facts.csv, KEN, life_expectancy 66.63 -> 67.63" in plan(ingest)[0]


@pytest.mark.parametrize(
    ("facts", "finding", "exit_code"),
    [
        (FACTS.replace("iso3", "code"), "Error: country_facts.csv: no column 'iso3' ", 2),
        (FACTS + "KEN,Kenya,1,low\n", "Error: country_facts.csv: KEN: several rows in ", 2),
        (FACTS, "Warning: country_facts.csv: no row for 2 countries: TZA, NAM\n", 0),
        (FACTS + "XYZ,,,\n", "Warning: country_facts.csv: 1 row of no country of the study", 0),
        (None, "Error: country_facts.csv: cannot be read: No such file or directory\n", 2),
    ],
)
def test_check_tells_what_is_wrong_with_country_data(
    study: StudyFolder, ingest: Ingest, facts: str | None, finding: str, exit_code: int
) -> None:
    study.write_settings(study=COUNTRY_DATA)
    if facts is not None:
        write(study, "country_facts.csv", facts)
    result = ingest("check")
    assert finding in result.stderr
    assert result.exit_code == exit_code


@pytest.mark.parametrize("value", ['"facts.csv"', '["facts.csv"]', "[{file = 3}]"])
def test_country_data_of_another_form_is_an_error(
    study: StudyFolder, ingest: Ingest, value: str
) -> None:
    study.write_settings(study=f'name = "tiny"\ncountry_data = {value}')
    result = ingest("check")
    assert result.exit_code == 2
    assert "ingest.toml: study.country_data" in result.stderr


# --- contents ------------------------------------------------------------------------------------


def write_lines(study: StudyFolder, name: str, text: str, line_end: str) -> None:
    path = study.root / name
    path.write_bytes(text.replace("\n", line_end).encode())


@pytest.mark.parametrize("ends", [("\n", "\r\n"), ("\r\n", "\n")])
def test_line_ends_are_no_input(
    facts_study: StudyFolder, ingest: Ingest, ends: tuple[str, str]
) -> None:
    """As after a checkout with core.autocrlf: code, data, country groups, scenarios, model."""
    names = ["model.py", "country_facts.csv", "model.json", "scenarios/null.json", "countries.json"]
    texts = {name: (facts_study.root / name).read_text() for name in names}
    for name, text in texts.items():
        write_lines(facts_study, name, text, ends[0])
    run(ingest)
    for name, text in texts.items():
        write_lines(facts_study, name, text, ends[1])
    assert plan(ingest) == NOTHING
    replace(facts_study, "country_facts.csv", "66.63", "67.0")
    changed = "country_facts.csv, KEN, life_expectancy 66.63 -> 67.0"
    assert plan(ingest) == [f"8  code changed ({changed}){EVERY}"]


def test_line_ends_of_country_data_are_no_input(facts_study: StudyFolder, ingest: Ingest) -> None:
    facts_study.write_settings(study=COUNTRY_DATA)
    run(ingest)
    write_lines(facts_study, "country_facts.csv", FACTS, "\r\n")
    assert plan(ingest) == NOTHING


def test_a_lone_cr_and_bytes_of_a_workbook_count(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / "rates.xlsx").write_bytes(b"PK\0\0one\r\ntwo")
    (study.root / "notes.csv").write_bytes(b"a,b\n1,2\n")
    run(ingest)
    (study.root / "rates.xlsx").write_bytes(b"PK\0\0one\ntwo")
    assert "code changed (rates.xlsx" in plan(ingest)[0]
    (study.root / "rates.xlsx").write_bytes(b"PK\0\0one\r\ntwo")
    (study.root / "notes.csv").write_bytes(b"a,b\r1,2\r")
    assert "code changed (notes.csv" in plan(ingest)[0]


def count_bytes(study: StudyFolder) -> None:
    """Make the stored code version what it was when files counted by their bytes."""
    with closing(sqlite3.connect(study.database)) as connection, connection:
        digest, content = connection.execute(
            "SELECT digest, content FROM inputs WHERE kind = 'code'"
        ).fetchone()
        parts = json.loads(content)
        for name in {"model.py", "country_facts.csv"} & parts.keys():
            raw = (study.root / name).read_bytes()
            before, parts[name] = parts[name], hashlib.sha256(raw).hexdigest()
            connection.execute(
                "UPDATE file_contents SET digest = ?, content = ? WHERE digest = ?",
                [parts[name], zlib.compress(raw), before],
            )
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        new = hashlib.sha256(text.encode()).hexdigest()
        connection.execute("UPDATE inputs SET digest = ?, content = ? WHERE digest = ?",
                           [new, text, digest])  # fmt: skip
        connection.execute("UPDATE input_sets SET code_digest = ?", [new])
        connection.execute("UPDATE model_versions SET code_digest = ?", [new])


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_nothing_runs_again_because_line_ends_are_left_out(
    facts_study: StudyFolder, ingest: Ingest, line_end: str
) -> None:
    for name, text in {"model.py": FACTS_MODEL, "country_facts.csv": FACTS}.items():
        write_lines(facts_study, name, text, line_end)
    run(ingest)
    count_bytes(facts_study)
    assert plan(ingest) == (NOTHING if line_end == "\n" else RESTORED)
    run(ingest)
    assert plan(ingest) == NOTHING


def kept(study: StudyFolder) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(study.database)) as connection:
        return connection.execute(
            "SELECT content IS NOT NULL, not_kept FROM file_contents ORDER BY 1, 2"
        ).fetchall()


def test_large_file_is_not_kept_and_that_is_said(study: StudyFolder, ingest: Ingest) -> None:
    write(study, "large.csv", "a\n" + "1\n" * 5_000_001)
    run(ingest)
    large = "10.0 MB, too large to be kept: limit 10 MB"
    assert kept(study) == [(0, large), (1, None)]
    write(study, "large.csv", "a\n2\n")
    assert plan(ingest) == [f"8  code changed (large.csv ({large})){EVERY}"]


def test_file_that_git_ignores_is_not_kept(study: StudyFolder, ingest: Ingest) -> None:
    study.write_settings(study='name = "tiny"\ncode = ["*.py", "secrets.json"]')
    write(study, ".gitignore", "secrets.json\n")
    write(study, "secrets.json", '{"key": "4711"}')
    subprocess.run(["git", "-C", str(study.root), "init", "--quiet"], check=True)
    run(ingest)
    assert kept(study) == [(0, "git ignores it, so its content is not kept"), (1, None)]


def test_gc_removes_contents_that_no_run_needs(facts_study: StudyFolder, ingest: Ingest) -> None:
    run(ingest)
    replace(facts_study, "country_facts.csv", "66.63", "67.63")
    run(ingest)
    assert len(kept(facts_study)) == 3
    assert ingest("gc", "--keep", "1", "--yes").exit_code == 0
    assert len(kept(facts_study)) == 2
    replace(facts_study, "country_facts.csv", "67.63", "68.63")
    assert "country_facts.csv, KEN, life_expectancy 67.63 -> 68.63" in plan(ingest)[0]


# --- shares of several causes --------------------------------------------------------------------


@pytest.fixture
def two_causes(facts_study: StudyFolder, ingest: Ingest) -> StudyFolder:
    """After a run with another factor in the code and another life expectancy of Kenya."""
    facts_study.write_settings(study=COUNTRY_DATA)
    run(ingest)
    replace(facts_study, "country_facts.csv", "66.63", "76.63")
    replace(facts_study, "model.py", "(year - 2000)\n", "(year - 2000) * 2\n")
    run(ingest)
    return facts_study


def population(years: float, factor: float = 1) -> float:
    """The sum of Kenya's Population, as FACTS_MODEL computes it."""
    people = sum(map(ord, "KEN")) / 7 + years
    return factor * sum(people * (year - 2000) for year in (2025, 2026, 2027))


def test_each_cause_gets_its_share(two_causes: StudyFolder, ingest: Ingest) -> None:
    before = two_causes.database.read_bytes()
    result = ingest("explain", "KEN", "null", "--attribute", "--label", "Population", "--json")
    assert result.exit_code == 0, result.output
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == [
        "1 of 4", "2 of 4", "3 of 4", "4 of 4"
    ]  # fmt: skip
    answer = json.loads(result.stdout)
    assert (answer["before_run"], answer["after_run"], answer["notes"]) == (1, 2, [])
    (label,) = answer["labels"]
    old, new = population(66.63), population(76.63, 2)
    row, code = population(76.63) - old, population(66.63, 2) - old
    assert [label["before"], label["after"]] == pytest.approx([old, new])
    assert [cause["cause"].partition(",")[0] for cause in label["causes"]] == [
        "country_facts.csv", "model.py"
    ]  # fmt: skip
    assert [cause["change"] for cause in label["causes"]] == pytest.approx([row, code])
    shares = [cause["share"] for cause in (*label["causes"], label["interaction"])]
    assert sum(shares) == pytest.approx(1)
    assert shares[0] == pytest.approx(row / (new - old))
    assert two_causes.database.read_bytes() == before


def test_shares_are_shown_as_a_table(two_causes: StudyFolder, ingest: Ingest) -> None:
    lines = ingest("explain", "KEN", "null", "--attribute").stdout.splitlines()
    assert lines[0] == "KEN / null, run 1 -> run 2, sums over the years"
    assert lines[2].startswith("Healthy Years Lived  ")
    first, second, third = lines[5:]
    assert first.startswith("country_facts.csv, KEN, life_expectancy 66.63 -> 76.63 ")
    assert second.startswith("model.py, line 16: ")
    assert third.startswith("interaction ")


def test_what_was_not_kept_is_not_put_back(two_causes: StudyFolder, ingest: Ingest) -> None:
    two_causes.write_json("scenarios/null.json", scenario(0.5))
    replace(two_causes, "country_facts.csv", "76.63", "66.63")
    replace(two_causes, "model.py", "* 2\n", "* 3\n")
    run(ingest)
    with closing(sqlite3.connect(two_causes.database)) as connection, connection:
        connection.execute("DELETE FROM file_contents")
    result = ingest("explain", "KEN", "null", "--attribute")
    assert "Note: not put back: model.py (its content was not kept)\n" in result.stderr
    assert "scenario null: Coverage 0.0 -> 0.5" in result.stdout


def test_cause_that_fails_alone_is_told(facts_study: StudyFolder, ingest: Ingest) -> None:
    run(ingest)
    replace(facts_study, "country_facts.csv", "iso3,name,life_expectancy", "iso3,name,years")
    replace(facts_study, "country_facts.csv", "66.63", "67.63")
    replace(facts_study, "model.py", 'row["life_expectancy"]', 'row["years"]')
    run(ingest)
    answer = json.loads(ingest("explain", "KEN", "null", "--attribute", "--json").stdout)
    errors = [cause["error"] for cause in answer["labels"][0]["causes"]]
    assert any(error and "KeyError" in error for error in errors)
    assert answer["labels"][0]["interaction"] is None


def test_single_cause_has_no_shares(facts_study: StudyFolder, ingest: Ingest) -> None:
    run(ingest)
    assert ingest("explain", "KEN", "null", "--attribute").exit_code == 2
    replace(facts_study, "model.py", "/ 7", "/ 8")
    run(ingest)
    result = ingest("explain", "KEN", "null", "--attribute")
    assert result.exit_code == 2
    assert "one input that can be put back is the whole change" in result.stderr
