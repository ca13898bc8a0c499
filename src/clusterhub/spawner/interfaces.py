"""What a person may work in: each is Jupyter Server with another first page, or an application behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clusterhub.site.apps import KNOWN
from clusterhub.site.schema import App, Site


@dataclass(frozen=True)
class Interface:
    """How Jupyter Server is told to show this interface."""

    title: str
    default_url: str
    not_wanted: tuple[str, ...] = ()
    """Extensions of JupyterLab that it goes without."""
    workspace: Mapping[str, Any] = field(default_factory=dict)
    """What JupyterLab opens at first; empty for what the person had open."""
    app: str = ""
    """The name by which its package announces the application; empty where nobody need look for it."""

    @property
    def page_config(self) -> dict[str, Any]:
        """JupyterLab's page configuration, besides the site's own."""
        return {"disabledExtensions": dict.fromkeys((*NOT_ON_A_CLUSTER, *self.not_wanted), True)}


NOT_ON_A_CLUSTER = ("@jupyterlab/apputils-extension:announcements",)
"""Asks a host on the internet for news, which nodes do not reach, and asks people whether it may."""

ARGUMENTS = ("--LabApp.extension_manager=readonly",)
"""For every interface: the environment belongs to everybody, so nobody installs into it from the page."""

NOT_FOR_A_TERMINAL = (
    "@jupyterlab/cell-toolbar-extension",
    "@jupyterlab/celltags-extension",
    "@jupyterlab/console-extension",
    "@jupyterlab/debugger-extension",
    "@jupyterlab/fileeditor-extension",
    "@jupyterlab/markdownviewer-extension",
    "@jupyterlab/notebook-extension",
    "@jupyterlab/running-extension",
    "@jupyterlab/toc-extension",
)
"""Without these JupyterLab offers terminals, and files to download and upload."""

TERMINAL_OPEN = {
    "layout-restorer:data": {
        "main": {
            "current": "terminal:1",
            "dock": {"type": "tab-area", "currentIndex": 0, "widgets": ["terminal:1"]},
        },
        "left": {"collapsed": True, "widgets": []},
        "right": {"collapsed": True, "widgets": []},
    },
    "terminal:1": {"data": {"name": "1"}},
}
"""A workspace of JupyterLab (its layout restorer's form) with one terminal in it."""

INTERFACES = {
    "lab": Interface("JupyterLab", "/lab"),
    "notebook": Interface("Notebook", "/tree"),
    "terminal": Interface(
        "Terminal",
        "/lab",
        not_wanted=NOT_FOR_A_TERMINAL,
        workspace=TERMINAL_OPEN,
    ),
}


def interface_of(site: Site, name: str) -> Interface:
    """The interface of that name, which a profile of the site has."""
    if name in INTERFACES:
        return INTERFACES[name]
    if name in site.apps:
        app = site.apps[name]
        return Interface(app.title, app.path or f"/{name}/")
    return Interface(KNOWN[name].title, KNOWN[name].path, app=name)


def titles(apps: Mapping[str, App]) -> Mapping[str, str]:
    """What people see for each interface; ``apps`` are those of the site's own."""
    return {name: each.title for there in (INTERFACES, KNOWN, apps) for name, each in there.items()}
