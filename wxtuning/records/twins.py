"""Texts that are nearly the same. Knows words; knows no rows and no labels.

Two texts are twins if they share enough of their pairs of neighbouring words (Jaccard), case and punctuation aside.
Candidates come from MinHash (Broder 1997) with 128 values in 32 bands of 4: of pairs at a likeness of 0.7 all but
about 1 in 5,000 share a band, above 0.8 practically all. Every candidate is confirmed on the words themselves, so that
no two texts are called twins by chance.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING
from zlib import crc32

from wxtuning.records.record import folded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words32 = NDArray[np.uint32]

THRESHOLD = 0.7
"""The likeness from which on texts are twins, where nothing else is said."""

BANDS, BAND_SIZE = 32, 4
BLOCK, MOST_CHARACTERS = 512, 1 << 20
"""Texts that are hashed at once, and about so many characters: what belongs to them stays in the processor's cache."""

BIG_BUCKET = 8
"""Above so many texts in a bucket, those that share another band as well are brought together."""

SLACK = 0.15
"""So far may a likeness estimated from 128 values fall short (over three deviations) and still be looked at."""

FORM_SHARE, FORM_ROWS = 0.2, 10
"""A group of more than this share of all texts, and more than so many, shows the form of the data."""

END = b"\0"
SPACE = 32
FACTOR = 0x9E3779B1
_SPACES = bytes(c if c in b"\0" or chr(c).isalnum() or c > 127 else SPACE for c in range(256))
# These scripts write no spaces between words: each character stands for a word.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def groups(texts: Sequence[str], threshold: float = THRESHOLD) -> list[int]:
    """Which texts belong together: for each the place of the first text of its group.

    Twins of twins belong to the same group, and so do texts that differ only in case and white space. Where one group
    takes in more than a fifth of all texts, what they share is the form of the data, such as an instruction in front
    of each: what more than half of them say is then left out, and the rest compared.

    Args:
        texts: In any order; which of them are twins does not depend on it.
        threshold: 0.5 to 1.
    """
    found = _united(texts, threshold)
    for group, size in Counter(found).items():
        if size > max(FORM_ROWS, FORM_SHARE * len(texts)):
            _split([place for place, other in enumerate(found) if other == group], texts, threshold, found)
    return found


def likeness(one: str, other: str) -> float:
    """The share of pairs of neighbouring words, out of all that one of two texts has, that both have: 0 to 1."""
    return _jaccard(pairs_of(one), pairs_of(other))


def pairs_of(text: str) -> frozenset[tuple[bytes, bytes]]:
    """The pairs of neighbouring words of a text; the last word stands beside the end."""
    words = _words([text])
    return (
        frozenset(pairwise(words))
        if len(words) > 1
        else frozenset({(folded(text).encode("utf-8", "surrogatepass"), END)})
    )


def _jaccard(one: frozenset[tuple[bytes, bytes]], other: frozenset[tuple[bytes, bytes]]) -> float:
    both = len(one & other)
    return both / (len(one) + len(other) - both)


def _split(members: list[int], texts: Sequence[str], threshold: float, groups: list[int]) -> None:
    """Compare the texts of a group again, without the words that are the form of the data."""
    words = [_words([texts[place]])[:-1] for place in members]
    frequent = Counter(word for one in words for word in {*one})
    form = {word for word, count in frequent.items() if 2 * count > len(members)}
    rest = [b" ".join(word for word in one if word not in form).decode("utf-8", "replace") for one in words]
    for place, group in zip(members, _united(rest, threshold), strict=True):
        groups[place] = members[group]


def _united(texts: Sequence[str], threshold: float) -> list[int]:
    forest = _Forest(len(texts))
    known, pairs = -1, frozenset[tuple[bytes, bytes]]()
    for one, other in _candidates(texts, threshold):
        if forest.root(one) == forest.root(other):
            continue
        if one != known:
            known, pairs = one, pairs_of(texts[one])
        if texts[one] == texts[other] or _jaccard(pairs, pairs_of(texts[other])) >= threshold:
            forest.join(one, other)
    return forest.groups()


