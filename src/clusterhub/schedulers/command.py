"""Running an outside command from the hub's loop: with a time limit, a cap on its output, and no
surprises."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping

from clusterhub.schedulers.model import CommandResult

DEFAULT_TIMEOUT = 20.0
"""Seconds after which a command is cut off."""
DEFAULT_MAX_OUTPUT = 64 * 1024**2
"""Bytes of standard output and of standard error each; 64 MiB hold a queue of about 90,000 sessions."""
_GRACE = 2.0
"""Seconds that a killed command's output may take to end."""
_CHUNK = 64 * 1024
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def wait_without_threads() -> None:
    """The running loop itself waits for commands to end, instead of a thread for each.

    Python does so from 3.12 on.
    """
    if sys.version_info >= (3, 12):
        return
    with contextlib.suppress(OSError):  # a kernel before Linux 5.3
        os.close(os.pidfd_open(os.getpid()))
        watcher = asyncio.PidfdChildWatcher()
        watcher.attach_loop(asyncio.get_running_loop())
        asyncio.set_child_watcher(watcher)


class _TooMuchOutput(Exception):
    pass


async def run(
    argv: tuple[str, ...],
    *,
    environment: Mapping[str, str] | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    max_output: int = DEFAULT_MAX_OUTPUT,
    stdin: str = "",
) -> CommandResult:
    """What the command answered. It sees PATH, LANG and ``environment``, nothing else of the hub's.

    Never raises for what the command does or for its not being there: then the exit code is None and
    ``problem`` says why. A command that is cut off is killed with all that it started. Bytes that are no
    UTF-8 come as surrogate escapes. Cancelling the caller kills the command.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": _PATH, "LANG": "C.UTF-8", **(environment or {})},
            cwd="/",
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        return CommandResult(None, "", "", f"{argv[0]} cannot be run: {cause}")
    outputs = (bytearray(), bytearray())
    problem = ""
    try:
        await asyncio.wait_for(_exchange(process, stdin.encode(), outputs, max_output), timeout)
    except asyncio.TimeoutError:
        problem = f"{argv[0]} gave no answer within {timeout:g} s"
    except _TooMuchOutput:
        problem = f"{argv[0]} printed more than {max_output} bytes"
    finally:
        # Also after a good end: what it left behind in its session must not pile up.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(_end(process))
    stdout, stderr = (bytes(text).decode("utf-8", "surrogateescape") for text in outputs)
    return CommandResult(None if problem else process.returncode, stdout, stderr, problem)


async def _exchange(
    process: asyncio.subprocess.Process, stdin: bytes, outputs: tuple[bytearray, bytearray], limit: int
) -> None:
    async def read(stream: asyncio.StreamReader | None, into: bytearray) -> None:
        while stream is not None and (chunk := await stream.read(_CHUNK)):
            into += chunk
            if len(into) > limit:
                raise _TooMuchOutput

    async def write() -> None:
        if process.stdin is not None:
            # A command may end without reading its input; its exit code tells.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                process.stdin.write(stdin)
                await process.stdin.drain()
            process.stdin.close()

    await asyncio.gather(write(), read(process.stdout, outputs[0]), read(process.stderr, outputs[1]))
    await process.wait()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Return when the killed process is gone, with whatever it had still to say."""
    ended = asyncio.gather(_discard(process.stdout), _discard(process.stderr), process.wait())
    await asyncio.wait([ended], timeout=_GRACE)
    if ended.done():
        return
    try:
        # asyncio waits for the end of the output, which a descendant in a session of its own may keep open.
        process._transport.close()  # type: ignore[attr-defined]
    except PermissionError:
        # What sudo runs is root's, and ends when it likes: nobody waits for that.
        ended.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ended


async def _discard(stream: asyncio.StreamReader | None) -> None:
    """Read on to the end: a stream that is full is paused, and a process with a paused stream never ends."""
    with contextlib.suppress(RuntimeError):  # somebody else reads it still
        while stream is not None and await stream.read(_CHUNK):
            pass
