"""From a site to the JupyterHub configuration that results, with the origin of each value."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue, PyFileConfigLoader

from clusterhub.errors import ClusterhubError
from clusterhub.site.addresses import is_loopback
from clusterhub.site.databases import POSTGRESQL
from clusterhub.site.schema import Site
from clusterhub.spawner.secret_files import ensure_secret

SECRET_WORDS = ("token", "secret", "password", "key")
MASK = "********"
PASSWORD_IN_URL = re.compile(r"(://[^/\s:@]*:)\S+@")
PROXY_TOKEN_VARIABLE = "CONFIGPROXY_AUTH_TOKEN"  # noqa: S105 - a variable's name
MAX_SOCKET_PATH = 100
"""Bytes; the kernel's limit is 108 with the NUL (unix(7))."""

SETTLING = 120
"""Seconds beyond queue and start, after which JupyterHub itself gives a start up."""

SQLITE_BUSY_SECONDS = 2
"""How long the hub stands still for a locked file; `clusterhub.hub.availability` waits for longer locks."""

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Setting:
    """One value of JupyterHub's configuration, and where it comes from."""

    section: str
    name: str
    value: Any
    origin: str

    @property
    def is_secret(self) -> bool:
        """True where the value must not be shown."""
        return _names_secret(self.name)


def settings_of(site: Site) -> Iterator[Setting]:
    """What follows from site.toml, and what clusterhub itself sets. Pure."""
    hub, sessions = site.hub, site.sessions
    state = hub.state_directory
    internal = urlsplit(hub.internal_url)
    scheme = "https" if sessions.tls else "http"
    local_only = internal.hostname in ("127.0.0.1", "localhost", "::1")
    pam = site.login.method == "pam"
    ours = "clusterhub"

    def from_file(key: str) -> str:
        return f"{site.path}: {key}"

    yield Setting("JupyterHub", "bind_url", hub.bind_url, from_file("[hub] bind"))
    # Whoever connects to a loopback address is a front server on this machine: not whose login it is.
    here = ["127.0.0.1", "::1"] if is_loopback(urlsplit(hub.bind_url).hostname or "") else []
    if trusted := [*here, *hub.trusted_proxies]:
        yield Setting("JupyterHub", "trusted_downstream_ips", trusted, from_file("[hub] trusted_proxies"))
    if hub.subdomains:
        yield Setting("JupyterHub", "subdomain_host", hub.origin, from_file("[hub] subdomains"))
        # Each person has a host name, so that a cookie for the whole of it is that person's alone; a page at
        # one of these names can then set none for another.
        yield Setting("JupyterHub", "cookie_host_prefix_enabled", True, from_file("[hub] subdomains"))
    yield Setting("JupyterHub", "public_url", hub.url + "/", from_file("[hub] url"))
    yield Setting(
        "JupyterHub",
        "hub_bind_url",
        f"{scheme}://{'127.0.0.1' if local_only else ''}:{internal.port}{hub.prefix}",
        from_file("[hub] internal_url"),
    )
    yield Setting("JupyterHub", "hub_connect_url", hub.internal_url, from_file("[hub] internal_url"))
    yield Setting("JupyterHub", "db_url", hub.database, from_file("[hub] database"))
    yield Setting("JupyterHub", "db_kwargs", database_options(hub.database), ours)
    yield Setting(
        "JupyterHub", "cookie_secret_file", f"{state}/cookie_secret", from_file("[hub] state_directory")
    )
    # A restart is not an event: neither stopping the hub nor its proxy ends a session.
    yield Setting("JupyterHub", "cleanup_servers", False, ours)
    yield Setting("JupyterHub", "cleanup_proxy", False, ours)
    named = "[sessions] per_person"
    yield Setting("JupyterHub", "allow_named_servers", sessions.per_person != 1, from_file(named))
    if sessions.per_person is not None and sessions.per_person > 1:
        limit = sessions.per_person - 1  # JupyterHub counts those with names
        yield Setting("JupyterHub", "named_server_limit_per_user", limit, from_file(named))
    # Sessions that wait in the queue count as spawning for JupyterHub; the queue is limit enough.
    yield Setting("JupyterHub", "concurrent_spawn_limit", 0, ours)
    yield Setting("JupyterHub", "template_paths", [str(TEMPLATES)], ours)
    yield Setting("JupyterHub", "spawner_class", "clusterhub.spawner.spawner.ClusterSpawner", ours)
    if site.pages.logo is not None:
        yield Setting("JupyterHub", "logo_file", str(site.pages.logo), from_file("[pages] logo"))
    name = "PamAuthenticator" if pam else "OnePersonAuthenticator"
    yield Setting(
        "JupyterHub",
        "authenticator_class",
        f"clusterhub.hub.authenticator.{name}",
        from_file("[login] method"),
    )
    yield Setting(
        "Spawner",
        "start_timeout",
        sessions.queue_timeout + sessions.start_timeout + SETTLING,
        from_file("[sessions] queue_timeout and start_timeout"),
    )
    yield Setting("Spawner", "http_timeout", 60, ours)
    # `clusterhub up` runs the proxy, so that it outlives the hub.
    yield Setting("ConfigurableHTTPProxy", "should_start", False, ours)
    yield Setting(
        "ConfigurableHTTPProxy",
        "api_url",
        f"http+unix://{as_url_host(proxy_socket(site))}",
        from_file("[hub] state_directory"),
    )


