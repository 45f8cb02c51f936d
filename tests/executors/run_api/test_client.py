"""Calls to a run API on loopback: what is sent, and what each failure comes to."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ingest.errors import BackendError
from ingest.executors.base import JobState
from ingest.executors.run_api.answers import Outcome, SubmitAnswer
from ingest.executors.run_api.client import RunApiClient
from ingest.services.http_calls import describe_failure, find_url_problem
from tests.executors.run_api.run_api_server import Act, RunApiServer, run_api_server

DOCUMENT = json.dumps({"nodes": [], "padding": "x" * 100_000}).encode()


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunApiServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with run_api_server() as api:
        yield api


@pytest.fixture
def client(api: RunApiServer) -> Iterator[RunApiClient]:
    with closing(RunApiClient(api.url, timeout_s=20)) as client:
        yield client


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with its first connection as it likes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=run)
        thread.start()
        yield f"http://127.0.0.1:{port}"
        thread.join()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens at, and that nobody else gets."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


def health_error(url: str, timeout_s: float = 20.0) -> str:
    with closing(RunApiClient(url, timeout_s)) as client, pytest.raises(BackendError) as caught:
        client.check_health()
    assert caught.value.exit_code == 4
    return str(caught.value)


# --- health --------------------------------------------------------------------------------------


def test_a_healthy_api_is_healthy(api: RunApiServer, client: RunApiClient) -> None:
    client.check_health()
    assert api.headers[0]["User-Agent"].startswith("ingest/")


def test_a_slash_at_the_end_of_the_address_does_not_matter(api: RunApiServer) -> None:
    with closing(RunApiClient(api.url + "/", 20)) as client:
        client.check_health()
    assert len(api.headers) == 1


def test_credentials_go_to_the_server_and_into_no_message(api: RunApiServer) -> None:
    url = api.url.replace("http://", "http://me:secret@")
    api.health = Act(500)
    message = health_error(url)
    assert "Basic" in api.headers[0]["Authorization"]
    assert message == (
        f"the run API at {api.url} is not healthy: GET /docs was answered 500, not 200. "
        "Check executors.run-api.url, and that the service runs"
    )


def test_denied_access_is_told(api: RunApiServer) -> None:
    api.health = Act(401, {"detail": "who are you"})
    assert health_error(api.url) == (
        f"the run API at {api.url} denies access (401: who are you) when asked for GET /docs: "
        "check the address, user and password in executors.run-api.url"
    )


def unreachable(url: str, why: str) -> str:
    return (
        f"the run API at {url} cannot be reached: {why}. "
        "Check executors.run-api.url, and that the service runs"
    )


def test_a_refused_connection_is_told(closed_port: int) -> None:
    url = f"http://127.0.0.1:{closed_port}"
    assert health_error(url) == unreachable(url, "connection refused")


def test_an_unknown_host_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_name(*_: Any, **__: Any) -> None:  # no network in tests, not even for a name
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    url = "https://user:secret@run.example.org"
    why = "its host name is not known (DNS)"
    assert health_error(url) == unreachable("https://run.example.org", why)


def test_a_server_that_says_nothing_is_told(api: RunApiServer) -> None:
    gate = threading.Event()
    api.health = Act(gate=gate)
    assert health_error(api.url, 0.2) == unreachable(api.url, "no answer within 0.2 s")
    gate.set()


def test_a_dropped_connection_is_told(api: RunApiServer) -> None:
    api.health = Act(drop="before")
    assert health_error(api.url) == unreachable(api.url, "the connection was dropped")


def test_a_proxy_that_is_not_there_is_told(
    closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    url = "http://run.example.org"
    assert health_error(url) == unreachable(url, "through the proxy: connection refused")


def test_https_at_a_plain_port_is_told() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with raw_server(serve) as url:
        url = url.replace("http:", "https:")
        assert health_error(url) == unreachable(url, "TLS failed; is this an https address?")


def write_certificate(path: Path) -> None:
    """A certificate for localhost that nobody vouches for, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))