class _Forest:
    """Which places belong together (union-find); the root of a tree is its first place."""

    def __init__(self, size: int) -> None:
        self._above = list(range(size))

    def root(self, place: int) -> int:
        above = self._above
        while above[place] != place:
            above[place] = above[above[place]]
            place = above[place]
        return place

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.root(one), self.root(other)))
        self._above[high] = low

    def groups(self) -> list[int]:
        return [self.root(place) for place in range(len(self._above))]


def _candidates(texts: Sequence[str], threshold: float) -> Iterator[tuple[int, int]]:
    """Pairs of places whose texts share a band and are probably alike; those with the same first place in a row."""
    if len(texts) < 2:
        return
    import numpy as np

    bands, bytes_of = _signatures(texts)
    # In an order of their own, so that the order in which texts come decides nothing.
    order = np.argsort(bands[BANDS], kind="stable")
    bands = bands[:, order]
    found = np.unique(np.concatenate([_sharing(bands, number) for number in range(BANDS + 1)]))
    for start in range(0, len(found), 1 << 16):
        codes = found[start : start + (1 << 16)]
        ones, others = order[codes >> np.uint64(32)], order[codes & np.uint64(0xFFFFFFFF)]
        agree = (bytes_of[ones] == bytes_of[others]).mean(axis=1)
        wanted = agree >= threshold - SLACK
        yield from zip(ones[wanted].tolist(), others[wanted].tolist(), strict=True)


def _sharing(bands: Words32, number: int) -> NDArray[np.uint64]:
    """Pairs that share a band, as one number each: every text with the one before it and the first of its bucket.

    In a big bucket, texts that also share another band stand beside each other, so that they meet.
    """
    import numpy as np

    keys, beside = bands[number], bands[number - 1]
    order = np.sort(keys.astype(np.uint64) << np.uint64(32) | np.arange(len(keys), dtype=np.uint64))
    starts, places = _buckets(order)
    if len(places) == 0:
        return np.empty(0, np.uint64)
    sizes = np.diff(np.append(starts, len(places)))
    first = np.repeat(places[starts], sizes)
    big = np.repeat(sizes > BIG_BUCKET, sizes)
    if big.any():
        members = places[big]
        sorted_members = members[np.lexsort((members, beside[members], keys[members]))]
        places = np.concatenate([places, sorted_members])
        first = np.concatenate([first, sorted_members])
    before = np.roll(places, 1)
    same = keys[before] == keys[places]
    return np.concatenate([_codes(first, places), _codes(before[same], places[same])])


