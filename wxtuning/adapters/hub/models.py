"""Models of the Hugging Face Hub: what of one is on this machine, and what the Hub has. Fetches none."""

from __future__ import annotations

from pathlib import Path

from wxtuning.adapters.hub.faults import model_translated
from wxtuning.adapters.hub.quiet import hushed


def copy_of(model: str) -> Path | None:
    """The folder of what was fetched of a model, which may be a part of it; None if nothing was. Asks nobody.

    Raises:
        ValueError: if no model can have this id.
    """
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(model, "config.json")
    return Path(found).parent if isinstance(found, str) else None


def files_of(model: str, *, timeout_seconds: float) -> frozenset[str]:
    """The names of a model's files, as the Hub has them now.

    Args:
        timeout_seconds: How long the Hub may be silent.

    Raises:
        NotOffered: if the Hub has no such model, or it is private: the Hub does not tell the two apart.
        NotAuthorized: if the model's files may not be read with the token that was found.
        Unavailable: if the Hub does not answer.
    """
    from huggingface_hub import HfApi

    with hushed(), model_translated(model):
        found = HfApi().model_info(model, timeout=timeout_seconds, expand=["gated", "siblings"])
        if found.gated:
            HfApi().auth_check(model)
        return frozenset(file.rfilename for file in found.siblings or ())
