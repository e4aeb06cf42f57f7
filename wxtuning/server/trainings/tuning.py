"""From a training to a job folder of the engine: its data checked and copied, its config written. Starts nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from wxtuning import engine
from wxtuning.engine.config import TuneConfig
from wxtuning.engine.errors import EngineError
from wxtuning.errors import DataError
from wxtuning.folder import write_atomically
from wxtuning.server.data.copying import copy_data
from wxtuning.server.errors import invalid
from wxtuning.server.ground import Ground
from wxtuning.server.state import Resource
from wxtuning.server.trainings.catalog import MOST_RECORDS
from wxtuning.server.trainings.kinds import KINDS, PROMPT_TUNING, Kind
from wxtuning.server.trainings.parameters import before_answer
from wxtuning.server.trainings.quotes import quoted
from wxtuning.server.trainings.results import job_folder
from wxtuning.spec import ANSWER_TOKENS

MOST_NAMED = 5
"""Records that a failure names; the rest are counted."""

_PASSED = (
    "init_method", "init_text", "num_virtual_tokens", "num_epochs", "learning_rate", "batch_size", "accumulate_steps",
    "max_input_tokens", "max_output_tokens", "verbalizer",
)  # fmt: skip


def prepare(ground: Ground, training: Resource) -> Path:
    """Make the folder that the engine works in; one that is whole is left as it is.

    Raises:
        Refused: if the data is not there, or cannot be learnt from; a record that is wrong is named by its number.
    """
    folder = job_folder(ground, training)
    if not (folder / "config.json").is_file():
        _write_rows(ground, training, folder)
        # Written last: a folder with a config is a whole job.
        kind = KINDS[training.kind]
        config = _config(ground, kind, training.body[kind.parameters])
        write_atomically(folder / "config.json", config.to_json().encode())
    return folder


def _write_rows(ground: Ground, training: Resource, folder: Path) -> None:
    incoming = ground.folder("jobs", training.id, "incoming")
    try:
        data = copy_data(ground, training.container, training.body["training_data_references"][0], incoming)
        rows = checked(data, least=ground.settings.least_rows)
        write_atomically(folder / "train.jsonl", "".join(map(_line, rows)).encode())
    except DataError as cause:
        raise invalid(f"the training data cannot be used: {cause}", code="invalid_training_data") from cause
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def checked(data: Path, *, least: int, most: int = MOST_RECORDS) -> list[Mapping[str, Any]]:
    """The records of a file, all of which can be used.

    Args:
        data: JSON Lines, a JSON array, or another format that the reader of rows knows.
        least, most: How many records there must be.

    Raises:
        Refused: naming the first records that are wrong, by their numbers from 1, or the number of records.
        DataError: for a file that cannot be used as a whole.
    """
    from wxtuning.rows.files import open_rows
    from wxtuning.rows.validation import validate
    from wxtuning.rows.verdict import Reject

    verdict = validate(data)
    if verdict.file_error:
        raise verdict.file_error
    if verdict.rejected:
        raise _wrong(verdict.rejected)
    if not least <= verdict.read <= most:
        raise invalid(
            f"the training data has {verdict.read:,} records; expected {least:,} to {most:,}",
            code="invalid_training_data",
        )
    return [row for row in open_rows(data).rows() if not isinstance(row, Reject)]


def _wrong(rejected: tuple[Any, ...]) -> Exception:
    named = [f"record {one.number}, {one.field or 'as a whole'}: {one.message}" for one in rejected[:MOST_NAMED]]
    more = [f"and {len(rejected) - MOST_NAMED:,} more"] if len(rejected) > MOST_NAMED else []
    return invalid("; ".join([*named, *more]), code="invalid_training_data")


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps({"input": row["input"], "output": row["output"]}, ensure_ascii=False) + "\n"


def check(ground: Ground, kind: Kind, asked: Mapping[str, Any]) -> None:
    """Whether the engine takes the parameters of a tuning, as far as it can tell without weights and data.

    Raises:
        Refused: if it does not.
    """
    config = _config(ground, kind, asked)
    if config.method != "lora" or not config.target_modules:
        return  # what is left open is the engine's own choice, and fits
    try:
        engine.check_targets(config)
    except EngineError as cause:
        # A model that is not here yet is fetched when the job runs, which then tells.
        if cause.code == "bad_config":
            modules, model = quoted(list(config.target_modules)), asked["base_model"]["model_id"]
            message = f"{kind.parameters}.peft_parameters.target_modules {modules} do not fit {model}; {cause.hint}"
            raise invalid(message, target="target_modules", code="invalid_input_argument") from cause


def _config(ground: Ground, kind: Kind, asked: Mapping[str, Any]) -> TuneConfig:
    values = _prompt_tuning(asked) if kind is PROMPT_TUNING else _lora(asked)
    try:
        return TuneConfig(model=ground.catalog.path(asked["base_model"]["model_id"]), **values)
    except EngineError as cause:
        raise invalid(f"{cause}", code="invalid_input_argument") from cause


def _prompt_tuning(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {"method": "prompt_tuning", **_only(asked, _PASSED)}


def _lora(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The service bounds a whole row, the engine its two sides: the answer has half of it, at most `ANSWER_TOKENS`."""
    peft, longest = asked["peft_parameters"], asked["max_seq_length"]
    answer = min(ANSWER_TOKENS, longest // 2)
    return {
        "method": "lora",
        **_only(asked, ("num_epochs", "learning_rate", "batch_size", "accumulate_steps")),
        "max_input_tokens": longest - answer,
        "max_output_tokens": answer,
        "verbalizer": before_answer(asked["verbalizer"]),
        "r": peft["rank"],
        "lora_alpha": peft["lora_alpha"],
        "lora_dropout": peft["lora_dropout"],
        "target_modules": tuple(peft["target_modules"]) if "target_modules" in peft else None,
    }


def _only(asked: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: asked[name] for name in names if name in asked}
