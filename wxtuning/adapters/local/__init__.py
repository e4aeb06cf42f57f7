"""Tuning and answers on this machine. The engine tunes in a child process; answers come from this process."""

from __future__ import annotations

from wxtuning.adapters.local.backend import Local
from wxtuning.adapters.local.deployments import LocalDeployment
from wxtuning.adapters.local.tokenizer import LocalTokenizer

__all__ = ["Local", "LocalDeployment", "LocalTokenizer"]
