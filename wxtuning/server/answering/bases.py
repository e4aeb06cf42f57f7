"""The models that answer: loaded when they are first asked, shared, dropped when others need their memory.

Knows folders and Hub ids; knows nothing of requests.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from wxtuning import engine
from wxtuning.engine import EngineError
from wxtuning.folder import sha256_of
from wxtuning.progress import import_tqdm
from wxtuning.server.answering.failures import Failures

if TYPE_CHECKING:
    from wxtuning.engine.generate import Generator

MOST_LORA = 32
"""LoRA adapters on one base; it is loaded anew for one more, because they stay in its layers."""
MOST_ADAPTERS = 512
"""Adapters of all bases that are kept ready."""


class Bases:
    """Safe for several threads: two that ask for the same base load it once, others do not wait for them.

    Args:
        memory_bytes: What all bases together may take; the least recently used ones go first, the newest always stays.
            None takes 60 percent of the machine's memory.
        failures: What the Hub did not give.
    """

    def __init__(self, memory_bytes: int | None = None, *, failures: Failures | None = None) -> None:
        self._failures = failures or Failures()
        self._memory = memory_bytes or int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 0.6)
        self._turn = threading.Lock()
        self._loading: dict[str, threading.Lock] = {}
        self._bases: OrderedDict[str, Generator] = OrderedDict()
        self._adapted: OrderedDict[tuple[str, Path], Generator] = OrderedDict()

    @property
    def loaded(self) -> tuple[str, ...]:
        """The bases in memory, the least recently used one first."""
        with self._turn:
            return tuple(self._bases)

    def generator(self, model: str, adapter: Path | None, sha256: str = "") -> Generator:
        """The base with an adapter or none; the adapter's weights must have the digest, if one is given.

        Raises:
            EngineError: if the model or the adapter cannot be loaded, or is not the one that is meant.
        """
        with self._turn:
            loading = self._loading.setdefault(model, threading.Lock())
        with loading:
            base = self._base(model)
            return base if adapter is None else self._with_adapter(model, base, adapter, sha256)

    def clear(self) -> None:
        """Drop everything."""
        with self._turn:
            self._bases.clear()
            self._adapted.clear()

    def _base(self, model: str) -> Generator:
        with self._turn:
            if found := self._bases.get(model):
                self._bases.move_to_end(model)
                return found
        import_tqdm()  # before transformers does, in whose hands it warns
        with self._failures.remembered(model):
            loaded = engine.Generator.load(model)
        with self._turn:
            self._bases[model] = loaded
            self._make_room()
        return loaded

    def _with_adapter(self, model: str, base: Generator, folder: Path, sha256: str) -> Generator:
        with self._turn:
            if found := self._adapted.get((model, folder)):
                self._adapted.move_to_end((model, folder))
                return found
            full = sum(of == model and one.lora is not None for (of, _), one in self._adapted.items()) >= MOST_LORA
        if full:
            self._drop(model)
            base = self._base(model)
        _check(folder, sha256)
        made = base.with_adapter(folder)
        with self._turn:
            self._adapted[model, folder] = made
            if len(self._adapted) > MOST_ADAPTERS:
                self._adapted.popitem(last=False)
        return made

    def _drop(self, model: str) -> None:
        with self._turn:
            self._forget(model)

    def _make_room(self) -> None:
        while len(self._bases) > 1 and sum(base.bytes for base in self._bases.values()) > self._memory:
            self._forget(next(iter(self._bases)))

    def _forget(self, model: str) -> None:
        # What is being answered goes on with the base that it has; then its memory is free.
        self._bases.pop(model, None)
        for key in [key for key in self._adapted if key[0] == model]:
            del self._adapted[key]


def _check(folder: Path, sha256: str) -> None:
    weights = folder / "adapter_model.safetensors"
    if sha256 and weights.is_file() and sha256_of(weights) != sha256:
        raise EngineError("the adapter is not the one that was deployed", code="bad_adapter", hint="deploy it again")
