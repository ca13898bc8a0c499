"""The helper as one file: an archive that Python runs, see the standard library's zipapp.

It is the same wherever the helper runs: installed for sudo, or made by a hub that runs it itself.
"""

from __future__ import annotations

import importlib.util
import io
import marshal
import struct
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


def helper_archive(python: str = "/usr/bin/python3", *, compiled: bool = False) -> bytes:
    """The archive, the same bytes for the same sources. ``python`` must be root's where root runs it.

    ``compiled`` adds the bytecode of the Python that makes it: each start of the helper then takes 12 ms of
    processor time less. Not for what is installed, as another Python would make other bytes.
    """
    files = {"__main__.py": _MAIN, "clusterhub/__init__.py": "", "clusterhub/privileged/__init__.py": ""}
    for path in sorted(Path(helper.__file__).parent.glob("*.py")):
        files[f"{_PACKAGE}/{path.name}"] = path.read_text(encoding="utf-8")
    contents = {name: text.encode() for name, text in files.items()}
    if compiled:
        contents |= {
            f"{name}c": _bytecode(name, text) for name, text in files.items() if name != "__main__.py"
        }
    archive = io.BytesIO()
    archive.write(f"#!{python} {ISOLATED}\n".encode())
    # Stored, not compressed, so that starting it needs no zlib.
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_STORED) as file:
        for name, content in contents.items():
            file.writestr(zipfile.ZipInfo(name), content)  # a ZipInfo's own date is that of 1980
    return archive.getvalue()


def _bytecode(name: str, text: str) -> bytes:
    """A module as Python keeps it compiled (PEP 552, not to be compared with its source)."""
    code = marshal.dumps(compile(text, name, "exec", dont_inherit=True))
    flags = struct.pack("<I", 0b01)  # with the hash of its source, unchecked
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(text.encode()) + code
