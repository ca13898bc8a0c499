"""Many press Start at once, and some Stop: each gets one job or none, and the scheduler is not overrun.

On the real cluster, with the benchmarks' light stand-in for Jupyter. Without the bound of
`privileged/turns.py` (`Broker` with a hundred turns) all submissions run at once; without `Launch.settle` the
job of a start that was stopped while it was submitted goes on; where `ClusterSpawner._prepare` sets
`orm_spawner.user_options` and commits nothing, JupyterHub rolls that back, and says so in its log.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import jupyterhub
import pytest
from tests import hub_site
from tests.hub_fixture import TIDY_SECONDS, LiveHub
from tests.real_cluster import processes
from tests.real_cluster.layout import NODES, REPOSITORY

from clusterhub.hub.walkthrough import Walk
from clusterhub.privileged.broker import COMMANDS_AT_ONCE

PEOPLE = ("alice", "bob")
STARTS = 13
STOPS = 2
"""Of each person, besides."""
PATIENCE = 120.0

COUNTED = """\
#!/bin/sh
echo + >> {record}
{real} "$@"
code=$?
sleep 0.4
echo - >> {record}
exit $code
"""
"""The real command, which takes a little longer and writes down when it begins and ends."""


@pytest.fixture
def record(hub: LiveHub) -> Iterator[Path]:
    """A file in which each of Slurm's acting commands writes ``+`` when it begins and ``-`` when it ends."""
    file = hub_site.DIRECTORY / "record"
    file.touch()
    file.chmod(0o666)
    kept = {}
    for name in ("sbatch", "scancel"):
        command = hub_site.COMMANDS / name
        kept[command] = command.read_text()
        command.write_text(COUNTED.format(record=file, real=shutil.which(name)))
    program = str(REPOSITORY / "bench" / "_light_server.py")
    argv = ["/usr/bin/python3", "-I", program, hub_site.LIGHT_PORT, jupyterhub.__version__]
    servers = [hub.cluster.popen(node.name, argv) for node in NODES]
    yield file
    for server in servers:
        server.kill()
        server.communicate()
    for command, text in kept.items():
        command.write_text(text)


def most_at_once(record: Path) -> int:
    """How many of the commands ran at a time."""
    return max(accumulate(1 if line == "+" else -1 for line in record.read_text().split()))


def jobs_of_all(hub: LiveHub, states: str = "all") -> dict[str, str]:
    """The tag of each job of these people, by its id."""
    asked = hub.cluster.run("gateway", ["squeue", "-h", "-o", "%i %k", "-u", ",".join(PEOPLE), "-t", states])
    assert asked.returncode == 0, asked.stderr
    return dict(line.split() for line in asked.stdout.splitlines())


async def test_each_of_many_starts_gets_one_job_and_a_stop_among_them_leaves_none(
    hub: LiveHub, record: Path
) -> None:
    before, log = set(jobs_of_all(hub)), len(hub.log())

    async def starts_and_stops(person: str) -> list[str]:
        async with Walk.begin(hub.url, person) as walk:
            await walk.log_in(hub.cluster.people[person].password)

            async def stop_soon(server: str) -> None:
                await walk.press_start({"profile": "light"}, server)
                await walk.stop(server, PATIENCE)

            await asyncio.gather(
                *(walk.start({"profile": "light"}, f"storm-{n}", PATIENCE) for n in range(STARTS)),
                *(stop_soon(f"stopped-{n}") for n in range(STOPS)),
            )
            servers = (await walk.model())["servers"]
            assert {name for name, server in servers.items() if server["ready"]} == {
                f"storm-{n}" for n in range(STARTS)
            }
            return walk.messages

    told = await asyncio.gather(*(starts_and_stops(person) for person in PEOPLE))
    assert any("starts are ahead" in message for messages in told for message in messages)

    made = {job: tag for job, tag in jobs_of_all(hub).items() if job not in before}
    hub.wanted_cancels.update(job for job, tag in made.items() if ":stopped-" in tag)

    def only_started_ones_live() -> bool:
        live = [tag.partition(":")[2] for tag in jobs_of_all(hub, "PENDING,RUNNING").values()]
        return sorted(live) == sorted(
            f"under-test:{person}:storm-{n}" for person in PEOPLE for n in range(STARTS)
        )

    assert processes.wait_until(only_started_ones_live, TIDY_SECONDS, pause=0.2), jobs_of_all(hub)
    assert len(set(made.values())) == len(made), "no session had two jobs"

    assert 1 < most_at_once(record) <= COMMANDS_AT_ONCE
    assert "Rolling back dirty objects" not in hub.log()[log:]
