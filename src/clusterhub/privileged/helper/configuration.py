"""What the operator allows the helper to do."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from clusterhub.privileged.helper.options import PROGRAMS, directive_words
from clusterhub.privileged.helper.refusal import Refused, refused_with

CONFIGURATION = "/etc/clusterhub/helper.json"
LONGEST_PROGRAM_SECONDS = 600


class Configuration(NamedTuple):
    """Read from a file that only root (or this very account) may write."""

    programs: Mapping[str, Sequence[str]]
    """Each scheduler program's bare name, and the absolute path and first arguments that it is run with."""
    session_directory: str
    environment: Mapping[str, str] = MappingProxyType({})
    """Added to the clean environment that programs get, such as ``SLURM_CONF``."""
    pam_service: str = "login"
    allow: Sequence[str] = ()
    """Accounts and @groups that may log in and start sessions; empty: everybody who is a person."""
    minimum_uid: int = 1000
    only_person: str | None = None
    directives: Sequence[str] = ()
    """The operator's own options for submitting, each the exact text that may be given."""
    engine_directories: Sequence[str] = ()
    """Where local engines keep their records, each the exact text that their commands name."""
    own_environments: bool = False
    """Whether people may bring environments, of which names of files can then be looked at as them."""
    audit_log: str | None = None
    program_seconds: int = 30
    umask: int = 0o022
    """Slurm hands it on to the job: a stricter one would hide a person's new files from their own group."""

    def as_json(self) -> str:
        """The text of the configuration file."""
        mappings = {"programs": dict(self.programs), "environment": dict(self.environment)}
        return json.dumps({**self._asdict(), **mappings}, indent=2, sort_keys=True) + "\n"


def _is_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and "\0" not in one for one in value)


def _is_path(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"(/[^\s/%\\]+)+", value) is not None and ".." not in value


def _is_programs(value: object) -> bool:
    return isinstance(value, dict) and all(
        name in PROGRAMS and _is_strings(argv) and argv and argv[0].startswith("/")
        for name, argv in value.items()
    )


_RULES: dict[str, Callable[[Any], bool]] = {
    "programs": _is_programs,
    "session_directory": _is_path,
    "environment": lambda value: isinstance(value, dict) and _is_strings([*value, *value.values()]),
    "pam_service": lambda value: isinstance(value, str) and bool(re.fullmatch(r"[a-z0-9_-]+", value)),
    "allow": _is_strings,
    "minimum_uid": lambda value: type(value) is int and value >= 1,
    "only_person": lambda value: value is None or isinstance(value, str),
    "directives": lambda value: _is_strings(value) and all(map(directive_words, value)),
    "engine_directories": lambda value: isinstance(value, list) and all(map(_is_path, value)),
    "own_environments": lambda value: type(value) is bool,
    "audit_log": lambda value: value is None or _is_path(value),
    "program_seconds": lambda value: type(value) is int and 1 <= value <= LONGEST_PROGRAM_SECONDS,
    "umask": lambda value: type(value) is int and value in range(0o100),
}


def check_configuration(document: object) -> Configuration:
    """The configuration in a parsed JSON document; `Refused` names the key that is wrong."""
    if not isinstance(document, dict):
        raise Refused("the helper's configuration is not a JSON object", next_step="write it anew")
    for key, value in document.items():
        if key not in _RULES or not _RULES[key](value):
            raise Refused("the helper's configuration has a wrong entry", str(key), "correct it in site.toml")
    for key in ("programs", "session_directory"):
        if key not in document:
            raise Refused("the helper's configuration lacks an entry", key, "write it anew")
    return Configuration(**document)


def read_configuration(path: str, owners: tuple[int, ...]) -> Configuration:
    """The configuration in that file, refused if anybody but ``owners`` could have written it."""
    next_step = "let the operator make it anew, owned by root, mode 0644 or stricter"
    with refused_with("the helper's configuration cannot be read", path, next_step):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in owners or status.st_mode & 0o022:
            raise Refused("the helper's configuration could be written by others", path, next_step)
        text = file.read(1 << 20)
    try:
        document = json.loads(text)
    except ValueError:
        raise Refused("the helper's configuration is not JSON", path, next_step) from None
    return check_configuration(document)
