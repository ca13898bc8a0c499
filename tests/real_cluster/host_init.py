"""The first process of a host: makes the host's namespaces and mounts, then collects its orphans.

A program of its own (``python3 -I host_init.py SPEC``), standard library only. It prints the process id of
the host's process 1 and returns; that process lives until it is killed, and the kernel then ends everything
in the host with it.

SPEC is JSON: ``hostname``; ``tmpfs``: paths that the host has for itself; ``keep``: paths below those that
stay visible; ``directories``: [path, user, mode] to make afterwards; ``binds``: [source, target];
``overlays``: directories to which the host may add what only it sees;
``gpus``: how many stand-ins for GPU devices to make in ``/run/gpu``;
``fuse``: whether everybody may mount with FUSE, as udev has it on machines that are not containers.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import stat
import sys
from pathlib import Path
from typing import Any

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, doing: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{doing}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2). Not mount(8), which would resolve ``/proc/self/fd/N`` to the name that is hidden by then."""
    answer = _libc.mount(
        source.encode(),
        target.encode(),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _check(answer, f"cannot mount {source} on {target}")


def furnish(spec: dict[str, Any]) -> None:
    """Give the host its own view of the file system. Nothing of it is seen outside."""
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc")
    kept = [(path, os.open(path, os.O_PATH)) for path in spec["keep"]]
    for path, mode in spec["tmpfs"]:
        mount("tmpfs", path, "tmpfs", options=f"mode={mode}")
    for path, descriptor in kept:
        Path(path).mkdir(parents=True, exist_ok=True)
        mount(f"/proc/self/fd/{descriptor}", path, flags=MS_BIND | MS_REC)
        os.close(descriptor)
    for path, user, mode in spec["directories"]:
        Path(path).mkdir(parents=True, exist_ok=True)
        shutil.chown(path, user)
        Path(path).chmod(int(mode, 8))
    for source, target in spec["binds"]:
        mount(source, target, flags=MS_BIND)
    for path in spec["overlays"]:
        # On the host's own tmpfs: the kernel takes no directory of another overlay for the additions.
        added = Path("/run/overlays" + path)
        for name in ("upper", "work"):
            (added / name).mkdir(parents=True)
        (added / "upper").chmod(stat.S_IMODE(Path(path).stat().st_mode))
        options = f"lowerdir={path},upperdir={added}/upper,workdir={added}/work"
        mount("overlay", path, "overlay", options=options)
    for number in range(spec["gpus"]):
        # The null device under another name: slurmd wants a device file, jobs may open it, nothing happens.
        device = Path(f"/run/gpu/card{number}")
        device.parent.mkdir(exist_ok=True)
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        device.chmod(0o666)
    if spec["fuse"] and Path("/dev/fuse").exists():
        device = Path("/run/fuse")
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(10, 229))
        device.chmod(0o666)
        mount(str(device), "/dev/fuse", flags=MS_BIND)
    socket.sethostname(spec["hostname"])


def collect_orphans() -> None:
    """Wait for children for ever: whoever loses a parent in this host ends up here."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            pass
        signal.sigwaitinfo([signal.SIGCHLD])


def main() -> int:
    """Start a host; its process 1 is the child that this leaves behind."""
    spec = json.loads(sys.argv[1])
    everything = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
    _check(_libc.unshare(everything), "cannot make namespaces")
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        problem = os.read(reading, 4096).decode()
        if problem != "ready":
            print(problem or "the host's first process died", file=sys.stderr)
            return 1
        print(child)
        return 0
    os.setsid()
    try:
        furnish(spec)
    except OSError as error:
        os.write(writing, str(error).encode())
        return 1
    nowhere = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.chdir("/")
    os.write(writing, b"ready")
    os.close(writing)
    collect_orphans()
    return 0


if __name__ == "__main__":
    sys.exit(main())
