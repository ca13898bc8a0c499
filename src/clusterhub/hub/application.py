"""JupyterHub as `clusterhub up` runs it.

Its requests do not touch a database that is away, and who asks has the roles that site.toml gives them.
"""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path
from typing import Any

from jupyterhub import app
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.app import JupyterHub
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.handlers.pages import HealthCheckHandler
from jupyterhub.utils import maybe_future
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import SQLAlchemyError
from tornado.web import HTTPError

from clusterhub.hub.activity import note_activity
from clusterhub.hub.availability import WORDS, Availability
from clusterhub.hub.database import bound_answers, is_outage
from clusterhub.hub.handler_names import named_as
from clusterhub.hub.operators import following
from clusterhub.hub.page_policy import NONCE, new_nonce, origin_of, page_policy, session_origins
from clusterhub.hub.session_client import SessionClient
from clusterhub.spawner.clusters import SETTING, Clusters

AVAILABILITY = "clusterhub_database"
"""Where the hub's web application keeps its `Availability`."""

READING = ("GET", "HEAD", "OPTIONS")


class DatabaseAwayError(HTTPError):
    """What a person, or a program, is told who asks while the database is away: ask again."""

    headers = {"Retry-After": "5", "Cache-Control": "no-store"}  # noqa: RUF012 - JupyterHub's name for it

    def __init__(self, method: str) -> None:
        self.tries_again = method in READING
        """Whether the page may be loaded again by itself."""
        nothing = "" if self.tries_again else " What you asked for was not done."
        super().__init__(503, f"{WORDS}{nothing} Try again in a moment.", reason="Service Unavailable")


PLAIN = (
    "Hub and sessions speak plain HTTP with each other, as site.toml says ([sessions] tls = false): whoever "
    "can read the network between them, or take over a port, reads and writes what people do."
)


def serve_with(context: ssl.SSLContext) -> None:
    """Has JupyterHub's own port served with that. Its own way asks each client for a certificate."""

    def made(
        _key: str, _certificate: str, *, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH, **_: object
    ) -> ssl.SSLContext | None:
        return context if purpose is ssl.Purpose.CLIENT_AUTH else None

    app.make_ssl_context = made


def gated(handler: type[BaseHandler]) -> type[BaseHandler]:
    """The handler, but it does not touch the database while that is away."""

    class Gated(handler):
        _is_unknown = False

        async def prepare(self) -> None:
            if issubclass(handler, HealthCheckHandler):  # whether the hub lives, not what else does
                self._know_nobody()
                return
            if not await self.settings[AVAILABILITY].is_usable():
                self._know_nobody()
                raise DatabaseAwayError(self.request.method)
            try:
                await maybe_future(super().prepare())
            finally:
                if self._is_unknown:
                    self._know_nobody()
                    raise DatabaseAwayError(self.request.method)

        async def get_current_user(self) -> Any:
            try:
                return await super().get_current_user()
            except Exception as error:
                # JupyterHub takes whom it cannot look up for nobody: it would tell a session that its token
                # is wrong, and a person to log in.
                self._is_unknown = is_outage(error)
                raise

        def write_error(self, status_code: int, **keywords: Any) -> None:
            error = (keywords.get("exc_info") or (None, None))[1]
            if is_outage(error):  # it went away within the request
                self.db.rollback()
                self._know_nobody()
                away = DatabaseAwayError(self.request.method)
                status_code, keywords["exc_info"] = 503, (type(away), away, None)
                self.set_status(status_code)
            super().write_error(status_code, **keywords)

        def _know_nobody(self) -> None:
            """Who asks is in the database; without this JupyterHub's pages would look there."""
            self._jupyterhub_user = None
            self._xsrf_token = b""  # a new cookie, of nobody, would end what pages that are open can ask for
            self.expanded_scopes: set[str] = set()
            self.parsed_scopes: dict[str, object] = {}

    return named_as(Gated, handler)


def with_policy(handler: type[BaseHandler]) -> type[BaseHandler]:
    """The handler of pages, but no other page reads them, and they run no script but that of templates."""
    if issubclass(handler, APIHandler):  # its answers are no pages
        return handler

    class WithPolicy(handler):
        _nonce = ""

        async def prepare(self) -> None:
            await maybe_future(super().prepare())
            # A page is gone to. One that is asked for by a script would tell it the token against forged
            # requests: JupyterHub looks at that of its API only, and a page of a session may have our origin.
            if "Sec-Fetch-Mode" in self.request.headers:
                self.check_xsrf_cookie()

        @property
        def content_security_policy(self) -> str:
            self._nonce = self._nonce or new_nonce()
            targets = session_origins(self.subdomain_host)
            for service in self.services.values():
                targets += origin_of(service.oauth_redirect_uri)
            return page_policy(self._nonce, self.csp_report_uri, targets)

        @property
        def template_namespace(self) -> dict[str, Any]:
            here = {"clusterhub_here": self.request.uri}
            return {**super().template_namespace, **here, NONCE: self._nonce}

    return named_as(WithPolicy, handler)


def close_to_others(url: URL) -> None:
    """A database that is a file is its owner's only: who has a login cookie is in it."""
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        with contextlib.suppress(OSError):  # read-only just now: its directory is closed as well
            Path(str(url.database)).chmod(0o600)


class Hub(JupyterHub):
    """JupyterHub, that outlives its database's absence."""

    name = "jupyterhub"

    def init_internal_ssl(self) -> None:
        """Ours instead: JupyterHub makes certificates before the node of a session is known."""
        super().init_internal_ssl()
        clusters: Clusters = self.tornado_settings[SETTING]
        certificates = clusters.certificates
        if certificates is None:
            self.log.warning("%s", PLAIN)
            return
        certificates.ensure()
        SessionClient.put_up(certificates.to_sessions(), self)
        serve_with(certificates.as_hub())

    async def start_service(self, service_name: str, service: Any, _: ssl.SSLContext | None = None) -> bool:
        """As JupyterHub does it, which would ask the service with what the hub's own port serves with."""
        return bool(await super().start_service(service_name, service))

    def init_db(self) -> None:
        """Connects; from then on the database is looked at before it is used."""
        bound_answers(Engine)
        super().init_db()
        clusters: Clusters = self.tornado_settings[SETTING]
        availability: Availability = self.tornado_settings[AVAILABILITY]
        availability.undo = self.db.rollback
        engine = self.db.get_bind()
        close_to_others(engine.url)
        availability.guard(engine)
        clusters.until_database = availability.until_usable

    def init_handlers(self) -> None:
        """As JupyterHub has them, each behind the gate and with our policy but those of static files."""
        super().init_handlers()
        self.handlers: list[tuple[Any, ...]] = [
            (
                pattern,
                gated(with_policy(following(handler))) if issubclass(handler, BaseHandler) else handler,
                *rest,
            )
            for pattern, handler, *rest in self.handlers
        ]

    async def update_last_activity(self) -> None:
        """As JupyterHub does it every five minutes, but the hub answers meanwhile."""
        routes = await self.proxy.get_all_routes()
        try:
            await note_activity(self.db, self.users.values(), [route["data"] for route in routes.values()])
        except SQLAlchemyError as error:
            self.log.warning("When sessions were last used is not noted now: %s", error)
            self.db.rollback()
            return
        await self.proxy.check_routes(self.users, self._service_map, routes)


if __name__ == "__main__":
    Hub.launch_instance()
