"""A site and a person to start sessions for."""

from pathlib import Path

import pytest

from clusterhub.privileged.broker import Account
from clusterhub.site.loading import parse
from clusterhub.site.schema import Site

from .people import ALICE

SITE = """
[hub]
url = "https://hub.example.org"
internal_url = "https://gateway:8081"

[cluster.main]
scheduler = "slurm"
directives = ["--licenses=matlab"]

[environment]
path = "/shared/clusterhub/environments/current"

[sessions]
ports = "30000-30010"

[[profile]]
name = "interactive"
title = "Interactive"
partition = ["interactive", "batch"]
cpus = { default = 1, max = 8 }
memory = { default = "4 GiB", max = "32 GiB" }
time = { default = "4h", max = "1d" }
variables = { OMP_NUM_THREADS = "1", QUOTED = "it's $HOME" }

[[profile]]
name = "gpu"
title = "One GPU"
partition = "gpu"
gpus = { default = 1, max = 2, type = "h200" }
time = "2h"
allow = ["@gpu-users"]
prologue = "module load cuda"
interface = ["lab", "notebook"]
directives = ["--exclusive"]
"""


@pytest.fixture
def site() -> Site:
    return parse(SITE, Path("/etc/clusterhub/site.toml"))


@pytest.fixture
def alice() -> Account:
    return ALICE
