"""From a file to a `Site`, or to everything that is wrong with the file."""

from __future__ import annotations

import socket
from pathlib import Path

from pydantic import ValidationError

from clusterhub.site.derived import with_derived
from clusterhub.site.documents import Document, tables_of, text_of, without_marks
from clusterhub.site.problems import SiteError
from clusterhub.site.relations import conflicts
from clusterhub.site.schema import Site

SITE_FILE = Document("site file", "site.toml", "write it, or name another with --site", SiteError)


def load(path: Path) -> Site:
    """The site that a file describes.

    Raises `SiteError` with all mistakes in the file, `ClusterhubError` where it cannot be read at all.
    """
    return parse(text_of(path, SITE_FILE), path)


def parse(text: str, path: Path) -> Site:
    """The site that a text describes; ``path`` is where it is from. Raises `SiteError` with all mistakes."""
    text = without_marks(text)
    data = tables_of(text, path, SITE_FILE)
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


def _host_for(site: Site) -> str:
    """This machine's full name, asked of the resolver only where a node needs it."""
    if site.hub.internal_url or all(cluster.scheduler == "local" for cluster in site.clusters.values()):
        return ""
    # /etc/hosts may give the loopback's name first, which means another machine on every node.
    name = socket.getfqdn()
    return socket.gethostname() if name.startswith("localhost") else name
