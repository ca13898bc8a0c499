"""What somebody chooses is judged by one parser, whichever way it comes: the form, a link, the REST API.

`test_choices_fuzz` asks that parser alone, many times; here the worst of it goes all three ways through a
live hub. With one of them passing by `parse_choice`, or the form leaving out what it does not know, it fails.
"""

from __future__ import annotations

import asyncio
import html
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.cluster.test_audit_log import audited, wait_for
from tests.fault.on_slurm import asked, person
from tests.hub_fixture import LiveHub
from tests.hub_site import DIRECTORY
from tests.real_cluster.hub import SITE

from clusterhub.audit.log import FLOOD_LINES
from clusterhub.hub.walkthrough import Walk
from clusterhub.schedulers.model import CommandResult
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.site.loading import load
from clusterhub.spawner.knowledge import Known
from clusterhub.spawner.options import KEYS, ChoiceRefused, parse_choice

Given = dict[str, Any]

HOSTILE: tuple[Given, ...] = (
    # New lines, quotes, and what a shell or sbatch would act on.
    {"profile": "debug\n--account=root"},
    {"profile": "debug; touch /tmp/x"},
    {"profile": "$(touch /tmp/x)"},
    {"profile": "`id`"},
    {"profile": 'debug" --uid="0'},
    {"profile": "debug' --uid='0"},
    {"profile": "debug\0"},
    {"profile": "--wrap=id"},
    {"profile": "<script>alert(1)</script>"},
    {"profile": "../debug"},
    {"profile": "interactive", "cpus": "1\n#SBATCH --uid=0"},
    {"profile": "interactive", "cpus": "1;id"},
    {"profile": "interactive", "cpus": "1\0"},
    {"profile": "interactive", "memory": "1 GiB --reservation=others"},
    {"profile": "interactive", "time": "1h$(id)"},
    {"profile": "interactive", "interface": "lab --allow-root"},
    # Huge, and beyond the profile's limits.
    {"profile": "a" * 9000},
    {"profile": "interactive", "cpus": "9" * 5000},
    {"profile": "interactive", "cpus": "-1"},
    {"profile": "interactive", "memory": "16 TiB"},
    {"profile": "interactive", "time": "99d"},
    {"profile": "interactive", "cpus": ["1", "8"]},
    # What is not offered, or to somebody else only.
    {"profile": "wrong-account"},
    {"profile": "debug", "gpus": "4"},
    {"profile": "debug", "interface": "../../bin/sh"},
    {"profile": "debug", "account": "teaching"},
    {"profile": "debug", "reservation": "others"},
    {"profile": "debug", "qos": "high"},
    {"profile": "debug", "uid": "0"},
    {"profile": "debug", "prologue": "touch /tmp/x"},
    {"profile": "debug", "directives": "--uid=0"},
    {"profile": "debug", "environment": str(DIRECTORY)},
    {"profile": "debug", "partition": "gpu"},
    {"profile": "gpu", "gpu_type": "a100"},
    {"profile": "interactive", "constraint": "avx1024"},
    {"profile": "interactive", "constraint": "plain --uid=0"},
    # Beyond what the scheduler lets this person have, or with each other.
    {"profile": "interactive", "qos": "short", "time": "2h"},
    {"profile": "interactive", "account": "physics", "qos": "no-such-qos"},
    # What would make the session's own programs others, or lead elsewhere.
    {"profile": "interactive", "variables": "LD_PRELOAD=/tmp/x.so"},
    {"profile": "interactive", "variables": "A=1\nPYTHONSTARTUP=/tmp/x.py"},
    {"profile": "interactive", "variables": "JUPYTERHUB_API_TOKEN=x"},
    {"profile": "interactive", "working_directory": "../../root"},
    {"profile": "interactive", "working_directory": "/home/alice/../../root"},
    {"profile": "interactive", "working_directory": "/srv\n#SBATCH --uid=0"},
    {"profile": "debug", "cpus\n--uid": "0"},
)


