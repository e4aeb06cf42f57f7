"""The ways into the storage that the tests take: with HMAC keys or an IAM API key, over a wire that can break."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.storage.bucket import Bucket
from tests.storage.iam import API_KEY, INSTANCE_ID, Iam
from tests.storage.swift import OWNER
from tests.storage.wire import TOKEN_PATH, Request, Wire
from wxtuning.adapters.cos import COS, Patience
from wxtuning.status import DataRef
from wxtuning.testing import FakeClock

PART = 5 * 2**20  # the smallest that S3 allows
RUN = "run-1"


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


CONTENT = noise(PART + 600_000)
PARTS = 2


@dataclass
class Door:
    """A bucket of its own, the wire to it, and stores that use both; waiting between two tries takes no time."""

    bucket: Bucket
    wire: Wire
    folder: Path
    iam: Iam | None = None
    prefix: str = ""
    clock: FakeClock = field(default_factory=FakeClock)

    def patience(self, **other: Any) -> Patience:
        usual: dict[str, Any] = {
            "connect_seconds": 2.0,
            "read_seconds": 5.0,
            "sleep": self.clock.sleep,
            "clock": self.clock,
            "rng": random.Random(0).random,
        }
        return Patience(**(usual | other))

    def settings(self) -> dict[str, Any]:
        """How a store is told where to go, and as whom."""
        where = {"endpoint": self.wire.url, "bucket": self.bucket.name, "prefix": self.prefix, "part_bytes": PART}
        if self.iam:
            address = self.wire.url + TOKEN_PATH
            return where | {"api_key": API_KEY, "instance_id": INSTANCE_ID, "auth_endpoint": address}
        return where | {"access_key": OWNER.access_key, "secret_key": OWNER.secret_key}

    def beside(self, prefix: str) -> Door:
        """The way to another store in the same bucket."""
        return replace(self, prefix=prefix, bucket=replace(self.bucket, prefix=f"{prefix}/"))

    def store(self, *, patience: dict[str, Any] | None = None, **other: Any) -> COS:
        return COS(**(self.settings() | {"patience": self.patience(**(patience or {}))} | other))

    def file(self, content: bytes = CONTENT, name: str = "train.jsonl") -> DataRef:
        """A file of this machine with this content."""
        path = self.folder / name
        path.write_bytes(content)
        return ref_to(path, content)

    def put(self, content: bytes = CONTENT, *, owner: str = RUN, **store: Any) -> DataRef:
        return self.store(**store).put(self.file(content), "train", owner=owner)


def of_a_file(request: Request) -> bool:
    """Whether a request is about a file, and not about the notes that a store keeps beside it."""
    return bool(request.key) and not request.key.startswith(".")


def ref_to(path: Path, content: bytes) -> DataRef:
    digest = hashlib.sha256(content).hexdigest()
    return DataRef(uri=path.as_uri(), sha256=digest, rows=content.count(b"\n"), size_bytes=len(content))


def key_for(content: bytes, digits: int = 16, name: str = "train") -> str:
    """The key under which this content belongs."""
    return f"{name}-{hashlib.sha256(content).hexdigest()[:digits]}.jsonl"
