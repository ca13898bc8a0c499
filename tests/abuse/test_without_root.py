"""A hub without root is nothing but its account: what it is, what it may not, what is noted of what it does.

How each fails without its protection: a hub that is started as root, or with the account's other groups, has
another line in /proc; a sudoers rule without the empty argument list, or for more than the helper, lets what
is refused here run; a broker that sends no request id leaves the helper's lines without one.
"""

from __future__ import annotations

import json
import pwd
import re
from pathlib import Path
from typing import Any

import pytest
from tests.hub_fixture import LiveHub
from tests.hub_site import COMMANDS, HELPER_LOG, STATE_DIRECTORY
from tests.real_cluster.hub import UNIT, hub_processes, virtual_environment
from tests.real_cluster.layout import SERVICE_ACCOUNT, SHARED

from clusterhub.hub.walkthrough import Walk
from clusterhub.privileged.broker import INSTALLED_HELPER, SUDO_HELPER
from clusterhub.privileged.installation import SUDOERS

CAPABILITIES = {
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_FOWNER": 3,
    "CAP_KILL": 5,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_SYS_NICE": 23,
    "CAP_SYS_RESOURCE": 24,
    "CAP_AUDIT_WRITE": 29,
}
"""By their numbers in linux/capability.h."""


def status_of(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: words.split() for key, _, words in (line.partition(":") for line in lines)}


def test_hub_and_proxy_are_their_account_without_capabilities_and_other_groups(hub: LiveHub) -> None:
    account = pwd.getpwnam(SERVICE_ACCOUNT)
    running = hub_processes(hub.cluster)
    for program in ("clusterhub up", "clusterhub.hub.application", "configurable-http-proxy"):
        assert any(program in command for command in running.values()), running
    named = re.search(r"^CapabilityBoundingSet=(.+)$", UNIT.read_text(), re.MULTILINE)
    assert named is not None
    bound = sum(1 << CAPABILITIES[name] for name in named[1].split())
    for pid, command in running.items():
        status = status_of(pid)
        assert status["Uid"] == [str(account.pw_uid)] * 4, command
        assert status["Gid"] == [str(account.pw_gid)] * 4, command
        assert status["Groups"] in ([], [str(account.pw_gid)]), command
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status[kind][0], 16) == 0, (kind, command)
        assert int(status["CapBnd"][0], 16) & ~bound == 0, command


def test_the_account_reads_neither_passwords_nor_keys_nor_peoples_files(hub: LiveHub) -> None:
    alice = hub.cluster.people["alice"].home
    private = alice / "private"
    private.touch(0o600)
    HELPER_LOG.touch(0o600)  # no call may have been noted yet
    data = hub.cluster.data
    files = [
        "/etc/shadow",
        private,
        HELPER_LOG,
        data / "gateway" / "munge" / "key",
        data / "etc/slurm/slurmdbd.conf",
    ]
    files += ["/etc/sudoers.d/clusterhub"]
    try:
        for path in files:
            done = hub.cluster.run("gateway", ["cat", str(path)], SERVICE_ACCOUNT)
            assert (done.returncode, "Permission denied" in done.stderr) == (1, True), (path, done.stderr)
            # The file is there: root reads it.
            assert hub.cluster.run("gateway", ["test", "-r", str(path)]).returncode == 0, path
    finally:
        private.unlink()


@pytest.mark.parametrize("person", ["alice", "bob", "nobody", "slurm", "munge"])
def test_sudo_refuses_the_helper_to_every_other_account(hub: LiveHub, person: str) -> None:
    request = json.dumps({"verb": "account", "person": "alice"})
    done = hub.cluster.run("gateway", SUDO_HELPER, person, input=request)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "password is required" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("-n", str(INSTALLED_HELPER), "--configuration", "/var/mine.json"),
        ("-n", str(INSTALLED_HELPER), ""),
        ("-n", "-u", "alice", str(INSTALLED_HELPER)),
        ("-n", "-g", "shadow", str(INSTALLED_HELPER)),
        ("-n", "-E", str(INSTALLED_HELPER)),
        ("-n", "PYTHONPATH=/var", str(INSTALLED_HELPER)),
        ("-n", "/usr/bin/id"),
        ("-n", "-u", "alice", "/usr/bin/id"),
        ("-n", "/bin/sh"),
        ("-n", "/usr/bin/python3", str(INSTALLED_HELPER)),
        ("-n", "-e", "/etc/clusterhub/helper.json"),
        ("-n", "-s"),
    ],
    ids=" ".join,
)
def test_sudo_refuses_the_hubs_account_everything_else(hub: LiveHub, command: tuple[str, ...]) -> None:
    done = hub.cluster.run("gateway", ["/usr/bin/sudo", *command], SERVICE_ACCOUNT, input="{}")
    assert done.returncode != 0
    assert done.stdout == ""
    assert re.search(r"password is required|not allowed", done.stderr), done.stderr


