"""Login with the account that people have on the cluster; a refusal says in a sentence what is wrong."""

from __future__ import annotations

import asyncio
import hmac
import os
import pwd
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyterhub.auth import Authenticator
from traitlets import default

from clusterhub.audit.events import REFUSED, Login
from clusterhub.errors import ClusterhubError
from clusterhub.hub.login_gates import Crowded, Gates
from clusterhub.hub.login_limits import LoginLimits, Wait, in_words, network_of
from clusterhub.hub.login_pages import HANDLERS, MoreQuestions, Refusal
from clusterhub.hub.login_steps import SECONDS, Steps
from clusterhub.hub.operators import SETTING as OPERATORS
from clusterhub.languages.text import _, joined
from clusterhub.privileged.broker import Account, Question
from clusterhub.privileged.helper.checks import PERSON
from clusterhub.privileged.helper.requests import MOST_ANSWERS
from clusterhub.site.schema import Site
from clusterhub.spawner.clusters import SETTING, Clusters

PASSWORD_VARIABLE = "CLUSTERHUB_ONE_PERSON_PASSWORD"  # noqa: S105 - a variable's name
"""By which `clusterhub up` tells the hub the password that it made."""

REFUSALS = {
    "wrong-password": _("User name or password is wrong, or the account is locked."),
    "wrong-answer": _("User name, password or code is wrong, or the account is locked."),
    "expired-password": _(
        "Your password has expired. Change it on the cluster's login node, then log in here."
    ),
    "expired-account": _("Your account has expired. Ask your cluster's support to renew it."),
    "locked": _(
        "Your account is locked, or there were too many wrong passwords. Wait a while, or ask "
        "your cluster's support."
    ),
    "not-allowed": _("Your account may not log in here. Ask your cluster's support to be let in."),
    "unknown-account": _(
        "Your password is right, but this machine has no account of that name. Tell your cluster's support."
    ),
    "system-account": _("This is a system account; log in with your own."),
}
"""The helper's reasons for a refused login, in words."""

UNAVAILABLE = _("Your password could not be checked. Try again in a minute, or tell your cluster's support.")

MAX_PASSWORD = 511
"""Bytes in the longest password that PAM takes (PAM_MAX_RESP_SIZE)."""

TOO_LATE = _("That took longer than a minute. Log in again.")

TOO_OFTEN = {
    "account": _("There were too many wrong passwords for this account from where you are."),
    "network": _("Too many wrong passwords came from your network."),
}
"""By `Wait.what`; how long to wait follows."""

CROWDED = _("Too many people are logging in at the moment. Try again in 5 seconds.")

GUESSES = ("wrong-password", "locked")
"""The helper's reasons after which it may have been a guess."""


@dataclass(frozen=True, repr=False)
class Credentials:
    """What somebody typed."""

    name: str
    password: str
    answers: tuple[str, ...]
    questions: tuple[Question, ...]
    """To which those are the answers, as far as the page asked them."""
    address: str


class ClusterAuthenticator(Authenticator):
    """What both ways to log in have in common."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._limits, self._gates, self._steps = LoginLimits(), Gates(), Steps()

    @default("allow_all")
    def _allow_all(self) -> bool:
        """Who may log in is said in site.toml, and checked in `authenticate`, which can give a sentence."""
        return True

    def normalize_username(self, username: str) -> str:
        """As it was typed: Unix tells capitals apart."""
        return username

    def get_handlers(self, app: Any) -> list[Any]:  # noqa: ARG002 - as in its base
        """The pages to log in and out."""
        return HANDLERS

    async def authenticate(self, handler: Any, data: Any) -> dict[str, Any]:
        """JupyterHub's model of the person who logged in. Raises Refusal."""
        clusters: Clusters = handler.settings[SETTING]
        name = _text(data, "username")
        try:
            account = await self._admitted(clusters, name, data, handler.request.remote_ip or "")
        except Refusal as refusal:
            if not isinstance(refusal, MoreQuestions):
                person = name if await asyncio.to_thread(_is_account, name) else ""
                why = refusal.why
                clusters.audit.note(Login(who="", person=person, outcome=REFUSED, why=why))
            raise
        clusters.audit.note(Login(who=account.name, person=account.name))
        handler.settings[OPERATORS].forget(account.name)
        return {"name": account.name}

    async def _admitted(self, clusters: Clusters, name: str, data: Any, address: str) -> Account:
        """The account of somebody who may come in. Raises Refusal."""
        credentials = self._credentials(name, data, address)
        try:
            async with self._gates.through(name.casefold(), network_of(address)):
                wait = self._limits.begin(name, address, time.monotonic())
                if wait is not None:
                    raise _too_often(wait)
                account = await self._judged(clusters, credentials)
        except Crowded:
            raise Refusal(CROWDED, 503, why="crowded", retry_after=5) from None
        refuse_unusable(account)
        return account

    async def _judged(self, clusters: Clusters, credentials: Credentials) -> Account:
        name, address = credentials.name, credentials.address
        try:
            account = await self.account(clusters, credentials)
        except ClusterhubError as error:
            self.log.error("Login of %r: %s", name, error)
            raise Refusal(UNAVAILABLE, 503, why="unavailable") from None
        except Refusal as refusal:
            if refusal.why in GUESSES:
                self._limits.wrong(name, address, time.monotonic())
            raise
        self._limits.right(name, address, time.monotonic())
        return account

    def _credentials(self, name: str, data: Any, address: str) -> Credentials:
        """What was typed, of which the password may have been typed a step before. Raises Refusal."""
        password, questions = _text(data, "password"), tuple[Question, ...]()
        answers = tuple(_text(data, f"answer{place}") for place in range(MOST_ANSWERS))
        if key := _text(data, "step"):
            step = self._steps.take(key, name, network_of(address), time.monotonic())
            if step is None:
                raise Refusal(TOO_LATE, why="too-late")
            password, questions = step.password, step.questions
        too_long = any(len(text.encode()) > MAX_PASSWORD for text in (password, *answers))
        if not PERSON.fullmatch(name) or not password or too_long or "\0" in "".join((password, *answers)):
            raise Refusal(REFUSALS["wrong-password"], why="wrong-password")
        return Credentials(name, password, tuple(filter(None, answers)), questions, address)

    def ask(self, credentials: Credentials, questions: tuple[Question, ...]) -> MoreQuestions:
        """What the page is to ask besides the password, which is kept for a minute."""
        asked = (*credentials.questions, *questions)[:MOST_ANSWERS]
        key = self._steps.keep(
            credentials.name, network_of(credentials.address), credentials.password, asked, time.monotonic()
        )
        asyncio.get_running_loop().call_later(SECONDS + 1, lambda: self._steps.forget_old(time.monotonic()))
        return MoreQuestions(asked, key)

    async def account(self, clusters: Clusters, credentials: Credentials) -> Account:
        """The account whose password this is. Raises Refusal."""
        raise NotImplementedError


