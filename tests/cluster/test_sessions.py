"""Sessions on a real cluster, without a browser: one job each, found again, explained, no secret in sight."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator

import pytest
from tests.hub_fixture import LiveHub
from tests.hub_site import DIRECTORY
from tests.real_cluster import hub as hub_module
from tests.session_token import READ_TOKEN
from tests.tokens import own_token

from clusterhub.hub.walkthrough import Walk

DEBUG = {"profile": "debug"}


@contextlib.asynccontextmanager
async def person(hub: LiveHub, name: str = "alice") -> AsyncIterator[Walk]:
    """Somebody who has logged in."""
    async with Walk.begin(hub.url, name) as walk:
        await walk.log_in(hub.cluster.people[name].password)
        yield walk


async def until_job(hub: LiveHub, name: str) -> str:
    """The id of the one job that this person has."""
    for _ in range(100):
        if jobs := hub.jobs(name):
            [job] = jobs
            return job
        await asyncio.sleep(0.1)
    raise AssertionError(f"{name} has no job")


def clusterhub(hub: LiveHub, *arguments: str) -> tuple[int, str]:
    """Exit code and output of the command line, as root on the gateway."""
    program = str(hub_module.virtual_environment() / "bin" / "clusterhub")
    done = hub.cluster.run("gateway", [program, *arguments], env={"CLUSTERHUB_SITE": str(hub_module.SITE)})
    return done.returncode, done.stdout + done.stderr


async def test_two_starts_at_once_make_one_job(hub: LiveHub) -> None:
    async with person(hub, "bob") as walk:
        key = await own_token(walk)
    asked = [
        asyncio.to_thread(hub.api, "POST", "users/bob/server", {"profile": "held"}, key) for _ in range(2)
    ]
    assert sorted(status for status, _ in await asyncio.gather(*asked)) in ([202, 400], [202, 202])
    job = await until_job(hub, "bob")
    hub.api("POST", "users/bob/server", {"profile": "held"}, key)
    assert hub.jobs("bob") == [job]


async def test_a_queued_job_keeps_its_place_when_the_hub_is_killed(hub: LiveHub) -> None:
    async with person(hub, "bob") as walk:
        key = await own_token(walk)
    assert hub.api("POST", "users/bob/server", {"profile": "held"}, key)[0] == 202
    job = await until_job(hub, "bob")
    hub.kill()
    hub.start()
    async with person(hub, "bob") as walk:
        hub.api("POST", "users/bob/server", {"profile": "held"}, key)
        assert hub.jobs("bob") == [job]
        hub.cluster.run("gateway", ["scontrol", "release", job])
        await asyncio.wait_for(walk._until_ready(""), 60)
        printed, _ = await walk.run_cell("import os; print(os.environ['SLURM_JOB_ID'])")
    assert printed.strip() == job


async def test_a_start_joins_an_earlier_job_of_its_server_and_says_so(hub: LiveHub) -> None:
    argv = [
        "sbatch",
        "--parsable",
        "--hold",
        "--partition=batch",
        "--job-name=clusterhub",
        "--wrap=sleep 600",
    ]
    asked = hub.cluster.run("gateway", [*argv, "--comment=clusterhub:under-test:alice:"], "alice")
    job = asked.stdout.strip()
    async with person(hub) as walk:
        await walk.press_start(DEBUG)
        async for event in walk.progress():
            if "an earlier job of this server, in partition batch" in event["message"]:
                break
        assert hub.jobs("alice") == [job]
        await hub.stop_session(walk)
        assert hub.wait_for_no_job("alice")
        await walk.start(DEBUG)
        assert job not in hub.jobs("alice")


async def test_named_servers_are_jobs_of_their_own(hub: LiveHub) -> None:
    async with person(hub) as walk:
        await asyncio.gather(walk.start(DEBUG), walk.start(DEBUG, "second"))
        jobs = hub.jobs("alice")
        assert {hub.comment(job) for job in jobs} == {
            "clusterhub:under-test:alice:",
            "clusterhub:under-test:alice:second",
        }
        printed = [
            (await walk.run_cell("import os; print(os.environ['SLURM_JOB_ID'])", name))[0]
            for name in ("", "second")
        ]
        assert sorted(each.strip() for each in printed) == sorted(jobs)
        await hub.stop_session(walk, "second")
        assert hub.jobs("alice") == [printed[0].strip()]
    code, text = clusterhub(hub, "logs", "alice/second")
    assert code == 0
    assert "session clusterhub:under-test:alice:second listens on port" in text
    code, text = clusterhub(hub, "logs", "alice")
    assert code == 0
    assert "session clusterhub:under-test:alice: listens on port" in text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"profile": "nothing"}, "There is no profile"),
        ({"profile": "held"}, "There is no profile"),
        ({"profile": "debug", "cpus": 4}, "does not let you choose|cpus"),
        ({"profile": "interactive", "cpus": 9}, "cpus"),
        ({"profile": "interactive", "time": "2d"}, "time"),
        ({"profile": "interactive", "memory": "1 GiB\n#SBATCH --uid=0"}, "memory"),
        ({"profile": "interactive", "partition": "gpu"}, "does not let you choose partition"),
        ({"profile": "interactive", "interface": "rstudio"}, "does not offer the interface"),
        ({"profile": ["interactive", "gpu"]}, "was given 2 times"),
    ],
)
async def test_the_rest_api_takes_no_choice_that_the_page_would_not(
    hub: LiveHub, options: dict[str, object], sentence: str
) -> None:
    async with person(hub) as walk:
        key = await own_token(walk)
    status, body = await asyncio.to_thread(hub.api, "POST", "users/alice/server", options, key)
    assert status == 400, body
    assert re.search(sentence, body["message"])
    assert hub.jobs("alice") == []


async def test_a_cancelled_session_is_explained_on_the_persons_page(hub: LiveHub) -> None:
    async with person(hub) as walk:
        await walk.start(DEBUG)
        [job] = hub.jobs("alice")
        hub.cancel(job, "alice")
        text = ""
        for _ in range(150):
            async with walk.http.get(f"{walk.url}/hub/user/alice/lab") as answer:
                text = await answer.text()
            if "Your session has ended" in text:
                break
            await asyncio.sleep(0.1)
    assert "was cancelled" in text
    assert f"job {job} on n1" in text
    assert "CANCELLED" in text, "the last lines of the log"


def test_explain_prints_what_would_be_submitted_and_submits_nothing(hub: LiveHub) -> None:
    code, text = clusterhub(hub, "explain", "alice", "gpu", "gpus=2")
    assert code == 0
    assert "# As alice" in text
    assert re.search(r"sbatch .*--gpus-per-node=h200:2|sbatch .*gpu:h200:2", text)
    assert "--partition=gpu" in text
    assert hub.jobs("alice") == []
    code, text = clusterhub(hub, "explain", "alice", "gpu", "gpus=9")
    assert code == 1
    assert "Choose" in text
    assert "Traceback" not in text


async def test_nobody_else_sees_a_secret_of_a_session(hub: LiveHub) -> None:
    reveal = f"{READ_TOKEN}\nprint(json.dumps([token, os.getppid()]))"
    async with person(hub) as walk:
        await walk.start(DEBUG)
        [job] = hub.jobs("alice")
        secret, server = json.loads((await walk.run_cell(reveal))[0])
        state = json.dumps(hub.api("GET", "users/alice?include_stopped_servers")[1])
        run = hub.cluster.run
        assert secret
        seen = {
            "ps": run("n1", ["ps", "axeww"], "bob").stdout + run("n1", ["ps", "axww"]).stdout,
            "scontrol": run("gateway", ["scontrol", "show", "job", job]).stdout,
            "script": run("gateway", ["scontrol", "write", "batch_script", job, "-"]).stdout,
            "sacct script": run("gateway", ["sacct", "-j", job, "--batch-script"]).stdout,
            "sacct env": run("gateway", ["sacct", "-j", job, "--env-vars"]).stdout,
            "session log": clusterhub(hub, "logs", "alice")[1],
            "hub log": hub.log(),
            "state": state,
        }
        denied = run("n1", ["cat", f"/proc/{server}/environ"], "bob")
        listed = run("gateway", ["ls", str(DIRECTORY.parent / "hub")], "bob")
    assert "clusterhub" in seen["script"]
    assert "jupyter" in seen["ps"] or "/dev/fd/3" in seen["ps"]
    assert [place for place, text in seen.items() if secret in text] == []
    assert denied.returncode != 0
    assert listed.returncode != 0
