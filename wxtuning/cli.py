"""The command line: `wxtuning demo`, `validate FILE`, `runs`, `show RUN` and more. Prints; knows only public names."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from wxtuning import cli_places
from wxtuning.adapters.local import Local
from wxtuning.errors import DataError, WxTuningError
from wxtuning.events import Event, StepFinished
from wxtuning.experiment import TuningExperiment
from wxtuning.folder import home_folder
from wxtuning.job import TuningRun, attach, foreign_runs, runs
from wxtuning.others import FoundJob
from wxtuning.progress import ProgressBar, is_watched
from wxtuning.runner import Listener, ignore
from wxtuning.spec import LoRA, Method, PromptTuning
from wxtuning.tables import Table
from wxtuning.template import FEW, templates
from wxtuning.tiny import INSTRUCTION, demonstration_file
from wxtuning.unsettled import adopt, submit_again

HELP = "From a data set to a tuned, tested and deployed foundation model in one chain."

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=HELP)

TRAIN, VALIDATION, HELD_OUT = 150, 50, 200
"""Rows of the demonstration data: to tune on, to watch the loss on, to score."""


class MethodName(StrEnum):
    PROMPT_TUNING = "prompt_tuning"
    LORA = "lora"


class Init(StrEnum):
    TEXT = "text"
    RANDOM = "random"


class TaskName(StrEnum):
    CLASSIFICATION = "classification"
    GENERATION = "generation"
    SUMMARIZATION = "summarization"


@app.command()
def demo(
    method: Annotated[MethodName, typer.Option(help="How to tune.")] = MethodName.PROMPT_TUNING,
    init: Annotated[Init, typer.Option(help="Where the soft prompt starts.")] = Init.RANDOM,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same adapter.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Run the whole chain on the embedded base model and the shipped customer comments."""
    experiment = demonstration(method, init, seed)
    with _left_alone():
        if as_json:
            typer.echo(json.dumps(_summary(experiment.run(progress=False))))
        else:
            _told(experiment, seed)


@contextmanager
def _left_alone() -> Iterator[None]:
    """Ctrl-C is no fault: the run has said how to come back."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _told(experiment: TuningExperiment, seed: int) -> None:
    typer.echo(f"{experiment.plan()}\n")
    typer.echo(f"Tuning; interrupted, `wxtuning demo --seed {seed}` goes on where it stopped.\n")
    with ProgressBar() if is_watched() else nullcontext(ignore) as bar:
        steps = _Steps(bar)
        run = experiment.run(listen=steps)
    _show(run)
    _where(run, fresh=steps.worked)


def demonstration(method: MethodName, init: Init, seed: int) -> TuningExperiment:
    """The experiment behind `wxtuning demo`."""
    return (
        TuningExperiment("demo", task="classification", labels=("satisfied", "unsatisfied"))
        .load(demonstration_file())
        .clean()
        .to_jsonl(input="comment", output="satisfaction", validation=VALIDATION)
        .tune(_method(method, init, seed))
        .evaluate(holdout=HELD_OUT, instruction=INSTRUCTION)
        .deploy("demo")
    )


def _method(method: MethodName, init: Init, seed: int) -> Method:
    if method is MethodName.LORA:
        return LoRA(seed=seed)
    if init is Init.TEXT:
        return PromptTuning(init_text=INSTRUCTION, seed=seed)
    return PromptTuning(seed=seed)


class _Steps:
    """Passes events on to a progress bar and remembers whether anything was still to do."""

    def __init__(self, bar: Listener) -> None:
        self._bar = bar
        self.worked = False

    def __call__(self, event: Event) -> None:
        self.worked = self.worked or (isinstance(event, StepFinished) and event.fresh)
        self._bar(event)


def _summary(run: TuningRun) -> dict[str, object]:
    plan = run.plan
    return {
        "scores": run.scores,
        "loss": [metric.loss for metric in run.report.metrics if metric.loss is not None],
        "examples": plan.train.rows,
        "held_out": plan.test.rows if plan.test else 0,
        "adapter_bytes": _adapter_bytes(run),
        "seconds": round(run.seconds, 3),
        "run": run.key,
    }


def _adapter(run: TuningRun) -> Path:
    return Local().folder(run.job) / "adapter"


def _adapter_bytes(run: TuningRun) -> int | None:
    """None where the adapter lies elsewhere."""
    if run.plan.backend != Local.name:
        return None
    return (_adapter(run) / "adapter_model.safetensors").stat().st_size


def _show(run: TuningRun) -> None:
    typer.echo(f"{run.report.curve_text()}\n")
    if found := run.comparison:
        typer.echo(f"{found.table()}\n\n{found.before_and_after()}\n")


def _where(run: TuningRun, *, fresh: bool) -> None:
    rows = (
        ("run", run.key, str(run.folder)),
        ("adapter (PEFT)", f"{_summary(run)['adapter_bytes']:,} bytes", str(_adapter(run))),
        ("loss curve", "PNG", str(run.plot())),
        ("deployment", run.deployment.name, f"wxtuning.attach({run.key!r}).result().deployment.generate(…)"),
    )
    typer.echo(Table(title="Where everything lies", columns=("what", "", "where"), rows=rows).text(width=140))
    done = "done in" if fresh else "this run was finished before, nothing was repeated; it took"
    typer.echo(f"\n{done} {run.seconds:.1f} s")


@app.command()
def plan(file: Annotated[Path, typer.Argument(help="An experiment in YAML.")]) -> None:
    """Check an experiment and show what would be done; nothing is trained, sent or paid."""
    typer.echo(str(TuningExperiment.from_yaml(file).plan()))


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="An experiment in YAML.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Run an experiment to its end; interrupted, the same line goes on where it stopped."""
    experiment = TuningExperiment.from_yaml(file)
    with _left_alone():
        done = experiment.run(progress=False if as_json else None)
    shown = {"run": done.key, "scores": done.scores, "seconds": round(done.seconds, 3)}
    typer.echo(json.dumps(shown) if as_json else f"{done.report}\n\nrun {done.key}: {done.folder}")


