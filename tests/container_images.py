"""Images of containers with a Jupyter Server in them, made of this machine's Python: no registry is asked."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

from tests.real_cluster.layout import SHARED

MARK = "made-for-a-test"
"""A file at the root of the image."""
NOT_NEEDED = ("babel", "debugpy", "jupyterhub", "jupyterlab", "notebook", "pip", "setuptools", "sqlalchemy")
"""How packages begin that are left out: above all JupyterHub's, which nobody has to bring along."""
MOUNT_POINTS = ("dev", "etc", "home", "mnt", "proc", "root", "run", "sys", "tmp", "var/tmp")

BOUND = ("etc/passwd", "etc/group", "etc/hosts", "etc/resolv.conf")
"""Files over which those that run containers put what they make of the node's."""


def make_directory(target: Path) -> None:
    """A root directory: Python, Jupyter Server with a kernel, and the libraries that these need."""
    for name in (*MOUNT_POINTS, "usr/bin", "usr/lib", "usr/lib64"):
        (target / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (target / name).symlink_to(f"usr/{name}")
    for name in (MARK, *BOUND):
        (target / name).touch()
    python = Path("/usr/bin/python3").resolve()
    for program in (python, Path("/usr/bin/dash"), Path("/usr/bin/env")):
        shutil.copy(program, target / "usr/bin")
    for link, to in (("python3", python.name), ("python", python.name), ("sh", "dash")):
        (target / "usr/bin" / link).symlink_to(to)
    library = Path("/usr/lib") / python.name
    left_out = shutil.ignore_patterns("test", "idlelib", "lib2to3", "config-*", "__pycache__")
    shutil.copytree(library, target / library.relative_to("/"), symlinks=True, ignore=left_out)
    session = (SHARED / "environments" / "current").resolve()
    [packages] = session.glob("lib/python3*/site-packages")
    ours = target / "usr/lib/python3/dist-packages"
    shutil.copytree(packages, ours, ignore=lambda _directory, names: _needless(names))
    kernels = "share/jupyter/kernels"
    shutil.copytree(session / kernels, target / "usr" / kernels)
    _copy_libraries(target, [target / "usr/bin" / python.name, *target.rglob("*.so")])


def _needless(names: Iterable[str]) -> set[str]:
    return {name for name in names if re.match(rf"({'|'.join(NOT_NEEDED)})([._-]|$)", name.lower())}


def _copy_libraries(target: Path, programs: Iterable[Path]) -> None:
    listed = subprocess.run(["/usr/bin/ldd", *programs], capture_output=True, text=True, check=False).stdout
    for name in set(re.findall(r"(?:=> |^\t)(/(?:usr/)?lib\S*) \(0x", listed, re.MULTILINE)):
        library = Path(name)
        inside = target / library.relative_to("/")
        if not name.startswith(str(target)) and not inside.exists():
            inside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, inside)


def make_archive(directory: Path, target: Path) -> None:
    """That directory as one layer, as ``podman save`` and ``docker save`` write it."""
    layer = target.with_name("layer.tar")
    with tarfile.open(layer, "w") as tar:
        tar.add(directory, arcname=".", filter=_of_root)
    digest = hashlib.sha256(layer.read_bytes()).hexdigest()
    configuration = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": ["localhost/lab:1"], "Layers": [layer.name]}]
    with tarfile.open(target, "w") as tar:
        for name, content in (("config.json", configuration), ("manifest.json", manifest)):
            text = json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
        tar.add(layer, arcname=layer.name)
    layer.unlink()


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    return member
