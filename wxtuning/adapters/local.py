"""Tuning and answers on this machine. The engine tunes in a child process; answers come from this process.

A job is a folder `jobs/KEY` under the home folder, a deployment a folder `deployments/KEY`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wxtuning import engine, tiny
from wxtuning.engine.data import encoded
from wxtuning.engine.errors import EngineError
from wxtuning.engine.template import render
from wxtuning.errors import AdapterError, DataError, MissingDependency, NotOffered
from wxtuning.folder import home_folder, sha256_of, slug, write_atomically
from wxtuning.ports import Answer, Decoding, Limits, ModelOffer, Range, Store, TuningRequest
from wxtuning.progress import import_tqdm
from wxtuning.snippets import Snippets, snippets_for
from wxtuning.spec import DeploymentSpec, Method
from wxtuning.status import DataRef, DeploymentRef, JobRef, JobState, JobStatus, Metric
from wxtuning.stored import file_of
from wxtuning.tokens import Pairs, Part, Token, TokenBound, XRay

if TYPE_CHECKING:
    from wxtuning.engine.generate import Generator
    from wxtuning.engine.look import Piece, Seen
    from wxtuning.engine.tokens import Tokens

POLL_SECONDS = 0.2
LOG_BYTES = 20_000

_STATES = {
    "queued": JobState.QUEUED,
    "running": JobState.RUNNING,
    "completed": JobState.COMPLETED,
    "failed": JobState.FAILED,
    "canceled": JobState.CANCELED,
}
_SHARED = {
    "num_epochs": Range(low=1, high=1000, default=8),
    "batch_size": Range(low=1, high=1024, default=16),
    "accumulate_steps": Range(low=1, high=1024, default=1),
}
# Measured on the embedded model; a wide range around them does as well.
_BY_METHOD = {
    "prompt_tuning": {
        "learning_rate": Range(low=1e-6, high=5, default=0.1),
        "num_virtual_tokens": Range(low=1, high=1000, default=20),
    },
    "lora": {
        "learning_rate": Range(low=1e-6, high=5, default=0.005),
        "r": Range(low=1, high=1024, default=8),
        "lora_alpha": Range(low=1, high=4096, default=16),
    },
}


class Local:
    """This machine: PEFT adapters on the embedded base model, a model folder, or a Hugging Face model id.

    Args:
        home: Where jobs and deployments lie; None means WXTUNING_HOME or `~/.wxtuning`.
    """

    name = "local"

    def __init__(self, home: str | Path | None = None) -> None:
        self._home = home
        self._loaded: dict[str, Generator] = {}
        self._tokens: dict[str, Tokens] = {}

    def limits(self, method: Method) -> Limits:
        """What this machine takes; needs no torch to answer.

        Raises:
            MissingDependency: without the `local` extra.
            NotOffered: if the model is a folder that holds none.
        """
        _require("torch", "transformers", "peft", "safetensors")
        folder = _folder_of(method.model)
        return Limits(
            fingerprint=_fingerprint(folder) if folder else f"hub:{method.model}",
            parameters={**_SHARED, **_BY_METHOD[method.method]},
            context_tokens=_context(folder) if folder else None,
            poll_seconds=POLL_SECONDS,
        )

    def models(self) -> tuple[ModelOffer, ...]:
        """The model that ships inside the package; any other is named by its folder or Hub id."""
        return (ModelOffer(id=tiny.MODEL_ID, methods=tuple(_BY_METHOD)),)

    def tokenizer(self, method: Method) -> LocalTokenizer:
        """The tokenizer the engine trains with; needs no torch where transformers adds nothing to it."""
        with _translated():
            path = _path_of(method.model)
            if path not in self._tokens:
                import_tqdm()  # before transformers does, in whose hands it warns
                self._tokens[path] = engine.load_tokens(path)
            return LocalTokenizer(self._tokens[path], method)

    def submit(self, request: TuningRequest, key: str) -> JobRef:
        """Start a worker in the job's folder, or see to it that the one for this key goes on."""
        folder = self._job_folder(key)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "config.json").is_file():
            _take(request.train, request.store, folder / "train.jsonl")
            if request.validation:
                _take(request.validation, request.store, folder / "validation.jsonl")
            # Written last: a folder with a config is a whole job.
            write_atomically(folder / "config.json", _config(request.method).to_json().encode())
        if _STATES[engine.read_status(folder)["state"]] != JobState.COMPLETED:
            with _translated():
                engine.start(folder)
        return JobRef(self.name, key)

    def find(self, key: str) -> JobRef | None:
        return JobRef(self.name, key) if (self._job_folder(key) / "config.json").is_file() else None

    def status(self, job: JobRef) -> JobStatus:
        told = engine.read_status(self._known(job))
        return JobStatus(
            state=_STATES.get(told["state"], JobState.RUNNING),
            word=told["state"],
            message=told.get("message") or "",
            hint=told.get("hint") or "",
            step=int(told.get("step") or 0),
            steps=int(told.get("steps") or 0),
            loss=told.get("loss"),
            warnings=tuple(told.get("warnings") or ()),
            interrupted=told.get("code") == "worker_died",
        )

    def metrics(self, job: JobRef) -> tuple[Metric, ...]:
        return tuple(_metric(point) for point in engine.read_metrics(self._known(job)))

    def logs(self, job: JobRef) -> str:
        log = self._known(job) / "log.txt"
        return log.read_bytes()[-LOG_BYTES:].decode(errors="replace") if log.is_file() else ""

    def cancel(self, job: JobRef) -> None:
        engine.cancel(self._known(job))

    def deploy(self, job: JobRef, deployment: DeploymentSpec, key: str) -> DeploymentRef:
        """Copy the adapter into a folder of its own, which answers from now on, whatever happens to the job.

        Raises:
            NotOffered: for a deployment space.
            AdapterError: if the serving name is another deployment's.
        """
        folder = self._deployment_folder(key)
        if not (folder / "deployment.json").is_file():
            self._check_asked(deployment)
            adapter = self._adapter_of(job)
            shutil.copytree(adapter, folder / "adapter", dirs_exist_ok=True)
            described = {
                **deployment.model_dump(mode="json"),
                "name": self._free_name(deployment.name),
                "job": str(job),
                "adapter_sha256": sha256_of(folder / "adapter" / "adapter_model.safetensors"),
                **self._served(job),
            }
            write_atomically(folder / "deployment.json", json.dumps(described, indent=1).encode())
        return DeploymentRef(self.name, f"deployment/{key}")

    def preview(self, job: JobRef) -> DeploymentRef:
        return DeploymentRef(self.name, f"job/{job.id}")

    def base(self, method: Method, template: str) -> DeploymentRef:
        return DeploymentRef(self.name, f"base/{json.dumps([method.model, template])}")

    def find_deployment(self, key: str) -> DeploymentRef | None:
        known = (self._deployment_folder(key) / "deployment.json").is_file()
        return DeploymentRef(self.name, f"deployment/{key}") if known else None

    def deployments(self) -> tuple[LocalDeployment, ...]:
        """All deployments of this home, the newest first."""
        files = sorted(self._root().glob("deployments/*/deployment.json"), key=lambda file: file.stat().st_mtime)
        taken: set[str] = set()
        found = [_local_deployment(file.parent, taken) for file in files]
        return tuple(reversed(found))

    def snippets(self, ref: DeploymentRef, text: str, max_new_tokens: int) -> Snippets:
        """Code that asks the deployment, with `wxtuning serve` on the same home.

        Raises:
            AdapterError: if it is not deployed.
        """
        folder = self._deployment_folder(ref.id.partition("/")[2])
        found = next((one for one in self.deployments() if one.adapter.parent == folder), None)
        if found is None:
            raise AdapterError(f"{ref} is not deployed", backend=self.name, hint="Only a deployment has snippets.")
        return snippets_for(
            self._root(), id=found.id, serving_name=found.serving_name, text=text, max_new_tokens=max_new_tokens
        )

    def generate(self, ref: DeploymentRef, inputs: Sequence[str], decoding: Decoding) -> tuple[Answer, ...]:
        with _translated():
            generator, template = self._asked(ref)
            prompts = [render(template, text) for text in inputs]
            answers = generator.generate(prompts, **_drawn(decoding))
        return tuple(
            Answer(text=a.text, tokens=a.tokens, input_tokens=a.input_tokens, stop_reason=a.stop_reason)
            for a in answers
        )  # fmt: skip

    def stream(self, ref: DeploymentRef, text: str, decoding: Decoding) -> Iterator[str]:
        with _translated():
            generator, template = self._asked(ref)
            yield from generator.stream(render(template, text), **_drawn(decoding))

    def losses(self, ref: DeploymentRef, pairs: Sequence[tuple[str, str]]) -> tuple[tuple[float, int], ...]:
        with _translated():
            generator, template = self._asked(ref)
            return tuple(generator.losses([(render(template, text), answer) for text, answer in pairs]))

    def delete(self, ref: DeploymentRef) -> None:
        kind, _, key = ref.id.partition("/")
        if kind == "deployment":
            shutil.rmtree(self._deployment_folder(key), ignore_errors=True)
            self._loaded.pop(ref.id, None)

    def folder(self, ref: JobRef | DeploymentRef) -> Path:
        """Where a job or a deployment lies on this machine."""
        if isinstance(ref, JobRef):
            return self._job_folder(ref.id)
        return self._deployment_folder(ref.id.partition("/")[2])

    def _asked(self, ref: DeploymentRef) -> tuple[Generator, str]:
        kind, _, rest = ref.id.partition("/")
        if kind == "base":
            model, template = json.loads(rest)
            return self._base(_path_of(model)), template
        if kind == "job":
            job = JobRef(self.name, rest)
            return self._tuned(ref.id, self._adapter_of(job), self._served(job))
        folder = self._deployment_folder(rest)
        served = _described(folder)
        if sha256_of(folder / "adapter" / "adapter_model.safetensors") != served["adapter_sha256"]:
            raise AdapterError(
                f"the adapter in {folder} is not the one that was deployed", backend=self.name, hint="Deploy it again."
            )
        return self._tuned(ref.id, folder / "adapter", served)

    def _tuned(self, name: str, adapter: Path, served: dict[str, str]) -> tuple[Generator, str]:
        if name not in self._loaded:
            self._loaded[name] = self._base(_path_of(served["model"])).with_adapter(adapter)
        return self._loaded[name], served["template"]

    def _base(self, model: str) -> Generator:
        _require("torch", "transformers", "peft", "safetensors")
        if model not in self._loaded:
            import_tqdm()  # before transformers does, in whose hands it warns
            self._loaded[model] = engine.Generator.load(model)
        return self._loaded[model]

    def _adapter_of(self, job: JobRef) -> Path:
        adapter = self._known(job) / "adapter"
        if not (adapter / "adapter_model.safetensors").is_file():
            raise AdapterError(f"job {job} has no adapter yet", backend=self.name, hint="Wait until it is completed.")
        return adapter

    def _served(self, job: JobRef) -> dict[str, str]:
        config = json.loads((self._known(job) / "config.json").read_text(encoding="utf-8"))
        model = tiny.MODEL_ID if config["model"] == str(tiny.model_folder()) else config["model"]
        return {"model": model, "template": config["verbalizer"]}

    def _known(self, job: JobRef) -> Path:
        folder = self._job_folder(job.id)
        if not (folder / "config.json").is_file():
            raise AdapterError(
                f"there is no job {job} under {folder.parent}", backend=self.name, hint="`wxtuning runs` lists what is."
            )
        return folder

    def _free_name(self, name: str) -> str:
        taken = {_described(file.parent)["name"] for file in self._root().glob("deployments/*/deployment.json")}
        names = [name, *(f"{name} ({number})" for number in range(2, len(taken) + 3))]
        return next(free for free in names if free not in taken)

    def _check_asked(self, deployment: DeploymentSpec) -> None:
        if deployment.space:
            raise NotOffered(
                f"this machine has no deployment space {deployment.space!r}",
                backend=self.name,
                hint="Leave space= out.",
            )
        name = deployment.serving_name
        if name and (holder := next((one for one in self.deployments() if one.serving_name == name), None)):
            raise AdapterError(
                f"the serving name {name!r} is taken by the deployment {holder.name!r}",
                backend=self.name,
                hint="Choose another one, or delete that deployment.",
            )

    def _root(self) -> Path:
        return home_folder(self._home)

    def _job_folder(self, key: str) -> Path:
        return self._root() / "jobs" / _plain(key)

    def _deployment_folder(self, key: str) -> Path:
        return self._root() / "deployments" / _plain(key)


