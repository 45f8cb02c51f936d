from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ingest.analytics.fetcher import Fetched, ResultFetcher
from ingest.analytics.sources.analytics_api import AnalyticsApiSource
from ingest.analytics.sources.query import query_findings, query_parameters
from ingest.analytics.validate import parse_analytics
from ingest.clock import SystemClock
from ingest.errors import (
    AnalyticsError,
    BackendError,
    ResultsNotReadyError,
    StudyError,
    ThrottledError,
)
from ingest.executors.base import ExecutorContext, NoSettings
from ingest.findings import Finding
from ingest.metrics import Metric
from ingest.services.http_calls import SOME_MIB
from ingest.study.settings import AnalyticsSettings
from tests.analytics.analytics_server import AnalyticsServer, Answer, analytics_server, rows
from tests.executors.drive import make_context

pytestmark = pytest.mark.slow

ULID = "01JD0000000000000000000000"
LIMIT_S = 60.0
CSV_HEADER = b"element_label,timestamp_year,value\n"


class HastySource(AnalyticsApiSource):
    timeout_s = 0.2
    preflight_timeout_s = 0.2


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[AnalyticsServer]:
    with analytics_server() as told:
        yield told


def context_of(url: str | None, environment: str = "standard", **settings: Any) -> ExecutorContext:
    analytics = AnalyticsSettings(source="analytics-api", url=url, **settings)
    return make_context(Path(), environment=environment, analytics=analytics)


@contextmanager
def source_of(
    url: str | None,
    kind: type[AnalyticsApiSource] = AnalyticsApiSource,
    **settings: Any,
) -> Iterator[AnalyticsApiSource]:
    source = kind(NoSettings(), context_of(url, **settings))
    try:
        yield source
    finally:
        source.close()


def fetch(url: str, **settings: Any) -> bytes:
    with source_of(url, **settings) as source:
        return source.fetch(ULID)


def error_of(url: str, **settings: Any) -> BaseException:
    with pytest.raises((AnalyticsError, BackendError)) as error:
        fetch(url, **settings)
    assert "\n" not in str(error.value)
    return error.value


