"""The tiny base model of the package: where its files are, and the task it is demonstrated on.

A demonstration model, trained on generated English customer comments only. Imports nothing heavy; the modules that
make the model (`corpus`, `tokenizer`, `pretrain`, `gates`) are imported by whoever makes it.
"""

from importlib.resources import files
from pathlib import Path

MODEL_ID = "wxtuning/tiny"
INSTRUCTION = "Classify the comment as satisfied or unsatisfied."
"""What a person would write for the demonstration task: the fair opponent of a tuned prompt."""

__all__ = ["INSTRUCTION", "MODEL_ID", "demonstration_file", "model_folder"]


def model_folder() -> Path:
    """The folder of the shipped model, loadable with `AutoModelForCausalLM.from_pretrained` without a network."""
    return Path(str(files(__package__))) / "model"


def demonstration_file() -> Path:
    """The shipped demonstration data: JSON lines with comment, satisfaction, product, city and order_number."""
    return Path(str(files(__package__))) / "demonstration.jsonl"