@pytest.mark.parametrize("given", [HOSTILE], ids=["all"])
async def test_a_hostile_choice_is_refused_whichever_way_it_comes(
    hub: LiveHub, given: tuple[Given, ...]
) -> None:
    site, since, submissions = load(SITE), len(audited()), asked("sbatch")
    async with person(hub, "alice") as walk:
        known = await what_the_hub_knows(hub, walk)
        for choice in given:
            with pytest.raises(ChoiceRefused) as refused:
                parse_choice(choice, site, "alice", ("hpc-users",), known)
            said = refused.value.explanation.what
            for way in (by_form, by_api):
                status, answer = await way(walk, choice)
                assert said in answer, (way.__name__, choice, status, answer[-3000:])
                assert status in (400, 403), (way.__name__, choice, status)
            # A link only fills the start page in: what is on it is judged when the form is sent.
            status, answer = await by_link(walk, choice)
            assert (status, "spawn_form" in answer) == (200, True), choice
    assert asked("sbatch") == submissions
    assert hub.jobs("alice") == []
    lines = [line for line in audited(since) if line["event"] == "start failed"]
    assert len(lines) == FLOOD_LINES <= 2 * len(HOSTILE), "of one address not more are written in a minute"
    assert {(line["person"], line["outcome"], line["why"]) for line in lines} == {
        ("alice", "refused", "ChoiceRefused")
    }
    assert not [line for line in audited(since) if line["event"] == "job submitted"]
    wait_for("start asked", since, who="alice", person="alice", outcome="refused")


async def test_what_is_chosen_is_what_the_job_gets(hub: LiveHub) -> None:
    directory = "/home/alice/my work"
    hub.cluster.run("n1", ["mkdir", "-p", directory], "alice")
    chosen = {"account": "physics", "qos": "short", "time": "30min", "constraint": "plain"}
    further = {"working_directory": "~/my work", "variables": "CHOSEN=it's me\nTWO=2"}
    async with person(hub, "alice") as walk:
        await walk.start({"profile": "interactive", **chosen, **further})
        [job] = hub.jobs("alice")
        said = hub.cluster.run("gateway", ["scontrol", "show", "job", job]).stdout
        for words in ("Account=physics", "QOS=short", "Features=plain", "TimeLimit=00:30:00", directory):
            assert words in said
        printed, _ = await walk.run_cell("import os; print(os.environ['CHOSEN'], os.getcwd())")
        assert printed.strip() == f"it's me {directory}"
        script = hub.cluster.run("gateway", ["scontrol", "write", "batch_script", job, "-"]).stdout
        assert "CHOSEN" not in script, "what scheduler and accounting keep has no variable of a person's"
        await hub.stop_session(walk)
        assert hub.wait_for_no_job("alice")
        await walk.press_start({"profile": "interactive", "working_directory": "/nowhere/at all"})
        messages = [event["message"] async for event in walk.progress()]
        assert "The working directory that was chosen is not there on the node" in messages[-1]


async def what_the_hub_knows(hub: LiveHub, walk: Walk) -> Mapping[str, Known]:
    """The scheduler's answers to what the hub asks, once its page shows that the hub has them, too."""
    slurm = SlurmScheduler(cluster="main")

    def answers(commands: Sequence[tuple[str, ...]]) -> list[CommandResult]:
        done = [hub.cluster.run("gateway", argv, env=slurm.look_environment) for argv in commands]
        return [CommandResult(each.returncode, each.stdout, each.stderr) for each in done]

    for _ in range(60):
        page = (await by_link(walk, {}))[1]
        if "normal (default)" in page and "at most 1h" in page:
            break
        await asyncio.sleep(0.5)
    survey = slurm.parse_survey(answers(slurm.survey()), time.time())
    return {"main": Known(survey, slurm.parse_associations(answers(slurm.associations())))}


def as_fields(choice: Given, name: Any) -> list[tuple[str, str]]:
    """Names and values as a form or a link has them, several of one name where a value is a list."""
    values = {key: value if isinstance(value, list) else [value] for key, value in choice.items()}
    return [(name(key), each) for key, several in values.items() for each in several]


async def by_form(walk: Walk, choice: Given) -> tuple[int, str]:
    """The fields of a profile have its name; what the form does not have is written beside them."""

    def name(key: str) -> str:
        return f"{choice['profile']}:{key}" if key in KEYS and key != "profile" else key

    url, xsrf = f"{walk.url}/hub/spawn", {"_xsrf": walk._xsrf("/hub/")}
    form = urlencode(as_fields(choice, name))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with walk.http.post(url, data=form, params=xsrf, headers=headers) as answer:
        return answer.status, html.unescape(await answer.text())


async def by_link(walk: Walk, choice: Given) -> tuple[int, str]:
    """A link as a person may be sent by somebody else."""
    url = f"{walk.url}/hub/spawn/{walk.person}"
    async with walk.http.get(url, params=as_fields(choice, str)) as answer:
        return answer.status, html.unescape(await answer.text())


async def by_api(walk: Walk, choice: Given) -> tuple[int, str]:
    """As a program asks."""
    url = f"{walk.url}/hub/api/users/{walk.person}/server"
    async with walk.http.post(url, json=choice, headers=walk.headers()) as answer:
        return answer.status, str((await answer.json(content_type=None))["message"])
