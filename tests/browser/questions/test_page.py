from __future__ import annotations

import asyncio
import csv
import hashlib
import html
import importlib.util
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from ingest.browser.links import Links
from ingest.browser.questions.answer import answer_text
from ingest.browser.questions.page import QuestionPage, build_question_page
from ingest.database import ValidationDatabase
from ingest.database.records import JobOutcome, JobRecord, JobStatus, RunStatus
from ingest.database.references import replace_reference
from ingest.database.write import keep_study
from ingest.errors import ConfigError
from ingest.metrics import Metric, ResultSet
from ingest.planning.inputs import Inputs, InputSet
from ingest.planning.plan import Reason, ReasonKind
from ingest.questions.asked import AskedQuestion
from ingest.questions.catalogue import load_canned_queries
from ingest.questions.files import parse_canned_query
from ingest.running.closing import close_changes
from ingest.study.combination import Combination
from ingest.study.country import Country
from ingest.study.settings import Settings
from tests.conftest import PROJECT
from tests.questions.test_canned_queries import HEAD, LABEL, NOW, RECORD, store_run, store_two_runs

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("datasette") is None, reason="pip install 'ingest[browser]'"
)

QUERIES = load_canned_queries()
HOSTILE = "<script>alert(1)</script> \"q\" 'x' & -> [0].a \N{PILE OF POO} \N{HEBREW LETTER ALEF}"


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def specs(self) -> list[dict[str, Any]]:
        """The charts that the page holds."""
        found = re.findall(r'<script type="application/json" class="chart-spec">(.*?)</script>',
                           self.text, re.DOTALL)  # fmt: skip
        return [json.loads(text) for text in found]

    @property
    def words(self) -> str:
        """The answer, as a person reads it."""
        found = re.search(
            r'<p class="(?:empty )?answer">(.*?)(?:<a |<small |</p>)', self.text, re.DOTALL
        )
        assert found
        return html.unescape(" ".join(found[1].split()))

    @property
    def conditions(self) -> str:
        """What stands behind the answer: everything that its numbers depend on."""
        found = re.search(r'<small class="conditions">\((.*?)\)</small></p>', self.text)
        assert found
        return html.unescape(found[1])

    @property
    def notes(self) -> list[str]:
        """The boxes below the answer."""
        found = re.findall(r'<p class="message-warning">(.*?)</p>', self.text)
        return [html.unescape(note) for note in found]

    def link(self, words: str) -> str:
        """Where a link leads."""
        found = re.search(rf'<a href="([^"]*)"[^>]*>{re.escape(words)}</a>', self.text)
        assert found, words
        return html.unescape(found[1])


class Site:
    """Datasette in this process, as `ingest serve` sets it up."""

    def __init__(self, database: Path) -> None:
        from ingest.browser.server.server import ServeOptions, make_site

        self.database = database
        self.datasette = make_site(ServeOptions(database)).datasette

    def get(self, path: str, **parameters: Any) -> Answer:
        if not path.startswith("/"):
            path = f"/{self.database.stem}/{path}"
        if parameters:
            path += "?" + urlencode(parameters, doseq=True)
        response = asyncio.run(self.datasette.client.get(path))
        return Answer(response.status_code, response.text, dict(response.headers))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Two runs: Kenya, Uganda and Tanzania under null and up, Namibia under null alone."""
    path = tmp_path_factory.mktemp("question") / "results.db"
    store_two_runs(path)
    return Site(path)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Label, scenario, country's name, error and study hold what must be text."""
    path = tmp_path_factory.mktemp("hostile") / "results.db"
    inputs = Inputs(InputSet("null", "m1", "s1", "c1", "standard", "q1"), "d1")
    reason = Reason(ReasonKind.NEVER_RUN, HOSTILE)
    combinations = [Combination(c, s) for c in ("KEN", "UGA") for s in ("null", HOSTILE)]
    with ValidationDatabase(path).writing() as database:
        keep_study(
            database.db,
            [Country("KEN", f"Kenya {HOSTILE}", {"region": HOSTILE}), Country("UGA", "Uganda")],
            [],
        )
        jobs = [
            JobRecord(combination, f"{n:026d}", "job", inputs, reason)
            for n, combination in enumerate(combinations)
        ]
        run_id = database.start_validation_run(RECORD, jobs, {})
        for n, combination in enumerate(combinations[:-1], 1):
            metrics = ResultSet([Metric(HOSTILE, year, 1.5 * n) for year in (2025, 2026)])
            outcome = JobOutcome(combination, JobStatus.SUCCESS, NOW, 1, 0.5, metrics)
            database.record_job_result(run_id, outcome)
        database.record_job_result(
            run_id,
            JobOutcome(
                combinations[-1], JobStatus.FAILED, NOW, 1, error_kind=HOSTILE, error=HOSTILE
            ),
        )
        database.update_run_status(run_id, RunStatus.COMPLETED, NOW)
    return Site(path)


