"""Starts one session inside its job: binds a port, proves itself to the hub, serves Jupyter on that port.

This file travels inside the job script and is run by the environment's own Python (``python -I``), so that
hub and node cannot differ in version, and an environment needs Jupyter but not clusterhub. It is standard
library only until Jupyter itself is loaded. What runs from then on, the other files of this directory,
travels beside it (`FILES`).

It reads its settings, which hold no secret, from ``CLUSTERHUB_SETTINGS`` (JSON):

========== =====================================================================================
claim_url  where the ticket is traded
ready_url  where "it serves now" is said
time_url   where is asked how long the job still has
authority  the certificate (PEM) by which the hub is known; empty where its URLs are no https of its own
warning    seconds before its end at which the session's person is warned
tag        which session this is
interface  name or address of the network interface to listen on; empty: all of them
ports      ``[lowest, highest]`` to choose from, or null for any free port
ticket     ``{"kind": "munge", "uid": UID_OF_THE_HUB}`` or ``{"kind": "file", "path": PATH}``
patience   seconds to keep trying while the hub is away
========== =====================================================================================

Exit codes below are part of the contract with `clusterhub.spawner.explanations`.
"""

from __future__ import annotations

import array
import concurrent.futures
import errno
import fcntl
import hmac
import http.client
import ipaddress
import json
import os
import random
import re
import secrets
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import types
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

VERSION = 1
"""Of the exchange with the hub; raised when a field of it changes its meaning."""

NO_ENVIRONMENT = 81
"""The environment's Python is not there or may not be run (said by the job script, before this file runs)."""
NO_PORT = 82
"""No port of the range could be bound."""
HUB_UNREACHABLE = 83
"""The hub did not answer for as long as we were told to be patient."""
REFUSED = 84
"""The hub answered and said no."""
NO_JUPYTER = 85
"""The environment has no Jupyter Server or no jupyterhub in it, or they cannot be imported."""
NO_TICKET = 86
"""The ticket could not be made or read on this node."""

REQUEST_TIMEOUT = 20.0
"""Seconds."""

FILES = "/dev/fd/4"
"""Where the rest of what travels with the job is read: what is needed once the session has boarded."""

PACKAGE = "clusterhub_session"
"""Not ``clusterhub``: the environment may have that one, in another version."""


