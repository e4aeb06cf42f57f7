"""The content of data assets: announce it, send it to a signed address, complete it, fetch it; and files of runs."""

from __future__ import annotations

from typing import Any

from starlette.responses import FileResponse, Response

from wxtuning.server.data.asset_form import attachment as shown
from wxtuning.server.data.attachments import file_of
from wxtuning.server.errors import invalid, not_found
from wxtuning.server.lookup import named, text
from wxtuning.server.routing import Answer, Call, Route
from wxtuning.server.state import Resource
from wxtuning.server.trainings import results

UPLOADS = "/v2/asset_uploads"
BYTES = "application/octet-stream"


def create(call: Call) -> Answer:
    """Content of the caller's, to be sent to `url1`; or a place in a foreign store, if a connection is named."""
    asset = named(call, "asset", "asset")
    body: dict[str, Any] = {"transfer_complete": False, "size": 0}
    if connection := text(call.body, "connection_id", default=""):
        place = text(call.body, "connection_path")
        body |= {"connection_id": connection, "connection_path": place, "transfer_complete": True}
    name = text(call.body, "name", default=asset.name)
    body |= {"asset_id": asset.id, "mime": text(call.body, "mime", default=BYTES)}
    made, _ = call.house.state.add("attachment", container=asset.container, name=name, body=body)
    return Answer(body={**shown(made), "url1": _address(call, "PUT", made)}, status=201)


def receive(call: Call) -> Response:
    """The bytes, sent to the signed address; may be repeated until the attachment is complete."""
    attachment = call.house.resource("attachment", call.path["id"])
    if attachment.body["transfer_complete"]:
        raise invalid("the attachment is complete already; make a new one to send other content")
    if call.file is None or not call.file.stat().st_size:
        raise invalid("no bytes came; send the file's content")
    size = call.file.stat().st_size
    call.file.replace(file_of(call.house, attachment))
    call.house.state.change(attachment, {**attachment.body, "size": size})
    return Response(status_code=201)


def complete(call: Call) -> dict[str, Any]:
    attachment = _attachment(call)
    if not file_of(call.house, attachment).is_file():
        raise invalid("the attachment has no content; send it to url1 first")
    return shown(call.house.state.change(attachment, {**attachment.body, "transfer_complete": True}))


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
