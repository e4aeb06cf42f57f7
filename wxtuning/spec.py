"""What the user asked for. Values that validate themselves; they know nothing of backends, files or defaults of models.

A parameter that is None means "what the backend recommends for this model"; `plan()` fills it in and shows it.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from wxtuning.errors import PlanError

Task = Literal["classification", "generation", "summarization"]
InitMethod = Literal["random", "text", "auto"]

EMBEDDED_MODEL = "wxtuning/tiny"
"""The base model that ships inside the package."""

Positive = Annotated[int, Field(ge=1)]


class Spec(BaseModel):
    """Frozen, and closed to unknown names.

    Raises:
        PlanError: With every wrong field at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)

    def __init__(self, **fields: object) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as cause:
            raise PlanError(_problems(type(self), cause)) from None


def _problems(spec: type[Spec], cause: ValidationError) -> list[str]:
    # Only place and message are read: the rest of a pydantic error echoes what was given, secrets included.
    found = cause.errors(include_url=False, include_context=False, include_input=False)
    return [f"{spec.__name__}: {_problem(spec, error['loc'], error['msg'])}" for error in found]


def _problem(spec: type[Spec], place: tuple[int | str, ...], message: str) -> str:
    field = ".".join(map(str, place))
    if message == "Extra inputs are not permitted":
        near = get_close_matches(field, spec.model_fields, n=1)
        message = f"no such parameter; did you mean {near[0]}?" if near else "no such parameter"
    return f"{field}: {message}" if field else message.removeprefix("Value error, ")


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

    @model_validator(mode="after")
    def _has_a_place_for_the_input(self) -> _Tuning:
        if self.verbalizer.count("{{input}}") != 1:
            raise ValueError("verbalizer must hold {{input}} exactly once, for example 'Input: {{input}} Output:'")
        return self


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
    init_text: str | None = None
    num_virtual_tokens: Positive | None = None

    @model_validator(mode="before")
    @classmethod
    def _text_alone_means_text(cls, given: object) -> object:
        if isinstance(given, dict) and given.get("init_text") and not {"init_method", "init"} & given.keys():
            return {**given, "init_method": "text"}
        return given

    @model_validator(mode="after")
    def _text_goes_with_the_text_method(self) -> PromptTuning:
        if self.init_method == "text" and not (self.init_text or "").strip():
            raise ValueError("init_method='text' needs init_text, the words that the soft prompt starts from")
        if self.init_method != "text" and self.init_text is not None:
            raise ValueError(f"init_text is only used with init_method='text', not with {self.init_method!r}")
        return self


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


class Cleaning(Spec):
    """Which cleaning steps are done; every row that a step changes or removes is counted and can be listed.

    Args:
        strip: Remove white space around input and output.
        drop_empty: Remove rows whose input or output is empty or only white space.
        drop_duplicates: Of rows with the same input and output, keep the first.
    """

    strip: bool = True
    drop_empty: bool = True
    drop_duplicates: bool = True


NO_CLEANING = Cleaning(strip=False, drop_empty=False, drop_duplicates=False)


class Mapping(Spec):
    """Which columns become input and output.

    Args:
        input, output: A column's name, or a template over several columns such as `"{title}: {body}"`.
        label_map: From each label of the data to the word that the model learns to write for it. Answers and scores
            are in the data's own labels again.
        validation: Rows whose loss is measured after every epoch: a share (below 1) or a number of rows.
    """

    input: str = "input"
    output: str = "output"
    label_map: dict[str, str] = {}
    validation: Annotated[float, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _maps_two_labels_to_two_words(self) -> Mapping:
        if len(set(self.label_map.values())) < len(self.label_map):
            raise ValueError("label_map gives two labels the same word, so answers could not be told apart")
        return self


class Evaluation(Spec):
    """How tuned and untuned answers are compared.

    Args:
        holdout: Rows kept out of training to be scored: a share (below 1) or a number of rows. Rows with the same
            input always stay on one side.
        instruction: What a person would write in front of the input for the untuned model, the fair opponent of
            tuning; None takes the initialisation text, or one written from task and labels.
        seed: Chooses the rows held out.
        bootstrap_samples: Resamplings behind each confidence interval.
    """

    holdout: Annotated[float, Field(gt=0)] = 0.1
    instruction: str | None = None
    seed: int = 0
    bootstrap_samples: Annotated[int, Field(ge=100)] = 2_000


class DeploymentSpec(Spec):
    """Under which name the tuned model answers."""

    name: Annotated[str, Field(min_length=1)]
    description: str = ""
    tags: tuple[str, ...] = ()


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
    limit: Positive | None = None
    cleaning: Cleaning = NO_CLEANING
    mapping: Mapping = Mapping()
    method: Method = Field(default_factory=PromptTuning, discriminator="method")
    evaluation: Evaluation | None = None
    deployment: DeploymentSpec | None = None
    wait: WaitPolicy = WaitPolicy()