@dataclass(frozen=True, kw_only=True)
class LocalDeployment:
    """A deployment of this machine, as its server offers it.

    Args:
        id: Always the same for this deployment; unlike its key, of the form that the official SDK takes.
        serving_name: Its name in letters, digits and underscores; empty where an older one has it.
        model: The base model as the run named it; `path` is what the engine loads.
        template: What the bare input is rendered with.
        sha256: Of the adapter's weights as they were deployed.
        is_prompt: A soft prompt; otherwise LoRA.
    """

    id: str
    name: str
    serving_name: str
    job: str
    model: str
    path: str
    template: str
    adapter: Path
    sha256: str
    is_prompt: bool
    created_at: str


def _local_deployment(folder: Path, taken: set[str]) -> LocalDeployment:
    described = _described(folder)
    serving_name = described.get("serving_name") or slug(described["name"])[:36].replace("-", "_")
    is_free = serving_name not in taken
    taken.add(serving_name)
    config = json.loads((folder / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    created = datetime.fromtimestamp((folder / "deployment.json").stat().st_mtime, UTC)
    return LocalDeployment(
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"wxtuning:deployment/{folder.name}")),
        name=described["name"],
        serving_name=serving_name if is_free else "",
        job=described["job"],
        model=described["model"],
        path=_path_of(described["model"]),
        template=described["template"],
        adapter=folder / "adapter",
        sha256=described["adapter_sha256"],
        is_prompt=config.get("peft_type") == "PROMPT_TUNING",
        created_at=created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )


