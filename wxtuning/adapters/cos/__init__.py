"""Object storage: a bucket of IBM Cloud, or of any server that speaks S3, as a store."""

from __future__ import annotations

from wxtuning.adapters.cos.store import COS
from wxtuning.retry import Patience

__all__ = ["COS", "Patience"]
