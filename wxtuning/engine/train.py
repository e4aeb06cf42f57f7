"""The tuning loop: rows in, an adapter, a curve and a result out. Knows nothing of processes or status files."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch

from wxtuning.engine.adapter import Adapter, save_adapter
from wxtuning.engine.checkpoint import Progress, load_checkpoint, save_checkpoint
from wxtuning.engine.config import TuneConfig
from wxtuning.engine.data import Row, Rows, common_prefix, read_rows, slices, split_long, windows
from wxtuning.engine.errors import EngineError, translate
from wxtuning.engine.files import write_atomically
from wxtuning.engine.forward import Forward, can_share
from wxtuning.engine.lora import dropping, new_lora
from wxtuning.engine.metrics import Metrics, read_metrics
from wxtuning.engine.model import choose_attention, load_base, threads_for
from wxtuning.engine.optimiser import AdamW, learning_rate
from wxtuning.engine.prompt import new_prompt

Metric = dict[str, Any]
Stage = Literal["loading", "tuning", "saving"]

TRAIN, VALIDATION, RESULT, ADAPTER, CHECKPOINT = (
    "train.jsonl",
    "validation.jsonl",
    "result.json",
    "adapter",
    "checkpoint",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TuneResult:
    """What a run came to; `result.json` holds the same. Losses are nats per answer token, seconds are wall time.

    `stopped` runs have no adapter and no result.json: they left a checkpoint, and the same call goes on from it.
    """

    adapter: Path | None
    stopped: bool
    steps: int
    epochs: float
    first_loss: float | None
    loss: float | None
    validation_loss: float | None
    best_epoch: int | None
    rows: int
    validation_rows: int
    cut_prompts: int
    cut_answers: int
    parameters: int
    tokens: int
    seconds: float
    device: str
    dtype: str
    digest: str
    warnings: tuple[str, ...] = ()


def _ignore(_metric: Metric) -> None: ...


def _never() -> bool:
    return False


def _unstaged(_stage: Stage, _steps: int) -> None: ...


def tune(
    config: TuneConfig,
    folder: Path,
    *,
    on_metric: Callable[[Metric], None] = _ignore,
    should_stop: Callable[[], bool] = _never,
    on_stage: Callable[[Stage, int], None] = _unstaged,
) -> TuneResult:
    """Tune on folder/train.jsonl (and folder/validation.jsonl, if there) and write the adapter to folder/adapter.

    Each line of the files is {"input", "output"}. `on_metric` gets what folder/metrics.jsonl gets: per optimiser step
    step, epoch, loss, learning_rate, tokens, seconds; per epoch step, epoch, validation_loss. `should_stop` is asked
    after each step; True leaves a checkpoint and returns. `on_stage` gets the stage and the number of steps, if known.

    A call on a folder with a checkpoint goes on from it, to the same adapter bytes as without the break. A call on a
    finished folder returns its result at once.

    Raises EngineError; a run that fails keeps its last checkpoint.
    """
    folder = Path(folder)
    digest = run_digest(config, folder)
    if done := _finished(folder, digest):
        return done
    on_stage("loading", 0)
    with _deterministic():
        try:
            return _Run(config, folder, digest, on_metric, should_stop, on_stage).go()
        except (RuntimeError, MemoryError, OSError) as cause:
            raise translate(cause) from cause


def run_digest(config: TuneConfig, folder: Path) -> str:
    """Which run this is: config, rows and model files, apart from what does not decide the result."""
    machine = {"device", "threads", "checkpoint_every_seconds", "checkpoint_every_steps"}
    named = {name: value for name, value in asdict(config).items() if name not in machine}
    digest = hashlib.sha256(json.dumps(named, sort_keys=True).encode())
    for name in (TRAIN, VALIDATION):
        file = folder / name
        digest.update(hashlib.sha256(file.read_bytes()).digest() if file.exists() else b"absent")
    for file in sorted(Path(config.model).glob("*")) if Path(config.model).is_dir() else ():
        if file.suffix in (".json", ".safetensors", ".model"):
            digest.update(f"{file.name} {file.stat().st_size}".encode())
    return digest.hexdigest()


@dataclass
class _Run:
    """One run from its rows to its result; `progress` is the part of it that a checkpoint keeps beside the tensors."""

    config: TuneConfig
    folder: Path
    digest: str
    on_metric: Callable[[Metric], None]
    should_stop: Callable[[], bool]
    on_stage: Callable[[Stage, int], None]
    began: float = field(default_factory=time.monotonic)
    windows: list[list[int]] = field(default_factory=list)

    def go(self) -> TuneResult:
        config = self.config
        self.base = load_base(config.model, revision=config.revision, device=config.device, dtype=config.dtype)
        with threads_for(self.base, config.threads):
            self._prepare()
            self._resume()
            self.on_stage("tuning", self.steps)
            try:
                stopped = self._steps()
            finally:
                self.metrics.close()
            return self._result(None) if stopped else self._finish()

    def _prepare(self) -> None:
        config = self.config
        self.train = read_rows(self.folder / TRAIN, self.base.tokens, config)
        self.validation = self._validation_rows()
        longest = self._longest_row()
        choose_attention(self.base, longest=longest)
        self.adapter = self._new_adapter()
        self.forward = self._new_forward()
        self.optimiser = AdamW(self.adapter.parameters, weight_decay=config.weight_decay)
        self.window = config.batch_size * config.accumulate_steps
        self.steps_per_epoch = math.ceil(len(self.train) / self.window)
        self.steps = self.steps_per_epoch * config.num_epochs

    def _validation_rows(self) -> Rows | None:
        file = self.folder / VALIDATION
        if file.exists():
            return read_rows(file, self.base.tokens, self.config)
        if self.config.early_stopping_patience is not None:
            text = f"early_stopping_patience is {self.config.early_stopping_patience}, but there is no {VALIDATION}"
            raise EngineError(text, code="bad_config", hint="write a validation split, or leave early stopping out")
        return None

    def _longest_row(self) -> int:
        virtual = self.config.num_virtual_tokens if self.config.method == "prompt_tuning" else 0
        longest = virtual + max(row.length for row in [*self.train.rows, *(self.validation or self.train).rows])
        if not self.base.seq2seq and self.base.longest is not None and longest > self.base.longest:
            text = (
                f"the longest row has {longest} tokens with {virtual} virtual ones, the model takes {self.base.longest}"
            )
            raise EngineError(text, code="too_long", hint="lower max_input_tokens or max_output_tokens")
        return longest

    def _new_adapter(self) -> Adapter:
        make = new_prompt if self.config.method == "prompt_tuning" else new_lora
        return make(self.base, self.config)

    def _new_forward(self) -> Forward:
        rows = [*self.train.rows, *(self.validation.rows if self.validation else ())]
        common = 0 if self.base.seq2seq else common_prefix(rows)
        return Forward(base=self.base, soft=self.adapter.soft, shares=can_share(self.base), common=common)

    def _resume(self) -> None:
        self.progress = Progress(digest=self.digest)
        self.best: dict[str, torch.Tensor] = {}
        found = load_checkpoint(self.folder / CHECKPOINT, digest=self.digest)
        if found is not None:
            self.progress, groups = found
            _copy(groups["weight"], self.adapter.parameters)
            _copy(groups["first"], self.optimiser.first)
            _copy(groups["second"], self.optimiser.second)
            self.best = groups.get("best", {})
        self.metrics = Metrics(self.folder, after=self.progress.step)

    def _steps(self) -> bool:
        """Run what is left; True when it was asked to stop."""
        saved = time.monotonic()
        while self.progress.step < self.steps and not self._patience_is_over():
            if self.should_stop():
                self._checkpoint()
                return True
            self._step()
            if self.progress.step % self.steps_per_epoch == 0:
                self._end_epoch()
            if self._checkpoint_is_due(saved):
                self._checkpoint()
                saved = time.monotonic()
        return False

    def _step(self) -> None:
        began, step = time.perf_counter(), self.progress.step + 1
        window = self._window(step)
        loss = self._gradients(window, step)
        norm = self.optimiser.clip(self.config.max_grad_norm)
        rate = self._rate(step)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise _not_a_number(step, loss, norm, rate)
        self.optimiser.step(step, rate)
        self.progress = replace(self.progress, step=step)
        self._report(
            step=step,
            epoch=step / self.steps_per_epoch,
            loss=loss,
            learning_rate=rate,
            tokens=self._tokens(window),
            seconds=time.perf_counter() - began,
        )

    def _window(self, step: int) -> list[list[Row]]:
        """The batches of one optimiser step."""
        epoch, place = divmod(step - 1, self.steps_per_epoch)
        if place == 0 or not self.windows:
            lengths = [row.length for row in self.train.rows]
            self.windows = windows(lengths, size=self.window, seed=self.config.seed, epoch=epoch)
        rows, chosen = self.train.rows, self.windows[place]
        batches = [[rows[number] for number in part] for part in slices(chosen, self.config.batch_size)]
        return [part for batch in batches for part in split_long(batch, most=self.base.at_once)]

    def _gradients(self, window: Sequence[Sequence[Row]], step: int) -> float:
        """Add up the gradients of the loss per answer token over the whole window; returns that loss."""
        count = sum(len(row.answer) for rows in window for row in rows)
        total = torch.zeros((), device=self.base.device)
        for part, rows in enumerate(window):
            with dropping(self.adapter, self.config.seed, step, part, device=self.base.device):
                loss = self.forward.losses(rows).sum() / count
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            total += loss.detach()
        return float(total)

    def _rate(self, step: int) -> float:
        config = self.config
        return learning_rate(step, self.steps, highest=config.learning_rate, warmup_ratio=config.warmup_ratio)

    def _tokens(self, window: Sequence[Sequence[Row]]) -> int:
        soft = self.adapter.soft()
        virtual = 0 if soft is None else len(soft)
        return sum(row.length + virtual for rows in window for row in rows)

    def _end_epoch(self) -> None:
        if self.validation is None:
            return
        loss = mean_loss(self.forward, self.validation.rows, batch_size=self.config.batch_size)
        epoch = self.progress.step // self.steps_per_epoch
        self.progress = replace(self.progress, validation_loss=loss)
        if math.isfinite(loss) and (self.progress.best_loss is None or loss < self.progress.best_loss):
            self.progress = replace(self.progress, best_loss=loss, best_epoch=epoch)
            self.best = {name: tensor.detach().clone() for name, tensor in self.adapter.parameters.items()}
        self._report(step=self.progress.step, epoch=float(epoch), validation_loss=loss)

    def _report(self, **metric: float) -> None:
        self.metrics.add(metric)
        self.on_metric(metric)

    def _patience_is_over(self) -> bool:
        patience, best = self.config.early_stopping_patience, self.progress.best_epoch
        return patience is not None and self.progress.step // self.steps_per_epoch - (best or 0) >= patience

    def _checkpoint_is_due(self, saved: float) -> bool:
        every = self.config.checkpoint_every_steps
        if every is not None and self.progress.step % every == 0:
            return True
        return time.monotonic() - saved >= self.config.checkpoint_every_seconds

    def _checkpoint(self) -> None:
        self.metrics.sync()
        groups = {
            "weight": self.adapter.parameters,
            "first": self.optimiser.first,
            "second": self.optimiser.second,
            "best": self.best,
        }
        save_checkpoint(self.folder / CHECKPOINT, self.progress, groups)

    def _finish(self) -> TuneResult:
        self.on_stage("saving", self.steps)
        if self._keeps_best() and self.best:
            _copy(self.best, self.adapter.parameters)
        save_adapter(self.adapter, self.folder / ADAPTER)
        result = self._result(self.folder / ADAPTER)
        text = json.dumps({**asdict(result), "adapter": ADAPTER}, ensure_ascii=False, indent=1)
        write_atomically(self.folder / RESULT, text.encode())
        return result

    def _keeps_best(self) -> bool:
        return self.config.early_stopping_patience is not None

    def _result(self, adapter: Path | None) -> TuneResult:
        curve = [metric for metric in read_metrics(self.folder) if "loss" in metric]
        first, last = _ends_of(curve, self.steps_per_epoch)
        best = self._keeps_best()
        return TuneResult(
            adapter=adapter,
            stopped=adapter is None,
            steps=self.progress.step,
            epochs=self.progress.step / self.steps_per_epoch,
            first_loss=first,
            loss=last,
            validation_loss=self.progress.best_loss if best else self.progress.validation_loss,
            best_epoch=self.progress.best_epoch,
            rows=len(self.train),
            validation_rows=len(self.validation) if self.validation else 0,
            cut_prompts=self.train.cut_prompts,
            cut_answers=self.train.cut_answers,
            parameters=sum(tensor.numel() for tensor in self.adapter.parameters.values()),
            tokens=sum(metric["tokens"] for metric in curve),
            seconds=time.monotonic() - self.began,
            device=str(self.base.device),
            dtype=str(self.base.dtype).removeprefix("torch."),
            digest=self.digest,
            warnings=tuple(self._warnings(first, last)) if adapter else (),
        )

    def _warnings(self, first: float | None, last: float | None) -> Iterator[str]:
        for rows, name in ((self.train, TRAIN), (self.validation, VALIDATION)):
            if rows and rows.cut_prompts:
                yield _were_cut(rows.cut_prompts, rows, "inputs", name, self.config.max_input_tokens)
            if rows and rows.cut_answers:
                yield _were_cut(rows.cut_answers, rows, "outputs", name, self.config.max_output_tokens)
        if self.base.tokens.end is None:
            yield "the tokenizer has no end token, so the model cannot learn where an answer ends"
        if first is not None and last is not None and last > 0.99 * first:
            yield f"nothing was learned: the loss went from {first:.4f} to {last:.4f}; try another learning_rate"


def _were_cut(count: int, rows: Rows, what: str, name: str, limit: int) -> str:
    return f"{count} of {len(rows)} {what} in {name} were cut to {limit} tokens"


def mean_loss(forward: Forward, rows: Sequence[Row], *, batch_size: int) -> float:
    """The loss of `rows` in nats per answer token, without gradients."""
    ordered = sorted(rows, key=lambda row: row.length)
    with torch.no_grad():
        starts = range(0, len(ordered), batch_size)
        parts = [forward.losses(ordered[start : start + batch_size]).cpu() for start in starts]
    return float(torch.cat(parts).double().mean())


def _ends_of(curve: Sequence[Metric], steps_per_epoch: int) -> tuple[float | None, float | None]:
    """The mean loss of the first and of the last epoch; of a single epoch, of its first and last third."""
    if not curve:
        return None, None
    several = curve[-1]["step"] >= 2 * steps_per_epoch
    size = steps_per_epoch if several else max(1, len(curve) // 3)
    head, tail = curve[:size], curve[-size:]
    return sum(m["loss"] for m in head) / len(head), sum(m["loss"] for m in tail) / len(tail)


def _not_a_number(step: int, loss: float, norm: float, rate: float) -> EngineError:
    return EngineError(
        f"the loss of step {step} is {loss}, its gradient {norm}, at learning rate {rate:.3g}",
        code="nan_loss",
        hint="lower learning_rate; with dtype='bfloat16' also try dtype='float32'. The last checkpoint was kept",
    )


def _copy(source: dict[str, torch.Tensor], target: Any) -> None:
    with torch.no_grad():
        for name, tensor in target.items():
            tensor.copy_(source[name])


def _finished(folder: Path, digest: str) -> TuneResult | None:
    try:
        values = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if values["digest"] != digest:
        text = f"{folder} holds the result of other rows, another model or other parameters"
        raise EngineError(text, code="checkpoint_mismatch", hint="tune in a new folder")
    return TuneResult(**{**values, "adapter": folder / ADAPTER, "warnings": tuple(values["warnings"])})


@contextmanager
def _deterministic() -> Iterator[None]:
    """Kernels that give the same numbers every time; what the process had is put back."""
    strict = torch.are_deterministic_algorithms_enabled()
    deterministic: Any = torch.utils.deterministic  # its one switch is a property that type checkers do not see
    fill = deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    deterministic.fill_uninitialized_memory = False  # it would write every new tensor once more
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict)
        deterministic.fill_uninitialized_memory = fill
