"""accepted.toml: changes that `ingest diff --fail-on-change` lets pass."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from ingest.study.accepted import Accepted, read_accepted
from tests.conftest import MODEL_CODE, Ingest, StudyFolder, scenario

COVERAGE = "scale_up: Coverage 0.9 -> 0.8"
YEARS = """
[[indicators]]
name = "Years"
labels = "Healthy Years Lived"
sense = "gained"
[[indicators]]
name = "People"
labels = "Population"
sense = "level"
aggregate = "last"
"""


@pytest.fixture
def changed(study: StudyFolder, ingest: Ingest) -> StudyFolder:
    """Two runs; the second with another coverage in one scenario: a series in each of 4 countries.

    Healthy years under the baseline stay as they are.
    """
    study.write_settings(YEARS)
    ingest("run", "--quiet")
    study.write_json("scenarios/scale_up.json", scenario(0.8))
    ingest("run", "--quiet")
    return study


def accept(study: StudyFolder, cause: str = COVERAGE, more: str = "", **values: str) -> None:
    """Write accepted.toml with one entry more."""
    given = {"who": "Ana Lee", "why": "new survey", "until": "2999-12-31", **values}
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"cause": cause, **given}.items()]
    file = study.root / "accepted.toml"
    before = file.read_text() if file.exists() else ""
    file.write_text("\n".join([before, "[[accepted]]", *lines, more, ""]))


def gate(ingest: Ingest, *arguments: str) -> int:
    return ingest("diff", "--fail-on-change", *arguments).exit_code


@pytest.mark.parametrize(
    "cause",
    [COVERAGE, "Coverage 0.9 -> 0.8", "scale_up: *", "*Coverage*", "in 3 scenarios: Coverage*"],
)
def test_a_gate_passes_what_is_accepted(changed: StudyFolder, ingest: Ingest, cause: str) -> None:
    assert gate(ingest) == 3
    accept(changed, cause)
    assert gate(ingest) == 0
    assert gate(ingest, "--indicator", "*") == 0


@pytest.mark.parametrize(
    ("cause", "more"),
    [
        ("coverage*", ""),  # letters count
        ("Coverage", ""),
        ("Coverage 0.[8-9] -> 0.8", ""),  # brackets are themselves
        (COVERAGE, 'country = ["KEN", "U*"]'),
        (COVERAGE, 'scenario = "null"'),
        (COVERAGE, 'label = "Population"'),
    ],
)
def test_it_does_not_pass_what_is_not(
    changed: StudyFolder, ingest: Ingest, cause: str, more: str
) -> None:
    accept(changed, cause, more)
    assert gate(ingest) == 3
    assert gate(ingest, "--indicator", "*") == 3


def test_labels_and_indicators_are_accepted_each_by_itself(
    changed: StudyFolder, ingest: Ingest
) -> None:
    accept(changed, more='label = "Healthy*"')
    assert (gate(ingest), gate(ingest, "--indicator", "Years")) == (0, 3)
    accept(changed, more='indicator = "Ye*"')
    assert (gate(ingest), gate(ingest, "--indicator", "Years")) == (0, 0)


def test_what_changed_beside_it_stops_the_gate(changed: StudyFolder, ingest: Ingest) -> None:
    changed.write_model(MODEL_CODE.replace("0.9 +", "0.95 +"))
    ingest("run", "--quiet")
    accept(changed)
    assert gate(ingest, "1", "2") == 0
    assert gate(ingest, "1", "3") == 3
    assert gate(ingest, "1", "3", "--indicator", "Years") == 3
    accept(changed, "code: model.py*")
    found = json.loads(ingest("diff", "1", "3", "--json").stdout)["accepted"]
    assert (found["changes"], found["open_changes"]) == (8, 0)
    assert [entry["changes"] for entry in found["accepted"]] == [4, 8]
    assert gate(ingest, "1", "3") == gate(ingest, "1", "3", "--indicator", "Years") == 0


def test_what_came_and_went_is_accepted_by_name(changed: StudyFolder, ingest: Ingest) -> None:
    accept(changed)
    changed.write_countries("KEN", "UGA", "TZA", "RWA")
    ingest("run", "--quiet")
    assert gate(ingest, "1", "3") == 3
    accept(changed, "combination added", 'country = "RWA"')
    accept(changed, "combination removed", 'country = "NAM"')
    assert gate(ingest, "1", "3") == 0


def test_every_report_says_who_why_and_until(changed: StudyFolder, ingest: Ingest) -> None:
    accept(changed, more='country = ["KEN", "UGA"]')
    accept(changed, "Coverage*", who="Bo", why="old", until="2020-01-31")
    accept(changed, "*.csv *", why="never | <needed>")
    head = "2 of 4 changes accepted in accepted.toml"
    used = f"2 changes: {COVERAGE}: new survey (Ana Lee, until 2999-12-31)"
    expired = "expired in accepted.toml: Coverage*: old (Bo, until 2020-01-31)"
    idle = "matches no change: *.csv *: never | <needed> (Ana Lee, until 2999-12-31)"
    text = ingest("diff").stdout
    assert f"\nAccepted: {head}\n  {used}\n  {expired}\n  {idle}\n" in text
    markdown = ingest("diff", "--md").stdout
    assert f"**Accepted**: {head}" in markdown
    assert "new survey (Ana Lee, until 2999-12-31)" in markdown
    ingest("diff", "--html", "changes.html")
    page = (changed.root / "changes.html").read_text()
    assert f"<h2>Accepted</h2>\n<p>{head}.</p>" in page
    assert "never | &lt;needed&gt; (Ana Lee, until 2999-12-31)" in page
    report = ingest("report", "--set", "report.sections=changes").stdout
    assert f"- {head}." in report
    assert "Accepted changes: 2 changes: scale" in report
    found = json.loads(ingest("diff", "--json").stdout)["accepted"]
    assert [found["changes"], found["open_changes"]] == [2, 2]
    assert found["expired"][0]["until"] == "2020-01-31"
    assert found["unmatched"][0]["why"] == "never | <needed>"
    moved = ingest("diff", "--indicator", "Years").stdout
    assert "Accepted: 2 of 5 changes accepted in accepted.toml" in moved  # the total is open


def test_an_entry_that_is_over_accepts_nothing(changed: StudyFolder, ingest: Ingest) -> None:
    accept(changed, until="2020-01-31")
    assert gate(ingest) == 3
    assert gate(ingest, "--indicator", "Years") == 3
    checked = ingest("check")
    assert checked.exit_code == 0
    assert "expired: scale_up: Coverage 0.9 -> 0.8" in checked.stderr
    today = date.today().isoformat()
    (changed.root / "accepted.toml").unlink()
    accept(changed, until=today)
    assert gate(ingest) == 0


def test_changing_the_list_runs_nothing(changed: StudyFolder, ingest: Ingest) -> None:
    accept(changed)
    plan = json.loads(ingest("plan", "--json").stdout)
    accept(changed, "x*")
    assert json.loads(ingest("plan", "--json").stdout) == plan
    assert "accepted.toml" not in ingest("check").stdout
    assert ingest("plan").stdout.startswith("Nothing to do: 8 of 8 combinations")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[acepted]]\n", "unknown key acepted. Did you mean accepted?"),
        ('[[accepted]]\ncuase = "x"\n', "unknown key accepted[1].cuase. Did you mean cause?"),
        ('[[accepted]]\ncause = "x"\nwhy = "y"\nuntil = 2999-01-01\n',
         "accepted[1].who: it is missing"),
        ('[[accepted]]\ncause = "x"\nwho = "z"\nuntil = 2999-01-01\n',
         "accepted[1].why: it is missing"),
        ('[[accepted]]\ncause = "x"\nwho = "z"\nwhy = " "\nuntil = "May"\n',
         "accepted[1].until: a date such as 2026-12-31 is needed, not 'May'"),
        ('[[accepted]]\ncause = 3\n', "accepted[1].cause: a text is needed, not 3"),
        ("accepted = 3\n", "accepted: tables headed [[accepted]] are needed"),
        ("accepted = [", "cannot be read: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_no_gate_opens(
    changed: StudyFolder, ingest: Ingest, text: str, message: str
) -> None:
    (changed.root / "accepted.toml").write_text(text)
    checked = ingest("check")
    assert checked.exit_code == 2
    assert f"accepted.toml: {message}" in checked.stderr
    result = ingest("diff", "--fail-on-change")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: accepted.toml: ")


def test_dates_are_read_as_toml_writes_them(tmp_path: Path) -> None:
    entry = '[[accepted]]\ncause = "x "\nwho = "a"\nwhy = "b"\nuntil = 2026-12-31\n'
    (tmp_path / "accepted.toml").write_text(entry)
    known = Accepted(cause="x", who="a", why="b", until="2026-12-31")
    assert read_accepted(tmp_path) == ((known,), [])
    assert not known.is_expired(date(2026, 12, 31))
    assert known.is_expired(date(2027, 1, 1))
