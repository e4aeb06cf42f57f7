"""Parts of the records: held out, sampled, and the fence between them. Knows texts and labels; knows no column."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from wxtuning.records import twins
from wxtuning.records.record import Record
from wxtuning.records.report import Converted

Records = tuple[Record, ...]


def held_out(
    records: Sequence[Record], size: float, *, seed: int, by_label: bool, groups: Sequence[str] | None = None
) -> tuple[Records, Records]:
    """Split records into those kept and those held out.

    Rows whose inputs are the same or nearly the same stay together, so that nothing held out was trained on. Which
    rows are held out depends on their text and the seed alone, not on their order: a row more elsewhere moves none.

    Args:
        records: All records.
        size: A share (below 1) or a number of records; groups are not torn apart, so a few more may come out.
        seed: Chooses the rows.
        by_label: Hold out of each label its proportional part.
        groups: What `groups_of` finds for these records, where it is known already.

    Returns:
        `(kept, held_out)`, each in the order of the records.
    """
    names = groups_of(records) if groups is None else groups
    chosen: set[str] = set()
    members = _by_label(records, names, by_label)
    wanted = max(1, round(len(records) * size)) if size < 1 else min(int(size), len(records))
    for label, count in _apportioned(wanted, {label: len(group) for label, group in members.items()}).items():
        chosen |= _chosen(members[label], count, seed)
    named = list(zip(records, names, strict=True))
    kept = tuple(record for record, name in named if name not in chosen)
    return kept, tuple(record for record, name in named if name in chosen)


def groups_of(records: Sequence[Record], threshold: float = twins.THRESHOLD) -> list[str]:
    """For each record the name of its group of inputs that are the same or nearly so.

    A group's name comes from its texts alone, so that it is the same whatever other records there are.
    """
    fences = [record.fence for record in records]
    groups = twins.groups([record.input for record in records], threshold)
    names: dict[int, str] = {}
    for fence, group in zip(fences, groups, strict=True):
        names[group] = min(fence, names.get(group, fence))
    return [names[group] for group in groups]


def sampled(converted: Converted, limit: int, *, seed: int, by_label: bool) -> Converted:
    """So many of the records, chosen at random; the others count as removed.

    Which are chosen depends on their text and the seed, not on their order.

    Args:
        converted: All records, with the report on them.
        limit: How many to choose; of fewer records all are taken.
        seed: Chooses the rows.
        by_label: Take of each label its proportional part.
    """
    records = converted.records
    if len(records) <= limit:
        return converted
    names = [f"{record.fence}|{record.output}" for record in records]
    places: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        places.setdefault(record.label if by_label else "", []).append(place)
    wanted: set[int] = set()
    for label, count in _apportioned(limit, {label: len(found) for label, found in places.items()}).items():
        wanted.update(sorted(places[label], key=lambda place: (_drawn(seed)(names[place]), place))[:count])
    return _only(converted, wanted)


def leaked(
    train: Iterable[Record], test: Iterable[Record], threshold: float = twins.THRESHOLD
) -> tuple[list[int], list[int]]:
    """The numbers of the rows to be scored whose input was trained on: exactly, case and white space aside, and nearly.

    Args:
        train: The rows that the model is tuned on or chosen by.
        test: The rows to be scored.
        threshold: How alike near inputs are; see `twins.groups`.
    """
    seen, asked = list(train), list(test)
    trained = {record.fence for record in seen}
    exact = [record.number for record in asked if record.fence in trained]
    groups = twins.groups([record.input for record in [*seen, *asked]], threshold)
    near = set(groups[: len(seen)])
    told = set(exact)
    pairs = zip(asked, groups[len(seen) :], strict=True)
    return exact, [record.number for record, group in pairs if group in near and record.number not in told]


def _only(converted: Converted, wanted: set[int]) -> Converted:
    records = tuple(record for place, record in enumerate(converted.records) if place in wanted)
    rest = tuple(record.number for place, record in enumerate(converted.records) if place not in wanted)
    removed = {**converted.report.removed, "not in the sample": rest}
    return Converted(records=records, report=replace(converted.report, kept=len(records), removed=removed))


def _apportioned(wanted: int, sizes: Mapping[str, int]) -> dict[str, int]:
    """Parts of `wanted` in proportion to the sizes, that add up to it (the method of largest remainders)."""
    total = sum(sizes.values()) or 1
    parts = {name: wanted * size // total for name, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda name: (-(wanted * sizes[name] % total), name))
    for name in by_remainder[: wanted - sum(parts.values())]:
        parts[name] += 1
    return parts


def _by_label(records: Sequence[Record], names: Sequence[str], by_label: bool) -> dict[str, list[str]]:
    members: dict[str, list[str]] = {}
    for record, name in zip(records, names, strict=True):
        members.setdefault(record.label if by_label else "", []).append(name)
    return members


def _chosen(names: Sequence[str], wanted: int, seed: int) -> set[str]:
    members = Counter(names)
    chosen: set[str] = set()
    count = 0
    for name in sorted(members, key=_drawn(seed)):
        if count >= wanted:
            break
        chosen.add(name)
        count += members[name]
    return chosen


def _drawn(seed: int) -> Callable[[str], bytes]:
    return lambda name: hashlib.sha256(f"{seed}|{name}".encode()).digest()
