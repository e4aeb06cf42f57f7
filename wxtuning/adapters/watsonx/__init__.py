"""watsonx.ai through the official SDK: Cloud Pak for Data, IBM Cloud, and servers that speak the same protocol."""

from __future__ import annotations

from wxtuning.adapters.watsonx.backend import Watsonx

__all__ = ["Watsonx"]
