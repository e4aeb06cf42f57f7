"""What is created once, however often it is asked for. Knows tags, attempts and look-ups; knows no kind of thing.

The service takes no client token, so a thing is known by its tag. An attempt is written down, and again in the moment
when its one POST leaves; where nobody knows what became of it the tag is looked up until the settle time is over. Only
a clean look-up that stays empty for all that time means that nothing was created.

Processes of one home wait for each other. Two machines do not know of each other: whoever comes second finds the tag,
unless both send within the time that the service's list lags behind. Then two things carry the tag, which
`check_alone` or the next look-up tells, the oldest first; nothing is removed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from wxtuning.adapters.watsonx.departure import before_it_leaves
from wxtuning.adapters.watsonx.faults import BACKEND, Busy, Unsettled
from wxtuning.adapters.watsonx.listed import Collection, Found
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.errors import (
    AdapterError,
    AmbiguousSubmitError,
    DuplicateJobsError,
    RunLocked,
    Unavailable,
    WxTuningError,
)
from wxtuning.folder import home_folder, locked
from wxtuning.intents import Attempt, Intents, Outcome
from wxtuning.journal import Journal
from wxtuning.retry import LONGEST_OBEYED_SECONDS, Deadline

if TYPE_CHECKING:
    from wxtuning.adapters.watsonx.service import Json

logger = logging.getLogger("wxtuning.watsonx")

MOST_ATTEMPTS = 4
"""POSTs of one call, each after a plain refusal for now or an empty look-up."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 15.0
LOCK_SECONDS = 0.2
MOST_LISTED = 20_000


def intents_of(settings: Settings) -> Intents:
    """The attempts that this home knows of."""
    return Intents(Journal(home_folder() / "journal.db"), clock=settings.patience.clock)


def trusted(_: str) -> bool:
    """What the journal knows is there."""
    return True


def once(
    collection: Collection,
    tag: str,
    body: Callable[[], Json],
    *,
    settings: Settings,
    is_there: Callable[[str], bool] = trusted,
) -> str:
    """The id of the one thing with this tag, which is created if there is none.

    Args:
        collection: What it is, and where.
        tag: Its tag; it must be among those that the body carries.
        body: Makes ready what is sent; called only if something is sent, and before that is written down.
        settings: How long a look-up is believed to lag, and what happens after that.
        is_there: Whether the thing that was made earlier still is; one that is not is made again.

    Raises:
        JournalError: if the attempt cannot be written down; then nothing was sent.
        AmbiguousSubmitError: if it may exist and cannot be looked up; DuplicateJobsError if several things have the
            tag.
        RunLocked: if another process has been creating it for longer than it may.
        AdapterError: what the service said; then nothing was created.
    """
    creation = _Creation(collection, collection.place, tag, intents_of(settings), settings)
    with alone(f"{creation.place} {tag}", settings):
        return creation.known(is_there) or creation.made(body)


def find(collection: Collection, tag: str, *, settings: Settings) -> str:
    """The id of the one thing with this tag; empty if none shows up. Creates nothing.

    Raises:
        DuplicateJobsError: if several things have the tag.
        AdapterError: if the service does not answer.
    """
    creation = _Creation(collection, collection.place, tag, intents_of(settings), settings)
    last = creation.intents.last(creation.place, tag)
    return last.id if last and last.outcome in (Outcome.MADE, Outcome.ADOPTED) else creation.found(last)


def check_alone(collection: Collection, tag: str, *, settings: Settings) -> None:
    """Make sure that nobody else has just created the same, as far as the service lists it already.

    Raises:
        DuplicateJobsError: if somebody has.
    """
    creation = _Creation(collection, collection.place, tag, intents_of(settings), settings)
    try:
        look = creation.look()
    except Unavailable:
        return
    creation.only(look.found, creation.intents.last(creation.place, tag))


@contextmanager
def alone(name: str, settings: Settings) -> Iterator[None]:
    """One process and thread of this home at a time; the others wait as long as an attempt may take."""
    folder = home_folder() / "locks" / hashlib.sha256(name.encode()).hexdigest()[:16]
    deadline = Deadline(2 * settings.submit_settle + 60.0, settings.patience.clock)
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(folder))
                break
            except RunLocked:
                if deadline.left <= 0:
                    raise
                settings.patience.sleep(LOCK_SECONDS)
        yield


