"""PAM services of the hub under test: the machine's own, with one-time codes for the people of a group."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clusterhub.errors import ClusterhubError
from tests.real_cluster.layout import SHARED_GROUP

CODE_LAST = "clusterhub-test"
"""First the password, then the code, which is asked for only where the password was right."""
CODE_FIRST = "clusterhub-test-code-first"
COUNTING = "clusterhub-test-counting"
"""Locks an account for ten minutes after three failures, as many sites do; with a code as well."""

CODED = "clusterhub-coded"
"""The group of those who need a code; of everybody else this service asks what `login` asks."""

KEY = "3132333435363738393031323334353637383930"
DIRECTORY = Path("/etc/pam.d")

_MARK = "# of clusterhub's tests\n"
_ONLY_CODED = f"auth [success=1 default=ignore] pam_succeed_if.so quiet user notingroup {CODED}\n"


def texts(directory: Path) -> dict[str, str]:
    """The service files by name; keys and counts lie in this directory."""
    code = f"{_ONLY_CODED}auth requisite pam_oath.so usersfile={directory}/codes window=5 digits=6\n"
    lock = f"pam_faillock.so dir={directory}/failures deny=3 unlock_time=600"
    counting = (
        f"auth required {lock} preauth\n"
        f"{code}auth [success=1 default=bad] pam_unix.so nodelay\n"
        f"auth [default=die] {lock} authfail\nauth sufficient {lock} authsucc\n"
        f"auth required pam_deny.so\naccount required {lock}\naccount required pam_unix.so\n"
    )
    return {
        CODE_LAST: f"@include login\n{code}",
        CODE_FIRST: f"{code}@include login\n",
        COUNTING: counting,
    }


def install(directory: Path) -> None:
    """The services are there, and nobody has a code yet."""
    for name, text in texts(directory).items():
        path = DIRECTORY / name
        if path.exists() and not path.read_text().startswith(_MARK):
            raise ClusterhubError("There is a PAM service of that name already.", where=str(path))
        path.write_text(_MARK + text)
    set_key(directory)


def set_key(directory: Path, *people: str) -> None:
    """These people have `KEY`, and have used no code yet."""
    path = directory / "codes"
    path.touch(0o600)
    path.write_text("".join(f"HOTP {name} - {KEY}\n" for name in people))


def code(counter: int) -> str:
    """The code after so many others."""
    done = subprocess.run(
        ["/usr/bin/oathtool", "--hotp", f"--counter={counter}", KEY],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


PERSON, PASSWORD = "clusterhub-ada", "a-password-for-a-test"
QUESTION = f"One-time password (OATH) for `{PERSON}':"


@contextmanager
def person_with_codes(directory: Path) -> Iterator[str]:
    """An account that needs a code, with `PASSWORD`, and none used yet."""
    subprocess.run(["/usr/sbin/groupadd", "-f", CODED], check=True)
    subprocess.run(
        ["/usr/sbin/useradd", "-m", "-U", "-s", "/bin/bash", "-G", f"{SHARED_GROUP},{CODED}", PERSON],
        check=True,
    )
    try:
        subprocess.run(["/usr/sbin/chpasswd"], input=f"{PERSON}:{PASSWORD}\n", text=True, check=True)
        set_key(directory, PERSON)
        yield PERSON
    finally:
        subprocess.run(["/usr/sbin/userdel", "-r", PERSON], check=False, capture_output=True)
        subprocess.run(["/usr/sbin/groupdel", CODED], check=True)


def remove() -> None:
    """Nothing of it is left."""
    for name in texts(Path()):
        path = DIRECTORY / name
        if path.exists() and path.read_text().startswith(_MARK):
            path.unlink()
