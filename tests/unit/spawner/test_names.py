"""User names that are odd and legal, at every edge that they cross; and hostile ones, which cross none.

Directories give out names with dots, capitals, plus signs and whole addresses; `useradd` alone would not.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from jupyterhub.utils import url_escape_path
from tests.unit.schedulers.test_slurm_queue import jobs, record

from clusterhub.errors import Explanation
from clusterhub.privileged.broker import Account
from clusterhub.privileged.helper.checks import LOG_NAME, TICKET_NAME, check_submission
from clusterhub.privileged.helper.configuration import Configuration
from clusterhub.privileged.helper.refusal import Refused
from clusterhub.privileged.helper.requests import check_request
from clusterhub.schedulers.local import LocalScheduler
from clusterhub.schedulers.model import Submission
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.site.people import allowed
from clusterhub.site.schema import Site
from clusterhub.spawner.ending_store import FILE, Ending, EndingStore
from clusterhub.spawner.job_request import SessionPaths, job_request
from clusterhub.spawner.messages import as_html
from clusterhub.spawner.options import parse_choice
from clusterhub.spawner.tags import Tag, parse_tag

ODD = [
    *("a+b", "a.b", "A_B", "_svc", "0x1", "1001", "a-b", "a--b", "a.", "a..b", "alice@", "nobody2"),
    *("ana.maria@example.org", "first.last+tag@sub.example.org", "u" * 64),
]
HOSTILE = [
    *(
        "",
        ".",
        "..",
        ".a",
        "-a",
        "--user=root",
        "+a",
        "@hpc",
        "a b",
        " a",
        "a ",
        "a/b",
        "../a",
        "a\\b",
        "a:b",
    ),
    *("a\n", "a\0", "a\t", "a\x1b[2J", "a;b", "a$b", "$(id)", "`id`", "a'b", 'a"b', "a%u", "a{job}", "a*"),
    *("a?", "a&b", "a|b", "a<b>", "a,b", "a=b", "a#b", "~a", "é", "\u0430lice", "a\u200b", "a\u202eb"),
    *("\ud800", "u" * 65),
]
LONGEST_HUB = "h" * 64
LONGEST_SERVER = "s" * 30
"""JupyterHub's own limit."""

odd = pytest.mark.parametrize("name", ODD)
hostile = pytest.mark.parametrize("name", HOSTILE)


def account_of(alice: Account, name: str) -> Account:
    return replace(alice, name=name, home=f"/home/{name}")


def submission(site: Site, alice: Account, tag: Tag) -> Submission:
    account = account_of(alice, tag.person)
    choice = parse_choice({}, site, account.name, account.groups)
    ticket = {"kind": "file", "path": SessionPaths.of(site, tag).ticket}
    request = job_request(
        site, profile=site.profiles[0], choice=choice, account=account, tag=tag, ticket=ticket
    )
    return SlurmScheduler().submission(request)


@odd
def test_an_odd_name_is_taken_by_the_helper(name: str) -> None:
    configuration = Configuration({}, "/shared/sessions")
    assert check_request({"verb": "account", "person": name}, configuration)[1]["person"] == name


@hostile
def test_a_hostile_name_is_not(name: str) -> None:
    configuration = Configuration({}, "/shared/sessions")
    with pytest.raises(Refused):
        check_request({"verb": "account", "person": name}, configuration)


@odd
@pytest.mark.parametrize("server", ["", "big-2", LONGEST_SERVER])
def test_a_tag_with_an_odd_name_is_read_as_it_was_written(name: str, server: str) -> None:
    tag = Tag(LONGEST_HUB, name, server)
    assert parse_tag(str(tag)) == tag


@odd
def test_a_job_of_an_odd_name_is_whole_in_the_queue(name: str) -> None:
    """squeue cuts each field at a width: the longest name and tag must fit."""
    tag = str(Tag(LONGEST_HUB, name, LONGEST_SERVER))
    (job,) = jobs(record(UserName=name, Comment=tag)).values()
    assert (job.person, job.tag) == (name, tag)


