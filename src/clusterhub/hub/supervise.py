"""Runs hub and proxy in the foreground, as two processes that can each stop and come back alone."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import getpass
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from clusterhub.errors import ClusterhubError
from clusterhub.hub.authenticator import PASSWORD_VARIABLE
from clusterhub.hub.certificate import check_certificate
from clusterhub.hub.configure import PROXY_TOKEN_VARIABLE, ensure_proxy_token, proxy_socket, resolve
from clusterhub.hub.database import Database, DatabaseAway, Reminder
from clusterhub.hub.front import PREFIX_VARIABLE, front_arguments, front_node_options, watch_certificate
from clusterhub.hub.own_api import OwnApi
from clusterhub.hub.proxy_installation import ensure_proxy
from clusterhub.hub.unanswered import PATH as ERROR_PATH
from clusterhub.site.schema import Site
from clusterhub.spawner.certificates import Certificates
from clusterhub.spawner.clusters import scheduler_for
from clusterhub.spawner.explanations import last_lines

VERIFYING = ("--import", str(Path(__file__).with_name("proxy") / "verified.mjs"))
"""What node loads before the proxy: how that reaches a session, and how sure it is that it did."""

INTERNAL_URL_VARIABLE = "CLUSTERHUB_INTERNAL_URL"

ROLES = ("proxy", "hub")

STOP_SECONDS = 15.0
"""After which a process that was asked to end is killed."""

SOCKET_PAUSE = 0.05
"""Seconds between two looks whether the proxy has opened its socket."""

MAX_DEATHS = 3
DEATHS_WINDOW = 60.0
"""A process that dies more often than this, within so many seconds, is not started again."""

DATABASE_PAUSE = 2.0
"""Seconds between two looks whether the hub's database is there."""


@dataclass
class Role:
    """One of the processes, and how to start it."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    deaths: list[float] = field(default_factory=list)

    def may_restart(self, now: float) -> bool:
        """Notes a death at ``now`` (seconds); False where there were too many lately."""
        self.deaths = [*(death for death in self.deaths if now - death < DEATHS_WINDOW), now]
        return len(self.deaths) <= MAX_DEATHS


def proxy_role(site: Site) -> Role:
    """The proxy, in front of hub and sessions."""
    front, hub = urlsplit(site.hub.bind_url), site.hub.internal_url
    certificates = Certificates.of(site)
    node, script = ensure_proxy()
    argv = [
        node,
        *front_node_options(),
        *(VERIFYING if certificates is not None else ()),
        script,
        f"--ip={front.hostname or ''}",
        f"--port={front.port}",
        f"--api-socket={proxy_socket(site)}",
        f"--default-target={hub}",
        f"--error-target={hub}{site.hub.prefix}hub{ERROR_PATH}",
        *front_arguments(site),
    ]
    own = {PROXY_TOKEN_VARIABLE: ensure_proxy_token(site), PREFIX_VARIABLE: site.hub.prefix}
    if certificates is not None:
        argv += [
            f"--client-ssl-key={certificates.client_file}",
            f"--client-ssl-cert={certificates.client_file}",
            f"--client-ssl-ca={certificates.authority_file}",
        ]
        own[INTERNAL_URL_VARIABLE] = hub
    return Role("proxy", argv, {**_environment(), **own})


def hub_role(site: Site) -> Role:
    """JupyterHub, configured from the site."""
    config = Path(__file__).with_name("jupyterhub_config.py")
    environment = {**_environment(), "CLUSTERHUB_SITE": str(site.path.resolve())}
    if site.login.method == "one-person":
        environment[PASSWORD_VARIABLE] = os.environ.get(PASSWORD_VARIABLE) or secrets.token_urlsafe(12)
    return Role("hub", [sys.executable, "-m", "clusterhub.hub.application", "-f", str(config)], environment)


def _environment() -> dict[str, str]:
    return {
        key: value for key, value in os.environ.items() if not key.startswith(("JUPYTERHUB_", "CONFIGPROXY_"))
    }


def check_ready_to_start(site: Site, roles: Sequence[str]) -> None:
    """Raises ClusterhubError for what would keep the processes from starting, before any is started."""
    resolve(site)
    state = site.hub.state_directory
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        (state / "proxy_token").exists()
    except OSError as error:
        raise ClusterhubError(
            f"The state directory cannot be used: {error.strerror}.",
            where=f"{state} ({site.path}: [hub] state_directory)",
            next="Run this as the account that owns it, or name another directory.",
        ) from None
    certificates = Certificates.of(site)
    if certificates is not None:
        certificates.ensure()
    if "hub" in roles:
        for cluster in site.clusters.values():
            scheduler_for(cluster).programs(cluster.commands)
        Database.of(site).check_driver()
    addresses = {"proxy": (site.hub.bind_url, "bind"), "hub": (site.hub.internal_url, "internal_url")}
    for role in roles:
        url, key = addresses[role]
        parts = urlsplit(url)
        host = "127.0.0.1" if parts.hostname in ("127.0.0.1", "localhost") else ""
        check_port(host, parts.port or 0, f"{site.path}: [hub] {key}")
    if "proxy" in roles:
        check_certificate(site)
        if site.hub.redirect_port is not None:
            check_port("", site.hub.redirect_port, f"{site.path}: [hub] redirect_port")


def check_port(host: str, port: int, where: str, next: str = "") -> None:  # noqa: A002 - as in ClusterhubError
    """Raises ClusterhubError where nothing can listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            remedy = f"See what uses it with `ss -ltnp 'sport = :{port}'`, or choose another port."
            if error.errno == errno.EACCES:
                remedy = "Give the service AmbientCapabilities=CAP_NET_BIND_SERVICE, or use another port."
            raise ClusterhubError(
                f"Port {port} cannot be listened on: {error.strerror}.", where=where, next=next or remedy
            ) from None


