"""DevServer: both APIs on a loopback port, with jobs that run in the study's local executor."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from ingest.clock import Clock, SystemClock
from ingest.dev_server.api import DevApi, Results
from ingest.dev_server.faults import Faults
from ingest.dev_server.http_layer import ApiHttpServer
from ingest.dev_server.jobs import DevJob, JobBook
from ingest.dev_server.model_thread import ModelThread
from ingest.errors import ConfigError
from ingest.plugins.manager import load_plugins
from ingest.running.backend import choose_backend
from ingest.study.settings import STUDY_FILE, Settings, load_settings

# How often the accepting thread looks whether it shall stop.
_STOP_POLL_S = 0.05


class DevServer:
    """A run API and an analytics API on this machine; `with DevServer(...) as server` runs them.

    study: folder or settings of the study whose model runs; None runs no model: jobs only take
    their time, and results are made up from the document. port: 0 for any free one.
    faults: see Faults; a mapping stands for its rates. job_time_s: how long a job runs at least;
    start_time_s: how long it waits before that. results: raw results for ULIDs of no job
    here. log: called with one line for each request.
    """

    def __init__(
        self,
        study: Path | Settings | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        faults: Faults | Mapping[str, float] = Faults(),  # noqa: B008  # frozen
        job_time_s: float = 0.0,
        start_time_s: float = 0.0,
        results: Results | None = None,
        log: Callable[[str], None] = lambda line: None,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._address = (host, port)
        self._log, self._clock = log, clock
        self._stopping = threading.Event()
        self._jobs = JobBook(clock, time.time, start_time_s, job_time_s)
        self._model = _model_thread(study, self._jobs)
        self._api = DevApi(
            jobs=self._jobs,
            faults=faults if isinstance(faults, Faults) else Faults(rates=faults),
            clock=clock,
            run=self._model.run if self._model else self._take_time,
            results=results or (lambda ulid: None),
            wait=self._stopping.wait,
        )
        self._http: ApiHttpServer | None = None

    def _take_time(self, job: DevJob, _document: bytes) -> None:
        """A job without a model: its end is known from its beginning."""
        self._jobs.begin(job)
        self._jobs.end(job, None, None)

    @property
    def url(self) -> str:
        """Where both APIs are, without a slash at the end; once it has been started."""
        assert self._http is not None
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}"

    def counts(self) -> dict[str, Any]:
        """What GET /dev/counts answers."""
        return self._api.counts()

    def change_faults(self, **changes: Any) -> None:
        """Misbehave in another way from now on: fields of Faults by name. Raises ConfigError."""
        self._api.change_faults(changes)

    def start(self) -> Self:
        """Load the model, bind the port and serve.

        Raises ConfigError (the port is taken, the model cannot be loaded), BackendError.
        """
        self._http = self._bind()
        if self._model is not None:
            try:
                self._model.start()
            except BaseException:
                self._http.server_close()
                raise
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(_STOP_POLL_S,), name="ingest-dev-server-http"
        )
        self._thread.start()
        return self

    def _bind(self) -> ApiHttpServer:
        host, port = self._address
        try:
            return ApiHttpServer(self._address, self._api, self._clock, self._log)
        except (OSError, OverflowError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else str(exc)
            raise ConfigError(
                f"cannot listen on port {port} of {host}: {reason}. "
                "Choose another with --port N, or any free one with --port 0"
            ) from exc

    def close(self) -> None:
        """Stop serving, end the workers; what was accepted is forgotten."""
        self._stopping.set()
        if self._http is not None:
            self._http.shutdown()
            self._thread.join()
            self._http.close_connections()
            self._http.server_close()
        if self._model is not None:
            self._model.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.close()


def _model_thread(study: Path | Settings | None, jobs: JobBook) -> ModelThread | None:
    """What runs a study's model, whichever executor the study itself names."""
    if study is None:
        return None
    settings = study if isinstance(study, Settings) else load_settings(study / STUDY_FILE, {})[0]
    local = replace(
        settings,
        run=replace(settings.run, executor="local"),
        analytics=replace(settings.analytics, source="executor"),
    )
    folder = settings.study.plugins
    plugins = load_plugins(settings.root / folder if folder else None)
    return ModelThread(choose_backend(local, plugins), jobs)


def results_in(folder: Path) -> Results:
    """Raw results from {ULID}.csv files of a folder; none where there is no such file."""

    def read(ulid: str) -> bytes | None:
        try:
            return (folder / f"{ulid}.csv").read_bytes()
        except FileNotFoundError:
            return None

    return read
