"""The thread that makes tokens: whatever waits is answered together, and joins what is being answered already.

Nothing waits for company: the first request starts at once, later ones join between two tokens. Every batch makes one
token a turn, so a long answer keeps no short one waiting.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING

from wxtuning.engine import EngineError
from wxtuning.engine.batch import Batch, Request
from wxtuning.engine.errors import translate

if TYPE_CHECKING:
    from wxtuning.engine.answer import Making

BESIDE = 4
"""Batches of one base and LoRA adapter side by side, where rows cannot join one that runs or is full."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """An answer, or a piece of one; `text` is the new part, the counts are those so far.

    `stop_reason` is `not_finished` for all pieces but the last, then `eos_token`, `stop_sequence` (`stopped_by`),
    `max_tokens`, `token_limit` (no position is left in the model) or `time_limit`.
    """

    text: str
    tokens: int
    input_tokens: int
    stop_reason: str
    stopped_by: str = ""
    ids: tuple[int, ...] = ()


@dataclass(eq=False, kw_only=True)
class Asking:
    """One prompt on its way. What comes of it is put into `events`: pieces if wished, then the end or an error.

    Args:
        request, ids: What the engine is asked, and the prompt's tokens.
        seconds: How long the answer may take from now on.
        gone: Whether nobody waits any more.
        wants_pieces: Whether the text is wanted as it comes.
    """

    request: Request
    ids: Sequence[int]
    seconds: float
    gone: Callable[[], bool]
    wants_pieces: bool = False
    events: SimpleQueue[Answered | EngineError] = field(default_factory=SimpleQueue)
    row: Making | None = None
    sent: str = ""

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.seconds
        self.is_dropped = False

    def drop(self) -> None:
        """Nobody waits for this one any more."""
        self.is_dropped = True

    @property
    def is_left(self) -> bool:
        return self.is_dropped or self.gone()

    @property
    def is_late(self) -> bool:
        return time.monotonic() > self._until

    def tell(self) -> None:
        """Pass on what is new since the last time."""
        if self.row is None:
            return
        if self.row.reason is not None:
            self.end(self._reason(self.row))
        elif self.wants_pieces:
            self._tell_piece(self.row.settled())

    def end(self, reason: str) -> None:
        text = self.row.text() if self.row else ""
        stopped_by = self.row.stopped_by if self.row and reason == "stop_sequence" else ""
        self.events.put(self._answered(text[len(self.sent) :], reason, stopped_by))

    def _tell_piece(self, text: str) -> None:
        if len(text) > len(self.sent) and text.startswith(self.sent):
            self.events.put(self._answered(text[len(self.sent) :], "not_finished", ""))
            self.sent = text

    def _answered(self, text: str, reason: str, stopped_by: str) -> Answered:
        ids = tuple(self.row.ids) if self.row else ()
        return Answered(
            text=text, tokens=len(ids), input_tokens=len(self.ids), stop_reason=reason, stopped_by=stopped_by, ids=ids
        )

    def _reason(self, row: Making) -> str:
        cut_short = row.reason == "max_tokens" and len(row.ids) < self.request.decoding.max_new_tokens
        return "token_limit" if cut_short else str(row.reason)


class Batching:
    """Takes requests from any thread and answers them in one of its own, which starts with the first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Asking] = deque()
        self._admitting: list[Asking] = []
        self._lanes: list[_Lane] = []
        self._thread: threading.Thread | None = None
        self._is_ending = False

    def submit(self, asking: Asking) -> None:
        """Let a prompt be answered.

        Raises:
            EngineError: `io_error` after `stop`.
        """
        with self._changed:
            if self._is_ending:
                raise _ended()
            self._waiting.append(asking)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
                self._thread.start()
            self._changed.notify()

    def stop(self, seconds: float) -> None:
        """Finish what is being answered within so many seconds; the rest ends with an error."""
        with self._changed:
            self._is_ending = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(seconds)
            for asking in [*self._waiting, *(asking for lane in self._lanes for asking in lane.askings)]:
                asking.events.put(_ended())
                asking.drop()

    def _run(self) -> None:
        while self._has_work():
            try:
                self._admit()
                for lane in self._lanes:
                    lane.step()
                self._lanes = [lane for lane in self._lanes if lane.askings]
            except Exception as cause:  # noqa: BLE001  # the thread must live, and nobody may wait for ever
                self._give_up(cause)

    def _give_up(self, cause: Exception) -> None:
        with self._changed:
            left, self._waiting = [*self._admitting, *self._waiting], deque()
        self._admitting = []
        lanes, self._lanes = self._lanes, []
        _fail([*left, *(asking for lane in lanes for asking in lane.askings)], cause)

    def _has_work(self) -> bool:
        with self._changed:
            while not (self._waiting or self._lanes or self._is_ending):
                self._changed.wait()
            return bool(self._waiting or self._lanes)

    def _admit(self) -> None:
        """Put those who wait into batches, in their order; who finds no place waits for the next turn."""
        with self._changed:
            self._admitting, self._waiting = list(self._waiting), deque()
        joining: dict[_Lane, list[Asking]] = {}
        left = [asking for asking in self._admitting if not _is_over(asking) and not self._found_lane(asking, joining)]
        with self._changed:
            self._waiting.extendleft(reversed(left))
        for lane, askings in joining.items():
            lane.add(sorted(askings, key=lambda asking: len(asking.ids)))
        self._admitting = []

    def _found_lane(self, asking: Asking, joining: dict[_Lane, list[Asking]]) -> bool:
        lane = next((lane for lane in self._lanes if lane.takes([*joining.get(lane, ()), asking])), None)
        if lane is None:
            of_kind = sum(lane.is_for(asking) for lane in self._lanes)
            if of_kind >= BESIDE:
                return False
            lane = _Lane(asking)
            self._lanes.append(lane)
        joining.setdefault(lane, []).append(asking)
        return True


