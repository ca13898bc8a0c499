"""Each kernel gets sockets, unless it is on the list of those that need ports, or is configured."""

from types import SimpleNamespace
from typing import Any

import pytest

from clusterhub.session.kernels import choose_transport


class KernelManager:
    """A stand-in for Jupyter's."""

    transport = "its default"
    transport_encryption = "disabled"

    def __init__(self, kernel_name: str, config: dict[str, Any]) -> None:
        self.kernel_name = kernel_name
        self.config = config


class OneOfTheirs(KernelManager):
    """Configuration of a class counts for those that are made from it."""


@pytest.mark.parametrize(
    ("name", "configured", "transport", "encryption"),
    [
        ("python3", {}, "ipc", "disabled"),
        ("java", {}, "tcp", "auto"),
        ("scala3", {}, "tcp", "auto"),
        ("javascript", {}, "ipc", "disabled"),
        ("python3", {"transport": "tcp"}, "its default", "disabled"),
        ("java", {"transport_encryption": "required"}, "tcp", "disabled"),
    ],
)
def test_the_transport_of_a_kernel(
    name: str, configured: dict[str, str], transport: str, encryption: str
) -> None:
    def make(kernel_name: str) -> KernelManager:
        return OneOfTheirs(kernel_name, {"KernelManager": configured})

    kernels = SimpleNamespace(kernel_manager_factory=make)
    choose_transport(kernels, ["java", "scala*"])
    kernel = kernels.kernel_manager_factory(kernel_name=name)
    assert (kernel.transport, kernel.transport_encryption) == (transport, encryption)
