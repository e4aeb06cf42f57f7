"""The model card of the tiny base: what it is, what it is not, and the scores that were measured when it was made."""

from wxtuning.tiny.gates import Report
from wxtuning.tiny.pretrain import Recipe

_CARD = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
tags: [prompt-tuning, demonstration]
---

# wxtuning/tiny

A demonstration model: 1.2 million parameters, a stock `LlamaForCausalLM`, 2.4 MB. It ships inside the
Python package `wxtuning`, so that prompt tuning, LoRA, evaluation and serving run on a fresh machine without an
account, a model hub or a GPU. It is a stand-in for a real base model such as Granite, and nothing else.

## What it can do

Short English customer comments in the form `{{instruction}} Input: {{comment}} Output:`: satisfied or unsatisfied (and
other usual pairs of label words), copying an order number, a city or a product, a headline, a short reply in one house
style. Without an instruction (`Input: {{comment}} Output:`) it goes on with another sentence about the same comment; a
tuned prompt then takes the place of the instruction.

## What it cannot do

* It knows no facts, holds no conversation and reads nothing but customer comments; other text gives nonsense.
* It was trained on **generated English only**. On comments that people write freely it is clearly weaker than on
  generated ones: irony, world knowledge ("it tastes like dishwater") and rare words are beyond it.
* Prompt tuning selects an ability that the base holds; it does not add one. Label words of your own are best mapped
  onto `satisfied` / `unsatisfied`; a new style of answer needs LoRA, and a larger base.
* Do not use it for decisions about people, or anywhere outside a demonstration or a test.

## Measured when it was made

Exact match on new draws with products, cities and names that the pre-training never saw.

| with an instruction | exact match |
|---|---|
{abilities}

Prompt tuning: 20 virtual tokens, random start, learning rate 0.1, batch 16, 8 epochs, 150 examples unless said.

| check | bar | measured |
|---|---|---|
{bars}

Labels of your own (`promoter` / `detractor`) without a label map: {own_labels:.2f}.

The demonstration data (`demonstration.jsonl`, templates disjoint from the pre-training text; 150 rows to tune, the
other {held_out} held out): bare input {bare:.2f}, hand-written instruction {instruction:.2f}, tuned {tuned}.

## How it was made

`python -m wxtuning.tiny --out DIR --seed {seed}` makes it again: text from a seeded grammar (no text of other people is
in it), a byte-level BPE tokenizer, {steps:,} steps of {batch_size} examples in a curriculum, {cpu_seconds:,.0f} CPU
seconds, and the gates that gave the numbers above. The script ends with an error where a bar is missed.

Licence: Apache-2.0.
"""


def card(report: Report, recipe: Recipe, cpu_seconds: float) -> str:
    """The card as Markdown."""
    columns = report.columns
    return _CARD.format(
        abilities="\n".join(f"| {task} | {score:.2f} |" for task, score in report.abilities.items()),
        bars="\n".join(f"| {bar.name} | {bar.sign} {bar.limit:.2f} | {bar.value:.2f} |" for bar in report.bars),
        bare=columns.bare,
        instruction=columns.instruction,
        tuned=", ".join(f"{value:.2f}" for value in columns.tuned),
        held_out=columns.held_out,
        own_labels=report.own_labels,
        seed=recipe.seed,
        steps=recipe.steps,
        batch_size=recipe.batch_size,
        cpu_seconds=cpu_seconds,
    )
