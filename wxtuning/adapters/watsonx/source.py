"""Rows of a data asset that is there already. Knows assets and files of rows; knows no tuning."""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from wxtuning.adapters.watsonx.assets import Assets
from wxtuning.rows.files import DataFiles, open_rows
from wxtuning.rows.verdict import Reject, WarningCode

LONGEST_NAME = 100


@dataclass(frozen=True)
class AssetRows:
    """A data asset of a project or space, by its name or id; read once, when it is first needed.

    Where the lines to tune on are the asset's very bytes, the job refers to it and nothing is uploaded.

    Args:
        assets: Where it is.
        asset: Its name or id.
    """

    assets: Assets
    asset: str

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
        name, content = self.assets.read(self.asset)
        folder = Path(tempfile.mkdtemp(prefix="wxtuning-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        file = folder / (re.sub(r"[^\w.-]", "_", name).lstrip(".")[-LONGEST_NAME:] or "asset")
        file.write_bytes(content)
        return open_rows(file)
