"""`python -m wxtuning` is `wxtuning`."""

from wxtuning.cli import main

main()
