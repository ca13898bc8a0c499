"""The job request holds what the operator and the choice say, each value quoted where bash reads it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.spawner.conftest import SITE

from clusterhub.privileged.broker import Account
from clusterhub.schedulers.model import Gpus, JobRequest, Memory
from clusterhub.session import launcher
from clusterhub.site.loading import parse
from clusterhub.site.schema import Site
from clusterhub.spawner.job_request import (
    CARRIED,
    SessionPaths,
    carried_files,
    job_request,
    ticket_settings,
)
from clusterhub.spawner.options import parse_choice
from clusterhub.spawner.tags import Tag, parse_tag

TAG = Tag("hub.example.org", "alice", "")
MUNGE = {"kind": "munge", "uid": 990}


def request_of(site: Site, account: Account, **options: object) -> JobRequest:
    choice = parse_choice(options, site, account.name, account.groups)
    profile = site.profile_named(choice.profile)
    return job_request(site, profile=profile, choice=choice, account=account, tag=TAG, ticket=MUNGE)


def test_a_profile_and_a_choice_become_a_request(site: Site, alice: Account) -> None:
    request = request_of(site, alice, profile="gpu", gpus=2)
    assert request.gpus == Gpus(2, "h200")
    assert request.partitions == ("gpu",)
    assert request.time_seconds == 7200
    assert request.prologue == "module load cuda"
    assert request.directives == ("--licenses=matlab", "--exclusive")
    assert request.working_directory is None
    assert request.log_path == "/shared/clusterhub/sessions/alice/default-{job}.log"
    assert request.memory is None
    assert request.tag == "clusterhub:hub.example.org:alice:"
    assert request_of(site, alice).memory == Memory(4 * 2**30, "node")


@pytest.mark.parametrize(
    ("given", "expected"),
    [("~", "/home/alice"), ("~/work", "/home/alice/work"), ("/scratch/{person}", "/scratch/alice")],
)
def test_the_working_directory_may_be_the_persons_own(given: str, expected: str, alice: Account) -> None:
    text = SITE.replace('title = "Interactive"', f'title = "Interactive"\nworking_directory = "{given}"')
    assert request_of(parse(text, Path("site.toml")), alice).working_directory == expected


def test_the_body_is_bash_that_hands_over_exactly_what_it_was_given(site: Site, alice: Account) -> None:
    body = request_of(site, alice).body
    # Instead of the environment's Python: a Python that prints what it was handed.
    shown = (
        "import os, json, sys; "
        "print(json.dumps([dict(os.environ), open(sys.argv[-1]).read(), open(4).read()]))"
    )
    body = body.replace(
        "python=/shared/clusterhub/environments/current/bin/python3", "python=/usr/bin/python3"
    )
    body = body.replace('"$python" -I /dev/fd/3', f"\"$python\" -I -c '{shown}' /dev/fd/3")
    done = subprocess.run(["/bin/bash"], input=body, capture_output=True, text=True, check=True, timeout=30)
    environment, source, files = json.loads(done.stdout)
    assert environment["QUOTED"] == "it's $HOME"
    assert environment["PATH"].startswith("/usr/bin:")
    assert source == Path(launcher.__file__).read_text()
    assert files == carried_files()
    settings = json.loads(environment["CLUSTERHUB_SETTINGS"])
    assert settings["claim_url"] == "https://gateway:8081/hub/api/clusterhub/claim"
    assert settings["ports"] == [30000, 30010]
    assert settings["ticket"] == MUNGE
    assert settings["time_url"] == "https://gateway:8081/hub/api/clusterhub/time"


def test_what_travels_is_read_back_file_by_file_and_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "carried").write_text(carried_files())
    monkeypatch.setattr(launcher, "FILES", str(tmp_path / "carried"))
    files = launcher.carried_files()
    assert tuple(files) == CARRIED
    for name, text in files.items():
        assert text == (Path(launcher.__file__).parent / name).read_text(), name
    try:
        modules = launcher.load_modules(files)
        assert modules["server"].Session is modules["following"].Session
        assert modules["following"].say is launcher.say
    finally:
        for name in [name for name in sys.modules if name.startswith(launcher.PACKAGE)]:
            del sys.modules[name]


def test_a_session_is_warned_as_the_site_says_and_a_short_one_for_half_of_its_time(
    site: Site, alice: Account
) -> None:
    assert request_of(site, alice, profile="gpu").warning_seconds == 300
    short = request_of(site, alice, time="4min")
    assert (short.time_seconds, short.warning_seconds) == (240, 120)
    assert '"warning": 120' in short.body


def test_a_missing_environment_is_said_in_the_log_with_a_code_of_its_own(site: Site, alice: Account) -> None:
    body = request_of(site, alice).body.replace("python=/shared/", "python=/nowhere/")
    done = subprocess.run(
        ["/bin/bash"],
        input=body,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == launcher.NO_ENVIRONMENT
    assert "there is no Python that you can run at /nowhere/clusterhub/environments/current" in done.stderr


def test_what_travels_with_the_job_holds_no_secret(site: Site, alice: Account) -> None:
    request = request_of(site, alice)
    for word in ("API_TOKEN=", "password", "secret="):
        assert word not in request.body.replace("JUPYTERHUB_API_TOKEN", "")
    assert ticket_settings(site, TAG, None) == {
        "kind": "file",
        "path": "/shared/clusterhub/sessions/alice/default.ticket",
    }


@pytest.mark.parametrize("person", ["alice", "a.b-c_d", "user@example.org", "x:y"])
@pytest.mark.parametrize("server", ["", "second"])
def test_a_tag_is_read_back_as_it_was_written(person: str, server: str) -> None:
    tag = Tag("hub.example.org-8000", person, server)
    assert parse_tag(str(tag)) == tag


@pytest.mark.parametrize(
    "text", ["", "clusterhub", "clusterhub:hub", "clusterhub:hub:", "other:hub:alice:", "clusterhub::alice:"]
)
def test_comments_of_others_are_no_tags(text: str) -> None:
    assert parse_tag(text) is None


def test_logs_of_a_session_are_told_from_those_of_another() -> None:
    first, second = SessionPaths("/s/alice", "default"), SessionPaths("/s/alice", "my-gpu")
    assert first.is_log("default-17.log")
    assert second.is_log("my-gpu-17.log")
    assert not first.is_log("my-gpu-17.log")
    assert not first.is_log("default.ticket")
    assert not SessionPaths("/s/alice", "my").is_log("my-gpu-17.log")


def test_no_name_of_a_server_makes_it_share_files_with_another(site: Site) -> None:
    names = ["", "default", "server-default", "server"]
    paths = [SessionPaths.of(site, Tag("hub.example.org", "alice", name)) for name in names]
    assert len({path.log for path in paths}) == len({path.ticket for path in paths}) == len(names)
