"""How a file is cut into parts, and what proves them."""

from __future__ import annotations

import hashlib
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxtuning.adapters.cos.parts import (
    LARGEST_FILE,
    MIB,
    MOST_PARTS,
    PIECE_BYTES,
    Body,
    digests_of,
    part_size,
    whole_etag,
)
from wxtuning.errors import PlanError

WANTED = 16 * MIB


@pytest.mark.parametrize("size", [0, 1, WANTED, WANTED + 1, WANTED * MOST_PARTS])
def test_parts_have_the_size_that_is_asked_for_as_long_as_there_are_few_enough(size):
    assert part_size(size, WANTED) == WANTED


def test_parts_grow_rather_than_being_too_many():
    assert part_size(WANTED * MOST_PARTS + 1, WANTED) == 17 * MIB


@given(st.integers(0, LARGEST_FILE), st.integers(5, 5 * 1024))
def test_no_file_has_more_parts_than_a_server_takes(size, wanted):
    assert -(-size // part_size(size, wanted * MIB)) <= MOST_PARTS


def test_a_file_that_no_server_takes_is_refused_with_the_limit():
    with pytest.raises(PlanError, match="5 TiB"):
        part_size(LARGEST_FILE + 1, WANTED)


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, 3 * PIECE_BYTES + 7])
def test_digests_are_those_of_the_bytes(size):
    content = bytes(range(256)) * (size // 256 + 1)
    found = digests_of(memoryview(content)[:size])
    assert found.etag == hashlib.md5(content[:size]).hexdigest()
    assert found.sha256 == hashlib.sha256(content[:size]).hexdigest()
    assert b64decode(found.content_md5) == found.md5


def test_the_etag_of_a_whole_is_made_of_its_parts():
    md5s = [digests_of(memoryview(bytes(size))).md5 for size in (5_242_880, 1)]
    assert whole_etag(md5s) == f"{hashlib.md5(md5s[0] + md5s[1]).hexdigest()}-2"


def read_to_the_end(body: Body) -> list[memoryview]:
    return list(iter(lambda: body.read(16_384), b""))


def test_a_body_hands_out_its_bytes_in_small_pieces():
    content = bytes(range(256)) * 2048
    pieces = read_to_the_end(Body(memoryview(content), "", lambda count: None))
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) == PIECE_BYTES


def test_a_piece_counts_once_the_next_is_asked_for():
    moved: list[int] = []
    body = Body(memoryview(bytes(PIECE_BYTES + 1)), "", moved.append)
    body.read()
    before = sum(moved)
    body.read()
    assert (before, sum(moved)) == (0, PIECE_BYTES)


def test_what_did_not_arrive_is_taken_back():
    moved: list[int] = []
    body = Body(memoryview(bytes(3 * PIECE_BYTES)), "", moved.append)
    body.read()
    body.read()
    body.take_back()
    assert sum(moved) == 0


def test_a_body_knows_what_stopped_it():
    class Stop(Exception):
        pass

    def stop(count: int) -> None:
        raise Stop

    body = Body(memoryview(b"content"), "", stop)
    with pytest.raises(Stop):
        body.read()
    assert isinstance(body.stopped_by, Stop)
