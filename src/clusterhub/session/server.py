"""The session's Jupyter Server: on the socket that the launcher holds, with what a page of it asks of us."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from . import first_page, home, imports, isolation, kernels, lookups, shared_files, unpacked
from .certificate import AUTHORITY_VARIABLE, Certificate
from .discretion import keep_cookies_out_of_logs
from .following import EVENT_SCHEMA, Session
from .launcher import NO_JUPYTER, LaunchError, persist, post, say, whereabouts
from .runtime import open_workspace, prepare, write_extension


def serve(
    listener: socket.socket,
    reply: Mapping[str, Any],
    settings: dict[str, Any],
    runtime: str,
    files: Mapping[str, str],
) -> None:
    """Runs Jupyter Server on the socket that is already bound; returns when it has been stopped."""
    unpacked.remove_at_end()
    keep_cookies_out_of_logs()
    os.environ.update(reply["environment"])
    os.environ[first_page.VARIABLE] = first_page.choose(reply, is_own=bool(settings.get("own")))
    prepare(runtime, reply)
    token = os.environ["JUPYTERHUB_API_TOKEN"]
    said = whereabouts(settings, listener)
    extensions = write_extension(files, runtime)
    arguments = [*reply["arguments"], "--LabServerApp.extra_labextensions_path=" + extensions]
    session = Session(settings, token, reply["remaining_s"])
    certificate = None
    if reply["tls"]:
        certificate = Certificate(reply["tls"], settings["authority"], runtime)
        arguments += certificate.arguments()
    if session.home_problem:
        say(session.home_problem)
        arguments += home.move_out(session.home, runtime)

    def report_ready() -> None:
        try:
            persist(lambda: post(settings, "ready_url", said, token), settings["patience"])
        except LaunchError as error:
            say(str(error))

    try:
        lookups.look_once_at(lookups.ways_of_start())
        lookups.look_once()
        if not reply["user_config"]:
            arguments += isolation.keep_out_home(runtime)
        application = imports.import_jupyter()
        if certificate is not None:
            certificate.insist_on_hub()
        application.check_hub_version = compare_versions(reply.get("hub_version", ""))
        made = server_class(listener, session, certificate, report_ready, reply["tcp_kernels"])
        application.serverapp_class = shared_files.server_class(
            made, runtime, sqlite_in_home=reply.get("sqlite_in_home", False)
        )
        if reply["workspace"]:
            arguments += open_workspace(runtime, reply["workspace"])
    except ImportError as error:
        raise LaunchError(
            NO_JUPYTER,
            "%s cannot start a session: %s. It needs the packages jupyterhub and jupyterlab"
            % (sys.prefix, error),
        ) from None
    application.launch_instance(argv=arguments)


def compare_versions(hub_version: str) -> Callable[[Any], Awaitable[None]]:
    """In place of JupyterHub's question to the hub for its version, which the start would wait for.

    That one ends a session whose hub is away.
    """
    from jupyterhub._version import __version__, _check_version

    async def check(application: Any) -> None:
        if hub_version:
            _check_version(hub_version, __version__, application.log)

    return check


def named_websocket(request: Any) -> Any:
    """Has JupyterHub know a websocket for one, also where the browser does not say so, as Chromium does not.

    tornado calls this with each request before its handler is made; see
    JUPYTERHUB_ALLOW_WEBSOCKET_COOKIE_AUTH in `clusterhub.spawner.launch`.
    """
    from tornado.web import OutputTransform

    if request.headers.get("Upgrade", "").lower() == "websocket":
        request.headers["Sec-Fetch-Mode"] = "websocket"
    return OutputTransform(request)


def xsrf_cookie_settings(base_url: str) -> dict[str, Any]:
    """The settings of tornado's for the one cookie that JupyterLab's scripts read, where browsers use HTTPS.

    JupyterHub sees to the others.
    """
    if not os.environ.get("JUPYTERHUB_PUBLIC_URL", "").startswith("https:"):
        return {}
    return {"xsrf_cookie_kwargs": {"path": base_url, "secure": True, "samesite": "Lax"}}


def scheme_with(certificate: Certificate | None) -> str:
    """How the session's URLs begin."""
    return "http" if certificate is None else "https"


def encrypt(http_server: Any, certificate: Certificate | None) -> None:
    """Has the server speak TLS from its first connection on, and kernels find by what they know the hub."""
    if certificate is not None:
        # Jupyter's own settings name files, and tornado would read them for each connection.
        http_server.ssl_options = certificate.context()
        os.environ[AUTHORITY_VARIABLE] = certificate.authority_file


def server_class(
    listener: socket.socket,
    session: Session,
    certificate: Certificate | None,
    report_ready: Callable[[], None],
    tcp_kernels: Sequence[str],
) -> type[Any]:
    """Jupyter Server for this one session. Raises ImportError where there is none."""
    from jupyter_server.base.handlers import APIHandler, JupyterHandler
    from jupyter_server.serverapp import ServerApp
    from jupyter_server.utils import url_path_join
    from tornado.web import authenticated

    scheme = scheme_with(certificate)
    # Jupyter Server writes its token into pages of its own, such as for what is not there: the session's, by
    # which it knows the hub, to whoever was let in. JupyterLab's pages have the browser's own instead.
    JupyterHandler.token = ""  # type: ignore[method-assign,assignment]

    class SessionHandler(APIHandler):
        """``GET clusterhub/session``: what a page of ours wants to know."""

        _track_activity = False  # a page that is merely open is no work

        @authenticated
        async def get(self) -> None:
            await session.look_at_home()
            self.finish(json.dumps(session.model()))

    class SessionServer(ServerApp):
        """Jupyter Server on a socket that is held already, instead of on a port that is looked for."""

        def _find_http_port(self) -> None:
            self.port = listener.getsockname()[1]

        def init_configurables(self) -> None:
            super().init_configurables()
            kernels.choose_transport(self.kernel_manager, tcp_kernels)

        def _bind_http_server_tcp(self) -> bool:
            isolation.end_of_start(self)
            imports.settle()
            lookups.look_anew()
            encrypt(self.http_server, certificate)
            self.http_server.add_sockets([listener])
            # Connections wait in the socket's queue until the loop runs, which is the next thing to happen.
            threading.Thread(target=report_ready, name="clusterhub-ready", daemon=True).start()
            if self.event_logger is not None:
                self.event_logger.register_event_schema(EVENT_SCHEMA)
                self.io_loop.add_callback(session.follow, self.event_logger.emit)
            self.io_loop.add_callback(session.report)
            return True

        def _get_urlparts(self, *words: Any, **options: Any) -> Any:
            # It tells its URLs by whether its settings name a certificate.
            parts = super()._get_urlparts(*words, **options)
            return parts._replace(scheme=scheme)

        def migrate_config(self) -> None:
            try:
                super().migrate_config()
            except OSError as error:
                say("settings of IPython 3 could not be taken over: %s" % error)

        def init_webapp(self) -> None:
            self.tornado_settings = dict(xsrf_cookie_settings(self.base_url), **self.tornado_settings)
            super().init_webapp()
            lookups.look_for_modules_of_node_where_there_are_some()
            self.web_app.transforms.append(named_websocket)  # type: ignore[arg-type]  # tornado calls it
            path = url_path_join(self.base_url, "clusterhub/session")
            handlers: list[Any] = [(path, SessionHandler)]
            self.web_app.add_handlers(".*$", handlers)  # type: ignore[no-untyped-call]

    return SessionServer
