"""Two at once in one bucket: whoever gives a file up takes it from nobody who comes to need it, at whatever moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from tests.storage.doors import CONTENT, PART, RUN, Door, key_for, noise
from tests.storage.faults import DENIED, Before
from tests.storage.wire import ALWAYS, Act
from wxtuning.errors import NotAuthorized, NotOffered
from wxtuning.status import DataRef

LINES = noise(1000)
OTHER = "run-2"
Come = Callable[[Door], DataRef]


def put(door: Door) -> DataRef:
    return door.put(LINES, owner=OTHER)


def write(door: Door) -> DataRef:
    with door.store().writing("train", owner=OTHER) as out:
        out.write(LINES)
    return out.data


def write_large(door: Door) -> DataRef:
    with door.store(workers=1).writing("train", owner=OTHER) as out:
        out.write(CONTENT)
    return out.data


SMALL = [(put, LINES), (write, LINES)]
LARGE = [(write_large, CONTENT)]


def at_every_request(door: Door, prepare: Callable[[], object], act: Act) -> Iterator[int]:
    """Prepare a bucket again and again, and let `act` happen to the first request, to the second, up to the last."""
    for nth in count(1):
        door.bucket.empty()
        prepare()
        door.wire.heals()
        fault = door.wire.breaks("*", act, first=nth)
        yield nth
        if fault.seen < nth:
            break
        door.wire.heals()
    assert nth > 5


@pytest.mark.parametrize(("come", "content"), SMALL + LARGE)
def test_a_file_is_there_after_a_put_during_which_another_run_gave_it_up(
    hmac: Door, come: Come, content: bytes
) -> None:
    giving_up = Before(happens=lambda: hmac.store().release(RUN))
    for nth in at_every_request(hmac, lambda: hmac.put(content), giving_up):
        ref = come(hmac)
        assert (nth, hmac.bucket.content_of(ref) == content) == (nth, True)
        assert ref in hmac.store().list(OTHER)


@pytest.mark.parametrize(("come", "content"), SMALL)
def test_a_file_is_there_after_a_put_in_the_middle_of_another_runs_giving_up(
    hmac: Door, come: Come, content: bytes
) -> None:
    refs: list[DataRef] = []
    for nth in at_every_request(hmac, lambda: hmac.put(content), Before(happens=lambda: refs.append(come(hmac)))):
        hmac.store().release(RUN)
        if refs:
            assert (nth, hmac.bucket.content_of(refs[-1]) == content) == (nth, True)
            assert refs[-1] in hmac.store().list(OTHER)
            hmac.store().release(OTHER)
            assert (hmac.bucket.all_keys(), hmac.bucket.uploads()) == ([], [])
        refs.clear()


def test_a_file_that_two_give_up_at_once_goes(hmac: Door) -> None:
    def both() -> None:
        hmac.put(LINES)
        hmac.put(LINES, owner=OTHER)

    for nth in at_every_request(hmac, both, Before(happens=lambda: hmac.store().release(OTHER))):
        hmac.store().release(RUN)
        hmac.store().release(OTHER)
        assert (nth, hmac.bucket.all_keys()) == (nth, [])


def test_giving_up_that_was_interrupted_goes_on(hmac: Door) -> None:
    for nth in at_every_request(hmac, lambda: hmac.put(LINES), DENIED):
        try:
            hmac.store().release(RUN)
        except NotAuthorized:
            hmac.wire.heals()
            hmac.store().release(RUN)
            hmac.wire.breaks("*", DENIED, first=ALWAYS).seen = nth
        assert (nth, hmac.bucket.all_keys()) == (nth, [])


def test_giving_up_leaves_what_somebody_else_put_in_the_files_place(hmac: Door) -> None:
    hmac.put(LINES)
    hmac.bucket.put(key_for(LINES), b"theirs")
    assert hmac.store().release(RUN) == ()
    assert hmac.bucket.all_keys() == [key_for(LINES)]


# --- stores inside one another ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outer", "inner"), [("", "team"), ("team", "team/data"), ("team", "team-2")])
def test_a_store_below_another_is_another(hmac: Door, outer: str, inner: str) -> None:
    above, below = hmac.store(prefix=outer), hmac.store(prefix=inner)
    first = above.put(hmac.file(LINES), "train", owner=RUN)
    second = below.put(hmac.file(LINES), "train", owner=RUN)
    hmac.bucket.begin_upload(f"{inner}/.incoming/{RUN}/train", CONTENT[:PART])
    assert (above.list(RUN), below.list(RUN)) == ((first,), (second,))
    assert above.release(RUN) == (first,)
    assert (below.list(RUN), hmac.bucket.content_of(second)) == ((second,), LINES)
    assert hmac.bucket.uploads() == [f"{inner}/.incoming/{RUN}/train"]
    assert below.release(RUN) == (second,)
    assert (hmac.bucket.all_keys(), hmac.bucket.uploads()) == ([], [])


def test_a_file_of_a_store_below_is_not_its_own(hmac: Door) -> None:
    ref = hmac.put(LINES, prefix="team")
    for ask in (hmac.store().delete, hmac.store().exists, lambda ref: hmac.store().get(ref, hmac.folder / "back")):
        with pytest.raises(NotOffered, match="not in this store"):
            ask(ref)
    assert hmac.store(prefix="team").exists(ref)
