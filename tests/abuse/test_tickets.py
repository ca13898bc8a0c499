"""Nobody boards with a ticket that is not theirs, was used, was made elsewhere, or comes too late.

The attackers are users of the cluster on its nodes; the session is bob's, and its job does not claim anything
before it is told to. Each test says what it is that keeps them out; with that taken out of
`clusterhub.spawner.boarding`, `places` or `tickets`, it fails.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

from tests import hub_site
from tests.abuse.attacker import FLOOD, Attacker, Said, claim_of
from tests.cluster.test_audit_log import audited, wait_for
from tests.fault.on_slurm import person, submitted, until, until_ready, until_said
from tests.hub_fixture import LiveHub
from tests.real_cluster.processes import wait_until

from clusterhub.audit.log import FLOOD_LINES
from clusterhub.hub.walkthrough import Walk


@contextmanager
def go_on() -> Iterator[None]:
    """While this holds, the jobs that wait for it go on."""
    hub_site.GO_ON.touch()
    try:
        yield
    finally:
        hub_site.GO_ON.unlink()


@asynccontextmanager
async def waiting_session(hub: LiveHub) -> AsyncIterator[tuple[Walk, str]]:
    """A session of bob's whose job runs on n1, and has not shown its ticket yet."""
    async with person(hub, "bob") as walk:
        await walk.press_start({"profile": "slow-prologue"})
        job = await submitted(hub, "bob")
        hub.cluster.wait_for_job(job, "RUNNING")
        yield walk, job
        hub.wanted_cancels.add(job)


def refused(said: Said, words: str, since: int, **fields: object) -> None:
    """The hub said no in these words, and the audit log has the same."""
    assert said.status == 403, said
    assert words in said.message
    line = wait_for("boarding", since, request=said.headers["X-Request-Id"])
    wanted = {"who": "job", "person": "bob", "outcome": "refused", "why": said.message, **fields}
    assert line == {**line, **wanted}


async def test_only_the_person_themselves_on_the_jobs_own_node_boards_and_once(hub: LiveHub) -> None:
    since = len(audited())
    alice_on_n1, alice_on_n2 = Attacker(hub, "alice", "n1"), Attacker(hub, "alice", "n2")
    bob_on_n1, bob_on_n2 = Attacker(hub, "bob", "n1"), Attacker(hub, "bob", "n2")
    at_n1, at_n2 = hub.cluster.addresses["n1"], hub.cluster.addresses["n2"]
    async with waiting_session(hub) as (walk, job):
        claim = claim_of(hub, job, "n1")

        # Another person, who knows all that there is to know but is not bob.
        refused(alice_on_n1.claims(claim), "another person's", since, address=at_n1, job=job)
        # Guesses, of both kinds.
        refused(alice_on_n1.claims(claim, captured="MUNGE:AwQDAAC:"), "munge did not accept", since)
        guess = {"kind": "file", "value": f"{'0' * 32}.{'1' * 32}.{'2' * 64}"}
        refused(alice_on_n1.claims({**claim, "ticket": guess}, munge=False), "not one of this hub's", since)
        # Bob's own credential, made and shown on another node.
        refused(bob_on_n2.claims(claim), f"was shown on {at_n2}", since, address=at_n2)
        elsewhere = {**claim, "node": "n2", "address": at_n2}
        refused(bob_on_n2.claims(elsewhere), "has this job on n1", since, node="n2")
        # Made on the node, for an address of another machine, or of the gateway itself.
        refused(bob_on_n1.claims({**claim, "address": at_n2}), "is not an address of node", since)
        refused(bob_on_n1.claims({**claim, "address": "127.0.0.1"}), "can be reached", since)
        # For somebody else's job, which says that it is bob's session.
        other = lookalike(hub, "alice", hub.comment(job))
        refused(bob_on_n1.claims({**claim, "job": other}), "not this session's", since, job=other)
        # For a run that has not been.
        later = bob_on_n1.claims({**claim, "restart": 1})
        assert (later.status, "does not show this run" in later.message) == (503, True)
        wait_for("boarding", since, outcome="failed", why=later.message, job=job)
        # Through the proxy, whose address on the gateway would be the one that counts.
        public = f"http://gateway:{hub.place.port}"
        through = bob_on_n1.asks("api/clusterhub/claim", claim, munge=True, url=public)
        assert (through.status, "not through its proxy" in through.message) == (403, True)

        # It is good once: to him, and then to nobody who captured it; but he may ask again for a lost answer.
        boarded = bob_on_n1.claims(claim)
        assert boarded.status == 200, boarded
        token = boarded.json["environment"]["JUPYTERHUB_API_TOKEN"]
        captured = boarded.sent["ticket"]["value"]
        refused(alice_on_n1.claims(claim, captured=captured), "Replayed credential", since)
        refused(alice_on_n2.claims(claim, captured=captured), "Replayed credential", since)
        refused(bob_on_n1.claims({**claim, "port": 40001}, captured=captured), "Replayed credential", since)
        again = bob_on_n1.claims(claim)
        assert again.json["environment"]["JUPYTERHUB_API_TOKEN"] == token
        refused(bob_on_n1.claims({**claim, "claim": "another"}), "boarded already", since)

        await hub.stop_session(walk)
    assert hub.wait_for_no_job("bob")
    refused(bob_on_n1.claims(claim), "has ended, or its start was given up", since)
    told = json.dumps(audited(since))
    assert token not in told
    assert captured not in told


