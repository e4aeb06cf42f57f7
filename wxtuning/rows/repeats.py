"""How many rows repeat an earlier one, exactly, without keeping a text.

Of an ordinary row only a sketch is kept: a few words of its input, 8 bytes in all. Different sketches mean different
inputs; only rows whose sketch stands twice are read again, to compare the hashes of their whole texts.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from json.encoder import encode_basestring

import numpy as np
from xxhash import xxh3_64_intdigest

from wxtuning.rows.arrays import Bytes, Hashes, Places

WORD_BYTES = 8
QUARTERS = 4
"""A sketch knows the word at the beginning of a text and those at the end of each quarter."""

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_BATCH = 1024
FEW = 100
BEGINNING_BITS = 20


class Repeats:
    """Rows by what stands for their texts: 16 bytes for a row that was looked at, 8 for an ordinary one."""

    def __init__(self) -> None:
        self._inputs = array("Q")
        self._outputs = array("Q")
        self._waiting: list[bytes] = []
        self._sketches: list[Hashes] = []
        self.ordinary: list[Hashes] = []
        """The sketches of ordinary rows, as they were added."""

    def add(self, input: Sequence[str], output: Sequence[str]) -> None:
        """A row that was looked at; each text may be made of several."""
        written = as_written(input)
        self._inputs.append(xxh3_64_intdigest(written))
        self._outputs.append(xxh3_64_intdigest(as_written(output)))
        self._waiting.append(written)
        if len(self._waiting) >= _BATCH:
            self._sketch_waiting()

    def add_ordinary(self, data: Bytes, begins: Places, ends: Places) -> None:
        """Ordinary rows, by the places of their inputs."""
        self.ordinary.append(sketches(data, begins, ends))

    def add_again(self, inputs: Sequence[bytes], outputs: Sequence[bytes]) -> None:
        """Suspected rows, read again, by their texts as they are written in the file."""
        self._inputs.extend(map(xxh3_64_intdigest, inputs))
        self._outputs.extend(map(xxh3_64_intdigest, outputs))

    def _sketch_waiting(self) -> None:
        # The pad lets every text be read a word at a time.
        data = np.frombuffer(b"".join([*self._waiting, bytes(WORD_BYTES)]), np.uint8)
        ends = np.cumsum(np.fromiter(map(len, self._waiting), np.int64))
        begins = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
        self._sketches.append(sketches(data, begins, ends))
        self._waiting.clear()

    def suspects(self) -> Suspects:
        """The sketches that stand for more than one row."""
        if self._waiting:
            self._sketch_waiting()
        all_ = np.concatenate([*self._sketches, *self.ordinary, np.empty(0, np.uint64)])
        all_.sort()
        return Suspects(np.unique(all_[1:][all_[1:] == all_[:-1]]))

    def count(self) -> tuple[int, int]:
        """How many rows repeat an earlier one, and how many inputs have several outputs."""
        first, second = np.frombuffer(self._inputs, np.uint64), np.frombuffer(self._outputs, np.uint64)
        order = np.lexsort((second, first))
        first, second = first[order], second[order]
        is_same_input = first[1:] == first[:-1]
        is_same_output = second[1:] == second[:-1]
        conflicting = np.unique(first[1:][is_same_input & ~is_same_output])
        return int((is_same_input & is_same_output).sum()), len(conflicting)


def as_written(texts: Sequence[str]) -> bytes:
    """The texts as most writers of JSON write them, without the quotes around."""
    return encode_basestring("\0".join(texts))[1:-1].encode()


def sketches(data: Bytes, begins: Places, ends: Places) -> Hashes:
    """For each text a number that differs only between different texts."""
    sizes = ends - begins
    read = _read_short if (sizes < WORD_BYTES).any() else _read
    steps = np.maximum(sizes - WORD_BYTES, 0)
    found: Hashes = sizes.astype(np.uint64) * _FACTOR
    for quarter in range(QUARTERS + 1):
        found ^= read(data, begins + (steps * quarter >> 2), sizes)
        found *= _FACTOR
        found ^= found >> _SHIFT
    return found


def _read(data: Bytes, places: Places, sizes: Places) -> Hashes:
    """The eight bytes at each place."""
    words: Hashes = np.ndarray((len(data) - WORD_BYTES + 1,), "<u8", data.data, strides=(1,))
    return words[places]


def _read_short(data: Bytes, places: Places, sizes: Places) -> Hashes:
    """The same where some texts are shorter and may stand at the end of the data; what is not theirs is zero."""
    most = len(data) - WORD_BYTES
    reachable = np.minimum(places, most)
    words = _read(data, reachable, sizes) >> ((places - reachable).astype(np.uint64) * np.uint64(8))
    missing = np.maximum(WORD_BYTES - sizes, 0).astype(np.uint64) * np.uint64(8)
    # A shift by all 64 bits leaves a word as it is, so that an empty text needs two.
    half = missing >> np.uint64(1)
    rest = missing - half
    kept: Hashes = words << half << rest >> half >> rest
    return kept


class Suspects:
    """Sketches that are looked for among others.

    Args:
        sketches: Sorted.
    """

    def __init__(self, sketches: Hashes) -> None:
        self._sketches = sketches
        self._is_beginning = np.zeros(1 << BEGINNING_BITS, np.bool_)
        self._is_beginning[self._beginnings(sketches)] = True

    def __len__(self) -> int:
        return len(self._sketches)

    def places_in(self, others: Hashes) -> Places:
        """Where suspects stand among others."""
        # A look at a table is a tenth of a search, and leaves few to be searched for.
        likely = np.flatnonzero(self._is_beginning[self._beginnings(others)])
        found = others[likely]
        nearest = np.minimum(np.searchsorted(self._sketches, found), len(self) - 1)
        places: Places = likely[self._sketches[nearest] == found]
        return places

    @staticmethod
    def _beginnings(sketches: Hashes) -> Hashes:
        return sketches >> np.uint64(64 - BEGINNING_BITS)


def slices(data: Bytes, begins: Places, ends: Places) -> list[bytes]:
    """The bytes of each text."""
    # For a few texts it does not pay to copy the block, for many it does.
    whole = data.tobytes() if len(begins) > FEW else data.data
    return [bytes(whole[begin:end]) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
