"""Further options in the scheduler's own words: what an operator may add, and what clusterhub itself says."""

from __future__ import annotations

import re

from clusterhub.site.kinds import Kind, text_of
from clusterhub.site.quantities import Refused, quoted

ALLOWED = 'an option with two dashes, such as "--licenses=matlab" or "--exclusive"'

_NOT_TO_CHANGE = ""
OWN_OPTIONS = {
    "--account": "account",
    "--array": _NOT_TO_CHANGE,
    "--chdir": "working_directory",
    "--clusters": _NOT_TO_CHANGE,
    "--comment": _NOT_TO_CHANGE,
    "--constraint": "constraint",
    "--cpus-per-task": "cpus",
    "--error": _NOT_TO_CHANGE,
    "--export": "variables",
    "--export-file": "variables",
    "--get-user-env": _NOT_TO_CHANGE,
    "--gid": _NOT_TO_CHANGE,
    "--gpus": "gpus",
    "--gpus-per-node": "gpus",
    "--gpus-per-task": "gpus",
    "--help": _NOT_TO_CHANGE,
    "--input": _NOT_TO_CHANGE,
    "--job-name": "job_name of the cluster",
    "--mem": "memory",
    "--mem-per-cpu": "memory with per",
    "--mem-per-gpu": "memory",
    "--nice": "nice",
    "--nodes": "nodes",
    "--ntasks": "nodes and cpus",
    "--ntasks-per-node": "nodes and cpus",
    "--open-mode": _NOT_TO_CHANGE,
    "--output": _NOT_TO_CHANGE,
    "--parsable": _NOT_TO_CHANGE,
    "--partition": "partition",
    "--qos": "qos",
    "--quiet": _NOT_TO_CHANGE,
    "--reservation": "reservation",
    "--test-only": _NOT_TO_CHANGE,
    "--time": "time",
    "--uid": _NOT_TO_CHANGE,
    "--usage": _NOT_TO_CHANGE,
    "--verbose": _NOT_TO_CHANGE,
    "--version": _NOT_TO_CHANGE,
    "--wait": _NOT_TO_CHANGE,
    "--wrap": _NOT_TO_CHANGE,
}
"""sbatch's options that clusterhub sets or relies on, each with the key that says the same, if any."""

_OPTION = re.compile(r"(--[a-z][a-z0-9-]*)(?:=([^\s\x00-\x1f\x7f'\"\\]+))?")


def read_directive(given: object) -> str:
    """One further option. Raises `Refused` for what is no long option, or is for clusterhub itself to say."""
    text = text_of(given, "an option", ALLOWED)
    match = _OPTION.fullmatch(text)
    if match is None:
        option, _, value = text.partition(" ")
        if _OPTION.fullmatch(option) and value.strip() and "=" not in option:
            raise Refused(f"{quoted(text)} has a space after the option", f'"{option}={value.strip()}"')
        if _OPTION.match(text):
            raise Refused(
                f"{quoted(text)} has a space, a quote, a backslash or a control character in it", ALLOWED
            )
        raise Refused(f"{quoted(text)} is not an option with two dashes", ALLOWED)
    option, value = match[1], match[2] or ""
    own = _own_option(option, value)
    if own is not None:
        instead = OWN_OPTIONS[own]
        raise Refused(
            f"{quoted(option)} is set by clusterhub" if option == own else f"{quoted(option)} can mean {own}",
            f'"{instead}" in site.toml for this'
            if instead
            else "any option that clusterhub does not set itself",
        )
    return text


def _own_option(option: str, value: str) -> str | None:
    if option == "--gres" and "gpu" in value:
        return "--gpus"
    if option in OWN_OPTIONS:
        return option
    # sbatch takes any unambiguous beginning of an option (getopt_long(3)): --part=x is --partition=x
    return next((own for own in OWN_OPTIONS if own.startswith(option)), None)


DIRECTIVE = Kind(
    "option", read_directive, {"type": "string", "pattern": r"^--[a-z][a-z0-9-]*(=[^\s'\"\\]+)?$"}
)
