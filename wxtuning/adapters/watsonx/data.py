"""What a job is told of its lines: an asset of the project, or a file in a bucket. Chooses; sends nothing itself."""

from __future__ import annotations

from wxtuning.adapters.watsonx.assets import ASSETS, Assets
from wxtuning.adapters.watsonx.connections import Connections
from wxtuning.adapters.watsonx.service import Json
from wxtuning.folder import slug
from wxtuning.ports import TuningRequest
from wxtuning.status import DataRef


class Data:
    """The data of jobs.

    Args:
        assets: Where lines of this machine go.
        connections: How lines in a bucket are reached.
    """

    def __init__(self, assets: Assets, connections: Connections) -> None:
        self._assets = assets
        self._connections = connections

    def references(self, request: TuningRequest, key: str) -> dict[str, Json]:
        """What the job is told of each part of its data, `train` and `validation`; files are uploaded first.

        Args:
            request: Whose data it is.
            key: The job's own; the data belongs to it where the request names no owner.
        """
        owner = request.owner or key
        parts = {"train": request.train, "validation": request.validation}
        return {part: self._reference(request, data, part, owner) for part, data in parts.items() if data}

    def _reference(self, request: TuningRequest, data: DataRef, part: str, owner: str) -> Json:
        if request.store:
            return self._connections.reference(data, request.store)
        asset = self._assets.put(data, f"{slug(request.name)}-{part}", owner)
        return {"type": "data_asset", "location": {"href": f"{ASSETS}/{asset}", "id": asset}}
