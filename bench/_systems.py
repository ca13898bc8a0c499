"""The hubs that are compared, each as its own documentation would have it set up."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.real_cluster import hub, processes
from tests.real_cluster.layout import GATEWAY, HUB_PORT, REPOSITORY, SHARED

from _crowd import PARTITION, SESSION_MIB, CrowdedHub, place_light_session
from _run import say
from clusterhub.errors import ClusterhubError
from clusterhub.hub.proxy_installation import ensure_proxy

SITE = """\
[hub]
url = "http://127.0.0.1:{port}"
bind = "http://0.0.0.0:{hub_port}"
internal_url = "https://{gateway}:8081"
state_directory = "{directory}/state"
conf_d = "{directory}/conf.d"

[login]
method = "pam"

[cluster.main]
scheduler = "slurm"

[environment]
path = "{environment}"

[sessions]
directory = "{shared}/sessions"
"""

PROFILE = """
[[profile]]
name = "{name}"
title = "A session"
environment = "{environment}"
partition = "{partition}"
cpus = 1
memory = "{memory} MiB"
time = "3h"
"""


class Clusterhub(CrowdedHub):
    """This project, with its own defaults."""

    system = "clusterhub"
    options = {"profile": "bench"}  # noqa: RUF012 - ClassVar in the base class

    def start(self) -> None:
        """See `CrowdedHub.start`."""
        environments = self.environments or {"bench": self.cluster.environment_path}
        if self.kind == "light":
            environments = {"bench": self.directory / "environment"}
            place_light_session(environments["bench"] / "bin" / "python3")
        conf_d = self.directory / "conf.d"
        conf_d.mkdir(parents=True)
        hub.give_to_read(conf_d)
        (conf_d / "bench.py").write_text(self.configuration)
        site = SITE.format(
            port=self.cluster.footprint().port,
            hub_port=HUB_PORT,
            gateway=GATEWAY.name,
            directory=self.directory,
            environment=next(iter(environments.values())),
            shared=SHARED,
        )
        for name, environment in environments.items():
            site += PROFILE.format(
                name=name, environment=environment, partition=PARTITION, memory=SESSION_MIB[self.kind]
            )
        hub.start_hub(self.cluster, site)


BATCHSPAWNER = """\
import batchspawner  # adds its handler to JupyterHub's API


def choose_environment(spawner):
    if spawner.name in {environments}:
        directory = {environments}[spawner.name]
        spawner.cmd = [directory + "/bin/jupyterhub-singleuser"]
        spawner.batchspawner_singleuser_cmd = "{program}-" + spawner.name


c = get_config()
c.Spawner.pre_spawn_hook = choose_environment
c.JupyterHub.bind_url = "http://0.0.0.0:{port}"
c.JupyterHub.hub_bind_url = "http://0.0.0.0:{hub_port}"
c.JupyterHub.hub_connect_url = "http://{gateway}:{hub_port}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.JupyterHub.db_url = "sqlite:///{directory}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "{directory}/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.allow_named_servers = True
c.JupyterHub.spawner_class = "batchspawner.SlurmSpawner"
c.ConfigurableHTTPProxy.command = {proxy}
c.ConfigurableHTTPProxy.pid_file = "{directory}/proxy.pid"
# JupyterHub refuses starts beyond 100 at once, and with this spawner a job that waits is one.
c.JupyterHub.concurrent_spawn_limit = 0
c.Spawner.cmd = ["{server}"]
c.BatchSpawnerBase.batchspawner_singleuser_cmd = "{program}"
c.BatchSpawnerBase.start_timeout = {seconds}
c.SlurmSpawner.req_partition = "{partition}"
c.SlurmSpawner.req_nprocs = "1"
c.SlurmSpawner.req_memory = "{memory}"
c.SlurmSpawner.req_runtime = "3:00:00"
"""
VENV = REPOSITORY / "build" / "batchspawner"
LOCK = REPOSITORY / "requirements" / "bench.txt"


class Batchspawner(CrowdedHub):
    """JupyterHub with batchspawner's SlurmSpawner, whose intervals and commands are its defaults."""

    system = "batchspawner"

    def start(self) -> None:
        """See `CrowdedHub.start`."""
        ensure_batchspawner()
        program = self.directory / "bin" / "batchspawner-singleuser"
        if self.kind == "light":
            place_light_session(program)
        else:
            place_batchspawner_singleuser(program, self.cluster.environment_path)
            for name, environment in self.environments.items():
                each = program.with_name(f"{program.name}-{name}")
                place_batchspawner_singleuser(each, environment)
        configuration = self.directory / "jupyterhub_config.py"
        configuration.touch(0o600)
        values = BATCHSPAWNER.format(
            port=self.place.port,
            hub_port=self.place.port + 1,
            api_port=self.place.port + 2,
            environments={name: str(path) for name, path in self.environments.items()},
            gateway=GATEWAY.name,
            directory=self.directory,
            proxy=ensure_proxy(),
            program=program,
            server=self.cluster.environment_path / "bin" / "jupyterhub-singleuser",
            seconds=300,
            partition=PARTITION,
            memory=SESSION_MIB[self.kind],
        )
        configuration.write_text(values + self.configuration)
        name, _, value = self.place.marker.partition("=")
        log = self.directory / "log"
        with log.open("w") as output:
            process = self.cluster.popen(
                GATEWAY.name,
                [str(VENV / "bin" / "jupyterhub"), "-f", str(configuration)],
                stdout=output,
                env={name: value},
            )
        answered = processes.wait_until(
            lambda: hub.answers(self.cluster, self.place) or process.poll() is not None,
            hub.START_TIMEOUT,
            pause=0.2,
        )
        if not answered or process.poll() is not None:
            raise ClusterhubError(
                "The hub with batchspawner does not start.",
                where=str(log),
                log=tuple(log.read_text(errors="replace").splitlines()[-15:]),
            )


SINGLEUSER = """\
#!{environment}/bin/python3
import sys

sys.path.append("{library}")
from batchspawner.singleuser import main

main()
"""


def place_batchspawner_singleuser(target: Path, environment: Path) -> None:
    """Put batchspawner's program where everybody can execute it with the Python of that environment."""
    (source,) = VENV.glob("lib/python3*/site-packages/batchspawner")
    library = target.parent / "library"
    shutil.copytree(source, library / source.name, dirs_exist_ok=True)
    target.write_text(SINGLEUSER.format(environment=environment, library=library))
    target.chmod(0o755)


def ensure_batchspawner() -> None:
    """A venv of its own for it, from its lock file: nothing of it comes near the checkout's environment."""
    made = VENV / ".made"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if made.exists() and made.read_text() == digest:
        return
    say(f"installing batchspawner in {VENV} (once)")
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True, stdout=sys.stderr)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    install = ["install", "--no-deps", "--require-hashes", "-r", str(LOCK)]
    subprocess.run([*pip, *install], check=True, stdout=sys.stderr)
    made.write_text(digest)