# --- every question ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUERIES)
def test_every_question_opens_without_parameters(site: Site, name: str) -> None:
    page = site.get(name)
    assert page.status == 200
    assert f"<h1>{QUERIES[name].title}</h1>" in page.text
    assert page.words
    for parameter in QUERIES[name].parameters:
        assert f'name="{parameter.name}"' in page.text


# Nothing was published, moved or found in these runs.
EMPTY = ("reference_against_model", "model_fit", "biggest_changes", "data_quality")


@pytest.mark.parametrize("name", [name for name in QUERIES if name not in EMPTY])
def test_every_question_answers_with_rows_in_every_format(site: Site, name: str) -> None:
    rows = site.get(f"{name}.json", _shape="array").json
    assert rows
    assert len(site.get(name).specs) == len(QUERIES[name].charts)
    table = list(csv.DictReader(io.StringIO(site.get(f"{name}.csv").text)))
    assert len(table) == len(rows)
    assert list(table[0]) == list(rows[0])


@pytest.mark.parametrize("name", EMPTY)
def test_an_answer_without_rows_says_what_to_do(site: Site, name: str) -> None:
    assert site.get(f"{name}.json", _shape="array").json == []
    page = site.get(name)
    assert page.specs == []
    assert page.words


def test_json_has_the_defaults_that_the_page_has(site: Site) -> None:
    page = parse_qs(urlsplit(site.get("compare_scenarios").link("CSV")).query)
    bare = site.get("compare_scenarios.json", _shape="array").json
    pinned = site.get("compare_scenarios.json", **page, _shape="array").json
    assert bare == pinned
    assert bare[0]["timestamp_year"] == 2025


# --- parameters ----------------------------------------------------------------------------------


def test_a_choice_changes_rows_chart_and_address(site: Site) -> None:
    kenya = site.get("compare_scenarios")
    uganda = site.get("compare_scenarios", country="UGA")
    assert kenya.specs != uganda.specs
    assert '<option value="UGA" selected>Uganda (UGA)</option>' in uganda.text
    assert "country=UGA" in uganda.link("Copy link (pinned)")


def test_countries_may_stand_there_several_times(site: Site) -> None:
    several = site.get("label_trend.json", countries=["KEN", "UGA"], _shape="array").json
    listed = site.get("label_trend.json", countries="KEN,UGA", _shape="array").json
    assert {row["country"] for row in several} == {"KEN", "UGA"}
    assert several == listed


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"country": "KEM"}, "country: there is no 'KEM'. Did you mean KEN?"),
        ({"discount_rate": "x"},
         "discount_rate: 'x' is no rate. Write one from 0% to 30%, such as 3%"),
        ({"contry": "KEN"},
         "canned query compare_scenarios has no parameter 'contry'. Did you mean country?"),
        ({"run": HOSTILE}, f"no run {HOSTILE!r} in this database; runs are 1 to 2. Name one by "
         "number, tag, commit, date, latest or previous (ingest status lists them)"),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_a_clear_400(
    site: Site, parameters: dict[str, str], message: str
) -> None:
    answer = site.get("compare_scenarios.json", **parameters)
    assert (answer.status, answer.json["ok"], answer.json["error"]) == (400, False, message)
    assert site.get("compare_scenarios.csv", **parameters).status == 400
    page = site.get("compare_scenarios", **parameters)
    assert page.status == 400
    assert message in html.unescape(page.text)
    assert "<script>alert" not in page.text


def test_related_questions_keep_what_was_chosen(site: Site) -> None:
    text = site.get("compare_scenarios", country="UGA", label="Population").text
    nav = re.search(r'<nav class="related".*?</nav>', text, flags=re.DOTALL)
    assert nav is not None
    addresses = re.findall(r'href="/[^/]+/([^"]+)"', nav[0])
    names = {name for name, query in QUERIES.items() if query.topic == "Compare"}
    assert {address.partition("?")[0] for address in addresses} == names - {"compare_scenarios"}
    assert "scenario_totals?country=UGA&amp;label=Population" in addresses
    assert "scenario_impact?label=Population" in addresses


