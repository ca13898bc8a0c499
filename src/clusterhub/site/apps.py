"""The tables of site.toml about applications that open in place of JupyterLab: `[app.NAME]`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from clusterhub.site.kinds import LINE, matching
from clusterhub.site.section import Section, key

APP_PATH = matching(
    "a path in a session",
    r"/([A-Za-z0-9_~.-]+/?)*",
    'a path that begins with "/", such as "/matlab/" or "/lab/tree/start.ipynb"',
)
INTERFACE_ALLOWED = (
    '"lab", "notebook", "terminal", "rstudio", "vscode", "desktop", or the name of a table [app.NAME]'
)
INTERFACE = matching("an interface", r"[a-z][a-z0-9_-]{0,31}", INTERFACE_ALLOWED)
JUPYTER = ("lab", "notebook", "terminal")
"""The interfaces that each environment has."""


class App(Section):
    """An application that a session serves through jupyter-server-proxy."""

    heading: ClassVar[str] = "[app.NAME]"
    about: ClassVar[str] = (
        "An application that the environment has through jupyter-server-proxy, for a profile's `interface`. "
        "`rstudio` (jupyter-rsession-proxy), `vscode` (jupyter-vscode-proxy) and `desktop` "
        "(jupyter-remote-desktop-proxy) need no table."
    )

    title: Annotated[str, LINE] = key("What it is called on the start page.", example="MATLAB")
    path: Annotated[str, APP_PATH] = key(
        "Where it opens, below the session's address.",
        example="/matlab/",
        default="",
        derived="`/NAME/`, as jupyter-server-proxy has it",
    )


KNOWN = {
    "rstudio": App(title="RStudio", path="/rstudio/"),
    "vscode": App(title="VS Code", path="/vscode/"),
    "desktop": App(title="Remote desktop", path="/desktop/"),
}
"""By the names under which their packages announce them (entry points ``jupyter_serverproxy_servers``)."""
