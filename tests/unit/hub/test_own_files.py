"""The pages' own style sheets and modules are served to anybody, and kept by browsers until they change.

Without the digest in the address a browser would go on with the modules of before an upgrade.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

from clusterhub.hub import own_files


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(own_files, "DIRECTORY", tmp_path)
    (tmp_path / "a.js").write_text("1")
    own_files.digest.cache_clear()
    yield tmp_path
    own_files.digest.cache_clear()


async def test_a_file_is_kept_for_good_under_its_digest_and_looked_at_anew_under_an_older_one(
    served: Path,
) -> None:
    [(pattern, handler, _)] = own_files.HANDLERS
    server = HTTPServer(Application([(f"/hub{pattern}", handler, {"path": str(served)})]))
    socket, port = bind_unused_port()
    server.add_socket(socket)
    ask = AsyncHTTPClient().fetch
    base = f"http://127.0.0.1:{port}"
    try:
        now = await ask(f"{base}{own_files.address('/hub/')}/a.js")
        assert now.body == b"1"
        assert "javascript" in now.headers["Content-Type"]
        assert "immutable" in now.headers["Cache-Control"]
        older = await ask(f"{base}/hub/clusterhub-static/0123456789abcdef/a.js")
        assert older.headers["Cache-Control"] == "no-cache"
        for path in ("b.js", "../own_files.py", "%2e%2e/own_files.py"):
            with pytest.raises(HTTPClientError, match=r"40[34]"):
                await ask(f"{base}{own_files.address('/hub/')}/{path}")
    finally:
        server.stop()


def test_another_text_or_name_makes_another_address(served: Path) -> None:
    seen = set()
    for name, text in (("a.js", "1"), ("a.js", "2"), ("b.js", "")):
        (served / name).write_text(text)
        own_files.digest.cache_clear()
        seen.add(own_files.address("/hub/"))
    assert len(seen) == 3


def test_modules_name_each_other_relatively_so_that_the_digest_is_theirs_too() -> None:
    for module in own_files.DIRECTORY.rglob("*.js"):
        for line in module.read_text().splitlines():
            if line.startswith(("import ", "export ")) and " from " in line:
                source = json.loads(line.rpartition(" from ")[2].removesuffix(";"))
                assert source.startswith("./"), f"{module.name}: {line}"
                assert (module.parent / urlsplit(source).path).is_file(), f"{module.name}: {line}"
