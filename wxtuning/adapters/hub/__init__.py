"""Data sets of the Hugging Face Hub, and objects of the `datasets` package, as sources of rows."""

from __future__ import annotations

from wxtuning.adapters.hub.objects import DatasetRows, SplitRows, StreamRows
from wxtuning.adapters.hub.source import HubRows

__all__ = ["DatasetRows", "HubRows", "SplitRows", "StreamRows"]
