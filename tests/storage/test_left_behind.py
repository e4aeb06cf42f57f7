"""What lies around in a bucket: left by somebody who was killed, or put there with odd words about it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.storage.doors import CONTENT, PART, RUN, Door, key_for, noise
from tests.storage.faults import DENIED, Before
from tests.storage.wire import ALWAYS
from wxtuning.status import DataRef

SMALL = noise(1000)


def write(door: Door, content: bytes) -> DataRef:
    with door.store(workers=1).writing("train", owner=RUN) as out:
        out.write(content)
    return out.data


def put(door: Door, content: bytes) -> DataRef:
    return door.put(content, workers=1)


Store = Callable[[Door, bytes], DataRef]
BOTH = pytest.mark.parametrize("store", [put, write])
SIZES = pytest.mark.parametrize("content", [SMALL, CONTENT], ids=["small", "large"])


def leave_incoming(door: Door, owner: str = RUN, name: str = "train") -> None:
    """What a writing leaves that is killed before its copy, and another that is killed before that."""
    door.bucket.put(f".incoming/{owner}/{name}", SMALL * 2)
    door.bucket.begin_upload(f".incoming/{owner}/{name}", CONTENT[:PART])


@BOTH
@SIZES
def test_the_next_of_the_same_owner_and_name_clears_up_after_a_killed_writing(
    hmac: Door, store: Store, content: bytes
) -> None:
    leave_incoming(hmac)
    store(hmac, content)
    assert hmac.bucket.all_keys() == sorted([f".owners/{RUN}/{key_for(content)}", key_for(content)])
    assert hmac.bucket.uploads() == []


@BOTH
def test_what_others_left_is_theirs(hmac: Door, store: Store) -> None:
    leave_incoming(hmac, name="train-2")
    leave_incoming(hmac, owner=f"{RUN}0")
    store(hmac, SMALL)
    others = [f".incoming/{RUN}/train-2", f".incoming/{RUN}0/train"]
    assert [key for key in hmac.bucket.all_keys() if key.startswith(".incoming")] == others
    assert hmac.bucket.uploads() == others


def test_who_may_not_list_uploads_may_store_a_small_file(hmac: Door, caplog: pytest.LogCaptureFixture) -> None:
    hmac.wire.breaks("ListMultipartUploads", DENIED, times=ALWAYS)
    ref = hmac.put(SMALL)
    assert (hmac.bucket.content_of(ref), "could not be removed" in caplog.text) == (SMALL, True)


# --- how an object was cut into parts ---------------------------------------------------------------------------------


def stored_by_hand(door: Door, content: bytes, **metadata: str) -> None:
    where = {"Bucket": door.bucket.name, "Key": key_for(CONTENT)}
    where["UploadId"] = door.bucket.client.create_multipart_upload(**where, Metadata=metadata)["UploadId"]
    parts = []
    for number, part in enumerate((content[:PART], content[PART:]), 1):
        answer = door.bucket.client.upload_part(**where, PartNumber=number, Body=part)
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    door.bucket.client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})


TOLD = ["abc", "0", "-5", "1", "9" * 30, str(PART + 1), str(PART)]


@pytest.mark.parametrize("told", TOLD)
def test_a_file_is_known_whatever_is_said_of_how_it_was_cut(hmac: Door, told: str) -> None:
    stored_by_hand(hmac, CONTENT, **{"part-bytes": told})
    ref = hmac.put()
    assert (hmac.bucket.key_of(ref), hmac.wire.asked["UploadPart"]) == (key_for(CONTENT), 0)


@pytest.mark.parametrize("told", TOLD)
def test_other_bytes_are_told_apart_whatever_is_said_of_how_they_were_cut(hmac: Door, told: str) -> None:
    stored_by_hand(hmac, CONTENT[::-1], **{"part-bytes": told})
    ref = hmac.put()
    assert (hmac.bucket.key_of(ref), hmac.bucket.content_of(ref)) == (key_for(CONTENT, 32), CONTENT)


def test_progress_begins_anew_with_an_upload_that_is_begun_anew(hmac: Door) -> None:
    told: list[int] = []
    hmac.wire.breaks("CompleteMultipartUpload", Before(happens=hmac.bucket.abort_uploads))
    hmac.store(workers=1).put(hmac.file(), "train", owner=RUN, watch=lambda done, size: told.append(done))
    assert (max(told), told[-1]) == (len(CONTENT), len(CONTENT))
