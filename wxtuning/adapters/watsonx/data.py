"""What a job is told of its lines: an asset of the project, or a file in a bucket. Chooses; sends nothing itself."""

from __future__ import annotations

from wxtuning.adapters.watsonx.assets import ASSETS, Assets
from wxtuning.adapters.watsonx.connections import Connections
from wxtuning.adapters.watsonx.service import Json
from wxtuning.folder import slug
from wxtuning.ports import TuningRequest


class Data:
    """The data of jobs.

    Args:
        assets: Where lines of this machine go.
        connections: How lines in a bucket are reached.
    """

    def __init__(self, assets: Assets, connections: Connections) -> None:
        self._assets = assets
        self._connections = connections

    def reference(self, request: TuningRequest, key: str) -> Json:
        """What the job is told of the lines to tune on; a file is uploaded first.

        Args:
            request: Whose data it is.
            key: The job's own; the data belongs to it where the request names no owner.
        """
        if request.store:
            return self._connections.reference(request.train, request.store)
        asset = self._assets.put(request.train, f"{slug(request.name)}-train", request.owner or key)
        return {"type": "data_asset", "location": {"href": f"{ASSETS}/{asset}", "id": asset}}
