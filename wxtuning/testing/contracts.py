"""What every adapter of a kind must do, as tests to inherit. Needs pytest.

class TestMyStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return MyStore(...)

    def overwrite(self, store, ref, content):
        ...  # behind the store's back
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from wxtuning.errors import InputChangedError, NotOffered, PlanError, UploadIntegrityError, WxTuningError
from wxtuning.ports import Store
from wxtuning.status import DataRef
from wxtuning.stored import file_names

LINES = b'{"input": "a", "output": "b"}\n'


class Stop(Exception):
    """What a watch raises here to end a transfer."""


class StoreContract:
    """The promises of `wxtuning.ports.Store`. A fixture `store` gives an empty one.

    `secrets` are texts that the store was given and must show nobody; `large` is a size in bytes that the store sends
    in several pieces.
    """

    secrets: tuple[str, ...] = ()
    large: int = 3_000_000

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        raise NotImplementedError("a contract is inherited, with a fixture `store`")

    def overwrite(self, store: Store, ref: DataRef, content: bytes) -> None:
        """Put other content in the place of a file, as somebody else might."""
        raise NotImplementedError

    # --- put and get ------------------------------------------------------------------------------------------------

    def test_what_was_put_is_what_is_got(self, store: Store, tmp_path: Path) -> None:
        data = _file(tmp_path, LINES * 100)
        ref = store.put(data, "train", owner="run-1")
        store.get(ref, tmp_path / "back.jsonl")
        assert (tmp_path / "back.jsonl").read_bytes() == LINES * 100

    def test_a_file_of_many_pieces_comes_back_whole(self, store: Store, tmp_path: Path) -> None:
        content = _lines_of(self.large)
        ref = store.put(_file(tmp_path, content), "train", owner="run-1")
        store.get(ref, tmp_path / "back.jsonl")
        assert (tmp_path / "back.jsonl").read_bytes() == content

    def test_an_empty_file_is_a_file(self, store: Store, tmp_path: Path) -> None:
        ref = store.put(_file(tmp_path, b""), "train", owner="run-1")
        store.get(ref, tmp_path / "back.jsonl")
        assert (store.exists(ref), (tmp_path / "back.jsonl").read_bytes()) == (True, b"")

    def test_the_reference_is_the_same_data_at_an_address_named_after_it(self, store: Store, tmp_path: Path) -> None:
        data = _file(tmp_path, LINES)
        ref = store.put(data, "train", owner="run-1")
        assert ref == replace(data, uri=f"{store.describe().rstrip('/')}/{file_names('train', data.sha256)[0]}")

    def test_the_same_bytes_put_again_are_the_same_file(self, store: Store, tmp_path: Path) -> None:
        first = store.put(_file(tmp_path, LINES), "train", owner="run-1")
        assert store.put(_file(tmp_path, LINES, "copy"), "train", owner="run-2") == first

    def test_other_bytes_do_not_replace_a_file(self, store: Store, tmp_path: Path) -> None:
        first = store.put(_file(tmp_path, LINES), "train", owner="run-1")
        second = store.put(_file(tmp_path, LINES * 2, "other"), "train", owner="run-1")
        store.get(first, tmp_path / "back.jsonl")
        assert (first.uri != second.uri, (tmp_path / "back.jsonl").read_bytes()) == (True, LINES)

    def test_a_file_that_somebody_changed_is_not_taken_for_the_one_to_put(self, store: Store, tmp_path: Path) -> None:
        data = _file(tmp_path, LINES)
        changed = store.put(data, "train", owner="run-1")
        self.overwrite(store, changed, LINES[::-1])
        again = store.put(data, "train", owner="run-1")
        store.get(again, tmp_path / "back.jsonl")
        assert (again.uri != changed.uri, (tmp_path / "back.jsonl").read_bytes()) == (True, LINES)

    def test_two_that_put_the_same_bytes_at_once_agree(self, store: Store, tmp_path: Path) -> None:
        data = _file(tmp_path, _lines_of(self.large))
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(lambda owner: store.put(data, "train", owner=owner), ["run-1", "run-2"])
        store.get(first, tmp_path / "back.jsonl")
        assert (first, (tmp_path / "back.jsonl").stat().st_size) == (second, data.size_bytes)

    def test_a_file_that_is_not_what_was_checked_is_refused(self, store: Store, tmp_path: Path) -> None:
        data = _file(tmp_path, LINES)
        (tmp_path / "train").write_bytes(LINES[::-1])
        with pytest.raises(InputChangedError):
            store.put(data, "train", owner="run-1")
        assert store.list("run-1") == ()

    def test_a_file_that_lost_its_end_is_refused(self, store: Store, tmp_path: Path) -> None:
        data = _file(tmp_path, _lines_of(self.large))
        with (tmp_path / "train").open("r+b") as file:
            file.truncate(data.size_bytes // 2)
        with pytest.raises(InputChangedError):
            store.put(data, "train", owner="run-1")
        assert store.list("run-1") == ()

    def test_a_name_that_is_a_path_is_refused(self, store: Store, tmp_path: Path) -> None:
        data = _file(tmp_path, LINES)
        for name in ("../train", "a/b", "", ".hidden"):
            with pytest.raises(PlanError):
                store.put(data, name, owner="run-1")
            with pytest.raises(PlanError):
                store.put(data, "train", owner=name)

    def test_other_bytes_are_not_got(self, store: Store, tmp_path: Path) -> None:
        ref = store.put(_file(tmp_path, LINES), "train", owner="run-1")
        self.overwrite(store, ref, LINES[::-1])
        (tmp_path / "back.jsonl").write_text("old")
        with pytest.raises(UploadIntegrityError):
            store.get(ref, tmp_path / "back.jsonl")
        assert (tmp_path / "back.jsonl").read_text() == "old"

    def test_what_is_not_there_is_not_got(self, store: Store, tmp_path: Path) -> None:
        ref = store.put(_file(tmp_path, LINES), "train", owner="run-1")
        store.delete(ref)
        with pytest.raises(NotOffered):
            store.get(ref, tmp_path / "back.jsonl")
        assert not (tmp_path / "back.jsonl").exists()

    def test_an_address_of_another_store_is_refused(self, store: Store, tmp_path: Path) -> None:
        elsewhere = DataRef(uri="ftp://elsewhere/train.jsonl", sha256="0" * 64, rows=1, size_bytes=1)
        with pytest.raises(WxTuningError):
            store.get(elsewhere, tmp_path / "back.jsonl")

    # --- progress ---------------------------------------------------------------------------------------------------

    def test_progress_reaches_the_whole_size(self, store: Store, tmp_path: Path) -> None:
        data = _file(tmp_path, _lines_of(self.large))
        told: list[tuple[int, int | None]] = []
        store.put(data, "train", owner="run-1", watch=lambda done, size: told.append((done, size)))
        assert told[-1] == (data.size_bytes, data.size_bytes)
        assert len(told) > 1 and max(done for done, _ in told) == data.size_bytes

    def test_a_watch_can_end_it_and_then_nothing_is_stored(self, store: Store, tmp_path: Path) -> None:
        def stop(done: int, size: int | None) -> None:
            raise Stop

        with pytest.raises(Stop):
            store.put(_file(tmp_path, _lines_of(self.large)), "train", owner="run-1", watch=stop)
        assert store.list("run-1") == ()

    # --- writing ----------------------------------------------------------------------------------------------------

    def test_what_is_written_is_stored_as_if_it_had_been_put(self, store: Store, tmp_path: Path) -> None:
        with store.writing("train", owner="run-1") as out:
            for _ in range(100):
                out.write(LINES)
        assert out.data == store.put(_file(tmp_path, LINES * 100), "train", owner="run-1")

    def test_many_pieces_are_written_whole(self, store: Store, tmp_path: Path) -> None:
        content = _lines_of(self.large)
        with store.writing("train", owner="run-1") as out:
            for begin in range(0, len(content), 70_001):
                out.write(memoryview(content)[begin : begin + 70_001])
        store.get(out.data, tmp_path / "back.jsonl")
        assert ((tmp_path / "back.jsonl").read_bytes(), out.data.rows) == (content, content.count(b"\n"))

    def test_nothing_written_is_an_empty_file(self, store: Store) -> None:
        with store.writing("train", owner="run-1") as out:
            pass
        assert (out.data.size_bytes, out.data.rows, store.exists(out.data)) == (0, 0, True)

    def test_a_block_that_fails_leaves_nothing(self, store: Store) -> None:
        with pytest.raises(Stop), store.writing("train", owner="run-1") as out:
            out.write(_lines_of(self.large))
            raise Stop
        assert store.list("run-1") == ()

    # --- owners -----------------------------------------------------------------------------------------------------

    def test_a_deleted_file_is_gone_and_can_be_deleted_again(self, store: Store, tmp_path: Path) -> None:
        ref = store.put(_file(tmp_path, LINES), "train", owner="run-1")
        assert store.exists(ref)
        store.delete(ref)
        store.delete(ref)
        assert (store.exists(ref), store.list("run-1")) == (False, ())

    def test_an_owner_is_told_its_files(self, store: Store, tmp_path: Path) -> None:
        train = store.put(_file(tmp_path, LINES * 2), "train", owner="run-1")
        validation = store.put(_file(tmp_path, LINES, "v"), "validation", owner="run-1")
        store.put(_file(tmp_path, LINES * 3, "o"), "train", owner="run-2")
        assert store.list("run-1") == (train, validation)
        assert store.list("nobody") == ()

    def test_a_file_goes_with_the_last_of_its_owners(self, store: Store, tmp_path: Path) -> None:
        ref = store.put(_file(tmp_path, LINES), "train", owner="run-1")
        store.put(_file(tmp_path, LINES), "train", owner="run-2")
        assert (store.release("run-1"), store.exists(ref), store.list("run-2")) == ((), True, (ref,))
        assert (store.release("run-2"), store.exists(ref)) == ((ref,), False)
        assert store.release("run-2") == ()

    # --- what it shows ----------------------------------------------------------------------------------------------

    def test_files_could_be_put(self, store: Store) -> None:
        store.check()

    def test_secrets_are_shown_nowhere(self, store: Store, tmp_path: Path) -> None:
        ref = store.put(_file(tmp_path, LINES), "train", owner="run-1")
        shown = f"{store!r} {store} {store.describe()} {ref} {pickle.dumps(store)!r}"
        assert [secret for secret in self.secrets if secret in shown] == []


def _file(folder: Path, content: bytes, name: str = "train") -> DataRef:
    file = folder / name
    file.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return DataRef(uri=file.as_uri(), sha256=digest, rows=content.count(b"\n"), size_bytes=len(content))


def _lines_of(size: int) -> bytes:
    """Lines that are all different, about so many bytes."""
    return b"".join(b'{"input": "%08d", "output": "b"}\n' % number for number in range(size // 36 + 1))
