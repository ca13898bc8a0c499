"""The certificates of one hub: of its authority, of itself, and of each session when its job boards.

They lie in ``tls`` in the hub's state directory, where only the hub's account can read them, and are kept
over restarts: sessions that run know this authority and no other. The private key of a session is made when
its job boards, travels in the answer to the claim, and is written nowhere.
"""

from __future__ import annotations

import ssl
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from clusterhub.site.schema import Site
from clusterhub.spawner.secret_files import ensure_text, replace_text
from clusterhub.tls.authority import CLIENT, SERVER, YEAR, Authority, Identity, Usage

LIFETIME = 10 * YEAR
LEAST_LEFT = 5 * YEAR
"""A certificate of hub and proxy is valid so long, and is made anew at a start that finds less left of it."""

CLIENT_NAME = "hub.clusterhub.alt"
"""The name in the certificate of hub and proxy as clients, which no session looks at: the use counts."""


class Certificates:
    """Made on first use. Methods raise ClusterhubError where the files can be neither read nor made."""

    def __init__(self, directory: Path, hub_host: str) -> None:
        self._directory = directory
        self._hub_host = hub_host

    @classmethod
    def of(cls, site: Site) -> Certificates | None:
        """Those of a site; None where it has sessions speak plain HTTP."""
        if not site.sessions.tls:
            return None
        return cls(site.hub.state_directory / "tls", urlsplit(site.hub.internal_url).hostname or "")

    @property
    def authority_file(self) -> Path:
        """Holds the authority's certificate, which is public."""
        return self._directory / "authority.crt"

    @property
    def client_file(self) -> Path:
        """Holds key and certificate with which hub and proxy come to sessions."""
        return self._directory / "client.pem"

    @property
    def server_file(self) -> Path:
        """Holds key and certificate of the hub, for jobs and the proxy."""
        return self._directory / "server.pem"

    @cached_property
    def _authority(self) -> Authority:
        path = self._directory / "authority.pem"
        return Authority.from_pem(ensure_text(path, lambda: Authority.new().pem), path)

    @property
    def authority(self) -> str:
        """The authority's certificate, for jobs to know the hub by."""
        return self._authority.public_pem

    def look_up_authority(self) -> str:
        """As `authority`, for a command, which makes nothing: empty where the certificate cannot be read."""
        try:
            return self.authority_file.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return ""

    def ensure(self) -> None:
        """Makes what is missing, belongs to another name or authority, or is soon over."""
        replace_text(self.authority_file, self.authority)
        self._ensure(self.server_file, self._hub_host, SERVER)
        self._ensure(self.client_file, CLIENT_NAME, CLIENT)

    def _ensure(self, path: Path, name: str, usage: Usage) -> None:
        def make() -> str:
            return self._authority.issue(name, usage, LIFETIME).pem

        if not self._authority.vouches_for(ensure_text(path, make), name, LEAST_LEFT):
            replace_text(path, make())

    def issue(self, name: str) -> Identity:
        """Key and certificate for the session of that name."""
        return self._authority.issue(name, SERVER)

    def as_hub(self) -> ssl.SSLContext:
        """For the hub's own port. Of a client no certificate is asked: a job that boards has none yet."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.server_file)
        return context

    def to_hub(self) -> ssl.SSLContext:
        """For asking the hub's own port."""
        return ssl.create_default_context(cadata=self.authority)

    def to_sessions(self) -> ssl.SSLContext:
        """For asking sessions, which answer to nobody else."""
        context = self.to_hub()
        context.load_cert_chain(self.client_file)
        return context
