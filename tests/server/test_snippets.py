"""What `deployment.snippets()` prints runs: against a server on the same home, for each kind of client."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

import wxtuning as wx
from tests.server.processes import serving
from wxtuning import tiny
from wxtuning.errors import AdapterError, NotOffered
from wxtuning.ports import Decoding
from wxtuning.status import DeploymentRef

VERSION = {"version": "2026-01-01"}
WITH_CURL = pytest.mark.skipif(not shutil.which("curl"), reason="no curl on this machine")
TEXT = 'It\'s "late" & the box was empty; nobody answers $HOME.'


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A home with the deployments of two runs, which have names that make the same serving name."""
    home = tmp_path_factory.mktemp("chain")
    before = os.environ.get("WXTUNING_HOME")
    os.environ["WXTUNING_HOME"] = str(home)
    experiment = (
        wx.TuningExperiment("comments", task="classification", labels=("satisfied", "unsatisfied"))
        .load(tiny.demonstration_file(), limit=120)
        .to_jsonl(input="comment", output="satisfaction")
    )
    prompt = experiment.tune(wx.PromptTuning(num_epochs=2, num_virtual_tokens=8)).deploy("Shop comments")
    lora = experiment.tune(wx.LoRA(num_epochs=1)).deploy("shop-comments")
    try:
        yield home, [one.run(progress=False).deployment for one in (prompt, lora)]
    finally:
        os.environ.pop("WXTUNING_HOME") if before is None else os.environ.update(WXTUNING_HOME=before)


@pytest.fixture(scope="module")
def running(chain):
    with serving(chain[0]) as found:
        yield found


@pytest.fixture(params=[0, 1])
def deployment(request, chain, monkeypatch):
    monkeypatch.setenv("WXTUNING_HOME", str(chain[0]))
    return chain[1][request.param]


def said(*command, code):
    done = subprocess.run([*command, code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", [pytest.param("curl", marks=WITH_CURL), "sdk", "openai"])
def test_the_code_runs_and_prints_what_the_deployment_answers(running, deployment, kind):
    snippets = deployment.snippets(TEXT)
    interpreter = ("bash", "-c") if kind == "curl" else (sys.executable, "-c")
    found = said(*interpreter, code=getattr(snippets, kind))
    (expected,) = (answer.text for answer in deployment.answers([TEXT]))
    assert expected and expected in found


def test_printed_they_are_all_there_with_the_command_and_without_a_key(running, deployment):
    text = str(deployment.snippets())
    for part in ("wxtuning serve --home", "curl", "ModelInference", "OpenAI("):
        assert part in text
    assert running.ready["api_key"] not in text


def test_the_server_lists_what_the_chain_deployed_and_changes_nothing(running, chain):
    where = {**VERSION, "project_id": running.project}
    with running.http() as http:
        found = http.get("/ml/v4/deployments", params=where).json()["resources"]
        assert sorted(one["metadata"]["name"] for one in found) == ["Shop comments", "shop-comments"]
        assert {one["entity"]["deployed_asset_type"] for one in found} == {"prompt_tune", "lora_adapter"}
        for one in found:
            path = f"/ml/v4/deployments/{one['metadata']['id']}"
            operations = [{"op": "replace", "path": "/name", "value": "x"}]
            assert http.delete(path, params=where).status_code == 403
            assert http.patch(path, params=where, json=operations).status_code == 403
            assert http.get(path, params=where).json() == one


def test_two_names_that_look_alike_do_not_share_a_serving_name(running):
    where = {**VERSION, "project_id": running.project}
    with running.http() as http:
        found = http.get("/ml/v4/deployments", params=where).json()["resources"]
    online = [one["entity"]["online"] for one in found]
    assert sorted(online, key=len) == [{}, {"parameters": {"serving_name": "shop_comments"}}]


def test_what_is_not_deployed_has_no_snippets(deployment):
    local = deployment.deployer
    with pytest.raises(AdapterError, match="is not deployed"):
        local.snippets(DeploymentRef("local", "deployment/none"), "x", 5)


def test_another_backend_says_that_it_has_none(deployment):
    from dataclasses import replace

    class Elsewhere:
        name = "elsewhere"

        def generate(self, ref: DeploymentRef, inputs: list[str], decoding: Decoding) -> tuple[()]:
            return ()

    with pytest.raises(NotOffered, match="elsewhere has no snippets"):
        replace(deployment, deployer=Elsewhere()).snippets()