def test_a_certificate_nobody_vouches_for_is_told(tmp_path: Path) -> None:
    write_certificate(tmp_path / "c.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c.pem")

    def serve(connection: socket.socket) -> None:
        with pytest.raises(OSError):  # noqa: PT011  # which of them depends on who is first
            context.wrap_socket(connection, server_side=True).close()

    with raw_server(serve) as url:
        url = url.replace("http:", "https:")
        assert "its TLS certificate is not accepted (self" in health_error(url)


# --- submitting ----------------------------------------------------------------------------------


def test_the_bare_document_is_posted(api: RunApiServer, client: RunApiClient) -> None:
    answer = client.submit("standard", DOCUMENT)
    assert api.posts == [("standard", DOCUMENT)]
    assert api.headers[0]["Content-Type"] == "application/json"
    assert api.headers[0]["Content-Length"] == str(len(DOCUMENT))
    assert answer.outcome is Outcome.ACCEPTED
    assert answer.job_id in api.accepted
    assert answer.job_name == api.job_names[answer.job_id or ""]


def test_every_document_has_a_connection_of_its_own(
    api: RunApiServer, client: RunApiClient
) -> None:
    for _ in range(30):  # a reused one that the server has just closed would be a lost answer
        assert client.submit("standard", b"{}").outcome is Outcome.ACCEPTED
    assert {headers["Connection"] for headers in api.headers} == {"close"}


def test_a_redirect_is_not_followed(api: RunApiServer, client: RunApiClient) -> None:
    api.post_plan.append(Act(307, headers={"Location": f"{api.url}/run/other"}))
    assert client.submit("standard", DOCUMENT).outcome is Outcome.UNUSABLE
    assert len(api.posts) == 1


@pytest.mark.parametrize(
    ("act", "answer"),
    [
        (Act(drop="after"), SubmitAnswer(Outcome.LOST, "the connection was dropped")),
        (Act(drop="before"), SubmitAnswer(Outcome.LOST, "the connection was dropped")),
        (Act(content=b"{", promise=500), SubmitAnswer(Outcome.LOST, "the connection was dropped")),
        (Act(content=b"x" * 2_000_000), SubmitAnswer(Outcome.LOST, "the answer is too large")),
        (Act(503, headers={"Retry-After": "2"}),
         SubmitAnswer(Outcome.BUSY, "answered 503", retry_after_s=2.0)),
        (Act(502), SubmitAnswer(Outcome.LOST, "answered 502")),
    ],
    ids=["dropped after", "dropped before", "cut", "too large", "busy", "bad gateway"],
)  # fmt: skip
def test_failures_after_the_document_left(
    api: RunApiServer, client: RunApiClient, act: Act, answer: SubmitAnswer
) -> None:
    api.post_plan.append(act)
    assert client.submit("standard", DOCUMENT) == answer
    assert len(api.posts) == 1


def test_an_answer_that_does_not_come_in_time_is_lost(api: RunApiServer) -> None:
    gate = threading.Event()
    api.post_plan.append(Act(gate=gate))
    with closing(RunApiClient(api.url, 0.3)) as client:
        answer = client.submit("standard", DOCUMENT)
    gate.set()
    assert answer == SubmitAnswer(Outcome.LOST, "no answer within 0.3 s")


def test_an_answer_that_dribbles_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.executors.run_api.client.ANSWER_GRACE_S", 0.1)
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        try:
            while not ended.wait(0.05):
                connection.sendall(b"x" * 3000)
        except OSError:
            pass

    with raw_server(serve) as url, closing(RunApiClient(url, 0.2)) as client:
        answer = client.submit("standard", b"{}")
        ended.set()
    assert answer == SubmitAnswer(Outcome.LOST, "the answer did not end in time")


