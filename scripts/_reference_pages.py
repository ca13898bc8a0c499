"""The pages of docs/reference that are made from the sources; run by ``scripts/reference``."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

PAGES = Path(__file__).resolve().parent.parent / "docs" / "reference"

COMMAND_LINE = """\
# The command line

<!-- Made by `scripts/reference` from the commands themselves; change their help texts instead. -->

`clusterhub` and each of its commands take `--help`.
"""


def command_line() -> str:
    """Every command of ``clusterhub`` with its arguments and options."""
    root = importlib.import_module("clusterhub.cli").main
    return (
        "\n".join([COMMAND_LINE, *_command(root, click.Context(root, info_name="clusterhub"))]).rstrip()
        + "\n"
    )


def site_toml() -> str:
    """Every key of ``site.toml``."""
    return str(importlib.import_module("clusterhub.site.reference").reference())


def environment_toml() -> str:
    """Every key of ``environment.toml``."""
    return str(importlib.import_module("clusterhub.environments.reference").reference())


def announcements_toml() -> str:
    """Every key of ``announcements.toml``."""
    return str(importlib.import_module("clusterhub.site.announcements_reference").reference())


def audit_log() -> str:
    """Every event of the audit log, with its fields."""
    return str(importlib.import_module("clusterhub.audit.reference").reference())


GENERATED: dict[str, Callable[[], str]] = {
    "announcements-toml.md": announcements_toml,
    "audit-log.md": audit_log,
    "command-line.md": command_line,
    "environment-toml.md": environment_toml,
    "site-toml.md": site_toml,
}


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    """A section for a command, then those of its subcommands; hidden ones are left out."""
    yield f"## {context.command_path}"
    yield ""
    yield "```"
    yield " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield "```"
    yield ""
    yield from _text(command.help or "")
    rows = list(_parameters(command, context))
    if rows:
        yield "| option | meaning |"
        yield "|---|---|"
        yield from rows
        yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from _command(child, click.Context(child, info_name=name, parent=context))


def _text(help_text: str) -> Iterator[str]:
    """A help text as Markdown: a paragraph that click is told not to wrap becomes a code block."""
    paragraphs = inspect.cleandoc(help_text).split("\f")[0].strip()
    for paragraph in re.split(r"\n\s*\n", paragraphs):
        if paragraph.startswith("\b"):
            yield from ("```", *paragraph.splitlines()[1:], "```", "")
        elif paragraph:
            yield from (*paragraph.splitlines(), "")


def _parameters(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        # Every command has --help, and an argument without a text is in the usage line.
        if record is not None and record[1] and "--help" not in parameter.opts:
            names, meaning = (part.replace("|", "\\|") for part in record)
            yield f"| `{names}` | {meaning} |"


def main() -> int:
    """Write the pages, or with ``--check`` compare them."""
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit("usage: scripts/reference [--check]")
    outdated = []
    for name, page in GENERATED.items():
        path = PAGES / name
        text = page()
        if check and (not path.exists() or path.read_text() != text):
            outdated.append(name)
        elif not check:
            path.write_text(text)
            print(f"wrote {path}")
    if outdated:
        print(f"not current: {', '.join(outdated)}; run scripts/reference", file=sys.stderr)
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())
