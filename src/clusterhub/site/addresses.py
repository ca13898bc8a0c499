"""The kinds of values that name a place: URLs, addresses to listen on, ports, interfaces, paths."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from clusterhub.site.kinds import Kind, text_of, whole_number
from clusterhub.site.quantities import Refused, quoted

LOWEST_PORT = 1024
HIGHEST_PORT = 65535

_URL_ALLOWED = 'a URL such as "https://jupyter.example.org" or "http://127.0.0.1:8000/prefix"'
_INTERNAL_ALLOWED = 'a URL such as "https://gateway.example.org:8081"'
_BIND_ALLOWED = 'an address and a port, such as "127.0.0.1:8000", or ":8000" for every address'
_PORTS_ALLOWED = f'two ports from {LOWEST_PORT} to {HIGHEST_PORT}, such as "30000-32000"'
_ADDRESS_ALLOWED = 'an IP address, such as "10.0.0.5"'
_INTERFACE_ALLOWED = 'the name of a network interface, such as "ib0", or one address, such as "10.1.0.5"'
_PATH_ALLOWED = 'a path from the root, such as "/shared/clusterhub"'
_PLAIN_PATH_ALLOWED = (
    'a path from the root without spaces, "%", "\\" and "..", such as "/shared/clusterhub/sessions"'
)
_DROP_INS_ALLOWED = (
    'a path from the root, or one that is relative to the directory of site.toml, such as "conf.d"'
)
_HOME_ALLOWED = 'a path from the root or from "~", which may have {person} in it, such as "/scratch/{person}"'

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
# No wider than what `clusterhub.privileged.helper.configuration` takes.
_PLAIN_PATH = re.compile(r"(/[^\s/%\\]+)+")
_INTERFACE = re.compile(r"[A-Za-z][A-Za-z0-9_.:@-]{0,14}")


@dataclass(frozen=True)
class Ports:
    """A range of ports, both ends in it."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low}-{self.high}"


def is_loopback(host: str) -> bool:
    """True for a host that only this machine reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _split(text: str, allowed: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise Refused(f"{quoted(text)} is not a URL", allowed) from None
    if "@" in parts.netloc:
        raise Refused("a name or password has no place in this URL", allowed, secret=True)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        missing = "does not begin with http:// or https://" if "://" not in text else "is not a web address"
        raise Refused(f"{quoted(text)} {missing}", allowed)
    if not (_HOST.fullmatch(parts.hostname) or is_address(parts.hostname)) or port == 0:
        raise Refused(f"{quoted(text)} has no host that can be reached", allowed)
    if parts.query or parts.fragment:
        raise Refused(f'{quoted(text)} has more than a path: no "?" and no "#"', allowed)
    return parts


def is_address(host: str) -> bool:
    """True for an IP address, false for a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_ipv6(host: str) -> bool:
    return ":" in host and is_address(host)


def _read_url(given: object) -> str:
    text = text_of(given, "a URL", _URL_ALLOWED).strip()
    parts = _split(text, _URL_ALLOWED)
    prefix = parts.path.rstrip("/")
    if not _PREFIX.fullmatch(prefix):
        raise Refused(f"{quoted(parts.path)} cannot be the path of a hub", _URL_ALLOWED)
    return f"{parts.scheme}://{parts.netloc.lower()}{prefix}"


def _read_internal_url(given: object) -> str:
    text = text_of(given, "a URL", _INTERNAL_ALLOWED).strip()
    parts = _split(text, _INTERNAL_ALLOWED)
    if parts.path.rstrip("/"):
        raise Refused(f"{quoted(text)} has a path, which the URL for nodes cannot have", _INTERNAL_ALLOWED)
    if parts.port is None:
        raise Refused(f"{quoted(text)} has no port", _INTERNAL_ALLOWED)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _read_bind(given: object) -> str:
    text = text_of(given, "an address", _BIND_ALLOWED).strip().rstrip("/")
    host, colon, port = text.removeprefix("http://").rpartition(":")
    bracketed = host[1:-1] if host.startswith("[") and host.endswith("]") else ""
    if _is_ipv6(host) or _is_ipv6(text):
        raise Refused(f"{quoted(text)} has an IPv6 address without brackets", '"[::1]:8000"')
    known_host = not host or _HOST.fullmatch(host) or _is_ipv6(bracketed)
    if (
        not colon
        or not known_host
        or not re.fullmatch(r"[0-9]{1,5}", port)
        or not 0 < int(port) <= HIGHEST_PORT
    ):
        raise Refused(f"{quoted(text)} is not an address and a port", _BIND_ALLOWED)
    return f"http://{host}:{int(port)}"


