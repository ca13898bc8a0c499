"""`clusterhub environment build`: from a specification to a version that is complete, or to nothing.

A version is made where it will lie, as an environment cannot be moved. It counts once its manifest is there,
which is the last thing to be written; what is active does not change. Whatever ends a build, the next one of
the same finds the lock, the downloads and the Python that were there already, and installs anew.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from clusterhub import __version__
from clusterhub.environments import manifest as manifests
from clusterhub.environments import uv
from clusterhub.environments.curated import name_of
from clusterhub.environments.extensions import brings_extension
from clusterhub.environments.findings import Finding
from clusterhub.environments.interpreter import Interpreter, examine, shortcomings
from clusterhub.environments.manifest import Manifest, packages_in
from clusterhub.environments.progress import Progress
from clusterhub.environments.reach import obstacles
from clusterhub.environments.schema import Specification
from clusterhub.environments.sealing import seal
from clusterhub.environments.versions import OWN, Environments, cannot_change, remove_tree
from clusterhub.environments.workshop import Workshop, workshop
from clusterhub.errors import ClusterhubError

_PYTHON = "python"
"""The directory in a version that holds the Python that was fetched for it."""
_KERNELS = "kernels"
_LEFT_BY_UV = (".gitignore", ".lock", ".temp", "CACHEDIR.TAG")
"""In what it made; the last has programs that make backups leave it out."""
SERVER = ""
"""Names the server's own environment among those of kernels."""


def build(
    environments: Environments, specification: Specification, progress: Progress, *, name: str, anew: bool
) -> Manifest:
    """Build a version; ``name`` may be empty, ``anew`` goes on with nothing. Raises ClusterhubError."""
    uv.find()
    with _explained(environments), workshop(environments, specification, name, anew=anew) as place:
        going_on = ", going on where an earlier build ended" if place.continued else ""
        progress.say(f"Building {place.version.name} in {environments.directory}{going_on}")
        _refuse_unreachable(environments.directory)
        return _Build(specification, place, progress).run()


@contextmanager
def _explained(environments: Environments) -> Iterator[None]:
    """Others run what is built, so a strict umask must not keep them out; and no error without words."""
    before = os.umask(0o022)
    try:
        yield
    except KeyboardInterrupt:
        raise ClusterhubError(
            "Interrupted. What is active is as it was.",
            next="Build again with the same file, which goes on where this ended.",
        ) from None
    except OSError as error:
        raise cannot_change(environments.directory, error) from None
    finally:
        os.umask(before)


def _refuse_unreachable(directory: Path) -> None:
    found = obstacles(directory)
    if found:
        raise ClusterhubError(
            f"Nobody else could use what is built here: {found[0].what}.",
            where=str(found[0].path),
            next=f"{found[0].remedy}; or build where everybody can look.",
        )


