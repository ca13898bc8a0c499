"""What can become of a session, each with its words: by outcome, by exit code, by what its log says."""

from __future__ import annotations

import re
from dataclasses import dataclass

from clusterhub.languages.text import _
from clusterhub.schedulers.model import Outcome
from clusterhub.schedulers.script import PROLOGUE_FAILED
from clusterhub.session import launcher
from clusterhub.spawner.job_request import NO_DIRECTORY

SHOW_LINES = _("Choose another profile, and show your operators the lines below.")
MORE_MEMORY = _("Start it again with more memory.")
TRY_AGAIN = _("Start it again; if that fails too, show your operators the lines below.")


@dataclass(frozen=True)
class Sentence:
    """What happened, and what the person can do."""

    what: str
    next: str


@dataclass(frozen=True)
class LogCause:
    """What a log says when something went wrong.

    ``{0}``, ``{1}`` in the sentence's ``what`` stand for the groups of the pattern. With ``exit_code`` the
    log is believed only if the job ended with that: anybody can print anything.
    """

    pattern: re.Pattern[str]
    sentence: Sentence
    exit_code: int | None = None


OUTCOMES: dict[Outcome, Sentence] = {
    Outcome.COMPLETED: Sentence(
        _("Your session ended by itself."),
        _("Start it again when you need it; your files are as you saved them."),
    ),
    Outcome.TIME_LIMIT: Sentence(
        _("Your session reached its time limit."), _("Start it again, with more time if you need it.")
    ),
    Outcome.OUT_OF_MEMORY: Sentence(_("Your session used more memory than it had asked for."), MORE_MEMORY),
    Outcome.NODE_FAILED: Sentence(_("The node that your session ran on failed."), _("Start it again.")),
    Outcome.BOOT_FAILED: Sentence(_("The node for your session did not come up."), _("Start it again.")),
    Outcome.PREEMPTED: Sentence(
        _("The scheduler took your session's node for more urgent work."),
        _("Start it again; a profile on another partition may not be preempted."),
    ),
    Outcome.DEADLINE: Sentence(
        _("Your session could not end before its deadline."), _("Start it again with less time.")
    ),
    Outcome.CANCELLED: Sentence(
        _("Your session's job was cancelled."), _("Start it again when you need it.")
    ),
}

LAUNCHER_EXIT_CODES: dict[int, Sentence] = {
    launcher.NO_ENVIRONMENT: Sentence(
        _("The Jupyter environment is missing on the node, or you may not read it."),
        _(
            "Choose another profile, and show your operators the lines below: the path must exist on "
            "every node and each directory above it must be open to you."
        ),
    ),
    launcher.NO_PORT: Sentence(
        _("No port could be opened on the node."),
        _("Start it again; if that fails too, tell your operators."),
    ),
    launcher.HUB_UNREACHABLE: Sentence(
        _("The node could not reach the hub."),
        _("Tell your operators: nodes must reach the address that [hub] internal_url names."),
    ),
    launcher.REFUSED: Sentence(_("The hub did not accept the session that the job started."), TRY_AGAIN),
    launcher.NO_JUPYTER: Sentence(_("The environment on the node has no working Jupyter in it."), SHOW_LINES),
    NO_DIRECTORY: Sentence(
        _("The working directory that was chosen is not there on the node, or you may not enter it."),
        _("Start it again with another one; the lines below name this one."),
    ),
    launcher.NO_TICKET: Sentence(
        _("The session could not prove who it is."),
        _(
            "Tell your operators: munge does not work there, or the node does not share the "
            "sessions' directory."
        ),
    ),
}
"""What our own launcher and script end with: nothing else knows better."""

EXIT_CODES: dict[int, Sentence] = {
    PROLOGUE_FAILED: Sentence(_("The profile's prologue failed before Jupyter was started."), SHOW_LINES),
    126: Sentence(
        _("The job started a program that may not be run."), _("Show your operators the lines below.")
    ),
    127: Sentence(
        _("The job started a program that is not there."), _("Show your operators the lines below.")
    ),
}
"""What a shell ends with: the log may know better."""

LAUNCHER_CAUSES: tuple[LogCause, ...] = (
    LogCause(
        re.compile(r"all ports from (\d+) to (\d+) are taken"),
        Sentence(
            _("All ports that sessions may use on the node, {0} to {1}, are taken."),
            _("Start it again: another node may have one free; if that fails too, tell your operators."),
        ),
        launcher.NO_PORT,
    ),
    LogCause(
        re.compile(r"certificate verify failed: (.+?)(?: \(_ssl|>|$)", re.MULTILINE),
        Sentence(
            _("What answers the node at the hub's address has not the certificate of the hub: {0}."),
            _(
                "Start it again: the hub may have another one than when the job was submitted. If that "
                "fails too, tell your operators: something else answers at [hub] internal_url, or the "
                "node's clock is wrong."
            ),
        ),
        launcher.HUB_UNREACHABLE,
    ),
    LogCause(
        re.compile(r"This hub speaks version"),
        Sentence(
            _("The hub is of another version than the one that submitted your session's job."),
            _("Start it again."),
        ),
        launcher.REFUSED,
    ),
    LogCause(
        re.compile(r"the hub did not accept this session: (.+)"),
        Sentence(_("The hub did not accept the session that the job started: {0}"), TRY_AGAIN),
        launcher.REFUSED,
    ),
)

LOG_CAUSES: tuple[LogCause, ...] = (
    LogCause(
        re.compile(r"Disk quota exceeded"),
        Sentence(
            _("A file system that you write to is over its quota."),
            _("Remove files you no longer need, then start again."),
        ),
    ),
    LogCause(
        re.compile(r"No space left on device"),
        Sentence(_("A file system is full."), _("Remove files you no longer need, or tell your operators.")),
    ),
    LogCause(
        re.compile(
            r"oom.kill|out of memory|MemoryError|Cannot allocate memory|exceeded (?:job )?memory limit",
            re.IGNORECASE,
        ),
        Sentence(_("Your session ran out of memory."), MORE_MEMORY),
    ),
    LogCause(
        re.compile(r"\bmodule: (?:command )?not found"),
        Sentence(_("The command `module` is not there on the node."), SHOW_LINES),
    ),
    LogCause(
        # Lmod's, and the C and Tcl generations of Environment Modules.
        re.compile(
            r"Lmod has detected the following error|Unable to locate a modulefile"
            r"|ModuleCmd_\w+\.c\(\d+\):ERROR"
        ),
        Sentence(_("A module could not be loaded."), SHOW_LINES),
    ),
    LogCause(
        re.compile(r"(?:EnvironmentNameNotFound|EnvironmentLocationNotFound): (.+)"),
        Sentence(_("The conda environment is not there: {0}"), SHOW_LINES),
    ),
    LogCause(
        re.compile(
            r"CommandNotFoundError: Your shell has not been properly configured"
            r"|Run 'conda init' before 'conda activate'|\bconda: (?:command )?not found"
        ),
        Sentence(
            _("The conda environment could not be activated: conda is not set up in the job."), SHOW_LINES
        ),
    ),
    LogCause(
        re.compile(r"(\S+): (?:command not found|not found)$", re.MULTILINE),
        Sentence(
            _("The job started a program that is not there: {0}."), _("Show your operators the lines below.")
        ),
        127,
    ),
)
