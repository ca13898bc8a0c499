"""How the server and its kernels talk: through sockets in a directory that only the person may open."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Any


def choose_transport(kernels: Any, over_tcp: Sequence[str]) -> None:
    """Has ``kernels``, a Jupyter Server's, start each kernel with sockets in the runtime directory.

    ``over_tcp`` are patterns for the names of those that know nothing but ports, which they get at the node's
    loopback address. There whoever is on the node can connect, and read what a kernel publishes unless it
    encrypts, which is switched on where its kernelspec says that it can. What is configured counts for more.
    """
    make = kernels.kernel_manager_factory

    def make_kernel(*arguments: Any, **keywords: Any) -> Any:
        kernel = make(*arguments, **keywords)
        if not _is_configured(kernel, "transport"):
            wanted = any(fnmatch.fnmatchcase(kernel.kernel_name, each) for each in over_tcp)
            kernel.transport = "tcp" if wanted else "ipc"
        if kernel.transport == "tcp" and not _is_configured(kernel, "transport_encryption"):
            kernel.transport_encryption = "auto"
        return kernel

    kernels.kernel_manager_factory = make_kernel


def _is_configured(kernel: Any, trait: str) -> bool:
    names = [each.__name__ for each in type(kernel).__mro__]
    return any(name in kernel.config and trait in kernel.config[name] for name in names)