class LocalTokenizer:
    """The engine's own tokens for one method: counted, bounded and shown by the code that trains."""

    dear = False

    def __init__(self, tokens: Tokens, method: Method) -> None:
        self._tokens = tokens
        self._method = method

    @property
    def bound(self) -> TokenBound | None:
        found = engine.byte_bound(self._tokens)
        return TokenBound(extra=found.extra, nfc=found.nfc) if found else None

    def count(self, pairs: Pairs) -> tuple[tuple[int, int], ...]:
        prompts, answers = encoded(pairs, self._tokens, self._method.verbalizer)
        return tuple((len(prompt), len(answer)) for prompt, answer in zip(prompts, answers, strict=True))

    def xray(self, pairs: Pairs) -> tuple[XRay, ...]:
        with _translated():
            return tuple(map(_shown, engine.xray(pairs, self._tokens, _config(self._method))))


def _shown(seen: Seen) -> XRay:
    virtual = [Token(part="virtual", text="")] * seen.virtual
    start = [seen.start] if seen.start else []
    end = [seen.end] if seen.end else []
    return XRay(
        tokens=(
            *virtual, *_tokens("prompt", seen.prompt), *_tokens("start", start), *_tokens("answer", seen.answer),
            *_tokens("end", end),
        ),
        lost_input=seen.lost_input,
        lost_input_tokens=seen.lost_input_tokens,
        lost_output=seen.lost_output,
        lost_output_tokens=seen.lost_output_tokens,
    )  # fmt: skip


