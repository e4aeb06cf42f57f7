"""A server with limits of the test's own, as a process: `python -m tests.server.limited HOME READY SETTINGS LIMITS`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from wxtuning.server import Settings
from wxtuning.server.run import serve
from wxtuning.server.settings import Limits

if __name__ == "__main__":
    home, ready, settings, limits = sys.argv[1:]
    asked = Settings(home=Path(home), limits=Limits(**json.loads(limits)), **json.loads(settings))
    serve(asked, Path(ready), say=lambda text: None)
