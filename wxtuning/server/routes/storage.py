"""The object storage of projects on IBM Cloud: files of runs, read with S3's GetObject and HeadObject."""

from __future__ import annotations

from starlette.responses import Response

from wxtuning.server.data.storage import PREFIX, container_of
from wxtuning.server.routing import Call, Route
from wxtuning.server.trainings import results


def read(call: Call) -> Response:
    found = results.content(call.house, container_of(call.path["bucket"]), call.path["key"])
    if call.method == "HEAD":
        return Response(headers={"Content-Length": str(len(found))})
    return Response(found, media_type="application/octet-stream")


ROUTES = tuple(
    Route(method=method, path=f"{PREFIX}/{{bucket}}/{{key:path}}", handler=read, token="s3", only="cloud")
    for method in ("GET", "HEAD")
)