def _tokens(part: Part, pieces: Sequence[Piece]) -> tuple[Token, ...]:
    return tuple(Token(part=part, text=text, id=number) for number, text in pieces)


def _plain(key: str) -> str:
    if not key or key.startswith(".") or set(key) & set("/\\\0"):
        raise AdapterError(f"{key!r} is no key of this machine", backend="local", hint="`wxtuning runs` lists them.")
    return key


def _require(*packages: str) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise MissingDependency(
            f"tuning on this machine needs {', '.join(missing)}", backend="local", hint="pip install 'wxtuning[local]'"
        )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except EngineError as cause:
        raise AdapterError(str(cause), backend="local", hint=cause.hint) from cause
    except OSError as cause:
        raise AdapterError(f"the model cannot be read: {cause}", backend="local", hint=_MODELS) from cause


_MODELS = "Name wxtuning/tiny, a folder with config.json and model.safetensors, or a Hugging Face model id."


def _path_of(model: str) -> str:
    return str(_folder_of(model) or model)


def _folder_of(model: str) -> Path | None:
    """The model's folder, or None for an id on the hub."""
    if model == tiny.MODEL_ID:
        return tiny.model_folder()
    folder = Path(model).expanduser()
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise NotOffered(f"the folder {model} holds no model: no config.json", backend="local", hint=_MODELS)
    if not folder.exists() and (folder.is_absolute() or model.count("/") > 1 or model.startswith(".")):
        raise NotOffered(f"there is no model folder {model}", backend="local", hint=_MODELS)
    return folder.absolute() if folder.is_dir() else None


