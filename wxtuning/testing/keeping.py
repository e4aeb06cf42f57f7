"""The contract of stores, first half: bytes go in, the same bytes come out, or an error says why not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from wxtuning.errors import AdapterError, InputChangedError, NotOffered, PlanError, UploadIntegrityError, WxTuningError
from wxtuning.ports import Store
from wxtuning.status import DataRef
from wxtuning.stored import file_names
from wxtuning.testing.expecting import accepted, refused, same
from wxtuning.testing.hooks import LINES, OTHER, RUN, Stop, StoreHooks, file_in, got, lines_of, stopping


class KeepingContract(StoreHooks):
    """`put`, `writing`, `get` and `exists`."""

    # --- put --------------------------------------------------------------------------------------------------------

    def test_what_was_put_is_what_is_got(self, store: Store, tmp_path: Path) -> None:
        for content in (LINES * 100, lines_of(self.large), b""):
            ref = store.put(file_in(tmp_path, content), "train", owner=RUN)
            same("get gives the bytes that were put", got(store, ref, tmp_path), content)
            same("exists knows a file that was put", store.exists(ref), True)

    def test_the_reference_is_the_same_data_at_an_address_named_after_it(self, store: Store, tmp_path: Path) -> None:
        data = file_in(tmp_path, LINES)
        address = f"{store.describe().rstrip('/')}/{file_names('train', data.sha256)[0]}"
        ref = store.put(data, "train", owner=RUN)
        same(
            "put returns the data it was given, at describe()/<name>-<16 digits>.jsonl", ref, replace(data, uri=address)
        )

    def test_the_same_bytes_put_again_are_the_same_file(self, store: Store, tmp_path: Path) -> None:
        first = store.put(file_in(tmp_path, LINES), "train", owner=RUN)
        again = store.put(file_in(tmp_path, LINES, "copy"), "train", owner=OTHER)
        same("put returns the same reference for the same bytes", again, first)

    def test_other_bytes_do_not_replace_a_file(self, store: Store, tmp_path: Path) -> None:
        first = store.put(file_in(tmp_path, LINES), "train", owner=RUN)
        second = store.put(file_in(tmp_path, LINES * 2, "other"), "train", owner=RUN)
        same("other bytes under the same name are another file", second.uri != first.uri, True)
        same("the first file is what it was", got(store, first, tmp_path), LINES)

    def test_a_file_that_somebody_changed_is_not_taken_for_the_one_to_put(self, store: Store, tmp_path: Path) -> None:
        data = file_in(tmp_path, LINES)
        self.corrupt(store, store.put(data, "train", owner=RUN))
        with suppress(UploadIntegrityError):
            again = store.put(data, "train", owner=RUN)
            with accepted("put finds wrong stored bytes, and stores the right ones, which can be got"):
                got(store, again, tmp_path)

    def test_two_that_put_the_same_bytes_at_once_agree(self, store: Store, tmp_path: Path) -> None:
        content = lines_of(self.large)
        data = file_in(tmp_path, content)
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(lambda owner: store.put(data, "train", owner=owner), [RUN, OTHER])
        same("both are told the same file", first, second)
        same("the file is whole", got(store, first, tmp_path), content)

    def test_a_file_that_is_not_what_was_checked_is_refused(self, store: Store, tmp_path: Path) -> None:
        for content in (LINES, lines_of(self.large)):
            for changed in (content[::-1], content[: len(content) // 2], content + LINES):
                data = file_in(tmp_path, content)
                (tmp_path / "train").write_bytes(changed)
                with refused("put of a file with other bytes than data says", InputChangedError):
                    store.put(data, "train", owner=RUN)
        same("a refused file is no file of the owner", store.list(RUN), ())

    def test_a_name_that_is_a_path_is_refused(self, store: Store, tmp_path: Path) -> None:
        data = file_in(tmp_path, LINES)
        for name in ("../train", "a/b", "", ".hidden"):
            with refused(f"put with name={name!r}", PlanError):
                store.put(data, name, owner=RUN)
            with refused(f"put with owner={name!r}", PlanError):
                store.put(data, "train", owner=name)

    # --- get and exists ---------------------------------------------------------------------------------------------

    def test_other_bytes_are_not_got(self, store: Store, tmp_path: Path) -> None:
        for change in (self.corrupt, self._cut, self._extend):
            ref = store.put(file_in(tmp_path, lines_of(self.large)), "train", owner=RUN)
            (tmp_path / "back.jsonl").write_text("old")
            change(store, ref)
            with refused("get of a file whose stored bytes were changed", UploadIntegrityError):
                store.get(ref, tmp_path / "back.jsonl")
            same("get of wrong bytes leaves the target as it was", (tmp_path / "back.jsonl").read_text(), "old")
            same("get leaves nothing beside the target", _names(tmp_path), ["back.jsonl", "train"])
            store.delete(ref)

    def test_a_file_is_replaced_in_one_step(self, store: Store, tmp_path: Path) -> None:
        ref = store.put(file_in(tmp_path, LINES), "train", owner=RUN)
        (tmp_path / "back.jsonl").write_text("old")
        with (tmp_path / "back.jsonl").open() as reader:
            same("get writes the file", got(store, ref, tmp_path), LINES)
            same("who has the old target open goes on reading the old one", reader.read(), "old")

    def test_what_is_not_there_is_not_got(self, store: Store, tmp_path: Path) -> None:
        ref = store.put(file_in(tmp_path, LINES), "train", owner=RUN)
        store.delete(ref)
        with refused("get of a file that is gone", NotOffered):
            store.get(ref, tmp_path / "back.jsonl")
        same("get of nothing writes nothing", _names(tmp_path), ["train"])

    def test_an_address_of_another_store_is_refused(self, store: Store, tmp_path: Path) -> None:
        elsewhere = DataRef(uri="ftp://elsewhere/train.jsonl", sha256="0" * 64, rows=1, size_bytes=1)
        with refused("get of an address of another store", WxTuningError):
            store.get(elsewhere, tmp_path / "back.jsonl")

    def test_a_file_of_another_size_is_not_the_one(self, store: Store, tmp_path: Path) -> None:
        ref = store.put(file_in(tmp_path, LINES), "train", owner=RUN)
        self._cut(store, ref)
        same("exists is False where a file of another size is in its place", store.exists(ref), False)

    def _cut(self, store: Store, ref: DataRef) -> None:
        self.overwrite(store, ref, LINES[:-1])

    def _extend(self, store: Store, ref: DataRef) -> None:
        self.overwrite(store, ref, lines_of(self.large) + LINES)

    # --- progress ---------------------------------------------------------------------------------------------------

    def test_progress_reaches_the_whole_size(self, store: Store, tmp_path: Path) -> None:
        data = file_in(tmp_path, lines_of(self.large))
        for what, least in (("a file", 2), ("a file that is there already", 1)):
            told = _Told()
            store.put(data, "train", owner=RUN, watch=told)
            same(f"the watch of {what} is told the whole size last", told.last, (data.size_bytes,) * 2)
            same(f"the watch of {what} is never told more", told.most, data.size_bytes)
            same(f"the watch of {what} is told {least} times or more", told.times >= least, True)

    def test_a_watch_can_end_it_and_then_nothing_is_stored(self, store: Store, tmp_path: Path) -> None:
        with refused("put whose watch raises Stop", Stop):
            store.put(file_in(tmp_path, lines_of(self.large)), "train", owner=RUN, watch=stopping)
        same("a put that was ended has stored no file", store.list(RUN), ())

    # --- writing ----------------------------------------------------------------------------------------------------

    def test_what_is_written_is_stored_as_if_it_had_been_put(self, store: Store, tmp_path: Path) -> None:
        for content in (LINES * 100, lines_of(self.large), b""):
            with store.writing("train", owner=RUN) as out:
                for begin in range(0, len(content), 70_001):
                    out.write(memoryview(content)[begin : begin + 70_001])
            same("the file that was written is what is got", got(store, out.data, tmp_path), content)
            same("its rows are counted", out.data.rows, content.count(b"\n"))
            again = store.put(file_in(tmp_path, content), "train", owner=RUN)
            same("put of the same bytes is the file that was written", again, out.data)

    def test_what_is_written_is_no_file_before_the_block_has_ended(self, store: Store, tmp_path: Path) -> None:
        with store.writing("train", owner=RUN) as out:
            out.write(LINES)
            with refused("data before the block has ended", AdapterError):
                _ = out.data
        same("data after the block is what was stored", got(store, out.data, tmp_path), LINES)
        with suppress(Stop), store.writing("train", owner=RUN) as failed:
            raise Stop
        with refused("data of a block that failed", AdapterError):
            _ = failed.data

    def test_nothing_is_written_after_the_block_has_ended(self, store: Store, tmp_path: Path) -> None:
        with store.writing("train", owner=RUN) as out:
            out.write(LINES)
        with refused("write after the block has ended", AdapterError):
            out.write(LINES)
        same("what was stored is what was written in the block", got(store, out.data, tmp_path), LINES)

    def test_text_is_not_written(self, store: Store, tmp_path: Path) -> None:
        with store.writing("train", owner=RUN) as out:
            with refused("write of text", TypeError):
                out.write(LINES.decode())  # type: ignore[arg-type]
            out.write(LINES)
        same("text that was refused is not stored", got(store, out.data, tmp_path), LINES)

    def test_a_block_that_fails_leaves_nothing(self, store: Store) -> None:
        before = list(self.kept(store))
        with refused("writing whose block raises Stop", Stop), store.writing("train", owner=RUN) as out:
            out.write(lines_of(self.large))
            raise Stop
        same("a block that fails leaves nothing", list(self.kept(store)), before)


class _Told:
    """A watch that remembers."""

    def __init__(self) -> None:
        self.times = self.most = 0
        self.last: tuple[int, int | None] = (0, None)

    def __call__(self, done: int, size: int | None) -> None:
        self.times += 1
        self.most = max(self.most, done)
        self.last = (done, size)


def _names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir() if each.is_file())
