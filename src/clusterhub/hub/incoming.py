"""What every request to the hub gets before anything else sees it: an id, and the address it came from.

And what every answer gets: the id, and headers.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Mapping
from functools import partial

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

from clusterhub.audit.request import begin
from clusterhub.hub.local_peers import End, is_ours
from clusterhub.site.addresses import is_loopback

HEADER = "X-Request-Id"
"""In every answer, so that somebody can say which request it was."""

LOG_FORMAT = (
    "%(color)s[%(levelname)1.1s %(asctime)s.%(msecs).03d %(name)s %(module)s:%(lineno)d%(request)s]"
    "%(end_color)s %(message)s"
)
"""JupyterHub's own, with the request's id."""


class Incoming(OutputTransform):
    """tornado makes one for each request before the handler runs; the handler's task inherits its context."""

    def __init__(
        self,
        request: HTTPServerRequest,
        trusted: Collection[str] = (),
        always: Mapping[str, str] | None = None,
    ) -> None:
        self._always = always or {}
        ends = ends_of(request)
        if ends is not None:
            # tornado believes X-Real-Ip, from whoever sends it: then anybody could be anywhere.
            forwarded = request.headers.get_list("X-Forwarded-For")
            request.remote_ip = client_address(
                (ends[0][0], ends[1][0]), forwarded, trusted, is_proxy=bool(forwarded) and is_ours(*ends)
            )
        self._id = begin(request.remote_ip or "").id

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Adds the id to the answer, and the headers that it does not have yet."""
        headers[HEADER] = self._id
        for name, value in self._always.items():
            headers.setdefault(name, value)
        return super().transform_first_chunk(status_code, headers, chunk, finishing)


def incoming(
    trusted: Collection[str], always: Mapping[str, str] | None = None
) -> Callable[[HTTPServerRequest], Incoming]:
    """For tornado's setting ``transforms``.

    ``trusted`` is JupyterHub's ``trusted_downstream_ips``; ``always`` are headers for every answer.
    """
    return partial(Incoming, trusted=tuple(trusted), always=always)


def ends_of(request: HTTPServerRequest) -> tuple[End, End] | None:
    """Address and port of the connection's far end and of ours; None for a socket in the file system."""
    stream = getattr(request.connection, "stream", None)
    context = getattr(request.connection, "context", None)
    far = getattr(context, "address", None)
    if stream is None or stream.socket is None or not isinstance(far, tuple):
        return None
    near = stream.socket.getsockname()
    return (str(far[0]), int(far[1])), (str(near[0]), int(near[1]))


def client_address(
    ends: tuple[str, str], forwarded: Collection[str], trusted: Collection[str], *, is_proxy: bool = True
) -> str:
    """Whose address it is that reached us through those whom we believe.

    ``ends`` are the connection's addresses, theirs and ours, ``forwarded`` the values of X-Forwarded-For.
    ``is_proxy``: a connection from this machine is our proxy's, and not somebody's who has a shell here.
    Each proxy appends the address that it was asked from; what stands before the word of one that we do not
    trust is anybody's.
    """
    words = [word.strip() for value in forwarded for word in value.split(",")]
    believed = {plain(each) for each in trusted}
    address, ours = (plain(each) for each in ends)
    # Our proxy runs on this machine; a connection to a machine's own address comes from that address.
    is_here = address == ours or is_loopback(address)
    if not (is_proxy if is_here else address in believed):
        return address
    while words:
        word = plain(words.pop())
        if not word:
            break
        address = word
        if address not in believed:
            break
    return address


def plain(address: str) -> str:
    """The address in its one spelling, IPv4 where it is that; empty where it is none."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)
