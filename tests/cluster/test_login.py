"""People log in with the account that they have, through PAM; who cannot is told why in a sentence."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.hub_fixture import LiveHub
from tests.real_cluster.layout import SHARED_GROUP

from clusterhub.hub.walkthrough import Walk, WalkFailed

PASSWORD = "a-password-for-a-test"
NAME = "clusterhub-guest"

MakeAccount = Callable[..., str]


@pytest.fixture
def make_account() -> Iterator[MakeAccount]:
    """Makes a Unix user with `PASSWORD`, from options of useradd and further commands; removed afterwards."""

    def make(*options: str, then: tuple[str, ...] = ()) -> str:
        subprocess.run(
            ["/usr/sbin/useradd", "-U", "-G", SHARED_GROUP, *(options or ("-m",)), NAME], check=True
        )
        subprocess.run(["/usr/sbin/chpasswd"], input=f"{NAME}:{PASSWORD}\n", text=True, check=True)
        if then:
            subprocess.run([*then, NAME], check=True)
        return NAME

    yield make
    subprocess.run(["/usr/sbin/userdel", "-r", NAME], check=False, capture_output=True)
    assert not Path("/home", NAME).exists()


async def refusal(hub: LiveHub, person: str, password: str) -> str:
    """What the login page says."""
    async with Walk.begin(hub.url, person) as walk:
        with pytest.raises(WalkFailed) as caught:
            await walk.log_in(password)
    return str(caught.value)


async def test_a_person_logs_in_with_the_password_of_their_account(hub: LiveHub) -> None:
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(hub.cluster.people["alice"].password)
        model = await walk.model()
    assert (model["name"], model["admin"]) == ("alice", False)


async def test_a_new_account_may_log_in_without_anything_being_restarted(
    hub: LiveHub, make_account: MakeAccount
) -> None:
    name = make_account()
    async with Walk.begin(hub.url, name) as walk:
        await walk.log_in(PASSWORD)
        assert (await walk.model())["name"] == name


async def test_a_wrong_password_is_refused(hub: LiveHub) -> None:
    assert "User name or password is wrong" in await refusal(hub, "alice", "wrong")


async def test_an_unknown_name_is_refused_in_the_same_words_as_a_wrong_password(hub: LiveHub) -> None:
    assert await refusal(hub, "nobody-of-that-name", "wrong") == await refusal(hub, "alice", "wrong")


async def test_who_is_not_allowed_is_refused_although_the_password_is_right(hub: LiveHub) -> None:
    said = await refusal(hub, "carol", hub.cluster.people["carol"].password)
    assert "Your account may not log in here" in said


async def test_a_locked_account_is_refused(hub: LiveHub, make_account: MakeAccount) -> None:
    name = make_account(then=("/usr/sbin/usermod", "-L"))
    assert "the account is locked" in await refusal(hub, name, PASSWORD)


async def test_an_expired_account_is_refused(hub: LiveHub, make_account: MakeAccount) -> None:
    name = make_account(then=("/usr/bin/chage", "-E", "0"))
    assert "Your account has expired" in await refusal(hub, name, PASSWORD)


async def test_an_account_whose_password_has_expired_is_refused(
    hub: LiveHub, make_account: MakeAccount
) -> None:
    name = make_account(then=("/usr/bin/chage", "-d", "0"))
    assert "Your password has expired" in await refusal(hub, name, PASSWORD)


async def test_an_account_without_a_home_directory_is_refused(
    hub: LiveHub, make_account: MakeAccount
) -> None:
    name = make_account("-M")
    said = await refusal(hub, name, PASSWORD)
    assert f"Your home directory /home/{name} does not exist yet" in said


async def test_an_account_with_a_forbidden_shell_is_refused(hub: LiveHub, make_account: MakeAccount) -> None:
    name = make_account("-m", "-s", "/usr/sbin/nologin")
    assert "Your account's shell is /usr/sbin/nologin" in await refusal(hub, name, PASSWORD)


async def test_a_system_account_is_refused_so_that_nobody_learns_its_password_here(
    hub: LiveHub, make_account: MakeAccount
) -> None:
    name = make_account("-m", "-r")
    assert "User name or password is wrong" in await refusal(hub, name, PASSWORD)


async def test_a_password_that_is_longer_than_pam_takes_is_a_wrong_one(hub: LiveHub) -> None:
    assert "User name or password is wrong" in await refusal(hub, "alice", "é" * 300)


@pytest.mark.parametrize("name", ["../alice", "alice\nbob", "ALICE", "-x", "%s", "<b>", "é" * 2000])
async def test_a_strange_name_is_refused_like_a_wrong_one(hub: LiveHub, name: str) -> None:
    assert "User name or password is wrong" in await refusal(hub, name, "alice-password")
