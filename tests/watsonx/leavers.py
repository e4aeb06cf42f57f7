"""A program that starts a job and waits for it; run as `python -m tests.watsonx.leavers`, to be left."""

from __future__ import annotations

import json
import os

import wxtuning as wx
from tests.server.sdk_tuning import rows
from wxtuning.adapters.watsonx import Watsonx

SETTINGS, NAME = "LEAVERS_SETTINGS", "LEAVERS_NAME"
"""The environment variables with what `Watsonx` is told, in JSON, and the experiment's name."""


def main() -> None:
    backend = Watsonx(**json.loads(os.environ[SETTINGS]))
    experiment = (
        wx.TuningExperiment(os.environ[NAME], task="classification").load(rows(400)).tune(num_epochs=50).on(backend)
    )
    job = experiment.wait(every=0.2).submit()
    print(job.id, flush=True)
    job.result()


if __name__ == "__main__":
    main()