def _read_ports(given: object) -> Ports:
    text = text_of(given, "a range of ports", _PORTS_ALLOWED)
    match = re.fullmatch(r"\s*([0-9]{1,5})\s*-\s*([0-9]{1,5})\s*", text)
    if match is None:
        raise Refused(f"{quoted(text)} is not a range of ports", _PORTS_ALLOWED)
    low, high = int(match[1]), int(match[2])
    if low > high:
        raise Refused(f"{quoted(text)} begins above its end", f'the lower port first: "{high}-{low}"')
    if low < LOWEST_PORT or high > HIGHEST_PORT:
        raise Refused(f"{quoted(text)} has ports that a session cannot use", _PORTS_ALLOWED)
    return Ports(low, high)


def _read_address(given: object) -> str:
    text = text_of(given, "an address", _ADDRESS_ALLOWED)
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise Refused(f"{quoted(text)} is not the address of one machine", _ADDRESS_ALLOWED) from None


def _read_interface(given: object) -> str:
    text = text_of(given, "an interface", _INTERFACE_ALLOWED)
    if not (_INTERFACE.fullmatch(text) or is_address(text)):
        raise Refused(f"{quoted(text)} is not an interface", _INTERFACE_ALLOWED)
    return text


def _path_text(given: object, allowed: str) -> str:
    text = text_of(given, "a path", allowed)
    if not text or not text.isprintable():
        raise Refused(f"{quoted(text)} is not a path", allowed)
    return text


def _read_path(given: object) -> Path:
    text = _path_text(given, _PATH_ALLOWED)
    if not text.startswith("/"):
        raise Refused(f"{quoted(text)} does not begin at the root", _PATH_ALLOWED)
    # normpath keeps two slashes at the beginning, as POSIX allows.
    return Path("/" + posixpath.normpath(text).lstrip("/"))


def is_plain(path: Path) -> bool:
    """True for a path that job schedulers and the helper take as it is."""
    return _PLAIN_PATH.fullmatch(str(path)) is not None and ".." not in str(path)


def _read_plain_path(given: object) -> Path:
    path = _read_path(given)
    if not is_plain(path):
        raise Refused(f"{quoted(str(path))} is not a path that can be used here", _PLAIN_PATH_ALLOWED)
    return path


def _read_drop_ins(given: object) -> Path:
    text = _path_text(given, _DROP_INS_ALLOWED)
    if text.startswith("~"):
        raise Refused(f'{quoted(text)} begins with "~", and a service has no home', _DROP_INS_ALLOWED)
    return Path(text)


def _read_working_directory(given: object) -> str:
    text = _path_text(given, _HOME_ALLOWED)
    if text != "~" and not text.startswith(("/", "~/")):
        raise Refused(f'{quoted(text)} begins neither at the root nor at "~"', _HOME_ALLOWED)
    left = text.replace("{person}", "")
    if "{" in left or "}" in left:
        raise Refused(f"{quoted(text)} has braces around something else than person", _HOME_ALLOWED)
    if "$" in text:
        raise Refused(f"{quoted(text)} has a variable in it, which nothing would fill in", _HOME_ALLOWED)
    return text


_URL_PATTERN = "^https?://[^@?#]+$"
URL = Kind("URL", _read_url, {"type": "string", "pattern": _URL_PATTERN})
INTERNAL_URL = Kind("URL", _read_internal_url, {"type": "string", "pattern": _URL_PATTERN})
BIND = Kind("address and port", _read_bind, {"type": "string", "pattern": "^(http://)?.*:[0-9]{1,5}/?$"})
PORT = whole_number("a port", 1, HIGHEST_PORT)
ADDRESS = Kind("IP address", _read_address, {"type": "string", "pattern": "^[0-9A-Fa-f:.]+$"})
PORTS = Kind(
    "range of ports", _read_ports, {"type": "string", "pattern": r"^\s*[0-9]{1,5}\s*-\s*[0-9]{1,5}\s*$"}
)
INTERFACE = Kind("interface or address", _read_interface, {"type": "string", "minLength": 1})
PATH = Kind("path", _read_path, {"type": "string", "pattern": "^/"})
PLAIN_PATH = Kind("path", _read_plain_path, {"type": "string", "pattern": r"^/[^\s%\\]*$"})
DROP_INS = Kind("path", _read_drop_ins, {"type": "string", "pattern": "^[^~]"})
WORKING_DIRECTORY = Kind("path", _read_working_directory, {"type": "string", "pattern": "^(/|~(/|$))"})
