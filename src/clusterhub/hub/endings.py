"""How a session ended, for whoever asks: the REST API's answer, and `clusterhub why`."""

from __future__ import annotations

import json
import os
import time

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.scopes import needs_scope
from tornado.web import HTTPError

from clusterhub.errors import ClusterhubError
from clusterhub.site.schema import Site
from clusterhub.spawner.clusters import SETTING, Clusters
from clusterhub.spawner.ending_store import FILE, KEPT, Ending, EndingStore
from clusterhub.spawner.tags import Tag

KEPT_DAYS = round(KEPT / 86400)


class EndingHandler(APIHandler):
    """``GET /hub/api/clusterhub/endings/{user}`` and ``.../{user}/{server}``: how the last session ended."""

    @needs_scope("read:servers")  # type: ignore[untyped-decorator]  # JupyterHub has no type hints
    def get(self, user_name: str, server_name: str = "") -> None:
        """Answers what `clusterhub.spawner.ending_store.Ending.as_json` says; 404 where there is none."""
        clusters: Clusters = self.settings[SETTING]
        try:
            ending = clusters.endings.last(clusters.tag(user_name, server_name))
        except ClusterhubError as error:
            self.log.error("%s", error)
            raise HTTPError(503, error.explanation.what.replace("%", "%%")) from None
        if ending is None:
            raise HTTPError(404, _none(user_name, server_name).replace("%", "%%"))
        self.set_header("Cache-Control", "no-store")
        self.write(json.dumps(ending.as_json()))


HANDLERS = [
    (r"/api/clusterhub/endings/([^/]+)", EndingHandler),
    (r"/api/clusterhub/endings/([^/]+)/([^/]*)", EndingHandler),
]


def _none(person: str, server: str) -> str:
    name = f"the server {server}" if server else "the default server"
    return f"No session of {person}, {name}, is known to have ended in the last {KEPT_DAYS} days."


def why(site: Site, session: str) -> str:
    """Why the last session of that person and server ended, for a terminal. Raises ClusterhubError."""
    person, _, server = session.partition("/")
    directory = site.hub.state_directory
    if not os.access(directory, os.R_OK | os.X_OK):
        missing = os.access(directory.parent, os.X_OK) and not directory.exists()
        raise ClusterhubError(
            f"The hub's state directory {'is not there' if missing else 'cannot be read by this account'}.",
            where=f"{directory} ({site.path}: [hub] state_directory)",
            next="Start the hub first." if missing else "Run this as root, or as the hub's account.",
        )
    store = EndingStore(directory / FILE)
    try:
        ending = store.last(str(Tag(site.hub.id, person, server)))
    finally:
        store.close()
    if ending is None:
        raise ClusterhubError(
            _none(person, server), next=f"See which logs there are: clusterhub logs --list {session}"
        )
    return f"{ending.explanation.as_text()}\n  {_record(ending)}\n"


def _record(ending: Ending) -> str:
    """The bare facts, in one line."""
    facts = [f"{'ended' if ending.served else 'did not start'}: {_local_time(ending.ended_at)}"]
    if ending.outcome is not None:
        facts.append(ending.outcome.value)
    if ending.exit_code is not None:
        facts.append(f"exit code {ending.exit_code}")
    if ending.signal:
        facts.append(f"signal {ending.signal}")
    return ", ".join(facts)


def _local_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
