"""Commands about places: what a backend tunes, what it has tuned, and how to tune that again elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from wxtuning.adapters.local import Local
from wxtuning.errors import WxTuningError
from wxtuning.experiment import TuningExperiment
from wxtuning.folder import slug, write_atomically
from wxtuning.found import FoundRun
from wxtuning.job import runs
from wxtuning.offers import models as offered
from wxtuning.recipe import Recipe
from wxtuning.registry import Backend
from wxtuning.rows.files import HEAD_BYTES, format_of
from wxtuning.tables import Table

Url = Annotated[str, typer.Option(help="A watsonx.ai service; its key comes from WATSONX_APIKEY, never from here.")]
Ready = Annotated[Path | None, typer.Option(help="What `wxtuning serve --ready-file` wrote.")]
Project = Annotated[str, typer.Option(help="A project, by name or id.")]
Space = Annotated[str, typer.Option(help="Instead, a space.")]
CA = Annotated[str, typer.Option(help="A file with the certificate authority of the service.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def place(url: str = "", ready: Path | None = None, project: str = "", space: str = "", ca: str = "") -> Backend:
    """The service that the options name, with what they leave open from the environment; without any, this machine."""
    said = {"url": url, "project": project, "space": space, "ca": ca}
    given: dict[str, Any] = {name: value for name, value in said.items() if value}
    if not (given or ready):
        return Local()
    if not (url or ready or os.environ.get("WATSONX_URL", "").strip()):
        raise WxTuningError(
            f"{' and '.join(f'--{name}' for name in given)} is part of a service, and none is named",
            hint="Say which: --url or --ready-file, or the environment variable WATSONX_URL.",
        )
    from wxtuning.adapters.watsonx import Watsonx

    return Watsonx.from_ready(ready, **given) if ready else Watsonx.from_env(**given)


def models(
    url: Url = "", ready_file: Ready = None, project: Project = "", space: Space = "", ca: CA = "",
    method: Annotated[str, typer.Option(help="prompt_tuning or lora.")] = "",
    task: Annotated[str, typer.Option(help="Such as classification.")] = "",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """List the base models that this machine or a service tunes."""
    found = offered(place(url, ready_file, project, space, ca), method=method or None, task=task or None)
    if as_json:
        typer.echo(json.dumps([{"model": m.id, "methods": m.methods, "tasks": m.tasks, "ends": m.ends} for m in found]))
    else:
        typer.echo(str(found))


def list_found(backend: Backend, *, as_json: bool) -> None:
    """List the runs of a service, whoever started them."""
    found = runs(backend)
    if as_json:
        typer.echo(json.dumps([{"job": str(run.job), "name": run.name, "state": run.status.word} for run in found]))
        return
    rows = tuple((str(run.job), run.name, run.status.word, _model(run), run.created_at[:19]) for run in found)
    columns = ("job", "name", "state", "base model", "started")
    table = Table(title=f"Runs of {backend.name}", columns=columns, rows=rows, whole=("job",))
    typer.echo(table.text(width=140) if rows else "no runs there yet")


def _model(run: FoundRun) -> str:
    return f"{run.method.model} ({run.method.method})" if run.method else "-"


def rescue(
    run: Annotated[str, typer.Argument(help="The run's id, as `wxtuning runs --url ...` lists it.")],
    url: Url = "", ready_file: Ready = None, project: Project = "", space: Space = "", ca: CA = "",
    out: Annotated[Path, typer.Option(help="The YAML file to write.")] = Path("experiment.yaml"),
    model: Annotated[str, typer.Option(help="Another base model, where the old one cannot be had.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there already.")] = False,
) -> None:  # fmt: skip
    """Read a tuning run of a service into an experiment that can be run elsewhere; its rows come along if they can."""
    backend: Any = place(url, ready_file, project, space, ca)
    if isinstance(backend, Local):
        raise WxTuningError("there is nothing to rescue from this machine", hint="Say where: --url or --ready-file.")
    found = _found(backend, run)
    spec = TuningExperiment.from_spec(found.spec).tune(_method(found, model)).spec
    content = backend.fetch_rows(found)
    rows = None if content is None else out.with_name(f"{slug(found.name or found.job.id)}{_ending(content)}")
    text = Recipe(spec=spec, source=rows.name if rows else None).to_yaml(note=_note(found, rows))
    _write({**({rows: content} if rows else {}), out: text.encode()}, replace=force)
    typer.echo(f"{out}: {found.name!r}, {_model(found)}, {found.status.word}")
    typer.echo(f"{rows}: the rows it was tuned on" if rows else _without_rows(found))
    first = "" if rows else f"write `{SOURCE}` into {out}, a file with input and output in each row; then "
    typer.echo(f"Next: {first}wxtuning plan {out}")


SOURCE = "source: FILE.jsonl"


def _ending(content: bytes) -> str:
    """What the name of a file must end in, so that it is read as what it is."""
    kind = format_of("", content[:HEAD_BYTES]) or "jsonl"
    return ".gz" if kind == "gzip" else f".{kind}"


def _found(backend: Backend, run: str) -> FoundRun:
    from wxtuning.others import found_job

    reference = run if run.startswith(f"{backend.name}:") else f"{backend.name}:{run}"
    return found_job(reference, backend).found


def _method(found: FoundRun, model: str) -> Any:
    return found.spec.method.model_copy(update={"model": model}) if model else found.spec.method


def _write(files: Mapping[Path, bytes], *, replace: bool) -> None:
    """Write all of the files; none of them if that would replace one that holds something else, unless told to."""
    others = [str(file) for file, content in files.items() if _holds_other(file, content)]
    if others and not replace:
        raise WxTuningError(
            f"nothing was written, as {' and '.join(others)} would be replaced",
            hint="Name another folder with --out FOLDER/experiment.yaml, or say --force.",
        )
    for file, content in files.items():
        write_atomically(file, content)


def _holds_other(file: Path, content: bytes) -> bool:
    return file.exists() and not (file.is_file() and file.read_bytes() == content)


def _note(found: FoundRun, rows: Path | None) -> str:
    data = ", ".join(found.data) or "nothing that it tells"
    lines = [f"Read from {found.job}, started {found.created_at or 'some day'}, {found.status.word}; tuned on {data}."]
    if rows is None:
        lines.append(f"Its rows could not be fetched: write `{SOURCE}` with input and output in each line.")
    lines.append("Not told by the service: the seed, and which rows were held out.")
    return "\n".join(lines)


def _without_rows(found: FoundRun) -> str:
    return f"its rows ({', '.join(found.data) or 'not named'}) are not given out"
