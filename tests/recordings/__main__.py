"""Records what Slurm says of each shape: ``python -m tests.recordings [NAME...]``.

It wants root on a machine to spare, such as a container, with an address besides loopback's. It starts munged
and, for each shape, slurmctld and a slurmd for each node, which end with the recording.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .shapes import SHAPES, Shape

RECORDED = Path(__file__).parents[1] / "unit" / "schedulers" / "recorded" / "clusters"
HERE = Path("/run/clusterhub-recordings")
FIRST_PORT = 17001
CARDS = 16
COLUMNS = ("NodeList:40", "Partition:20", "CPUsState:30", "StateLong:20", "Gres:150", "GresUsed:250")
SETTLING = 60
"""Seconds until nodes are there and jobs run."""

SLURM_CONF = """\
ClusterName={name}
SlurmctldHost={host}({address})
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation={here}/state
SlurmctldPidFile={here}/slurmctld.pid
SlurmdPidFile={here}/%n.pid
SlurmdSpoolDir={here}/spool-%n
SlurmctldLogFile={here}/slurmctld.log
SlurmdLogFile={here}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=100
GresTypes=gpu
SlurmdParameters=config_overrides
SchedulerParameters=sched_min_interval=10000,batch_sched_delay=0,sched_interval=1
ReturnToService=2
"""


def main(names: Sequence[str]) -> None:
    """Record the shapes of these names, or all."""
    start_munge()
    for shape in SHAPES:
        if not names or shape.name in names:
            shutil.rmtree(HERE, ignore_errors=True)
            HERE.mkdir(parents=True)
            (HERE / "state").mkdir()
            configure(shape)
            try:
                start(shape)
                act(shape)
                record(shape)
            finally:
                stop()


def run(*argv: str) -> str:
    """What a command prints. Raises CalledProcessError."""
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def start_munge() -> None:
    """As any user of the machine finds it."""
    for path in ("/run/munge", "/var/log/munge", "/var/lib/munge"):
        Path(path).mkdir(mode=0o755, exist_ok=True)
        shutil.chown(path, "munge", "munge")
    key = Path("/etc/munge/munge.key")
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    shutil.chown(key, "munge", "munge")
    run("setpriv", "--reuid=munge", "--regid=munge", "--clear-groups", "munged", "--num-threads=2")


def configure(shape: Shape) -> None:
    """Write slurm.conf and gres.conf."""
    host = socket.gethostname()
    address = run("hostname", "--all-ip-addresses").split()[0]
    lines = [SLURM_CONF.format(name=shape.name, host=host, address=address, here=HERE), *shape.settings]
    port = FIRST_PORT
    for node in shape.nodes:
        if "State=CLOUD" in node:
            lines.append(f"NodeName={node}")
        else:
            lines.append(f"NodeName={node} NodeHostname={host} NodeAddr={address} Port={port}")
            port += 1
    lines += [f"PartitionName={partition}" for partition in shape.partitions]
    for number in range(CARDS):
        (HERE / f"card{number}").touch()
    (HERE / "slurm.conf").write_text("\n".join(lines) + "\n")
    gres = [line.replace("CARD", f"{HERE}/card") for line in shape.gres]
    (HERE / "gres.conf").write_text("\n".join(["AutoDetect=off", *gres]) + "\n")
    os.environ["SLURM_CONF"] = str(HERE / "slurm.conf")


def start(shape: Shape) -> None:
    """The daemons, until all nodes that have one are there."""
    run("slurmctld")
    for node in shape.daemons:
        run("slurmd", "-N", node)
    wait_for(lambda: not re.search(r"unk|\*", run("sinfo", "--noheader", "--all", "--format=%T")))


def act(shape: Shape) -> None:
    """What is to happen to the cluster, until what is submitted runs."""
    for command in shape.commands:
        words = command.split()
        if words[0] == "JOB":
            run("sbatch", *words[1:], "--output=/dev/null", "--wrap=sleep 3600")
            wait_for(lambda: "PENDING" not in run("squeue", "--noheader", "--format=%T"))
        elif words[0] == "RESERVE":
            run("scontrol", "create", "reservation", "Users=root", "Duration=2:00:00", *words[1:])
        else:
            run(*words)


def wait_for(holds: Callable[[], bool]) -> None:
    """Until it holds, and at most `SETTLING` seconds."""
    until = time.monotonic() + SETTLING
    while not holds():
        if time.monotonic() > until:
            raise SystemExit(f"It does not settle:\n{run('sinfo', '--all')}{run('squeue')}")
        time.sleep(0.5)


def record(shape: Shape) -> None:
    """What `SlurmScheduler.survey` asks, and sinfo's own count."""
    os.environ["SLURM_TIME_FORMAT"] = "%s"
    show = ("scontrol", "--all", "--oneliner")
    parts = {
        f"taken {int(time.time())}, Slurm {run('sinfo', '--version').split()[1]}": "",
        "nodes": run(*show, "--detail", "show", "node"),
        "partitions": run(*show, "show", "partition"),
        "reservations": run(*show, "show", "reservation"),
        "sinfo": run("sinfo", "--noheader", "--all", "--Node", f"--Format={','.join(COLUMNS)}"),
    }
    # The machine's own system, which says nothing of the cluster.
    whole = "".join(f"=={name}\n{said}" for name, said in parts.items())
    text = re.sub(r" OS=.*? +RealMemory=", " OS=Linux RealMemory=", whole)
    RECORDED.mkdir(exist_ok=True)
    with gzip.GzipFile(RECORDED / f"{shape.name}.txt.gz", "wb", mtime=0) as file:
        file.write(text.encode())


def stop() -> None:
    """The daemons of this shape."""
    for path in HERE.glob("*.pid"):
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(int(path.read_text()), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