app.command()(cli_places.models)
app.command()(cli_places.rescue)


@app.command(name="runs")
def list_runs(
    url: cli_places.Url = "", ready_file: cli_places.Ready = None, project: cli_places.Project = "",
    space: cli_places.Space = "", ca: cli_places.CA = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:  # fmt: skip
    """List the runs of this machine, the newest first; with --url or --ready-file, those of a service."""
    if not isinstance(place := cli_places.place(url, ready_file, project, space, ca), Local):
        return cli_places.list_found(place, as_json=as_json)
    found = runs()
    if as_json:
        typer.echo(json.dumps([{"run": run.key, "state": run.state, "scores": run.scores} for run in found]))
        return
    rows = tuple((run.key, run.state, run.plan.spec.task, run.plan.spec.method.method, _scores(run)) for run in found)
    table = Table(title="Runs", columns=("run", "state", "task", "method", "base / instruction / tuned"), rows=rows)
    typer.echo(str(table) if rows else "no runs yet; `wxtuning demo` makes one")
    if foreign := foreign_runs():
        typer.echo(f"{len(foreign)} runs of another version of wxtuning cannot be shown: {', '.join(foreign[:5])}")


def _scores(run: TuningRun) -> str:
    return " / ".join(f"{score:.3f}" for score in run.scores.values()) or "-"


Known = Annotated[str, typer.Argument(help="A run's key or its job's id, as `wxtuning runs` lists them.")]


@app.command()
def show(run: Known, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Show a run: its plan, its data, its loss curve and its scores."""
    found = _own(run)
    if as_json:
        typer.echo(json.dumps(_summary(found)))
        return
    typer.echo(f"{found.plan}\n\n{found.report}")


def _own(run: str) -> TuningRun:
    job = attach(run)
    if isinstance(job, FoundJob):
        raise WxTuningError(
            f"{run} was not started from this machine, which knows no plan, no scores and no deployment of it",
            hint="`wxtuning rescue` reads it into an experiment; in Python, wxtuning.attach(id) watches it.",
        )
    return job.so_far


@app.command()
def ask(run: Known, text: Annotated[str, typer.Argument(help="What to ask.")]) -> None:
    """Ask a run's deployment and print the answer."""
    typer.echo(_own(run).deployment.generate(text))


@app.command()
def cancel(run: Known) -> None:
    """Ask a run's job to stop."""
    job = attach(run)
    job.cancel()
    typer.echo(f"{job.id} was asked to stop")


@app.command(name="adopt")
def adopt_found(
    run: Annotated[str, typer.Argument(help="The tag that the error named, or the run's key.")],
    id: Annotated[str, typer.Argument(help="The service's id of what carries the tag.")],
) -> None:
    """Say that what may have been created is there; running the experiment again goes on with it."""
    adopt(run, id)
    typer.echo(f"{run}: {id} is taken; run the experiment again")


@app.command(name="submit-again")
def send_again(
    run: Annotated[str, typer.Argument(help="The tag that the error named, or the run's key.")],
    url: cli_places.Url = "", ready_file: cli_places.Ready = None, project: cli_places.Project = "",
    space: cli_places.Space = "", ca: cli_places.CA = "",
) -> None:  # fmt: skip
    """Say that what may have been created is not there, or give up a job that failed or was cancelled; running the
    experiment again creates it. A service is asked only for how a job ended: the run's own, from the environment."""
    place = cli_places.place(url, ready_file, project, space, ca)
    submit_again(run, on=None if isinstance(place, Local) else place)
    typer.echo(f"{run}: run the experiment again; it is created then")


@app.command()
def template(
    task: Annotated[TaskName, typer.Argument(help="What the model is to learn.")],
    rows: Annotated[int, typer.Option(help="How many lines; watsonx.ai takes no fewer than 50.")] = FEW,
) -> None:
    """Print a small valid JSON Lines file: what your data should look like."""
    typer.echo(templates(task.value, rows=rows), nl=False)


@app.command()
def validate(
    file: Annotated[str, typer.Argument(help="A file, or a pattern in quotes for several.")],
    task: Annotated[TaskName, typer.Option(help="What the rows are for.")] = TaskName.GENERATION,
    labels: Annotated[str, typer.Option(help="The only outputs allowed, separated by commas.")] = "",
    input: Annotated[str, typer.Option(help="A column, or a template: '{title}: {body}'.")] = "input",
    output: Annotated[str, typer.Option(help="A column, or a template.")] = "output",
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON and nothing else.")] = False,
) -> None:
    """Judge every row of a file; exit code 0 if all can be used, 1 if some cannot, 2 if the file cannot."""
    from wxtuning.adapters.files import verdict_on

    try:
        verdict = verdict_on(file, task=task.value, labels=labels, input=input, output=output)
    except (DataError, ValueError) as error:
        typer.echo(f"wxtuning: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(verdict.to_json() if as_json else str(verdict))
    raise typer.Exit(2 if verdict.file_error else 1 if verdict.rejected else 0)


class PlatformName(StrEnum):
    CPD = "cpd"
    CLOUD = "cloud"


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.")] = 0,
    home: Annotated[Path | None, typer.Option(help="The folder; WXTUNING_HOME or ~/.wxtuning if not given.")] = None,
    platform: Annotated[PlatformName, typer.Option(help="Cloud Pak for Data, or IBM Cloud.")] = PlatformName.CPD,
    tls: Annotated[bool, typer.Option(help="Speak https; the official SDK refuses http.")] = True,
    ready_file: Annotated[Path | None, typer.Option(help="Where to write how to connect, as JSON.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="NAME=FOLDER_OR_HUB_ID; may be repeated.")] = None,
    jobs: Annotated[int, typer.Option(help="Training jobs at a time.")] = 1,
    least_rows: Annotated[int, typer.Option(help="Fewer rows are no training data.")] = 50,
    allow_endpoint: Annotated[list[str] | None, typer.Option(help="An object store of this network.")] = None,
    name: Annotated[list[str] | None, typer.Option(help="Another host name of this server.")] = None,
    token_seconds: Annotated[float, typer.Option(help="How long a token is good.")] = 3600.0,
) -> None:
    """Answer the official watsonx.ai SDK and OpenAI clients on this machine, until SIGTERM or Ctrl-C."""
    run, settings = _server()
    folder = home_folder(home)
    asked = settings(
        home=folder / "server", chain=folder, platform=platform.value, host=host, port=port, names=tuple(name or ()),
        tls=tls, models=_models(model or []), jobs=jobs, least_rows=least_rows,
        endpoints=tuple(allow_endpoint or ()), token_seconds=token_seconds,
    )  # fmt: skip
    run(asked, *([ready_file] if ready_file else []), say=typer.echo)


def _server() -> tuple[Any, Any]:
    try:
        from wxtuning.server import Settings
        from wxtuning.server.run import serve as run
    except ImportError as cause:
        raise WxTuningError(f"`wxtuning serve` needs {cause.name}", hint="pip install 'wxtuning[server]'") from cause
    return run, Settings


def _models(given: list[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for text in given:
        name, _, path = text.partition("=")
        if not (name and path):
            raise WxTuningError(
                f"--model {text!r} is no NAME=FOLDER_OR_HUB_ID", hint="--model google/flan-t5-xl=FOLDER"
            )
        if name in named:
            raise WxTuningError(f"--model names {name!r} twice", hint="Give each model a name of its own.")
        named[name] = path
    return named


def main() -> None:
    """Run the command line; an error of ours is a message and exit code 1."""
    try:
        app(prog_name="wxtuning")
    except WxTuningError as error:
        print(f"wxtuning: {error}", file=sys.stderr)
        raise SystemExit(1) from None
