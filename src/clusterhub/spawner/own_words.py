"""What people write themselves in a choice: variables for their session, and the directory that it starts in.

Neither may turn the session's own programs into others, which run for the person before anything of theirs.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from types import MappingProxyType

from clusterhub.languages.text import _
from clusterhub.site.quantities import Refused, quoted

MOST_VARIABLES = 32
LONGEST_VARIABLES = 4096
"""Characters of all of them together."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")

OWN_PREFIXES = (
    "BASH_",
    "CLUSTERHUB_",
    "DYLD_",
    "JPY_",
    "JUPYTER",
    "LD_",
    "MALLOC_",
    "MUNGE_",
    "OPENSSL_",
    "PYTHON",
    "SBATCH_",
    "SLURM_",
    "SSL_CERT_",
)
"""Beginnings of names that the hub, the scheduler, Python, TLS, bash or the loader of programs act on."""

OWN_NAMES = frozenset(
    {
        "BASHOPTS",
        "CDPATH",
        "ENV",
        "GCONV_PATH",
        "GLIBC_TUNABLES",
        "HOME",
        "IFS",
        "LOCPATH",
        "LOGNAME",
        "NLSPATH",
        "PATH",
        "PROMPT_COMMAND",
        "PS4",
        "PWD",
        "SHELL",
        "SHELLOPTS",
        "USER",
    }
)
"""Whole names of that kind."""

MODULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+/-]{0,127}")

VARIABLES_ALLOWED = _("lines such as OMP_NUM_THREADS=4")
DIRECTORY_ALLOWED = _('an absolute path, or one that begins with "~/"')


def read_variables(text: str) -> Mapping[str, str]:
    """The variables of lines such as ``OMP_NUM_THREADS=4``. Raises `Refused`."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        name, equals, value = line.partition("=")
        name = name.strip()
        if not equals or NAME.fullmatch(name) is None:
            raise Refused(_("{line} does not set a variable").format(line=quoted(line)), VARIABLES_ALLOWED)
        if name.upper() in OWN_NAMES or name.upper().startswith(OWN_PREFIXES):
            raise Refused(
                _("{name} is set by the hub, the scheduler or the system").format(name=name),
                _("another name, or set it in a notebook"),
            )
        if name in found:
            raise Refused(_("{name} is set twice").format(name=name), _("each name once"))
        if not value.isprintable():
            raise Refused(
                _("the value of {name} has characters that cannot be printed").format(name=name),
                VARIABLES_ALLOWED,
            )
        found[name] = value
    if len(found) > MOST_VARIABLES:
        raise Refused(
            _("{number} variables are too many").format(number=len(found)),
            _("at most {most}").format(most=MOST_VARIABLES),
        )
    return MappingProxyType(found)


def write_variables(variables: Mapping[str, str]) -> str:
    """The text that `read_variables` reads."""
    return "\n".join(f"{name}={value}" for name, value in variables.items())


def read_directory(text: str) -> str:
    """A path that begins at the root or at ``~``. Raises `Refused`."""
    if text != "~" and not text.startswith(("/", "~/")):
        raise Refused(
            _('{text} begins neither at the root nor with "~/"').format(text=quoted(text)), DIRECTORY_ALLOWED
        )
    if ".." in text.split("/"):
        raise Refused(_('{text} has ".." in it').format(text=quoted(text)), _("the path that it comes to"))
    if not text.isprintable():
        raise Refused(_("the path has characters that cannot be printed"), DIRECTORY_ALLOWED)
    return "/" + posixpath.normpath(text).lstrip("/") if text.startswith("/") else posixpath.normpath(text)


def read_module(text: str) -> str:
    """The name of a module, as `module load` takes it. Raises `Refused`."""
    if MODULE.fullmatch(text) is None or ".." in text:
        raise Refused(
            _("{text} is not the name of a module").format(text=quoted(text)),
            _('a name such as "jupyter/4.6"'),
        )
    return text
