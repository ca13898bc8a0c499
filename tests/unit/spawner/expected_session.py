"""A session that is expected, with what scheduler and ticket say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from clusterhub.schedulers.model import Job, JobState
from clusterhub.spawner.boarding import Boarding, Claim, Expectation, Ready, Ticket, parse_claim
from clusterhub.spawner.tickets import Proof, TicketRefused

from .claims import CLAIM, TAG

RUNNING = Job("17", JobState.RUNNING, tag=TAG, person="alice", nodes=("n1",))
PROOF = Proof(uid=1001, address="10.77.0.11", payload=parse_claim(CLAIM).payload)
READY = {key: value for key, value in CLAIM.items() if key not in ("claim", "ticket")}


class Session:
    """An expected session, with what scheduler and ticket say of it."""

    def __init__(self, job: Job | None = RUNNING, proof: Proof = PROOF) -> None:
        self.job, self.proof = job, proof
        self.vouches = False
        """Whether the ticket vouches for whatever is claimed, as that of an honest job does."""
        self.tries = 0
        self.boarded: list[Claim] = []
        self.readies: list[Ready] = []
        self.boarding = Boarding()
        self.expectation = Expectation(
            TAG,
            "alice",
            1001,
            find_job=self.find,
            check_ticket=self.check,
            board=self.board,
            owns_token=lambda token: token == "token",
            ready=self.readies.append,
        )
        self.boarding.expect(self.expectation)

    async def find(self, job_id: str) -> Job | None:
        return self.job if job_id == "17" else None

    async def check(self, ticket: Ticket, payload: str) -> Proof:
        if not ticket.value.startswith("MUNGE"):
            raise TicketRefused("no")
        return replace(self.proof, payload=payload) if self.vouches else self.proof

    async def board(self, claim: Claim) -> Mapping[str, Any]:
        self.boarded.append(claim)
        return {"environment": {"JUPYTERHUB_API_TOKEN": "token"}}

    async def claim(self, peer: str = "10.77.0.11", **changes: object) -> Mapping[str, Any]:
        """With a ticket of its own, as each try has."""
        self.tries += 1
        ticket = {"kind": "munge", "value": f"MUNGE:{self.tries}:"}
        return await self.boarding.claim({**CLAIM, "ticket": ticket, **changes}, peer)
