"""Mistakes in a site file: a change to the good example, and what has to be said about it."""

from __future__ import annotations

from typing import NamedTuple

from tests.unit.site.examples import OF_A_SITE


class Mistake(NamedTuple):
    """A change to the good example: what is replaced by what, and what has to be said about it where."""

    old: str
    new: str
    line: int
    says: tuple[str, ...]
    allows: str = ""


CLUSTERS = '[cluster.main]\nscheduler = "slurm"\n'
LOCAL = '[cluster.main]\nscheduler = "local"\ncpus = 2\n'
ENVIRONMENT = "/shared/clusterhub/environments/current"
CPUS = "{ default = 1, max = 8 }"
MEMORY = '{ default = "4 GiB", max = "32 GiB" }'
TIME = '{ default = "4h", max = "1d" }'
GPUS = '{ default = 1, max = 2, type = "h200" }'
PARTITION = 'partition = "gpu"'
URL = '"https://jupyter.cluster.example.org"'


def hub(line: str, *says: str, allows: str = "") -> Mistake:
    """A mistake in a line of its own in [hub]."""
    return Mistake("[hub]\n", f"[hub]\n{line}\n", 2, says, allows)


def cluster(line: str, *says: str, allows: str = "") -> Mistake:
    """A mistake in a line of its own in [cluster.main]."""
    return Mistake(CLUSTERS, f"{CLUSTERS}{line}\n", 11, says, allows)


def app(lines: str, *says: str, allows: str = "", line: int = 11) -> Mistake:
    """A mistake in a table of its own, which begins in line 11."""
    return Mistake(CLUSTERS, f"{CLUSTERS}{lines}\n", line, says, allows)


def sessions(line: str, *says: str, allows: str = "") -> Mistake:
    """A mistake in a line of its own in [sessions]."""
    return Mistake("[environment]\n", f"[sessions]\n{line}\n[environment]\n", 13, says, allows)


def profile(line: str, *says: str, allows: str = "") -> Mistake:
    """A mistake in a line of its own in the second profile."""
    return Mistake('title = "One GPU"\n', f'title = "One GPU"\n{line}\n', 27, says, allows)


