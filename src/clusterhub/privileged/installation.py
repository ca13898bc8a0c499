"""Installing the helper for a hub that runs as a service account: three root-owned files."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from clusterhub.errors import ClusterhubError
from clusterhub.privileged.archive import helper_archive
from clusterhub.privileged.broker import INSTALLED_HELPER, HelperConfiguration
from clusterhub.privileged.helper import configuration as helper_configuration

CONFIGURATION = Path(helper_configuration.CONFIGURATION)
SUDOERS = Path("/etc/sudoers.d/clusterhub")

_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


class InstallationError(ClusterhubError):
    """The helper could not be installed; what was there before is still there."""


@dataclass(frozen=True)
class RootOwnedFile:
    """A file as it is to be: where, what, and with which mode."""

    path: Path
    content: bytes
    mode: int


def check_account_name(name: str) -> None:
    """Raises InstallationError for what useradd would not take, or sudo would read as more than a name."""
    if _ACCOUNT.fullmatch(name) is None:
        raise InstallationError(
            "That is no name of a service account.", where=name, next="Use one such as `clusterhub`."
        )


def sudoers_text(service_account: str) -> str:
    """The one rule: the service account may run the helper, without arguments, and nothing else."""
    check_account_name(service_account)
    # The "" forbids every argument, see sudoers(5).
    return f'{service_account} ALL=(root:root) NOPASSWD: {INSTALLED_HELPER} ""\n'


def helper_files(configuration: HelperConfiguration, service_account: str) -> tuple[RootOwnedFile, ...]:
    """The files that make up an installed helper, in the order in which they are to appear."""
    return (
        RootOwnedFile(CONFIGURATION, configuration.as_json().encode(), 0o644),
        RootOwnedFile(INSTALLED_HELPER, helper_archive(), 0o755),
        # Last: the right to run the helper comes when the helper is there.
        RootOwnedFile(SUDOERS, sudoers_text(service_account).encode(), 0o440),
    )


def ensure_helper(
    configuration: HelperConfiguration, service_account: str, root: Path = Path("/")
) -> list[Path]:
    """The helper is installed and the service account may run it. Returns the files that had to change.

    ``root`` is where the file system begins, for building images. Raises `InstallationError`.
    """
    changed = []
    for file in helper_files(configuration, service_account):
        if file.path == SUDOERS:
            check_sudoers(file.content)
        path = root / file.path.relative_to("/")
        if ensure_file(path, file.content, file.mode):
            changed.append(path)
    return changed


def ensure_file(path: Path, content: bytes, mode: int) -> bool:
    """The file has that content and mode and is ours (root's, when run by root). True if it had to change."""
    try:
        if _is_so(path, content, mode):
            return False
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        # The dot keeps sudo from reading a half-written file of its directory.
        descriptor, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(fresh).replace(path)
    except OSError as error:
        raise InstallationError(
            f"A file cannot be put in place: {error.strerror}.", where=str(path), next="Run this as root."
        ) from None
    return True


def _is_so(path: Path, content: bytes, mode: int) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
    return ours and stat.S_IMODE(status.st_mode) == mode and path.read_bytes() == content


def check_sudoers(content: bytes) -> None:
    """Ask visudo whether it would take that text: a broken file in sudoers.d can lock everybody out."""
    try:
        answer = subprocess.run(
            ["/usr/sbin/visudo", "-c", "-f", "-"],
            input=content,
            capture_output=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallationError(
            f"visudo could not be run: {error}.", where="/usr/sbin/visudo", next="Install sudo."
        ) from None
    if answer.returncode != 0:
        raise InstallationError(
            "visudo refuses the sudoers file.",
            where=str(SUDOERS),
            next="Tell us, with the lines below.",
            log=tuple((answer.stdout + answer.stderr).decode(errors="replace").splitlines()[-5:]),
        )
