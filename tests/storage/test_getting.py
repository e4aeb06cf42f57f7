"""A file comes back whole, or not at all."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.storage.doors import CONTENT, Door, noise
from tests.storage.faults import DENIED, BlackHole, Cut, Refusal, flipped, slow_down
from tests.storage.wire import ALWAYS
from wxtuning.errors import NotAuthorized, NotOffered, Unavailable, UploadIntegrityError, WxTuningError


@pytest.fixture
def to(tmp_path: Path) -> Path:
    """Where files are fetched to; something older lies there."""
    path = tmp_path / "back.jsonl"
    path.write_bytes(b"older")
    return path


@pytest.mark.parametrize("after", [0, 3_000_000, len(CONTENT) - 1])
def test_a_download_that_breaks_goes_on_where_it_broke(door: Door, to: Path, after: int) -> None:
    ref = door.put()
    door.wire.heals()
    door.wire.breaks("GetObject", Cut(after=after))
    door.store().get(ref, to)
    assert to.read_bytes() == CONTENT
    _, again = door.wire.of("GetObject")
    (begin,) = re.findall(r"bytes=(\d+)-", again.header("range") or "bytes=0-")
    assert int(begin) <= after
    assert after < 1_000_000 or int(begin) > after - 1_000_000


def test_a_download_that_breaks_again_and_again_ends_in_an_error(hmac: Door, to: Path) -> None:
    ref = hmac.put()
    hmac.wire.heals()
    hmac.wire.breaks("GetObject", Cut(after=0), times=ALWAYS)
    with pytest.raises(Unavailable):
        hmac.store().get(ref, to)
    assert hmac.wire.asked["GetObject"] <= 6
    assert to.read_bytes() == b"older"


def test_a_download_that_is_never_answered_ends_in_an_error(hmac: Door, to: Path) -> None:
    ref = hmac.put(noise(1000))
    hmac.wire.breaks("*", BlackHole(), times=ALWAYS)
    with pytest.raises(Unavailable):
        hmac.store(patience={"read_seconds": 0.1}).get(ref, to)
    assert to.read_bytes() == b"older"


def test_slow_down_is_obeyed(hmac: Door, to: Path) -> None:
    ref = hmac.put(noise(1000))
    hmac.wire.breaks("GetObject", slow_down(retry_after="9"))
    hmac.store().get(ref, to)
    assert hmac.clock.pauses == [9.0]


@pytest.mark.parametrize("other", [flipped(CONTENT, len(CONTENT) - 1), CONTENT[:-1], CONTENT + b"x", b""])
def test_other_bytes_never_take_the_place_of_a_file(hmac: Door, to: Path, other: bytes) -> None:
    ref = hmac.put()
    hmac.bucket.put(hmac.bucket.key_of(ref), other)
    with pytest.raises(UploadIntegrityError, match=re.escape(hmac.bucket.key_of(ref))):
        hmac.store().get(ref, to)
    assert to.read_bytes() == b"older"
    assert list(to.parent.glob(".*")) == []


def test_a_file_that_changes_between_two_tries_is_not_patched_together(hmac: Door, to: Path) -> None:
    ref = hmac.put()
    hmac.wire.heals()
    key, other = hmac.bucket.key_of(ref), noise(len(CONTENT), seed=5)
    hmac.wire.breaks("GetObject", Cut(after=3_000_000, happens=lambda: hmac.bucket.put(key, other)))
    with pytest.raises(UploadIntegrityError):
        hmac.store().get(ref, to)
    assert to.read_bytes() == b"older"


def test_a_file_that_is_not_there_is_said_not_to_be(door: Door, to: Path) -> None:
    ref = door.put(noise(1000))
    door.store().delete(ref)
    with pytest.raises(NotOffered, match=re.escape(ref.uri)):
        door.store().get(ref, to)
    assert to.read_bytes() == b"older"


def test_a_file_that_may_not_be_read_is_said_so(hmac: Door, to: Path) -> None:
    ref = hmac.put(noise(1000))
    hmac.wire.breaks("*", DENIED, times=ALWAYS)
    with pytest.raises(NotAuthorized, match=hmac.bucket.name):
        hmac.store().get(ref, to)


def test_an_address_of_another_bucket_or_prefix_is_refused(hmac: Door, to: Path) -> None:
    ref = hmac.put(noise(1000))
    for uri in (ref.uri.replace(hmac.bucket.name, "another-bucket"), "file:///etc/passwd", f"{ref.uri}/../other"):
        with pytest.raises(WxTuningError):
            hmac.store(prefix="").get(replace(ref, uri=uri), to)
    with pytest.raises(WxTuningError):
        hmac.store(prefix="deeper").get(ref, to)
    assert to.read_bytes() == b"older"


def test_whether_a_file_exists_is_not_guessed_in_an_outage(door: Door) -> None:
    ref = door.put(noise(1000))
    assert door.store().exists(ref)
    assert not door.store().exists(replace(ref, size_bytes=ref.size_bytes + 1))
    door.wire.breaks("*", Refusal(status=503, code="SlowDown"), times=ALWAYS, where=lambda request: bool(request.key))
    with pytest.raises(Unavailable):
        door.store().exists(ref)
