"""Rows in memory to records: mapped, cleaned, checked, and every one of them accounted for."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

from wxtuning.records.cleaning import flag_personal, steps
from wxtuning.records.duplicates import Seen, SeenTexts, near_duplicates
from wxtuning.records.reading import ROWS, Item, batches
from wxtuning.records.record import Batch
from wxtuning.records.report import Converted, Ledger
from wxtuning.spec import Cleaning
from wxtuning.spec import Mapping as ColumnMapping

MOST_LOOKED_AT = 20_000
"""Up to so many rows `near_duplicates="auto"` looks for near duplicates, which takes a quarter of a second."""


def convert(rows: Iterable[Item], mapping: ColumnMapping, cleaning: Cleaning, labels: Sequence[str] = ()) -> Converted:
    """Map, clean and check rows.

    Args:
        rows: Anything that yields dicts, and a Reject for each row that could not be read; numbered from 1 in their
            order.
        mapping: Which columns become input and output; None in it reads the columns `input` and `output`.
        cleaning: Which steps are done.
        labels: The only outputs allowed; empty allows any.

    Returns:
        The records that can be used and a report in which every row read is accounted for.

    Raises:
        ValueError: if the mapping's templates cannot be read.
    """
    ledger, seen = Ledger(), SeenTexts()
    batch = _joined(list(cleaned(batches(rows, mapping, ledger), cleaning, labels, seen, ledger)))
    batch = _without_conflicts(batch, seen, cleaning, ledger)
    batch = _without_near_duplicates(batch, cleaning, ledger)
    if cleaning.flag_personal:
        for part in _parts(batch):
            flag_personal(part, ledger)
    with _no_collection():
        records = tuple(batch.records(mapping.label_map))
    return Converted(records=records, report=ledger.report(len(records)))


# A million new tuples, none of them garbage, would send the collector through all rows in memory again and again.
@contextmanager
def _no_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def cleaned(
    coming: Iterable[Batch], cleaning: Cleaning, labels: Sequence[str], seen: Seen, ledger: Ledger
) -> Iterator[Batch]:
    """What the steps that need no look ahead leave of each batch; warns of duplicates that stay, at the end."""
    asked = steps(cleaning, labels)
    repeated = 0
    for batch in coming:
        for step in asked:
            batch = step(batch, ledger)
        new = seen.new(batch)
        if cleaning.drop_duplicates and not all(new):
            ledger.remove("exact duplicate", (n for n, is_new in zip(batch.numbers, new, strict=True) if not is_new))
            batch = batch.only(new)
        repeated += new.count(False)
        yield batch
    if repeated and not cleaning.drop_duplicates:
        ledger.warnings.append(f"{repeated} rows repeat the input and output of an earlier one")


def _without_conflicts(batch: Batch, seen: SeenTexts, cleaning: Cleaning, ledger: Ledger) -> Batch:
    conflicting = seen.conflicting
    if not conflicting:
        return batch
    wanted = [text not in conflicting for text in batch.inputs]
    numbers = [number for number, good in zip(batch.numbers, wanted, strict=True) if not good]
    if cleaning.conflicts == "drop":
        ledger.remove("same input, different output", numbers)
        return batch.only(wanted)
    ledger.flag("same input, different output", numbers)
    ledger.warnings.append(seen.warning)
    return batch


def _without_near_duplicates(batch: Batch, cleaning: Cleaning, ledger: Ledger) -> Batch:
    asked = cleaning.near_duplicates
    if asked == "keep":
        return batch
    if asked == "auto" and len(batch) > MOST_LOOKED_AT:
        ledger.warnings.append(
            f"near duplicates were not looked for among more than {MOST_LOOKED_AT:,} rows; ask for it with "
            ".clean(near_duplicates='warn'), or 'drop'"
        )
        return batch
    copies = set(near_duplicates(batch.inputs, batch.outputs, cleaning.near_threshold))
    numbers = [batch.numbers[place] for place in sorted(copies)]
    if asked == "drop":
        ledger.remove("near duplicate", numbers)
        return batch.only([place not in copies for place in range(len(batch))])
    ledger.flag("near duplicate", numbers)
    if copies:
        ledger.warnings.append(
            f"{len(copies)} rows are near duplicates of an earlier one; .clean(near_duplicates='drop') removes them"
        )
    return batch


def _joined(batches: Sequence[Batch]) -> Batch:
    return Batch(
        list(chain.from_iterable(batch.numbers for batch in batches)),
        list(chain.from_iterable(batch.inputs for batch in batches)),
        list(chain.from_iterable(batch.outputs for batch in batches)),
    )


def _parts(batch: Batch) -> Iterator[Batch]:
    for start in range(0, len(batch), ROWS):
        part = slice(start, start + ROWS)
        yield Batch(batch.numbers[part], batch.inputs[part], batch.outputs[part])