def unused_url() -> str:
    """An address on loopback where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


# --- what is asked -------------------------------------------------------------------------------


def test_a_job_is_asked_for_below_its_environment_with_the_default_query(
    server: AnalyticsServer,
) -> None:
    fetch(server.url, environment="appendix_3")
    [asked] = server.asked
    assert asked.path == f"/analytics/appendix_3/{ULID}"
    assert asked.query == [
        ("event_type", "ECHO"),
        ("group_by", "element_label"),
        ("group_by_date", "timestamp:year"),
        ("aggregations", "value:last"),
    ]
    assert asked.headers["User-Agent"].startswith("ingest/")


def test_every_setting_of_the_query_is_sent(server: AnalyticsServer) -> None:
    fetch(
        server.url,
        event_type="*",
        aggregations=("value:sum",),
        element_labels=("AsthmaEpsd -> DsFreeSus", "Healthy Years Lived"),
        filters=("timestamp_year__gte=2030", "element_label__contains=a=b & c", "value=1"),
    )
    assert server.asked[0].query == [
        ("event_type", "*"),
        ("group_by", "element_label"),
        ("group_by_date", "timestamp:year"),
        ("aggregations", "value:sum"),
        ("element_label__in", "AsthmaEpsd -> DsFreeSus,Healthy Years Lived"),
        ("timestamp_year__gte", "2030"),
        ("element_label__contains", "a=b & c"),
        ("value", "1"),
    ]


def test_group_by_is_repeated_for_each_column() -> None:
    query = query_parameters(AnalyticsSettings(group_by=("element_label", "node")))
    assert query[1:3] == [("group_by", "element_label"), ("group_by", "node")]


@pytest.mark.parametrize(
    ("labels", "asked"),
    [
        ((), []),
        (("Deaths",), [("element_label", "Deaths")]),
        (("Cases, all",), [("element_label", "Cases, all")]),
        (("A", "B"), [("element_label__in", "A,B")]),
        (("A", "Cases, all"), []),
        (tuple(f"label number {number:04}" for number in range(400)), []),
    ],
)
def test_labels_are_asked_for_where_a_query_can_say_them(
    labels: tuple[str, ...], asked: list[tuple[str, str]]
) -> None:
    query = query_parameters(AnalyticsSettings(element_labels=labels))
    assert [pair for pair in query if pair[0].startswith("element_label")] == asked


def test_address_may_have_a_path_and_a_slash_at_its_end(server: AnalyticsServer) -> None:
    fetch(f"{server.url}/api/v2/")
    assert server.asked[0].path == f"/api/v2/analytics/standard/{ULID}"


def test_user_and_password_of_the_address_are_sent_as_a_header(server: AnalyticsServer) -> None:
    fetch(server.url.replace("http://", "http://mary:s3cret@"))
    assert server.asked[0].headers["Authorization"] == "Basic bWFyeTpzM2NyZXQ="


def test_connections_are_kept_for_the_next_call(server: AnalyticsServer) -> None:
    with source_of(server.url) as source:
        for _ in range(5):
            source.fetch(ULID)
    assert (server.connections, len(server.asked)) == (1, 5)


# --- answers with rows ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b'[{"element_label": "Cases, all", "timestamp_year": 2030.0, "value": 7},'
        b' {"element_label": "A -> B", "timestamp_year": 2031, "value": 1.5}]',
        CSV_HEADER + b'"Cases, all",2030.0,7\nA -> B,2031,1.5\n',
        b"\xef\xbb\xbfelement_label,timestamp_year,value\r\n"
        b'"Cases, all",2030,7.0\r\nA -> B,2031,1.5\r\n',
    ],
)
def test_json_and_csv_answers_give_the_same_metrics(server: AnalyticsServer, body: bytes) -> None:
    server.tell(ULID, Answer(body, headers={"Content-Type": "text/plain"}))
    assert list(parse_analytics(fetch(server.url))) == [
        Metric("A -> B", 2031, 1.5),
        Metric("Cases, all", 2030, 7.0),
    ]


def test_labels_that_no_query_can_say_are_sorted_out_after_reading(
    server: AnalyticsServer,
) -> None:
    server.tell(ULID, rows(("Cases, all", 2030, 1), ("B", 2030, 2), ("C", 2030, 3)))
    labels = ("Cases, all", "B")
    raw = fetch(server.url, element_labels=labels)
    assert [name for name, _ in server.asked[0].query if name.startswith("element_label")] == []
    assert parse_analytics(raw, element_labels=labels).element_labels == ["B", "Cases, all"]


# --- answers without rows ------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"[]", b" [ ]\n", CSV_HEADER, CSV_HEADER.rstrip(), b"", b"\n"])
def test_no_rows_are_results_that_are_not_there_yet(server: AnalyticsServer, body: bytes) -> None:
    server.tell(ULID, Answer(body))
    error = error_of(server.url)
    assert type(error) is ResultsNotReadyError
    assert str(error) == f"{server.url} has no rows for it"


@pytest.mark.parametrize(
    "settings", [{"element_labels": ("Deths",)}, {"filters": ("element_label=Deths",)}]
)
def test_no_rows_name_the_settings_that_may_be_the_cause(
    server: AnalyticsServer, settings: dict[str, Any]
) -> None:
    server.tell(ULID, Answer(b"[]"))
    assert str(error_of(server.url, **settings)) == (
        f"{server.url} has no rows for it that match analytics.element_labels and analytics.filters"
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'[{"element_label": "L", "timest', "the results are broken or cut-off JSON: "),
        (b'{"message": "internal"}', "the results are no array of records but a JSON object: "),
        (b"<html>Log in</html>", "the results lack the columns element_label, timestamp_year"),
        (b'[{"element_label": "L"}]', "record 1 of the results has no timestamp_year, value"),
        (CSV_HEADER + b'"L,2030\n', "the results are broken or cut-off CSV: "),
        (b"\xff\xfe[]", "the results are not UTF-8 text (byte 1)"),
    ],
)  # fmt: skip
def test_an_unreadable_answer_is_asked_for_again_three_times_then_fails_the_job(
    server: AnalyticsServer, body: bytes, told: str
) -> None:
    server.tell(ULID, Answer(body))
    with source_of(server.url) as source:
        for _ in range(3):
            with pytest.raises(ResultsNotReadyError) as again:
                source.fetch(ULID)
            assert str(again.value).startswith(told)
        with pytest.raises(AnalyticsError) as failed:
            source.fetch(ULID)
    assert type(failed.value) is AnalyticsError
    assert str(failed.value).startswith(told)
    end = f". {server.url} answered so 4 times; fetch again later: ingest backfill"
    assert str(failed.value).endswith(end)


def test_unreadable_answers_of_other_jobs_do_not_count(server: AnalyticsServer) -> None:
    with source_of(server.url) as source:
        for number in range(8):
            server.tell(str(number), Answer(b"["))
            with pytest.raises(ResultsNotReadyError):
                source.fetch(str(number))


# --- answers that are whole only by their looks --------------------------------------------------

WHOLE = CSV_HEADER + b"A,2030,33048.5\r\nB,2030,1\r\n"
GZIP = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(WHOLE[:-3], length=-1), "the results are cut off: their last line has no line end"),
        (Answer(WHOLE[:-13], length=-1), "the results are cut off: their last line has no line"),
        (Answer(WHOLE, length=len(WHOLE) + 9), "the connection was dropped"),
        (Answer(gzip.compress(WHOLE)[:-9], headers=GZIP), "the answer's gzip is cut off"),
        (Answer(gzip.compress(WHOLE)[:40], headers=GZIP), "the answer's gzip is cut off"),
        (Answer(gzip.compress(WHOLE[:-3]), headers=GZIP), "the results are cut off"),
        (Answer(WHOLE, headers=GZIP), "the answer's gzip is damaged"),
        (Answer(WHOLE, headers={"Content-Encoding": "br"}), "the answer is compressed as br,"),
    ],
)  # fmt: skip
def test_an_answer_that_is_cut_off_is_asked_for_again_for_as_long_as_lag_s(
    server: AnalyticsServer, answer: Answer, told: str
) -> None:
    server.tell(ULID, answer)
    with source_of(server.url) as source:
        for _ in range(6):  # more than for answers that are broken otherwise
            with pytest.raises(ResultsNotReadyError) as again:
                source.fetch(ULID)
            assert told in str(again.value)


@pytest.mark.parametrize("ends", [[len(WHOLE)], [50, len(WHOLE)]], ids=["one", "two members"])
def test_a_whole_gzip_is_unpacked(server: AnalyticsServer, ends: list[int]) -> None:
    members = [gzip.compress(WHOLE[begin:end]) for begin, end in pairwise([0, *ends])]
    server.tell(ULID, Answer(b"".join(members), headers=GZIP))
    assert fetch(server.url) == WHOLE


def test_answers_that_dribble_are_given_up_and_asked_for_again(server: AnalyticsServer) -> None:
    for ulid in "ABCD":
        server.tell(ulid, Answer(WHOLE, every_s=0.05), Answer(WHOLE))
    with fetching(server, HastySource, concurrency=4) as fetcher:
        for ulid in "ABCDE":
            fetcher.request(ulid)
        done = all_of(fetcher)
    assert {ulid for ulid, fetched in done.items() if fetched.raw} == set("ABCDE")


@pytest.mark.parametrize("headers", [{}, GZIP])
def test_an_answer_that_is_too_large_fails_its_job(
    server: AnalyticsServer, headers: dict[str, str]
) -> None:
    body = WHOLE * (SOME_MIB // len(WHOLE) + 1)
    server.tell(ULID, Answer(gzip.compress(body, 1) if headers else body, headers=headers))
    error = error_of(server.url)
    assert type(error) is AnalyticsError
    assert str(error) == (
        f"{server.url}: the answer is too large for the results of one job: name the labels wanted "
        "in analytics.element_labels, then: ingest backfill"
    )


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"", 302, {"Location": "/login"}),
        Answer(b"<html><title>Log in</title></html>"),
        Answer(b"<form><input type=password>", 200, {"Content-Type": "text/html"}),
    ],
)
def test_a_login_page_stops_everything(server: AnalyticsServer, answer: Answer) -> None:
    server.tell(ULID, answer)
    error = error_of(server.url)
    assert type(error) is BackendError
    assert len(server.asked) == 1


# --- other statuses ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 407])
def test_denied_access_stops_everything(server: AnalyticsServer, status: int) -> None:
    server.tell(ULID, Answer(b'{"detail": "token expired"}', status))
    error = error_of(server.url.replace("http://", "http://mary:s3cret@"))
    assert type(error) is BackendError
    assert str(error) == (
        f"{server.url} denies access ({status}: token expired) when asked for results: check the "
        "address, user and password in analytics.url, then go on with: ingest run"
    )


@pytest.mark.parametrize("status", [400, 405, 422])
def test_a_refused_query_fails_the_job_with_what_the_server_says(
    server: AnalyticsServer, status: int
) -> None:
    server.tell(ULID, Answer(b'{"detail": "no column \\"nod\\""}', status))
    error = error_of(server.url)
    assert type(error) is AnalyticsError
    assert str(error) == (
        f'{server.url} answered {status} (no column "nod"): the query is refused. '
        "Change [analytics], then fetch again: ingest backfill"
    )


@pytest.mark.parametrize("status", [202, 204, 408, 500, 502, 503, 504])
def test_trouble_that_can_pass_is_asked_again(server: AnalyticsServer, status: int) -> None:
    server.tell(ULID, Answer(b"" if status == 204 else b"<html>Bad gateway</html>", status))
    error = error_of(server.url)
    assert type(error) is ResultsNotReadyError
    assert (str(error), error.after_s) == (f"{server.url} answered {status}", None)


def test_an_unknown_job_is_taken_for_one_that_is_not_there_yet(server: AnalyticsServer) -> None:
    server.tell(ULID, Answer(b'{"detail": "Not Found"}', 404))
    error = error_of(server.url)
    assert type(error) is ResultsNotReadyError
    assert str(error) == (
        f"{server.url} answered 404 (Not Found): no such job, or analytics.url is wrong"
    )


@pytest.mark.parametrize(
    ("headers", "after_s"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Mon, 23 Nov 2026 09:00:25 GMT"}, 25.0),
        ({"Retry-After": "Mon, 23 Nov 2026 08:00:00 GMT"}, None),
        ({"Retry-After": "0"}, None),
        ({"Retry-After": "soon"}, None),
    ],
)
def test_too_many_calls_hold_back_all_for_as_long_as_the_server_says(
    server: AnalyticsServer, headers: dict[str, str], after_s: float | None
) -> None:
    server.tell(ULID, Answer(b"slow down", 429, headers))
    error = error_of(server.url)
    assert type(error) is ThrottledError
    assert error.after_s == after_s
    assert str(error) == (
        f"{server.url} answered 429 (slow down): too many calls (analytics.pause_s)"
    )


def test_a_service_that_is_away_for_a_time_holds_back_all(server: AnalyticsServer) -> None:
    server.tell(ULID, Answer(b"", 503, {"Retry-After": "12"}))
    error = error_of(server.url)
    assert type(error) is ThrottledError
    assert error.after_s == 12


# --- connections ---------------------------------------------------------------------------------


def test_nobody_listening_is_asked_again() -> None:
    url = unused_url()
    error = error_of(url.replace("http://", "http://mary:s3cret@"))
    assert type(error) is ResultsNotReadyError
    assert str(error) == f"{url} could not be asked: connection refused"
    assert error.__cause__ is not None


def test_silence_is_asked_again(server: AnalyticsServer) -> None:
    server.open.clear()
    with source_of(server.url, HastySource) as source, pytest.raises(ResultsNotReadyError) as error:
        source.fetch(ULID)
    assert str(error.value) == f"{server.url} could not be asked: no answer within 0.2 s"


def test_a_call_may_last_30_seconds() -> None:
    assert AnalyticsApiSource.timeout_s == 30


@pytest.mark.parametrize("cut_at", [0, 10])
def test_an_answer_that_breaks_off_is_asked_again(server: AnalyticsServer, cut_at: int) -> None:
    server.tell(ULID, Answer(b"[" + b" " * 100 + b"]", cut_at=cut_at))
    error = error_of(server.url)
    assert type(error) is ResultsNotReadyError
    assert str(error) == f"{server.url} could not be asked: the connection was dropped"


# --- check and preflight -------------------------------------------------------------------------


def findings_of(**settings: Any) -> list[Finding]:
    settings = {"url": "https://analytics.example.org", **settings}
    return query_findings(AnalyticsSettings(**settings))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"url": "http://mary:s3cret@127.0.0.1:8080/api/"},
        {"aggregations": ("value:sum",), "event_type": "*"},
        {"filters": tuple(f"value__{op}=1" for op in ("eq", "neq", "gt", "gte", "lt", "lte"))},
        {"filters": ("element_label__in=A,B", "element_label__contains==", "element_label=x")},
        {"element_labels": ("Cases, all",)},
    ],
)
def test_right_settings_have_no_finding(settings: dict[str, Any]) -> None:
    assert findings_of(**settings) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": None},
         "analytics.url is missing: the source analytics-api needs the address of the "
         'analytics API: --set analytics.url=https://HOST'),
        *(({"url": url},
           "analytics.url cannot be used: it must begin with http:// or https:// and name a host")
          for url in ("mary:s3cret@example.org", "https://", "ftp://example.org",
                      "http://example.org:0")),
        *(({"url": url},
           "analytics.url cannot be used: it cannot be read; write @, / and : within a password "
           "as %40, %2F and %3A")
          for url in ("https://mary:s3/cret@example.org", "http://[::1")),
        *(({"url": f"https://mary:s3cret@example.org/{end}"},
           "analytics.url cannot be used: it must end with its path: no ? and no #")
          for end in ("?key=s3cret", "#s3cret")),
        ({"filters": ("value>5",)},
         "analytics.filters: 'value>5' is neither column=value nor column__op=value, "
         'e.g. "element_label__contains=Deaths"'),
        ({"filters": ("value=",)},
         "analytics.filters: 'value=' is neither column=value nor column__op=value, "
         'e.g. "element_label__contains=Deaths"'),
        ({"filters": ("value__gtee=5",)},
         "analytics.filters: 'value__gtee=5': 'gtee' is not one of the operators "
         "eq, neq, gt, gte, lt, lte, in, contains. Did you mean gte?"),
        ({"filters": ("event_type=ECHO",)},
         "analytics.filters: 'event_type=ECHO' is no filter: set analytics.event_type instead"),
        ({"group_by": ()}, "analytics.group_by: element_label is needed among the columns"),
        ({"group_by": ("element_label", "node")},
         "analytics.group_by: 'node' would give several values for one label and year; "
         'write ["element_label"]'),
        ({"group_by_date": "timestamp:month"},
         "analytics.group_by_date: 'timestamp:month' is not one of timestamp:year"),
        ({"aggregations": ("value:lst",)},
         "analytics.aggregations: 'value:lst' is not one of value:last, value:sum. "
         "Did you mean value:last?"),
        ({"aggregations": ()},
         "analytics.aggregations: one is needed, not 0, as results have one value for a label "
         "and year"),
        ({"aggregations": ("value:last", "value:sum")},
         "analytics.aggregations: one is needed, not 2, as results have one value for a label "
         "and year"),
    ],
)  # fmt: skip
def test_wrong_setting_is_told(settings: dict[str, Any], message: str) -> None:
    [finding] = findings_of(**settings)
    assert finding.is_error
    assert (finding.where, finding.code) == ("ingest.toml", "bad-value")
    assert finding.message == message


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (("A", "Cases, all"), "'Cases, all' holds a comma, which separates labels in a query"),
        (tuple(f"{n:0200}" for n in range(40)), "the 40 labels are too long for a query"),
    ],
)
def test_labels_that_are_not_asked_for_are_a_warning(labels: tuple[str, ...], reason: str) -> None:
    [finding] = findings_of(element_labels=labels)
    assert not finding.is_error
    assert finding.message == (
        f"analytics.element_labels: {reason}; all labels are fetched, then sorted out"
    )


def test_check_tells_what_is_wrong_and_a_run_does_not_begin_with_it() -> None:
    context = context_of(None)
    [finding] = AnalyticsApiSource.check(NoSettings(), context)
    with pytest.raises(StudyError) as error:
        AnalyticsApiSource(NoSettings(), context)
    assert str(error.value) == str(finding)


@pytest.mark.parametrize("status", [200, 404, 500, 302])
def test_answer_of_a_service_shows_that_the_api_is_there(
    server: AnalyticsServer, status: int
) -> None:
    server.tell("docs", Answer(b"", status, {"Location": unused_url()}))
    assert list(AnalyticsApiSource.preflight(NoSettings(), context_of(f"{server.url}/api/"))) == []
    assert server.asked[0].path == "/api/docs"


def test_address_that_denies_access_is_told(server: AnalyticsServer) -> None:
    server.tell("docs", Answer(b"", 401))
    [finding] = AnalyticsApiSource.preflight(NoSettings(), context_of(server.url))
    assert "denies access (401)" in str(finding)


def test_an_api_that_is_not_there_is_told() -> None:
    url = unused_url()
    context = context_of(url.replace("http://", "http://mary:s3cret@"))
    [finding] = AnalyticsApiSource.preflight(NoSettings(), context)
    assert finding.is_error
    assert str(finding) == (
        f"ingest.toml: analytics.url {url} cannot be reached: connection refused"
    )


def test_an_api_that_keeps_silent_is_told(server: AnalyticsServer) -> None:
    server.open.clear()
    [finding] = HastySource.preflight(NoSettings(), context_of(server.url))
    assert str(finding).endswith(" cannot be reached: no answer within 0.2 s")


def test_preflight_leaves_wrong_settings_to_check() -> None:
    assert list(AnalyticsApiSource.preflight(NoSettings(), context_of(None))) == []


# --- with the fetcher ----------------------------------------------------------------------------


class QuickClock(SystemClock):
    """A clock that runs 200 times as fast."""

    def now(self) -> float:
        return time.monotonic() * 200


@contextmanager
def fetching(
    server: AnalyticsServer, kind: type[AnalyticsApiSource] = AnalyticsApiSource, **settings: Any
) -> Iterator[ResultFetcher]:
    with source_of(server.url, kind, **settings) as source:
        fetcher = ResultFetcher(source, source.context.analytics, QuickClock())
        try:
            yield fetcher
        finally:
            server.open.set()
            fetcher.close()


def until(holds: Callable[[], bool], also: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline
        also()
        time.sleep(0.002)


def all_of(fetcher: ResultFetcher) -> dict[str, Fetched]:
    done: list[Fetched] = []
    until(lambda: not fetcher.pending, lambda: done.extend(fetcher.finished()))
    return {fetched.ulid: fetched for fetched in done}


def test_the_server_never_sees_more_calls_side_by_side_than_the_concurrency(
    server: AnalyticsServer,
) -> None:
    with fetching(server, concurrency=3) as fetcher:
        server.open.clear()
        for number in range(30):
            fetcher.request(f"{number:02}")
        until(lambda: server.side_by_side == 3, fetcher.finished)
        server.open.set()
        assert len(all_of(fetcher)) == 30
    assert server.most_side_by_side == 3
    assert server.connections == 3


def test_results_that_lag_behind_arrive(server: AnalyticsServer) -> None:
    there = rows(("L", 2030, 1.5))
    late = (Answer(b"", 404), Answer(b"[]"), Answer(b"", 500), Answer(b"[", cut_at=1))
    server.tell("late", *late, Answer(b"slow down", 429, {"Retry-After": "3"}), there)
    with fetching(server, lag_s=1e6) as fetcher:
        fetcher.request("late")
        fetcher.request("there")
        done = all_of(fetcher)
    assert done["late"].raw == there.body
    assert json.loads(done["there"].raw or b"") == [
        {"element_label": "L", "timestamp_year": 2030, "value": 1}
    ]
    assert (server.times_asked("late"), server.times_asked("there")) == (6, 1)


def test_results_that_never_come_are_a_named_failure(server: AnalyticsServer) -> None:
    server.tell("never", Answer(b"[]"))
    with fetching(server, lag_s=400.0) as fetcher:
        fetcher.request("never")
        fetcher.request("there")
        done = all_of(fetcher)
    assert done["there"].error is None
    assert done["never"].raw is None
    message = str(done["never"].error)
    assert message.startswith("no results for job never after ")
    assert message.endswith(
        f" s (analytics.lag_s): {server.url} has no rows for it. Fetch them later: ingest backfill"
    )
    assert server.times_asked("never") > 1


def test_a_silent_server_is_a_named_failure_after_the_lag(server: AnalyticsServer) -> None:
    server.open.clear()
    with fetching(server, HastySource, lag_s=60.0) as fetcher:
        fetcher.request("A")
        message = str(all_of(fetcher)["A"].error)
    assert "could not be asked: no answer within 0.2 s. Fetch them later" in message


def test_denied_access_reaches_the_caller(server: AnalyticsServer) -> None:
    server.tell("B", Answer(b"", 401))
    with fetching(server, concurrency=1) as fetcher:
        for ulid in "ABC":
            fetcher.request(ulid)
        with pytest.raises(BackendError, match=r"denies access \(401\) when"):
            until(lambda: False, fetcher.finished)
    assert server.times_asked("C") == 0
