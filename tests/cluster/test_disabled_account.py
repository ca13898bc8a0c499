"""Who is disabled while a session runs loses it, where the site says so, and everybody can see why.

Without the look at accounts the session goes on until its time limit.
"""

from __future__ import annotations

import json
import subprocess

from tests import pam_services
from tests.hub_fixture import LiveHub
from tests.hub_site import DIRECTORY, STATE_DIRECTORY
from tests.real_cluster.processes import wait_until


def test_a_session_of_an_account_that_expired_is_stopped_when_the_hub_comes_back(hub: LiveHub) -> None:
    with pam_services.person_with_codes(DIRECTORY) as name:
        hub.api("POST", f"users/{name}")
        status, said = hub.api("POST", f"users/{name}/server", {"profile": "debug"})
        assert status in {201, 202}, said
        assert wait_until(lambda: hub.servers(name)[""]["ready"], 60, pause=0.2)
        [job] = hub.expect_cancel(name)
        hub.stop()
        subprocess.run(["/usr/bin/chage", "-E", "0", name], check=True)
        hub.start()
        assert hub.wait_for_no_job(name, 60)
        assert wait_until(lambda: hub.servers(name)[""]["stopped"], 30, pause=0.2)

        status, ending = hub.api("GET", f"clusterhub/endings/{name}")
        assert (status, ending["what"]) == (200, "The session was stopped, as the account has expired.")
        lines = [json.loads(line) for line in (STATE_DIRECTORY / "audit.jsonl").read_text().splitlines()]
        [line] = [line for line in lines if line["event"] == "account disabled"]
        assert (line["person"], line["why"], line["server"]) == (name, "expired-account", "")
        assert any(line["event"] == "job cancelled" and line["job"] == job for line in lines)
        hub.api("DELETE", f"users/{name}")
