"""What the user asked for. Values that validate themselves; they know nothing of backends, files or defaults of models.

A parameter that is None means "what the backend recommends for this model"; `plan()` fills it in and shows it.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from wxtuning.problems import as_plan_error

Task = Literal["classification", "generation", "summarization"]
InitMethod = Literal["random", "text", "auto"]
OnReject = Literal["stop", "skip"]
Sampling = Literal["first", "random"]

EMBEDDED_MODEL = "wxtuning/tiny"
"""The base model that ships inside the package."""

ANSWER_TOKENS = 128
"""The tokens of an answer, where neither the rows nor a person say how many."""

Positive = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(min_length=1)]


class Spec(BaseModel):
    """Frozen, and closed to unknown names.

    Raises:
        PlanError: With every wrong field at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)

    def __init__(self, **fields: object) -> None:
        with as_plan_error(type(self)):
            super().__init__(**fields)

    # Tells pydantic to look into specs inside a spec by itself. Through their __init__ it would learn of all that is
    # wrong with one of them as a single error without a place.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def model_validate(cls, obj: object, **how: Any) -> Self:
        """Read a spec from a dict, or check a spec."""
        with as_plan_error(cls):
            return super().model_validate(obj, **how)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **how: Any) -> Self:
        """Read what `model_dump_json` wrote."""
        with as_plan_error(cls):
            return super().model_validate_json(json_data, **how)

    @classmethod
    def model_validate_strings(cls, obj: object, **how: Any) -> Self:
        """Read a spec from a dict whose values are all text."""
        with as_plan_error(cls):
            return super().model_validate_strings(obj, **how)


class _Tuning(Spec):
    model: str = EMBEDDED_MODEL
    num_epochs: Positive | None = None
    learning_rate: Annotated[float, Field(gt=0, lt=10)] | None = None
    batch_size: Positive | None = None
    accumulate_steps: Positive | None = None
    max_input_tokens: Positive | None = None
    max_output_tokens: Positive | None = None
    verbalizer: str = "Input: {{input}} Output:"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    early_stopping_patience: Positive | None = None

    # `model` is what everybody names first, so it may stand without its name.
    def __init__(self, model: str = EMBEDDED_MODEL, **parameters: object) -> None:
        super().__init__(model=model, **parameters)

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @field_validator("verbalizer")
    @classmethod
    def _has_a_place_for_the_input(cls, verbalizer: str) -> str:
        if (times := verbalizer.count("{{input}}")) != 1:
            raise ValueError(
                f"expected {{{{input}}}} exactly once, found it {times} times; write, for example, "
                "'Input: {{input}} Output:'"
            )
        return verbalizer


class PromptTuning(_Tuning):
    """Tune a soft prompt in front of the frozen model (Lester et al. 2021, arXiv:2104.08691).

    Args:
        model: `wxtuning/tiny` (ships inside the package, the default), a folder, or a Hugging Face model id.
        init_method: `random`, `text` (needs `init_text`) or `auto` (wxtuning writes the text from task and labels);
            `init` is accepted as a shorter name.
        init_text: The words whose embeddings the soft prompt starts from; given alone it means `init_method="text"`.
        num_virtual_tokens: Length of the soft prompt, 1 and more.
        num_epochs, learning_rate, batch_size, accumulate_steps: As in watsonx.ai; None means the backend's
            recommendation for this model.
        max_input_tokens, max_output_tokens: Token limits of a row; None means 256 for the input and, for the output,
            128 or (classification) the longest label plus one.
        verbalizer: How an input is rendered for the model, with `{{input}}` once.
        seed: 0 to 2**32 - 1; the same seed on the same machine gives the same adapter, byte for byte.
        early_stopping_patience: Stop after so many epochs without a better validation loss; None never stops early.

    Raises:
        PlanError: With every wrong field at once.
    """

    method: Literal["prompt_tuning"] = "prompt_tuning"
    init_method: InitMethod = Field(default="random", validation_alias=AliasChoices("init_method", "init"))
    init_text: str | None = Field(default=None, validate_default=True)
    num_virtual_tokens: Positive | None = None

    @model_validator(mode="before")
    @classmethod
    def _text_alone_means_text(cls, given: object) -> object:
        if not isinstance(given, dict) or given.get("init_text") is None or {"init_method", "init"} & given.keys():
            return given
        return {**given, "init_method": "text"}

    @field_validator("init_text")
    @classmethod
    def _goes_with_the_text_method(cls, text: str | None, given: ValidationInfo) -> str | None:
        if "init_method" not in given.data:  # it is wrong itself, so nothing can be said about the two
            return text
        method = given.data["init_method"]
        if method == "text" and not (text or "").strip():
            raise ValueError(_no_words(text))
        if method != "text" and text is not None:
            raise ValueError(f"only used with init_method='text', not with {method!r}; leave one of the two out")
        return text


