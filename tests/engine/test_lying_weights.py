"""Weights whose header lies are refused by name, and no memory is taken for what they claim."""

from __future__ import annotations

import json
import resource

import pytest

from tests.engine.test_adapters import WEIGHTS, adapter, refused, sound  # noqa: F401 - fixtures too

MOST_MIB = 200


def safetensors(header: dict[str, object], content: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content


def tensor(shape: list[int], begin: int, end: int) -> dict[str, object]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}


LIES = {
    "two tensors in the same bytes": safetensors({"a": tensor([4], 0, 16), "b": tensor([4], 8, 24)}, b"\0" * 24),
    "a hole between them": safetensors({"a": tensor([4], 0, 16), "b": tensor([4], 32, 48)}, b"\0" * 48),
    "more than the file holds": safetensors({"a": tensor([2**31], 0, 2**33)}, b"\0" * 64),
    "a shape that overflows": safetensors({"a": tensor([2**40, 2**40], 0, 16)}, b"\0" * 16),
    "an end before its begin": safetensors({"a": tensor([4], 16, 0)}, b"\0" * 16),
    "a header of ten gigabytes": (10**10).to_bytes(8, "little") + b"{" * 1000,
    "no tensor at all": safetensors({}),
    "other names than an adapter's": safetensors({"a": tensor([4], 0, 16)}, b"\0" * 16),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_refused_and_costs_no_memory(llama, adapter, lie):  # noqa: F811
    (adapter / WEIGHTS).write_bytes(LIES[lie])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(llama, adapter).code in ("bad_adapter", "wrong_base")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MIB * 1024