class _Build:
    def __init__(self, specification: Specification, place: Workshop, progress: Progress) -> None:
        self.specification = specification
        self.place = place
        self.progress = progress
        self.requirements: Mapping[str, tuple[str, ...]] = {
            SERVER: specification.requirements,
            **{name: ("ipykernel>=6.29", *kernel.packages) for name, kernel in specification.kernels.items()},
        }

    def run(self) -> Manifest:
        version = self.place.version
        version.mkdir(exist_ok=True)
        for left in version.iterdir():
            if left.name != _PYTHON:  # what uv had fetched whole; the rest may be cut off anywhere
                remove_tree(left)
        python = self.python()
        for kernel in self.requirements:
            self.lock(kernel, python)
        for kernel in self.requirements:
            self.install(kernel, python)
        self.tidy()
        self.check_extensions()
        self.write_kernelspecs()
        packages = {kernel: packages_in(_site_packages(self.prefix(kernel))) for kernel in self.requirements}
        self.keep_sources()
        with self.progress.step("readable for all, writable for nobody"):
            extent = seal(version)
        manifest = Manifest(
            name=version.name,
            made_at=time.time(),
            account=getpass.getuser(),
            host=socket.gethostname(),
            clusterhub=__version__,
            python=python.version,
            interpreter=str(python.base),
            lock=self.digest(),
            adopted="",
            files=extent.files,
            size=extent.size,
            packages=packages.pop(SERVER),
            kernels=packages,
        )
        self.write_manifest(manifest)
        return manifest

    def prefix(self, kernel: str) -> Path:
        version = self.place.version
        return version / _KERNELS / kernel if kernel else version

    def uv(self, words: list[str], doing: str) -> None:
        uv.run(words, doing, self.place.log, self.progress.note)

    def python(self) -> Interpreter:
        wanted = self.specification.environment.python
        path = Path(wanted) if wanted.startswith("/") else self.fetched(wanted)
        found = examine(path)
        problems = [found] if isinstance(found, Finding) else shortcomings(found)
        if isinstance(found, Finding) or problems:
            raise ClusterhubError(
                f"{path} does not do as the Python of an environment: {problems[0].what}.",
                where=problems[0].where,
                next=f"{problems[0].next}; or name another one as python in environment.toml.",
            )
        self.progress.say(f"  Python {found.version} ({found.base})")
        return found

    def fetched(self, version: str) -> Path:
        directory = self.place.version / _PYTHON
        doing = f"fetching Python {version}"
        with self.progress.step(doing):
            self.uv(uv.fetch_python(version, directory), doing)
        major_minor = ".".join(version.split(".")[:2])
        found = sorted(directory.glob(f"*/bin/python{major_minor}"))
        if not found:
            raise ClusterhubError(
                f"uv fetched Python {version} without a program of it.",
                where=str(directory),
                next="Name an interpreter by its path as python in environment.toml.",
            )
        return found[-1]

    def lock(self, kernel: str, python: Interpreter) -> None:
        wanted, lock = self.place.requirements(kernel), self.place.lock(kernel)
        if lock.exists():
            return  # of an earlier build of the same
        what = f"packages of kernel {kernel}" if kernel else "packages"
        wanted.write_text("".join(f"{each}\n" for each in self.requirements[kernel]), encoding="utf-8")
        scratch = lock.with_suffix(".new")
        scratch.unlink(missing_ok=True)
        doing = f"finding the {what}"
        with self.progress.step(doing):
            self.uv(uv.lock(python.path, wanted, scratch, self.specification.source), doing)
        scratch.replace(lock)

    def install(self, kernel: str, python: Interpreter) -> None:
        prefix, lock = self.prefix(kernel), self.place.lock(kernel)
        doing = f"installing and compiling {_count(lock)} packages" + (
            f" of kernel {kernel}" if kernel else ""
        )
        source = self.specification.source
        packages = None

        def installed() -> str:
            return f"{sum(1 for _ in packages.glob('*.dist-info'))} installed" if packages else ""

        with self.progress.step(doing, installed):
            self.uv(uv.make(python.path, prefix), doing)
            packages = _site_packages(prefix)
            if _count(lock):
                self.uv(uv.install(prefix, [lock], source), doing)

    def tidy(self) -> None:
        """Remove what uv needed."""
        for prefix in (*map(self.prefix, self.requirements), self.place.version / _PYTHON):
            for name in _LEFT_BY_UV:
                remove_tree(prefix / name)

    def check_extensions(self) -> None:
        """What was asked for as an extension must bring one."""
        packages = _site_packages(self.place.version)
        for requirement in self.specification.environment.extensions:
            name = name_of(requirement)
            if not brings_extension(packages, name):
                raise ClusterhubError(
                    f"The package {name} was asked for as an extension, and extends nothing of Jupyter.",
                    where="extensions in [environment]",
                    next="Name it in packages, or see whether its name is right.",
                )

    def write_kernelspecs(self) -> None:
        for name, kernel in self.specification.kernels.items():
            directory = self.place.version / "share" / "jupyter" / "kernels" / name
            directory.mkdir(parents=True)
            python = self.prefix(name) / "bin" / "python3"
            model = {
                "argv": [
                    str(python),
                    "-Xfrozen_modules=off",
                    "-m",
                    "ipykernel_launcher",
                    "-f",
                    "{connection_file}",
                ],
                "display_name": kernel.title or name,
                "language": "python",
                "metadata": {"debugger": True},
            }
            (directory / "kernel.json").write_text(json.dumps(model, indent=1) + "\n", encoding="utf-8")

    def keep_sources(self) -> None:
        """What it was built from stays with it: the file, and the locks with their hashes."""
        own = self.place.version / OWN
        own.mkdir()
        (own / "environment.toml").write_text(self.specification.text, encoding="utf-8")
        for kernel in self.requirements:
            shutil.copyfile(self.place.lock(kernel), own / self.place.lock(kernel).name)

    def digest(self) -> str:
        whole = hashlib.sha256()
        for kernel in self.requirements:
            whole.update(self.place.lock(kernel).read_bytes())
        return whole.hexdigest()

    def write_manifest(self, manifest: Manifest) -> None:
        own = self.place.version / OWN
        own.chmod(0o755)
        manifests.write(manifest, own / "manifest.json")
        own.chmod(0o555)


def _site_packages(prefix: Path) -> Path:
    """Where its packages lie; there is one Python in a prefix."""
    return next(prefix.glob("lib/python3*/site-packages"))


def _count(lock: Path) -> int:
    return sum("==" in line and not line.startswith((" ", "#")) for line in lock.read_text().splitlines())