def _no_words(text: str | None) -> str:
    found = "found nothing" if text is None else "found an empty text"
    return f"{found}, expected the words that the soft prompt starts from; write them, or take another init_method"


class LoRA(_Tuning):
    """Tune low-rank matrices beside the frozen weights (Hu et al. 2021, arXiv:2106.09685).

    Args:
        model: As for `PromptTuning`.
        r: Rank of the matrices, 1 and more.
        lora_alpha: Their scale; the update is multiplied by `lora_alpha / r`.
        lora_dropout: 0 to below 1.
        target_modules: Names of the linear layers to adapt; None means PEFT's own choice for the model's class.

    The other parameters are those of `PromptTuning`.
    """

    method: Literal["lora"] = "lora"
    r: Positive | None = None
    lora_alpha: Positive | None = None
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    target_modules: tuple[str, ...] | None = None


Method = PromptTuning | LoRA


NearDuplicates = Literal["auto", "warn", "drop", "keep"]


class Cleaning(Spec):
    """Which cleaning steps are done; every row that a step changes, removes or flags is counted and can be listed.

    Args:
        fix_mojibake: Repair text that was read in the wrong encoding (`donâ€™t`).
        normalize: Write composed characters in one way (Unicode NFC).
        strip: Remove white space around input and output.
        drop_empty: Remove rows whose input or output is empty or only white space.
        drop_duplicates: Of rows with the same input and output, keep the first.
        near_duplicates: What happens to rows whose input and output are nearly those of an earlier row: `warn` counts
            and lists them, `drop` keeps the first, `keep` does not look; `auto` is `warn` up to 20,000 rows.
        near_threshold: How alike two texts are that count as nearly the same, 0.5 to 1: the share of their pairs of
            neighbouring words that both have (Jaccard), case and punctuation aside.
        conflicts: Rows with the same input and different outputs: `keep` warns of them, `drop` removes all of them.
        min_characters: Least length of an input; shorter rows are removed.
        max_characters: Greatest length of an input and of an output; None sets no bound. Longer rows are removed.
        fix_labels: Replace an output that is nearly one label, and only one, by it; otherwise such rows are rejected
            with the label as a suggestion.
        flag_personal: List rows with e-mail addresses, phone numbers, IBANs, card numbers or IP addresses. They are
            kept, and no report quotes them.
    """

    fix_mojibake: bool = True
    normalize: bool = True
    strip: bool = True
    drop_empty: bool = True
    drop_duplicates: bool = True
    near_duplicates: NearDuplicates = "auto"
    near_threshold: Annotated[float, Field(ge=0.5, le=1)] = 0.7
    conflicts: Literal["keep", "drop"] = "keep"
    min_characters: Annotated[int, Field(ge=0)] = 0
    max_characters: Positive | None = None
    fix_labels: bool = False
    flag_personal: bool = True


NO_CLEANING = Cleaning(
    fix_mojibake=False,
    normalize=False,
    strip=False,
    drop_empty=False,
    drop_duplicates=False,
    near_duplicates="keep",
    flag_personal=False,
)


class Mapping(Spec):
    """Which columns become input and output.

    Args:
        input, output: A column's name, or a template over several columns such as `"{title}: {body}"`; None infers
            it from the columns' names, where only one reading fits the task.
        messages: Instead of both, a column with chat messages, a list of `role` and `content`: the last answer of the
            assistant is the output, what stands before it the input.
        label_map: From each label of the data to the word that the model learns to write for it. Answers and scores
            are in the data's own labels again.
        validation: Rows whose loss is measured after every epoch: a share (below 1) or a number of rows.
        allow_cut_outputs: Tune also on outputs that max_output_tokens cuts; by default a plan refuses them.
        allow_cut_inputs: The same for inputs in a summarization; other tasks cut long inputs with a warning.
    """

    input: str | None = None
    output: str | None = None
    messages: str | None = Field(default=None, validate_default=True)
    label_map: dict[str, str] = {}
    validation: Annotated[float, Field(ge=0)] = 0
    allow_cut_outputs: bool = False
    allow_cut_inputs: bool = False

    @field_validator("messages")
    @classmethod
    def _stands_alone(cls, messages: str | None, given: ValidationInfo) -> str | None:
        if messages is not None and (given.data.get("input") or given.data.get("output")):
            raise ValueError("messages hold input and output, and one of them is given too; leave one of the two out")
        return messages

    @field_validator("label_map")
    @classmethod
    def _maps_two_labels_to_two_words(cls, words: dict[str, str]) -> dict[str, str]:
        counts = Counter(words.values())
        if shared := [label for label, word in words.items() if counts[word] > 1]:
            raise ValueError(
                f"labels {', '.join(map(repr, shared))} have the same word as another, so answers could not be told "
                "apart; give each its own"
            )
        return words


