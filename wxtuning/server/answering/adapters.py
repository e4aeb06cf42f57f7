"""Whether a folder holds an adapter that can be loaded, as far as can be told without torch. Opens no pickle."""

from __future__ import annotations

import json
import struct
from pathlib import Path

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MOST_HEADER_BYTES = 100 * 2**20


def fault_of(folder: Path) -> str:
    """What is wrong with the adapter in a folder; empty if nothing is."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        size = (folder / WEIGHTS).stat().st_size
        header = _header(folder / WEIGHTS, size)
    except (OSError, ValueError, struct.error):
        return f"the model has no whole {CONFIG} and {WEIGHTS}; tune it again"
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind not in ("PROMPT_TUNING", "LORA"):
        return f"the model's adapter is of type {kind!r}; expected PROMPT_TUNING or LORA"
    ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
    return "" if ends and max(ends) == size else f"the model's {WEIGHTS} is cut short; tune it again"


def _header(file: Path, size: int) -> dict[str, dict[str, list[int]]]:
    """The tensors' places, measured from the start of the file."""
    with file.open("rb") as content:
        (length,) = struct.unpack("<Q", content.read(8))
        if length > min(size, MOST_HEADER_BYTES):
            raise ValueError("no header")
        found = json.loads(content.read(length))
    for name, tensor in found.items():
        if name != "__metadata__":
            tensor["data_offsets"] = [8 + length + place for place in tensor["data_offsets"]]
    return dict(found)
