"""How an answer is made: a value, without torch."""

from __future__ import annotations

from dataclasses import dataclass

from wxtuning.engine.errors import EngineError


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How an answer is made.

    Args:
        max_new_tokens, min_new_tokens: Tokens of the answer, the end token too; 1 or more, 0 or more.
        stop: Texts that end the answer before them.
        temperature: 0 takes the likeliest token each time; above 0 draws.
        top_p, top_k: Draw from the likeliest tokens that together reach top_p (above 0 to 1), or the top_k likeliest
            (0: all).
        repetition_penalty: Logits of tokens that were there before are divided by it, negative ones multiplied; above
            0, and 1 changes nothing (Keskar et al. 2019, arXiv:1909.05858).
        seed: The same seed draws the same.

    Raises:
        EngineError: `bad_config` for a value outside these ranges.
    """

    max_new_tokens: int
    min_new_tokens: int = 0
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        counts = self.max_new_tokens >= max(1, self.min_new_tokens) and self.min_new_tokens >= 0 and self.top_k >= 0
        numbers = self.temperature >= 0 and 0 < self.top_p <= 1 and self.repetition_penalty > 0
        if not counts or not numbers or isinstance(self.stop, str) or "" in self.stop:
            hint = (
                "max_new_tokens: 1 or more, and not below min_new_tokens; temperature, top_k: 0 or more; top_p: above 0"
                " to 1; repetition_penalty: above 0; stop: a sequence of texts that are not empty"
            )
            raise EngineError(f"cannot generate with {self}", code="bad_config", hint=hint)
