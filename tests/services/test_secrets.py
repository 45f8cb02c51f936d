"""A service that repeats what it was sent makes no secret known."""

from __future__ import annotations

import base64

import pytest

from ingest.services.http_answers import read_detail
from ingest.services.secrets import mask_secrets, remember_secrets
from tests.conftest import Ingest, StudyFolder
from tests.executors.run_api.run_api_server import Act, run_api_server

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


@pytest.mark.slow
def test_headers_that_the_run_api_repeats_reach_neither_database_nor_log_nor_terminal(
    study: StudyFolder, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    wrong = {"detail": [{"loc": ["header", "authorization"], "msg": f"bad value 'Basic {BASIC}'",
                         "type": "value_error", "input": f"{USER}:{PASSWORD}"}]}  # fmt: skip
    with run_api_server() as api:
        api.plan_post = lambda body: Act(422, wrong)
        url = api.url.replace("http://", f"http://{USER}:{QUOTED}@")
        given = ("--set", f"executors.run-api.url={url}", "--set", f"analytics.url={url}")
        run = ("run", "--executor", "run-api", *given, "--log-file", "run.log", "-v")
        result = ingest(*run, "--countries", "KEN")
    assert "422" in result.stdout + result.stderr, result.stderr
    assert "authorization" in result.stdout + result.stderr
    texts = [(result.stdout + result.stderr).encode()]
    texts += [path.read_bytes() for path in study.root.iterdir() if path.is_file()]
    for secret in (PASSWORD, QUOTED, BASIC):
        assert not [text for text in texts if secret.encode() in text], secret
