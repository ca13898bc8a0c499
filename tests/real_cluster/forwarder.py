"""Forward TCP connections from a socket on the machine to a host of the cluster.

A program of its own (``python3 -I forwarder.py FD PID HOST PORT``), standard library only. FD listens on the
machine; a socket stays in the network namespace where it was made, so after moving itself into the namespace
of process PID this one process stands in both networks, and no route or interface joins them.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import sys

CLONE_NEWNET = 0x40000000
CHUNK_BYTES = 65536


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy until the end of the source; hand the end on, the other direction may go on."""
    try:
        while chunk := await source.read(CHUNK_BYTES):
            sink.write(chunk)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
    except OSError:
        sink.close()  # one side was killed: the other must not wait for it


async def serve(listening: socket.socket, host: str, port: int) -> None:
    """Accept for ever."""

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        for end in (writer, far_writer):
            end.close()

    server = await asyncio.start_server(join, sock=listening, backlog=512)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Move into the namespace and forward."""
    descriptor, pid, host, port = sys.argv[1:5]
    listening = socket.socket(fileno=int(descriptor))
    namespace = os.open(f"/proc/{int(pid)}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot enter the network of process {pid}: {os.strerror(number)}")
    os.close(namespace)
    asyncio.run(serve(listening, host, int(port)))


if __name__ == "__main__":
    main()