class LaunchError(Exception):
    """The session cannot start; carries the exit code that names why."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def say(message: str) -> None:
    """One line to the job's log.

    Where the log lies there may be no room left. Then there is no log: kernels, which share it, would not get
    past what they print there.
    """
    try:
        os.write(2, ("clusterhub: %s\n" % message).encode(errors="replace"))
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        os.close(nothing)


def every_interface(hub_url: str) -> str:
    """The address that means every interface, in IPv4 unless the hub has addresses of IPv6 only."""
    hub = urllib.parse.urlsplit(hub_url)
    try:
        found = socket.getaddrinfo(hub.hostname, hub.port, type=socket.SOCK_STREAM)
    except OSError:
        found = []  # what cannot be resolved now is said when the hub is called
    families = {each[0] for each in found}
    return "::" if socket.AF_INET6 in families and socket.AF_INET not in families else "0.0.0.0"  # noqa: S104 - the operator's default: every network of the node


def interface_address(interface: str, hub_url: str) -> str:
    """The address to bind for an interface's name or an address; the empty string is every interface.

    Raises LaunchError where the node has no such interface.
    """
    if not interface:
        return every_interface(hub_url)
    try:
        return str(ipaddress.ip_address(interface))
    except ValueError:
        pass
    request = array.array("B", struct.pack("256s", interface.encode()[:15]))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            fcntl.ioctl(probe.fileno(), 0x8915, request, True)  # SIOCGIFADDR
        except OSError as error:
            raise LaunchError(
                NO_PORT,
                "this node has no network interface %r (%s); the operator sets it as [sessions] interface"
                % (interface, error.strerror),
            ) from None
    return socket.inet_ntoa(request[20:24].tobytes())


def bind(interface: str, ports: list[int] | None, hub_url: str) -> socket.socket:
    """A listening socket. It stays bound for the whole session: nobody can take the port in between."""
    address = interface_address(interface, hub_url)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    lowest, highest = ports or (0, 0)
    for port in random.sample(range(lowest, highest + 1), highest + 1 - lowest):
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            listener.listen(128)
        except OSError as error:
            listener.close()
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                continue
            raise LaunchError(
                NO_PORT, "cannot listen on %s port %d: %s" % (address, port, error.strerror)
            ) from None
        listener.setblocking(False)
        return listener
    raise LaunchError(
        NO_PORT,
        "all ports from %d to %d are taken on this node; the operator sets them as [sessions] ports"
        % (lowest, highest),
    )


def announced_address(listener: socket.socket, hub_url: str) -> str:
    """The address where the hub reaches the listener: the bound one, or the one that faces the hub."""
    address: str = listener.getsockname()[0]
    if address not in ("0.0.0.0", "::"):  # noqa: S104 - a comparison
        return address
    hub = urllib.parse.urlsplit(hub_url)
    port = hub.port or (443 if hub.scheme == "https" else 80)
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            hub.hostname, port, listener.family, socket.SOCK_DGRAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(target)  # a datagram socket: sends nothing, only chooses the route
            faces_hub: str = probe.getsockname()[0]
            return faces_hub
    except OSError as error:
        raise LaunchError(
            HUB_UNREACHABLE,
            "this node cannot resolve or route to the hub's host %r: %s; see [hub] internal_url"
            % (hub.hostname, error),
        ) from None


def munge_credential(payload: str, uid: int) -> str:
    """A credential that vouches for our uid and host, that only ``uid`` may decode, and only once."""
    try:
        done = subprocess.run(
            ["munge", "--restrict-uid=%d" % uid],  # noqa: S607 - where munge lies differs between sites
            input=payload.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=REQUEST_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LaunchError(NO_TICKET, "munge does not work on this node: %s" % error) from None
    if done.returncode != 0:
        raise LaunchError(
            NO_TICKET, "munge does not work on this node: %s" % done.stderr.decode(errors="replace").strip()
        )
    return done.stdout.decode().strip()


def ticket(settings: dict[str, Any], payload: str) -> str:
    """What proves to the hub who we are; made anew for each try, as a munge credential is used up by one."""
    if settings["kind"] == "munge":
        return munge_credential(payload, settings["uid"])
    try:
        with open(settings["path"], encoding="ascii") as file:
            nonce, _, secret = file.read().strip().partition(".")
    except (OSError, UnicodeDecodeError) as error:
        raise LaunchError(NO_TICKET, "the session's ticket cannot be read on this node: %s" % error) from None
    once = secrets.token_hex(16)
    return "%s.%s.%s" % (nonce, once, file_mac(secret, once, payload))


def file_mac(secret: str, once: str, payload: str) -> str:
    """What whoever has the secret can say of the payload, once: the secret itself never leaves the node."""
    return hmac.new(secret.encode(), ("%s\n%s" % (once, payload)).encode(), "sha256").hexdigest()


def post(
    settings: Mapping[str, Any],
    what: str,
    body: dict[str, Any],
    token: str = "",
    timeout: float = REQUEST_TIMEOUT,
) -> Any:
    """Sends the hub JSON, returns its JSON. ``what`` names the URL among the settings.

    Raises urllib.error.HTTPError, OSError and ValueError.
    """
    url = settings[what]
    request = urllib.request.Request(  # noqa: S310 - the URL is the hub's, from the job script
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    if token:
        request.add_header("Authorization", "token " + token)
    # A site's web proxy is for the outside; it neither reaches nodes nor may see tokens.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if url.startswith("https:"):
        context = ssl.create_default_context(cadata=settings["authority"] or None)
        handlers.append(urllib.request.HTTPSHandler(context=context))
    opener = urllib.request.build_opener(*handlers)
    try:
        with opener.open(request, timeout=timeout) as response:
            return json.loads(response.read() or b"{}")
    except http.client.HTTPException as error:  # such as the first half of an answer: its hub was killed
        raise OSError("the hub's answer cannot be read: %s" % error) from None


def refusal(error: urllib.error.HTTPError) -> str:
    """The hub's own words in an error reply, where it has some."""
    try:
        return str(json.loads(error.read())["message"])
    except (ValueError, KeyError, TypeError, OSError, http.client.HTTPException):
        return "HTTP %d %s" % (error.code, error.reason)


def persist(attempt: Callable[[], Any], patience: float) -> Any:
    """Calls ``attempt`` until it succeeds, the hub refuses, or patience (seconds) ends."""
    deadline = time.monotonic() + patience
    pause = 0.2
    while True:
        try:
            return attempt()
        except urllib.error.HTTPError as error:
            if error.code not in (408, 425, 429, 502, 503, 504):
                raise LaunchError(
                    REFUSED, "the hub did not accept this session: %s" % refusal(error)
                ) from None
            trouble = refusal(error)
        except (OSError, ValueError) as error:
            trouble = str(error)
        if time.monotonic() + pause > deadline:
            raise LaunchError(HUB_UNREACHABLE, "the hub could not be reached from this node: %s" % trouble)
        time.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, so that many jobs spread
        pause = min(pause * 1.6, 15.0)


