"""What the storage refuses: said once, with what is missing, and never asked again in vain (U10, U11, U16)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from tests.storage.bucket import Bucket
from tests.storage.doors import CONTENT, PARTS, RUN, Door, noise, of_a_file
from tests.storage.faults import (
    DENIED,
    ERROR_IN_OK,
    EXPIRED,
    SKEWED,
    UNKNOWN_TOKEN,
    WRONG_REGION,
    WRONG_SIGNING_REGION,
    Before,
    BlackHole,
    Refusal,
    Reset,
    SignedAgo,
)
from tests.storage.swift import OWNER, STRANGER, Swift
from tests.storage.wire import ALWAYS, TOKEN_PATH, wire_to
from wxtuning.errors import AdapterError, NotAuthorized, NotOffered, Unavailable, WxTuningError

SMALL = noise(1000)
KEYS = {"access_key": OWNER.access_key, "secret_key": OWNER.secret_key}
NO_KEYS: dict[str, None] = {"access_key": None, "secret_key": None}


# --- U10: credentials that expire -------------------------------------------------------------------------------------


def test_u10_keys_that_expired_are_not_tried_again(hmac: Door) -> None:
    hmac.wire.breaks("UploadPart", EXPIRED, first=2, times=ALWAYS)
    with pytest.raises(NotAuthorized, match=hmac.bucket.name):
        hmac.put(workers=1)
    assert hmac.wire.asked["UploadPart"] == 2
    assert hmac.clock.pauses == []


def test_u10_new_keys_are_asked_for_once_when_the_old_ones_expire(hmac: Door) -> None:
    asked: list[int] = []

    def credentials() -> Mapping[str, str]:
        asked.append(1)
        return KEYS

    hmac.wire.breaks("UploadPart", EXPIRED, first=2)
    ref = hmac.put(credentials=credentials, **NO_KEYS, workers=1)
    assert hmac.bucket.content_of(ref) == CONTENT
    assert (len(asked), hmac.wire.asked["UploadPart"]) == (2, PARTS + 1)


def test_u10_new_keys_that_are_expired_too_are_the_end(hmac: Door) -> None:
    asked: list[int] = []

    def credentials() -> Mapping[str, str]:
        asked.append(1)
        return KEYS

    hmac.wire.breaks("UploadPart", EXPIRED, times=ALWAYS)
    with pytest.raises(NotAuthorized):
        hmac.put(credentials=credentials, **NO_KEYS, workers=1)
    assert (len(asked), hmac.wire.asked["UploadPart"]) == (2, 2)


def test_u10_a_token_that_was_revoked_is_replaced_once_in_the_middle_of_an_upload(iam: Door) -> None:
    assert iam.iam
    iam.wire.breaks("UploadPart", Before(happens=iam.iam.revoke), first=2)
    ref = iam.put(workers=1)
    assert iam.bucket.content_of(ref) == CONTENT
    assert (iam.wire.asked["Token"], iam.iam.turned_away) == (2, 1)


def test_u10_a_token_that_is_never_good_ends_after_one_more(iam: Door) -> None:
    iam.wire.breaks("*", UNKNOWN_TOKEN, times=ALWAYS, where=lambda request: request.path != TOKEN_PATH)
    with pytest.raises(NotAuthorized, match=iam.bucket.name):
        iam.put(workers=1)
    assert iam.wire.asked == {"Token": 2, next(op for op in iam.wire.asked if op != "Token"): 2}


def test_u10_a_token_is_renewed_before_it_lapses(iam: Door) -> None:
    assert iam.iam
    iam.iam.clock = iam.clock
    store = iam.store()
    store.put(iam.file(SMALL), "train", owner=RUN)
    iam.clock.now += iam.iam.lifetime + 1
    store.put(iam.file(SMALL * 2), "train", owner=RUN)
    assert (iam.wire.asked["Token"], iam.iam.turned_away) == (2, 0)


def test_one_token_is_enough_for_an_upload(iam: Door) -> None:
    iam.put()
    assert iam.wire.asked["Token"] == 1


def test_a_wrong_api_key_is_tried_once_and_said_to_be_wrong(iam: Door) -> None:
    with pytest.raises(NotAuthorized, match=r"API key.*BXNIM0415E") as failure:
        iam.put(api_key="wrong-api-key-1234")
    assert iam.wire.asked == {"Token": 1}
    assert "wrong-api-key-1234" not in str(failure.value)


@pytest.mark.parametrize(
    "act",
    [Refusal(status=500, code="Trouble"), Reset(after=0), BlackHole()],
    ids=["500", "reset", "black hole"],
)
def test_an_iam_that_gives_no_token_is_unavailable_by_name(iam: Door, act: Reset) -> None:
    iam.wire.breaks("Token", act, times=ALWAYS)
    with pytest.raises(Unavailable, match=r"(?i)iam|token"):
        iam.put(patience={"read_seconds": 0.1})
    assert set(iam.wire.asked) == {"Token"}
    assert iam.wire.asked["Token"] <= 6


def test_an_iam_that_answers_something_else_is_said_to(iam: Door) -> None:
    iam.wire.breaks("Token", ERROR_IN_OK, times=ALWAYS)
    with pytest.raises(AdapterError, match=r"(?i)token"):
        iam.put()


def test_an_iam_in_short_trouble_is_asked_again(iam: Door) -> None:
    iam.wire.breaks("Token", Refusal(status=503, code="Trouble"))
    assert iam.bucket.content_of(iam.put(SMALL)) == SMALL


# --- U11: no such bucket, wrong region, no rights ---------------------------------------------------------------------


def test_u11_a_bucket_that_is_missing_is_named(door: Door) -> None:
    for ask in (lambda store: store.check(), lambda store: store.put(door.file(), "train", owner=RUN)):
        with pytest.raises(NotOffered, match="no-such-bucket"):
            ask(door.store(bucket="no-such-bucket"))
    assert door.clock.pauses == []


@pytest.mark.parametrize("refusal", [WRONG_REGION, WRONG_SIGNING_REGION], ids=["301", "400"])
def test_u11_another_region_is_named(hmac: Door, refusal: Refusal) -> None:
    hmac.wire.breaks("*", refusal, times=ALWAYS)
    with pytest.raises(WxTuningError, match="eu-de") as failure:
        hmac.put()
    assert hmac.bucket.name in str(failure.value)
    assert hmac.wire.asked.total() <= 2


@pytest.mark.parametrize("content", [CONTENT, SMALL], ids=["parts", "one piece"])
def test_u11_without_rights_the_missing_one_is_named(hmac: Door, content: bytes) -> None:
    with pytest.raises(NotAuthorized) as failure:
        hmac.put(content, access_key=STRANGER.access_key, secret_key=STRANGER.secret_key)
    assert hmac.bucket.name in str(failure.value)
    assert hmac.clock.pauses == []


@pytest.fixture
def readable(bucket: Bucket) -> Iterator[Bucket]:
    """A bucket that strangers may read."""
    found = Bucket(f"{bucket.name}-readable", bucket.client)
    found.client.create_bucket(Bucket=found.name, ACL="public-read")
    yield found
    found.empty()


def test_u11_a_bucket_that_may_only_be_read_lacks_the_right_to_write(hmac: Door, readable: Bucket) -> None:
    store = hmac.store(bucket=readable.name, access_key=STRANGER.access_key, secret_key=STRANGER.secret_key)
    for ask in (store.check, lambda: store.put(hmac.file(), "train", owner=RUN)):
        with pytest.raises(NotAuthorized, match=r"(?i)write|put") as failure:
            ask()
        assert readable.name in str(failure.value)


@pytest.mark.parametrize(
    ("operation", "right"),
    [
        ("ListObjects", "s3:ListBucket)"),
        ("HeadObject", "s3:GetObject)"),
        ("UploadPart", "s3:PutObject)"),
        ("ListMultipartUploads", "s3:ListBucketMultipartUploads)"),
        ("ListParts", "s3:ListMultipartUploadParts)"),
    ],
)
def test_u11_the_check_names_each_right_that_is_missing(hmac: Door, operation: str, right: str) -> None:
    refused = [operation, "GetObject"] if operation == "HeadObject" else [operation]
    for each in refused:
        hmac.wire.breaks(each, DENIED, times=ALWAYS)
    with pytest.raises(NotAuthorized) as failure:
        hmac.store().check()
    assert right in str(failure.value) and hmac.bucket.name in str(failure.value)
    assert (hmac.bucket.all_keys(), hmac.bucket.uploads()) == ([], [])


def test_the_check_passes_where_a_server_knows_no_listing_of_uploads(hmac: Door) -> None:
    for operation in ("ListMultipartUploads", "ListParts", "AbortMultipartUpload"):
        hmac.wire.breaks(operation, Refusal(status=501, code="NotImplemented"), times=ALWAYS)
    hmac.store().check()


def test_the_check_fails_where_a_server_cannot_list_objects(hmac: Door) -> None:
    hmac.wire.breaks("ListObjects", Refusal(status=501, code="NotImplemented"), times=ALWAYS)
    with pytest.raises(NotOffered, match="list_objects_v2"):
        hmac.store().check()


def test_a_token_service_that_gives_no_reason_is_first_asked_after_by_its_address(iam: Door) -> None:
    iam.wire.breaks("Token", Refusal(status=403, code="AccessDenied"), times=ALWAYS)
    with pytest.raises(NotAuthorized, match=r"\(HTTP 403\)(.|\n)*Check auth_endpoint=") as failure:
        iam.put(SMALL)
    assert "None" not in str(failure.value)


@pytest.mark.parametrize("status", [302, 404, 405, 409, 422])
def test_a_token_service_that_answers_as_something_else_is_asked_once(iam: Door, status: int) -> None:
    iam.wire.breaks("Token", Refusal(status=status, code="No"), times=ALWAYS)
    with pytest.raises(AdapterError, match="auth_endpoint"):
        iam.put(SMALL)
    assert iam.wire.asked == {"Token": 1}


def test_an_object_of_the_same_bucket_at_another_endpoint_is_not_in_the_store(hmac: Door) -> None:
    elsewhere = hmac.store(endpoint="https://storage.example.com")
    with pytest.raises(NotOffered, match="is not in this store"):
        elsewhere.exists(hmac.put(SMALL))


def test_a_reference_that_leaves_the_endpoint_open_is_looked_up_here(hmac: Door) -> None:
    ref = hmac.put(SMALL)
    assert hmac.store().exists(replace(ref, uri=f"cos://{hmac.bucket.name}/{hmac.bucket.key_of(ref)}"))


def test_u11_a_bucket_that_can_be_written_passes_the_check_and_stays_as_it_was(door: Door) -> None:
    door.store().check()
    assert (door.bucket.all_keys(), door.bucket.uploads()) == ([], [])


def test_u11_wrong_keys_are_said_to_be_wrong(hmac: Door) -> None:
    with pytest.raises(NotAuthorized, match=rf"{hmac.bucket.name}(.|\n)*another instance"):
        hmac.put(secret_key="not-the-secret-of-this-key")
    assert hmac.wire.asked.total() <= 2  # the answer to HEAD has no body that could say why


@pytest.mark.parametrize("operation", ["ListObjects", "PutObject", "CreateMultipartUpload", "ListMultipartUploads"])
@pytest.mark.parametrize("code", ["NoSuchKey", "404"])
def test_u11_an_address_where_nothing_can_be_kept_is_said_to_be_wrong(hmac: Door, operation: str, code: str) -> None:
    hmac.wire.breaks(operation, Refusal(status=404, code=code), times=ALWAYS)
    with pytest.raises(NotOffered, match=r"keeps nothing(.|\n)*endpoint= and bucket="):
        hmac.put(CONTENT if operation != "PutObject" else SMALL)
    assert hmac.wire.asked[operation] == 1


def test_u11_the_check_does_not_pass_at_an_address_where_nothing_can_be_kept(hmac: Door) -> None:
    hmac.wire.breaks("*", Refusal(status=404, code="NoSuchKey"), times=ALWAYS)
    with pytest.raises(NotOffered, match="keeps nothing"):
        hmac.store().check()


def test_an_upload_that_is_ended_again_and_again_is_told_with_what_was_gone(hmac: Door) -> None:
    hmac.wire.breaks("UploadPart", Refusal(status=404, code="NoSuchUpload"), times=ALWAYS)
    with pytest.raises(Unavailable, match=r"gone 3 times.*NoSuchUpload"):
        hmac.put(workers=1)


def test_an_object_that_goes_again_and_again_is_told_so(hmac: Door) -> None:
    hmac.wire.breaks("HeadObject", Refusal(status=404, code="NoSuchKey"), times=ALWAYS, where=of_a_file)
    with pytest.raises(Unavailable, match=r"gone 3 times.* is gone"):
        hmac.put(SMALL)


# --- U16: the clock ---------------------------------------------------------------------------------------------------


def test_u16_a_clock_that_is_off_is_called_by_its_name(hmac: Door) -> None:
    hmac.wire.breaks("*", SKEWED, times=ALWAYS)
    with pytest.raises(AdapterError, match="clock"):
        hmac.put()
    assert hmac.wire.asked.total() <= 2


def test_u16_the_real_storage_refuses_a_clock_that_is_off(hmac: Door) -> None:
    hmac.wire.breaks("*", SignedAgo(minutes=20), times=ALWAYS)
    with pytest.raises(AdapterError, match="clock"):
        hmac.put()
    assert hmac.wire.asked.total() <= 2


# --- what is never tried twice ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        *(("CreateMultipartUpload", status) for status in (400, 403, 404, 409, 422)),
        *(("UploadPart", status) for status in (400, 403, 409, 422)),  # 404: the upload is gone
    ],
)
def test_a_refusal_is_not_asked_for_twice(hmac: Door, operation: str, status: int) -> None:
    hmac.wire.breaks(operation, Refusal(status=status, code="NotToday"), times=ALWAYS)
    with pytest.raises(WxTuningError, match="NotToday"):
        hmac.put(workers=1)
    assert hmac.wire.asked[operation] == 1
    assert hmac.clock.pauses == []


def test_a_refusal_in_the_middle_leaves_no_open_upload(hmac: Door) -> None:
    hmac.wire.breaks("UploadPart", DENIED, first=2, times=ALWAYS)
    with pytest.raises(NotAuthorized):
        hmac.put(workers=1)
    assert (hmac.bucket.files(), hmac.store().list(RUN)) == ([], ())


def test_a_redirect_to_another_host_is_not_followed(hmac: Door, swift: Swift) -> None:
    with wire_to(swift.endpoint) as elsewhere:
        away = Refusal(status=307, code="TemporaryRedirect", headers=(("Location", f"{elsewhere.url}/x/y"),))
        hmac.wire.breaks("*", away, times=ALWAYS)
        with pytest.raises(WxTuningError):
            hmac.put(SMALL)
        assert elsewhere.requests == []


def test_in_a_total_outage_at_most_thirty_requests_a_minute_are_sent(hmac: Door) -> None:
    hmac.wire.breaks("*", Refusal(status=503, code="SlowDown"), times=ALWAYS)
    minutes = 5
    store = hmac.store()
    while hmac.clock.now < minutes * 60:
        with pytest.raises(Unavailable):
            store.put(hmac.file(SMALL), "train", owner=RUN)
        hmac.clock.now += 1  # whoever calls again, and again
    assert hmac.wire.asked.total() <= 30 * (minutes + 1)
