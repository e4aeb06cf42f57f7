"""The cleaning steps, each a function from a batch to the batch that is left. Knows no column and no file.

A step changes, removes or rejects rows, and tells the ledger which.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import compress

from wxtuning.records.labels import repaired_label
from wxtuning.records.mojibake import repaired
from wxtuning.records.personal import personal
from wxtuning.records.record import Batch
from wxtuning.records.report import Ledger
from wxtuning.rows.policy import is_empty, label_fault
from wxtuning.rows.verdict import Fault
from wxtuning.spec import Cleaning

Step = Callable[[Batch, Ledger], Batch]
Texts = Callable[[list[str]], list[str]]


def steps(cleaning: Cleaning, labels: Sequence[str] = ()) -> list[Step]:
    """The steps that look at one row at a time, in their order.

    Args:
        cleaning: Which steps are done.
        labels: The only outputs allowed; empty allows any.
    """
    asked: list[tuple[object, Step]] = [
        (cleaning.fix_mojibake, partial(_changed, "mojibake repaired", _all_repaired)),
        (cleaning.normalize, partial(_changed, "characters composed (NFC)", _all_composed)),
        (cleaning.strip, partial(_changed, "surrounding white space stripped", _all_stripped)),
        (True, partial(_without_empty, cleaning.drop_empty)),
        (labels and cleaning.fix_labels, partial(_with_near_labels, labels)),
        (labels, partial(_with_known_labels, frozenset(labels), labels)),
        (cleaning.min_characters, partial(_without_short, cleaning.min_characters)),
        (cleaning.max_characters, partial(_without_long, cleaning.max_characters or 0)),
        (True, _with_bidi_flagged),
    ]
    return [step for wanted, step in asked if wanted]


def flag_personal(batch: Batch, ledger: Ledger) -> None:
    """Tell the ledger in which rows personal data stand."""
    places: dict[str, set[int]] = {}
    for texts in (batch.inputs, batch.outputs):
        for kind, found in personal(texts).items():
            places.setdefault(kind, set()).update(found)
    for kind, rows in places.items():
        ledger.flag(f"personal data: {kind}", [batch.numbers[place] for place in sorted(rows)])


def _changed(name: str, change: Texts, batch: Batch, ledger: Ledger) -> Batch:
    inputs, outputs = change(batch.inputs), change(batch.outputs)
    # Texts that stay as they are stay the same objects, which makes these comparisons one look each.
    if inputs == batch.inputs and outputs == batch.outputs:
        return batch
    pairs = zip(batch.numbers, inputs, batch.inputs, outputs, batch.outputs, strict=True)
    ledger.change(name, [number for number, new, old, answer, before in pairs if new != old or answer != before])
    return Batch(batch.numbers, inputs, outputs)


def _all_repaired(texts: list[str]) -> list[str]:
    return texts if all(map(str.isascii, texts)) else [t if t.isascii() else repaired(t) for t in texts]


def _all_composed(texts: list[str]) -> list[str]:
    return texts if all(map(str.isascii, texts)) else list(map(partial(unicodedata.normalize, "NFC"), texts))


def _all_stripped(texts: list[str]) -> list[str]:
    return list(map(str.strip, texts))


def _without_empty(removed: bool, batch: Batch, ledger: Ledger) -> Batch:
    for field, texts in (("input", batch.inputs), ("output", batch.outputs)):
        # A text that begins with an ASCII letter or sign is not empty; `is_empty` looks at the few others.
        if empty := {text for text in texts if not "!" <= text < "\x7f" and is_empty(text)}:
            wanted = [text not in empty for text in texts]
            gone = [number for number, good in zip(batch.numbers, wanted, strict=True) if not good]
            _tell_empty(field, gone, ledger, removed=removed)
            return _without_empty(removed, batch.only(wanted), ledger)
    return batch


def _tell_empty(field: str, numbers: Iterable[int], ledger: Ledger, *, removed: bool) -> None:
    if removed:
        ledger.remove(f"empty {field}", numbers)
        return
    for number in numbers:
        ledger.fault(number, Fault(field, "empty_field", "the text is empty; .clean() removes such rows"))


def _with_near_labels(labels: Sequence[str], batch: Batch, ledger: Ledger) -> Batch:
    meant = {text: label for text in {*batch.outputs} - {*labels} if (label := repaired_label(text, labels))}
    fixed = [number for number, text in zip(batch.numbers, batch.outputs, strict=True) if text in meant]
    ledger.change("near labels replaced", fixed)
    return Batch(batch.numbers, batch.inputs, [meant.get(text, text) for text in batch.outputs]) if fixed else batch


def _with_known_labels(known: frozenset[str], labels: Sequence[str], batch: Batch, ledger: Ledger) -> Batch:
    unknown = {text: fault for text in {*batch.outputs} - known if (fault := label_fault(text, labels, "output"))}
    if not unknown:
        return batch
    for number, text in zip(batch.numbers, batch.outputs, strict=True):
        if text in unknown:
            ledger.fault(number, unknown[text])
    return batch.only([text not in unknown for text in batch.outputs])


def _without_short(least: int, batch: Batch, ledger: Ledger) -> Batch:
    if min(map(len, batch.inputs), default=least) >= least:
        return batch
    return _kept("input too short", [len(text) >= least for text in batch.inputs], batch, ledger)


def _without_long(most: int, batch: Batch, ledger: Ledger) -> Batch:
    if max(map(len, batch.inputs), default=0) > most:
        batch = _kept("input too long", [len(text) <= most for text in batch.inputs], batch, ledger)
    if max(map(len, batch.outputs), default=0) > most:
        batch = _kept("output too long", [len(text) <= most for text in batch.outputs], batch, ledger)
    return batch


def _kept(name: str, wanted: list[bool], batch: Batch, ledger: Ledger) -> Batch:
    ledger.remove(name, compress(batch.numbers, [not good for good in wanted]))
    return batch.only(wanted)


# Text that a reader sees in another order than the model does; right-to-left scripts do without these characters.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")


def _with_bidi_flagged(batch: Batch, ledger: Ledger) -> Batch:
    if any(_is_overridden(text) for text in [*batch.inputs, *batch.outputs] if not text.isascii()):
        pairs = zip(batch.numbers, batch.inputs, batch.outputs, strict=True)
        found = [number for number, text, answer in pairs if _is_overridden(text) or _is_overridden(answer)]
        ledger.flag("direction of the text overridden", found)
    return batch


def _is_overridden(text: str) -> bool:
    return not text.isascii() and bool(_BIDI.search(text))
