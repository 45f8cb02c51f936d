"""What `plan`, `diff`, `explain`, their reports and the pages name as the cause of a change."""

from __future__ import annotations

import asyncio
import copy
import html
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MODEL, Ingest, StudyFolder, scenario

# Numbers that follow from the runtime, the coverage and the subroutines, in their order.
CODE = """
def simulate(document):
    runtime = document["runtime"]
    weight = runtime.get("synchronous_iterations", 1)
    for number, subroutine in enumerate(document["subroutines"], 1):
        weight += number * len(subroutine.get("included_source_nodes", subroutine["method"]))
    weight += sum(n["generate_array"]["parameters"].get("value", 1) for n in document["nodes"])
    for year in range(runtime["startYear"], runtime["endYear"]):
        yield "Healthy Years Lived", year, float(weight * (year - 2000))
"""
LAYOUT = {"x": 1, "y": 2, "color": "red", "description": "Text"}


def document(**changes: Any) -> dict[str, Any]:
    model = copy.deepcopy(MODEL) | {
        "metadata": {"country": "AFG", "file_id": 1, "version": 1},
        "runtime": {"startYear": 2025, "endYear": 2028},
        "subroutines": [
            {"method": "flush", "narration": "Flush"},
            {"method": "age", "step": 1},
            {"method": "echo", "included_source_nodes": ["Deceased"]},
        ],
    }
    model["nodes"] = [node | LAYOUT for node in model["nodes"]]
    return model | changes


@pytest.fixture
def ran(study: StudyFolder, ingest: Ingest) -> StudyFolder:
    """A study of two countries and nine scenarios, all run."""
    study.write_json("model.json", document())
    study.write_model(CODE)
    study.write_countries("KEN", "UGA")
    (study.root / "scenarios" / "scale_up.json").unlink()
    for number in range(8):
        study.write_json(f"scenarios/s{number}.json", scenario(0.5))
    assert ingest("run", "--quiet").exit_code == 0
    return study


def moved_layout(model: dict[str, Any]) -> dict[str, Any]:
    """The model with every node elsewhere, in another colour, and without metadata."""
    nodes = [node | {"x": 7, "y": 8, "color": "blue"} for node in model["nodes"]]
    return model | {"metadata": {}, "nodes": nodes}


def change_runtime(study: StudyFolder) -> None:
    runtime = {"startYear": 2025, "endYear": 2028, "synchronous_iterations": 10}
    study.write_json("model.json", moved_layout(document(runtime=runtime)))


ROW = "runtime.synchronous_iterations added: 10; 3 metadata values, 6 layout values"


def test_runtime_is_named_before_metadata_and_layout(ran: StudyFolder, ingest: Ingest) -> None:
    change_runtime(ran)
    lines = ingest("plan").stdout.splitlines()
    assert lines[1:] == [
        f"     18  model document changed ({ROW}): KEN, UGA under null, s0, s1 and 6 more"
    ]
    lines = ingest("plan", "--all").stdout.splitlines()
    assert len(lines) == 2 + 9
    assert "         metadata.version removed" in lines
    assert "         node 'Coverage': color red -> blue" in lines
    assert ingest("run", "--quiet").exit_code == 0
    why = f"  model document: {ROW}   18 combinations, 2 countries under null, s0, s1 and 6 more"
    lines = ingest("diff").stdout.splitlines()
    place = lines.index(why)
    assert lines[place - 1 : place + 2] == ["Why", why, ""]
    lines = ingest("diff", "--all").stdout.splitlines()
    assert "    metadata.file_id removed" in lines[place + 1 : place + 10]
    (cause,) = json.loads(ingest("diff", "--json").stdout)["causes"]
    assert [change["is_input"] for change in cause["changes"]] == [True] + [False] * 9
    explained = ingest("explain", "KEN", "null").stdout.splitlines()
    assert f"  inputs       model document: {ROW}" in explained
    explained = ingest("explain", "KEN", "null", "--all").stdout.splitlines()
    assert "               metadata.country removed" in explained


def test_reports_fold_what_a_line_leaves_out(
    ran: StudyFolder, ingest: Ingest, tmp_path: Path
) -> None:
    change_runtime(ran)
    ingest("run", "--quiet")
    markdown = ingest("diff", "--md", "--html", "report.html").stdout
    folded = re.search(r"<details><summary>(.*?)</summary><ul>(.*?)</ul></details>", markdown)
    assert folded
    assert folded[1].startswith("9 further changes beside: model document: runtime.")
    assert "<li>metadata.version removed</li>" in folded[2]
    page = (ran.root / "report.html").read_text()
    folded = re.search(r"<details><summary>9 further changes</summary>(.*?)</details>", page)
    assert folded
    assert "<li><bdi>metadata.version removed</bdi></li>" in folded[1]


