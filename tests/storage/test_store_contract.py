"""The contract of every store, kept by COS, with HMAC keys and with IAM."""

from __future__ import annotations

import pytest

from tests.storage.doors import PART, Door
from tests.storage.iam import API_KEY
from tests.storage.swift import OWNER
from wxtuning.adapters.cos import COS
from wxtuning.ports import Store
from wxtuning.status import DataRef
from wxtuning.stored import file_of
from wxtuning.testing.contracts import StoreContract


class CosContract(StoreContract):
    secrets = (OWNER.secret_key, API_KEY)
    large = 6_000_000  # two parts

    @pytest.fixture
    def store(self, door: Door) -> COS:
        self.door = door
        return door.store(prefix="team/data")

    def overwrite(self, store: Store, ref: DataRef, content: bytes) -> None:
        self.door.bucket.put(self.door.bucket.key_of(ref), content)

    def kept(self, store: Store) -> list[str]:
        return [*self.door.bucket.all_keys(), *(f"upload of {key}" for key in self.door.bucket.uploads())]

    def abandon(self, store: Store, data: DataRef, name: str, owner: str) -> None:
        # As `test_interruptions` finds it after a kill before the copy, and after one before that.
        content = file_of(data).read_bytes()
        self.door.bucket.put(f"team/data/.incoming/{owner}/{name}", content)
        self.door.bucket.begin_upload(f"team/data/.incoming/{owner}/{name}", content[:PART])


class TestCosWithHmacKeys(CosContract):
    @pytest.fixture
    def door(self, hmac: Door) -> Door:
        return hmac


class TestCosWithIam(CosContract):
    @pytest.fixture
    def door(self, iam: Door) -> Door:
        return iam
