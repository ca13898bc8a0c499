"""The database behind slurmdbd, and the accounts, users and QOS in it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from clusterhub.errors import ClusterhubError

from . import cache, configuration
from .layout import ACCOUNTS, CACHE, CLUSTER_NAME, DATA, GATEWAY, PEOPLE, QOS, Person

DATADIR = DATA / GATEWAY.name / "mariadb" / "data"

Run = Callable[[Sequence[str]], subprocess.CompletedProcess[str]]
"""Runs a command on the gateway."""


def prepare_database() -> None:
    """An empty database's files, copied from the cache, where they are made the first time."""
    directory = DATADIR.parent
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "init.sql").write_text(configuration.database_init())
    if not DATADIR.exists():
        empty = CACHE / "database" / _version()
        with cache.turn():
            if not empty.exists():
                _install(empty)
        subprocess.run(["/usr/bin/cp", "--archive", "--reflink=auto", str(empty), str(DATADIR)], check=True)
    for path in (directory, directory / "init.sql"):
        shutil.chown(path, "mysql")


def _version() -> str:
    done = subprocess.run(
        ["/usr/sbin/mariadbd", "--no-defaults", "--version"], capture_output=True, text=True, check=True
    )
    return done.stdout.split()[2]


def _install(target: Path) -> None:
    unfinished = target.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    shutil.chown(unfinished, "mysql")
    done = subprocess.run(
        [
            "/usr/bin/mariadb-install-db",
            "--no-defaults",
            "--user=mysql",
            f"--datadir={unfinished}",
            "--auth-root-authentication-method=socket",
            "--skip-test-db",
            "--innodb-log-file-size=16M",
            "--innodb-flush-method=nosync",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ClusterhubError(
            "An empty database could not be made.",
            where="mariadb-install-db",
            log=tuple((done.stdout + done.stderr).splitlines()[-12:]),
        )
    unfinished.rename(target)


def add_accounts(run: Run) -> None:
    """Register cluster, QOS, accounts and users."""
    qos = ",".join(QOS)
    commands = [
        ["add", "cluster", CLUSTER_NAME],
        ["add", "qos", "short", "Priority=10", "MaxWall=01:00:00"],
        ["add", "account", ",".join(ACCOUNTS), f"QOS={qos}", "DefaultQOS=normal"],
    ]
    _register(run, commands)
    add_users(run, PEOPLE)


def add_users(run: Run, people: Sequence[Person]) -> None:
    """Register these people, each with the account that is theirs."""
    commands = []
    for account in ACCOUNTS:
        names = ",".join(person.name for person in people if person.account == account)
        if names:
            commands.append(["add", "user", names, f"Account={account}", f"DefaultAccount={account}"])
    _register(run, commands)


def _register(run: Run, commands: Sequence[Sequence[str]]) -> None:
    for command in commands:
        done = run(["sacctmgr", "--immediate", *command])
        # sacctmgr's exit code is 1 as well where everything is there already.
        if done.returncode != 0 and "already exist" not in done.stdout + done.stderr:
            raise ClusterhubError(
                "sacctmgr refused a command.",
                where=" ".join(["sacctmgr", *command]),
                log=tuple((done.stdout + done.stderr).splitlines()[-12:]),
            )
