"""The contract of stores finds what one does wrong, and says so in words that its author understands."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.storage import test_local_store as local
from wxtuning import LocalStore
from wxtuning.errors import UploadIntegrityError
from wxtuning.folder import scratch
from wxtuning.ports import Store, Watch, unwatched
from wxtuning.status import DataRef
from wxtuning.stored import file_of
from wxtuning.testing.contracts import StoreContract
from wxtuning.testing.hooks import LINES, file_in


class TakesAnySize(LocalStore):
    def exists(self, ref: DataRef) -> bool:
        return file_of(ref).exists()


class LeavesItsCheck(LocalStore):
    def check(self) -> tuple[str, ...]:
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        (Path(self.folder) / "check").touch()
        return ()


class ChecksInSilence(LocalStore):
    def check(self) -> Any:
        super().check()


class ChecksInOneWord(LocalStore):
    def check(self) -> Any:
        return "everything stays"


class WritesInPlace(LocalStore):
    def get(self, ref: DataRef, to: str | Path) -> None:
        shutil.copyfile(file_of(ref), to)


class LooksTooLate(LocalStore):
    def get(self, ref: DataRef, to: str | Path) -> None:
        shutil.copyfile(file_of(ref), to)
        if hashlib.sha256(Path(to).read_bytes()).hexdigest() != ref.sha256:
            raise UploadIntegrityError("too late", backend=self.name)


class TrustsWhatIsThere(LocalStore):
    def put(self, data: DataRef, name: str, *, owner: str, watch: Watch = unwatched) -> DataRef:
        known = [ref for ref in self.list(owner) if ref.sha256 == data.sha256]
        return known[0] if known else super().put(data, name, owner=owner, watch=watch)


class TakesFromOthers(LocalStore):
    def release(self, owner: str) -> tuple[DataRef, ...]:
        for ref in (found := self.list(owner)):
            self.delete(ref)
        return found


class LeavesWhatIsHalf(LocalStore):
    def release(self, owner: str) -> tuple[DataRef, ...]:
        hidden = Path(self.folder) / ".incoming"
        aside = hidden.rename(hidden.with_name(".aside")) if hidden.exists() else None
        found = super().release(owner)
        if aside:
            aside.rename(hidden)
        return found


class NeverSweeps(LocalStore):
    @contextmanager
    def _draft(self, name: str, owner: str, size: int = 0) -> Iterator[Any]:
        with scratch(Path(self.folder) / ".incoming" / owner, name) as draft:
            yield draft


class NotesTooLate(LocalStore):
    def put(self, data: DataRef, name: str, *, owner: str, watch: Watch = unwatched) -> DataRef:
        ref = super().put(data, name, owner=owner)
        (notes := Path(self.folder) / ".owners" / owner).rename(aside := Path(self.folder) / ".aside")
        watch(data.size_bytes, data.size_bytes)
        aside.rename(notes)
        return ref


class GivesTheDraft(LocalStore):
    @contextmanager
    def writing(self, name: str, *, owner: str, watch: Watch = unwatched) -> Iterator[Any]:
        with super().writing(name, owner=owner) as out:
            yield Late(out)


class Late:
    """Knows what was stored too early, and takes anything at any time."""

    data = DataRef(uri="", sha256="", rows=0, size_bytes=0)

    def __init__(self, out: Any) -> None:
        self._out = out

    def write(self, content: Any) -> int:
        with suppress(Exception):
            self._out.write(content)
        return len(content)


class ShowsIts(LocalStore):
    def describe(self) -> str:
        return f"{super().describe()}?key=secret"


CASES = [
    (TakesAnySize, "a_file_of_another_size_is_not_the_one", "exists is False where a file of another size"),
    (LeavesItsCheck, "a_check_changes_nothing", "check of an empty store leaves it as it is: found"),
    (ChecksInSilence, "a_check_tells_what_stays_in_sentences", "check gives a tuple of sentences"),
    (ChecksInOneWord, "a_check_tells_what_stays_in_sentences", "check gives a tuple of sentences"),
    (WritesInPlace, "a_file_is_replaced_in_one_step", "who has the old target open"),
    (WritesInPlace, "other_bytes_are_not_got", "raised nothing, expected UploadIntegrityError"),
    (LooksTooLate, "other_bytes_are_not_got", "get of wrong bytes leaves the target as it was"),
    (TrustsWhatIsThere, "a_file_that_somebody_changed_is_not_taken_for_the_one_to_put", "put finds wrong stored bytes"),
    (TakesFromOthers, "a_file_goes_with_the_last_of_its_owners", "release removes nothing that another owner needs"),
    (LeavesWhatIsHalf, "a_release_takes_what_an_interrupted_upload_left", "nothing of an interrupted upload is left"),
    (NeverSweeps, "the_next_put_takes_what_a_killed_one_left", "nothing that a killed process left"),
    (NeverSweeps, "the_next_writing_takes_what_a_killed_one_left", "nothing that a killed process left"),
    (NotesTooLate, "a_file_that_another_run_gives_up_while_it_is_put_is_there", "put returns a file that is there"),
    (GivesTheDraft, "what_is_written_is_no_file_before_the_block_has_ended", "data before the block has ended: raised"),
    (GivesTheDraft, "nothing_is_written_after_the_block_has_ended", "write after the block has ended: raised nothing"),
    (GivesTheDraft, "text_is_not_written", "write of text: raised nothing, expected TypeError"),
    (ShowsIts, "secrets_are_shown_nowhere", "shows a secret: found ['secret number 0']"),
]


class Contract(local.TestLocalStore):
    secrets = ("key=secret",)


@pytest.mark.parametrize(("kind", "promise", "said"), CASES, ids=[f"{kind.__name__} {said}" for kind, _, said in CASES])
def test_a_store_that_breaks_a_promise_is_told_which(
    tmp_path: Path, kind: type[LocalStore], promise: str, said: str
) -> None:
    test = getattr(Contract(), f"test_{promise}")
    with pytest.raises(AssertionError, match=re.escape(said)):
        test(kind(tmp_path / "shared"), tmp_path)


def test_a_store_that_fails_otherwise_is_told_what_was_expected(tmp_path: Path) -> None:
    class Breaks(LocalStore):
        def get(self, ref: DataRef, to: str | Path) -> None:
            raise KeyError(ref.uri)

    with pytest.raises(AssertionError, match=r"raised KeyError .* expected NotOffered"):
        Contract().test_what_is_not_there_is_not_got(Breaks(tmp_path / "shared"), tmp_path)


@pytest.mark.parametrize("hook", ["overwrite", "kept", "abandon"])
def test_a_contract_says_what_it_must_be_told(tmp_path: Path, hook: str) -> None:
    store: Store = LocalStore(tmp_path / "shared")
    data = file_in(tmp_path, LINES)
    arguments = {"overwrite": (data, b""), "kept": (), "abandon": (data, "train", "run-1")}
    with pytest.raises(NotImplementedError, match=f"override `{hook}`: it "):
        getattr(StoreContract(), hook)(store, *arguments[hook])
