"""The server as a process: it starts fast, ends in good order, keeps its state, and shares its home with none."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.server.processes import TELLS_IMPORTS, Running, serving, spawned, started
from wxtuning.errors import WxTuningError
from wxtuning.server.entrance.certificates import certificates
from wxtuning.server.ready import Ready


@pytest.fixture
def running(tmp_path: Path):
    found = started(tmp_path / "home")
    yield found
    if found.process.poll() is None:
        found.process.kill()
        found.process.wait()


def test_until_a_model_is_asked_nothing_is_loaded_that_computes(tmp_path):
    with serving(tmp_path, environment=TELLS_IMPORTS) as server, server.http() as client:
        client.get("/v2/projects").raise_for_status()
        client.get("/ml/v1/foundation_model_specs").raise_for_status()
        client.get("/v1/models").raise_for_status()
        mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
        imported = server.imported()
    assert {"wxtuning", "starlette"} < imported
    assert imported.isdisjoint({"torch", "transformers", "peft", "huggingface_hub", "datasets", "pandas"})
    assert "python" in mapped
    assert [name for name in ("libtorch", "tokenizers", "pyarrow") if name in mapped] == []


def test_the_application_is_made_as_the_documentation_shows(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "server.md").read_text()
    code = text.partition("it is an ASGI application:")[2].partition("```python\n")[2].partition("```")[0]
    (tmp_path / "block.py").write_text(f"{code}\nassert callable(application) and api_key\napplication.close()\n")
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "block.py"], cwd=tmp_path, check=True, env={**os.environ, "PYTHONPATH": str(root)})


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_good_order_when_told(running, by):
    assert running.end(by=by) == 0
    assert "Traceback" not in running.said()


def test_it_ends_although_callers_keep_their_connections(running):
    connections = [running.connection() for _ in range(20)]
    assert running.end() == 0
    for connection in connections:
        connection.close()


def test_a_request_that_came_before_the_end_is_answered(running):
    with running.http() as client:
        client.get("/v2/projects")
        body = json.dumps({"name": "x" * 20}).encode()

        def slowly():
            yield body[:5]
            running.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            yield body[5:]

        answer = client.post("/v2/spaces", content=slowly(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 202
    assert running.process.wait(timeout=10) == 0


def test_state_keys_and_certificate_survive_a_restart(running):
    with running.http() as client:
        made = client.post("/v2/spaces", json={"name": "kept"}).json()["metadata"]["id"]
    token = running.token
    running.end()
    again = started(running.home)
    same = ("username", "password", "api_key", "project_id", "space_id", "ca")
    assert {name: again.ready[name] for name in same} == {name: running.ready[name] for name in same}
    with again.http(token=token) as client:
        assert client.get(f"/v2/spaces/{made}").json()["entity"]["name"] == "kept"
    again.end()


def test_state_survives_a_kill(running):
    with running.http() as client:
        made = client.post("/v2/spaces", json={"name": "kept"}).json()["metadata"]["id"]
    running.end(by=signal.SIGKILL)
    again = started(running.home)
    with again.http() as client:
        assert client.get(f"/v2/spaces/{made}").status_code == 200
    again.end()


def test_a_second_server_on_one_home_says_so_and_ends(running, tmp_path):
    log = tmp_path / "second.log"
    second = spawned(running.home, log=log)
    assert second.wait(timeout=20) == 1
    said = log.read_text()
    assert f"another server (process {running.process.pid}) works in" in said
    assert "Traceback" not in said
    with running.http() as client:
        assert client.get("/v2/projects").status_code == 200


def test_a_port_that_is_taken_is_named(running, tmp_path):
    log = tmp_path / "second.log"
    second = spawned(tmp_path / "other", "--port", str(running.port), log=log)
    assert second.wait(timeout=20) == 1
    said = log.read_text()
    assert f"cannot listen on 127.0.0.1:{running.port}" in said
    assert "Warning" not in said and "Traceback" not in said


def test_without_its_extra_the_command_says_what_to_install(tmp_path):
    program = "import sys; sys.modules['starlette'] = None; from wxtuning.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--home", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "needs starlette" in done.stderr and "pip install 'wxtuning[server]'" in done.stderr


def test_the_ready_file_is_for_its_owner_alone_and_says_it_all(running):
    file = Path(running.ready["home"]) / "ready.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text()) == running.ready
    assert running.ready["pid"] == running.process.pid
    assert running.url.startswith("https://127.0.0.1:")


def ready_files(server: Running) -> list[Path]:
    return [*server.home.glob("ready-*.json"), *(server.home / "server").glob("ready.json")]


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_the_ready_files_go_when_the_server_ends(running, by):
    assert len(ready_files(running)) == 2
    assert running.end(by=by) == 0
    assert ready_files(running) == []


def test_a_ready_file_that_a_killed_server_left_is_replaced(running):
    running.end(by=signal.SIGKILL)
    again = started(running.home)
    file = running.home / "server" / "ready.json"
    assert json.loads(file.read_text())["pid"] == again.process.pid
    again.end()


def test_ready_files_are_removed_as_far_as_they_speak_of_this_home(house, tmp_path):
    others = [tmp_path / name for name in ("other", "list", "text", "nothing")]
    for file, text in zip(others, ('{"home": "/elsewhere"}', "[]", "x"), strict=False):
        file.write_text(text)
    ready = Ready(ground=house, url="http://127.0.0.1:1", files=None, places=(tmp_path / "ours", *others))
    (tmp_path / "ours").write_text(json.dumps(ready.values()))
    ready.remove()
    assert {file.name for file in tmp_path.iterdir() if file.is_file()} == {"other", "list", "text"}


def test_if_one_ready_file_cannot_be_written_none_stays(house, tmp_path):
    ready = Ready(ground=house, url="http://127.0.0.1:1", files=None, places=(Path("/proc/ready.json"),))
    with pytest.raises(WxTuningError, match=r"cannot write /proc/ready\.json"):
        ready.write()
    assert not (house.folder() / "ready.json").exists()


def test_what_is_printed_is_json_and_then_python(tmp_path):
    command = [sys.executable, "-m", "wxtuning", "serve", "--home", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    printed = ""
    while "\nclient = " not in printed:
        printed += process.stdout.readline()
    process.terminate()
    process.wait(timeout=20)
    process.stdout.close()
    text, _, lines = printed.partition("# To connect:")
    assert json.loads(text)["python"] == [line for line in lines.splitlines() if line]


def test_without_tls_the_lines_say_why_the_sdk_cannot_come(plain: Running):
    assert plain.url.startswith("http://")
    assert plain.ready["ca"] is None
    assert "refuses http" in plain.ready["python"][0]


# --- certificates -------------------------------------------------------------------------------------------------

NOW = datetime(2030, 1, 1, tzinfo=UTC)
NAMES = {"127.0.0.1", "localhost"}


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def changed(folder: Path, names: set[str], *, days: int = 0) -> set[str]:
    """The files that a later start has replaced."""
    before = contents(folder)
    certificates(folder, names, now=NOW + timedelta(days=days))
    after = contents(folder)
    return {name for name in after if after[name] != before.get(name)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificates(tmp_path, NAMES, now=NOW)
    return tmp_path


def test_certificates_are_kept_while_they_are_good(folder):
    assert changed(folder, NAMES, days=300) == set()
    assert changed(folder, {"127.0.0.1"}) == set()


def test_the_servers_certificate_is_renewed_before_it_expires(folder):
    assert changed(folder, NAMES, days=380) == {"server.pem", "server-key.pem"}


def test_the_authority_is_renewed_before_it_expires(folder):
    assert changed(folder, NAMES, days=3640) == {"ca.pem", "ca-key.pem", "bundle.pem", "server.pem", "server-key.pem"}


def test_another_name_needs_another_certificate(folder):
    assert changed(folder, {*NAMES, "10.0.0.7", "tuner.example"}) == {"server.pem", "server-key.pem"}


def test_a_lost_file_is_made_again(folder):
    (folder / "server-key.pem").unlink()
    assert changed(folder, NAMES) == {"server.pem", "server-key.pem"}
    (folder / "ca-key.pem").unlink()
    assert changed(folder, NAMES) == {"ca.pem", "ca-key.pem", "bundle.pem", "server.pem", "server-key.pem"}


def test_keys_are_for_their_owner_alone(folder):
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in ("ca-key.pem", "server-key.pem")} == {0o600}


def test_the_bundle_also_trusts_what_is_trusted_anyway(folder):
    import certifi

    assert (folder / "bundle.pem").read_bytes() == Path(certifi.where()).read_bytes() + (folder / "ca.pem").read_bytes()


def test_a_client_that_trusts_another_authority_does_not_connect(cpd, tmp_path):
    import ssl

    import httpx

    other = certificates(tmp_path, NAMES).authority
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        httpx.get(cpd.url, verify=ssl.create_default_context(cafile=other))
