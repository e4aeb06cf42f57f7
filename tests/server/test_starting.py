"""What a server is not started with: refused at once, in a sentence, by the command and by the application."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.server.processes import spawned
from wxtuning import tiny
from wxtuning.errors import PlanError, WxTuningError
from wxtuning.server import Settings, app
from wxtuning.server.checks import check
from wxtuning.server.trainings.catalog import Catalog

MODEL = str(tiny.model_folder())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"token_seconds": float("inf")}, "token_seconds is inf; expected 1 to 31,622,400"),
        ({"token_seconds": float("nan")}, "token_seconds is nan; expected 1 to"),
        ({"token_seconds": -1}, "token_seconds is -1; expected 1 to"),
        ({"token_seconds": 0}, "token_seconds is 0; expected 1 to"),
        ({"jobs": 0}, "jobs is 0; expected 1 to 64"),
        ({"jobs": 100_000}, "jobs is 100000; expected 1 to 64"),
        ({"least_rows": 0}, "least_rows is 0; expected 1 to 10,000"),
        ({"least_rows": 10_001}, "least_rows is 10001; expected 1 to 10,000"),
        ({"port": 99_999}, "port is 99999; expected 0 to 65,535"),
        ({"port": -1}, "port is -1; expected 0 to 65,535"),
        ({"platform": "aws"}, "platform is 'aws'; expected cpd or cloud"),
        ({"host": ""}, "'' is no host name"),
        ({"host": "127.0.0.1:80"}, "'127.0.0.1:80' is no host name"),
        ({"names": ("tuner.example:8443",)}, "'tuner.example:8443' is no host name; expected one such as"),
        ({"names": ("a b",)}, "'a b' is no host name"),
        ({"names": ("a\u00e9",)}, "is no host name"),
        ({"names": ("\x1b[2J",)}, "'\\x1b[2J' is no host name"),
        ({"names": ("x" * 300,)}, "is no host name"),
        (
            {"endpoints": ("127.0.0.1:9000",)},
            "the endpoint '127.0.0.1:9000' is no address of a store; expected http://",
        ),
        ({"endpoints": ("ftp://127.0.0.1",)}, "the endpoint 'ftp://127.0.0.1' is no address"),
        ({"endpoints": ("http://127.0.0.1:9000/bucket",)}, "is no address"),
        ({"endpoints": ("http://user:key@127.0.0.1",)}, "is no address"),
        ({"endpoints": ("http://127.0.0.1:99999",)}, "is no address"),
        ({"endpoints": ("http://[::1",)}, "is no address"),
        ({"models": {"x": "/no/such/folder"}}, "the model 'x': there is no folder '/no/such/folder', and no Hub id is"),
        ({"models": {"x": "no/such/folder"}}, "written so; name a folder with a config.json, or OWNER/NAME of the Hub"),
        ({"models": {"x": "~nobody/folder"}}, "there is no folder '~nobody/folder', and no Hub id is written so"),
        ({"models": {"x": "tests"}}, "/tests has no config.json; a model folder holds config.json, model.safetensors"),
        ({"models": {"x": "README.md"}}, "there is no model folder "),
        ({"models": {"a b": MODEL}}, "the model name 'a b' cannot be"),
        ({"models": {tiny.MODEL_ID: MODEL}}, "is that of the embedded model"),
    ],
)
def test_a_setting_that_cannot_be_is_named_before_anything_is_made(tmp_path, monkeypatch, settings, said):
    monkeypatch.chdir(Path(__file__).parents[2])
    with pytest.raises(PlanError) as refused:
        app(Settings(home=tmp_path / "home", **settings))
    assert said in str(refused.value)
    assert not (tmp_path / "home").exists()


def test_all_that_cannot_be_is_named_at_once(tmp_path):
    with pytest.raises(PlanError) as refused:
        check(Settings(home=tmp_path, jobs=0, port=-1, models={"x": "/no/such/folder"}))
    assert len(refused.value.problems) == 3


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "::1", "names": ("tuner.example", "10.0.0.7", "my_host"), "jobs": 64, "port": 65_535},
        {"endpoints": ("http://127.0.0.1:9000/", "https://[fd00::1]:9000", "https://store.example")},
        {"models": {"google/flan-t5-xl": MODEL, "gpt2": "gpt2", "x": "org/name.v1"}},
    ],
)
def test_what_can_be_is_taken(tmp_path, settings):
    check(Settings(home=tmp_path, **settings))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--token-seconds", "nan"), "token_seconds is nan"),
        (("--jobs", "0"), "jobs is 0"),
        (("--port", "99999"), "port is 99999"),
        (("--host", "no-such-host.invalid"), "cannot listen on no-such-host.invalid:0"),
        (("--host", ""), "'' is no host name"),
        (("--model", "x"), "--model 'x' is no NAME=FOLDER_OR_HUB_ID"),
        (("--model", "x="), "--model 'x=' is no NAME=FOLDER_OR_HUB_ID"),
        (("--model", f"x={MODEL}", "--model", "x=gpt2"), "--model names 'x' twice"),
        (("--home", "/dev/null"), "cannot make the folder /dev/null"),
        (("--home", "/proc/home"), "cannot make the folder /proc/home"),
        (("--ready-file", "/"), "/ is a folder"),
        (("--ready-file", "/no/such/x.json"), "there is no folder /no/such for the ready file x.json"),
        (("--ready-file", "/proc/ready.json"), "cannot write /proc/ready.json"),
    ],
)
def test_the_command_says_it_in_a_sentence_and_ends_with_1(tmp_path, options, said):
    log = tmp_path / "log"
    assert spawned(tmp_path, *options, log=log).wait(timeout=20) == 1
    assert f"wxtuning: {said}" in log.read_text()
    assert "Traceback" not in log.read_text() and "Warning" not in log.read_text()


def test_a_home_that_was_named_is_not_blamed_on_the_environment(tmp_path):
    log = tmp_path / "log"
    assert spawned(tmp_path, "--home", "/proc/home", log=log).wait(timeout=20) == 1
    assert "Name another folder." in log.read_text() and "WXTUNING_HOME" not in log.read_text()


@pytest.mark.parametrize("options", [("--platform", "aws"), ("--jobs", "x"), ("--no-such", "1")])
def test_what_is_no_option_ends_with_2(tmp_path, options):
    log = tmp_path / "log"
    assert spawned(tmp_path, *options, log=log).wait(timeout=20) == 2
    assert options[0] in log.read_text() and "Traceback" not in log.read_text()


@pytest.mark.parametrize("name", ["keys.json", "server.db"])
def test_a_home_that_cannot_be_read_is_left_as_it_is_and_may_be_used_once_it_is_mended(tmp_path, name):
    broken = tmp_path / name
    broken.write_text("something else altogether\n" * 100)
    with pytest.raises(WxTuningError, match=name):
        app(Settings(home=tmp_path))
    assert broken.read_text().startswith("something else")
    broken.unlink()
    app(Settings(home=tmp_path)).close()


def test_an_application_that_cannot_start_ends_the_command_with_1(tmp_path):
    (tmp_path / "server" / "incoming" / "folder").mkdir(parents=True)
    log = tmp_path / "log"
    assert spawned(tmp_path, log=log).wait(timeout=20) == 1
    said = log.read_text()
    assert "Is a directory" in said and "wxtuning: the server cannot start; its log says why" in said
    assert not list(tmp_path.rglob("ready.json"))


@pytest.mark.parametrize("output", [">&-", "| true"])
def test_a_server_whose_output_nobody_reads_answers_and_ends_in_good_order(tmp_path, output):
    serve = (
        f"{sys.executable} -W error -m wxtuning serve --home {tmp_path} & echo $! >&2; wait $!; echo ended with $? >&2"
    )
    shell = subprocess.Popen(["bash", "-c", f"({serve}) {output}"], stderr=subprocess.PIPE, text=True)
    pid, ready = int(shell.stderr.readline()), tmp_path / "server" / "ready.json"
    until = time.monotonic() + 30
    while not ready.exists() and shell.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    try:
        told = json.loads(ready.read_text())
        httpx.get(f"{told['url']}/ml/wml_services/v2/version", verify=ssl.create_default_context(cafile=told["ca"]))
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        said = shell.communicate(timeout=20)[1]
    assert "ended with 0" in said and "Traceback" not in said


def test_a_folder_of_a_model_is_found_from_everywhere(tmp_path, monkeypatch):
    (tmp_path / "model").symlink_to(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    folders = {"a": "model", "b": "~/model"}
    check(Settings(home=tmp_path, models=folders))
    catalog = Catalog({**folders, "c": "gpt2"})
    assert [catalog.path(name) for name in "abc"] == [str(tmp_path / "model"), str(tmp_path / "model"), "gpt2"]
