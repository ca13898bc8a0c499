"""What must hold between tables of a site file.

Looked for in what TOML gave rather than in the finished site, so that a mistake inside of one table does not
hide one between two others. Values of a wrong type are passed over here; the tables' own checks name them.
"""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clusterhub.site.addresses import is_address, is_plain
from clusterhub.site.apps import INTERFACE, INTERFACE_ALLOWED, JUPYTER, KNOWN
from clusterhub.site.cluster import ONLY_FOR
from clusterhub.site.derived import HTTPS_PORT, sessions_directory
from clusterhub.site.kinds import SLUG, shown
from clusterhub.site.profile import CHOOSABLE, CHOOSABLE_EVERYWHERE, SLURM_ONLY
from clusterhub.site.quantities import Refused

Table = Mapping[str, Any]


@dataclass(frozen=True)
class Conflict:
    """Where something is that does not fit with the rest, and why."""

    where: tuple[str | int, ...]
    message: str
    allowed: str
    at_key: bool = False
    """The key is what is wrong, rather than its value."""
    first: tuple[str | int, ...] = ()
    """What it is in conflict with; its line is named in place of ``{line}`` in the message."""


def conflicts(site: Table) -> Iterator[Conflict]:
    """Everything that does not fit together."""
    clusters, apps = _table(site, "cluster"), _table(site, "app")
    profiles = [
        (position, profile)
        for position, profile in enumerate(_list(site, "profile"))
        if isinstance(profile, Mapping)
    ]
    yield from _front(_table(site, "hub"))
    yield from _clusters(site, clusters)
    yield from _profile_names(site, profiles)
    for position, profile in profiles:
        yield from _profile_on_cluster(("profile", position), profile, clusters)
        yield from _interfaces(("profile", position, "interface"), profile, apps)
    yield from _app_names(apps)
    yield from _several_slurm_clusters(clusters)
    yield from _login(site, clusters)
    yield from _sessions(site)
    yield from _plain_internal_url(site)
    yield from _local_records(site, clusters)


def _table(table: Table, name: str) -> Table:
    found = table.get(name)
    return found if isinstance(found, Mapping) else {}


def _list(table: Table, name: str) -> list[Any]:
    found = table.get(name)
    return found if isinstance(found, list) else []


def _front(hub: Table) -> Iterator[Conflict]:
    """How browsers reach the hub."""
    url = hub.get("url")
    https = isinstance(url, str) and url.strip().startswith("https://")
    for one, other in (("certificate", "certificate_key"), ("certificate_key", "certificate")):
        if one in hub and other not in hub:
            yield Conflict(
                ("hub", one), f"this is of no use without {other}", f"{other} beside it", at_key=True
            )
    if isinstance(url, str) and not https:
        for key in ("certificate", "subdomains"):
            if hub.get(key):
                message = f"{key} needs HTTPS, and url does not begin with https://"
                yield Conflict(("hub", key), message, "a url that begins with https://", at_key=True)
    if "redirect_port" in hub:
        if "certificate" not in hub:
            message = "without a certificate the hub has no HTTPS to redirect to; the front server redirects"
            yield Conflict(("hub", "redirect_port"), message, "certificate beside it", at_key=True)
        elif hub["redirect_port"] == _port(hub):
            yield Conflict(("hub", "redirect_port"), "this is the port of HTTPS itself", "another port")
    if hub.get("subdomains") is True and isinstance(url, str) and is_address(_host(url)):
        message = "an address has no subdomains"
        yield Conflict(("hub", "subdomains"), message, "a url with a host name", at_key=True)


def _host(url: str) -> str:
    try:
        return urlsplit(url.strip()).hostname or ""
    except ValueError:
        return ""


def _port(hub: Table) -> int | None:
    """Where the proxy listens, as far as that can be read."""
    bind = hub.get("bind")
    try:
        if isinstance(bind, str):
            return int(bind.strip().rstrip("/").rpartition(":")[2])
        return urlsplit(str(hub.get("url")).strip()).port or HTTPS_PORT
    except ValueError:
        return None