def test_change_of_layout_and_metadata_alone_runs_nothing(ran: StudyFolder, ingest: Ingest) -> None:
    ran.write_json("model.json", moved_layout(document()))
    assert ingest("plan").stdout == (
        "Nothing to do: 18 of 18 combinations are up to date (commit unknown).\n"
    )
    layout = ingest("plan", "--set", "study.ignore=$.metadata").stdout
    assert "model document changed (node 'Population': color red -> blue, " in layout
    ran.write_model(CODE.replace("(year - 2000)", "(year - 1999)"))
    ingest("run", "--quiet")
    (why,) = (line for line in ingest("diff").stdout.splitlines() if "code: model.py" in line)
    assert "; model document: 3 metadata values, 6 layout values   18 combinations" in why


def test_document_of_a_job_keeps_what_is_no_input(ran: StudyFolder, ingest: Ingest) -> None:
    ran.write_model(CODE + '    yield "x", year, float(document["nodes"][0]["x"])\n')
    ran.write_json("model.json", moved_layout(document()))
    assert ingest("run", "--quiet").exit_code == 0
    rows = ingest("query", "SELECT DISTINCT value FROM metrics WHERE element_label = 'x'", "--csv")
    assert rows.stdout.splitlines() == ["value", "7.0"]


@pytest.mark.parametrize(
    ("subroutines", "cause"),
    [
        (
            lambda s: [s[0], s[1], s[2] | {"included_source_nodes": ["Deceased", "DsFreeSus"]}],
            "subroutine 3 'echo': DsFreeSus added to included_source_nodes",
        ),
        (lambda s: [s[2], s[0], s[1]], "subroutine 1 'echo' moved before 'flush' (from 3 to 1)"),
        (lambda s: [*s, {"method": "roll"}], "subroutine 4 'roll' added"),
        (lambda s: [s[0], s[2]], "subroutine 2 'age' removed"),
        (
            lambda s: [s[0] | {"narration": "New"}, s[1] | {"method": "ageing"}, s[2]],
            "subroutine 2 'ageing': method age -> ageing; 1 text",
        ),
    ],
)
def test_subroutines_are_told_by_position_and_label(
    ran: StudyFolder, ingest: Ingest, subroutines: Any, cause: str
) -> None:
    ran.write_json("model.json", document(subroutines=subroutines(document()["subroutines"])))
    assert f"model document changed ({cause}): " in ingest("plan").stdout
    ingest("run", "--quiet", "-c", "KEN", "-s", "null")
    assert f"  model document: {cause}   1 combination, " in ingest("diff").stdout


def test_paths_of_a_scenario_are_told_with_the_slots_that_they_reach(
    ran: StudyFolder, ingest: Ingest
) -> None:
    changed = scenario(0.5)
    kept, gone = changed["parameters"]["Country"]["paths"]
    path = "$.nodes[?(@.id=='coverage')].generate_array.parameters.value"
    changed["parameters"]["Country"]["paths"] = [kept, path]
    changed["parameters"]["Coverage"]["paths"] = ["$.runtime.endYear", path]
    changed["parameters"]["Coverage"]["value"] = 2030
    ran.write_json("scenarios/s0.json", changed)
    answer = json.loads(ingest("plan", "--json").stdout)
    (reason,) = answer["reasons"]
    assert [change["name"] for change in reason["changes"]] == [
        f"Country: path {gone} removed, reached link 'Births': country",
        f"Country: path {path} added, reaches node 'Coverage': value",
        "Coverage",
        "Coverage: path $.runtime.endYear added, reaches runtime.endYear",
    ]
    lines = ingest("plan").stdout.splitlines()
    assert lines[1].startswith("      2  scenario s0 changed (Country: path ")
    assert lines[2] == f"{'':>9}Coverage: path $.runtime.endYear added, reaches runtime.endYear"


