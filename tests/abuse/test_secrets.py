"""No secret stands where somebody can read it who should not: other users, records, logs, pages.

One session lives, hub and session write their logs at level DEBUG, and the scheduler keeps job scripts and
environments. All that is secret is gathered, and looked for in all that another user can read, in all that
operators and logs keep, and in pages. So that the search itself is no toy, one secret is planted in each kind
of place, and each has to be found; it fails as well with `keep_cookies_out_of_logs` taken out, with the
ticket's secret in the job's settings, or with the password in the helper's command line.
"""

from __future__ import annotations

import secrets as random
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from tests import hub_site
from tests.abuse.live_secrets import live_secrets, spellings
from tests.abuse.scan import Found, Scan, looking_on
from tests.fault.on_slurm import lying, person, told, until, until_ready
from tests.hub_fixture import LiveHub
from tests.real_cluster.processes import wait_until

from clusterhub.hub.walkthrough import Walk

KINDS = ("command line", "environment", "file", "script", "comment", "variable", "log", "setting", "page")
PLANTED = {kind: f"planted-{random.token_hex(12)}" for kind in KINDS}
"""A secret of no worth for each kind of place."""


@pytest.fixture(scope="module")
def hub_settings() -> str:
    """Everything that can be logged is."""
    return (
        "c.JupyterHub.log_level = 'DEBUG'\n"
        "from clusterhub.spawner import launch\n"
        "launch.ARGUMENTS = (*launch.ARGUMENTS, '--log-level=DEBUG')\n"
    )


async def test_secrets_are_in_memory_and_in_closed_files_only(hub: LiveHub) -> None:
    with ExitStack() as lookers:
        # Whatever lives for a moment only: the check of a password, a submission, the launcher.
        lived = [lookers.enter_context(looking_on(hub, host, "bob")) for host in ("gateway", "n1")]
        lookers.enter_context(planted_processes(hub))
        async with person(hub, "alice") as walk, person(hub, "bob") as other:
            lived.append(await start_slowly(hub, walk))
            [job] = hub.jobs("alice")
            secrets = await live_secrets(hub, walk)
            scan = Scan(hub, spellings(secrets) | {text: kind for kind, text in PLANTED.items()})
            found = scan.in_processes("bob")
            lookers.close()
            for number, seen in enumerate(lived):
                found |= scan.in_text(f"processes of a moment, {number}", "\n".join(seen))
            async for place, page in pages(walk, other):
                found |= scan.in_text(place, page)
            with planted_records(hub) as of_alice:
                found |= scan.in_files("bob") | scan.in_files(None)
                for who in ("bob", None):
                    found |= scan.in_records(who, job) | scan.in_records(who, of_alice)
                found |= scan.in_what_operators_see()
            await hub.stop_session(walk)
            async for place, page in pages(walk, other):
                found |= scan.in_text(f"{place}, afterwards", page)
    assert {each.secret for each in found} >= set(PLANTED), "not all that was planted is seen"
    by_itself = {each for each in found if each.secret not in PLANTED and not is_pages_own(each)}
    assert not by_itself, "\n".join(sorted(map(str, by_itself)))
    silent = [place for place, read in scan.looked.items() if not read and "page" not in place]
    assert silent == [], "nothing was read there, so nothing was looked at"
    # Something of each kind was looked for.
    names = " ".join(secrets)
    for kind in (
        "password",
        "cookie _xsrf",
        "cookie jupyterhub-hub-login",
        "as it is signed",
        "kernel's key",
    ):
        assert kind in names
    for kind in (
        "session: token",
        "file cookie_secret",
        "file proxy_token",
        "file own_token",
        "session's key",
        "file authority.pem",
    ):
        assert kind in names


async def start_slowly(hub: LiveHub, walk: Walk) -> list[str]:
    """Starts a session; its submission takes as long as the person needs to look at it, as which it runs."""
    with lying("sbatch", "wait"):
        before = told("sbatch")
        await walk.press_start({"profile": "debug"})

        async def is_submitting() -> bool:
            return told("sbatch") > before

        await until(is_submitting)
        with looking_on(hub, "gateway", walk.person) as seen:
            pass
        assert any("--comment=clusterhub:" in line for line in seen), seen
    await until_ready(walk)
    return seen


