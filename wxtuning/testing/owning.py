"""The contract of stores, second half: who needs a file, and what is left when nobody does."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier

from wxtuning.ports import Store
from wxtuning.status import DataRef
from wxtuning.testing.expecting import same
from wxtuning.testing.hooks import LINES, OTHER, RUN, Stop, StoreHooks, file_in, got, lines_of, stopping


class OwningContract(StoreHooks):
    """`list`, `release`, `delete` and `check`, and what `put` and `writing` leave."""

    def test_a_deleted_file_is_gone_and_can_be_deleted_again(self, store: Store, tmp_path: Path) -> None:
        ref = store.put(file_in(tmp_path, LINES), "train", owner=RUN)
        store.delete(ref)
        store.delete(ref)
        same("exists and list know nothing of a deleted file", (store.exists(ref), store.list(RUN)), (False, ()))

    def test_an_owner_is_told_its_files(self, store: Store, tmp_path: Path) -> None:
        train = store.put(file_in(tmp_path, LINES * 2), "train", owner=RUN)
        validation = store.put(file_in(tmp_path, LINES, "v"), "validation", owner=RUN)
        store.put(file_in(tmp_path, LINES * 3, "o"), "train", owner=OTHER)
        same("list gives the owner's files by name, and no others", store.list(RUN), (train, validation))
        same("list of an owner of nothing is empty", store.list("nobody"), ())

    def test_an_owner_whose_name_begins_like_another_is_another(self, store: Store, tmp_path: Path) -> None:
        ref = store.put(file_in(tmp_path, LINES), "train", owner=f"{RUN}0")
        same(f"{RUN!r} owns nothing of {RUN + '0'!r}", (store.list(RUN), store.release(RUN)), ((), ()))
        same("a file stays when another owner gives up its own", store.exists(ref), True)

    def test_a_file_goes_with_the_last_of_its_owners(self, store: Store, tmp_path: Path) -> None:
        before = list(self.kept(store))
        ref = store.put(file_in(tmp_path, LINES), "train", owner=RUN)
        store.put(file_in(tmp_path, LINES), "train", owner=OTHER)
        same("release removes nothing that another owner needs", store.release(RUN), ())
        same("the file stays for the other owner", (store.exists(ref), store.list(OTHER)), (True, (ref,)))
        same("release by the last owner removes the file, and says so", store.release(OTHER), (ref,))
        same("release of nothing removes nothing", store.release(OTHER), ())
        same("nothing is left when no owner is", list(self.kept(store)), before)

    # --- two at once ------------------------------------------------------------------------------------------------

    def test_a_file_that_another_run_gives_up_while_it_is_put_is_there(self, store: Store, tmp_path: Path) -> None:
        data = file_in(tmp_path, LINES)
        store.put(data, "train", owner=RUN)

        def giving_up(done: int, size: int | None) -> None:
            store.release(RUN)

        ref = store.put(data, "train", owner=OTHER, watch=giving_up)
        self._check_needed(store, ref, tmp_path)

    def test_whoever_gives_a_file_up_takes_it_from_nobody(self, store: Store, tmp_path: Path) -> None:
        data = file_in(tmp_path, LINES)
        for _ in range(self.rounds):
            store.put(data, "train", owner=RUN)
            start = Barrier(2)

            def give_up(start: Barrier = start) -> None:
                start.wait(60)
                store.release(RUN)

            with ThreadPoolExecutor(1) as pool:
                giving_up = pool.submit(give_up)
                start.wait(60)
                ref = store.put(data, "train", owner=OTHER)
                giving_up.result()
            self._check_needed(store, ref, tmp_path)
            store.release(OTHER)

    def _check_needed(self, store: Store, ref: DataRef, folder: Path) -> None:
        same("put returns a file that is there, whoever else gives it up", store.exists(ref), True)
        same("the file is whole", got(store, ref, folder), LINES)
        same("its owner is told of it", ref in store.list(OTHER), True)

    # --- what is left -----------------------------------------------------------------------------------------------

    def test_a_release_takes_what_an_interrupted_upload_left(self, store: Store, tmp_path: Path) -> None:
        data, before = file_in(tmp_path, lines_of(self.large)), list(self.kept(store))
        with suppress(Stop):
            store.put(data, "train", owner=RUN, watch=stopping)
        self.abandon(store, data, "train", RUN)
        store.release(RUN)
        same("nothing of an interrupted upload is left after release", list(self.kept(store)), before)

    def test_the_next_put_takes_what_a_killed_one_left(self, store: Store, tmp_path: Path) -> None:
        data = file_in(tmp_path, lines_of(self.large))
        store.put(data, "train", owner=RUN)
        expected = list(self.kept(store))
        self.abandon(store, data, "train", RUN)
        store.put(data, "train", owner=RUN)
        same("nothing that a killed process left is there after the next put", list(self.kept(store)), expected)

    def test_the_next_writing_takes_what_a_killed_one_left(self, store: Store, tmp_path: Path) -> None:
        content = lines_of(self.large)
        data = file_in(tmp_path, content)
        store.put(data, "train", owner=RUN)
        expected = list(self.kept(store))
        self.abandon(store, data, "train", RUN)
        with store.writing("train", owner=RUN) as out:
            out.write(content)
        same("nothing that a killed process left is there after the next writing", list(self.kept(store)), expected)

    def test_what_an_owner_is_writing_is_left_alone_by_others(self, store: Store, tmp_path: Path) -> None:
        content = lines_of(self.large)
        with store.writing("train", owner=OTHER) as out:
            out.write(content)
            store.put(file_in(tmp_path, LINES), "train", owner=RUN)
            store.release(RUN)
        same("what was written meanwhile is whole", got(store, out.data, tmp_path), content)

    # --- what it shows ----------------------------------------------------------------------------------------------

    def test_a_check_changes_nothing(self, store: Store, tmp_path: Path) -> None:
        before = list(self.kept(store))
        store.check()
        same("check of an empty store leaves it as it is", list(self.kept(store)), before)
        store.put(file_in(tmp_path, LINES), "train", owner=RUN)
        before = list(self.kept(store))
        store.check()
        same("check of a store with a file leaves it as it is", list(self.kept(store)), before)

    def test_a_check_tells_what_stays_in_sentences(self, store: Store, tmp_path: Path) -> None:
        told = store.check()
        is_told = isinstance(told, tuple) and all(isinstance(each, str) for each in told)
        same("check gives a tuple of sentences, empty if everything can be removed", is_told, True)

    def test_secrets_are_shown_nowhere(self, store: Store, tmp_path: Path) -> None:
        ref = store.put(file_in(tmp_path, LINES), "train", owner=RUN)
        shown = f"{store!r} {store} {store.describe()} {ref} {pickle.dumps(store)!r}"
        found = [f"secret number {number}" for number, secret in enumerate(self.secrets) if secret in shown]
        same("neither repr, str, describe(), a reference nor a pickle shows a secret", found, [])
