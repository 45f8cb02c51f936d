"""The submitter: a process that sends documents to the run API and outlives the run it serves.

Answers are the only knowledge there is of a job at the run API. So they are received and
journalled in a process of its own, in a session of its own: neither Ctrl-C nor the end of the run,
however that comes, loses one. When the run is gone, what was begun is finished and nothing else.
"""

from __future__ import annotations

import os
import queue
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ingest.errors import BackendError
from ingest.executors.run_api.answers import Outcome, SubmitAnswer
from ingest.executors.run_api.client import RunApiClient
from ingest.executors.run_api.journal import (
    JournalEvent,
    JournalLine,
    SubmissionJournal,
    journal_time,
)
from ingest.executors.run_api.submitter_protocol import (
    Answered,
    Holding,
    Order,
    SubmitterConfig,
    Unusable,
    Word,
    encode_word,
    read_config,
    read_orders,
)
from ingest.services.pacing import Pace

_LOCK_TIMEOUT_S = 2.0
# What a call may take beyond its time-out: connecting, and reading an answer that dribbles.
GRACE_S = 15.0
_FIRST_BACK_OFF_S = 1.0
_LONGEST_BACK_OFF_S = 60.0
_ENDING = {signal.SIGTERM, signal.SIGHUP}
_EVENTS = {Outcome.ACCEPTED: JournalEvent.ACCEPTED, Outcome.LOST: JournalEvent.LOST}


class Submitter:
    """Sends orders side by side, journals each, and tells what came of it."""

    def __init__(self, config: SubmitterConfig, answers_fd: int) -> None:
        self._config = config
        self._journal = SubmissionJournal(Path(config.journal))
        self._client = RunApiClient(config.url, config.timeout_s)
        self._answers_fd = answers_fd
        self._telling = threading.Lock()
        self._journalling = threading.Lock()
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._stopped = threading.Event()
        self._pace = Pace()
        self._reached_at = time.monotonic()

    def run(self, orders: BinaryIO) -> bool:
        """Serve until the pipe is closed or a signal comes; whether every call has ended then."""
        try:
            with self._journal.lock(_LOCK_TIMEOUT_S):
                _serve_until_signalled(lambda: self._take(orders))
                return self._finish()
        except BackendError as exc:
            self.tell(Unusable(str(exc), is_local=True))
            return True

    def _take(self, orders: BinaryIO) -> None:
        for order in read_orders(orders):
            self._orders.put(order)
            if len(self._threads) < self._config.concurrency:
                thread = threading.Thread(target=self._work, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _finish(self) -> bool:
        """Drop what has not begun, wait for what has; not for ever."""
        self._stopped.set()  # a thread that starts from here on sends nothing
        threads = list(self._threads)
        for _ in threads:
            self._orders.put(None)
        deadline = time.monotonic() + self._config.timeout_s + GRACE_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            try:
                self._submit(order)
            except OSError as exc:
                why = f"{self._config.journal} cannot be written: {exc.strerror}"
                self._give_up(why, is_local=True)
            except Exception as exc:  # noqa: BLE001  # a thread that ends would leave its order open
                traceback.print_exc()
                self._give_up(f"the submitter failed: {exc!r}", is_local=True)

    def _submit(self, order: Order) -> None:
        """Offer a document until it is answered for good; an API that is busy is given time."""
        attempt = busy = 0
        while self._pace.wait(self._stopped):
            answer = self._send(order)
            attempt += 1
            if answer.outcome in (Outcome.BUSY, Outcome.NOT_SENT):
                self._hold_back(answer, attempt)
            if answer.outcome is Outcome.NOT_SENT:
                self._give_up_in_time(answer)
                continue
            busy += answer.outcome is Outcome.BUSY
            if answer.outcome is Outcome.BUSY and busy < self._config.tries:
                continue
            if answer.outcome is Outcome.UNUSABLE:
                self._give_up(answer.reason)
            else:
                self.tell(_final(order, answer))
            return

    def _give_up_in_time(self, answer: SubmitAnswer) -> None:
        """Stop when the API could not be reached by any order for too long."""
        if time.monotonic() - self._reached_at >= self._config.patience_s:
            self._give_up(
                f"could not be reached for {self._config.patience_s:g} s "
                f"(run.unreachable_limit_s): {answer.reason}"
            )

    def _send(self, order: Order) -> SubmitAnswer:
        """One attempt; on the disk before it is made, and again before anybody hears of it."""
        self._note(order, JournalEvent.SENDING)
        answer = self._client.submit(self._config.environment, order.document)
        if answer.outcome is not Outcome.NOT_SENT:
            self._reached_at = time.monotonic()
        try:
            self._note(order, _EVENTS.get(answer.outcome, JournalEvent.NOT_ACCEPTED), answer)
        except OSError:
            self.tell(_final(order, answer))  # the run can still keep it
            raise
        return answer

    def _note(self, order: Order, event: JournalEvent, answer: SubmitAnswer | None = None) -> None:
        line = JournalLine(
            event=event,
            ulid=order.ulid,
            combination=order.combination,
            environment=self._config.environment,
            time=journal_time(),
            job_id=answer.job_id if answer else None,
            job_name=answer.job_name if answer else None,
            reason=answer.reason if answer and event is JournalEvent.LOST else None,
        )
        with self._journalling:
            self._journal.append(line)

    def _hold_back(self, answer: SubmitAnswer, attempt: int) -> None:
        """Let no document leave for as long as the API asks, or a while that doubles."""
        seconds = answer.retry_after_s
        if seconds is None:
            seconds = min(_FIRST_BACK_OFF_S * 2.0 ** min(attempt - 1, 20), _LONGEST_BACK_OFF_S)
            seconds *= 0.5 + random.random()
        if self._pace.hold(seconds):
            self.tell(Holding(seconds, answer.reason))

    def _give_up(self, reason: str, *, is_local: bool = False) -> None:
        if not self._stopped.is_set():
            self._stopped.set()
            self.tell(Unusable(reason, is_local))

    def tell(self, word: Word) -> None:
        """A line for the run, if it is still there."""
        line = encode_word(word)
        with self._telling:
            try:
                while line:
                    line = line[os.write(self._answers_fd, line) :]
            except BrokenPipeError:
                pass  # the next run reads the journal


def _final(order: Order, answer: SubmitAnswer) -> Answered:
    return Answered(order.ulid, answer.outcome, answer.reason, answer.job_id, answer.job_name)


def _serve_until_signalled(serve: Callable[[], None]) -> None:
    """Call serve(); SIGTERM and SIGHUP end it as the end of the pipe does, SIGINT is not for us.

    No thread takes a signal, this one waits for it: a handler would run too late where the signal
    comes just before a read, or comes to another thread.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)

    def serve_and_end() -> None:
        try:
            serve()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=serve_and_end, daemon=True).start()
    signal.sigwait(_ENDING)


def main() -> None:
    """Read the configuration and orders from stdin, write words to stdout."""
    # of its own: sys.stdin is closed at the end, which a thread that still reads does not allow
    orders = os.fdopen(0, "rb", closefd=False)
    submitter = Submitter(read_config(orders), sys.stdout.fileno())
    if not submitter.run(orders):
        os._exit(1)  # a call that does not end must not hold the journal for ever


if __name__ == "__main__":
    main()
