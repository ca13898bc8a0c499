"""What is in cookies does not get into logs, whatever JupyterHub writes there; the rest does.

The lines are JupyterHub's own, written by its code.
"""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest
from jupyterhub import _xsrf_utils
from jupyterhub.services import auth
from tornado.web import HTTPError

from clusterhub.session.discretion import HIDDEN, keep_cookies_out_of_logs

SECRET = "a-session-id"


def test_what_is_signed_in_a_cookie_is_hidden_and_its_path_is_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    keep_cookies_out_of_logs()
    handler = SimpleNamespace(settings={}, current_user=None, set_cookie=lambda *_, **__: None)
    _xsrf_utils._set_xsrf_cookie(handler, SECRET.encode(), cookie_path="/hub/", xsrf_token=b"x")
    assert SECRET not in caplog.text
    assert HIDDEN in caplog.text
    assert "/hub/" in caplog.text


async def test_what_a_token_is_known_by_is_hidden(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    keep_cookies_out_of_logs()
    hub = auth.HubAuth(api_token="x", api_url="http://127.0.0.1:1")
    with pytest.raises(HTTPError):
        await cast("Any", hub)._check_hub_authorization(
            "http://127.0.0.1:1/user", "x", cache_key=f"token:{SECRET}"
        )
    assert "HubAuth cache miss" in caplog.text
    assert SECRET not in caplog.text
