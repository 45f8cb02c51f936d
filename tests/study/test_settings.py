from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ingest.errors import ConfigError, StudyError
from ingest.executors.local.executor import LocalExecutor
from ingest.findings import error
from ingest.study.setting_fields import FromText, read_section, section_fields, setting
from ingest.study.settings import SECTIONS, Settings, load_settings

Read = Callable[..., Settings]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a text as ingest.toml; an error or a warning fails the test."""

    def call(text: str = "", overrides: Sequence[str] = (), **environ: str) -> Settings:
        (tmp_path / "ingest.toml").write_text(text)
        settings, findings = load_settings(tmp_path / "ingest.toml", environ, overrides)
        assert not findings
        return settings

    return call


@pytest.fixture
def errors(read: Read) -> Callable[..., list[str]]:
    """All errors that a text gives, as they are shown."""

    def call(text: str = "", overrides: Sequence[str] = (), **environ: str) -> list[str]:
        with pytest.raises(StudyError) as caught:
            read(text, overrides, **environ)
        assert caught.value.exit_code == 2
        return [str(finding) for finding in caught.value.findings]

    return call


# --- defaults and documentation ------------------------------------------------------------------


def test_empty_file_gives_every_default(read: Read, tmp_path: Path) -> None:
    assert read() == Settings(tmp_path)


def test_defaults_are_those_of_the_design(read: Read) -> None:
    settings = read()
    assert settings.study.model == "model.json"
    assert settings.study.scenarios == ("scenarios",)
    assert settings.study.countries == "countries.json"
    assert settings.study.environment == "standard"
    assert settings.study.unmatched_paths == "error"
    assert settings.run.executor == "local"
    assert settings.run.max_in_flight is None
    assert LocalExecutor.default_max_in_flight == 100
    assert settings.run.rerun_triggers == ("input", "code", "environment")
    assert settings.analytics.source == "executor"


def test_study_is_named_after_its_folder_unless_it_names_itself(read: Read, tmp_path: Path) -> None:
    assert read().name == tmp_path.name
    assert read('[study]\nname = "asthma"').name == "asthma"


def test_database_lies_beside_the_settings_unless_it_is_absolute(
    read: Read, tmp_path: Path
) -> None:
    assert read().database_path == tmp_path / "validation_results.db"
    assert read('[database]\npath = "out/r.db"').database_path == tmp_path / "out" / "r.db"
    assert read('[database]\npath = "/data/r.db"').database_path == Path("/data/r.db")


@pytest.mark.parametrize("name", SECTIONS)
def test_every_setting_is_documented(name: str) -> None:
    assert (SECTIONS[name].__doc__ or "").startswith(f"[{name}]: ")
    for field, _ in section_fields(SECTIONS[name]):
        assert len(field.metadata["doc"]) > 15, f"{name}.{field.name}"


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_can_be_made_from_its_defaults(name: str) -> None:
    assert dataclasses.is_dataclass(SECTIONS[name]())


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "ingest.toml").write_bytes(b'\xef\xbb\xbf[study]\nname = "a"')
    assert load_settings(tmp_path / "ingest.toml", {})[0].name == "a"


# --- the order of sources ------------------------------------------------------------------------


def test_file_wins_over_default_variable_over_file_and_set_over_variable(read: Read) -> None:
    text = "[run]\nmax_in_flight = 10\nretries = 10\njob_timeout_s = 10"
    settings = read(
        text, ["run.max_in_flight=30"], INGEST_RUN_MAX_IN_FLIGHT="20", INGEST_RUN_RETRIES="20"
    )
    assert settings.run.max_in_flight == 30
    assert settings.run.retries == 20
    assert settings.run.job_timeout_s == 10.0
    assert settings.run.poll_interval_s == 1.0


def test_last_of_two_overrides_wins(read: Read) -> None:
    assert read("", ["run.retries=3", "run.retries=4"]).run.retries == 4


@pytest.mark.parametrize(
    ("variable", "text", "section", "key", "value"),
    [
        ("INGEST_DATABASE", "/data/r.db", "database", "path", "/data/r.db"),
        ("INGEST_DATABASE_PATH", "/data/r.db", "database", "path", "/data/r.db"),
        ("INGEST_EXECUTOR", "aws-batch", "run", "executor", "aws-batch"),
        ("INGEST_RUN_MAX_IN_FLIGHT", "7", "run", "max_in_flight", 7),
        ("INGEST_RUN_POLL_INTERVAL_S", "0.25", "run", "poll_interval_s", 0.25),
        ("INGEST_RUN_SUBMIT_RATE", "", "run", "submit_rate", None),
        ("INGEST_STUDY_SCENARIOS", "a, b,,c*", "study", "scenarios", ("a", "b", "c*")),
        ("INGEST_STUDY_IGNORE", "$.a['x','y'], $.b", "study", "ignore", ("$.a['x','y']", "$.b")),
        ("INGEST_RUN_RERUN_TRIGGERS", "commit", "run", "rerun_triggers", ("commit",)),
        ("INGEST_STUDY_CODE_VERSION", "", "study", "code_version", None),
        ("INGEST_TOLERANCE_RTOL", "1e-3", "tolerance", "rtol", 0.001),
    ],
)
def test_variable_sets_its_setting(
    read: Read, variable: str, text: str, section: str, key: str, value: object
) -> None:
    assert getattr(getattr(read("", **{variable: text}), section), key) == value


def test_variable_sets_an_executors_own_setting(read: Read) -> None:
    settings = read("[executors.local]\nworkers = 1", INGEST_EXECUTORS_LOCAL_WORKERS="4")
    assert settings.executors["local"]["workers"].text == "4"


def test_variable_sets_a_setting_of_an_executor_with_a_hyphen(read: Read) -> None:
    settings = read("[executors.run-api]", INGEST_EXECUTORS_RUN_API_URL="http://here")
    assert settings.executors["run-api"]["url"].text == "http://here"


def test_variable_goes_to_the_longest_executor_name(read: Read) -> None:
    settings = read("[executors.local-big]", INGEST_EXECUTORS_LOCAL_BIG_WORKERS="4")
    assert settings.executors["local-big"]["workers"].text == "4"


def test_variable_sets_a_setting_of_the_executor_that_is_chosen(read: Read) -> None:
    settings = read("", ["run.executor=slurm-big"], INGEST_EXECUTORS_SLURM_BIG_QUEUE="long")
    assert settings.executors["slurm-big"]["queue"].text == "long"
    settings = read("", INGEST_EXECUTOR="slurm", INGEST_EXECUTORS_SLURM_QUEUE="long")
    assert settings.executors["slurm"]["queue"].text == "long"


def test_variable_sets_a_setting_of_the_source_that_is_chosen_or_has_a_section(read: Read) -> None:
    variable = {"INGEST_ANALYTICS_S3_LOCATION": "s3://b/{ulid}"}
    for text, overrides in (("[analytics.s3]", []), ("", ["analytics.source=s3"])):
        settings = read(text, overrides, **variable)
        assert settings.analytics_sources["s3"]["location"].text == "s3://b/{ulid}"
    settings = read("[analytics.s3]", ["analytics.s3.location=s3://c/{ulid}"], **variable)
    assert settings.analytics_sources["s3"]["location"].text == "s3://c/{ulid}"


def test_variable_of_an_executor_that_another_command_may_choose_is_left_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "ingest.toml").write_text("")
    environ = {"INGEST_EXECUTORS_RUN_API_URL": "http://here"}
    assert load_settings(tmp_path / "ingest.toml", environ) == (Settings(tmp_path), [])


def test_option_wins_over_a_variable_of_an_executor(read: Read) -> None:
    settings = read(
        "[executors.local]\nworkers = 1",
        ["executors.local.workers=3"],
        INGEST_EXECUTORS_LOCAL_WORKERS="2",
        INGEST_EXECUTORS_LOCAL_ENTRY_POINT="m:f",
    )
    local = settings.executors["local"]
    assert (local["workers"].text, local["entry_point"].text) == ("3", "m:f")


def test_variable_of_the_command_line_itself_is_no_setting(read: Read) -> None:
    assert read("", INGEST_STUDY="somewhere") == read("")


def test_variables_of_others_are_left_alone(read: Read) -> None:
    assert read("", INGESTED="1", PATH="/bin") == read("")


def test_unknown_variable_is_a_warning_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "ingest.toml").write_text("")
    environ = {"INGEST_RUN_MAX_INFLIGHT": "5"}
    settings, findings = load_settings(tmp_path / "ingest.toml", environ)
    assert settings == Settings(tmp_path)
    assert [str(f) for f in findings] == [
        "INGEST_RUN_MAX_INFLIGHT: names no setting and is ignored."
        " Did you mean INGEST_RUN_MAX_IN_FLIGHT?"
    ]
    assert not findings[0].is_error


# --- errors --------------------------------------------------------------------------------------


def test_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path / "ingest.toml", {})
    assert str(caught.value) == (
        f"no ingest.toml in {tmp_path.resolve()}. "
        "Name a study with --study FOLDER, or write a first one: ingest init DIR"
    )
    assert caught.value.exit_code == 2


def test_broken_toml_is_told_with_its_line(read: Read, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read("[study]\nname = asthma\n")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'ingest.toml'} is not valid TOML: Invalid value")
    assert "line 2, column 8" in message


def test_toml_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    (tmp_path / "ingest.toml").write_bytes(b'[study]\nname = "\xf4"')
    with pytest.raises(ConfigError, match=r"ingest\.toml cannot be read: 'utf-8' codec can't"):
        load_settings(tmp_path / "ingest.toml", {})


def test_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "ingest.toml").mkdir()
    with pytest.raises(ConfigError, match=r"ingest\.toml cannot be read: it is a folder"):
        load_settings(tmp_path / "ingest.toml", {})


TYPE_ERRORS = [
    ("[stdy]", "unknown section [stdy]. Did you mean study?"),
    ("[executor.local]", "unknown section [executor]. Did you mean executors?"),
    ("[zzzzzzzz]", "unknown section [zzzzzzzz]."),
    ("run = 5", "run: a table is needed"),
    ("[study]\nmodle = 'm.json'", "unknown key study.modle. Did you mean model?"),
    ("[study]\nqqqqqqqq = 1", "unknown key study.qqqqqqqq."),
    ("[study]\nmodel = 5", "study.model: a text is needed, not 5"),
    ("[study]\nscenarios = [1]", "study.scenarios: a list of texts is needed, not [1]"),
    ("[study]\nscenarios = 1", "study.scenarios: a list of texts is needed, not 1"),
    ("[study]\nplugins = true", "study.plugins: a text is needed, not True"),
    (
        "[study]\nunmatched_paths = 'warn'",
        "study.unmatched_paths: 'warn' is not one of error, warning. Did you mean warning?",
    ),
    (
        "[run]\nrerun_triggers = ['inputs']",
        "run.rerun_triggers: 'inputs' is not one of input, code, environment, commit."
        " Did you mean input?",
    ),
    ("[run]\nmax_in_flight = 1.5", "run.max_in_flight: a whole number is needed, not 1.5"),
    ("[run]\nmax_in_flight = true", "run.max_in_flight: a whole number is needed, not True"),
    ("[run]\nmax_in_flight = '5'", "run.max_in_flight: a whole number is needed, not '5'"),
    ("[run]\nmax_in_flight = 0", "run.max_in_flight: must be at least 1, not 0"),
    ("[run]\nretries = -1", "run.retries: must be at least 0, not -1"),
    ("[run]\npoll_interval_s = 0", "run.poll_interval_s: must be more than 0, not 0.0"),
    ("[run]\npoll_interval_s = nan", "run.poll_interval_s: a finite number is needed, not nan"),
    ("[run]\njob_timeout_s = 'long'", "run.job_timeout_s: a number is needed, not 'long'"),
    ("[tolerance]\nrtol = -1", "tolerance.rtol: must be at least 0, not -1.0"),
    ("[tolerance]\nrtol = nan", "tolerance.rtol: a finite number is needed, not nan"),
    ("[tolerance]\nlabels = 5", "unknown key tolerance.labels."),
    (
        "[tolerance.labels]\nCost = 0.1",
        'tolerance.labels."Cost": a table with rtol, atol is needed',
    ),
    (
        "[tolerance.labels.Cost]\nrtoll = 0.1",
        'unknown key tolerance.labels."Cost".rtoll. Did you mean rtol?',
    ),
    ("[tolerance.label.Cost]\nrtol = 0.1", "unknown key tolerance.label."),
    ("[executors]\nlocal = 5", "executors.local: a table is needed"),
    ("executors = 5", "executors: a table is needed"),
    ("units = 5", "units: a table is needed"),
    ("[units]\nCost = 5", 'units."Cost": a text is needed, not 5'),
    ("[analytics.source]\nurl = 'x'", "analytics.source: a text is needed, not {'url': 'x'}"),
]


@pytest.mark.parametrize(("text", "message"), TYPE_ERRORS, ids=[m for _, m in TYPE_ERRORS])
def test_wrong_key_or_value_is_told(
    errors: Callable[..., list[str]], text: str, message: str
) -> None:
    assert errors(text) == [f"ingest.toml: {message}"]


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("INGEST_RUN_RETRIES", "many", "run.retries: a whole number is needed, not 'many'"),
        ("INGEST_RUN_RETRIES", "1e3", "run.retries: a whole number is needed, not '1e3'"),
        ("INGEST_RUN_RETRIES", "-1", "run.retries: must be at least 0, not -1"),
        ("INGEST_RUN_JOB_TIMEOUT_S", "", "run.job_timeout_s: a number is needed, not ''"),
        (
            "INGEST_ANALYTICS_ON_BAD_ROWS",
            "skipp",
            "analytics.on_bad_rows: 'skipp' is not one of fail, skip. Did you mean skip?",
        ),
    ],
)
def test_wrong_value_of_a_variable_is_told(
    errors: Callable[..., list[str]], variable: str, text: str, message: str
) -> None:
    assert errors("", **{variable: text}) == [f"ingest.toml: {message}"]


@pytest.mark.parametrize(
    ("text", "variable", "message"),
    [
        ("run = 5", "INGEST_RUN_RETRIES", "run: a table is needed"),
        ("executors = 5", "INGEST_EXECUTORS_LOCAL_WORKERS", "executors: a table is needed"),
        (
            "[executors]\nlocal = 5",
            "INGEST_EXECUTORS_LOCAL_WORKERS",
            "executors.local: a table is needed",
        ),
    ],
)
def test_section_that_is_no_table_is_told_even_where_a_variable_sets_a_key_of_it(
    errors: Callable[..., list[str]], text: str, variable: str, message: str
) -> None:
    assert errors(text, **{variable: "1"}) == [f"ingest.toml: {message}"]


@pytest.mark.parametrize("override", ["run", "run=5", "=5", "run.=5", ".retries=5", "run retries"])
def test_malformed_override_is_told(read: Read, override: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read("", [override])
    assert str(caught.value) == (
        f"--set {override!r}: write section.key=value, e.g. run.max_in_flight=50"
    )


def test_override_through_a_value_is_told(read: Read) -> None:
    with pytest.raises(ConfigError) as caught:
        read("[run]\nretries = 3", ["run.retries.x=5"])
    assert str(caught.value) == "--set 'run.retries.x=5': retries is not a section"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("runn.retries=5", "unknown section [runn]. Did you mean run?"),
        ("run.retry=5", "unknown key run.retry. Did you mean retries?"),
        ("run.retries=few", "run.retries: a whole number is needed, not 'few'"),
        ("run.retries.x=5", "run.retries: a whole number is needed, not {'x': '5'}"),
    ],
)
def test_wrong_override_is_told(
    errors: Callable[..., list[str]], override: str, message: str
) -> None:
    assert errors("", [override]) == [f"ingest.toml: {message}"]


def test_override_keeps_everything_behind_the_first_equals_sign(read: Read) -> None:
    assert read("", ["study.name = a=b"]).name == "a=b"


def test_override_reaches_an_executors_section(read: Read) -> None:
    settings = read("", ["executors.run-api.url=http://here"])
    assert settings.executors["run-api"]["url"].text == "http://here"


def test_all_errors_are_told_at_once(errors: Callable[..., list[str]]) -> None:
    text = "[stdy]\n[run]\nretries = -1\nretry = 2\n[tolerance]\natol = 'x'\n"
    assert errors(text, ["database.pth=x"]) == [
        "ingest.toml: unknown section [stdy]. Did you mean study?",
        "ingest.toml: run.retries: must be at least 0, not -1",
        "ingest.toml: unknown key run.retry. Did you mean retries?",
        "ingest.toml: unknown key database.pth. Did you mean path?",
        "ingest.toml: tolerance.atol: a number is needed, not 'x'",
    ]


def test_study_error_says_how_many_more_there_are(read: Read) -> None:
    with pytest.raises(StudyError) as caught:
        read("[stdy]\n[runn]\n[zzzzzz]")
    assert str(caught.value) == (
        "ingest.toml: unknown section [stdy]. Did you mean study? (and 2 more: ingest check)"
    )


# --- tolerances, executors, sources --------------------------------------------------------------


def test_tolerance_of_a_label_takes_what_it_lacks_from_the_general_one(read: Read) -> None:
    settings = read(
        '[tolerance]\nrtol = 0.5\natol = 2\n[tolerance.labels."Healthy Years Lived"]\nrtol = 0.1'
    )
    tolerance = settings.tolerance_labels["Healthy Years Lived"]
    assert (tolerance.rtol, tolerance.atol) == (0.1, 2.0)
    assert (settings.tolerance.rtol, settings.tolerance.atol) == (0.5, 2.0)
    assert list(settings.tolerance_labels) == ["Healthy Years Lived"]


def test_units_are_kept_by_label(read: Read) -> None:
    settings = read('[units]\n"Healthy Years Lived" = "healthy years"\nCost = "US$"')
    assert settings.units == {"Healthy Years Lived": "healthy years", "Cost": "US$"}


def test_tables_of_executors_and_sources_are_kept_as_they_are(read: Read) -> None:
    settings = read('[executors.slurm]\nqueue = "q"\n[analytics.warehouse]\nurl = "http://here"')
    assert settings.executors == {"slurm": {"queue": "q"}}
    assert settings.analytics_sources == {"warehouse": {"url": "http://here"}}


def test_finding_is_shown_with_its_place() -> None:
    finding = error("code", "model.json", "is wrong")
    assert str(finding) == "model.json: is wrong"
    assert str(error("code", "", "is wrong")) == "is wrong"
    assert finding.as_dict() == {
        "severity": "error",
        "code": "code",
        "where": "model.json",
        "message": "is wrong",
    }


@dataclasses.dataclass(frozen=True)
class Switch:
    """[switch]: as a plugin might declare it."""

    on: bool = setting(False, "whether it is on")


@pytest.mark.parametrize(
    ("value", "on"),
    [
        (True, True),
        *((FromText(text), True) for text in ("true", "True", "1", "yes")),
        *((FromText(text), False) for text in ("false", "0", "no", "NO")),
    ],
)
def test_switch_is_set_by_a_truth_value_or_its_words(value: object, on: bool) -> None:
    assert read_section(Switch, {"on": value}, "switch", "ingest.toml") == (Switch(on), [])


@pytest.mark.parametrize("value", [1, "true", FromText("on")])
def test_switch_is_not_set_by_anything_else(value: object) -> None:
    section, (finding,) = read_section(Switch, {"on": value}, "switch", "ingest.toml")
    assert section == Switch()
    assert str(finding) == f"ingest.toml: switch.on: true or false is needed, not {value!r}"
