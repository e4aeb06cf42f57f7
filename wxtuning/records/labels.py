"""Labels that are nearly right. Knows what readers do not see in a word; knows no row."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from wxtuning.rows.policy import nearest


def repaired_label(text: str, labels: Sequence[str]) -> str | None:
    """The one label that a text nearly is; None if there is none, or more than one.

    A label that differs only in case, white space, width or invisible characters is meant; of labels that are spelt
    differently only one may be near.
    """
    wanted = _plain(text)
    if same := [label for label in labels if _plain(label) == wanted]:
        return same[0] if len(same) == 1 else None
    near = nearest(text, labels)
    others = [label for label in labels if label != near]
    return near if near and not nearest(text, others) else None


def _plain(text: str) -> str:
    seen = (c for c in unicodedata.normalize("NFKC", text).casefold() if unicodedata.category(c) not in {"Cf", "Cc"})
    return " ".join("".join(seen).split())
