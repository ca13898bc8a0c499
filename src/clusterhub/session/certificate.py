"""The session's certificate at work: this server answers to the hub and its proxy, and to nobody else.

The private key came in the hub's answer to the claim and stays in memory. What reads it wants a file, and
gets one that lies in no directory (memfd_create(2)): only processes of this account can open it, and it is
gone with this process.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping

AUTHORITY_VARIABLE = "JUPYTERHUB_SSL_CLIENT_CA"
"""JupyterHub's name for the file by which kernels and terminals can know the hub, to ask its API."""


class Certificate:
    """The session's own, and the authority's by which it knows hub and proxy."""

    def __init__(self, identity: Mapping[str, str], authority: str, directory: str) -> None:
        """``identity`` and ``authority`` are PEM; in ``directory`` the latter becomes a file, for kernels."""
        descriptor = os.memfd_create("clusterhub-certificate")  # closed for kernels: they do not inherit it
        with os.fdopen(os.dup(descriptor), "w") as file:
            file.write(identity["key"] + identity["certificate"])
        self.own_file = "/proc/self/fd/%d" % descriptor
        self.authority_file = os.path.join(directory, "hub.crt")
        with open(self.authority_file, "w", encoding="ascii") as file:
            file.write(authority)
        self._authority = authority

    def context(self) -> ssl.SSLContext:
        """For the session's port: whoever connects shows a certificate of the authority for clients."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=self._authority)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.own_file)
        return context

    def insist_on_hub(self) -> None:
        """JupyterHub's code in the session knows the hub by the authority alone.

        Its own way also trusts whatever the node's system does, and reads all of that for each request.
        """
        from jupyterhub.services import auth
        from jupyterhub.singleuser import extension

        context = ssl.create_default_context(cadata=self._authority)
        auth.make_ssl_context = extension.make_ssl_context = lambda *_files, **_options: context

    def arguments(self) -> list[str]:
        """By which JupyterHub's code in the session knows the hub; it insists on having one to show, too."""
        return [
            "--HubAuth.keyfile=" + self.own_file,
            "--HubAuth.certfile=" + self.own_file,
            "--HubAuth.client_ca=" + self.authority_file,
        ]
