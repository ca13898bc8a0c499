"""The command line. Each verb imports what it needs inside itself: ``clusterhub --help`` is instant."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from clusterhub import __version__
from clusterhub.cli_environment import environment
from clusterhub.cli_options import site_option

DEBUG_VARIABLE = "CLUSTERHUB_DEBUG"


class Commands(click.Group):
    """A group that turns the errors of ours into a message; no traceback reaches a person."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; exits with 1 where it cannot do what it was asked."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            from clusterhub.errors import ClusterhubError

            if isinstance(error, ClusterhubError):
                click.echo(str(error), err=True)
            elif os.environ.get(DEBUG_VARIABLE):
                raise
            else:
                click.echo(
                    f"This should not happen: {type(error).__name__}: {error}\n"
                    f"  what to do: run it again with {DEBUG_VARIABLE}=1, and report what it prints.",
                    err=True,
                )
            sys.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="clusterhub")
def main() -> None:
    """Jupyter as an interface to a computing cluster."""


main.add_command(environment)


@main.command()
@site_option
@click.option("--only", type=click.Choice(["hub", "proxy"]), help="Run only this one of the two processes.")
def up(path: Path, only: str | None) -> None:
    """Run hub and proxy in the foreground.

    Ctrl-C, or SIGTERM, ends them; sessions go on, and are found again at the next start.
    """
    from clusterhub.hub.supervise import up as run
    from clusterhub.site.loading import load

    sys.exit(run(load(path), only, click.echo))


@main.command()
@site_option
@click.option(
    "--account", default="clusterhub", show_default=True, help="The account that the hub is to run as."
)
def setup(path: Path, account: str) -> None:
    """Let the hub run without root: make what belongs to root. Run it as root.

    It ensures the account, that the state directory is the account's, that the account can read what its hub
    needs, the helper through which the hub acts as others, and the one rule of sudo's for it.

    Run it again after an upgrade, and after a change of the site file; what is in order stays as it is.
    """
    from clusterhub.hub.service import setup as ensure
    from clusterhub.site.loading import load

    ensure(load(path), account, click.echo)


@main.command()
@site_option
@click.argument("user")
@click.argument("profile")
@click.argument("choices", nargs=-1, metavar="[KEY=VALUE]...")
def explain(path: Path, user: str, profile: str, choices: tuple[str, ...]) -> None:
    """Print what a start would submit, and submit nothing.

    USER is who would press Start, PROFILE what they would choose, such as: gpu time=2h gpus=2
    """
    from clusterhub.site.loading import load
    from clusterhub.spawner.dry_run import explain as explained

    click.echo(explained(load(path), user, profile, choices), nl=False)


@main.command()
@site_option
@click.argument("session", metavar="USER[/SERVER]")
@click.option("--job", help="The log of this job, instead of the newest.")
@click.option("--list", "only_list", is_flag=True, help="Only list the logs that there are.")
def logs(path: Path, session: str, job: str | None, only_list: bool) -> None:
    """Print the log of a session, running or ended."""
    from clusterhub.hub.logs import session_log
    from clusterhub.site.loading import load

    click.echo(session_log(load(path), session, job, only_list), nl=False)


@main.command()
@site_option
@click.argument("session", metavar="USER[/SERVER]")
def why(path: Path, session: str) -> None:
    """Say why the last session of a person ended, or why its start failed.

    It reads what the hub keeps, so it needs no hub that runs; only root and the hub's account may.
    """
    from clusterhub.hub.endings import why as told
    from clusterhub.site.loading import load

    click.echo(told(load(path), session), nl=False)


@main.command()
@site_option
@click.option("--end", is_flag=True, help="Cancel them, each as the person whose job it is.")
@click.option(
    "--older-than",
    metavar="DURATION",
    default="",
    help="Leave alone those that were submitted later than so long ago, such as 1h.",
)
def orphans(path: Path, end: bool, older_than: str) -> None:
    """List the jobs of this hub that none of its servers owns.

    It asks each scheduler once, and the hub's database, so it needs no hub that runs. Whatever looks like an
    orphan is looked up in the database a second time, ten seconds later: a start that goes on is none.

    The hub itself ends none of them. Where that is your policy, let a timer run this with --end and
    --older-than.
    """
    from clusterhub.hub.orphans import orphans as look
    from clusterhub.site.loading import load
    from clusterhub.site.quantities import Refused, parse_duration

    try:
        seconds = parse_duration(older_than) if older_than else 0
    except Refused as error:
        raise click.BadParameter(error.explanation.what, param_hint="--older-than") from None
    sys.exit(look(load(path), end=end, say=click.echo, older_than=seconds))


@main.group()
def config() -> None:
    """Look at the site file and at what follows from it."""


@config.command()
@site_option
def check(path: Path) -> None:
    """Say whether the site file is good, or name everything that is wrong in it."""
    from clusterhub.hub.certificate import check_certificate
    from clusterhub.hub.configure import resolve
    from clusterhub.site.loading import load

    site = load(path)
    resolve(site)
    for warning in check_certificate(site):
        click.echo(warning, err=True)
    click.echo(
        f"{path}: good: {_counted(len(site.clusters), 'cluster')}, {_counted(len(site.profiles), 'profile')}"
    )


@config.command()
@site_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(path: Path, as_json: bool) -> None:
    """Print the JupyterHub configuration that results, with the origin of each value; secrets are masked."""
    from clusterhub.hub.configure import masked, resolve
    from clusterhub.site.loading import load

    shown = masked(resolve(load(path)))
    if as_json:
        click.echo(json.dumps(shown, indent=2, default=repr))
        return
    for each in shown:
        click.echo(f"{each['setting']} = {each['value']!r}\n    # {each['origin']}")


@config.command()
def schema() -> None:
    """Print the JSON Schema of the site file, for editors."""
    from clusterhub.site.editors import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