def lookalike(hub: LiveHub, who: str, tag: str) -> str:
    """A job of somebody's that looks like a session's but for its owner; it runs on n1."""
    submit = ["sbatch", "--parsable", "--job-name=clusterhub", f"--comment={tag}", "--nodelist=n1"]
    done = hub.cluster.run("gateway", [*submit, "--output=/dev/null", "--wrap=sleep 60"], who)
    assert done.returncode == 0, done.stderr
    job = done.stdout.strip()
    hub.cluster.wait_for_job(job, "RUNNING")
    hub.wanted_cancels.add(job)
    return job


async def test_a_run_of_a_job_has_its_own_ticket(hub: LiveHub) -> None:
    """What an earlier run could show is worth nothing once the scheduler has started the job again."""
    since = len(audited())
    bob_on_n1 = Attacker(hub, "bob", "n1")
    async with waiting_session(hub) as (walk, job):
        claim = claim_of(hub, job, "n1")
        # Not at once: slurmd refuses a job's second run in the very second of the first.
        for words in (["requeue", job], ["update", f"JobId={job}", "StartTime=now+2"]):
            hub.cluster.wait_for_job(job, ["RUNNING"] if words[0] == "requeue" else "PENDING")
            done = hub.cluster.run("gateway", ["scontrol", *words])
            assert done.returncode == 0, done.stderr
        hub.cluster.wait_for_job(job, "RUNNING")

        async def is_told() -> bool:
            return bob_on_n1.claims(claim).status == 403

        await until(is_told)
        refused(bob_on_n1.claims(claim), "has restarted this job since", since)
        with go_on():
            await until_ready(walk)
        # It serves: the one that boarded has had its answer, and nobody else gets it.
        refused(bob_on_n1.claims({**claim, "restart": 1}), "boarded already", since)
        await hub.stop_session(walk)


async def test_long_after_its_job_began_a_session_boards_no_more(hub: LiveHub) -> None:
    """Without the note of what is over, the hub answers such a claim with "ask again", for ever."""
    hub.stop()
    short = replace(hub, site=hub.site.replace("[sessions]\n", '[sessions]\nstart_timeout = "4s"\n'))
    short.start()
    since = len(audited())
    async with waiting_session(hub) as (walk, job):
        claim = claim_of(hub, job, "n1")
        hub.wanted_cancels.add(job)
        await until_said(walk, "did not start within 4s")
        refused(Attacker(hub, "bob", "n1").claims(claim), "its start was given up", since)
    hub.stop()


async def test_a_flood_of_tickets_keeps_no_job_from_boarding_and_fills_no_log(hub: LiveHub) -> None:
    """With tickets looked at in order of arrival the session is ready when the flood is over, not before."""
    since = len(audited())
    async with waiting_session(hub) as (walk, job):
        body = claim_of(hub, job, "n1", ticket={"kind": "munge", "value": "MUNGE:AwQDAAC:"})
        flood = hub.cluster.popen("n2", ["/usr/bin/python3", "-c", FLOOD], "alice")
        assert flood.stdin is not None
        path = "/hub/api/clusterhub/claim"
        flood.stdin.write(json.dumps(["gateway", 8081, path, json.dumps(body), 40, 250]))
        flood.stdin.close()
        try:
            assert wait_until(lambda: len(audited(since)) > FLOOD_LINES, 30)
            with go_on():
                await until_ready(walk)
            assert flood.poll() is None, "the flood was over before the session was ready"
        finally:
            flood.kill()
            flood.wait()
        # Of the flood some lines a minute are written, and then how many more there were.
        lines = [line for line in audited(since) if line["event"] == "boarding"]
        from_n2 = [line for line in lines if line["address"] == hub.cluster.addresses["n2"]]
        assert FLOOD_LINES <= len(from_n2) <= 2 * FLOOD_LINES
        assert [line["outcome"] for line in lines if line not in from_n2][-1] == "done"
        await hub.stop_session(walk)
