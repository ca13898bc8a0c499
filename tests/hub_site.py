"""The site of the hub under test: good profiles for all; for bob, one for each thing that goes wrong."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import applications, pam_services
from tests.real_cluster import hub
from tests.real_cluster.layout import DATA, REPOSITORY, SERVICE_ACCOUNT, SHARED, SHARED_GROUP

DIRECTORY = DATA / "hub-under-test"
"""Environments that are broken, and what the hub under test keeps; every host of the cluster sees it."""

STATE_DIRECTORY = DIRECTORY / "state"
AUTHORITY = STATE_DIRECTORY / "tls" / "authority.crt"
"""By which jobs know the hub under test."""
COMMANDS = DIRECTORY / "commands"
"""Slurm's commands as the hub under test knows them: the real ones, unless a test has one of them lie."""
CONF_D = DIRECTORY / "conf.d"
HELPER_LOG = DIRECTORY / "helper.jsonl"
ENVIRONMENT = SHARED / "environments" / "current"

OPERATORS, ENTRANTS = "clusterhub-operators", "clusterhub-entrants"
"""Groups of the Unix accounts that are operators and may enter others' sessions; tests make them."""

WARNING = 100
"""Seconds before its end at which a session is warned."""

SERVICE_TOKEN = "f" * 64
"""By which tests look into the hub, and tidy up after themselves."""

DROP_IN = f"""\
c.JupyterHub.services = [{{"name": "tests", "api_token": "{SERVICE_TOKEN}"}}]
# Sooner than usual, so that tests need not wait for it.
c.Spawner.poll_interval = 5
c.ClusterSpawner.reach_interval = 2
# The API answers a start after one second instead of ten where the session does not serve yet.
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 1}}
c.JupyterHub.load_roles = [{{
    "name": "tests",
    "services": ["tests"],
    "scopes": ["list:users", "read:users", "servers", "delete:servers", "admin:server_state", "proxy"],
}}]
"""


def text(port: int) -> str:
    """The site.toml; ``port`` is the one of the machine's loopback that leads to the hub."""
    site = hub.default_site(port)
    site = site.replace(
        f'state_directory = "{hub.STATE_DIRECTORY}"', f'state_directory = "{STATE_DIRECTORY}"'
    )
    ours = f'id = "under-test"\nconf_d = "{CONF_D}"\nhelper_log = "{HELPER_LOG}"\n'
    ours += f'admins = ["@{OPERATORS}"]\nmay_enter = ["@{ENTRANTS}"]\n'
    site = site.replace("[hub]\n", f"[hub]\n{ours}")
    site = site.replace('scheduler = "slurm"\n', f'scheduler = "slurm"\ncommands = "{COMMANDS}"\n')
    site = site.replace("[environment]\n", f'[sessions]\nwarn_before = "{WARNING}s"\n\n[environment]\n')
    site = site.replace(
        'method = "pam"\n',
        f'method = "pam"\nallow = ["@{SHARED_GROUP}"]\npam_service = "{pam_services.CODE_LAST}"\n'
        'when_disabled = "stop"\n',
    )
    return site + APPLICATION + LIGHT_PROFILE + "".join(_profile(*each) for each in FURTHER_PROFILES)


SECOND = hub.Place(DATA / "second-hub", 8010)
SECOND_STATE = DIRECTORY / "second-state"


def second_text(port: int) -> str:
    """The site.toml of another hub on the same cluster; ``port`` leads to it from the machine's loopback."""
    SECOND_STATE.mkdir(mode=0o700, exist_ok=True)
    shutil.chown(SECOND_STATE, SERVICE_ACCOUNT)
    return (
        text(port)
        .replace('id = "under-test"', 'id = "second"')
        .replace(str(STATE_DIRECTORY), str(SECOND_STATE))
        .replace(f":{hub.USUAL.port}", f":{SECOND.port}")
        .replace(":8081", ":8082")
    )


@contextmanager
def group(name: str, *members: str) -> Iterator[None]:
    """A Unix group with these members, for a while."""
    subprocess.run(["/usr/sbin/groupadd", name], check=True)
    try:
        for member in members:
            subprocess.run(["/usr/bin/gpasswd", "--add", member, name], check=True, capture_output=True)
        yield
    finally:
        subprocess.run(["/usr/sbin/groupdel", name], check=True)


