"""A folder as a store."""

from wxtuning.adapters.folder.store import LocalStore

__all__ = ["LocalStore"]
