"""`clusterhub environment adopt`: a prefix that conda, venv or somebody else made, used where it lies."""

from __future__ import annotations

import getpass
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from clusterhub import __version__
from clusterhub.environments import manifest as manifests
from clusterhub.environments.curated import name_of, requirements
from clusterhub.environments.findings import Finding, error, warning
from clusterhub.environments.interpreter import Interpreter, examine, shortcomings
from clusterhub.environments.manifest import Manifest, packages_in
from clusterhub.environments.records import forget_check
from clusterhub.environments.sealing import extent
from clusterhub.environments.versions import Environments, cannot_change
from clusterhub.errors import ClusterhubError

NEEDED = ("jupyterhub", "jupyter-server", "jupyterlab")
"""Without these no session starts."""
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH


def adopt(environments: Environments, prefix: Path, name: str) -> tuple[Manifest, list[Finding]]:
    """Make the prefix a version; returns its manifest and what it lacks.

    Raises ClusterhubError where sessions could not run in it.
    """
    prefix = prefix.absolute()
    interpreter, found = look(prefix)
    errors = [each for each in found if each.severity == "error"]
    if interpreter is None or errors:
        raise ClusterhubError(
            f"Sessions could not run there, so it was not adopted: {errors[0].what}.",
            where=errors[0].where,
            next=errors[0].next,
            log=tuple(line for each in errors[1:] for line in each.as_text().splitlines()),
        )
    try:
        size = extent(prefix)
        manifest = Manifest(
            name=name,
            made_at=time.time(),
            account=getpass.getuser(),
            host=socket.gethostname(),
            clusterhub=__version__,
            python=interpreter.version,
            interpreter=str(interpreter.base),
            lock="",
            adopted=str(prefix),
            files=size.files,
            size=size.size,
            packages=packages_in(interpreter.packages),
            kernels={},
        )
        with environments.changing():
            _enter(environments, manifest, prefix)
    except OSError as problem:
        raise cannot_change(environments.directory, problem) from None
    return manifest, found


def _enter(environments: Environments, manifest: Manifest, prefix: Path) -> None:
    link = environments.directory / manifest.name
    if os.path.lexists(link) or (environments.building / manifest.name).exists():
        raise ClusterhubError(
            f"There is a version {manifest.name!r} already.", where=str(link), next="Give another --name."
        )
    kept = environments.directory / ".adopted"
    kept.mkdir(exist_ok=True)
    manifests.write(manifest, kept / f"{manifest.name}.json")
    forget_check(environments, manifest.name)
    link.symlink_to(prefix)


def look(prefix: Path) -> tuple[Interpreter | None, list[Finding]]:
    """What can be seen from outside of a prefix: its interpreter, and what it lacks."""
    python = prefix / "bin" / "python3"
    found = examine(python)
    if isinstance(found, Finding):
        return None, [found]
    return found, [*shortcomings(found), *_packages(found), *_kept(prefix, found)]


def _packages(interpreter: Interpreter) -> Iterator[Finding]:
    there = {name_of(each.name): each for each in packages_in(interpreter.packages)}
    remedy = f"{interpreter.path} -m pip install "
    for name in NEEDED:
        if name not in there:
            yield error("packages", f"it has no {name}", where=interpreter.prefix, next=f"{remedy}{name}")
    if "ipykernel" not in there:
        yield warning(
            "packages", "it has no Python kernel", where=interpreter.prefix, next=f"{remedy}ipykernel"
        )
    expected = [name_of(each) for each in requirements("default")]
    lacks = [name for name in expected if name not in there and name not in (*NEEDED, "ipykernel")]
    if lacks:
        yield warning(
            "packages",
            f"of what the default list has, it lacks {', '.join(lacks)}",
            where=interpreter.prefix,
            next=f"install what people here need, such as: {remedy}{lacks[0]}",
        )


def _kept(prefix: Path, interpreter: Interpreter) -> Iterator[Finding]:
    """How it is kept: by whom it can be changed, what others cannot read, whether it is compiled."""
    writable, closed = [], []
    for directory, names, inside in os.walk(prefix):
        for each in (Path(directory, name) for name in (*names, *inside)):
            mode = each.lstat().st_mode
            if stat.S_ISLNK(mode):
                continue
            if mode & _WRITABLE and not mode & stat.S_ISVTX:
                writable.append(each)
            if not mode & stat.S_IROTH or (stat.S_ISDIR(mode) and not mode & stat.S_IXOTH):
                closed.append(each)
    if closed:
        yield error(
            "reach",
            f"other accounts cannot read {len(closed)} of its files and directories",
            where=closed[0],
            next=f"chmod -R o+rX {prefix}",
        )
    if writable:
        yield warning(
            "writable",
            f"others than its owner may change {len(writable)} of its files, and so what everybody runs",
            where=writable[0],
            next=f"chmod -R go-w {prefix}",
        )
    modules = [path for path in interpreter.packages.rglob("*.py") if "__pycache__" not in path.parts]
    compiled = {
        (path.parent.parent, path.name.partition(".")[0])
        for path in interpreter.packages.rglob("__pycache__/*.pyc")
    }
    plain = [path for path in modules if (path.parent, path.stem) not in compiled]
    if len(plain) > len(modules) / 10:
        yield warning(
            "compiled",
            f"{len(plain)} of {len(modules)} modules are not compiled, which makes each start slower",
            where=interpreter.packages,
            next=f"{interpreter.path} -m compileall -q -j0 {interpreter.packages}",
        )