def job_identity(environ: Mapping[str, str]) -> tuple[str, int]:
    """The job's id and how often it was restarted, in whichever batch system's words they come."""
    ours = ("CLUSTERHUB_JOB_ID", "CLUSTERHUB_RESTART")
    for job, restart in (("SLURM_JOB_ID", "SLURM_RESTART_COUNT"), ours):
        if job in environ:
            return environ[job], int(environ.get(restart) or 0)
    raise LaunchError(REFUSED, "this is not running inside a job")


def whereabouts(settings: dict[str, Any], listener: socket.socket) -> dict[str, Any]:
    """Which session this is, and where it listens."""
    job, restart = job_identity(os.environ)
    return {
        "version": VERSION,
        "tag": settings["tag"],
        "job": job,
        "restart": restart,
        "node": socket.gethostname(),
        "address": announced_address(listener, settings["claim_url"]),
        "port": listener.getsockname()[1],
    }


def claim(settings: dict[str, Any], listener: socket.socket) -> Any:
    """Trades the ticket for what the session needs: ``{"environment": {...}, "arguments": [...]}``."""
    # The random part tells a reply that was lost, and asked for again, from somebody else's second claim.
    body = dict(whereabouts(settings, listener), claim=secrets.token_hex(16))
    payload = json.dumps(body, sort_keys=True)

    def attempt() -> Any:
        proof = {"kind": settings["ticket"]["kind"], "value": ticket(settings["ticket"], payload)}
        return post(settings, "claim_url", dict(body, ticket=proof))

    return persist(attempt, settings["patience"])


def carried_files() -> dict[str, str]:
    """The files that came along in the job script, each under a line with its name; see `FILES`."""
    with open(FILES, encoding="utf-8") as file:
        _, *parts = re.split(r"(?m)^==> (\S+) <==\n", file.read())
    return dict(zip(parts[::2], parts[1::2]))  # noqa: B905 - `strict` came with Python 3.10


def load_modules(files: Mapping[str, str]) -> dict[str, Any]:
    """The carried modules by name, in a package in which this file is the launcher."""
    package = types.ModuleType(PACKAGE)
    package.__path__ = []
    sys.modules[PACKAGE] = package
    modules: dict[str, Any] = {"launcher": sys.modules[__name__]}
    sys.modules[PACKAGE + ".launcher"] = modules["launcher"]
    for file, text in files.items():
        name, dot, kind = file.rpartition(".")
        if dot and kind == "py":
            module = types.ModuleType(PACKAGE + "." + name)
            sys.modules[module.__name__] = modules[name] = module
            exec(compile(text, file, "exec"), module.__dict__)  # noqa: S102 - it came with us
    return modules


def in_background(work: Callable[[], Any]) -> Callable[[], Any]:
    """Has a thread do it; returns a function that waits for what it returned, and raises what it raised."""
    outcome: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # raised where it is waited for
            outcome.set_exception(error)

    threading.Thread(target=run, name="clusterhub-claim", daemon=True).start()
    return outcome.result


def serve(listener: socket.socket, settings: dict[str, Any]) -> None:
    """Boards, and runs Jupyter Server on the listener; returns when it has been stopped."""
    reply = in_background(lambda: claim(settings, listener))
    files = carried_files()
    modules = load_modules(files)
    modules["imports"].ahead()
    server = modules["elsewhere" if "own" in settings else "server"]
    modules["runtime"].enter_directory()
    with modules["runtime"].own_directory() as runtime:
        server.serve(listener, reply(), settings, runtime, files)


def keep_memory_private() -> None:
    """Keeps tokens and keys out of core files, and from other processes of this account."""
    try:
        import ctypes
    except ImportError:  # Python was built without libffi
        say(
            "this Python has no ctypes: should the server crash, its core file would hold the session's token"
        )
    else:
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE, which ends with an exec


def main() -> int:
    """Starts the session; the exit code says why it could not."""
    keep_memory_private()
    # Until Jupyter sets its own: a job that is cancelled while it starts tidies up behind itself, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        settings = json.loads(os.environ.pop("CLUSTERHUB_SETTINGS"))
        listener = bind(settings["interface"], settings["ports"], settings["claim_url"])
        port = listener.getsockname()[1]
        say("session %s listens on port %d of %s" % (settings["tag"], port, socket.gethostname()))
        serve(listener, settings)
    except LaunchError as error:
        say(str(error))
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
