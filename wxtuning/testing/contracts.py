"""What every adapter of a kind must do, as tests to inherit. Needs pytest.

class TestMyStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return MyStore(...)

    def overwrite(self, store, ref, content): ...  # put other bytes in a file's place, behind the store's back
    def kept(self, store): ...  # the names of all that lies there
    def abandon(self, store, data, name, owner): ...  # leave what a killed process leaves
"""

from __future__ import annotations

from wxtuning.testing.hooks import StoreHooks
from wxtuning.testing.keeping import KeepingContract
from wxtuning.testing.owning import OwningContract

__all__ = ["StoreContract", "StoreHooks"]


class StoreContract(KeepingContract, OwningContract):
    """The promises of `wxtuning.ports.Store`. What it must be told of a store is in `StoreHooks`."""