class PamAuthenticator(ClusterAuthenticator):
    """Asks PAM, through the broker, so that the hub needs no right to read passwords."""

    async def account(self, clusters: Clusters, credentials: Credentials) -> Account:
        """See `ClusterAuthenticator.account`."""
        name = credentials.name
        result = await clusters.broker.authenticate(
            name, credentials.password, credentials.address, credentials.answers
        )
        if result.reason == "more-questions":
            raise self.ask(credentials, result.questions)
        if not result.ok:
            reason = result.reason
            if reason == "wrong-password" and credentials.answers:
                reason = "wrong-answer"
            sentence = REFUSALS.get(reason, UNAVAILABLE)
            said = " ".join(result.messages)
            raise Refusal(sentence + f" ({said})" if said else sentence, why=result.reason)
        account = await clusters.broker.account(name)
        refuse_not_allowed(clusters.site, account)
        return account


class OnePersonAuthenticator(ClusterAuthenticator):
    """The account that runs the hub, with a password that was made for this run."""

    async def account(self, clusters: Clusters, credentials: Credentials) -> Account:
        """See `ClusterAuthenticator.account`."""
        expected = os.environ.get(PASSWORD_VARIABLE, "")
        is_right = hmac.compare_digest(credentials.password.encode(), expected.encode())
        if not expected or not is_right or credentials.name != pwd.getpwuid(os.geteuid()).pw_name:
            sentence = _("User name or password is wrong. They were printed when the hub was started.")
            raise Refusal(sentence, why="wrong-password")
        return await clusters.broker.account(credentials.name)


def _text(data: Any, key: str) -> str:
    """A field of the form, or of the JSON that the REST API was sent, in which anything may stand."""
    value = data.get(key, "") if isinstance(data, Mapping) else ""
    try:
        return value if isinstance(value, str) and value.encode() is not None else ""
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold
        return ""


def _is_account(name: str) -> bool:
    """Whether this machine has an account of that name. Asks the directory, which may take a while."""
    try:
        return bool(PERSON.fullmatch(name) and pwd.getpwnam(name))
    except (KeyError, OSError):
        return False


def _too_often(wait: Wait) -> Refusal:
    sentence = joined([TOO_OFTEN[wait.what], _("Try again in {time}.").format(time=in_words(wait.seconds))])
    return Refusal(sentence, 429, why=f"too-often-{wait.what}", retry_after=int(wait.seconds) + 1)


def refuse_not_allowed(site: Site, account: Account) -> None:
    """Raises Refusal for an account that the operator does not let in."""
    if not site.allowed(site.login.allow, account.name, account.groups):
        raise Refusal(REFUSALS["not-allowed"], why="not-allowed")


def refuse_unusable(account: Account) -> None:
    """Raises Refusal for an account under which no session could run."""
    if not account.home_exists:
        raise Refusal(
            _(
                "Your home directory {home} does not exist yet. Log in to the cluster with ssh once, or "
                "ask your cluster's support to make it."
            ).format(home=account.home),
            why="no-home",
        )
    if not account.shell_allowed:
        raise Refusal(
            _(
                "Your account's shell is {shell}, with which no session can be started. Ask your "
                "cluster's support to change it."
            ).format(shell=account.shell),
            why="shell",
        )
