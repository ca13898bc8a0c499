"""The commands about environments; each imports what it needs inside itself, as in `clusterhub.cli`."""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clusterhub.cli_options import site_option

if TYPE_CHECKING:
    from clusterhub.environments.removal import Use
    from clusterhub.environments.versions import Environments
    from clusterhub.schedulers.model import CommandResult
    from clusterhub.site.schema import Site


def directory_option(command: Any) -> Any:
    """The option ``--directory``, of every command about the versions of a site."""
    return click.option(
        "--directory",
        type=click.Path(path_type=Path, file_okay=False),
        help="Where the versions lie [default: beside the link that site.toml names as [environment] path]",
    )(site_option(command))


def _site(path: Path) -> Site:
    from clusterhub.site.loading import load

    return load(path)


def _environments(path: Path, directory: Path | None) -> Environments:
    from clusterhub.environments.versions import Environments

    link = directory.absolute() / "current" if directory else _site(path).environment.path
    return Environments.of_link(link)


def _uses(path: Path) -> list[Use]:
    site = _site(path)
    from clusterhub.hub.environment_uses import uses

    return uses(site)


@click.group()
def environment() -> None:
    """Build, check and change the environment that sessions run in.

    Versions lie side by side; a link, `current`, leads to the active one. New sessions start in that; running
    ones stay where they began.
    """