SESSION_ID = "cookie jupyterhub-session-id of /"
OWN = {"cookie _xsrf of /hub/": "", "cookie jupyterhub-user-alice of /user/alice/, as it is signed": ""}
OWN[SESSION_ID] = "hub/api/users/alice/tokens"
"""What JupyterHub and JupyterLab tell the person of themselves, and on which page if not on all: the text
against forged requests, the browser's token for the session, and the session in which a token was made."""


def is_pages_own(found: Found) -> bool:
    """Of the person's own pages only."""
    return found.place.startswith(f"alice's page {OWN.get(found.secret, 'none')}")


async def pages(walk: Walk, other: Walk) -> AsyncIterator[tuple[str, str]]:
    """What pages and the REST API tell the person, somebody else, and somebody who is not logged in."""
    async with Walk.begin(walk.url, "nobody") as stranger:
        for who, paths in ((walk, PATHS), (other, PATHS), (stranger, PATHS)):
            for path in paths:
                async with who.http.get(f"{walk.url}/{path}", headers=who.headers()) as answer:
                    yield f"{who.person}'s page {path}, {answer.status}", await answer.text()


PATHS = (
    *("hub/home", "hub/spawn", "hub/token", "hub/admin", "hub/nowhere", "hub/error/503", "hub/health"),
    *(
        f"hub/{PLANTED['log']}",
        f"hub/login?next=/hub/{PLANTED['page']}",
        "hub/api/users/alice",
        "hub/api/user",
    ),
    *(
        "hub/api/users/alice/tokens",
        "hub/api/users/alice/server",
        "hub/api/proxy",
        "hub/api/info",
        "hub/metrics",
    ),
    *("hub/api/clusterhub/sessions/alice", "hub/api/clusterhub/endings/alice", "hub/spawn-pending/alice"),
    *("user/alice/lab", "user/alice/nowhere", "user/alice/api/status", "user/bob/lab", "services/tests/"),
    *(
        "hub/api/oauth2/authorize?client_id=nobody",
        "hub/oauth_callback",
        "user/alice/oauth_callback?code=x&state=x",
    ),
)


@contextmanager
def planted_processes(hub: LiveHub) -> Iterator[None]:
    """A command line of alice's on a node, and an environment that bob may read there."""
    sleep = ["/usr/bin/python3", "-c", "import time; time.sleep(300)"]
    with ExitStack() as stack:
        for user, words, env in (
            ("alice", [PLANTED["command line"]], {}),
            ("bob", [], {"PLANTED": PLANTED["environment"]}),
        ):
            process = hub.cluster.popen("n2", [*sleep, *words], user, env=env)
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


@contextmanager
def planted_records(hub: LiveHub) -> Iterator[str]:
    """A file on a node, a setting of the hub's, and a job of alice's with one wherever it can have any."""
    setting = hub_site.CONF_D / "zz_planted.py"
    setting.write_text(f"c.JupyterHub.logo_file = '/{PLANTED['setting']}'\n")
    file = "/dev/shm/planted"  # noqa: S108 - of a node
    write = f"import os, sys; os.umask(0o022); open({file!r}, 'w').write(sys.stdin.read())"
    hub.cluster.run("n1", ["/usr/bin/python3", "-c", write], "alice", input=PLANTED["file"])
    submit = ["sbatch", "--parsable", f"--comment={PLANTED['comment']}", "--output=/dev/null"]
    done = hub.cluster.run(
        "gateway",
        submit,
        "alice",
        input=f"#!/bin/sh\n# {PLANTED['script']}\nsleep 100\n",
        env={"PLANTED": PLANTED["variable"]},
    )
    assert done.returncode == 0, done.stderr
    job = done.stdout.strip()
    try:
        kept = ["sacct", f"--jobs={job}", "--batch-script"]
        assert wait_until(lambda: PLANTED["script"] in hub.cluster.run("gateway", kept).stdout, 20)
        yield job
    finally:
        hub.cancel(job)
        hub.cluster.run("n1", ["rm", file])
        setting.unlink()
