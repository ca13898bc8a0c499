"""The table of site.toml about one offer on the start page: `[[profile]]`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from clusterhub.site.addresses import WORKING_DIRECTORY
from clusterhub.site.apps import INTERFACE
from clusterhub.site.cluster import Directives
from clusterhub.site.kinds import (
    LINE,
    LINES,
    SLUG,
    Kind,
    ListOf,
    matching,
    one_of,
    shown,
    text_of,
    whole_number,
)
from clusterhub.site.people import People
from clusterhub.site.quantities import Refused
from clusterhub.site.ranges import DurationRange, GpuRange, IntRange, MemoryRange
from clusterhub.site.section import Section, key
from clusterhub.site.versions import Versions

# These are no wider than what `clusterhub.privileged.helper.options` lets through.
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}"
_MOST_NAMES = 32
PARTITION = matching(
    "the name of a partition", _NAME, 'one name, such as "gpu"; several as ["gpu", "gpu-long"]'
)
ACCOUNT = matching("the name of an account", _NAME, 'one name, such as "physics"')
QOS = matching("the name of a QOS", _NAME, 'one name, such as "interactive"')
RESERVATION = matching(
    "the name of a reservation",
    rf"{_NAME}(?:,{_NAME}){{0,{_MOST_NAMES - 1}}}",
    'a name, such as "course-monday"',
)
CONSTRAINT = matching(
    "a constraint",
    r"[A-Za-z0-9_(\[][A-Za-z0-9_.,:&|*()\[\]-]{0,255}",
    'features of nodes, as sbatch takes them, such as "avx512" or "rack1|rack2", without spaces',
)
OWN_ENVIRONMENT = ("own_path", "own_module", "own_image")
"""What people may bring along for the server to run in, where a profile says so."""
CHOOSABLE = (
    "account",
    "qos",
    "partition",
    "reservation",
    "constraint",
    "gpu_type",
    "working_directory",
    "variables",
    *OWN_ENVIRONMENT,
)
"""What people may choose besides amounts and interface, where a profile lets them."""
CHOOSE = one_of("something that people can choose", *CHOOSABLE)
NICE = whole_number("a whole number", 0, 2147483645, "only root may raise a job's priority")

_RESERVED = ("JUPYTERHUB_", "CLUSTERHUB_", "SLURM_", "JPY_")
_VARIABLE_ALLOWED = 'letters, digits and "_", not beginning with a digit, such as OMP_NUM_THREADS'
_VARIABLE_NAME = matching("the name of a variable", r"[A-Za-z_][A-Za-z0-9_]*", _VARIABLE_ALLOWED)


def _read_variable(given: object) -> str:
    name: str = _VARIABLE_NAME.read(given)
    if name.startswith(_RESERVED):
        raise Refused(
            f"{shown(name)} is set by the hub or the scheduler", f"names without {', '.join(_RESERVED)}"
        )
    return name


def _read_value(given: object) -> str:
    text = text_of(given, "text", 'text, such as "8"')
    if "\0" in text:
        raise Refused("the value holds a NUL character, which no variable can", "text without it")
    return text


VARIABLE = Kind("name", _read_variable, {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})
VALUE = Kind("text", _read_value, {"type": "string"})

CHOOSABLE_EVERYWHERE = ("working_directory", "variables", *OWN_ENVIRONMENT)
"""Of `CHOOSABLE` what means something to the local scheduler."""
SLURM_ONLY = ("partition", "account", "qos", "reservation", "constraint", "gpus", "directives")
"""Keys that mean nothing to the local scheduler."""


class Profile(Section):
    """One offer on the start page: where, how much, how long, with which environment."""

    heading: ClassVar[str] = "[[profile]]"
    about: ClassVar[str] = (
        "One offer on the start page: where, how much, how long, with which environment. The first is what "
        "people see first. `cpus`, `memory`, `gpus`, `nodes` and `time` are each a fixed value or a table "
        "with `default`, `min` and `max`, within which people choose."
    )

    name: Annotated[str, SLUG] = key("Names the profile in links and commands.", example="gpu")
    title: Annotated[str, LINE] = key(
        "What people read on the start page.", example="One GPU", default="", derived="the name"
    )
    description: Annotated[str, LINES] = key(
        "More about it, under the title.", example="For training; at most a day.", default=""
    )
    cluster: Annotated[str, SLUG] = key(
        "Which cluster it runs on.",
        example="main",
        default="",
        derived="the only one; needed where there are several",
    )
    partition: Annotated[
        tuple[Annotated[str, PARTITION], ...],
        ListOf(
            "name or list of names",
            'a name, or a list such as ["gpu", "gpu-long"]',
            single=True,
            most=_MOST_NAMES,
        ),
    ] = key(
        "Partition, or several of which the scheduler takes the first that can.",
        example="gpu",
        default=(),
        derived="the scheduler's",
    )
    account: Annotated[str, ACCOUNT] | None = key(
        "Account to charge.", example="physics", default=None, derived="the person's own default"
    )
    qos: Annotated[str, QOS] | None = key(
        "Quality of service.", example="interactive", default=None, derived="the scheduler's"
    )
    reservation: Annotated[str, RESERVATION] | None = key(
        "Reservation to run in.", example="course-monday", default=None
    )
    constraint: Annotated[str, CONSTRAINT] | None = key(
        "Features that nodes must have.", example="avx512", default=None
    )
    cpus: IntRange = key(
        "CPUs per node.", example={"default": 1, "max": 8}, default=IntRange(default=1), derived="1"
    )
    memory: MemoryRange | None = key(
        "Memory per node, or per CPU.",
        example={"default": "4 GiB", "max": "32 GiB"},
        default=None,
        derived="the scheduler's",
    )
    gpus: GpuRange | None = key(
        "GPUs per node.", example={"default": 1, "max": 2, "type": "h200"}, default=None, derived="none"
    )
    nodes: IntRange = key(
        "Nodes. Jupyter runs on the first.", example=2, default=IntRange(default=1), derived="1"
    )
    time: DurationRange = key(
        "How long the session may run.",
        example={"default": "4h", "max": "1d"},
        default=DurationRange.model_validate("4h"),
        derived='`"4h"`',
    )
    nice: Annotated[int, NICE] | None = key(
        "How far to stand back behind other jobs; more is further.", example=100, default=None
    )
    working_directory: Annotated[str, WORKING_DIRECTORY] | None = key(
        "Where the session starts. `~` is the person's home, `{person}` the name of the account.",
        example="/scratch/{person}",
        default=None,
        derived="the home directory",
    )
    prologue: Annotated[str, LINES] = key(
        "Bash lines that the job runs before Jupyter starts.", example="module load cuda", default=""
    )
    epilogue: Annotated[str, LINES] = key(
        "Bash lines that the job runs after Jupyter ended.", example="rm -rf /local/$SLURM_JOB_ID", default=""
    )
    directives: Directives = key(
        "Options of `sbatch` beyond those that clusterhub sets.", example=["--exclusive"], default=()
    )
    allow: People = key("Who is offered it.", example=["@gpu-users"], default=(), derived="everybody")
    interface: Annotated[
        tuple[Annotated[str, INTERFACE], ...],
        ListOf(
            "name of an interface, or a list",
            'a name such as "lab", or a list such as ["lab", "rstudio"]',
            single=True,
        ),
    ] = key(
        "What opens: `lab` (JupyterLab), `notebook` (Notebook 7), `terminal` (terminals only), or an "
        "application that the environment has: `rstudio`, `vscode`, `desktop`, or one of a table "
        "`[app.NAME]`. Of several, people pick one; the first is preset.",
        example=["lab", "terminal"],
        default=("lab", "notebook", "terminal"),
    )
    choose: (
        Annotated[
            tuple[Annotated[str, CHOOSE], ...],
            ListOf("list of words", 'a list such as ["account", "qos"]', may_be_empty=True),
        ]
        | None
    ) = key(
        'What people may choose under "More". What the profile itself says of it is preset; the lists, and '
        "the limits of each person, come from the scheduler. An empty list for nothing. `own_path`, "
        "`own_module` and `own_image` let people [bring an environment]"
        "(../how-to/bring-your-own-environment.md) for their server.",
        example=["account", "qos"],
        default=None,
        derived="what the profile leaves open, and the partition where it names several",
    )
    environment: Versions = key(
        "The Python environment that its sessions run in: a version by its name, `current` for the active "
        "one, `previous` for the one before, or the path of an environment. Of several, people pick one; the "
        "first is preset.",
        example=["2026-11-23", "/shared/clusterhub/environments/course"],
        default=(),
        derived="what `[environment]` offers",
    )
    variables: dict[Annotated[str, VARIABLE], Annotated[str, VALUE]] = key(
        "Variables of the session's environment.",
        example={"OMP_NUM_THREADS": "1"},
        default={},
    )

    def left_open(self) -> tuple[str, ...]:
        """What of `CHOOSABLE` the profile says nothing of, or several things."""
        is_open = {
            "partition": len(self.partition) > 1,
            "gpu_type": self.gpus is not None and self.gpus.type is None,
            "variables": True,
            **dict.fromkeys(OWN_ENVIRONMENT, False),
        }
        return tuple(
            key for key in CHOOSABLE if (is_open[key] if key in is_open else getattr(self, key) is None)
        )

    def working_directory_of(self, person: str, home: str) -> str | None:
        """Where this person's session starts, as an absolute path; None for the home directory."""
        if self.working_directory is None:
            return None
        return in_home(self.working_directory.replace("{person}", person), home)


def in_home(path: str, home: str) -> str:
    """The path, with what a leading ``~`` stands for."""
    return home.rstrip("/") + path[1:] if path.startswith("~") else path
