"""The server inside another program, whose umask gives its files to everybody and whose ASGI server is not ours."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from tests.server import rooms
from wxtuning.server import Settings, app
from wxtuning.server.application import App


@pytest.fixture
def generous() -> Iterator[None]:
    """A process whose files are for everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def application(generous: None, tmp_path: Path) -> Iterator[App]:
    found = app(Settings(home=tmp_path / "home"))
    yield found
    found.close()


@contextmanager
def serving(application: App) -> Iterator[httpx.Client]:
    """A caller of the application, which runs in plain uvicorn inside this process."""
    server = uvicorn.Server(uvicorn.Config(application, lifespan="on", ws="none", log_config=None))
    sock = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[sock])))
    thread.start()
    token = {"Authorization": f"Bearer {application.house.tokens.grant().token}"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{sock.getsockname()[1]}", headers=token) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        sock.close()


def wide(folder: Path) -> list[str]:
    """What others than the owner may read, write or enter."""
    found = [folder, *folder.rglob("*")]
    return [path.name for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077]


def uploaded(client: httpx.Client, project: str) -> str:
    """The id of a data asset whose content was sent to its signed address."""
    inside = {"params": {"project_id": project}}
    entity = {"data_asset": {"mime_type": "application/json"}}
    asset = {"metadata": {"name": "rows.jsonl", "asset_type": "data_asset"}, "entity": entity}
    made = client.post("/v2/assets", json=asset, **inside).json()["metadata"]["asset_id"]
    attached = client.post(
        f"/v2/assets/{made}/attachments", json={"asset_type": "data_asset", "name": "rows.jsonl"}, **inside
    ).json()
    assert client.put(attached["url1"], content=rooms.lines(60).encode()).status_code == 201
    path = f"/v2/assets/{made}/attachments/{attached['attachment_id']}/complete"
    assert client.post(path, **inside).status_code == 200
    return str(made)


def test_the_keys_are_there_before_the_first_request(application, tmp_path):
    file = tmp_path / "home" / "keys.json"
    assert json.loads(file.read_text())["api_key"] == application.house.tokens.keys.api_key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.slow
def test_all_that_it_writes_is_for_the_owner_alone_whatever_the_umask(application, tmp_path):
    house = application.house
    with serving(application) as client:
        project, space = (client.get(f"/v2/{kinds}").json()["resources"][0] for kinds in ("projects", "spaces"))
        project, space = project["metadata"]["guid"], space["metadata"]["id"]
        training = rooms.queued(house, f"project/{project}", uploaded(client, project), num_epochs=1)
        assert rooms.when(house, training)["state"] == "completed"
        for kind in ("asset", "model"):
            path = f"/projects/api/rest/catalogs/assets/{house.state.all(kind, f'project/{project}')[0].id}/promote"
            client.post(path, json={"projectId": project, "spaceId": space}).raise_for_status()
        assert wide(tmp_path / "home") == []


async def answered(application: App, scope: dict[str, Any]) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return sent


def test_a_websocket_that_another_server_takes_in_is_closed_before_it_opens(application, caplog):
    scope = {"type": "websocket", "path": "/ml/v4/trainings/1", "raw_path": b"/ml/v4/trainings/1", "headers": []}
    (message,) = asyncio.run(answered(application, scope))
    assert message["type"] == "websocket.close"
    assert "not offered: websocket /ml/v4/trainings/1" in caplog.text