def test_cause_of_nine_scenarios_is_one_line(ran: StudyFolder, ingest: Ingest) -> None:
    for name in ("null", *(f"s{number}" for number in range(8))):
        before = 0.0 if name == "null" else 0.5
        ran.write_json(f"scenarios/{name}.json", scenario(before, New={"value": 3, "paths": [
            "$.runtime.startYear"]}))  # fmt: skip
    text = ingest("plan", "--set", "study.unmatched_paths=warning").stdout
    assert "     18  9 scenarios changed (New added: 3): KEN, UGA under null, s0, " in text


def test_diff_tells_a_cause_of_nine_scenarios_once(ran: StudyFolder, ingest: Ingest) -> None:
    for name in ("null", *(f"s{number}" for number in range(8))):
        more = {"value": 2020, "paths": ["$.runtime.startYear"]}
        ran.write_json(f"scenarios/{name}.json", scenario(0.0 if name == "null" else 0.5, Y=more))
    ingest("run", "--quiet")
    lines = ingest("diff").stdout.splitlines()
    where = "2 countries under null, s0, s1 and 6 more"
    why = f"  in 9 scenarios: Y added: 2020   18 combinations, {where}"
    assert [line for line in lines if "Y added" in line] == [why]
    (row,) = [line for line in ingest("diff", "--md").stdout.splitlines() if "Y added" in line]
    assert row.startswith("| in 9 scenarios: Y added: 2020 | 18 | 2 | ")
    stored = ingest("query", "SELECT DISTINCT cause FROM series_changes WHERE run_id = 2", "--csv")
    assert len(stored.stdout.splitlines()) == 10  # each combination by its own scenario


def test_nothing_that_can_move_a_number_is_hidden_behind_a_count(
    ran: StudyFolder, ingest: Ingest
) -> None:
    runtime = {"startYear": 2020, "endYear": 2030, "synchronous_iterations": 3}
    nodes = [node | {"label": node["label"] + " new"} for node in document()["nodes"]]
    ran.write_json("model.json", document(runtime=runtime, nodes=nodes, subroutines=[]))
    ingest("run", "--quiet")
    named = [
        "runtime.endYear 2028 -> 2030",
        "runtime.startYear 2025 -> 2020",
        "runtime.synchronous_iterations added: 3",
        "subroutine 1 'flush' removed",
        "subroutine 2 'age' removed",
        "subroutine 3 'echo' removed",
        "node 'Population new': label Population -> Population new",
        "node 'Coverage new': label Coverage -> Coverage new",
    ]
    lines = ingest("diff").stdout.splitlines()
    first = lines.index("Why") + 1
    assert lines[first].startswith(f"  model document: {', '.join(named[:3])}, 5 more   18 comb")
    assert [line.strip() for line in lines[first + 1 : first + 6]] == named[3:]
    explained = ingest("explain", "UGA", "s1").stdout
    assert all(change in explained for change in named)


def test_stored_words_of_a_cause_are_cut_where_they_are_very_long(
    ran: StudyFolder, ingest: Ingest
) -> None:
    path = "$.runtime['endYear']" + "['endYear']" * 40
    many = {"value": 0, "paths": [path, "$.runtime.startYear"]}
    ran.write_json(
        "scenarios/s0.json", scenario(0.5, Many={"value": 2020, "paths": ["$.runtime.startYear"]})
    )
    ingest("run", "--quiet", "-s", "s0", "--set", "study.unmatched_paths=warning")
    ran.write_json("scenarios/s0.json", scenario(0.5, Many=many | {"value": 2021}))
    ingest("run", "--quiet", "-s", "s0", "--set", "study.unmatched_paths=warning")
    stored = ingest("query", "SELECT DISTINCT cause FROM series_changes WHERE run_id = 3", "--json")
    (row,) = json.loads(stored.stdout)
    assert row["cause"].startswith("s0: Many 2020 -> 2021, Many: path $.runtime['endYear']")
    assert len(row["cause"]) == 400
    assert row["cause"].endswith("...")
    assert path in ingest("diff").stdout


def grown() -> dict[str, Any]:
    """The model with a new link, twelve new nodes, another value, and its subroutines reordered."""
    model = document(runtime={"startYear": 2025, "endYear": 2029})
    made = {"method": "single_value", "parameters": {"value": 0.031}}
    deaths = {"id": "pfDEgvPv", "label": "AsthmaEpsd -> Deceased", "generate_array": made}
    one = {"method": "single_value", "parameters": {"value": 1}}
    model["links"] = [*model["links"], deaths]
    model["nodes"][0]["generate_array"]["parameters"]["end_value"] = 0.9
    model["nodes"] += [
        {"id": f"p{n}", "label": f"Group {n} PIN", "generate_array": one} for n in range(12)
    ]
    flush, age, echo = model["subroutines"]
    return model | {"subroutines": [age, flush, echo]}