class Supervisor:
    """Keeps the processes running until it is asked to end, or one of them cannot be kept alive."""

    def __init__(
        self, site: Site, roles: Sequence[Role], say: Callable[[str], None], log: Path | None = None
    ) -> None:
        self.site = site
        self.roles = roles
        self.say = say
        self.log = log
        """The file that takes what the processes print; None for this terminal."""
        self._ending = asyncio.Event()
        self._had_database = False
        """True once there was one: then a hub that is started again must not make another, empty one."""

    def end(self) -> None:
        """Asks `run` to end the processes and return."""
        self._ending.set()

    async def run(self) -> int:
        """Returns the exit status: 0 when it was asked to end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._ending.set)
        tasks = [asyncio.create_task(self._keep(role)) for role in self.roles]
        asked = asyncio.create_task(self._ending.wait())
        try:
            done, _ = await asyncio.wait([asked, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._ending.set()
            await asyncio.gather(*tasks, return_exceptions=True)
            asked.cancel()
        failed = [task.exception() for task in tasks if task in done and task.exception()]
        if failed and failed[0] is not None:
            raise failed[0]
        return 0

    async def _keep(self, role: Role) -> None:
        while not self._ending.is_set():
            database = Database.of(self.site) if role.name == "hub" else None
            if database is None:
                proxy_socket(self.site).unlink(missing_ok=True)  # left behind by a proxy that was killed
            elif not await self._until_usable(database):
                return
            process = await self._start(role)
            beside = asyncio.create_task(
                self._beside_proxy(process) if database is None else self._see_made(database)
            )
            status = await self._until_ended(process)
            beside.cancel()
            if self._ending.is_set():
                return
            # A hub that ends for want of its database is started again however often it did.
            if not role.may_restart(time.monotonic()) and (
                database is None or await self._trouble_with(database) is None
            ):
                raise ClusterhubError(
                    f"The {role.name} ended {MAX_DEATHS + 1} times within {DEATHS_WINDOW:.0f} seconds "
                    f"(last with status {status}).",
                    next=f"Its own messages {f'in {self.log}' if self.log else 'above'} say why.",
                    log=last_lines(self.log.read_text(errors="replace")) if self.log else (),
                )
            self.say(
                f"The {role.name} ended with status {status}; starting it again. Sessions are not affected."
            )
            await asyncio.sleep(min(2.0 ** (len(role.deaths) - 2), 5.0))

    async def _until_usable(self, database: Database) -> bool:
        """True once the hub can use its database, False when the processes are to end.

        JupyterHub ends where it cannot; the proxy runs meanwhile, and sessions are reached through it.
        """
        reminder = Reminder()
        while not self._ending.is_set():
            away = await self._trouble_with(database)
            if away is None:
                break
            if reminder.is_due():
                self.say(f"The hub waits for its database. {away}")
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ending.wait(), DATABASE_PAUSE)
        return not self._ending.is_set()

    async def _trouble_with(self, database: Database) -> DatabaseAway | None:
        try:
            await asyncio.to_thread(database.check, thoroughly=True, may_be_new=not self._had_database)
        except DatabaseAway as away:
            return away
        return None

    async def _see_made(self, database: Database) -> None:
        """Notes that the hub has made its database, or had it."""
        file = database.file
        while file is not None and not file.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(SOCKET_PAUSE)
        self._had_database = True

    async def _start(self, role: Role) -> asyncio.subprocess.Process:
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(self.log.open("ab")) if self.log else None
            return await asyncio.create_subprocess_exec(
                *role.argv,
                env=dict(role.environment),
                cwd=self.site.hub.state_directory,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for us; we tell them
            )

    async def _ensure_routes(self) -> None:
        """Has the hub tell a new proxy its routes at once, instead of at its next check, minutes later."""
        while not proxy_socket(self.site).exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(SOCKET_PAUSE)
        try:
            await OwnApi(self.site).post("/proxy")
        except ClusterhubError as error:
            self.say(f"The proxy may lack routes until the hub's next check. {error}")

    async def _beside_proxy(self, process: asyncio.subprocess.Process) -> None:
        """What a proxy needs of us while it runs: its routes, and a certificate that has been renewed."""
        await self._ensure_routes()
        await watch_certificate(self.site, self.say, lambda: process.send_signal(signal.SIGHUP))

    async def _until_ended(self, process: asyncio.subprocess.Process) -> int:
        waiting = asyncio.create_task(process.wait())
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait([waiting, ending], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not waiting.done():
            process.terminate()
            try:
                await asyncio.wait_for(asyncio.shield(waiting), STOP_SECONDS)
            except asyncio.TimeoutError:
                process.kill()
        return await waiting


def roles_of(site: Site, only: str | None) -> list[Role]:
    """The processes of a site, or the one that is named."""
    makers = {"proxy": proxy_role, "hub": hub_role}
    return [makers[name](site) for name in ROLES if only in (None, name)]


def up(site: Site, only: str | None, say: Callable[[str], None]) -> int:
    """Runs hub and proxy, or one of them, until interrupted. Raises ClusterhubError."""
    check_ready_to_start(site, [only] if only else ROLES)
    roles = roles_of(site, only)
    say(f"clusterhub for {site.path} at {site.hub.url}")
    for role in roles:
        if password := role.environment.get(PASSWORD_VARIABLE):
            say(f"  log in as {getpass.getuser()} with the password {password}")
    say("  Ctrl-C ends the hub; sessions go on.")
    return asyncio.run(Supervisor(site, roles, say).run())
