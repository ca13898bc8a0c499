"""`scripts/demo`: a whole site on this machine, as any user, without root or a scheduler."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import click

from clusterhub.errors import ClusterhubError
from clusterhub.hub.authenticator import PASSWORD_VARIABLE
from clusterhub.hub.supervise import Supervisor, check_port, check_ready_to_start, roles_of
from clusterhub.hub.walkthrough import Walk, WalkFailed
from clusterhub.schedulers.local import LocalScheduler
from clusterhub.site.loading import load
from clusterhub.site.schema import Site

CLUSTER = "here"
PORTS = (10_000, 32_768)
"""Below those that systems give to connections, and to whoever asks for any port (Linux: 32768 and above)."""
HUB_PATIENCE = 60.0
"""Seconds that the hub may take until it answers."""

SITE = """\
# Made by scripts/demo, anew at each start.
[hub]
url = "http://127.0.0.1:{port}"
internal_url = "https://127.0.0.1:{internal_port}"
state_directory = "{directory}/state"

[login]
method = "one-person"

[cluster.{cluster}]
scheduler = "local"
queue_interval = "5s"
starting_interval = "1s"

[environment]
path = "{environment}"

[sessions]
directory = "{directory}/sessions"

[[profile]]
name = "small"
title = "Small"
description = "One core of this machine, for a first look."
memory = "2 GiB"
time = {{ default = "2h", max = "8h" }}

[[profile]]
name = "large"
title = "As large as you like"
description = "Choose cores, memory and time yourself."
cpus = {{ default = 1, max = {cpus} }}
memory = {{ default = "4 GiB", max = "64 GiB" }}
time = {{ default = "4h", max = "1d" }}
"""


def prepare(directory: Path, port: int) -> Site:
    """The demo's site, written into its directory."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = SITE.format(
        port=port,
        internal_port=free_port(),
        directory=directory,
        environment=sys.prefix,
        cluster=CLUSTER,
        cpus=os.cpu_count() or 1,
    )
    (directory / "hub.log").unlink(missing_ok=True)
    path = directory / "site.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def log_of(site: Site) -> Path:
    """What hub and proxy print."""
    return site.path.parent / "hub.log"


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on, and that no connection takes by itself meanwhile."""
    low, high = PORTS
    for _ in range(100):
        port = low + secrets.randbelow(high - low)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ClusterhubError("No port is free on this machine.", where="127.0.0.1", next="End what holds them.")


def end_sessions(site: Site) -> None:
    """Ends every session of the demo's engine, and waits until they are gone."""
    cluster = site.clusters[CLUSTER]
    scheduler = LocalScheduler(site.hub.state_directory if cluster.directory is None else cluster.directory)
    program = scheduler.programs()
    name, *rest = scheduler.end_all()
    subprocess.run([*program[name], *rest], check=False, timeout=60)


async def until_answering(url: str) -> None:
    """Returns when the hub answers at its public URL. Raises ClusterhubError where it does not in time."""
    deadline = time.monotonic() + HUB_PATIENCE
    async with aiohttp.ClientSession() as http:
        while time.monotonic() < deadline:
            try:
                async with http.get(f"{url}/hub/api") as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise ClusterhubError(f"The hub did not answer at {url} within {HUB_PATIENCE:.0f} s.")


async def demonstrate(site: Site, say: Callable[[str], None]) -> int:
    """Runs the demo until it is interrupted."""
    supervisor = Supervisor(site, roles_of(site, None), say, log_of(site))

    async def announce() -> None:
        await until_answering(site.hub.url)
        say("")
        say(f"  Open      {site.hub.url}")
        say(f"  User      {getpass.getuser()}")
        say(f"  Password  {os.environ[PASSWORD_VARIABLE]}   (made for this run)")
        say("")
        say("  Ctrl-C ends the demo and every session in it.")

    announcement = asyncio.create_task(announce())
    try:
        return await supervisor.run()
    finally:
        announcement.cancel()


async def self_test(site: Site, say: Callable[[str], None]) -> int:
    """Goes the whole way without a person. Returns the exit status."""
    supervisor = Supervisor(site, roles_of(site, None), say, log_of(site))
    running = asyncio.create_task(supervisor.run())
    walking = asyncio.create_task(_walk(site, say))
    try:
        await asyncio.wait([running, walking], return_when=asyncio.FIRST_COMPLETED)
        if not walking.done():
            await running  # raises what ended it
            say("Interrupted.")
            return 130
        await walking
    finally:
        walking.cancel()
        supervisor.end()
        await asyncio.gather(running, return_exceptions=True)
    say("Self-test: all of it worked.")
    return 0


async def _walk(site: Site, say: Callable[[str], None]) -> None:
    total = time.monotonic()

    async def step(name: str, doing: Awaitable[object]) -> object:
        began = time.monotonic()
        outcome = await doing
        say(f"  {time.monotonic() - began:6.2f} s  {name}")
        return outcome

    await step("hub and proxy answer", until_answering(site.hub.url))
    async with Walk.begin(site.hub.url, getpass.getuser()) as walk:
        await step("logged in", walk.log_in(os.environ[PASSWORD_VARIABLE]))
        await step("session started as a job", walk.start({"profile": "small"}))
        code = "import socket; print(6 * 7, socket.gethostname())"
        printed = await step("cell run through the kernel's channel", _cell(walk, code))
        if printed != f"42 {socket.gethostname()}":
            raise WalkFailed(f"The cell printed {printed!r}.")
        await step("session stopped", walk.stop())
    say(f"  {time.monotonic() - total:6.2f} s  in all")


async def _cell(walk: Walk, code: str) -> str:
    printed, _ = await walk.run_cell(code)
    return printed.strip()


@click.command()
@click.option(
    "--directory", type=click.Path(path_type=Path), required=True, help="Where the demo keeps its files."
)
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Where it listens."
)
@click.option(
    "--self-test", "test", is_flag=True, help="Go the whole way without a person, and say how it went."
)
def main(directory: Path, port: int, test: bool) -> None:
    """Run a hub on this machine to look at, with a login made for this run."""
    os.environ[PASSWORD_VARIABLE] = secrets.token_urlsafe(12)
    try:
        check_port("127.0.0.1", port, "the demo", next="Choose another one with --port.")
        site = prepare(directory.resolve(), port)
        check_ready_to_start(site, ("proxy", "hub"))
        try:
            status = asyncio.run((self_test if test else demonstrate)(site, click.echo))
        finally:
            end_sessions(site)
            shutil.rmtree(site.hub.state_directory, ignore_errors=True)
        if not test:
            click.echo("Ended, with every session.")
    except ClusterhubError as error:
        click.echo(f"demo: {error}", err=True)
        status = 1
    sys.exit(status)


if __name__ == "__main__":
    main()
