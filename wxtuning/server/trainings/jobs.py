"""The queue of trainings: so many at a time, fairly among projects and spaces. Knows nothing of what a job does."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Condition, Event, Thread

from wxtuning import engine
from wxtuning.server.ground import Ground
from wxtuning.server.state import Resource
from wxtuning.server.trainings import models
from wxtuning.server.trainings.job import LOOK_SECONDS, Job, Ledger
from wxtuning.server.trainings.kinds import FINAL, KINDS, UNENDED

logger = logging.getLogger("wxtuning.server.trainings.jobs")

STOP_SECONDS = 5.0
"""How long the end of the server waits for a job that is just reading its data."""


class Jobs:
    """Runs trainings in child processes; those that an earlier server left go on."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._ledger = Ledger(ground)
        self._changed = Condition()
        self._waiting: list[Resource] = []
        self._busy: dict[str, Resource] = {}
        self._turns: dict[str, int] = {}
        self._stopping = Event()
        self._threads: list[Thread] = []

    def start(self) -> None:
        """Take up what waits and what was left, and begin."""
        models.sweep(self._ground)
        self._sweep()
        left = [found for kind in KINDS for found in self._ground.state.all(kind, marks=[("state", UNENDED)])]
        with self._changed:
            self._waiting = sorted(left, key=_begun_first)
        for number in range(self._ground.settings.jobs):
            thread = Thread(target=self._work, name=f"wxtuning job {number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Leave the child processes to themselves; the next server finds them."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(STOP_SECONDS)

    def submit(self, training: Resource) -> None:
        """Queue a training."""
        with self._changed:
            self._waiting.append(training)
            self._changed.notify()

    def cancel(self, training: Resource) -> bool:
        """End a training that waits or runs; False if it has ended already."""
        with self._changed:
            found = self._ledger.now(training)
            if found is None or _has_ended(found):
                return False
            self._ledger.ask_to_cancel(training)
            if self._take_out(training):
                Job(self._ground, self._ledger, training, self._stopping).run()
            return True

    def remove(self, training: Resource) -> None:
        """Forget a training with all its files; one that runs is told to end first."""
        with self._changed:
            # Told before it is forgotten: whatever becomes of this server, no process works on for nobody.
            engine.cancel(self._folder(training.id))
            self._ground.state.remove(training)
            self._take_out(training)
            if training.id not in self._busy:
                self._clear(training.id)

    def _sweep(self) -> None:
        """Remove what is left of trainings that were removed while they ran, in a server that was then killed."""
        known = {identity for kind in KINDS for identity in self._ground.state.ids(kind)}
        for folder in self._ground.folder("jobs").iterdir():
            if folder.name not in known:
                Thread(
                    target=self._clear, args=(folder.name,), name=f"wxtuning sweep {folder.name}", daemon=True
                ).start()

    def _take_out(self, training: Resource) -> bool:
        """Whether a training was waiting; now it is not."""
        kept = [one for one in self._waiting if one.id != training.id]
        was_there, self._waiting = len(kept) < len(self._waiting), kept
        return was_there

    def _work(self) -> None:
        while training := self._next():
            try:
                Job(self._ground, self._ledger, training, self._stopping).run()
            except Exception:  # the state cannot be written, or a fault of ours; others still have their turn
                logger.exception("training %s", training.id)
            with self._changed:
                del self._busy[training.id]
                if self._ledger.now(training) is None:
                    self._clear(training.id)

    def _next(self) -> Resource | None:
        """The training whose turn it is; None when the server ends."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._stopping.is_set())
            if self._stopping.is_set():
                return None
            running = [one.container for one in self._busy.values()]
            chosen = in_turn(self._waiting, running, self._turns)
            self._waiting.remove(chosen)
            self._busy[chosen.id] = chosen
            self._turns[chosen.container] = max(self._turns.values(), default=0) + 1
            return chosen

    def _folder(self, identity: str) -> Path:
        return self._ground.folder("jobs", identity)

    def _clear(self, identity: str) -> None:
        """Remove the folder of a job, once nothing works in it; the next server does, if this one ends before."""
        folder = self._folder(identity)
        engine.cancel(folder)
        while engine.is_alive(folder):
            if self._stopping.wait(LOOK_SECONDS):
                return
        shutil.rmtree(folder, ignore_errors=True)


def in_turn(waiting: Sequence[Resource], running: Sequence[str], turns: Mapping[str, int]) -> Resource:
    """The training whose turn it is.

    One whose project or space has the fewest running; among these, the one whose project or space has waited longest
    for a turn; of one project or space, the oldest.

    Args:
        waiting: At least one, the oldest first.
        running: The project or space of each training that runs.
        turns: When each project or space had its last turn, as a number that grows.
    """
    counted = Counter(running)
    return min(waiting, key=lambda one: (counted[one.container], turns.get(one.container, 0)))


def _has_ended(training: Resource) -> bool:
    return training.body["status"]["state"] in FINAL


def _begun_first(training: Resource) -> tuple[bool, str]:
    return training.body["status"]["state"] == "queued", training.created_at
