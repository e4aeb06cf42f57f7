"""Small files of rows, and their verdict as the command line prints it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wxtuning.rows.validation import validate

GOOD = b'{"input": "good", "output": "row"}'


@pytest.fixture
def judged(tmp_path: Path):
    """Write the content to a file and judge it; the answer is the JSON of the verdict."""

    def judge(content: bytes | list[bytes], name: str = "rows.jsonl", **options: object) -> dict[str, object]:
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else b"".join(line + b"\n" for line in content))
        return json.loads(validate(file, **options).to_json())

    return judge


@pytest.fixture
def rejected(judged):
    """Judge one record between two good ones; the answer is its field and code."""

    def judge(record: bytes, **options: object) -> tuple[str | None, str]:
        verdict = judged([GOOD, record, GOOD], **options)
        assert verdict["valid"] == [1, 3], verdict
        [only] = verdict["rejected"]
        assert (only["record"], only["line"]) == (2, 2)
        return only["field"], only["code"]

    return judge
