"""What people bring along for their server: where the operator says so, checked, and never a shell's text.

Fails where a profile that says nothing lets one be named, where two are taken at once, and where what the
helper does not see is submitted all the same.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.unit.site.small_sites import ENVIRONMENT, site_with

from clusterhub.privileged.broker import Account
from clusterhub.privileged.helper.environments import look_at
from clusterhub.session.elsewhere import RUNTIME
from clusterhub.site.schema import Site
from clusterhub.spawner.job_request import job_request
from clusterhub.spawner.options import ChoiceRefused, parse_choice
from clusterhub.spawner.own_environment import Own, command, own_of, problem_of
from clusterhub.spawner.tags import Tag

PROFILES = """
[[profile]]
name = "own"
choose = ["own_path", "own_module", "own_image"]
[[profile]]
name = "usual"
"""


@pytest.fixture
def site() -> Site:
    return site_with(PROFILES)


@pytest.mark.parametrize(
    "given",
    [{"own_path": "~/venv"}, {"own_path": ["~/venv"]}, {"own_path": "~/venv", "own_module": ""}],
    ids=["link or api", "form", "form with what was left empty"],
)
def test_it_is_taken_where_the_operator_lets_people_and_nowhere_else(
    site: Site, given: dict[str, Any]
) -> None:
    choice = parse_choice({"profile": "own", **given}, site, "alice", ())
    assert own_of(choice, "/home/alice") == Own("own_path", "/home/alice/venv")
    assert parse_choice(choice.as_options(), site, "alice", ()) == choice
    with pytest.raises(ChoiceRefused, match="does not let you choose own_path"):
        parse_choice({"profile": "usual", **given}, site, "alice", ())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"own_path": "venv"}, "begins neither at the root"),
        ({"own_path": "/home/alice/../bob/venv"}, "has"),
        ({"own_module": "jupyter; reboot"}, "is not the name of a module"),
        ({"own_module": "--force"}, "is not the name of a module"),
        ({"own_module": "../jupyter"}, "is not the name of a module"),
        ({"own_image": "docker://else"}, "begins neither at the root"),
    ],
)
def test_what_is_no_environment_is_refused_by_its_form(site: Site, given: dict[str, str], said: str) -> None:
    with pytest.raises(ChoiceRefused, match=said):
        parse_choice({"profile": "own", **given}, site, "alice", ())


def test_the_server_runs_in_one_environment(site: Site) -> None:
    both = {"profile": "own", "own_path": "/venv", "own_module": "jupyter"}
    with pytest.raises(ChoiceRefused, match="wn_path and own_module were given"):
        own_of(parse_choice(both, site, "alice", ()), "/home/alice")


@pytest.mark.parametrize(
    ("own", "containers", "expected"),
    [
        (Own("own_path", "/home/alice/my env"), "", ["/home/alice/my env/bin/python3"]),
        (
            Own("own_image", "/images/lab.sif"),
            "apptainer",
            [
                *("apptainer", "exec", "--bind", RUNTIME, "--bind", "/home/alice"),
                *("/images/lab.sif", "python3"),
            ],
        ),
        (
            Own("own_image", "/images/lab"),
            "charliecloud",
            ["ch-run", "--home", "--cd=/home/alice", "/images/lab", "--", "python3"],
        ),
        (
            Own("own_image", "/images/lab.tar"),
            "podman",
            [
                *("podman", "run", "--rm", "--network=host", "--env-host", "--userns=keep-id"),
                *("--preserve-fds=2", "--cgroups=disabled", "--volume", f"{RUNTIME}:{RUNTIME}"),
                *("--volume", "/home/alice:/home/alice", "--workdir=/home/alice"),
                *("docker-archive:/images/lab.tar", "python3"),
            ],
        ),
    ],
)
def test_how_it_is_run(own: Own, containers: str, expected: list[str]) -> None:
    assert list(command(own, containers, "/home/alice")) == expected


def test_a_module_is_loaded_before_its_python_runs(tmp_path: Path) -> None:
    """`module` is a fake of Lmod's, and its Python says what it was given."""
    (tmp_path / "python3").write_text('#!/bin/sh\necho "$LOADED" "$@"\n')
    (tmp_path / "python3").chmod(0o755)
    module = (
        f'module() {{ [ "$2" != gone ] || return 1; export LOADED=$2 PATH="{tmp_path}:$PATH"; }}; '
        "export -f module"
    )
    found = {}
    for name in ("jupyter/4.6", "gone"):
        words = command(Own("own_module", name), "", "/home/alice")
        run = ["/bin/bash", "-c", f'{module}; exec "$@"', "bash", *words, "-I", "start.py"]
        done = subprocess.run(run, capture_output=True, text=True, check=False)
        found[name] = (done.returncode, done.stdout)
    assert found == {"jupyter/4.6": (0, "jupyter/4.6 -I start.py\n"), "gone": (81, "")}


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """As much of an environment as is looked at."""
    packages = tmp_path / "venv" / "lib" / "python3.12" / "site-packages"
    (packages / "jupyter_server-2.17.0.dist-info").mkdir(parents=True)
    (tmp_path / "venv" / "bin").mkdir()
    (tmp_path / "venv" / "bin" / "python3").symlink_to("/bin/true")
    return tmp_path / "venv"


def problem(path: Path, key: str = "own_path") -> str:
    """What is said of it; empty where nothing speaks against it."""
    found = problem_of(Own(key, str(path)), look_at(str(path)))
    assert found is None or (found.field == key and found.explanation.next)
    return str(found) if found is not None else ""


def test_an_environment_with_jupyter_server_will_do(venv: Path) -> None:
    assert look_at(str(venv)) == {
        "exists": True,
        "readable": True,
        "runs": True,
        "borrows": False,
        "python": "3.12",
        "server": "2.17.0",
    }
    assert problem(venv) == ""


def test_what_an_environment_lacks_is_said_before_anything_is_submitted(venv: Path) -> None:
    packages = venv / "lib" / "python3.12" / "site-packages"
    assert "There is no" in problem(venv / "else")
    (packages / "jupyter_server-2.17.0.dist-info").rmdir()
    assert "has no Jupyter Server" in problem(venv)
    assert "-m pip install jupyter-server" in problem(venv)
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = true\n")
    assert problem(venv) == "", "it may be in the other Python"
    (venv / "lib" / "python3.12").rename(venv / "lib" / "python3.9")
    assert "has Python 3.9, and sessions need 3.10" in problem(venv)
    (venv / "bin" / "python3").unlink()
    assert "has no program bin/python3 that you may run" in problem(venv)


def test_an_image_has_to_be_there(tmp_path: Path) -> None:
    image = tmp_path / "lab.sif"
    assert "There is no" in problem(image, "own_image")
    image.touch()
    assert problem(image, "own_image") == ""


def test_the_job_boards_with_the_sites_python_and_is_told_what_to_run(site: Site, alice: Account) -> None:
    choice = parse_choice({"profile": "own", "own_path": "~/it's mine"}, site, "alice", ())
    bodies = [
        job_request(
            site,
            profile=site.profile_named("own"),
            choice=each,
            account=alice,
            tag=Tag("hub", "alice", ""),
            ticket={"kind": "munge", "uid": 1},
        ).body
        for each in (choice, parse_choice({"profile": "own"}, site, "alice", ()))
    ]
    assert f"python={ENVIRONMENT}/bin/python3" in bodies[0]
    assert ["==> launcher.text <==" in body for body in bodies] == [True, False]
    assert ['"own": {"command":' in body for body in bodies] == [True, False]
