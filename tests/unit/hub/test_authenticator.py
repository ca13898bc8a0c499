"""Whose password is wrong hears that, and whose is right gets in."""

import logging
import os
import pwd
from types import SimpleNamespace
from typing import Any

import pytest

from clusterhub.hub.authenticator import PASSWORD_VARIABLE, OnePersonAuthenticator, Refusal
from clusterhub.hub.operators import SETTING as OPERATORS
from clusterhub.privileged.broker import Account, BrokerError
from clusterhub.spawner.clusters import SETTING

MYSELF = pwd.getpwuid(os.geteuid()).pw_name
PASSWORD = "correct horse"


async def log_in(name: str, password: str) -> dict[str, Any]:
    async def account(asked: str) -> Account:
        if asked != MYSELF:
            raise BrokerError("The helper refused: it serves its own account only.")
        return Account(  # noqa: S604 - "shell" is the account's
            name=asked,
            uid=1001,
            gid=1001,
            home="/home/alice",
            shell="/bin/bash",
            groups=(),
            home_exists=True,
            shell_allowed=True,
            allowed=True,
        )

    clusters = SimpleNamespace(
        broker=SimpleNamespace(account=account),
        audit=SimpleNamespace(note=lambda _event: None),
    )
    operators = SimpleNamespace(forget=lambda _name: None)
    settings = {SETTING: clusters, OPERATORS: operators}
    handler = SimpleNamespace(settings=settings, request=SimpleNamespace(remote_ip="127.0.0.1"))
    authenticator = OnePersonAuthenticator(log=logging.getLogger("test"))
    return await authenticator.authenticate(handler, {"username": name, "password": password})


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)


async def test_the_one_person_gets_in() -> None:
    assert await log_in(MYSELF, PASSWORD) == {"name": MYSELF}


@pytest.mark.parametrize(
    ("name", "password"), [("somebody-else", PASSWORD), (MYSELF, "wrong"), (MYSELF, ""), (MYSELF, "é")]
)
async def test_a_wrong_name_or_password_is_called_that(name: str, password: str) -> None:
    with pytest.raises(Refusal, match="User name or password is wrong") as refused:
        await log_in(name, password)
    assert refused.value.status_code == 403


async def test_without_a_password_of_the_hubs_nobody_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE)
    with pytest.raises(Refusal):
        await log_in(MYSELF, PASSWORD)