def test_a_pinned_link_shows_the_same_after_later_runs(tmp_path: Path) -> None:
    from ingest.database.records import JobStatus as Status

    path = tmp_path / "results.db"
    store_two_runs(path)
    before = Site(path).get("compare_scenarios", country="KEN")
    pinned = before.link("Copy link (pinned)")
    assert "run=2" in pinned
    with ValidationDatabase(path).writing() as database:
        combination = Combination("KEN", "up")
        job = JobRecord(
            combination, "9" * 26, "job",
            Inputs(InputSet("up", "m", "s", "c", "e", "q"), "d"),
            Reason(ReasonKind.NEVER_RUN, "never run"),
        )  # fmt: skip
        run_id = database.start_validation_run(RECORD, [job], {})
        metrics = ResultSet([Metric(LABEL, year, 1000.0) for year in (2025, 2026, 2027)])
        outcome = JobOutcome(combination, Status.SUCCESS, NOW, 1, 0.5, metrics)
        database.record_job_result(run_id, outcome)
        database.update_run_status(run_id, RunStatus.COMPLETED, NOW)
    later = Site(path)
    assert later.get(pinned).specs == before.specs
    assert later.get(pinned).words == before.words
    assert later.get("compare_scenarios", country="KEN").specs != before.specs


# --- what the page says --------------------------------------------------------------------------


def test_an_answer_carries_everything_that_would_change_it(site: Site) -> None:
    page = site.get("scenario_impact", countries="KEN,UGA", until=2026, discount_rate=3)
    assert page.conditions == (
        "only KEN, UGA; 2025-2026; discounted at 3 % a year to 2025; run 2, commit ccccccc"
    )
    # the link preview and the words for both charts have it, too
    assert page.text.count(f"({page.conditions})") == 4
    assert site.get("scenario_impact").conditions == "2025-2027; run 2, commit ccccccc"
    year = site.get("history_of_a_number", country="KEN", scenario="up", year=2026)
    assert year.conditions == "2026; Year: 2026; run 2, commit ccccccc"
    every = site.get("history_of_a_number", country="KEN", scenario="up")
    assert every.conditions == "2025-2027; run 2, commit ccccccc"


def test_a_picture_carries_everything_that_would_change_it(site: Site) -> None:
    chosen = {"countries": "KEN,UGA", "until": 2026, "discount_rate": "3%", "base_year": 2024}
    spec = site.get("scenario_impact.vl.json", **chosen).json
    assert " ".join(spec["title"]["subtitle"]) == (
        f"{LABEL} · up against null · only KEN, UGA · 2025-2026 · discounted at 3 % a year to 2024"
        " · difference · run 2 Source: run 2, commit ccccccc, 23 Nov 2026, 09:00"
    )


@pytest.mark.parametrize("text", ["3", "3%", "3 %", "3.0"])
def test_three_on_a_page_is_three_percent_and_shown_beside_the_field(site: Site, text: str) -> None:
    page = site.get("scenario_impact", countries="TZA", discount_rate=text)
    assert 'value="3%"' in page.text
    assert '<small class="meaning">3 % a year</small>' in page.text
    rows = site.get("scenario_impact.json", countries="TZA", discount_rate=text, _shape="array")
    assert rows.json[0]["difference"] == pytest.approx(1 + 1 / 1.03 + 1 / 1.03**2, rel=1e-15)
    csv_text = site.get("scenario_impact.csv", countries="TZA", discount_rate=text).text
    assert str(rows.json[0]["difference"]) in csv_text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.03", "0.03 could mean 0.03% or 3% a year. Write 0.03% or 3%"),
        ("300", "300 is more than 30 % a year. Write one from 0% to 30%, such as 3%"),
        ("-5", "'-5' is no rate. Write one from 0% to 30%, such as 3%"),
    ],
)
def test_a_rate_that_could_be_misread_is_refused(site: Site, text: str, message: str) -> None:
    for ending in ("", ".json", ".csv", ".vl.json"):
        answer = site.get(f"scenario_impact{ending}", discount_rate=text)
        assert answer.status == 400
        assert f"discount_rate: {message}" in html.unescape(answer.text)


