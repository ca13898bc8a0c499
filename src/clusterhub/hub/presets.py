"""Choices under names: on the start page as links that fill the form in, and in the REST API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar

from jupyterhub.scopes import needs_scope
from tornado.web import HTTPError

from clusterhub.errors import ClusterhubError
from clusterhub.hub.form import presets_html
from clusterhub.hub.links import links_of
from clusterhub.hub.start_time import AsPerson
from clusterhub.languages.text import told
from clusterhub.spawner.knowledge import known_of
from clusterhub.spawner.options import ChoiceRefused, parse_choice
from clusterhub.spawner.preset_store import Preset, PresetRefused, checked_name

T = TypeVar("T")

MAX_BODY = 65536


class PresetsHandler(AsPerson):
    """``/hub/api/clusterhub/presets/{user}``: GET, PUT, PATCH and DELETE; each answers all presets.

    Bodies: ``{"name": ..., "choice": {...}}`` keeps, ``{"name": ..., "new_name": ...}`` renames, and
    ``{"name": ...}`` deletes.
    """

    @needs_scope("servers")  # type: ignore[untyped-decorator]  # JupyterHub has no type hints
    async def get(self, user_name: str) -> None:
        """Answers the presets."""
        await self._answer(user_name)

    @needs_scope("servers")  # type: ignore[untyped-decorator]  # as above
    async def put(self, user_name: str) -> None:
        """Keeps a choice that a start would take."""
        body = self._body()
        account = await self.account_of(user_name)
        site = self.clusters.site
        known = await known_of(self.clusters, site.clusters)
        try:
            choice = parse_choice(body.get("choice"), site, account.name, account.groups, known)
            preset = Preset(checked_name(body.get("name")), choice.as_options())
        except (ChoiceRefused, PresetRefused) as error:
            raise _refused(error) from None
        await self._do(lambda: self.clusters.presets.keep(user_name, preset))
        await self._answer(user_name)

    @needs_scope("servers")  # type: ignore[untyped-decorator]  # as above
    async def patch(self, user_name: str) -> None:
        """Gives one another name."""
        body = self._body()
        try:
            name, new = checked_name(body.get("name")), checked_name(body.get("new_name"))
        except PresetRefused as error:
            raise _refused(error) from None
        await self._do(lambda: self.clusters.presets.rename(user_name, name, new))
        await self._answer(user_name)

    @needs_scope("servers")  # type: ignore[untyped-decorator]  # as above
    async def delete(self, user_name: str) -> None:
        """Forgets one."""
        name = str(self._body().get("name"))
        await self._do(lambda: self.clusters.presets.remove(user_name, name))
        await self._answer(user_name)

    def _body(self) -> dict[str, Any]:
        try:
            body = json.loads(self.request.body) if len(self.request.body) <= MAX_BODY else None
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise HTTPError(400, "A preset is a small JSON object.")
        return body

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except PresetRefused as error:
            raise _refused(error) from None
        except ClusterhubError as error:
            self.log.error("%s", error)
            raise HTTPError(503, told(error.explanation.what).replace("%", "%%")) from None

    async def _answer(self, user_name: str) -> None:
        if self.find_user(user_name) is None:
            raise HTTPError(404, "There is no such user.")
        presets = await self._do(lambda: self.clusters.presets.of(user_name))
        site = self.clusters.site
        self.answer(
            {
                "presets": [{"name": each.name, "choice": dict(each.choice)} for each in presets],
                "html": presets_html(links_of(site, presets)),
            }
        )


HANDLERS = [(r"/api/clusterhub/presets/([^/]+)", PresetsHandler)]


def _refused(error: ClusterhubError) -> HTTPError:
    words = " ".join(told(each) for each in (error.explanation.what, error.explanation.next) if each)
    return HTTPError(400, words.replace("%", "%%"))
