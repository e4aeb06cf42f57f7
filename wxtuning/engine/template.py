"""The one renderer of tuning, scoring and serving: the same text reaches the model in all three."""

from __future__ import annotations

FIELD = "{{input}}"


def render(verbalizer: str, input: str) -> str:
    """The prompt: `input` in the place of {{input}}, taken literally; spaces at its end go, an answer brings one."""
    before, _, after = verbalizer.partition(FIELD)
    return f"{before}{input}{after}".rstrip(" ")
