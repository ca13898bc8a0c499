"""A home directory in which nothing can be written keeps nobody out: a kernel runs, and the session says so.

Without `clusterhub.session.home.move_out` no kernel starts: IPython cannot make its profile. Without
`SessionServer.migrate_config` the server of somebody with settings of IPython ends at once with a traceback.
Without the `except` in `launcher.say` a session whose log is full ends with one, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.hub_fixture import LiveHub
from tests.real_cluster.layout import SHARED
from tests.room import SmallFileSystem, small_file_system

from clusterhub.hub.walkthrough import Walk

WHERE_IT_RUNS = "n1"
"""The node of the partition that the profile uses."""


async def what_the_session_says(hub: LiveHub) -> tuple[str, str]:
    """Of a session that bob starts: what a kernel prints, and what a page is told of his home directory."""
    async with Walk.begin(hub.url, "bob") as walk:
        await walk.log_in(hub.cluster.people["bob"].password)
        await walk.start({"profile": "debug"})
        printed, _ = await walk.run_cell("import getpass; print(getpass.getuser())")
        async with walk.http.get(f"{walk.url}/user/bob/clusterhub/session") as answer:
            model: dict[str, Any] = await answer.json()
        await hub.stop_session(walk)
        return printed.strip(), model["home"]


@contextmanager
def full(hub: LiveHub) -> Iterator[SmallFileSystem]:
    """No byte is left, in the home of somebody who has used IPython and never Jupyter."""
    with small_file_system(hub.cluster, WHERE_IT_RUNS, hub.cluster.people["bob"].home, "bob") as small:
        small.run("mkdir", "-p", f"{small.path}/.ipython/profile_default/startup")
        small.fill()
        yield small


@contextmanager
def without_inodes(hub: LiveHub) -> Iterator[SmallFileSystem]:
    """There is room, but not for another file."""
    with small_file_system(hub.cluster, WHERE_IT_RUNS, hub.cluster.people["bob"].home, "bob") as small:
        small.use_up_inodes()
        yield small


@contextmanager
def read_only(hub: LiveHub) -> Iterator[SmallFileSystem]:
    """The file system has been made read-only."""
    with small_file_system(hub.cluster, WHERE_IT_RUNS, hub.cluster.people["bob"].home, "bob") as small:
        small.make_read_only()
        yield small


@contextmanager
def missing(hub: LiveHub) -> Iterator[SmallFileSystem]:
    """The node has no home directories."""
    home = hub.cluster.people["bob"].home
    with small_file_system(hub.cluster, WHERE_IT_RUNS, home.parent, "root") as small:
        yield small


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (full, "Your home directory /home/bob is full: nothing can be saved. Delete files"),
        (without_inodes, "Your home directory /home/bob is full: nothing can be saved. Delete files"),
        (read_only, "Your home directory /home/bob cannot be written to: Read-only file system."),
        (missing, "Your home directory /home/bob is not there on this node."),
    ],
)
async def test_nobody_is_kept_out(hub: LiveHub, trouble: Callable[[LiveHub], Any], says: str) -> None:
    with trouble(hub):
        printed, told = await what_the_session_says(hub)
    assert printed == "bob"
    assert told.startswith(says)


async def test_a_full_directory_of_logs_ends_no_session(hub: LiveHub) -> None:
    with small_file_system(hub.cluster, WHERE_IT_RUNS, SHARED / "sessions", "bob") as small:
        small.run("mkdir", "-m", "700", f"{small.path}/bob")
        small.fill()
        printed, told = await what_the_session_says(hub)
    assert (printed, told) == ("bob", "")
