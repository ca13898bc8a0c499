"""Site files that several tests start from."""

from __future__ import annotations

OF_A_SITE = """\
[hub]
url = "https://jupyter.cluster.example.org"
admins = ["@hpc-staff"]              # @name is a Unix group

[login]
method = "pam"
allow = ["@hpc-users"]

[cluster.main]
scheduler = "slurm"

[environment]
path = "/shared/clusterhub/environments/current"

[[profile]]
name = "interactive"
title = "Interactive, up to 8 cores"
cluster = "main"
partition = "interactive"
cpus   = { default = 1, max = 8 }
memory = { default = "4 GiB", max = "32 GiB" }
time   = { default = "4h", max = "1d" }

[[profile]]
name = "gpu"
title = "One GPU"
cluster = "main"
partition = "gpu"
gpus = { default = 1, max = 2, type = "h200" }
allow = ["@gpu-users"]
prologue = "module load cuda"
"""

OF_EVERYTHING = """\
[hub]
url = "https://jupyter.example.org/jupyter/"
bind = "10.0.0.1:9000"
certificate = "/etc/clusterhub/tls/fullchain.pem"
certificate_key = "/etc/clusterhub/tls/privkey.pem"
redirect_port = 9080
subdomains = true
trusted_proxies = ["10.0.0.5", "fd00::5"]
internal_url = "https://gateway.example.org:8081"
id = "example"
state_directory = "/srv/clusterhub"
database = "postgresql://clusterhub@db.example.org:5433/clusterhub?sslmode=verify-full"
admins = ["alice", "@hpc staff"]
conf_d = "drop-ins"

[login]
method = "pam"
allow = ["@hpc-users", "bob"]
pam_service = "sshd"

[cluster.main]
scheduler = "slurm"
commands = "/opt/slurm/bin"
job_name = "jupyter"
queue_interval = "1min"
starting_interval = "5s"
directives = ["--licenses=matlab:2", "--exclusive"]
configuration = "/etc/slurm/slurm.conf"

[cluster.other]
scheduler = "slurm"
commands = "/opt/slurm/bin/"
configuration = "/etc/slurm/slurm.conf"

[environment]
path = "/shared/clusterhub/environments/current"
python = "/shared/clusterhub/environments/current/bin/python3.12"

[sessions]
directory = "/shared/clusterhub/logs"
ports = "30000-32000"
interface = "ib0"
tls = true
start_timeout = "10min"
queue_timeout = "7d"

[[profile]]
name = "all"
title = "All of it"
description = "Everything that can be said."
cluster = "main"
partition = ["gpu", "gpu-long"]
account = "physics"
qos = "interactive"
reservation = "course-monday"
constraint = "[rack1|rack2]&avx512"
cpus = { default = 2, min = 2, max = 8 }
memory = { default = "2 GiB", max = "8 GiB", per = "cpu" }
gpus = { default = 0, max = 2, type = "a100_3g.20gb" }
nodes = 2
time = "1-12:00:00"
nice = 100
working_directory = "~/work/{person}"
prologue = \"\"\"
module load cuda
export A="1"
\"\"\"
epilogue = "true"
directives = ["--switches=1"]
allow = ["@gpu-users"]
interface = ["lab", "terminal"]
environment = "/shared/clusterhub/environments/course"
variables = { OMP_NUM_THREADS = "1" }

[[profile]]
name = "there"
cluster = "other"
"""


def small_site(*, hub: str = "", tables: str = "", profile: str = 'time = "1h"') -> str:
    """A site on one machine with one small profile; further lines of those tables, and further tables."""
    return f"""\
[hub]
url = "http://127.0.0.1:8000"
{hub}
[login]
method = "one-person"

[cluster.here]
scheduler = "local"

[environment]
path = "/opt/environments/current"
{tables}
[[profile]]
name = "small"
title = "Small"
{profile}
"""


OF_ONE_MACHINE = """\
[hub]
url = "http://127.0.0.1:8000"

[login]
method = "one-person"

[cluster.here]
scheduler = "local"
directory = "/srv/jobs"
cpus = 4
memory = "16 GiB"

[environment]
path = "/shared/clusterhub/environments/current"

[[profile]]
name = "here"
"""
