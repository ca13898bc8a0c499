"""The helper as one file: an archive that Python runs, see the standard library's zipapp.

It is the same wherever the helper runs: installed for sudo, or made by a hub that runs it itself.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from clusterhub.privileged import helper

ISOLATED = "-IS"
"""Python's options: no directory, no environment variable and no site-packages can add a module."""

_PACKAGE = "clusterhub/privileged/helper"
_MAIN = """import sys
from clusterhub.privileged.helper.__main__ import main
sys.exit(main())
"""


def helper_archive(python: str = "/usr/bin/python3") -> bytes:
    """The archive, the same bytes for the same sources. ``python`` must be root's where root runs it."""
    files = {"__main__.py": _MAIN, "clusterhub/__init__.py": "", "clusterhub/privileged/__init__.py": ""}
    for path in sorted(Path(helper.__file__).parent.glob("*.py")):
        files[f"{_PACKAGE}/{path.name}"] = path.read_text(encoding="utf-8")
    archive = io.BytesIO()
    archive.write(f"#!{python} {ISOLATED}\n".encode())
    # Stored, not compressed, so that starting it needs no zlib.
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_STORED) as file:
        for name, text in files.items():
            file.writestr(zipfile.ZipInfo(name), text)  # a ZipInfo's own date is that of 1980
    return archive.getvalue()
