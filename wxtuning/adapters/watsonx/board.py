"""How far many jobs are, by one list for all of them. Knows who asks for what; knows no words of the service."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

from wxtuning.adapters.watsonx.pages import PAGE
from wxtuning.adapters.watsonx.until import held, is_over
from wxtuning.errors import Unavailable
from wxtuning.status import JobStatus

FEW = 3
"""So many watched jobs are asked for one by one."""
WATCHED_SECONDS = 180.0
"""A job that nobody asked for during this time is watched no more; longer than any pause of a wait."""
FRESH_SECONDS = 2.0
"""For how long a page of the list is believed; a list of five pages is asked for every ten seconds."""
LEAST_LISTED = 2_000
"""Entries that are looked through at least, before a job that is not among them is asked for by itself."""

One = Callable[[str], JobStatus]
All = Callable[[], Iterator[tuple[str, JobStatus]]]


class Board:
    """The states of the jobs that this process watches. Safe for threads.

    Args:
        one: Asks for one job.
        all: Asks for the list, the newest first, page by page as it is read.
        clock: Monotonic seconds.
    """

    def __init__(self, one: One, all: All, clock: Callable[[], float]) -> None:
        self._one = one
        self._all = all
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: dict[str, float] = {}
        self._ended: deque[str] = deque()
        self._listed: dict[str, JobStatus] = {}
        self._rest: Iterator[tuple[str, JobStatus]] = iter(())
        self._fresh_until = 0.0
        self._most = LEAST_LISTED
        self._outage: tuple[float, Unavailable] | None = None

    def status(self, id: str) -> JobStatus:
        """How far a job is, as of some seconds ago if many are watched.

        Raises:
            AdapterError: what asking raises; Unavailable also if another thread asks for longer than is waited for.
        """
        status = self._from_list(id) or self._one(id)
        if status.state.final:
            self._ended.append(id)
        return status

    def _from_list(self, id: str) -> JobStatus | None:
        with held(self._lock):
            now = self._clock()
            while self._ended:
                self._asked.pop(self._ended.popleft(), None)
            self._asked[id] = now
            if len(self._asked) <= FEW:
                return None
            self._tell_outage(now)
            if now >= self._fresh_until:
                self._begin(now)
            try:
                return self._seek(id)
            except Unavailable as cause:
                self._fresh_until = 0.0
                if not is_over():  # else it is only that one of them waits no longer
                    self._outage = (self._clock() + max(FRESH_SECONDS, cause.pause), cause)
                raise

    def _tell_outage(self, now: float) -> None:
        """What one of many has just met is not asked again for each of the others."""
        if self._outage and now < self._outage[0]:
            cause = self._outage[1]
            raise Unavailable(str(cause.args[0]), backend=cause.backend, hint=cause.hint, pause=cause.pause)
        self._outage = None

    def _begin(self, now: float) -> None:
        self._asked = {id: asked for id, asked in self._asked.items() if now - asked < WATCHED_SECONDS}
        self._listed = {}
        self._rest = self._all()
        self._most = LEAST_LISTED
        self._fresh_until = now + FRESH_SECONDS

    def _seek(self, id: str) -> JobStatus | None:
        """Read on in the list up to a job; None if it is not listed, as far as that is looked for."""
        # Those that end while it is read still stand before the others.
        self._most = max(self._most, 2 * len(self._asked))
        while id not in self._listed and len(self._listed) < self._most:
            found = next(self._rest, None)
            if found is None:
                break
            if self._listed and len(self._listed) % PAGE == 0:
                self._fresh_until += FRESH_SECONDS
            self._listed[found[0]] = found[1]
        return self._listed.get(id)