def _profile(name: str, title: str, lines: str) -> str:
    common = 'partition = "interactive"\n' if "partition" not in lines else ""
    return (
        f'\n[[profile]]\nname = "{name}"\ntitle = "{title}"\nallow = ["bob"]\n'
        'cpus = 1\nmemory = "1 GiB"\ntime = "30min"\n'
        f"{common}{lines}\n"
    )


CLOCK = DIRECTORY / "clock"
"""By how many seconds the clock of an "other-clock" session is off, as faketime(1) reads it."""
GO_ON = DIRECTORY / "go-on"
"""For this file the prologue of a "slow-prologue" session waits."""
OTHER_CLOCK = f"export $(cat {CLOCK})"
SLOW_PROLOGUE = f"echo waiting for a licence; until [ -e {GO_ON} ]; do sleep 0.1; done"
LIGHT_PROFILE = f"""
[[profile]]
name = "light"
title = "A stand-in for Jupyter that takes next to nothing"
environment = "{DIRECTORY}/light"
partition = "interactive"
cpus = 1
memory = "256 MiB"
time = "30min"
"""
"""Its sessions are served by `bench/_light_server.py`, which a test has to start on each node."""

LIGHT_PORT = "9999"
"""As `bench/_light_session.py` has it."""

APPLICATIONS = DIRECTORY / "applications"
"""Where a test makes an environment with an application."""

APPLICATION = f"""
[app.{applications.NAME}]
title = "A board"
"""

VERSIONS = DIRECTORY / "versions"
"""Where a test puts versions of an environment."""

FURTHER_PROFILES = (
    ("own", "An environment that one brings along", 'choose = ["own_path", "own_image"]'),
    (
        "applications",
        "Applications",
        f'environment = "{APPLICATIONS}"\ninterface = ["lab", "{applications.NAME}", "vscode"]',
    ),
    ("versions", "Versions of an environment", f'environment = "{VERSIONS}/current"'),
    ("held", "Held until released", 'directives = ["--hold"]'),
    (
        "held-version",
        "Held, with a choice of versions",
        f'environment = ["{VERSIONS}/current", "{VERSIONS}/first"]\ndirectives = ["--hold"]',
    ),
    ("second-node", "On the second node", 'directives = ["--nodelist=n2"]'),
    ("first-node", "On the first node", 'directives = ["--nodelist=n1"]'),
    ("quality", "Of a quality of service", 'qos = "short"'),
    (
        "deadline",
        "With a deadline that is near",
        'directives = ["--nodelist=n2", "--time-min=1", "--deadline=now+65"]',
    ),
    ("disk-full", "A disk that is full", 'prologue = "echo much > /dev/full"'),
    ("over-quota", "A quota that is used up", f'prologue = "python3 {DIRECTORY}/over_quota.py"'),
    ("no-module", "A missing module", f'prologue = "source {DIRECTORY}/modules.sh; module load cuda/99"'),
    (
        "other-version",
        "Of another version of clusterhub",
        f'environment = "{DIRECTORY}/other-version"\ndirectives = ["--nodelist=n1"]',
    ),
    ("not-requeued", "Never run twice", 'directives = ["--no-requeue"]'),
    ("spare-requeue", "Requeued for urgent jobs", 'partition = "spare-requeue"'),
    ("spare-cancel", "Cancelled for urgent jobs", 'partition = "spare-cancel"'),
    ("spare-suspend", "Suspended for urgent jobs", 'partition = "spare-suspend"'),
    ("other-clock", "With the clock of another time", f'partition = "debug"\nprologue = "{OTHER_CLOCK}"'),
    ("slow-prologue", "With a prologue that waits", f'partition = "debug"\nprologue = "{SLOW_PROLOGUE}"'),
    ("wrong-partition", "A partition that does not exist", 'partition = "nowhere"'),
    ("wrong-account", "An account that does not exist", 'account = "nobodys"'),
    ("no-environment", "An environment that is missing", f'environment = "{DIRECTORY}/missing"'),
    ("closed-environment", "An environment that is not open", f'environment = "{DIRECTORY}/closed"'),
    ("no-jupyter", "An environment without Jupyter", f'environment = "{DIRECTORY}/no-jupyter"'),
    ("dies-at-once", "An environment that dies at once", f'environment = "{DIRECTORY}/dies"'),
    (
        "bad-prologue",
        "A prologue that fails",
        'prologue = """\necho "the licence server is away" >&2\nfalse\n"""',
    ),
)


