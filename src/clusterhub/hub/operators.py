"""What operators may do, as roles of JupyterHub's, and who has them, as site.toml and the Unix groups say."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from jupyterhub import orm, roles
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.scopes import parse_scopes
from jupyterhub.user import User

from clusterhub.audit.events import RightGiven, RightTaken
from clusterhub.audit.log import AuditLog
from clusterhub.hub.handler_names import named_as
from clusterhub.privileged.helper.accounts import find_account, groups_of
from clusterhub.site.people import listed
from clusterhub.site.schema import Site

log = logging.getLogger("clusterhub")

SETTING = "clusterhub_operators"
"""Where the hub's web application keeps its `Operators`."""

OPERATOR = "clusterhub-operator"
ENTRY = "clusterhub-entry"

ENTER = "access:servers"

SCOPES: Mapping[str, tuple[str, ...]] = {
    # To see everybody's sessions and to stop them. Nothing that starts, changes or opens anything of others'.
    OPERATOR: (
        "admin-ui",
        "list:users",
        "read:users",
        "read:servers",
        "delete:servers",
        "read:hub",
        "read:metrics",
    ),
    ENTRY: (ENTER,),
}
"""What each role may do, in JupyterHub's words. Its own role `admin` may do everything."""

INTERVAL = 300.0
"""Seconds for which somebody's groups are taken to be as they were; JupyterHub's ``auth_refresh_age``."""

PATIENCE = 10.0
"""Seconds that a request waits for the directory to say which groups somebody is in."""


def _groups(name: str) -> Collection[str]:
    """The Unix groups of an account; none where there is no account of that name."""
    account = find_account(name)
    return groups_of(account) if account is not None else ()


class Operators:
    """Gives and takes the roles, at each person's first request after a login or a start of the hub.

    JupyterHub begins with the roles empty at each start, as its configuration names no members.
    """

    def __init__(
        self,
        site: Site,
        audit: AuditLog,
        groups: Callable[[str], Collection[str]] = _groups,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._members = {OPERATOR: site.hub.admins, ENTRY: site.hub.may_enter}
        self._audit = audit
        self._groups = groups
        self._clock = clock
        self._followed_at: dict[str, float] = {}
        self._following: dict[str, asyncio.Task[None]] = {}

    def __deepcopy__(self, memo: object) -> Operators:
        """Itself: traitlets copies what it is configured with, and of this there is one."""
        return self

    def load_roles(self) -> list[Mapping[str, Any]]:
        """The roles as JupyterHub's configuration has them."""
        return [{"name": name, "scopes": list(scopes)} for name, scopes in SCOPES.items()]

    def forget(self, name: str) -> None:
        """Somebody logs in: the next request looks anew."""
        self._followed_at.pop(name, None)

    async def follow(self, user: User) -> None:
        """The user has the roles that they are to have; looked at anew after a while. Never raises."""
        if self._clock() - self._followed_at.get(user.name, float("-inf")) < INTERVAL:
            return
        # Requests that come in together wait for one answer: none goes on without its roles.
        task = self._following.get(user.name)
        if task is None:
            task = self._following[user.name] = asyncio.create_task(self._look(user))
            task.add_done_callback(lambda _: self._following.pop(user.name, None))
        await asyncio.shield(task)

    async def _look(self, user: User) -> None:
        try:
            groups = await asyncio.wait_for(asyncio.to_thread(self._groups, user.name), PATIENCE)
        except Exception as error:  # a directory that is away changes nothing
            log.warning("It is not known whether %s is an operator: %r", user.name, error)
            return
        for name, members in self._members.items():
            self._set(user, name, to=listed(members, user.name, groups))
        self._followed_at[user.name] = self._clock()

    def _set(self, user: User, name: str, *, to: bool) -> None:
        role = orm.Role.find(user.db, name)
        if role is None or (role in user.orm_user.roles) is to:
            return
        if to:
            roles.grant_role(user.db, user.orm_user, role)
            self._audit.note(RightGiven(person=user.name, role=name))
        else:
            roles.strip_role(user.db, user.orm_user, role)
            self._audit.note(RightTaken(person=user.name, role=name))


def without_entry(token: orm.APIToken | None, scopes: Collection[str]) -> frozenset[str]:
    """The scopes of a request by that token, which are all of them where it is None: by cookie.

    Whoever enters another's server with a browser asks the hub, which notes it. With a token of one's own one
    would get in without that: so it has no part in the right to enter, which a server's own tokens have.
    """
    granted = frozenset(scopes)
    if token is None or token.user is None or (token.oauth_client and token.oauth_client.spawner):
        return granted
    held = roles.get_roles_for(token.user)
    others = {role for role in held if role.name != ENTRY}
    if len(others) == len(held) or ENTER in roles.roles_to_expanded_scopes(others, token.user):
        return granted
    name = token.user.name
    own = (f"{ENTER}!user={name}", f"{ENTER}!server={name}/")
    left = frozenset(each for each in granted if each.partition("!")[0] != ENTER or each.startswith(own))
    return left | {own[0]} if ENTER in granted else left  # JupyterHub names the right to all in its place


def following(handler: type[BaseHandler]) -> type[BaseHandler]:
    """The handler, but who asks has the roles that they are to have, and no token the right to enter."""

    class Following(handler):
        expanded_scopes: Collection[str]

        async def get_current_user(self) -> Any:
            current = await super().get_current_user()
            if isinstance(current, User):
                await self.settings[SETTING].follow(current)
            return current

        def _resolve_roles_and_scopes(self) -> None:
            super()._resolve_roles_and_scopes()
            if isinstance(self.current_user, User):
                scopes = without_entry(self.get_token(), self.expanded_scopes)
                self.expanded_scopes, self.parsed_scopes = scopes, parse_scopes(scopes)

    return named_as(Following, handler)
