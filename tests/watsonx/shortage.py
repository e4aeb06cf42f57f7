"""Submitting in a process of its own that has no room left to write."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from typing import Any

from wxtuning.adapters.watsonx import Watsonx
from wxtuning.errors import WxTuningError
from wxtuning.ports import TuningRequest

ROOM = 256
"""Bytes of a file: enough for a lock, too few for a journal."""


def submit(settings: Mapping[str, Any], home: str, asked: TuningRequest, key: str, answers: Any) -> None:
    """Submit; answers the kind of the error."""
    os.environ["WXTUNING_HOME"] = home
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))
    try:
        Watsonx(**settings).submit(asked, key)
    except WxTuningError as error:
        answers.put(type(error).__name__)
    else:
        answers.put("nothing was wrong")
