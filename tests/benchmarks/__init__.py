"""Benchmarks: scripts that print a ratio against a named peer on the same work in one run. Not collected by pytest."""
