"""What a person may work in: each is Jupyter Server with another first page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interface:
    """How Jupyter Server is told to show this interface."""

    title: str
    default_url: str
    arguments: tuple[str, ...] = ()
    """Further command line arguments of Jupyter Server."""


INTERFACES = {
    "lab": Interface("JupyterLab", "/lab"),
    "notebook": Interface("Notebook", "/tree"),
    "terminal": Interface("Terminal", "/lab"),
}
