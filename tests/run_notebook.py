"""`python tests/run_notebook.py NOTEBOOK`: run it with this interpreter, write what it became to standard output.

A program of its own, because the kernel client leaves sockets to the garbage collector.
"""

from __future__ import annotations

import sys

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient


class ThisPython(KernelSpecManager):
    """Offers the interpreter that runs this program, whatever kernels the machine knows."""

    def get_kernel_spec(self, kernel_name):
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


if __name__ == "__main__":
    notebook = nbformat.read(sys.argv[1], as_version=4)
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython(), transport="ipc")
    NotebookClient(notebook, km=manager, timeout=300).execute()
    sys.stdout.write(nbformat.writes(notebook))