def test_a_question_of_the_studys_own_gets_the_fraction(tmp_path: Path) -> None:
    store_two_runs(tmp_path / "results.db")
    (tmp_path / "canned_queries").mkdir()
    (tmp_path / "canned_queries" / "my_rate.sql").write_text(
        HEAD.format("parameters:\n  discount_rate:\n") + "SELECT :discount_rate + 0 AS a"
    )
    site = Site(tmp_path / "results.db")
    for text, fraction in (("7%", 0.07), ("3", 0.03), ("", 0)):
        rows = site.get("my_rate.json", discount_rate=text, _shape="array").json
        assert [row["a"] for row in rows] == [fraction]
    assert site.get("my_rate", discount_rate="7").conditions == "Discount rate a year: 7%"


def test_years_that_differ_are_told_on_the_page(tmp_path: Path) -> None:
    with ValidationDatabase(tmp_path / "results.db").writing() as database:
        store_run(
            database,
            {("KEN", "null"): (1.0, 1.0, 1.0), ("KEN", "up"): (2.0, 2.0),
             ("UGA", "null"): (1.0, 1.0, 1.0), ("UGA", "up"): (2.0, 2.0, 2.0)},
        )  # fmt: skip
    site = Site(tmp_path / "results.db")
    page = site.get("scenario_impact", until=2060)
    assert page.notes == [
        "Years: asked for until 2060, the results end in 2027.",
        "Years: null has 2025-2027 and up 2025-2026 in KEN: only the years that both have are "
        "compared.",
        "Years: not all countries have the same years: 2025-2026 in KEN; 2025-2027 in UGA.",
    ]
    spec = site.get("scenario_impact.vl.json", until=2060).json
    assert "the results end in 2027" in " ".join(spec["title"]["subtitle"])
    totals = site.get("scenario_totals", country="KEN")
    assert totals.notes == [
        "Years: not all rows have the same years: 2025-2026 in up; 2025-2027 in null."
    ]
    assert site.get("scenario_impact", until=2026).notes == []
    country = site.get(Links("results").country("KEN"))
    assert country.notes == totals.notes
    assert "summed over 2025-2027, as of run 1" in country.text
    assert "The region of no country is known: groups are text fields of the countries file" in (
        site.get("scenario_impact_by_group").words
    )