def test_run_without_sudo_the_helper_is_nobody_elses(hub: LiveHub) -> None:
    """It may be executed by everybody; it then has their rights, and no more."""
    request = json.dumps({"verb": "account", "person": "alice"})
    done = hub.cluster.run("gateway", [str(INSTALLED_HELPER)], "bob", input=request)
    assert "error" in json.loads(done.stdout)


@pytest.mark.parametrize(
    "path",
    [INSTALLED_HELPER, INSTALLED_HELPER.parent, Path("/etc/clusterhub/helper.json"), Path("/etc/clusterhub")],
)
def test_the_account_can_replace_nothing_of_the_helper(hub: LiveHub, path: Path) -> None:
    done = hub.cluster.run("gateway", ["test", "-w", str(path)], SERVICE_ACCOUNT)
    assert done.returncode == 1
    assert hub.cluster.run("gateway", ["stat", "-c", "%U %G", str(path)]).stdout.split() == ["root", "root"]


def helper_lines(since: int) -> list[dict[str, Any]]:
    text = HELPER_LOG.read_text() if HELPER_LOG.exists() else ""
    return [json.loads(line) for line in text.splitlines()[since:]]


async def test_each_call_of_the_helper_names_the_request_that_caused_it(hub: LiveHub) -> None:
    since = len(helper_lines(0))
    audit = STATE_DIRECTORY / "audit.jsonl"
    noted = len(audit.read_text().splitlines())
    password = hub.cluster.people["alice"].password
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(password)
        await walk.start({"profile": "debug"}, "named")
        await hub.stop_session(walk, "named")
    assert hub.wait_for_no_job("alice")

    lines = helper_lines(since)
    assert {line["caller"] for line in lines} == {SERVICE_ACCOUNT}
    events = [json.loads(line) for line in audit.read_text().splitlines()[noted:]]
    request = {event["event"]: event["request"] for event in events}
    caused = {
        verb: {line.get("request") for line in lines if line["verb"] == verb and line["person"] == "alice"}
        for verb in ("authenticate", "submit", "cancel")
    }
    assert caused == {
        "authenticate": {request["login"]},
        "submit": {request["start asked"]},
        "cancel": {request["stop asked"]},
    }
    assert all(re.fullmatch(r"[0-9a-f]{16}", each) for each in request.values() if each)
    accounts = {line.get("request") for line in lines if line["verb"] == "account"}
    assert accounts <= {request["login"], request["start asked"]}
    assert password not in HELPER_LOG.read_text()


def test_the_hub_gives_up_what_it_cannot_kill(hub: LiveHub) -> None:
    """Where sudo runs the helper in its own place, what the hub would kill is root's.

    It must not wait for that, nor break: without its care for what it may not kill, `run` raises.
    """
    program = (
        "import asyncio, sys, time\n"
        "from clusterhub.schedulers.command import run\n"
        "begun = time.monotonic()\n"
        "argv = ('/usr/bin/sudo', '-n', '--', sys.argv[1])\n"
        "print(asyncio.run(run(argv, timeout=2, stdin=sys.argv[2])).problem)\n"
        "print(time.monotonic() - begun < 15)\n"
    )
    request = {
        "verb": "submit",
        "person": "alice",
        "argv": [
            "sbatch",
            "--comment=clusterhub:under-test:alice:",
            f"--output={SHARED}/sessions/alice/default-%j.log",
        ],
        "stdin": "#!/bin/sh\n",
    }
    python = virtual_environment() / "bin" / "python"
    lie = COMMANDS / "sbatch.lie"
    lie.write_text("hang")
    # As on a machine whose sudo opens no session of PAM's and no terminal (sudoers(5), pam_session).
    option = SUDOERS.with_name("zz-in-place")
    defaults = f"Defaults:{SERVICE_ACCOUNT} !use_pty, !pam_session, !pam_setcred"
    hub.cluster.run("gateway", ["sh", "-c", f"echo '{defaults}' > {option}; chmod 0440 {option}"])
    try:
        done = hub.cluster.run(
            "gateway",
            [str(python), "-c", program, str(INSTALLED_HELPER), json.dumps(request)],
            SERVICE_ACCOUNT,
        )
    finally:
        lie.unlink()
        hub.cluster.run("gateway", ["rm", str(option)])
    assert done.stdout.splitlines() == ["/usr/bin/sudo gave no answer within 2 s", "True"], done.stderr
