"""What the arrays hold by which blocks are judged as a whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
"""A block of text."""

Places = NDArray[np.int64]
"""Positions in a block."""

Flags = NDArray[np.bool_]
Hashes = NDArray[np.uint64]