@odd
def test_the_job_of_an_odd_name_passes_the_helpers_checks(site: Site, alice: Account, name: str) -> None:
    directory = str(site.sessions.directory)
    configuration = Configuration(
        {"sbatch": ["/usr/bin/sbatch"]}, directory, directives=site.clusters["main"].directives
    )
    for server in ("", LONGEST_SERVER):
        argv = list(submission(site, alice, Tag(LONGEST_HUB, name, server)).argv)
        assert check_submission(argv, name, configuration) == argv


@odd
def test_the_local_engine_takes_an_odd_name(site: Site, alice: Account, name: str) -> None:
    tag = Tag("hub", name, "big")
    choice = parse_choice({}, site, name, ())
    request = job_request(
        site,
        profile=site.profiles[0],
        choice=choice,
        account=account_of(alice, name),
        tag=tag,
        ticket={"kind": "file", "path": SessionPaths.of(site, tag).ticket},
    )
    argv = list(LocalScheduler("/var/lib/engine", cpus=4, memory=8 << 30).submission(request).argv)
    configuration = Configuration(
        {"local-engine": ["/engine"]}, str(site.sessions.directory), engine_directories=["/var/lib/engine"]
    )
    assert check_submission(argv, name, configuration) == argv


@odd
def test_the_script_of_an_odd_name_is_a_script_and_knows_it(site: Site, alice: Account, name: str) -> None:
    tag = Tag("hub", name, "")
    script = submission(site, alice, tag).stdin
    subprocess.run(["/bin/bash", "-n"], input=script.encode(), check=True, capture_output=True)
    told = "set -- " + script.split("export CLUSTERHUB_SETTINGS=", 1)[1].split("\n", 1)[0]
    done = subprocess.run(
        ["/bin/bash", "-c", f'{told}; printf %s "$1"'], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["tag"] == str(tag)


@odd
@pytest.mark.parametrize("server", ["", "big"])
def test_the_files_of_an_odd_name_lie_in_a_directory_of_its_own(site: Site, name: str, server: str) -> None:
    paths = SessionPaths.of(site, Tag("hub", name, server))
    assert Path(paths.directory).parent == Path(site.sessions.directory)
    assert Path(paths.directory).name == name
    assert Path(paths.ticket).resolve() == Path(paths.ticket)
    assert TICKET_NAME.fullmatch(paths.ticket_name)
    assert LOG_NAME.fullmatch(paths.log_name("17"))
    assert paths.is_log(paths.log_name("17"))
    assert len(paths.log_name("4294967295").encode()) < 255


@odd
def test_a_working_directory_may_have_an_odd_name_in_it(site: Site, name: str) -> None:
    profile = site.profiles[0].model_copy(update={"working_directory": "/scratch/{person}"})
    assert profile.working_directory_of(name, f"/home/{name}") == f"/scratch/{name}"


def test_odd_names_are_kept_apart_in_the_store_of_endings(tmp_path: Path) -> None:
    store = EndingStore(tmp_path / FILE)
    endings = {
        str(Tag("hub", name, server)): Ending(Explanation(f"{name} {server}"), "small", time.time())
        for name in ODD
        for server in ("", "a")
    }
    store.keep(endings)
    assert {tag: store.last(tag) for tag in endings} == endings
    assert store.last(str(Tag("hub", "AxB", ""))) is None
    store.close()


@odd
def test_an_odd_name_is_a_user_in_lists_and_never_a_group(name: str) -> None:
    assert allowed([name], name, [])
    assert not allowed([f"@{name}"], name, [])
    assert not allowed([name], "somebody", [name])


@odd
def test_an_odd_name_comes_back_from_an_address(name: str) -> None:
    """As JupyterHub writes it into a path; of ours are the paths that the hub asks itself for."""
    assert unquote(url_escape_path(name)) == name
    assert unquote(name) == name, "it can stand in a path as it is"


@hostile
def test_a_hostile_name_in_an_explanation_is_text(name: str) -> None:
    html = as_html(Explanation(f"No session of {name}.", f"user {name}", f"Ask {name}."))
    for part in ("<b>", "<script", "a<b", '"b'):
        assert part not in html
