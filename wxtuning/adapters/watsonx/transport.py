"""How a request is repeated, and when not. Knows what is safe to repeat; knows nothing of watsonx.

The one layer that does: what lies below sends each request once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from wxtuning.adapters.watsonx.answers import Veil, trouble
from wxtuning.adapters.watsonx.asks import Asked, Lost, Reply
from wxtuning.adapters.watsonx.faults import BACKEND, Busy, Unsettled
from wxtuning.adapters.watsonx.line import Line, Stream
from wxtuning.adapters.watsonx.until import left
from wxtuning.errors import Unavailable
from wxtuning.retry import Deadline, Passing, Patience, Value, patiently

TOTAL_SECONDS = 120.0
"""For one request with all its repetitions, where the caller's patience does not say; times its own patience. Less
where nobody waits so long."""


class Transport:
    """Sends requests, and sends them again while that may help.

    Args:
        line: What sends one.
        patience: How often and how long.
        veil: What must not be shown of the service's own words.
    """

    def __init__(self, line: Line, patience: Patience, veil: Veil) -> None:
        self._line = line
        self._patience = patience
        self._veil = veil

    def send(self, asked: Asked) -> Reply:
        """The service's answer, good or bad. A request that is not `safe` is repeated only if it never left.

        Raises:
            Unavailable: if there is none; its children `Busy` and `Unsettled` where that was not safe.
        """
        return self.patiently(lambda deadline: self.once(asked, deadline), safe=asked.safe, longer=asked.patience)

    def once(self, asked: Asked, deadline: Deadline) -> Reply:
        """As `send`, without any repetition."""
        return self._settled(asked, self._line.send(asked, deadline))

    def patiently(self, work: Callable[[Deadline], Value], *, safe: bool = True, longer: float = 1.0) -> Value:
        """Do something, and again while that may help.

        Args:
            work: What to do until a deadline.
            safe: Whether it may be done again when nobody knows what became of it.
            longer: How many times the usual time it may take.
        """
        seconds = left((self._patience.total_seconds or TOTAL_SECONDS) * longer)
        deadline = Deadline(seconds, self._patience.clock)
        return patiently(lambda: work(deadline), passing=_passing(safe), deadline=deadline, patience=self._patience)

    def stream(self, asked: Asked) -> Reply | Generator[bytes]:
        """The pieces of a good answer as they come, or a bad one; only its beginning is asked for again.

        Raises:
            Unavailable: as for `send`; while it is read, if it breaks off.
        """

        def opened(deadline: Deadline) -> Reply | Stream:
            outcome = self._line.stream(asked, deadline)
            return outcome if isinstance(outcome, Stream) else self._settled(asked, outcome)

        found = self.patiently(opened, safe=asked.safe, longer=asked.patience)
        return _pieces(asked, found) if isinstance(found, Stream) else found

    def _settled(self, asked: Asked, outcome: Reply | Lost) -> Reply:
        if problem := trouble(asked, outcome, self._veil):
            raise problem
        assert isinstance(outcome, Reply)
        return outcome


def _passing(safe: bool) -> Passing:
    def pause(error: BaseException) -> float | None:
        if isinstance(error, Unsettled) or (isinstance(error, Busy) and not safe):
            return None
        return error.pause if isinstance(error, Unavailable) else None

    return pause


def _pieces(asked: Asked, stream: Stream) -> Generator[bytes]:
    try:
        for piece in stream:
            if isinstance(piece, Lost):
                raise Unavailable(f"{asked.host} {piece.reason} ({asked.what})", backend=BACKEND, hint=piece.hint)
            yield piece
    finally:
        stream.close()
