"""Rows of a data asset that is there already. Knows assets and files of rows; knows no tuning."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from wxtuning.adapters.watsonx.assets import Assets
from wxtuning.errors import DataError, PlanError
from wxtuning.records import Record, jsonl
from wxtuning.rows.files import HEAD_BYTES, DataFiles, format_of, open_rows
from wxtuning.rows.verdict import Reject, WarningCode

LONGEST_NAME = 100

TAKEN = ("jsonl", "json")
"""What a job may be tuned on as it is (IBM's data formats for tuning)."""

FIELDS = {"input", "output"}


@dataclass(frozen=True)
class AssetRows:
    """A data asset of a project or space, by its name or id; read once, when it is first needed.

    Where the lines to tune on say what the asset says, pair by pair, the job refers to it and nothing is uploaded.

    Args:
        assets: Where it is.
        asset: Its name or id.

    Raises:
        PlanError: without one.
    """

    assets: Assets
    asset: str

    def __post_init__(self) -> None:
        if not (isinstance(self.asset, str) and self.asset.strip()):
            raise PlanError([f"the data asset is {self.asset!r}; a name or an id is needed"])

    def rows(self) -> Iterator[Mapping[str, object] | Reject]:
        """Yield every row; one that cannot be read is yielded as the reason why.

        Raises:
            NotOffered: if there is no such asset, or it holds no file of its own.
            DataError: if its file is none of rows.
        """
        yield from self._files.rows()  # as long as somebody reads, the copy stays

    def fingerprint(self) -> str:
        """The hash of the content."""
        return self._files.fingerprint()

    def describe(self) -> str:
        return f"data asset {self.asset}"

    @property
    def warnings(self) -> Mapping[WarningCode, int]:
        """What was noticed while the rows were last read, and how often."""
        return self._files.warnings

    @cached_property
    def _files(self) -> DataFiles:
        found = self.assets.read(self.asset)
        folder = Path(tempfile.mkdtemp(prefix="wxtuning-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        file = folder / (re.sub(r"[^\w.-]", "_", found.name).lstrip(".")[-LONGEST_NAME:] or "asset")
        file.write_bytes(found.content)
        if format_of(file.name, found.content[:HEAD_BYTES]) in TAKEN and (lines := _as_lines(open_rows(file))):
            self.assets.stand_for(lines, found)
        return open_rows(file)


def _as_lines(files: DataFiles) -> str:
    """The SHA-256 of the rows as lines to tune on; empty where they hold anything else, or cannot be read."""
    records = []
    with suppress(DataError):
        for number, row in enumerate(files.rows(), start=1):
            if isinstance(row, Reject) or row.keys() != FIELDS:
                return ""
            text, answer = row["input"], row["output"]
            if not (isinstance(text, str) and isinstance(answer, str)):
                return ""
            records.append(Record(number, text, answer, label=answer))
        # What comes before the first row might not be read over elsewhere.
        return "" if files.warnings else hashlib.sha256(jsonl(records)).hexdigest()
    return ""
