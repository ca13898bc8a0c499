"""The generated pages are what the sources say now, and say all of it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

import click
import pytest
from tests.docs.markdown import ROOT


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    yield importlib.import_module("_reference_pages")
    sys.modules.pop("_reference_pages", None)


@pytest.mark.parametrize(
    "name",
    ["announcements-toml.md", "audit-log.md", "command-line.md", "environment-toml.md", "site-toml.md"],
)
def test_a_generated_page_is_current(writer: ModuleType, name: str) -> None:
    page = writer.PAGES / name
    assert page.exists(), "run scripts/reference"
    assert page.read_text() == writer.GENERATED[name](), "run scripts/reference"


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that is not hidden, with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            if not child.hidden:
                yield from commands(child, f"{path} {name}")


def test_every_command_and_option_is_in_the_reference() -> None:
    from clusterhub.cli import main

    text = (ROOT / "docs" / "reference" / "command-line.md").read_text()
    for path, command in commands(main, "clusterhub"):
        section = text.partition(f"\n## {path}\n")[2].partition("\n## ")[0]
        assert section, f"{path} is not in the reference"
        assert command.help, f"{path} has no help text"
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, f"{path} {parameter.opts[0]} has no help text"
                assert parameter.opts[0] in section, f"{path} {parameter.opts[0]}"


def test_the_reference_of_a_command_has_its_usage_text_and_options(
    writer: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.group()
    def main() -> None:
        """Do things."""

    @main.command()
    @click.argument("user")
    @click.option("--lines", metavar="N", default=20, show_default=True, help="How many | lines.")
    def logs(user: str, lines: int) -> None:
        """Show a log.

        \b
        clusterhub logs alice
        """

    @main.command(hidden=True)
    def secret() -> None:
        """Not for people."""

    monkeypatch.setitem(sys.modules, "clusterhub.cli", type("cli", (), {"main": main}))  # type: ignore[arg-type]
    text = writer.command_line()
    assert "## clusterhub logs\n\n```\nclusterhub logs [OPTIONS] USER\n```\n\nShow a log.\n" in text
    assert "```\nclusterhub logs alice\n```" in text
    assert "| `--lines N` | How many \\| lines.  [default: 20] |" in text
    assert "secret" not in text
