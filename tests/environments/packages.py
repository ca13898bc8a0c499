"""Small packages, made as files: wheels, and a source archive that can be held up while it is built."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

BACKEND = """\
import os, pathlib, time, zipfile

METADATA = "Metadata-Version: 2.1\\nName: slow\\nVersion: 1\\n"
WHEEL = "Wheel-Version: 1.0\\nGenerator: backend\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
NAME = "slow-1-py3-none-any.whl"


def prepare_metadata_for_build_wheel(directory, config_settings=None):
    path = pathlib.Path(directory, "slow-1.dist-info")
    path.mkdir()
    (path / "METADATA").write_text(METADATA)
    return path.name


def build_wheel(directory, config_settings=None, metadata_directory=None):
    pathlib.Path("{begun}").touch()
    while not os.path.exists("{go_on}"):
        time.sleep(0.05)
    with zipfile.ZipFile(pathlib.Path(directory, NAME), "w") as wheel:
        wheel.writestr("slow.py", "")
        wheel.writestr("slow-1.dist-info/METADATA", METADATA)
        wheel.writestr("slow-1.dist-info/WHEEL", WHEEL)
        wheel.writestr("slow-1.dist-info/RECORD", "slow.py,,\\n")
    return NAME
"""


def wheel(
    directory: Path, name: str, version: str, files: Mapping[str, str | bytes], requires: str = ""
) -> None:
    """A wheel of these files in the directory; ``NAME.data/data/...`` goes to the environment's own root."""
    about = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {requires}\n" if requires else ""
    kind = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    contents = {**files, f"{about}/METADATA": metadata, f"{about}/WHEEL": kind}
    contents[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in (*contents, f"{about}/RECORD"))
    with zipfile.ZipFile(directory / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, content in contents.items():
            archive.writestr(path, content)


def slow_source(directory: Path, begun: Path, go_on: Path) -> None:
    """A source archive: whoever builds it makes the file ``begun``, and waits for the file ``go_on``."""
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    project += '[project]\nname = "slow"\nversion = "1"\n'
    files = {
        "pyproject.toml": project,
        "backend.py": BACKEND.replace("{begun}", str(begun)).replace("{go_on}", str(go_on)),
        "PKG-INFO": "Metadata-Version: 2.1\nName: slow\nVersion: 1\n",
    }
    with tarfile.open(directory / "slow-1.tar.gz", "w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"slow-1/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))


def python_to_fetch(directory: Path, interpreter: Path, version: str) -> Path:
    """An archive of the machine's own Python, and the file by which uv finds it in place of the usual ones.

    A stand-in for the Pythons that uv fetches from elsewhere: the same way, another program.
    """
    short = ".".join(version.split(".")[:2])

    def wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        outside = entry.issym() and entry.linkname.startswith("/")
        left_out = any(part in entry.name for part in ("__pycache__", "/test/", "/config-"))
        return None if outside or left_out else entry

    archive = directory / "python.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as file:
        file.add(interpreter, f"python/bin/python{short}")
        file.add(f"/usr/lib/python{short}", f"python/lib/python{short}", filter=wanted)
    major, minor, patch = map(int, version.split("."))
    about = {
        "name": "cpython",
        "os": "linux",
        "libc": "gnu",
        "prerelease": "",
        "variant": None,
        "major": major,
        "minor": minor,
        "patch": patch,
        "build": "20260101",
        "arch": {"family": platform.machine(), "variant": None},
        "url": archive.as_uri(),
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
    }
    found = directory / "pythons.json"
    found.write_text(json.dumps({f"cpython-{version}-linux-{platform.machine()}-gnu": about}))
    return found
