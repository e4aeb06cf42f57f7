"""Rows as they come: what a row may be, and the strict readers of files. Knows nothing of what rows are used for."""