WORDS = (
    "runtime.endYear 2028 -> 2029",
    "node 'Population': end_value added: 0.9",
    "link 'AsthmaEpsd -> Deceased' added (single_value 0.031)",
    "12 nodes labelled '... PIN' added",
    "subroutine 1 'age' moved before 'flush' (from 2 to 1)",
)


@pytest.mark.skipif(importlib.util.find_spec("datasette") is None, reason="the extra browser")
def test_causes_are_told_in_the_models_words_everywhere(ran: StudyFolder, ingest: Ingest) -> None:
    from ingest.browser.server.server import ServeOptions, make_site

    ran.write_json("model.json", grown())
    told = {"plan": ingest("plan").stdout, "run": ingest("run").stderr}
    told["diff"] = ingest("diff", "--all").stdout
    told["explain"] = ingest("explain", "KEN", "null", "--all").stdout
    told["markdown"] = ingest("diff", "--md", "--html", "report.html").stdout
    told["report"] = (ran.root / "report.html").read_text()
    datasette = make_site(ServeOptions(ran.database)).datasette
    for path in ("run/2", "run/2/changes", "job/2/KEN/null"):
        page = asyncio.run(datasette.client.get(f"/validation_results/-/{path}"))
        told[path] = page.text
    shown = WORDS[:3]
    for name, text in told.items():
        missing = [words for words in (shown if name == "run" else WORDS)
                   if words not in html.unescape(text)]  # fmt: skip
        assert missing == [], (name, text)
    assert "links[" not in told["plan"] + told["explain"]


@pytest.mark.skipif(
    importlib.util.find_spec("datasette") is None, reason="pip install 'ingest[browser]'"
)
def test_pages_of_run_changes_and_job_fold_every_changed_input(
    ran: StudyFolder, ingest: Ingest
) -> None:
    from ingest.browser.server.server import ServeOptions, make_site

    change_runtime(ran)
    for name in ("s0", "s1"):
        changed = scenario(0.5, New={"value": "<b>", "paths": ["$.metadata.label"]})
        ran.write_json(f"scenarios/{name}.json", changed)
    model = moved_layout(json.loads((ran.root / "model.json").read_text()))
    ran.write_json("model.json", model | {"metadata": {"label": ""}})
    ingest("run", "--quiet")
    datasette = make_site(ServeOptions(ran.database)).datasette
    pages = {
        path: html.unescape(asyncio.run(datasette.client.get(f"/validation_results/-/{path}")).text)
        for path in ("run/2", "run/2/changes", "job/2/KEN/s0")
    }
    wanted = ("runtime.synchronous_iterations added: 10", "metadata.version removed")
    for path, text in pages.items():
        folded = re.findall(r"<details><summary>\d+ changed inputs</summary>.*?</details>", text)
        items = [{*re.findall(r"<li><bdi>(.*?)</bdi></li>", changes)} for changes in folded]
        assert any({*wanted} <= changes for changes in items), path
    assert "2 scenarios changed (New added: <b>)" in pages["run/2"]
    assert "scenario s0 changed" in pages["job/2/KEN/s0"]


def test_models_that_differ_in_layout_alone_are_one_model(ran: StudyFolder, ingest: Ingest) -> None:
    ran.write_json("model.json", moved_layout(document()))
    assert ingest("run", "--quiet", "--force", "-s", "s0").exit_code == 0
    result = ingest("compare", "null", "s0", "--country", "KEN", "--json")
    assert result.stderr == ""
    assert json.loads(result.stdout)["mixed"] in (None, [], {})
    assert "Nothing to do" in ingest("plan").stdout
    assert ingest("run").stdout == (
        "Nothing to do: 18 of 18 combinations are up to date (commit unknown).\n"
    )


def test_changing_the_list_of_what_is_no_input_runs_nothing(
    ran: StudyFolder, ingest: Ingest
) -> None:
    for ignored in ("", "$.nodes[*].label", "$.runtime"):
        answer = json.loads(ingest("plan", "--json", "--set", f"study.ignore={ignored}").stdout)
        assert (answer["to_run"], answer["restored"], answer["up_to_date"]) == (0, [], 18)
    assert "Nothing to do" in ingest("run", "--set", "study.ignore=$.metadata").stdout
    assert len(json.loads(ingest("status", "--json").stdout)) == 1
