"""Data assets and what else a training may read, and the doors to object stores."""