def database_options(url: str) -> dict[str, Any]:
    """What SQLAlchemy is told besides the URL."""
    # A statement's values are persons' names and hashes of tokens, which no error message should show.
    options: dict[str, Any] = {"hide_parameters": True}
    if url.startswith("sqlite"):
        # The hub does nothing else while it waits for another process to let go of the file. JupyterHub's own
        # option is lost where there are others.
        options["connect_args"] = {"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False}
    if url.startswith(POSTGRESQL):
        # The name that operators see in pg_stat_activity; and no prepared statements, which older PgBouncers
        # do not know.
        options["connect_args"] = {"fallback_application_name": "clusterhub", "prepare_threshold": None}
    return options


def proxy_socket(site: Site) -> Path:
    """Where the hub tells the proxy its routes: a socket that only the hub's account can open."""
    path = site.hub.state_directory / "proxy.sock"
    if len(str(path).encode()) > MAX_SOCKET_PATH:
        raise ClusterhubError(
            f"The path is too long for a socket: {path}.",
            where=f"{site.path}: [hub] state_directory",
            next=f"Name a directory whose path is shorter than {MAX_SOCKET_PATH - len('/proxy.sock')} bytes.",
        )
    return path


def as_url_host(path: Path) -> str:
    """The path of a socket in the place of a URL's host.

    Capitals are quoted, too: a host is read in lower case (`urllib.parse`), and a path must not be.
    """
    plain = string.ascii_lowercase + string.digits + "-._"
    return "".join(chr(byte) if chr(byte) in plain else f"%{byte:02x}" for byte in os.fsencode(path))


def drop_ins(site: Site) -> list[Path]:
    """The operator's own files of JupyterHub configuration, in the order in which they are read."""
    if not site.hub.conf_d.is_dir():
        return []
    return sorted(site.hub.conf_d.glob("*.py"))


def resolve(site: Site) -> list[Setting]:
    """Every setting with its value after the drop-in files, which have the last word.

    Raises ClusterhubError, with file and line, where a drop-in file cannot be run.
    """
    settings = {(each.section, each.name): each for each in settings_of(site)}
    config = as_config(settings.values())
    for path in drop_ins(site):
        config = _run_drop_in(path, config)
        for section, values in config.items():
            for name, value in values.items():
                before = settings.get((section, name))
                if before is None or before.value != value:
                    settings[section, name] = Setting(section, name, value, str(path))
    return list(settings.values())


def as_config(settings: Any) -> Config:
    """The settings in the form that JupyterHub takes."""
    config = Config()
    for each in settings:
        config[each.section][each.name] = each.value
    return config


class _DropIn(PyFileConfigLoader):
    """Runs one file with ``c`` holding what was set before it."""

    def __init__(self, path: Path, before: Config) -> None:
        self.before = before
        super().__init__(path.name, path=str(path.parent))

    def clear(self) -> None:
        self.config = self.before


def _run_drop_in(path: Path, before: Config) -> Config:
    try:
        config: Config = _DropIn(path, before).load_config()
    except SyntaxError as error:
        raise ClusterhubError(
            f"This is not Python: {error.msg}.", where=f"{path}, line {error.lineno}", next="Mend the file."
        ) from None
    except Exception as error:
        raise ClusterhubError(
            f"The file cannot be run: {type(error).__name__}: {error}.",
            where=f"{path}{_line_in(path, error)}",
            next="Mend the file, or take it out of the directory.",
        ) from None
    return config


def _line_in(path: Path, error: BaseException) -> str:
    """Where in the file the error came up, as far as its traceback tells."""
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f", line {line}" if line else ""


def ensure_proxy_token(site: Site) -> str:
    """What hub and proxy know each other by; kept, so that each can be restarted alone."""
    return ensure_secret(site.hub.state_directory / "proxy_token")


def masked(settings: list[Setting]) -> list[Mapping[str, Any]]:
    """The settings to be shown: secrets are not, also those inside of values."""
    return [
        {
            "setting": f"c.{each.section}.{each.name}",
            "value": MASK if each.is_secret else _masked_value(each.value),
            "origin": each.origin,
        }
        for each in settings
    ]


def _names_secret(name: str) -> bool:
    name = name.lower()
    # The path of a file with a secret is none.
    return not name.endswith("_file") and any(word in name for word in SECRET_WORDS)


def _masked_value(value: Any) -> Any:
    if isinstance(value, str):
        return PASSWORD_IN_URL.sub(rf"\g<1>{MASK}@", value)
    if isinstance(value, LazyConfigValue):  # what a drop-in file appended to a value of JupyterHub's own
        return _masked_value(value.to_dict())
    if isinstance(value, Mapping):
        return {
            key: MASK if isinstance(key, str) and _names_secret(key) else _masked_value(inner)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_masked_value(inner) for inner in value]
    return value