def _buckets(order: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The members of all buckets of two and more, one bucket after the other, and where each starts."""
    import numpy as np

    keys = order >> np.uint64(32)
    equal = keys[1:] == keys[:-1]
    inside = np.append(equal, False) | np.insert(equal, 0, False)
    members = order[inside]
    keys = keys[inside]
    starts = np.flatnonzero(np.insert(keys[1:] != keys[:-1], 0, True)) if len(keys) else np.empty(0, np.int64)
    return starts, (members & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _codes(ones: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.uint64]:
    import numpy as np

    low, high = np.minimum(ones, others), np.maximum(ones, others)
    codes: NDArray[np.uint64] = (low.astype(np.uint64) << np.uint64(32)) | high.astype(np.uint64)
    wanted: NDArray[np.uint64] = codes[low != high]
    return wanted


def _signatures(texts: Sequence[str]) -> tuple[Words32, NDArray[np.uint8]]:
    """For each text the key of every band and, last, of all bands together; and one byte of every MinHash value."""
    import numpy as np

    values = BANDS * BAND_SIZE
    rng = np.random.Generator(np.random.PCG64(0))
    factors = rng.integers(1 << 32, size=values, dtype=np.uint32) | np.uint32(1)
    addends = rng.integers(1 << 32, size=values, dtype=np.uint32)
    bands = np.empty((BANDS + 1, len(texts)), np.uint32)
    bytes_of = np.empty((len(texts), values), np.uint8)
    for start, stop in _blocks(texts):
        lowest = _lowest(*_shingles(texts[start:stop]), factors, addends)
        bytes_of[start:stop] = (lowest >> np.uint32(24)).astype(np.uint8).T
        bands[:BANDS, start:stop] = _keys(lowest.reshape(BANDS, BAND_SIZE, -1))
        bands[BANDS, start:stop] = _keys(lowest[np.newaxis])
    return bands, bytes_of


def _blocks(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where blocks of texts start and stop; a block of long texts has fewer."""
    start, size = 0, 0
    for place, text in enumerate(texts):
        size += len(text)
        if place + 1 - start == BLOCK or size > MOST_CHARACTERS:
            yield start, place + 1
            start, size = place + 1, 0
    if start < len(texts):
        yield start, len(texts)


def _lowest(shingles: Words32, starts: NDArray[np.int64], factors: Words32, addends: Words32) -> Words32:
    """The MinHash values, a row for each hash function and a column for each text."""
    import numpy as np

    lowest = np.empty((len(factors), len(starts)), np.uint32)
    hashed = np.empty_like(shingles)
    for number, (factor, addend) in enumerate(zip(factors, addends, strict=True)):
        np.multiply(shingles, factor, out=hashed)
        np.add(hashed, addend, out=hashed)
        np.minimum.reduceat(hashed, starts, out=lowest[number])
    return lowest


def _keys(values: Words32) -> Words32:
    """One number for the values along the second axis."""
    import numpy as np

    keys = np.zeros((values.shape[0], values.shape[2]), np.uint32)
    for part in np.moveaxis(values, 1, 0):
        keys = (keys ^ part) * np.uint32(0x9E3779B1)
        keys ^= keys >> np.uint32(15)
    return keys


def _shingles(texts: Sequence[str]) -> tuple[Words32, NDArray[np.int64]]:
    """The hashes of the pairs of neighbouring words of all texts, and where each text starts."""
    import numpy as np

    hashes = _word_hashes(np.frombuffer(_spaced(texts), np.uint8))
    ends = np.flatnonzero(hashes == 0)
    starts = np.append(0, ends[:-1] + 1)
    pairs = hashes * np.uint32(0x85EBCA6B) + np.roll(hashes, -1) * np.uint32(0xC2B2AE35)
    pairs ^= pairs >> np.uint32(16)
    pairs *= np.uint32(0x7FEB352D)
    pairs ^= pairs >> np.uint32(15)
    # The end of a text is no word: it repeats the pair before it. A text of signs alone is taken as a whole.
    full = ends > starts
    pairs[ends[full]] = pairs[ends[full] - 1]
    for place in np.flatnonzero(~full).tolist():
        pairs[ends[place]] = crc32(folded(texts[place]).encode("utf-8", "surrogatepass"))
    return pairs, starts


def _word_hashes(raw: NDArray[np.uint8]) -> Words32:
    """A hash of each word (a polynomial in its bytes), without making a string of any; 0 for the end of a text."""
    import numpy as np

    solid = raw != SPACE
    edges = np.flatnonzero(solid[1:] != solid[:-1]) + 1
    starts, ends = edges[0::2], edges[1::2]
    powers, inverses = _powers(1 << len(raw).bit_length())
    sums = np.cumsum(np.multiply(raw, powers[: len(raw)], dtype=np.uint32), dtype=np.uint32)
    hashes = (sums[ends - 1] - sums[starts - 1]) * inverses[starts]
    hashes ^= hashes >> np.uint32(15)
    hashes *= np.uint32(0x2C1B3C6D)
    hashes |= np.uint32(1)
    hashes[raw[starts] == 0] = 0
    return hashes


@lru_cache(maxsize=2)
def _powers(count: int) -> tuple[Words32, Words32]:
    """The powers of an odd number, and what undoes a multiplication by each, modulo 2**32."""
    import numpy as np

    numbers = np.full((2, count), [[FACTOR], [pow(FACTOR, -1, 1 << 32)]], np.uint32)
    numbers[:, 0] = 1
    powers, inverses = np.cumprod(numbers, axis=1, dtype=np.uint32)
    return powers, inverses


def _words(texts: Sequence[str]) -> list[bytes]:
    """The words of all texts, and the end after each text."""
    return _spaced(texts).split()


def _spaced(texts: Sequence[str]) -> bytes:
    """All texts with spaces around their words, in one case and without punctuation, and the end after each text."""
    whole = "".join([f" {text} \0 " for text in texts]).casefold()
    if whole.count("\0") != len(texts):
        return _spaced([text.replace("\0", " ") for text in texts])
    if not whole.isascii():
        whole = _UNSPACED.sub(r" \g<0> ", whole)
    return whole.encode("utf-8", "surrogatepass").translate(_SPACES)
