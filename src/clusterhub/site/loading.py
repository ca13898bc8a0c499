"""From a file to a `Site`, or to everything that is wrong with the file."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from clusterhub.errors import ClusterhubError
from clusterhub.site.derived import with_derived
from clusterhub.site.problems import SiteError
from clusterhub.site.relations import conflicts
from clusterhub.site.schema import Site

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found]  # installed on Python 3.10 only

LARGEST_FILE = 4 * 2**20


def load(path: Path) -> Site:
    """The site that a file describes.

    Raises `SiteError` with all mistakes in the file, `ClusterhubError` where it cannot be read at all.
    """
    return parse(_text_of(path), path)


def parse(text: str, path: Path) -> Site:
    """The site that a text describes; ``path`` is where it is from. Raises `SiteError` with all mistakes."""
    # A byte order mark and Windows' line ends are what editors leave; TOML knows only the latter.
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    data = _data_of(text, path)
    site, error = None, None
    try:
        site = Site.model_validate(data)
    except ValidationError as caught:
        error = caught
    found = tuple(conflicts(data))
    if site is None or found:
        from clusterhub.site.mistakes import problems_in

        raise SiteError(path, problems_in(text, data, error, found))
    path = path.absolute()
    return with_derived(site, path, _host_for(site))


def _data_of(text: str, path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        from clusterhub.site.syntax import syntax_problem

        raise SiteError(path, [syntax_problem(text, str(error))]) from None
    except RecursionError:
        raise ClusterhubError(
            "tables or lists are nested too deeply",
            where=str(path),
            next="write the file with fewer brackets",
        ) from None
    return data


def _host_for(site: Site) -> str:
    """This machine's full name, asked of the resolver only where a node needs it."""
    if site.hub.internal_url or all(cluster.scheduler == "local" for cluster in site.clusters.values()):
        return ""
    # /etc/hosts may give the loopback's name first, which means another machine on every node.
    name = socket.getfqdn()
    return socket.gethostname() if name.startswith("localhost") else name


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise ClusterhubError(
            "there is no such site file", where=str(path), next="write it, or name another with --site"
        ) from None
    except IsADirectoryError:
        raise ClusterhubError(
            "this is a directory, not a site file",
            where=str(path),
            next=f"name the file in it: {path}/site.toml",
        ) from None
    except PermissionError:
        raise ClusterhubError(
            "this account may not read the site file",
            where=str(path),
            next="give its group the right to read it and to enter the directories above it",
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ClusterhubError(
            f"the site file cannot be read: {reason}", where=str(path), next="see what the path leads to"
        ) from None
    if len(content) > LARGEST_FILE:
        raise ClusterhubError(
            "the site file is larger than 4 MiB", where=str(path), next="see whether it is the right file"
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ClusterhubError(
            f"the site file is not text in UTF-8: byte 0x{content[error.start]:02x} in line {line}",
            where=f"{path}:{line}",
            next="save it as UTF-8",
        ) from None
