"""What the documentation tells people to write and to type is accepted."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.docs import markdown

from clusterhub.environments.loading import parse as parse_environment
from clusterhub.site.announcements import parse as parse_announcements
from clusterhub.site.loading import parse

SITE = Path("/etc/clusterhub/site.toml")
# What an example of one table leaves out.
REST_OF_A_SITE = {
    "hub": '[hub]\nurl = "http://127.0.0.1:8000"\n',
    "environment": '[environment]\npath = "/shared/clusterhub/environments/current"\n',
    "cluster": '[cluster.main]\nscheduler = "slurm"\n',
    "profile": '[[profile]]\nname = "interactive"\n',
}


def blocks(*languages: str) -> list[object]:
    """The code blocks in one of these languages, as parameters of a test."""
    return [
        pytest.param(block, id=f"{page.relative_to(markdown.ROOT)}:{block.line}")
        for page in markdown.pages()
        for block in markdown.code_blocks(page)
        if block.language in languages
    ]


@pytest.mark.parametrize("block", blocks("toml"))
def test_an_example_of_site_toml_is_accepted(block: markdown.CodeBlock) -> None:
    """Also an example of one table only, once the tables that every site needs are put beside it.

    One that begins with the name of another file is an example of that.
    """
    if block.text.startswith("# environment.toml"):
        parse_environment(block.text, Path("environment.toml"))
        return
    if block.text.startswith("# announcements.toml"):
        parse_announcements(block.text, Path("announcements.toml"))
        return
    given = set(re.findall(r"^\[+([a-z]+)", block.text, re.MULTILINE))
    rest = "\n".join(text for name, text in REST_OF_A_SITE.items() if name not in given)
    parse(f"{block.text}\n{rest}", SITE)


def commands_typed(text: str) -> Iterator[list[str]]:
    """The words after ``clusterhub`` in lines that call it, wherever it is installed."""
    for line in text.splitlines():
        found = re.match(r"(?:[$#] )?(?:sudo )?(?:\S*/bin/)?clusterhub(?: (.*))?$", line.strip())
        if found:
            yield (found[1] or "").split()


@pytest.mark.parametrize("block", blocks("console", "sh"))
def test_a_command_of_ours_exists_with_its_options(block: markdown.CodeBlock) -> None:
    for words in commands_typed(block.text):
        command: click.Command = importlib.import_module("clusterhub.cli").main
        known = {name for parameter in command.params for name in parameter.opts}
        for word in words:
            if word.startswith("--"):
                assert word.partition("=")[0] in {*known, "--help", "--version"}, " ".join(words)
            elif isinstance(command, click.Group):
                assert word in command.commands, " ".join(words)
                command = command.commands[word]
                known |= {name for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize("block", blocks("console", "sh"))
def test_a_script_of_ours_exists(block: markdown.CodeBlock) -> None:
    for name in re.findall(r"^(?:[$#] )?(scripts/[a-z_-]+)", block.text, re.MULTILINE):
        assert (markdown.ROOT / name).is_file(), name