class Selection(Spec):
    """Which part of a data set is read, and how; the words are those of `datasets.load_dataset`.

    Args:
        split: `train`, `test`, ...; None takes the only one there is.
        revision: A branch, tag or commit of the Hub; None means `main`. The plan pins the commit it stands for.
        name: The configuration, of a data set that has several.
        columns: The only columns read; None reads all.
        streaming: Read from the Hub without keeping a copy, and no more of it than is used.
    """

    split: Name | None = None
    revision: Name | None = None
    name: Name | None = None
    columns: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    streaming: bool = False


class Evaluation(Spec):
    """How tuned and untuned answers are compared.

    Args:
        holdout: Rows kept out of training to be scored: a share (below 1) or a number of rows. Rows with the same or
            nearly the same input always stay on one side.
        test: A file, a glob or a Hub id with rows of your own to be scored instead; none may be among the training
            rows, nor nearly be.
        test_split: The split that `test` means, of a source that has several. Where `test` is what was loaded, its
            other parts (`revision`, `name`, ...) are those that were loaded too.
        instruction: What a person would write in front of the input for the untuned model, the fair opponent of
            tuning; None takes the initialisation text, or one written from task and labels.
        seed: Chooses the rows held out.
        bootstrap_samples: Resamplings behind each confidence interval.
    """

    holdout: Annotated[float, Field(gt=0)] = 0.1
    test: Name | None = None
    test_split: Name | None = None
    instruction: str | None = None
    seed: int = 0
    bootstrap_samples: Annotated[int, Field(ge=100)] = 2_000


class DeploymentSpec(Spec):
    """Under which name the tuned model answers.

    Args:
        name, description, tags: For people.
        serving_name: What callers may use in an address instead of an id: 1 to 36 letters, digits and underscores, not
            in use by another deployment. None leaves it to the backend, which may give none.
        space: The deployment space, by name or id, of a backend that has them; None deploys where the job ran.
    """

    name: Annotated[str, Field(min_length=1)]
    description: str = ""
    tags: tuple[str, ...] = ()
    serving_name: str | None = None
    space: Name | None = None

    @field_validator("serving_name")
    @classmethod
    def _fits_into_an_address(cls, name: str | None) -> str | None:
        if name is None or re.fullmatch("[A-Za-z0-9_]{1,36}", name):
            return name
        raise ValueError(
            "found another text, expected 1 to 36 letters (A to Z), digits and underscores, such as support_tone_1; "
            "change it, or leave it out"
        )


class WaitPolicy(Spec):
    """How a job is watched.

    Args:
        every_seconds: Pause between two looks; None takes the backend's own advice (local: a fifth of a second).
        timeout_seconds: When to stop waiting; the job itself goes on.
    """

    every_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    timeout_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 6 * 3600.0


class ExperimentSpec(Spec):
    """Everything a person says about an experiment, but for the rows and the place where it runs."""

    name: Annotated[str, Field(min_length=1)]
    task: Task = "generation"
    labels: tuple[str, ...] = ()
    description: str = ""
    tags: tuple[str, ...] = ()
    selection: Selection = Selection()
    limit: Positive | None = None
    sample: Sampling = "first"
    sample_seed: int = 0
    on_reject: OnReject = "stop"
    cleaning: Cleaning = NO_CLEANING
    mapping: Mapping = Mapping()
    method: Method = Field(default_factory=PromptTuning, discriminator="method")
    evaluation: Evaluation | None = None
    deployment: DeploymentSpec | None = None
    wait: WaitPolicy = WaitPolicy()
