"""Job requests for the tests of what schedulers make of them."""

from __future__ import annotations

from clusterhub.schedulers.model import Gpus, JobRequest, Memory

GIB = 1024**3

EMPTY = JobRequest(
    tag="clusterhub:hub.example.org:alice:",
    name="clusterhub",
    person="alice",
    log_path="/shared/sessions/alice/default-{job}.log",
    body="exec sleep 60",
    time_seconds=3600,
)

FULL = JobRequest(
    tag="clusterhub:hub.example.org:alice:second",
    name="clusterhub",
    person="alice",
    log_path="/shared/100%/alice/second-{job}.log",
    body="exec sleep 60",
    time_seconds=129600,
    warning_seconds=300,
    cpus=4,
    nodes=2,
    memory=Memory(4 * GIB),
    gpus=Gpus(2, "h200"),
    partitions=("gpu", "batch"),
    account="physics",
    qos="high",
    reservation="course",
    constraint="skylake&ib",
    nice=100,
    working_directory="/scratch/alice",
    directives=("--licenses=matlab", "--exclude n7"),
)