def _context(folder: Path) -> int | None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("is_encoder_decoder"):  # positions of its two sides, relative ones as a rule
        return None
    found = config.get("max_position_embeddings") or config.get("n_positions")
    return found if isinstance(found, int) else None


WHOLE_FILE_BYTES = 64 * 2**20


def _fingerprint(folder: Path) -> str:
    """Identifies the weights: all bytes of small files, size and both ends of large ones."""
    digest = hashlib.sha256()
    for file in sorted([folder / "config.json", *folder.glob("*.safetensors"), *folder.glob("tokenizer.json")]):
        if file.is_file():
            digest.update(f"{file.name} {file.stat().st_size}\n".encode())
            digest.update(_identifying(file))
    return digest.hexdigest()


def _identifying(file: Path) -> bytes:
    if file.stat().st_size <= WHOLE_FILE_BYTES:
        return bytes.fromhex(sha256_of(file))
    with file.open("rb") as content:
        head = content.read(2**20)
        content.seek(-(2**20), 2)
        return head + content.read()


def _take(data: DataRef, store: Store | None, file: Path) -> None:
    if store:
        return store.get(data, file)
    shutil.copyfile(file_of(data), file)
    if sha256_of(file) != data.sha256:
        raise DataError(f"{data.uri} changed after it was checked", hint="Run the same line again.")


def _config(method: Method) -> engine.TuneConfig:
    values = method.model_dump(exclude={"model"}, exclude_none=True)
    if "target_modules" in values:
        values["target_modules"] = tuple(values["target_modules"])
    return engine.TuneConfig(model=_path_of(method.model), **values)


def _described(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "deployment.json").read_text(encoding="utf-8"))
    except FileNotFoundError as cause:
        raise AdapterError(
            f"there is no deployment {folder.name}", backend="local", hint="It may have been deleted; deploy it again."
        ) from cause
    return found


def _drawn(decoding: Decoding) -> dict[str, Any]:
    return {
        "max_new_tokens": decoding.max_new_tokens,
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
        "stop": decoding.stop,
        "seed": decoding.seed,
    }


def _metric(point: dict[str, Any]) -> Metric:
    names = ("loss", "validation_loss", "learning_rate", "tokens")
    return Metric(step=point["step"], epoch=point["epoch"], **{name: point.get(name) for name in names})