@dataclass(frozen=True)
class _Look:
    """The things with the tag, the oldest first; not `clean` if the service answered with other tags than asked for."""

    found: Sequence[Found]
    clean: bool


@dataclass(frozen=True)
class _Creation:
    collection: Collection
    place: str
    tag: str
    intents: Intents
    settings: Settings

    def known(self, is_there: Callable[[str], bool]) -> str:
        """The id of what is there already; empty if nothing is."""
        last = self.intents.last(self.place, self.tag)
        if last and last.outcome is Outcome.OPEN:
            return self._settled(last, self._settled_seconds(last))
        if last and last.outcome is Outcome.ADOPTED:
            return self._adopted(last)
        if last and last.outcome is Outcome.MADE and is_there(last.id):
            return last.id
        return self.found(last)

    def _settled_seconds(self, attempt: Attempt) -> float:
        """The seconds of the settle time that are over for certain, of an attempt whose process did not end it."""
        # The request may have been on its way until it would have been given up; who answered before has acted.
        return self.intents.now().seconds_since(attempt.started) - self.settings.patience.read_seconds

    def _adopted(self, attempt: Attempt) -> str:
        """The id that a person named, if the service knows it."""
        if self.collection.has(attempt.id):
            return attempt.id
        raise AmbiguousSubmitError(
            f"{attempt.id} was adopted as {self.tag}, and there is no such thing (any more) at {self.place}",
            backend=BACKEND,
            tag=self.tag,
            since=attempt.started.day.isoformat(timespec="seconds"),
            hint=f"Name the right one: wxtuning.adopt({self.tag!r}, its id); if nothing is there, "
            f"wxtuning.submit_again({self.tag!r}).",
        )

    def found(self, last: Attempt | None) -> str:
        """The id of what shows up now; empty if nothing does."""
        return self._taken(self.look(), last)

    def _taken(self, look: _Look, last: Attempt | None) -> str:
        """The id of what a look-up shows, which is then written down; empty if it shows nothing."""
        # What the journal knows as made and gone may still be listed.
        gone = last.id if last and last.outcome is Outcome.MADE else ""
        identity = self.only([each for each in look.found if each.id != gone], last)
        if identity:
            self.intents.begin(self.place, self.tag, Outcome.MADE, identity)
        return identity

    def made(self, body: Callable[[], Json]) -> str:
        """Create it; the id."""
        sent = body()
        for number in range(MOST_ATTEMPTS):
            if identity := self._sent(sent, number):
                return identity
        raise Unavailable(
            f"{self.tag} was not created at {self.place} in {MOST_ATTEMPTS} attempts, each of which left nothing",
            backend=BACKEND,
            hint="Run the same line again later.",
        )

    def _sent(self, body: Json, number: int) -> str:
        """The id of what one POST made; empty if it certainly made nothing and another may."""
        attempt = self.intents.begin(self.place, self.tag)
        try:
            with before_it_leaves(lambda: self.intents.leaves(attempt)):
                identity = self.collection.create(body)
        except Busy as busy:
            self.intents.end(attempt, Outcome.REFUSED)
            if number + 1 == MOST_ATTEMPTS:
                raise
            self.settings.patience.sleep(min(max(busy.pause, 2.0**number), LONGEST_OBEYED_SECONDS))
            return self._refused(attempt)
        except Unsettled as cause:
            logger.warning("nobody knows whether %s was created: %s", self.tag, cause)
            return self._settled(attempt)
        except WxTuningError:
            self.intents.end(attempt, Outcome.REFUSED)
            raise
        self.intents.end(attempt, Outcome.MADE, identity)
        return identity

    def _refused(self, attempt: Attempt) -> str:
        """The id of what an attempt made although it was refused; empty if it made nothing."""
        look = self._thorough_look()
        if isinstance(look, AdapterError):
            raise look
        return self._taken(look, attempt)

    def _settled(self, attempt: Attempt, passed: float = 0.0) -> str:
        """Look an attempt up until its settle time is over; the id of what it made, empty if it made nothing.

        Args:
            attempt: Whose outcome nobody knows.
            passed: Seconds of the settle time that are over; negative before it begins.
        """
        deadline = Deadline(self.settings.submit_settle - passed, self.settings.patience.clock)
        pause = FIRST_PAUSE_SECONDS
        while True:
            look = self._thorough_look()
            if isinstance(look, _Look) and (identity := self.only(look.found, attempt)):
                self.intents.end(attempt, Outcome.MADE, identity)
                return identity
            if (left := deadline.left) <= 0 or (isinstance(look, AdapterError) and not isinstance(look, Unavailable)):
                return self._concluded(attempt, look)
            self.settings.patience.sleep(min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _concluded(self, attempt: Attempt, look: _Look | AdapterError) -> str:
        """What the last look-up means after the settle time, if it found nothing."""
        if isinstance(look, AdapterError):
            raise self._ambiguous(attempt, f"it could not be looked up: {look.args[0]}") from look
        if not look.clean:
            raise self._ambiguous(attempt, "the service does not filter its list by tag, and the list does not show it")
        if self.settings.on_unknown == "ask":
            raise self._ambiguous(attempt, f"nothing with the tag showed up in {self.settings.submit_settle:g} s")
        self.intents.end(attempt, Outcome.EMPTY)
        logger.warning("%s did not show up in %g s", self.tag, self.settings.submit_settle)
        return ""

    def look(self) -> _Look:
        """What has the tag, by the service's own filter, compared again here."""
        listed = list(islice(self.collection.tagged(self.tag), MOST_LISTED))
        ours = [each for each in listed if self.tag in each.tags]
        return _Look(self._in_question(ours), clean=len(ours) == len(listed))

    def _thorough_look(self) -> _Look | AdapterError:
        """As `look`, and among the newest things too where the filter shows nothing; or why there is no answer."""
        try:
            look = self.look()
            if look.found:
                return look
            ours = [each for each in self.collection.newest() if self.tag in each.tags]
            return _Look(self._in_question(ours), look.clean)
        except AdapterError as cause:
            return cause

    def _in_question(self, ours: Sequence[Found]) -> Sequence[Found]:
        """What is ours and was not given up, the oldest first."""
        given_up = self._given_up()
        return sorted((each for each in ours if each.id not in given_up), key=lambda each: each.created_at)

    def _given_up(self) -> frozenset[str]:
        """The ids of what carries the tag and a person does not want any more."""
        attempts = self.intents.attempts(self.place, self.tag)
        return frozenset(each.id for each in attempts if each.outcome is Outcome.GIVEN_UP)

    def only(self, found: Sequence[Found], attempt: Attempt | None) -> str:
        """The id of the one thing that was found; empty if none was."""
        ids = list(dict.fromkeys(each.id for each in found))
        if len(ids) < 2:
            return ids[0] if ids else ""
        attempt = attempt or self.intents.begin(self.place, self.tag)
        self.intents.end(attempt, Outcome.SEVERAL)
        raise DuplicateJobsError(
            f"{len(ids)} things at {self.place} have the tag {self.tag}: {', '.join(ids)}, the oldest first; none of "
            "them was touched",
            backend=BACKEND,
            tag=self.tag,
            found=ids,
            hint=f"Keep one: wxtuning.adopt({self.tag!r}, {ids[0]!r}) takes the oldest; then run the same line again. "
            "Remove the others by hand.",
        )

    def _ambiguous(self, attempt: Attempt, reason: str) -> AmbiguousSubmitError:
        since = attempt.started.day.isoformat(timespec="seconds")
        return AmbiguousSubmitError(
            f"{self.tag} may have been created at {self.place}, where it was asked for at {since}: {reason}",
            backend=BACKEND,
            tag=self.tag,
            since=since,
            hint="Run the same line again and it looks once more. Or look there for the tag: if it is there, "
            f"wxtuning.adopt({self.tag!r}, its id); if it is not, wxtuning.submit_again({self.tag!r}).",
        )
