"""An operator who writes ``tls = false`` has plain HTTP, and reads in the hub's log what that means.

Without the warning of `clusterhub.hub.application.Hub.init_internal_ssl` nobody is told.
"""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest
from tests.fault.conftest import running_demo

from clusterhub.hub import demo as demo_module
from clusterhub.hub.walkthrough import Walk


async def test_a_site_without_tls_works_and_the_log_says_what_that_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = demo_module.SITE.replace('internal_url = "https:', 'internal_url = "http:')
    monkeypatch.setattr(demo_module, "SITE", plain.replace("[sessions]\n", "[sessions]\ntls = false\n"))
    with running_demo(tmp_path / "demo") as demo:
        async with Walk.begin(demo.url, getpass.getuser()) as walk:
            await walk.log_in(demo.password)
            await walk.start({"profile": "small"})
            printed, _ = await walk.run_cell("print(6 * 7)")
            assert printed.strip() == "42"
            await walk.stop()
        assert demo.hub_log_has(r"plain HTTP with each other.*tls = false")
        assert demo.hub_log_has(r"Adding route /user/\S+ -> http://127\.0\.0\.1:")
        assert not (demo.directory / "state" / "tls").exists()


async def test_with_tls_the_log_says_nothing_of_the_kind(tmp_path: Path) -> None:
    with running_demo(tmp_path / "demo") as demo:
        assert not demo.hub_log_has("plain HTTP")
        assert (demo.directory / "state" / "tls").stat().st_mode & 0o777 == 0o700
