"""A service that repeats what it was sent makes no secret known."""

from __future__ import annotations

import base64
import zipfile
from pathlib import Path

import pytest

from ingest.services.http_answers import read_detail
from ingest.services.secrets import mask_secrets, remember_secrets
from tests.browser.site import start_site
from tests.conftest import Ingest, StudyFolder
from tests.executors.run_api.run_api_server import Act, RunApiServer, run_api_server

USER, PASSWORD = "ana", "s3cr3t/w%rd-of-ana"
QUOTED = "s3cr3t%2Fw%25rd-of-ana"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.mark.parametrize("form", [PASSWORD, QUOTED, f"{USER}:{PASSWORD}", BASIC])
def test_each_form_of_a_password_is_masked(form: str) -> None:
    remember_secrets(f"https://{USER}:{QUOTED}@api.example.org/run")
    assert mask_secrets(f"input: Basic {form}, ana") == "input: Basic ***, ana"
    assert form not in read_detail(f'{{"detail": "no {form}"}}'.encode())
    # cut off where it may be shown, after it was masked
    assert BASIC[:8] not in read_detail(b"x" * 290 + BASIC.encode())


def test_an_address_without_a_password_masks_nothing() -> None:
    remember_secrets("https://api.example.org/run")
    remember_secrets("https://a@api.example.org")
    assert mask_secrets("a word of api.example.org") == "a word of api.example.org"


# --- planted, and looked for everywhere ----------------------------------------------------------

KEY = "AKIAQ7SECRETKEY/ofana+planted"
TELLING_MODEL = """
import os


def simulate(document):
    print(dict(os.environ))
    raise ValueError(" ".join(os.environ.values())[:5000])
"""


def refuse(api: RunApiServer) -> None:
    wrong = {"loc": ["header", "authorization"], "msg": f"bad value 'Basic {BASIC}'",
             "type": "value_error", "input": f"{USER}:{PASSWORD}"}  # fmt: skip
    api.plan_post = lambda body: Act(422, {"detail": [wrong]})


def fail(api: RunApiServer) -> None:
    api.default_status = {
        "jobStatus": "FAILED", "statusReason": f"no {BASIC}", "logStreamName": f"a/{QUOTED}",
    }  # fmt: skip


def lead_on(api: RunApiServer) -> None:
    location = {"Location": f"https://{USER}:{QUOTED}@elsewhere.example.org/"}
    api.plan_post = lambda body: Act(307, {"detail": BASIC}, headers=location)


def found_in(study: StudyFolder, texts: list[str]) -> list[str]:
    """Where a secret is, in the files of a study and in texts."""
    secrets = (PASSWORD, QUOTED, BASIC, KEY)
    places = [
        str(path)
        for path in study.root.rglob("*")
        if path.is_file() and any(secret.encode() in content(path) for secret in secrets)
    ]
    return places + [text for text in texts if any(secret in text for secret in secrets)]


def content(path: Path) -> bytes:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return b"\0".join(archive.read(name) for name in archive.namelist())
    return path.read_bytes()


def look_everywhere(study: StudyFolder, ingest: Ingest, said: list[str]) -> list[str]:
    """Where a secret is after a run: database, log, journal, terminal, bundle, report."""
    for words in (["status"], ["query", "failures"], ["export", "-o", "run.zip"],
                  ["diff", "--html", "report.html"]):  # fmt: skip
        result = ingest(*words)
        said.append(result.stdout + result.stderr)
    return found_in(study, said)


def look_at_pages(study: StudyFolder) -> list[str]:
    """What the browser shows of a run that failed, and says in its terminal."""
    site = start_site(study.database)
    base = f"/{study.database.stem}"
    try:
        said = [
            site.get(f"{base}{path}").text
            for path in (
                "/-/overview",
                "/-/run/1",
                "/-/job/1/KEN/null",
                "/job_results.json",
                "/job_results.csv",
                "/validation_runs.json",
            )
        ]
        return said + site.read_lines()
    finally:
        site.process.kill()
        site.process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("plan", [refuse, fail, lead_on])
def test_planted_secret_of_a_service_is_nowhere(
    study: StudyFolder, ingest: Ingest, monkeypatch: pytest.MonkeyPatch, plan: object
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with run_api_server() as api:
        assert callable(plan)
        plan(api)
        url = api.url.replace("http://", f"http://{USER}:{QUOTED}@")
        monkeypatch.setenv("INGEST_EXECUTORS_RUN_API_URL", url)
        monkeypatch.setenv("INGEST_ANALYTICS_URL", url)
        result = ingest("run", "--executor", "run-api", "--log-file", "run.log", "-vv",
                        "--countries", "KEN", "--set", "run.retries=0")  # fmt: skip
    assert "***" in result.stdout + result.stderr or plan is lead_on
    said = [result.stdout + result.stderr, *(look_at_pages(study) if plan is fail else ())]
    assert look_everywhere(study, ingest, said) == []


@pytest.mark.slow
def test_model_has_no_secret_to_tell(
    study: StudyFolder, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.write_model(TELLING_MODEL)
    monkeypatch.setenv("INGEST_ANALYTICS_URL", f"https://{USER}:{QUOTED}@api.example.org/")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    monkeypatch.setenv("OTHER_VARIABLE", "seen by the model")
    result = ingest("run", "--countries", "KEN", "--log-file", "run.log", "-vv")
    said = [result.stdout + result.stderr, *look_at_pages(study)]
    assert "seen by the model" in (study.root / "run.log").read_text() + said[0]
    assert look_everywhere(study, ingest, said) == []
    passed = ("--set", 'executors.local.pass_variables=["AWS_SECRET*"]')
    ingest("run", "--countries", "KEN", "--only-failed", *passed)
    assert found_in(study, []) != []  # the search finds what is there
