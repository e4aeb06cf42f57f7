"""Whether LoRA fits a base, told by the base's shape: no weights are read."""

from __future__ import annotations

from wxtuning.engine.config import TuneConfig
from wxtuning.engine.lora import new_lora
from wxtuning.engine.model import hollow_base


def check_targets(config: TuneConfig) -> None:
    """Whether `config.target_modules` can be adapted in the base, as a run would find out.

    Raises EngineError: as `new_lora` and `load_base`.
    """
    new_lora(hollow_base(config.model, revision=config.revision), config)