ACCEPTED = b'{"jobId": "J-1", "jobName": "a name"}'
DRIBBLED = {
    "headers": (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"),
    "with a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", b" "),
    "in chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "in one chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFF\r\n", b" "),
    "without an end": (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
}


@contextmanager
def dribbling(start: bytes, part: bytes, every_s: float = 0.02) -> Iterator[str]:
    """A server that begins an answer and then sends a part of it again and again."""
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(start)
        try:
            for _ in range(400):  # not for ever, so that a client that waits fails its test
                if not ended.wait(every_s):
                    connection.sendall(part)
        except OSError:
            pass

    with raw_server(serve) as url:
        yield url
        ended.set()


@pytest.mark.parametrize("name", DRIBBLED)
def test_no_answer_that_dribbles_holds_up_a_call(name: str) -> None:
    with dribbling(*DRIBBLED[name]) as url, closing(RunApiClient(url, 0.3)) as client:
        begun = time.monotonic()
        assert client.status("J").state is JobState.UNREACHABLE
        assert time.monotonic() - begun < 5


def test_silence_after_the_deadline_is_not_waited_for_either() -> None:
    start = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
    with dribbling(start, b"x", every_s=60) as url, closing(RunApiClient(url, 0.3)) as client:
        assert client.status("J").state is JobState.UNREACHABLE


def test_a_whole_answer_that_took_its_time_is_used() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(ACCEPTED))
        for number in range(len(ACCEPTED)):  # longer than the time-out of 0.3 s
            connection.sendall(ACCEPTED[number : number + 1])
            time.sleep(0.02)

    with raw_server(serve) as url, closing(RunApiClient(url, 0.3)) as client:
        answer = client.submit("standard", b"{}")
    assert answer == SubmitAnswer(Outcome.ACCEPTED, job_id="J-1", job_name="a name")


@pytest.mark.parametrize("promise", [b"", b"Content-Length: 4000\r\n"], ids=["none", "too long"])
def test_a_whole_job_id_is_used_whatever_becomes_of_the_connection(
    monkeypatch: pytest.MonkeyPatch, promise: bytes
) -> None:
    monkeypatch.setattr("ingest.executors.run_api.client.ANSWER_GRACE_S", 0.1)
    start = b"HTTP/1.1 200 OK\r\n" + promise + b"\r\n" + ACCEPTED
    with dribbling(start, b" ", every_s=60) as url, closing(RunApiClient(url, 0.2)) as client:
        assert client.submit("standard", b"{}").job_id == "J-1"


def test_no_call_follows_a_redirect(api: RunApiServer, client: RunApiClient) -> None:
    leads_on = Act(302, headers={"Location": f"{api.url}/docs?back=secret"})
    api.health = leads_on
    api.status_plan["*"].append(leads_on)
    told = f"the run API at {api.url} leads on to {api.url}/docs (302) when asked for "
    for call in (client.check_health, lambda: client.status("J")):
        with pytest.raises(BackendError) as caught:
            call()
        assert str(caught.value).startswith(told)
    assert len(api.headers) == 2


@pytest.mark.parametrize(
    "page",
    [
        b"<html><title>Sign in</title></html>",
        b"\n<!doctype html><form><input name=p type='password'>",
        b'<html><form action="https://sso.example.org/login?x=1">',
    ],
)
def test_a_login_page_is_no_answer(api: RunApiServer, client: RunApiClient, page: bytes) -> None:
    act = Act(content=page)
    api.health = act
    api.status_plan["*"].append(act)
    api.post_plan.append(act)
    for call in (client.check_health, lambda: client.status("J")):
        with pytest.raises(BackendError, match=r"answers with a login page \(200\) when asked"):
            call()
    assert client.submit("standard", DOCUMENT).outcome is Outcome.UNUSABLE


def test_the_docs_of_a_service_are_no_login_page(api: RunApiServer, client: RunApiClient) -> None:
    api.health = Act(content=b"<!DOCTYPE html><title>Run API - Swagger UI</title>oauth2-redirect")
    assert client.check_health() is None


