"""A file of 400 MB, and rows, to object storage against ibm_boto3's own ways: `python -m tests.benchmarks.upload`.

The server drops the bytes (`tests.benchmarks.sink`), so that the clients are measured; it runs on the same cores. HMAC
keys, plain HTTP. Ours hashes the file, proves every part and looks at the result; `upload_file` does none of it. The
clock leaves imports out.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.contest import ROOT, Figures, child, ratio, rounds, table, verdict
from tests.benchmarks.shapes import quick

DEFAULTS, PARTS_64, PARTS_16, OURS = (
    "upload_file, defaults", "upload_file, 64 MiB x 4", "upload_file, 16 MiB x 2", "wxtuning put",
)  # fmt: skip
FILE_FIRST, STREAMED = "convert, then put", "rows to bucket"
BUCKET, KEY, SECRET = "bench", "benchkey", "benchsecret"
PORT = "WXTUNING_BENCH_PORT"


def make(folder: Path, rows: int) -> None:
    """`lines.jsonl` and the same rows as `rows.parquet`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(5_000)]
    texts = [" ".join(rng.choices(words, k=40)) for _ in range(rows)]
    answers = [" ".join(rng.choices(words, k=20)) for _ in range(rows)]
    pq.write_table(pa.table({"prompt": texts, "response": answers}), folder / "rows.parquet")
    with (folder / "lines.jsonl").open("w") as file:
        file.writelines(f'{{"input":"{a}","output":"{b}"}}\n' for a, b in zip(texts, answers, strict=True))


def upload_file(**settings: int) -> Callable[[Path], Figures]:
    def contestant(folder: Path) -> Figures:
        import ibm_boto3
        from ibm_boto3.s3.transfer import TransferConfig
        from ibm_botocore.client import Config

        config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
        client = ibm_boto3.client(
            "s3", endpoint_url=_endpoint(), aws_access_key_id=KEY, aws_secret_access_key=SECRET,
            region_name="us-east-1", config=config,
        )  # fmt: skip
        transfer = TransferConfig(**settings)
        file = folder / "lines.jsonl"
        return _timed(lambda: client.upload_file(str(file), BUCKET, "theirs.jsonl", Config=transfer), file)

    return contestant


def ours(folder: Path) -> Figures:
    file = folder / "lines.jsonl"
    data, store = _ref(file), _store()
    store.check()  # as the peers, with a client that is made
    return _timed(lambda: store.put(data, f"lines-{os.getpid()}", owner="bench"), file)


def file_first(folder: Path) -> Figures:
    import polars  # noqa: F401

    from wxtuning.records import convert_file

    store, file = _store(), folder / "converted.jsonl"
    store.check()

    def act() -> None:
        convert_file(*_conversion(folder), file)
        store.put(_ref(file), f"rows-{os.getpid()}", owner="bench")

    return _timed(act, folder / "lines.jsonl")


def streamed(folder: Path) -> Figures:
    import polars  # noqa: F401

    from wxtuning.records import convert_into

    store = _store()
    store.check()

    def act() -> None:
        with store.writing(f"rows-{os.getpid()}", owner="bench") as out:
            convert_into(*_conversion(folder), out)

    return _timed(act, folder / "lines.jsonl")


def _conversion(folder: Path) -> tuple[Any, ...]:
    from wxtuning.rows.files import open_rows
    from wxtuning.spec import Cleaning, Mapping

    cleaning = Cleaning(max_characters=1024, fix_mojibake=False, normalize=False, flag_personal=False)
    return open_rows(folder / "rows.parquet"), Mapping(input="prompt", output="response"), cleaning


def _ref(file: Path) -> Any:
    from wxtuning.status import DataRef

    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return DataRef(uri=file.as_uri(), sha256=digest, rows=0, size_bytes=file.stat().st_size)


def _store() -> Any:
    import ibm_boto3  # noqa: F401  # as the peers', outside the clock

    import wxtuning as wx

    return wx.COS(endpoint=_endpoint(), bucket=BUCKET, access_key=KEY, secret_key=SECRET)


def _endpoint() -> str:
    return f"http://127.0.0.1:{os.environ[PORT]}"


def _timed(act: Callable[[], object], file: Path) -> Figures:
    began, used = time.perf_counter(), time.process_time()
    act()
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    return {"seconds": seconds, "cpu": cpu, "MB/s": file.stat().st_size / 1e6 / seconds}


MIB = 2**20
CONTESTANTS = {
    DEFAULTS: upload_file(),
    PARTS_64: upload_file(multipart_chunksize=64 * MIB, max_concurrency=4),
    PARTS_16: upload_file(multipart_chunksize=16 * MIB, max_concurrency=2),
    OURS: ours,
    FILE_FIRST: file_first,
    STREAMED: streamed,
}  # fmt: skip


def main() -> None:
    rows = 100_000 if quick() else 1_000_000
    with tempfile.TemporaryDirectory() as home:
        # In a process of its own: the memory of a process that starts others counts as theirs.
        maker = multiprocessing.get_context("spawn").Process(target=make, args=(Path(home), rows))
        maker.start()
        maker.join()
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.sink"], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        try:
            assert server.stdout
            os.environ[PORT] = server.stdout.readline().strip()
            _contest(Path(home))
        finally:
            server.terminate()
            server.wait()


def _contest(folder: Path) -> None:
    columns = ["seconds", "cpu", "MB/s", "rss_mib"]
    print(f"{(folder / 'lines.jsonl').stat().st_size / 1e6:.0f} MB")
    found = rounds("tests.benchmarks.upload", [DEFAULTS, PARTS_64, PARTS_16, OURS], folder, count=3)
    table(found, DEFAULTS, "seconds", columns)
    rows = rounds("tests.benchmarks.upload", [FILE_FIRST, STREAMED], folder, count=3)
    table(rows, FILE_FIRST, "seconds", columns)
    verdict("speed against upload_file with defaults", 1 / ratio(found, OURS, DEFAULTS, "seconds"), 2.0)
    verdict("the same in CPU seconds", 1 / ratio(found, OURS, DEFAULTS, "cpu"), 2.0)
    best = min((PARTS_64, PARTS_16), key=lambda name: ratio(found, name, DEFAULTS, "seconds"))
    verdict(f"speed against {best}", 1 / ratio(found, OURS, best, "seconds"), 1.3)
    verdict("MB of memory at most", max(each["rss_mib"] for each in found[OURS]) * MIB / 1e6, 110, at_most=True)
    verdict("rows to bucket against convert, then put", 1 / ratio(rows, STREAMED, FILE_FIRST, "seconds"), 1.3)


if __name__ == "__main__" and not child(CONTESTANTS):
    sys.exit(main())
