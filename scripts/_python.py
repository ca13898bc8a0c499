"""Whether this Python is new enough. This file alone must run on old ones: Python 3.6 and later read it."""

import os
import shutil
import sys

OLDEST = (3, 10)
NEWER_NAMES = ("python3.14", "python3.13", "python3.12", "python3.11", "python3.10")


def ensure_new_enough() -> None:
    """Go on, change over to a newer Python in PATH, or end with one sentence."""
    if sys.version_info >= OLDEST:
        return
    for name in NEWER_NAMES:
        newer = shutil.which(name)
        if newer:
            os.execv(newer, [newer, *sys.argv])  # noqa: S606 - no shell is meant
    sys.exit(
        f"clusterhub needs Python {OLDEST[0]}.{OLDEST[1]} or newer; {sys.executable} is "
        f"{sys.version_info[0]}.{sys.version_info[1]}, and no newer one is in PATH."
    )


ensure_new_enough()
