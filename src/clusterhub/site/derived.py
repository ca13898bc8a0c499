"""The values of a site that follow from others where the file leaves them out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from clusterhub.site.addresses import is_loopback
from clusterhub.site.hub import Hub
from clusterhub.site.pages import Pages
from clusterhub.site.profile import CHOOSABLE_EVERYWHERE
from clusterhub.site.schema import Cluster, Profile, Site
from clusterhub.site.section import UNSET, Section

S = TypeVar("S", bound=Section)

INTERNAL_PORT = 8081
HTTPS_PORT = 443
FRONTED_BIND = "http://127.0.0.1:8000"


def with_derived(site: Site, path: Path, host: str) -> Site:
    """The site with nothing left open. ``path`` is its file, ``host`` this machine's full name."""
    clusters = {name: _change(cluster) for name, cluster in site.clusters.items()}
    for name, cluster in site.clusters.items():
        if cluster.scheduler == "local" and cluster.directory is None:
            clusters[name] = _change(cluster, directory=site.hub.state_directory / "local" / name)
        clusters[name]._name = name
    environment = site.environment
    python = environment.path / "bin/python3" if environment.python == UNSET else environment.python
    sessions = site.sessions
    directory = sessions_directory(environment.path) if sessions.directory == UNSET else sessions.directory
    only_cluster = next(iter(site.clusters), "")
    all_local = all(cluster.scheduler == "local" for cluster in clusters.values())
    resolved = _change(
        site,
        hub=_hub(site, path, "127.0.0.1" if all_local else host),
        clusters=clusters,
        environment=_change(environment, python=python),
        sessions=_change(sessions, directory=directory),
        pages=_change(site.pages, language=_language(site.pages)),
        profiles=tuple(
            _change(
                profile,
                title=profile.title or profile.name,
                cluster=profile.cluster or only_cluster,
                choose=_choose(profile, clusters.get(profile.cluster or only_cluster)),
            )
            for profile in site.profiles
        ),
    )
    resolved._path = path
    return resolved


def _choose(profile: Profile, cluster: Cluster | None) -> tuple[str, ...]:
    if profile.choose is not None:
        return profile.choose
    is_local = cluster is not None and cluster.scheduler == "local"
    return tuple(key for key in profile.left_open() if not is_local or key in CHOOSABLE_EVERYWHERE)


def sessions_directory(environment: Path) -> Path:
    """Beside the directory that holds the environments: `/x/environments/current` gives `/x/sessions`."""
    return environment.parent.parent / "sessions"


def _change(section: S, **changes: Any) -> S:
    return section.model_copy(update=changes)


def _language(pages: Pages) -> str:
    offered = pages.languages
    return offered[0] if offered and pages.language not in offered else pages.language


def _hub(site: Site, path: Path, host: str) -> Hub:
    hub, scheme = site.hub, "https" if site.sessions.tls else "http"
    return _change(
        hub,
        bind=hub.bind or _bind(hub.url, own_certificate=hub.certificate is not None),
        internal_url=hub.internal_url or f"{scheme}://{host}:{INTERNAL_PORT}",
        id=hub.id or _id(hub.url),
        database=hub.database or f"sqlite:///{hub.state_directory}/jupyterhub.sqlite",
        announcements=path.parent / "announcements.toml" if hub.announcements == UNSET else hub.announcements,
        conf_d=path.parent / hub.conf_d,
        audit_log=hub.state_directory / "audit.jsonl" if hub.audit_log == UNSET else hub.audit_log,
    )


def _bind(url: str, own_certificate: bool) -> str:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return f"http://:{parts.port or HTTPS_PORT}" if own_certificate else FRONTED_BIND
    host = parts.hostname or ""
    port = parts.port or 80
    if not is_loopback(host):
        return f"http://:{port}"
    if host.endswith("localhost"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _id(url: str) -> str:
    parts = urlsplit(url)
    place = f"{parts.hostname}-{parts.port}" if parts.port else f"{parts.hostname}"
    return re.sub(r"[^a-z0-9.]+", "-", place.lower()).strip("-.")[:64].rstrip("-.") or "hub"