def _clusters(site: Table, clusters: Table) -> Iterator[Conflict]:
    if not clusters and isinstance(site.get("cluster", {}), Mapping):
        allowed = 'at least one, such as [cluster.main] with scheduler = "slurm"'
        yield Conflict(("cluster",), "there is no cluster to submit to", allowed)
    for name, cluster in clusters.items():
        if not isinstance(cluster, Mapping):
            continue
        try:
            SLUG.read(name)
        except Refused as refused:
            yield Conflict(("cluster", name), refused.what, refused.allowed, at_key=True)
        scheduler = cluster.get("scheduler")
        for key, only in ONLY_FOR.items():
            if key in cluster and scheduler in ("slurm", "local") and scheduler != only:
                message = f'this means nothing to the scheduler "{scheduler}"'
                yield Conflict(
                    ("cluster", name, key), message, f'it with scheduler = "{only}" only', at_key=True
                )


def _several_slurm_clusters(clusters: Table) -> Iterator[Conflict]:
    """The helper has one set of programs and one environment for them, whichever cluster a job is for."""
    ours = [
        (name, cluster)
        for name, cluster in clusters.items()
        if isinstance(cluster, Mapping) and cluster.get("scheduler") == "slurm"
    ]
    for name, cluster in ours[1:]:
        first_name, first = ours[0]
        for key in ("commands", "configuration"):
            if _path(first, key) == _path(cluster, key):
                continue
            message = (
                f'{key} is another one than that of cluster "{first_name}": for now, a hub speaks to several '
                "Slurm clusters only where their commands and configuration are the same"
            )
            where = ("cluster", name, key) if key in cluster else ("cluster", name)
            yield Conflict(where, message, "the same for both, or one hub for each", at_key=True)


def _path(table: Table, key: str) -> object:
    path = table.get(key)
    return Path(path) if isinstance(path, str) else path


def _profile_names(site: Table, profiles: list[tuple[int, Table]]) -> Iterator[Conflict]:
    if not profiles and isinstance(site.get("profile", []), list):
        yield Conflict(
            ("profile",), "there is no profile to offer", "at least one table [[profile]] with a name"
        )
    seen: dict[str, int] = {}
    for position, profile in profiles:
        name = profile.get("name")
        if not isinstance(name, str):
            continue
        if name in seen:
            message = f'a profile named "{name}" is there already, in line {{line}}'
            first = ("profile", seen[name], "name")
            yield Conflict(("profile", position, "name"), message, "each name once", first=first)
        seen.setdefault(name, position)


