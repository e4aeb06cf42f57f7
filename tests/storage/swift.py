"""A real object storage for the tests: OpenStack Swift and its S3 interface, from PyPI, without root, on free ports.

python -m tests.storage.swift        serves until Ctrl-C or SIGTERM, and prints address and keys
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_SECONDS = 60.0  # it takes one to two; a machine that is busy with other tests is no fault
BESIDE_THE_TESTS = Path(__file__).parents[2] / ".pytest_cache"


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What a user of the storage signs requests with."""

    access_key: str
    secret_key: str = field(repr=False)


OWNER = Keys(access_key="test:tester", secret_key="owners-hmac-secret-3f9c1b7a5e2d")
STRANGER = Keys(access_key="test:stranger", secret_key="strangers-hmac-secret-8d0a6c4e")  # may do nothing


@dataclass(frozen=True)
class Swift:
    """The running storage; `endpoint` speaks S3."""

    endpoint: str

    def client(self, keys: Keys = OWNER) -> Any:
        """A plain client that looks at the storage past everything that is tested."""
        import ibm_boto3
        from ibm_botocore.config import Config

        return ibm_boto3.client(
            "s3",
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )


@contextmanager
def serving(*folders: Path) -> Iterator[Swift]:
    """Run the storage in a new folder inside the first of `folders` that can hold it; nothing of it stays.

    Raises:
        RuntimeError: if no folder keeps extended attributes, or the storage does not start; shows its log.
    """
    folder = Path(tempfile.mkdtemp(prefix="swift-", dir=_with_attributes(folders)))
    try:
        with (folder / "log").open("wb") as log, _process(folder, log) as process:
            yield Swift(f"http://127.0.0.1:{_port(process, folder / 'log')}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _with_attributes(folders: Sequence[Path]) -> Path:
    for folder in folders:
        if _keeps_attributes(folder):
            return folder
    raise RuntimeError(
        f"none of {', '.join(map(str, folders))} is on a file system with user extended attributes, where Swift keeps "
        "what it knows of an object; give pytest a folder on ext4, xfs, btrfs or a recent tmpfs: --basetemp=FOLDER"
    )


def _keeps_attributes(folder: Path) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        try:
            os.setxattr(file.name, "user.swift", b"x" * 1024)
        except (OSError, AttributeError):  # the latter on systems whose Python has no such call
            return False
    return True


@contextmanager
def _process(folder: Path, log: Any) -> Iterator[subprocess.Popen[bytes]]:
    script = Path(__file__).with_name("swift_process.py")
    process = subprocess.Popen(
        [sys.executable, "-P", script, folder, OWNER.secret_key, STRANGER.secret_key],
        stdin=subprocess.PIPE,  # it ends with its standard input, so with these tests, however they end
        stdout=subprocess.PIPE,
        stderr=log,
        cwd=folder,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    told = process.stdout.readline() if ready else b""
    if not told:
        raise RuntimeError(f"Swift did not start within {START_SECONDS:.0f} s; its log:\n{log.read_text()}")
    return int(told)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), serving(Path(tempfile.gettempdir()), BESIDE_THE_TESTS) as swift:
        swift.client().create_bucket(Bucket="bucket")
        swift.client().create_bucket(Bucket="readable", ACL="public-read")
        print(f"{swift.endpoint}  buckets 'bucket', 'readable' (strangers may read)")
        for keys in (OWNER, STRANGER):
            print(f"access_key={keys.access_key!r} secret_key={keys.secret_key!r}", flush=True)
        while True:
            time.sleep(3600)