LATE = 4
"""Seconds by which a command is late: longer than the interval between two looks while something starts."""

OVER_QUOTA = "import errno, os; raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))\n"
"""A fake of a file system with quotas: the system's own words, without the file system."""

MODULES = """\
module() {
    echo "Lmod has detected the following error:  The following module(s) are unknown: \\"$2\\"" >&2
    return 1
}
"""
"""A fake of Lmod, which says what Lmod 8.6 says of a module that is not there."""

OTHER_VERSION = """\
launcher=$(mktemp)
sed 's/^VERSION = .*/VERSION = 999/' <&3 >"$launcher"
exec {python} -I "$launcher"
"""
"""A fake of a job that another version of clusterhub had submitted: the launcher, with another number."""

COMMAND = """\
#!/bin/sh
echo "$$" >> "$0.asked"
lie=$(cat "$0.lie" 2>/dev/null)
[ -z "$lie" ] && exec {real} "$@"
echo "$lie" >> "$0.told"
case "$lie" in
    error) echo "{name}: error: something that nobody has ever seen" >&2; exit 1 ;;
    garbage) echo "}}{{ 7|RUNNING|nonsense" ;;
    nothing) ;;
    cut) {real} "$@" | head -c 300 ;;
    late) sleep {late}; exec {real} "$@" ;;
    impatient) SLURM_CONF="$0.conf" exec {real} "$@" ;;
    wait) while [ -e "$0.lie" ]; do sleep 0.2; done; exec {real} "$@" ;;
    hang) exec sleep 100 ;;
    taken-and-hang) {real} "$@" >/dev/null 2>&1; exec sleep 100 ;;
    lost) {real} "$@" >/dev/null 2>&1
        echo "{name}: error: Batch job submission failed: Socket timed out on send/recv operation" >&2
        exit 1 ;;
esac
"""
"""A fake, for what the real command cannot be made to do: with a word in the file NAME.lie it does that."""


def prepare(further: str = "") -> None:
    """Make the broken environments and the drop-in file; begin with a hub that knows nobody.

    ``further`` are more lines of that file.
    """
    remove()
    CONF_D.mkdir(parents=True)
    DIRECTORY.chmod(0o755)
    hub.give_to_read(CONF_D)
    (CONF_D / "tests.py").write_text(DROP_IN + further)
    (CONF_D / "tests.py").chmod(0o644)
    STATE_DIRECTORY.mkdir(mode=0o700)
    shutil.chown(STATE_DIRECTORY, SERVICE_ACCOUNT)  # so that `clusterhub setup` is not needed for each file
    COMMANDS.mkdir()
    for name in ("sbatch", "scancel", "squeue", "sacct", "scontrol", "sacctmgr"):
        command = COMMANDS / name
        command.write_text(COMMAND.format(name=name, real=shutil.which(name), late=LATE))
        command.chmod(0o755)
        for what in ("asked", "told"):
            count = COMMANDS / f"{name}.{what}"
            count.touch()
            count.chmod(0o666)
    pam_services.install(DIRECTORY)
    _program(DIRECTORY / "closed", "exit 0")
    (DIRECTORY / "closed").chmod(0o700)
    _program(DIRECTORY / "dies", 'echo "libsomething.so.6: cannot open shared object file" >&2; exit 3')
    _program(DIRECTORY / "other-version", OTHER_VERSION.format(python=ENVIRONMENT / "bin" / "python3"))
    (DIRECTORY / "over_quota.py").write_text(OVER_QUOTA)
    (DIRECTORY / "modules.sh").write_text(MODULES)
    light = DIRECTORY / "light" / "bin" / "python3"
    light.parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / "bench" / "_light_session.py", light)
    light.chmod(0o755)
    without = str(DIRECTORY / "no-jupyter")
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", without], check=True)


def _program(environment: Path, script: str) -> None:
    """An environment whose Python is this shell script."""
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin" / "python3"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)


def remove() -> None:
    """Remove all that `prepare` made."""
    pam_services.remove()
    shutil.rmtree(DIRECTORY, ignore_errors=True)