def _profile_on_cluster(where: tuple[str | int, ...], profile: Table, clusters: Table) -> Iterator[Conflict]:
    if not clusters:
        return
    names = " or ".join(f'"{name}"' for name in clusters)
    name = profile.get("cluster")
    if name is None:
        if len(clusters) > 1:
            yield Conflict((*where, "cluster"), f"which of the {len(clusters)} clusters is not said", names)
            return
        name = next(iter(clusters))
    if not isinstance(name, str):
        return
    if name not in clusters:
        near = difflib.get_close_matches(name, clusters, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        yield Conflict((*where, "cluster"), f"there is no cluster {shown(name)}{hint}", names)
        return
    cluster = clusters[name] if isinstance(clusters[name], Mapping) else {}
    if cluster.get("scheduler") == "local":
        yield from _profile_on_local(where, profile, name, cluster)
    else:
        yield from _other_gres((*where, "gpus"), profile, cluster)
        if "gpu_type" in _list(profile, "choose") and "gpus" not in profile:
            position = _list(profile, "choose").index("gpu_type")
            message = "there is no model to choose where the profile has no GPUs"
            yield Conflict((*where, "choose", position), message, "gpus in the profile, too")


def _interfaces(where: tuple[str | int, ...], profile: Table, apps: Table) -> Iterator[Conflict]:
    given = profile.get("interface")
    listed = [((*where, place), name) for place, name in enumerate(given)] if isinstance(given, list) else []
    there = (*JUPYTER, *KNOWN, *apps)
    for place, name in listed or [(where, given)]:
        if isinstance(name, str) and name not in there:
            near = difflib.get_close_matches(name, there, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            yield Conflict(place, f"there is no interface {shown(name)}{hint}", INTERFACE_ALLOWED)


def _app_names(apps: Table) -> Iterator[Conflict]:
    for name in apps:
        try:
            INTERFACE.read(name)
        except Refused as refused:
            yield Conflict(("app", name), refused.what, "lower-case letters, digits, - and _", at_key=True)
        if name in JUPYTER:
            message = f'"{name}" is what Jupyter itself has'
            yield Conflict(("app", name), message, "another name", at_key=True)


def _profile_on_local(
    where: tuple[str | int, ...], profile: Table, name: str, cluster: Table
) -> Iterator[Conflict]:
    for key in SLURM_ONLY:
        if key in profile:
            message = f'this means nothing on cluster "{name}", whose scheduler is "local"'
            yield Conflict((*where, key), message, "it in profiles of Slurm clusters only", at_key=True)
    for position, key in enumerate(_list(profile, "choose")):
        if key in CHOOSABLE and key not in CHOOSABLE_EVERYWHERE:
            message = f'there is no {key} to choose on cluster "{name}", whose scheduler is "local"'
            yield Conflict((*where, "choose", position), message, " or ".join(CHOOSABLE_EVERYWHERE))
    if _least(profile.get("nodes")) > 1:
        yield Conflict((*where, "nodes"), f'cluster "{name}" is this machine alone', "1")
    there = cluster.get("cpus")
    if isinstance(there, int) and not isinstance(there, bool) and _least(profile.get("cpus")) > there:
        message = f'nobody could start this: cluster "{name}" has {there} CPUs'
        yield Conflict((*where, "cpus"), message, f"at most {there}")


def _other_gres(where: tuple[str | int, ...], profile: Table, cluster: Table) -> Iterator[Conflict]:
    """GPUs are asked for by --gres, of which sbatch takes the last one only."""
    directives = [*_list(cluster, "directives"), *_list(profile, "directives")]
    if "gpus" in profile and any(str(directive).startswith("--gres=") for directive in directives):
        message = "a directive --gres would take the place of these GPUs"
        yield Conflict(where, message, "either gpus or a directive --gres", at_key=True)


def _least(count: object) -> int:
    """The fewest that a profile takes unless a person asks for fewer; 0 where that cannot be read."""
    default = count.get("default") if isinstance(count, Mapping) else count
    return default if isinstance(default, int) else 0


def _login(site: Table, clusters: Table) -> Iterator[Conflict]:
    schedulers = {
        name: cluster.get("scheduler") for name, cluster in clusters.items() if isinstance(cluster, Mapping)
    }
    others = [name for name, scheduler in schedulers.items() if scheduler == "slurm"]
    method = _table(site, "login").get("method", "pam")
    if method == "one-person" and others:
        message = f'only one person could use cluster "{others[0]}", which is not local'
        yield Conflict(("login", "method"), message, '"pam", or clusters with scheduler = "local" only')
    if method == "pam":
        for name, scheduler in schedulers.items():
            if scheduler == "local":
                message = "this serves only the person who runs the hub, and with PAM everybody may log in"
                allowed = '"slurm", or method = "one-person" in [login]'
                yield Conflict(("cluster", name, "scheduler"), message, allowed)


def _sessions(site: Table) -> Iterator[Conflict]:
    path = _table(site, "environment").get("path")
    if not isinstance(path, str) or not path.startswith("/") or "directory" in _table(site, "sessions"):
        return
    directory = sessions_directory(Path(posixpath.normpath(path)))
    if directory.parent == Path("/") or not is_plain(directory):
        yield Conflict(
            ("environment", "path"),
            "where the logs of sessions go does not follow from this path",
            'directory in [sessions], such as directory = "/shared/clusterhub/sessions", besides it',
        )


def _plain_internal_url(site: Table) -> Iterator[Conflict]:
    url = _table(site, "hub").get("internal_url")
    if not isinstance(url, str) or _table(site, "sessions").get("tls", True) is not True:
        return
    if url.strip().startswith("http://"):
        message = "sessions and hub speak TLS with each other, and this is plain HTTP"
        allowed = f'"https://{url.strip()[len("http://") :]}", or tls = false in [sessions]'
        yield Conflict(("hub", "internal_url"), message, allowed)


def _local_records(site: Table, clusters: Table) -> Iterator[Conflict]:
    path = _table(site, "hub").get("state_directory")
    if not isinstance(path, str) or not path.startswith("/") or is_plain(Path(posixpath.normpath(path))):
        return
    for name, cluster in clusters.items():
        if (
            isinstance(cluster, Mapping)
            and cluster.get("scheduler") == "local"
            and "directory" not in cluster
        ):
            message = f'the records of cluster "{name}" cannot be kept under this path'
            allowed = (
                f'a path without spaces, "%", "\\" and "..", or directory in [cluster.{name}] besides it'
            )
            yield Conflict(("hub", "state_directory"), message, allowed)
