"""What a server finds out at its start about the models that it is to have: of folders, of the Hub, and without it."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.hub import client
from tests.hub import server as hubs
from tests.hub.conftest import process
from tests.server.processes import TELLS_IMPORTS, serving, spawned
from wxtuning import tiny
from wxtuning.errors import PlanError
from wxtuning.server import Settings
from wxtuning.server.checks import check

WHOLE = {file.name: file.read_bytes() for file in tiny.model_folder().iterdir() if file.is_file()}
CONFIG, WEIGHTS = {"config.json": WHOLE["config.json"]}, {"model.safetensors": b"weights"}
UNTRUE = {
    "nothing": ({}, "has no config.json; a model folder holds config.json, model.safetensors and"),
    "no config": (WEIGHTS, "has no config.json; "),
    "no weights": (CONFIG, "has no .safetensors file; convert the weights to safetensors"),
    "pickled": (CONFIG | {"pytorch_model.bin": b""}, "has no .safetensors file; convert the weights to safetensors"),
    "cut": (WEIGHTS | {"config.json": b'{"model_type": "ll'}, "cannot be read: "),
    "a list": (WEIGHTS | {"config.json": b"[]"}, "is no object; a model folder holds"),
}


@pytest.fixture(scope="module")
def hub():
    with hubs.serving() as found:
        for name, files in (("whole", WHOLE), ("kept", WHOLE), ("pickled", CONFIG), ("gguf", {"model.gguf": b""})):
            found.repositories[f"owner/{name}"] = hubs.Repository(files, kind="model")
        found.repositories["owner/gated"] = hubs.Repository(WHOLE, kind="model", gated=True)
        yield found


@pytest.fixture(scope="module")
def cached(hub, tmp_path_factory):
    """The environment of a machine on which one model has been fetched whole, and the config of another one."""
    environment = {"HF_HOME": str(tmp_path_factory.mktemp("hf")), "HF_ENDPOINT": hub.address, "HF_TOKEN": ""}
    with process(environment) as call:
        call(client.download, "owner/kept", None, "model")
        call(client.download, "owner/whole", "config.json", "model")
    return environment


def options(*models):
    return [part for model in models for part in ("--model", f"{model}=owner/{model}")]


def refused(home, *named, environment):
    log = home / "log"
    assert spawned(home, *named, log=log, environment=environment).wait(timeout=20) == 1
    assert not (home / "server").exists()
    return log.read_text()


@pytest.mark.parametrize("name", UNTRUE)
def test_a_folder_that_holds_no_model_is_refused_by_what_it_lacks(tmp_path, name):
    files, said = UNTRUE[name]
    folder = tmp_path / "model"
    folder.mkdir()
    for file, content in files.items():
        (folder / file).write_bytes(content)
    with pytest.raises(PlanError) as found:
        check(Settings(home=tmp_path, models={"x": str(folder)}))
    (problem,) = found.value.problems
    assert problem.startswith("the model 'x': the ") and str(folder) in problem and said in problem


def test_a_server_starts_with_what_the_hub_has_and_warns_of_what_cannot_be_read_yet(hub, cached, tmp_path):
    named = options("whole", "kept", "gated", "pickled")
    with serving(tmp_path, *named, environment=cached | TELLS_IMPORTS) as running, running.http(token="") as client:
        specs = client.get("/ml/v1/foundation_model_specs").json()
    warned = [line.partition("WARNING ")[2] for line in running.said().splitlines() if "WARNING" in line]
    assert specs["total_count"] == 5
    assert "huggingface_hub" in running.imported()
    assert running.imported().isdisjoint({"torch", "transformers", "datasets", "pyarrow"})
    assert [line.partition(" fail until ")[0] for line in warned] == [
        "jobs and questions of gated", "jobs and questions of pickled",
    ]  # fmt: skip
    assert "owner/gated is only for people whom its owner has let in" in warned[0] and "Ask for access" in warned[0]
    assert "owner/pickled at the Hub has no .safetensors file; convert the weights" in warned[1]


def test_all_that_the_hub_does_not_have_is_refused_at_once_with_what_to_do(hub, cached, tmp_path):
    hub.forget()
    said = refused(tmp_path, *options("absent", "gguf", "kept"), "--jobs", "0", environment=cached)
    assert "wxtuning: 3 problems:\n  - jobs is 0; expected 1 to 64\n" in said
    assert "'absent': there is no folder 'owner/absent', and the Hub has no model 'owner/absent'. Check the id" in said
    assert "the model 'gguf': owner/gguf at the Hub has no config.json; a model folder holds" in said
    assert hub.asked("kept") == []


def test_a_model_that_is_here_needs_no_hub_and_without_it_another_is_warned_of(cached, tmp_path):
    environment = cached | {"HF_HUB_OFFLINE": "1"}
    with serving(tmp_path, *options("kept", "whole"), environment=environment) as running:
        said = running.said()
    assert said.count("WARNING") == 1
    assert "fail until owner/whole is here: owner/whole is not on this machine, and HF_HUB_OFFLINE forbids" in said


@contextmanager
def hardly_answering():
    """The address of a hub whose answers never end, however patiently one waits for the next byte."""
    ended = threading.Event()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            with suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
                while not ended.wait(0.2):
                    self.wfile.write(b"x")

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            ended.set()
            server.shutdown()
            thread.join()


def test_a_hub_that_does_not_come_to_an_end_holds_the_start_up_for_a_moment_only(cached, tmp_path):
    with (
        hardly_answering() as address,
        serving(tmp_path, *options("a", "b"), environment=cached | {"HF_ENDPOINT": address}) as running,
    ):
        said = running.said()
    assert said.count("the Hub did not answer within 2 seconds") == 2