MISTAKES = {
    # Keys
    "unknown key": hub('adimns = ["alice"]', 'did you mean "admins"?', allows="admins"),
    "unknown key like nothing": hub("frobnicate = 1", "unknown key", allows="state_directory"),
    "unknown table": Mistake("[login]", "[logins]", 5, ("logins", 'did you mean "login"?')),
    "plural profiles": Mistake(
        '[[profile]]\nname = "gpu"', '[[profiles]]\nname = "gpu"', 24, ('did you mean "profile"',)
    ),
    "plural clusters": Mistake("[cluster.main]", "[clusters.main]", 9, ('did you mean "cluster"?',)),
    "misplaced key": hub('partition = "gpu"', "partition in [hub]", "belongs in [[profile]]"),
    "misplaced key at the top": Mistake("[hub]\n", 'url = "http://a"\n[hub]\n', 1, ("belongs in [hub]",)),
    "misspelled and misplaced": hub('partitoin = "gpu"', 'did you mean "partition" in [[profile]]?'),
    "key of a range": Mistake(
        GPUS, '{ default = 1, typ = "h200" }', 29, ("gpus.typ", 'did you mean "type"?')
    ),
    "camel case key": hub('Admins = ["alice"]', 'did you mean "admins"?'),
    "another program's key": profile('walltime = "4h"', 'did you mean "time"?'),
    "empty key": hub('"" = 1', "unknown key"),
    # What is missing
    "no url": Mistake(f"url = {URL}", "", 1, ("url in [hub]", "missing"), 'url = "https://'),
    "no hub": Mistake(
        f'[hub]\nurl = {URL}\nadmins = ["@hpc-staff"] ', "#\n#\n#", 1, ("table [hub] is missing",), "url ="
    ),
    "no scheduler": Mistake(
        'scheduler = "slurm"', "", 9, ("scheduler in [cluster.main]", "missing"), '"slurm"'
    ),
    "no environment": Mistake(
        f'[environment]\npath = "{ENVIRONMENT}"', "", 1, ("table [environment] is missing",)
    ),
    "no path": Mistake(f'path = "{ENVIRONMENT}"', "", 12, ("path in [environment]", "missing")),
    "no name": Mistake('name = "gpu"\n', "", 24, ("name in [[profile]]", "missing")),
    "no default": Mistake(CPUS, "{ max = 8 }", 20, ("cpus.default", "missing"), "default = 1"),
    "no cluster": Mistake(CLUSTERS, "\n\n", 1, ("no cluster to submit to",), "[cluster.main]"),
    # Shapes
    "a number for a table": Mistake("[hub]\n", "sessions = 3\n[hub]\n", 1, ("sessions", "3 is not a table")),
    "two brackets for the hub": Mistake("[hub]", "[[hub]]", 1, ("[hub]", "two brackets where one is needed")),
    "one bracket for a profile": Mistake(
        OF_A_SITE[OF_A_SITE.index('[[profile]]\nname = "int') :],
        '[profile]\nname = "a"\n',
        15,
        ("one bracket where two are needed",),
        "[[profile]]",
    ),
    "two brackets for a cluster": Mistake(
        "[cluster.main]", "[[cluster.main]]", 9, ("cluster", "two brackets")
    ),
    "a cluster without name": Mistake("[cluster.main]", "[cluster]", 10, ("scheduler", "is not a table")),
    "text for a list": Mistake(
        'allow = ["@hpc-users"]', 'allow = "@hpc-users"', 7, ("not a list",), '["alice"'
    ),
    "a table for text": profile("description = {}", "a table is not text"),
    # Types
    "number for text": Mistake(
        'title = "One GPU"', "title = 1", 26, ("title", "1 is not text", "needs quotes")
    ),
    "text for a number": Mistake(
        CPUS, '"8"', 20, ("cpus in", '"8" is not a whole number', "without the quotes")
    ),
    "truth for a number": Mistake(CPUS, "true", 20, ("true is not a whole number",)),
    "fraction for a number": Mistake(CPUS, "1.5", 20, ("1.5 is not a whole number",)),
    "number among names": Mistake('["@hpc-staff"]', '["@hpc-staff", 7]', 3, ("7 is not a user or group",)),
    "empty title": Mistake('"One GPU"', '" "', 26, ("title", "empty")),
    "title in two lines": Mistake('"One GPU"', '"One\\nGPU"', 26, ("line break",)),
    # Numbers
    "zero cpus": Mistake(CPUS, "0", 20, ("0 is too small",), "from 1"),
    "negative gpus": Mistake(GPUS, "-1", 29, ("-1 is too small",), "from 0"),
    "far too many": Mistake(CPUS, "99999999999", 20, ("too large",)),
    "min above max": Mistake(
        CPUS, "{ default = 4, min = 6, max = 2 }", 20, ("cpus.min", "min (6) is more than max (2)")
    ),
    "default above max": Mistake(
        CPUS, "{ default = 9, max = 8 }", 20, ("the default (9) is outside",), "1 to 8"
    ),
    "default below min": Mistake(
        CPUS, "{ default = 1, min = 2, max = 8 }", 20, ("the default (1)",), "2 to 8"
    ),
    "default time above max": Mistake(
        TIME, '{ default = "2d", max = "36h" }', 22, ("(2d)",), "1min to 1d12h"
    ),
    "negative nice": profile("nice = -5", "only root"),
    # Durations
    "no unit of time": Mistake(TIME, "240", 22, ("minutes or seconds",), '"240min"'),
    "unknown unit of time": Mistake(TIME, '"4 hurs"', 22, ('"hurs"', "not a unit of time"), "min"),
    "no duration": Mistake(
        TIME, '{ default = "4h", max = "a day" }', 22, ("time.max", '"a day" is not a duration')
    ),
    "a clock without quotes": Mistake(TIME, "04:00:00", 22, ("04:00:00 needs quotes",), '"04:00:00"'),
    "no end": Mistake(TIME, '"unlimited"', 22, ("without end",)),
    "no time": Mistake(TIME, '"0s"', 22, ("no time at all",)),
    "ages": Mistake(TIME, '"5000d"', 22, ("ten years",)),
    "a list for a duration": Mistake(TIME, '["4h"]', 22, ("a list is not a duration",)),
    # Sizes
    "no unit of memory": Mistake(MEMORY, "4096", 21, ("no unit",), '"4096 MiB"'),
    "unknown unit of memory": Mistake(MEMORY, '"4 XiB"', 21, ('"4 XiB" is not a size',), "4 GiB"),
    "hardly any memory": Mistake(MEMORY, '"4K"', 21, ("less than",), "1 MiB"),
    "memory per core": Mistake(
        MEMORY, '{ default = "1G", per = "core" }', 21, ("memory.per",), '"node" or "cpu"'
    ),
    # URLs, ports, paths
    "url without scheme": Mistake(URL, '"jupyter.example.org"', 2, ("does not begin with http",), "https://"),
    "url with query": Mistake(URL, '"https://h/?a=1"', 2, ("more than a path",)),
    "database with password": hub(
        'database = "postgresql://hub:hunter2@db/hub"', "password has no place", allows=".pgpass"
    ),
    "database with a slash in its password": hub(
        'database = "postgresql://hub:hun/ter2@db/hub"', "password has no place"
    ),
    "database with password as an option": hub(
        'database = "postgresql://db/hub?password=hunter2"', "password has no place"
    ),
    "database of another kind": hub('database = "mysql://db/hub"', "neither PostgreSQL nor SQLite"),
    "database without a name": hub('database = "postgresql://db"', "does not name a database"),
    "database in a relative file": hub('database = "sqlite:///hub.sqlite"', "path from the root"),
    "database in memory": hub('database = "sqlite:///:memory:"', "path from the root"),
    "url with password": Mistake(URL, '"https://me:hunter2@h"', 2, ("name or password",)),
    "url of another kind": Mistake(URL, '"ftp://host"', 2, ("not a web address",)),
    "url without host": Mistake(URL, '"https://"', 2, ("https://",)),
    "url with a bad port": Mistake(URL, '"https://h:99999"', 2, ("is not a URL",)),
    "url with a bad path": Mistake(URL, '"https://h/a b"', 2, ("cannot be the path",)),
    "internal url without port": hub('internal_url = "http://gateway"', "no port", allows="8081"),
    "internal url with path": hub('internal_url = "http://gateway:8081/hub"', "has a path"),
    "plain internal url": hub('internal_url = "http://gateway:8081"', "plain HTTP", allows="tls = false"),
    "bind without port": hub('bind = "127.0.0.1"', "not an address and a port", allows="127.0.0.1:8000"),
    "bind without brackets": hub('bind = "::1:8000"', "IPv6 address without brackets", allows='"[::1]:8000"'),
    "bind with brackets around a name": hub('bind = "[localhost]:8000"', "not an address and a port"),
    # How browsers reach the hub
    "certificate without key": hub('certificate = "/a.pem"', "no use without certificate_key"),
    "key without certificate": hub('certificate_key = "/a.pem"', "no use without certificate"),
    "certificate for http": Mistake(
        URL,
        '"http://jupyter.example.org"\ncertificate = "/a.pem"\ncertificate_key = "/a.key"',
        3,
        ("certificate needs HTTPS",),
        "https://",
    ),
    "certificate by a relative path": hub('certificate = "a.pem"', "does not begin at the root"),
    "redirect without certificate": hub("redirect_port = 80", "the front server redirects"),
    "redirect from the port of HTTPS": hub(
        'redirect_port = 443\ncertificate = "/a.pem"\ncertificate_key = "/a.key"', "port of HTTPS itself"
    ),
    "redirect from no port": hub("redirect_port = 0", "too small", allows="1 to 65535"),
    "subdomains of an address": Mistake(
        URL, '"https://10.0.0.5"\nsubdomains = true', 3, ("an address has no subdomains",), "host name"
    ),
    "subdomains without HTTPS": Mistake(
        URL, '"http://jupyter.example.org"\nsubdomains = true', 3, ("subdomains needs HTTPS",)
    ),
    "subdomains in words": hub(
        'subdomains = "true"', "neither true nor false: write it without the quotes", allows="true or false"
    ),
    "trusted proxies by name": hub(
        'trusted_proxies = ["www.example.org"]', "not the address of one machine", allows="10.0.0.5"
    ),
    "trusted network": hub('trusted_proxies = ["10.0.0.0/8"]', "not the address of one machine"),
    "bad id": hub('id = "a:b"', "not a hub's id"),
    "id with an underscore": hub('id = "my_hub"', "not a hub's id", allows='"." or "-"'),
    "sessions under a path with a space": sessions(
        'directory = "/shared/my sessions"', "not a path that can be used", allows="without spaces"
    ),
    "sessions under a path with a percent sign": sessions(
        'directory = "/shared/%u"', "not a path that can be used"
    ),
    "sessions under a path with dots": sessions('directory = "/shared/a..b"', "not a path that can be used"),
    "environment with a space": Mistake(
        f'"{ENVIRONMENT}"', '"/my shared/environments/current"', 13, ("does not follow",), "[sessions]"
    ),
    "local records under a path with a space": Mistake(
        OF_A_SITE[: OF_A_SITE.index("[environment]")],
        '[hub]\nurl = "http://a"\nstate_directory = "/a b"\n'
        '[login]\nmethod = "one-person"\n[cluster.main]\nscheduler = "local"\n',
        3,
        ('records of cluster "main"',),
        "directory in [cluster.main]",
    ),
    "service in capitals": Mistake('"pam"', '"pam"\npam_service = "SSHD"', 7, ("not the name of a PAM",)),
    "partition in another alphabet": Mistake(PARTITION, 'partition = "größe"', 28, ("not the name",)),
    "more partitions than can be": Mistake(
        PARTITION, f"partition = {[f'p{number}' for number in range(33)]}", 28, ("33 items",), "at most 32"
    ),
    "constraint with a plus": profile('constraint = "a+b"', "not a constraint"),
    "ports the wrong way round": sessions(
        'ports = "32000-30000"', "begins above its end", allows="30000-32000"
    ),
    "low ports": sessions('ports = "80-90"', "cannot use", allows="1024"),
    "one port": sessions("ports = 30000", "not a range of ports"),
    "quoted switch": sessions('tls = "false"', "without the quotes", allows="true or false"),
    "bad interface": sessions('interface = "ib 0"', "not an interface", allows="ib0"),
    "relative path": Mistake(
        f'"{ENVIRONMENT}"', '"environments/current"', 13, ("does not begin at the root",)
    ),
    "shallow environment": Mistake(f'"{ENVIRONMENT}"', '"/opt/env"', 13, ("does not follow",), "[sessions]"),
    "path with a line break": hub('state_directory = "/a\\nb"', "is not a path"),
    "home of a service": hub('conf_d = "~/conf.d"', "no home"),
    "relative working directory": profile('working_directory = "work"', "neither at the root"),
    "unknown braces": profile(
        'working_directory = "/scratch/{user}"', "something else than person", allows="{person}"
    ),
    "variable in a path": profile('working_directory = "/scratch/$USER"', "variable", allows="{person}"),
    # Words
    "unknown scheduler": Mistake('"slurm"', '"slrum"', 10, ('did you mean "slurm"?',), '"slurm" or "local"'),
    "unknown login": Mistake('"pam"', '"PAM"', 6, ('did you mean "pam"?',), "one-person"),
    "unknown interface": profile(
        'interface = ["lab", "labs"]',
        'there is no interface "labs"',
        'did you mean "lab"?',
        allows="[app.NAME]",
    ),
    "unknown interface alone": profile('interface = "jupyter"', 'there is no interface "jupyter"'),
    "interface that is no name": profile('interface = "R Studio"', '"R Studio" is not an interface'),
    "application without a title": app(
        '[app.matlab]\npath = "/matlab/"', "this key is missing", allows="MATLAB"
    ),
    "application at an address": app(
        '[app.matlab]\ntitle = "MATLAB"\npath = "https://example.org"', "not a path in a session", line=13
    ),
    "application under Jupyter's own name": app(
        '[app.lab]\ntitle = "Lab"', "is what Jupyter itself has", allows="another name"
    ),
    "application under no name": app('[app."A b"]\ntitle = "A"', "not an interface", allows="lower-case"),
    "interface twice": profile('interface = ["lab", "lab"]', '"lab" is in the list twice'),
    "no interface": profile("interface = []", "the list is empty", allows="leave the key out"),
    "bad job name": cluster('job_name = "my job"', "not a job's name"),
    "empty group": Mistake('["@gpu-users"]', '["@"]', 30, ('"@" is not a user or group',), "@hpc-users"),
    "two groups in one": Mistake('["@gpu-users"]', '["@a,@b"]', 30, ("not a user or group",)),
    # Names for the scheduler
    "partitions with a comma": Mistake(
        PARTITION, 'partition = "a,b"', 28, ("not the name of a partition",), '["gpu"'
    ),
    "partition with an option": Mistake(
        PARTITION, 'partition = "--uid=0"', 28, ("not the name of a partition",)
    ),
    "bad partition in a list": Mistake(
        PARTITION, 'partition = ["gpu",\n"a b"]', 29, ('"a b" is not the name',)
    ),
    "account with a line break": profile('account = "a\\n#SBATCH"', "not the name of an account"),
    "constraint with a space": profile('constraint = "a & b"', "not a constraint", allows="without spaces"),
    "gpu type with a count": Mistake(
        GPUS, '{ default = 1, type = "h200:2" }', 29, ("gpus.type", "not a GPU type")
    ),
    # Directives
    "short directive": cluster('directives = ["-p gpu"]', "not an option with two dashes"),
    "own directive": cluster('directives = ["--time=3"]', '"--time" is set by clusterhub', allows='"time"'),
    "shortened own directive": cluster('directives = ["--parti=x"]', "--partition"),
    "directive with a space": cluster('directives = ["--licenses x"]', "space", allows='"--licenses=x"'),
    "directive and script": cluster('directives = ["--licenses=x /bin/sh"]', "space"),
    "directive with a line break": cluster('directives = ["--x=a\\n--uid=0"]', "control character"),
    "gpus as a directive": cluster('directives = ["--gres=gpu:1"]', "--gres", allows='"gpus"'),
    "gres beside gpus": Mistake("gpus =", 'directives = ["--gres=disk:1"]\ngpus =', 30, ("take the place",)),
    # Scripts and variables
    "nul in a script": Mistake('"module load cuda"', '"a\\u0000b"', 31, ("prologue", "NUL")),
    "bad variable": profile('variables = { "A B" = "1" }', "not the name of a variable"),
    "variable of the hub": profile('variables.JUPYTERHUB_API_TOKEN = "1"', "set by the hub"),
    "number for a variable": profile("variables = { A = 1 }", "variables.A", "needs quotes"),
    # Between tables
    "two profiles of one name": Mistake('name = "gpu"', 'name = "interactive"', 25, ("already, in line 16",)),
    "unknown cluster": Mistake(
        'cluster = "main"\npart', 'cluster = "mian"\npart', 18, ('did you mean "main"?',)
    ),
    "which cluster": Mistake(
        'cluster = "main"\npartition = "gpu"',
        '[cluster.b]\nscheduler = "slurm"',
        24,
        ("which of the 2 clusters",),
    ),
    "bad name of a profile": Mistake(
        'name = "gpu"', 'name = "One GPU"', 25, ("is not a name",), "lower-case"
    ),
    "bad name of a cluster": Mistake("[cluster.main]", '[cluster."ma in"]', 9, ('"ma in" is not a name',)),
    "one person on slurm": Mistake(
        '"pam"', '"one-person"', 6, ('cluster "main", which is not local',), '"pam"'
    ),
    "everybody on local": Mistake(
        'scheduler = "slurm"',
        'scheduler = "local"',
        10,
        ("only the person who runs the hub",),
        'method = "one-person" in [login]',
    ),
    "two configurations of Slurm": Mistake(
        CLUSTERS,
        f'{CLUSTERS}[cluster.b]\nscheduler = "slurm"\nconfiguration = "/etc/b.conf"\n',
        13,
        ('another one than that of cluster "main"', "for now"),
        "one hub for each",
    ),
    "commands of one Slurm cluster only": Mistake(
        CLUSTERS,
        f'{CLUSTERS}commands = "/opt/a"\n[cluster.b]\nscheduler = "slurm"\n',
        12,
        ("commands is another one",),
        "the same for both",
    ),
    "unknown thing to choose": profile('choose = ["acount"]', 'did you mean "account"?'),
    "model of GPU without GPUs": Mistake(
        f"gpus = {GPUS}", 'choose = ["gpu_type"]', 29, ("no model to choose",), "gpus in the profile, too"
    ),
    "account to choose on local": Mistake(
        f'{CLUSTERS}\n[environment]\npath = "{ENVIRONMENT}"\n\n[[profile]]\n',
        f'{LOCAL}\n[environment]\npath = "{ENVIRONMENT}"\n\n[[profile]]\nchoose = ["account"]\n',
        17,
        ("there is no account to choose", 'whose scheduler is "local"'),
        "working_directory or variables",
    ),
    "partition on local": Mistake(CLUSTERS, LOCAL, 20, ("partition", "means nothing")),
    "gpus on local": Mistake(CLUSTERS, LOCAL, 30, ("gpus", 'whose scheduler is "local"')),
    "local key on slurm": cluster("cpus = 4", "means nothing", allows='scheduler = "local"'),
    # No TOML
    "no quotes": Mistake(TIME, "4h", 22, ('"h" comes after the end',), "quotes"),
    "no value": Mistake(TIME, "", 22, ("nothing where a value should be",)),
    "no quotes at all": Mistake(URL, "https://h", 2, ('"https://h" is not a value',), "quotes"),
    "no last quote": Mistake('"One GPU"', '"One GPU', 26, ("no quote at its end",)),
    "key twice": Mistake('title = "One GPU"', 'title = "a"\ntitle = "b"', 27, ("twice",), "once"),
    "table twice": Mistake("[login]", "[hub]", 5, ("twice",)),
    "no bracket": Mistake("[login]", "[login", 5, ('no "]"',)),
    "no comma": Mistake('["@hpc-users"]', '["a" "b"]', 7, ("no comma",)),
    "no equals sign": Mistake('title = "One', 'title "One', 26, ('no "="',)),
    "Python's truth": Mistake('"One GPU"', "True", 26, ('"True" is not a value',)),
    "single backslash": Mistake('"One GPU"', '"\\d"', 26, ("backslash",)),
    "curly quotes": Mistake('"One GPU"', "“One GPU”", 26, ("is not a value",), "quotes"),
}