def test_nothing_was_sent_without_a_connection(closed_port: int) -> None:
    with closing(RunApiClient(f"http://127.0.0.1:{closed_port}", 20)) as client:
        answer = client.submit("standard", DOCUMENT)
    assert answer == SubmitAnswer(Outcome.NOT_SENT, "connection refused")


def test_nothing_was_sent_where_tls_fails() -> None:
    with (
        raw_server(lambda connection: connection.sendall(b"no TLS here\r\n")) as url,
        closing(RunApiClient(url.replace("http:", "https:"), 20)) as client,
    ):
        assert client.submit("standard", DOCUMENT).outcome is Outcome.NOT_SENT


def test_what_is_no_http_at_all_is_a_lost_answer() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(b"\x00\x01\x02 garbage\r\n\r\n")

    with raw_server(serve) as url, closing(RunApiClient(url, 20)) as client:
        assert client.submit("standard", b"{}").outcome is Outcome.LOST


# --- asking --------------------------------------------------------------------------------------


def test_status_is_asked_by_job_id(api: RunApiServer, client: RunApiClient) -> None:
    job_id = client.submit("standard", DOCUMENT).job_id
    assert job_id is not None
    assert client.status(job_id).state is JobState.SUCCEEDED
    assert client.status("no such/job?").state is JobState.UNKNOWN
    assert api.calls["status no%20such%2Fjob%3F"] == 1


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (Act(drop="before"), "the connection was dropped"),
        (Act(content=b'{"jobStatus": "SUCC', promise=900), "the connection was dropped"),
        (Act(content=b'{"jobStatus": "SUCC'), "answered 200 with a body that is no JSON"),
        (Act(500), "answered 500"),
    ],
)
def test_failures_to_ask_are_unreachable(
    api: RunApiServer, client: RunApiClient, act: Act, why: str
) -> None:
    api.status_plan["*"].append(act)
    answer = client.status("J")
    assert answer.state is JobState.UNREACHABLE
    assert answer.fault is not None
    assert answer.fault.message == f"the run API could not be asked: {why}"


def test_denied_access_to_a_status_is_an_error(api: RunApiServer, client: RunApiClient) -> None:
    api.status_plan["*"].append(Act(403, {"detail": "not yours"}))
    with pytest.raises(BackendError) as caught:
        client.status("J")
    assert str(caught.value) == (
        f"the run API at {api.url} denies access (403: not yours) when asked for GET /status: "
        "check the address, user and password in executors.run-api.url"
    )


# --- words ---------------------------------------------------------------------------------------


UNREADABLE = "it cannot be read; write @, / and : within a password as %40, %2F and %3A"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://run.example.org", None), ("http://127.0.0.1:8000/base", None),
        ("https://user:password@host", None),
        ("run.example.org", "it must begin with http:// or https:// and name a host"),
        ("ftp://host", "it must begin with http:// or https:// and name a host"),
        ("https://", "it must begin with http:// or https:// and name a host"),
        ("https://host?token=1", "it must end with its path: no ? and no #"),
        ("https://host/#top", "it must end with its path: no ? and no #"),
        ("https://host:99999", UNREADABLE),
        ("https://me:s3/cret@host", UNREADABLE),
        ("https://[::1", UNREADABLE),
    ],
)  # fmt: skip
def test_addresses_are_checked(url: str, problem: str | None) -> None:
    assert find_url_problem(url) == problem


def test_failures_of_other_kinds_have_words() -> None:
    assert describe_failure(requests.ConnectTimeout(), 60) == "no connection within 10 s"
    assert describe_failure(requests.ConnectTimeout(), 3) == "no connection within 3 s"
    no_route = requests.ConnectionError(OSError(113, "No route to host"))
    assert describe_failure(no_route, 60) == "No route to host"
    assert describe_failure(requests.RequestException(), 60) == "RequestException"
