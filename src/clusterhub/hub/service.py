"""What a hub that does not run as root needs on its machine, made by root: `clusterhub setup`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import stat
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import clusterhub
from clusterhub.errors import ClusterhubError
from clusterhub.hub.configure import drop_ins
from clusterhub.hub.proxy_installation import ensure_proxy
from clusterhub.privileged.broker import SUDO_HELPER
from clusterhub.privileged.installation import InstallationError, ensure_helper
from clusterhub.privileged.service_account import (
    WRITABLE_BY_OTHERS,
    check_readable,
    ensure_account,
    ensure_own_directory,
    ensure_roots_directory,
)
from clusterhub.schedulers.base import Scheduler
from clusterhub.schedulers.command import run
from clusterhub.schedulers.model import SchedulerError
from clusterhub.site.schema import Site
from clusterhub.spawner.clusters import helper_configuration, scheduler_for


def setup(site: Site, account: str, say: Callable[[str], None]) -> None:
    """Ensures all of it, a line for each step. Raises ClusterhubError at the first that does not work.

    It can run any number of times, and must after each change of site.toml that the helper has to know.
    """
    _refuse(site)

    def tell(what: str, *, changed: bool = False, word: str = "") -> None:
        say(f"{word or ('changed' if changed else 'in order'):10}{what}")

    state = site.hub.state_directory
    tell(f"account {account}", changed=ensure_account(account, state))
    entry = pwd.getpwnam(account)
    tell(f"state directory {state}", changed=ensure_own_directory(state, entry))
    if site.hub.audit_log.parent != state and not site.hub.audit_log.parent.exists():
        directory = site.hub.audit_log.parent
        tell(f"directory of the audit log {directory}", changed=ensure_own_directory(directory, entry))
    if site.hub.helper_log is not None:
        directory = site.hub.helper_log.parent
        tell(f"directory of the helper's log {directory}", changed=ensure_roots_directory(directory))
    before = os.umask(0o022)
    try:
        proxy = ensure_proxy()
    finally:
        os.umask(before)
    tell("proxy")
    check_readable(entry, _needed(site, proxy))
    tell(f"site file, drop-in files and program, as {account} reads them")
    schedulers = {name: scheduler_for(cluster) for name, cluster in site.clusters.items()}
    for path in ensure_helper(helper_configuration(site, schedulers), account):
        tell(str(path), changed=True)
    _check_helper(entry)
    tell(f"helper, as {account} reaches it through sudo")
    for cluster in asyncio.run(_private_clusters(site, schedulers)):
        tell(
            f"cluster {cluster} hides people's jobs: {account} must be let see all of them, or its hub takes "
            "their sessions for ended (docs/how-to/run-without-root.md)",
            word="mind",
        )
    say(f"The hub can run as {account} now.")


def _refuse(site: Site) -> None:
    if os.geteuid() != 0:
        raise ClusterhubError("Only root can set up what belongs to root.", next="Run this as root.")
    if site.login.method == "one-person":
        raise ClusterhubError(
            "The hub of this site serves the account that runs it, and needs nothing of root's.",
            where=f"{site.path}: [login] method",
            next="Run `clusterhub up` as that account.",
        )
    for path in (site.path.resolve(), site.path.resolve().parent):
        status = path.stat()
        if status.st_uid != 0 or stat.S_IMODE(status.st_mode) & WRITABLE_BY_OTHERS:
            raise ClusterhubError(
                "Others than root could change what the helper is told to run.",
                where=str(path),
                next="chown root, and chmod go-w.",
            )


def _needed(site: Site, proxy: list[str]) -> list[Path]:
    """What the account must be able to read for its hub to be the one that the site describes."""
    # A directory that cannot be listed would count as empty.
    conf_d = [site.hub.conf_d] if site.hub.conf_d.is_dir() else []
    tls = filter(None, (site.hub.certificate, site.hub.certificate_key))
    return [site.path, *tls, *conf_d, *drop_ins(site), Path(clusterhub.__file__), *map(Path, proxy)]


async def _private_clusters(site: Site, schedulers: Mapping[str, Scheduler]) -> list[str]:
    """The clusters that show a job to its owner and to their operators only, as far as they answer."""
    private = []
    for name, scheduler in schedulers.items():
        argv = scheduler.privacy()
        if argv is None:
            continue
        program = scheduler.programs(site.clusters[name].commands)[argv[0]]
        with contextlib.suppress(SchedulerError):
            if scheduler.parse_privacy(await run((*program, *argv[1:]), environment=scheduler.environment)):
                private.append(name)
    return private


def _check_helper(account: pwd.struct_passwd) -> None:
    """Raises InstallationError unless the account gets an answer from the helper by the way the hub goes."""
    done = subprocess.run(
        SUDO_HELPER,
        input='{"verb": "account", "person": "root"}',  # a question that is always refused, and does nothing
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0 or '"kind": "refused"' not in done.stdout:
        raise InstallationError(
            "The helper is installed, and the account does not reach it.",
            where=" ".join(SUDO_HELPER),
            next="See what sudo says below; a later file of /etc/sudoers.d can take the right back.",
            log=tuple((done.stderr + done.stdout).splitlines()[-5:]),
        )