@environment.command()
@directory_option
@click.option("--name", default="", metavar="NAME", help="What to call the version [default: today's date]")
@click.option("--anew", is_flag=True, help="Begin from nothing, where an earlier build was interrupted.")
@click.argument("specification", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
def build(path: Path, directory: Path | None, name: str, anew: bool, specification: Path | None) -> None:
    """Build a version from FILE, an environment.toml; without one, the default list.

    What is active does not change. A build that was interrupted is gone on with by the next one of the same
    file.
    """
    from clusterhub.environments import loading
    from clusterhub.environments.building import build as run
    from clusterhub.environments.progress import Progress
    from clusterhub.site.quantities import format_size

    wanted = (
        loading.parse("", Path("environment.toml")) if specification is None else loading.load(specification)
    )
    made = run(_environments(path, directory), wanted, Progress(), name=_checked(name), anew=anew)
    click.echo(
        f"{made.name} is built: {len(made.packages)} packages, {made.files:,} files, "
        f"{format_size(made.size // 2**20 * 2**20)}.\n"
        f"Next: clusterhub environment check {made.name}, then clusterhub environment activate {made.name}"
    )


@environment.command("list")
@directory_option
@click.option("--who", is_flag=True, help="Name the sessions, and the places in site.toml, that use each.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_versions(path: Path, directory: Path | None, who: bool, as_json: bool) -> None:
    """List the versions: which is active, which are in use, how large they are, when they were made."""
    from clusterhub.environments.listing import as_json as told
    from clusterhub.environments.listing import table, users
    from clusterhub.errors import ClusterhubError

    environments = _environments(path, directory)
    try:
        uses, trouble = _uses(path), ""
    except ClusterhubError as error:
        uses, trouble = None, error.explanation.what
    if as_json:
        click.echo(json.dumps(told(environments, uses), indent=2))
        return
    for line in table(environments, uses):
        click.echo(line)
    for line in users(environments, uses or []) if who else ():
        click.echo(line)
    if trouble:
        click.echo(f"Which are in use is not known: {trouble}", err=True)


@environment.command()
@directory_option
@click.argument("before")
@click.argument("after")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diff(path: Path, directory: Path | None, before: str, after: str, as_json: bool) -> None:
    """Say what AFTER has that BEFORE has not (+), what it lacks (-), and what has another version (~)."""
    from dataclasses import asdict

    from clusterhub.environments.comparison import changes

    environments = _environments(path, directory)
    old, new = (environments.version(name).manifest for name in (before, after))
    assert old is not None  # noqa: S101 - a finished version has one, which tells mypy
    assert new is not None  # noqa: S101 - as above
    found = list(changes(old, new))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
        return
    for each in found:
        click.echo(each.as_text())
    if not found:
        click.echo(f"{before} and {after} have the same packages.")


@environment.command()
@directory_option
@click.argument("name")
@click.option("--unchecked", is_flag=True, help="Also a version that has not passed `check`.")
def activate(path: Path, directory: Path | None, name: str, unchecked: bool) -> None:
    """Let new sessions run in the version NAME. Running sessions stay where they are."""
    from clusterhub.environments.activation import activate as run

    before = run(_environments(path, directory), name, unchecked=unchecked)
    click.echo(f"New sessions run in {name}{f' instead of {before}' if before and before != name else ''}.")


@environment.command()
@directory_option
def rollback(path: Path, directory: Path | None) -> None:
    """Let new sessions run in the version that was active before."""
    from clusterhub.environments.activation import rollback as run

    was, now = run(_environments(path, directory))
    click.echo(f"New sessions run in {now} again{f', and no more in {was}' if was else ''}.")


@environment.command()
@directory_option
@click.argument("name")
@click.option("--force", is_flag=True, help="Also while it is, or may be, in use. Never the active one.")
def remove(path: Path, directory: Path | None, name: str, force: bool) -> None:
    """Remove the version NAME; of one that was adopted, only the entry here.

    Never the active one, nor one that a live session runs in. Which these are the scheduler's queue and the
    sessions' logs tell, so this is for root.
    """
    from clusterhub.environments.removal import remove as run

    environments = _environments(path, directory)
    run(environments, name, [] if force else _uses(path), force=force)
    click.echo(f"{name} is removed.")


@environment.command()
@directory_option
@click.argument("name", required=False)
def pack(path: Path, directory: Path | None, name: str | None) -> None:
    """Pack the version NAME, or the active one, into one image, from which sessions start faster.

    The version stays as it is: a node that can read the image in no way reads that. Needs squashfs-tools.
    """
    from clusterhub.environments.packing import image_path
    from clusterhub.environments.packing import pack as run
    from clusterhub.site.quantities import format_size

    environments = _environments(path, directory)
    name = name or environments.active()
    image, made = run(environments, name, lambda doing: click.echo(doing, err=True))
    size = format_size(max(image.size // 2**20, 1) * 2**20)
    click.echo(
        f"{name} is packed{'' if made else ' already, and its image is whole'}: "
        f"{image_path(environments, name)}, {size}."
    )


@environment.command()
@directory_option
@click.option("--name", default="", metavar="NAME", help="What to call it [default: the directory's name]")
@click.argument("prefix", type=click.Path(path_type=Path, file_okay=False))
def adopt(path: Path, directory: Path | None, name: str, prefix: Path) -> None:
    """Use PREFIX, which conda or venv has made, in its place, and say what it lacks."""
    from clusterhub.environments.adoption import adopt as run

    prefix = prefix.absolute()
    made, found = run(_environments(path, directory), prefix, _checked(name or prefix.name.lower()))
    for each in found:
        click.echo(each.as_text())
    click.echo(
        f"{prefix} is adopted as {made.name}: Python {made.python}, {len(made.packages)} packages.\n"
        f"Next: clusterhub environment check {made.name}, then clusterhub environment activate {made.name}"
    )


def _duration(text: str) -> int:
    """Seconds. Raises click's error for what is no duration."""
    from clusterhub.site.quantities import Refused, parse_duration

    try:
        return parse_duration(text)
    except Refused as error:
        raise click.BadParameter(error.explanation.what, param_hint="--timeout") from None


def _checked(name: str) -> str:
    """A version's name, or nothing. Raises click's error for what cannot be one."""
    from clusterhub.site.kinds import SLUG
    from clusterhub.site.quantities import Refused
    from clusterhub.site.versions import CURRENT, PREVIOUS

    if not name:
        return ""
    if name in (CURRENT, PREVIOUS):
        raise click.BadParameter(f'"{name}" is what one of several versions is', param_hint="--name")
    try:
        return str(SLUG.read(name))
    except Refused as error:
        raise click.BadParameter(f"{error.what}; it is {error.allowed}", param_hint="--name") from None


@environment.command()
@directory_option
@click.argument("name", required=False)
@click.option("--here", is_flag=True, help="On this machine, instead of as a job on a node.")
@click.option("--as-user", "person", default="", metavar="NAME", help="As whom; root has to name somebody.")
@click.option(
    "--profile", default="", metavar="NAME", help="The profile whose job it is [default: the first]"
)
@click.option(
    "--timeout", default="10min", show_default=True, metavar="DURATION", help="For the check itself."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(
    *,
    path: Path,
    directory: Path | None,
    name: str | None,
    here: bool,
    person: str,
    profile: str,
    timeout: str,
    as_json: bool,
) -> None:
    """Open the version NAME, or the active one, as an ordinary person on a compute node.

    It starts JupyterLab and asks for its page, runs a notebook in each kernel, looks at each extension, at
    what the packages need, and at whether everybody can come to every file. It ends with 1 where sessions
    would fail.
    """
    from clusterhub.environments import checking
    from clusterhub.environments.records import CheckRecord, note_check

    environments = _environments(path, directory)
    version = environments.version(name or environments.active())
    somebody = checking.ordinary(person)
    seconds = float(_duration(timeout))
    if here:
        run = checking.here(somebody, seconds)
    else:
        from clusterhub.hub.environment_check import node

        place = node(_site(path), somebody, profile, seconds, lambda line: click.echo(line, err=True))

        def run(prefix: str, settings: str) -> CommandResult:
            return place.run(somebody, prefix, settings)

    report = checking.check(
        version.name, version.directory, somebody, run, host=socket.gethostname(), seconds=seconds
    )
    noted = note_check(
        environments, version.name, CheckRecord(report.passed, time.time(), somebody.name, report.where)
    )
    click.echo(json.dumps(report.as_json(), indent=2) if as_json else report.as_text())
    if not noted:
        click.echo(
            f"This account may not write in {environments.directory}, so the result is not kept.", err=True
        )
    sys.exit(0 if report.passed else 1)