def test_a_publication_keeps_countries_that_the_results_lack(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    store_two_runs(path)
    with ValidationDatabase(path).writing() as database:
        replace_reference(database.db, "a3", LABEL, [("UGA", "up", 5.0), ("NAM", "up", 5.0)])
    site = Site(path)
    rows = site.get("reference_against_model.json", _shape="array").json
    assert [(row["country"], row["model_value"]) for row in rows] == [
        ("NAM", None), ("UGA", pytest.approx(1.3)),
    ]  # fmt: skip
    page = site.get("reference_against_model")
    assert page.words == (
        f"In 1 of the 2 countries of a3, the model gives 1.3 {LABEL} where a3 has 5: 0.26 times "
        "as much. The results have no Namibia."
    )
    assert len(page.specs[0]["data"]["values"]) == 1


def test_the_answer_is_a_sentence_with_the_numbers(site: Site) -> None:
    assert site.get("compare_scenarios", country="KEN").words == (
        f"In Kenya, up gains 12.5 {LABEL} against null (+20.6 %), summed over 2025-2027."
    )
    assert site.get("compare_scenarios", baseline="up", scenario="null").words == (
        f"In Kenya, null loses 12.5 {LABEL} against up (−17.1 %), summed over 2025-2027."
    )
    assert site.get("compare_scenarios", baseline="up", scenario="up").words == (
        f"In Kenya, up gives neither more nor less {LABEL} than up (0 %), summed over 2025-2027."
    )
    assert site.get("scenario_impact").words == (
        f"up gains 16.8 {LABEL} against null (+25.0 %) in 3 countries, summed over 2025-2027. "
        "Kenya gains most (12.5), Uganda least (1.3)."
    )
    assert site.get("failed_jobs").words == (
        "1 job of run 2 did not succeed. 1 time: x. The first one says: x"
    )
    assert site.get("failed_jobs", run="1").words == "Every job of run 1 succeeded."
    assert site.get("run_history").words == (
        "2 runs. The newest is run 2 of 23 Nov 2026 (completed): 1 of 2 jobs succeeded in 0 ms."
    )
    assert site.get("history_of_a_number", country="KEN", scenario="up").words == (
        f"{LABEL} in Kenya under up, summed over the years: 73.1 as of run 2; it moved in 1 run, "
        "most recently in run 2 (commit ccccccc) by +5.4 (+7.98 %)."
    )


def test_the_source_is_the_run_with_its_commit(site: Site) -> None:
    text = html.unescape(site.get("compare_scenarios", run="1").text)
    assert "Source: run 1, commit ccccccc, 23 Nov 2026, " in text


def test_the_chart_editor_is_a_page_of_the_same_rows(site: Site) -> None:
    address = site.get("compare_scenarios").link("Open in chart editor")
    assert address.endswith("#g.mark=line&g.x_column=timestamp_year&g.y_column=baseline_value")
    assert "_size=max" in address
    editor = site.get(address.partition("#")[0])
    assert 'class="export-links"' in editor.text
    assert "datasette_vega/main" in editor.text
    assert "datasette_vega/main" not in re.sub(
        r"<link[^>]*>", "", site.get("compare_scenarios").text
    )


def test_a_scenario_has_one_colour_on_every_chart(site: Site) -> None:
    (level, difference, _) = site.get("compare_scenarios").specs
    colours = level["layer"][0]["encoding"]["color"]["scale"]
    assert colours["domain"] == ["null", "up"]
    change = difference["layer"][0]["encoding"]["color"]["scale"]["range"]
    totals, _ = site.get("scenario_totals").specs
    bars = totals["layer"][0]["encoding"]["color"]["scale"]
    assert change == [colours["range"][1]]
    assert bars["range"][bars["domain"].index("up")] == colours["range"][1]


# --- texts are text ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUERIES)
def test_hostile_texts_are_text_on_every_page(hostile: Site, name: str) -> None:
    page = hostile.get(name)
    assert page.status == 200
    assert "<script>alert" not in page.text
    assert "<script>alert" not in json.dumps(page.headers)
    if page.specs:
        assert "\\u003cscript\\u003e" in page.text or "script" not in json.dumps(page.specs)


def test_hostile_values_can_be_chosen(hostile: Site) -> None:
    page = hostile.get("compare_scenarios", scenario=HOSTILE, label=HOSTILE)
    assert page.status == 200
    assert page.words.startswith(f"In Kenya {HOSTILE}, {HOSTILE} gives 3")
    assert hostile.get(page.link("Copy link (pinned)")).specs == page.specs
    (line, *_) = page.specs
    assert line["layer"][0]["encoding"]["color"]["scale"]["domain"] == ["null", HOSTILE]


# --- beside the pages ----------------------------------------------------------------------------


def test_the_script_that_draws_is_kept_by_the_browser(site: Site) -> None:
    pytest.importorskip("vl_convert")
    page = site.get("scenario_impact")
    found = re.search(r'src="(/-/ingest/vega\.js\?v=[^"]+)"', page.text)
    assert found
    script = site.get(found[1])
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "vegaEmbed" in script.text


def test_the_outlines_of_the_map_are_served(site: Site) -> None:
    _, world = site.get("scenario_impact").specs
    shapes = site.get(world["data"]["url"])
    assert len(shapes.json["objects"]["countries"]["geometries"]) > 170
    assert shapes.status == 200


def test_tables_and_static_files_are_still_datasettes(site: Site) -> None:
    assert site.get("validation_runs").status == 200
    assert site.get("metrics.json", _size=1, _shape="array").json
    assert "--accent" in site.get("/static/ingest.css").text
    assert site.get("no_such_thing").status == 404
    assert site.get("/nowhere/compare_scenarios").status == 404


def test_looking_at_every_question_changes_nothing(site: Site) -> None:
    before = hashlib.sha256(site.database.read_bytes()).hexdigest()
    for name in QUERIES:
        site.get(name)
        site.get(f"{name}.json")
    assert hashlib.sha256(site.database.read_bytes()).hexdigest() == before


def test_a_study_brings_its_own_questions(tmp_path: Path) -> None:
    store_two_runs(tmp_path / "results.db")
    own = tmp_path / "canned_queries"
    own.mkdir()
    (own / "my_years.sql").write_text(
        "/*\n---\ntitle: Which years are there?\ndescription: All years.\nanswer: |-\n"
        "  {{ rows | length | count('year') }}.\nparameters:\n  run:\n"
        "columns:\n  first_year: first\n---\n*/\n"
        "SELECT DISTINCT first_year FROM result_sets WHERE :run <> ''"
    )
    page = Site(tmp_path / "results.db")
    assert page.get("my_years").words == "1 year."
    assert page.get("my_years.json", _shape="array").json == [{"first_year": 2025}]


def test_the_example_in_the_docs_is_such_a_question(tmp_path: Path) -> None:
    store_two_runs(tmp_path / "results.db")
    (tmp_path / "canned_queries").mkdir()
    page = (PROJECT / "docs" / "questions.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```sql\n(/\*.*?)```", page, re.DOTALL)
    (tmp_path / "canned_queries" / "people.sql").write_text(example)
    answer = Site(tmp_path / "results.db").get("people", scenario="null")
    assert answer.words == "East has the most: 112 of 162."
    assert [bar["value"] for bar in answer.specs[0]["data"]["values"]] == [112, 50]


def test_every_question_is_in_the_docs() -> None:
    page = (PROJECT / "docs" / "questions.md").read_text(encoding="utf-8")
    for query in QUERIES.values():
        assert f"**{query.title}** `{query.name}`" in page


def test_a_question_of_a_bundled_name_takes_no_place(tmp_path: Path) -> None:
    store_two_runs(tmp_path / "results.db")
    own = tmp_path / "canned_queries"
    own.mkdir()
    (own / "scenario_impact.sql").write_text(HEAD.format("") + "SELECT 1")
    answer = Site(tmp_path / "results.db").get("scenario_impact.json")
    assert answer.json["columns"] == list(QUERIES["scenario_impact"].columns)


# --- the pure parts ------------------------------------------------------------------------------


def build(rows: list[tuple[Any, ...]], front_matter: str, **more: Any) -> QuestionPage:
    query = parse_canned_query("q", HEAD.format(front_matter) + "SELECT 1 AS a")
    asked = AskedQuestion(query, {"run": "7"}, (), {}, None)
    return build_question_page(asked, ["a"], rows, **more)


def test_a_page_without_rows_says_so_where_the_file_does_not() -> None:
    page = build([], "")
    assert (page.is_empty, page.answer) == (
        True,
        "There is no row to show. Choose something else above.",
    )


def test_a_page_that_is_cut_says_so() -> None:
    page = build([(1,), (2,)], "answer: All.\n", truncated=True)
    assert page.answer == "Only the first 2 rows are shown; choose less. All."


def test_addresses_have_every_value() -> None:
    assert build([(1,)], "").address(".json", _shape="array") == "q.json?run=7&_shape=array"


def test_a_template_sees_rows_and_names_and_gives_one_line_of_text() -> None:
    text = answer_text(
        "{{ who }}:\n {{ total('a') | quantity }} {{ highest('a').a }} {{ lowest('a').a }} "
        "{{ share(1, 0) | percent }}",
        {"who": "<b>"},
        ["a"],
        [(1.0,), (None,), (3.0,)],
    )
    assert text == "<b>: 4 3.0 1.0 n/a"


@pytest.mark.parametrize(
    "template",
    ["{{ nobody }}", "{{ 1 +", "{{ first('b') }}", "{{ rows.__class__.__mro__ }}", "{{ a | nix }}"],
)
def test_a_wrong_template_is_told(template: str) -> None:
    with pytest.raises(ConfigError, match=r"^the answer .* cannot be written: "):
        answer_text(template, {}, ["a"], [(1,)])


def test_years_that_came_or_went_are_told_on_the_page_of_changes(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    with ValidationDatabase(path).writing() as database:
        for years, more in (((1.0, 1.0, 1.0), (1.0, 1.0)), ((1.0,), (3.0,))):
            run_id = store_run(database, {("KEN", "null"): years, ("UGA", "null"): more})
        close_changes(database, run_id, Settings(tmp_path))
    text = Site(path).get(Links("results").changes(2)).text
    assert text.count('<td class="number">2026-2027 removed</td>') == 2
    assert text.count("+200 %<br>2026 removed</td>") == 2
    assert "from zero" not in text
    page = Site(path).get("run_against_run", country="KEN")
    assert page.conditions == "2025; run 2, commit ccccccc"
    assert page.notes == [
        "Years: run 1 has 2025-2027 and run 2 2025 in KEN: only the years that both have are "
        "compared."
    ]
