"""The content of data assets: announce it, send it to a signed address, complete it, fetch it; and files of runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import FileResponse, Response

from wxtuning.server.data.asset_form import attachment as shown
from wxtuning.server.data.attachments import file_of
from wxtuning.server.errors import invalid, not_found
from wxtuning.server.fields import PLACED, Table, flag, none_of, one_of, read, text
from wxtuning.server.lookup import named
from wxtuning.server.routing import Answer, Call, Route
from wxtuning.server.state import Resource
from wxtuning.server.trainings import results

UPLOADS = "/v2/asset_uploads"
BYTES = "application/octet-stream"


BODY: Table = {
    **PLACED,
    "asset_type": one_of("data_asset"),
    "name": text(default=""),
    "mime": text(default=BYTES),
    "connection_id": text(default=""),
    "connection_path": text(default=""),
    "is_remote": flag(),
    **none_of("description", "object_key", "object_key_is_read_only", "datasource_type", "private_url", "user_data"),
}


def create(call: Call) -> Answer:
    """Content of the caller's, to be sent to `url1`; or a place in a foreign store, if a connection is named."""
    asset, asked = named(call, "asset", "asset"), read(call.body, BODY, call="POST /v2/assets/{id}/attachments")
    body = {"asset_id": asset.id, "mime": asked["mime"], "transfer_complete": False, "size": 0, **_remote(asked)}
    name = asked["name"] or asset.name
    with call.house.state.transaction() as transaction:
        if transaction.get("asset", asset.id) is None:
            raise not_found("asset", asset.id)
        made, _ = transaction.add("attachment", container=asset.container, name=name, body=body, key=call.key)
    return Answer(body={**shown(made), "url1": _address(call, "PUT", made)}, status=201)


def _remote(asked: Mapping[str, Any]) -> dict[str, Any]:
    place = {name: asked[name] for name in ("connection_id", "connection_path")}
    if not any([*place.values(), asked.get("is_remote")]):
        return {}
    if not all(place.values()):
        raise invalid("content in a foreign store needs both connection_id and connection_path")
    return {**place, "transfer_complete": True}


def receive(call: Call) -> Response:
    """The bytes, sent to the signed address; may be repeated until the attachment is complete."""
    if call.file is None or not call.file.stat().st_size:
        raise invalid("no bytes came; send the file's content")
    house, file, size = call.house, call.file, call.file.stat().st_size

    def put(attachment: Resource) -> Resource:
        if attachment.body["transfer_complete"]:
            raise invalid("the attachment is complete already; make a new one to send other content")
        file.replace(file_of(house, attachment))
        return replace(attachment, body={**attachment.body, "size": size})

    if house.state.change("attachment", call.path["id"], put) is None:
        raise not_found("attachment", call.path["id"])
    return Response(status_code=201)


def complete(call: Call) -> dict[str, Any]:
    identity = _attachment(call).id

    def close(attachment: Resource) -> Resource:
        if not file_of(call.house, attachment).is_file():
            raise invalid("the attachment has no content; send it to url1 first")
        return replace(attachment, body={**attachment.body, "transfer_complete": True})

    if (found := call.house.state.change("attachment", identity, close)) is None:
        raise not_found("attachment", identity)
    return shown(found)


def show(call: Call) -> dict[str, Any]:
    attachment = _attachment(call)
    url = {} if attachment.body.get("connection_id") else {"url": _address(call, "GET", attachment)}
    return {**shown(attachment), **url}


def send(call: Call) -> FileResponse:
    """The bytes, fetched from the signed address."""
    attachment = call.house.resource("attachment", call.path["id"])
    file = file_of(call.house, attachment)
    if not file.is_file():
        raise not_found("content of attachment", attachment.id)
    # Whatever was uploaded is bytes to be saved, nothing to be shown by a browser.
    return FileResponse(file, media_type=BYTES, headers={"Content-Disposition": "attachment"})


def _attachment(call: Call) -> Resource:
    found = named(call, "attachment")
    if found.body["asset_id"] != call.path["asset"]:
        raise not_found("attachment of this asset", found.id)
    return found


def _address(call: Call, method: str, attachment: Resource) -> str:
    """Signed and short-lived; whole on IBM Cloud, from the host on where Cloud Pak for Data has it."""
    signed = call.house.tokens.signed(method, f"{UPLOADS}/{attachment.id}")
    return f"{call.url}{signed}" if call.house.settings.platform == "cloud" else signed


def run_file(call: Call) -> Response:
    """A file of a run: metrics, log, status, or the request that stores its model."""
    return Response(results.content(call.house, call.container, call.path["path"]), media_type=BYTES)


ROUTES = (
    Route(method="POST", path="/v2/assets/{asset}/attachments", handler=create),
    Route(method="GET", path="/v2/assets/{asset}/attachments/{id}", handler=show),
    Route(method="POST", path="/v2/assets/{asset}/attachments/{id}/complete", handler=complete),
    Route(method="PUT", path=f"{UPLOADS}/{{id}}", handler=receive, takes="file", token="url"),
    Route(method="GET", path=f"{UPLOADS}/{{id}}", handler=send, token="url"),
    Route(method="GET", path="/v2/asset_files/{path:path}", handler=run_file, only="cpd"),
)
