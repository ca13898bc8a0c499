"""Login with the account that people have on the cluster; a refusal says in a sentence what is wrong."""

from __future__ import annotations

import hmac
import os
import pwd
from typing import Any

from jupyterhub.auth import Authenticator
from tornado.web import HTTPError
from traitlets import default

from clusterhub.errors import ClusterhubError
from clusterhub.privileged.broker import Account
from clusterhub.privileged.helper.checks import PERSON
from clusterhub.site.schema import Site
from clusterhub.spawner.clusters import SETTING, Clusters

PASSWORD_VARIABLE = "CLUSTERHUB_ONE_PERSON_PASSWORD"  # noqa: S105 - a variable's name
"""By which `clusterhub up` tells the hub the password that it made."""

REFUSALS = {
    "wrong-password": "User name or password is wrong, or the account is locked.",
    "expired-password": "Your password has expired. Change it on the cluster's login node, then log in here.",
    "expired-account": "Your account has expired. Ask your cluster's support to renew it.",
    "locked": "Your account is locked, or there were too many wrong passwords. Wait a while, or ask your "
    "cluster's support.",
    "not-allowed": "Your account may not log in here. Ask your cluster's support to be let in.",
    "unknown-account": "Your password is right, but this machine has no account of that name. Tell your "
    "cluster's support.",
    "system-account": "This is a system account; log in with your own.",
    "more-questions": "Your account asks for more than a password, such as a one-time code, which is not "
    "possible here yet.",
}
"""The helper's reasons for a refused login, in words."""

UNAVAILABLE = "Your password could not be checked. Try again in a minute, or tell your cluster's support."

MAX_PASSWORD = 511
"""Bytes in the longest password that PAM takes (PAM_MAX_RESP_SIZE)."""


class Refusal(HTTPError):
    """A refused login; the sentence is shown above the form."""

    def __init__(self, sentence: str, status: int = 403) -> None:
        super().__init__(status, sentence.replace("%", "%%"))


class ClusterAuthenticator(Authenticator):
    """What both ways to log in have in common."""

    @default("allow_all")
    def _allow_all(self) -> bool:
        """Who may log in is said in site.toml, and checked in `authenticate`, which can give a sentence."""
        return True

    def normalize_username(self, username: str) -> str:
        """As it was typed: Unix tells capitals apart."""
        return username

    async def authenticate(self, handler: Any, data: Any) -> dict[str, Any]:
        """JupyterHub's model of the person who logged in. Raises Refusal."""
        clusters: Clusters = handler.settings[SETTING]
        name, password = data.get("username", ""), data.get("password", "")
        if not PERSON.fullmatch(name) or not 0 < len(password.encode()) <= MAX_PASSWORD:
            raise Refusal(REFUSALS["wrong-password"])
        try:
            account = await self.account(clusters, name, password, handler.request.remote_ip)
        except ClusterhubError as error:
            self.log.error("Login of %r: %s", name[:64], error)
            raise Refusal(UNAVAILABLE, 503) from None
        refuse_unusable(account)
        return {"name": account.name, "admin": clusters.site.is_admin(account.name, account.groups)}

    async def account(self, clusters: Clusters, name: str, password: str, address: str) -> Account:
        """The account whose password this is. Raises Refusal."""
        raise NotImplementedError


class PamAuthenticator(ClusterAuthenticator):
    """Asks PAM, through the broker, so that the hub needs no right to read passwords."""

    async def account(self, clusters: Clusters, name: str, password: str, address: str) -> Account:
        """See `ClusterAuthenticator.account`."""
        result = await clusters.broker.authenticate(name, password, address)
        if not result.ok:
            sentence = REFUSALS.get(result.reason, UNAVAILABLE)
            said = " ".join(result.messages)
            raise Refusal(f"{sentence} ({said})" if said else sentence)
        account = await clusters.broker.account(name)
        refuse_not_allowed(clusters.site, account)
        return account


class OnePersonAuthenticator(ClusterAuthenticator):
    """The account that runs the hub, with a password that was made for this run."""

    async def account(self, clusters: Clusters, name: str, password: str, address: str) -> Account:  # noqa: ARG002 - as in its base
        """See `ClusterAuthenticator.account`."""
        expected = os.environ.get(PASSWORD_VARIABLE, "")
        is_right = hmac.compare_digest(password.encode(), expected.encode())
        if not expected or not is_right or name != pwd.getpwuid(os.geteuid()).pw_name:
            raise Refusal("User name or password is wrong. They were printed when the hub was started.")
        return await clusters.broker.account(name)


def refuse_not_allowed(site: Site, account: Account) -> None:
    """Raises Refusal for an account that the operator does not let in."""
    if not site.allowed(site.login.allow, account.name, account.groups):
        raise Refusal(REFUSALS["not-allowed"])


def refuse_unusable(account: Account) -> None:
    """Raises Refusal for an account under which no session could run."""
    if not account.home_exists:
        raise Refusal(
            f"Your home directory {account.home} does not exist yet. Log in to the cluster with ssh once, or "
            "ask your cluster's support to make it."
        )
    if not account.shell_allowed:
        raise Refusal(
            f"Your account's shell is {account.shell}, with which no session can be started. Ask your "
            "cluster's support to change it."
        )