class _Lane:
    """One batch and those who wait for its rows."""

    def __init__(self, first: Asking) -> None:
        self._generator = first.request.generator
        self._batch = Batch(self._generator)
        self.askings: list[Asking] = []

    def is_for(self, asking: Asking) -> bool:
        return self._generator.shares_batches(asking.request.generator)

    def takes(self, askings: Sequence[Asking]) -> bool:
        return self._batch.takes([asking.request for asking in askings], [asking.ids for asking in askings])

    def add(self, askings: Sequence[Asking]) -> None:
        try:
            rows = self._batch.add([asking.request for asking in askings], [asking.ids for asking in askings])
        except Exception as cause:  # noqa: BLE001  # whatever it is, those who wait must hear of it
            _fail(askings, cause)
            return
        for asking, row in zip(askings, rows, strict=True):
            asking.row = row
        self.askings += askings
        self._tell()

    def step(self) -> None:
        over = [asking for asking in self.askings if _is_over(asking)]
        try:
            self._batch.drop([asking.row for asking in over if asking.row])
            self.askings = [asking for asking in self.askings if asking not in over]
            self._batch.step()
        except Exception as cause:  # noqa: BLE001  # the same
            _fail(self.askings, cause)
            self.askings = []
        self._tell()

    def _tell(self) -> None:
        for asking in self.askings:
            asking.tell()
        self.askings = [asking for asking in self.askings if asking.row and asking.row.reason is None]


def _is_over(asking: Asking) -> bool:
    """Whether an answer ends before its time; who still waits is told."""
    if asking.is_left:
        return True
    if asking.is_late:
        asking.end("time_limit")
        return True
    return False


def _fail(askings: Sequence[Asking], cause: Exception) -> None:
    for asking in askings:
        asking.events.put(translate(cause))


def _ended() -> EngineError:
    return EngineError("the server ends", code="io_error", hint="ask again when it is up")
