"""What a site may say, the helper lets through: else every start of that site would fail."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.site.examples import OF_A_SITE, OF_EVERYTHING, OF_ONE_MACHINE

from clusterhub.privileged.helper.checks import check_submission
from clusterhub.privileged.helper.configuration import Configuration, check_configuration
from clusterhub.schedulers.model import Gpus, JobRequest, Memory
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.site.addresses import PLAIN_PATH
from clusterhub.site.cluster import JOB_NAME
from clusterhub.site.hub import HUB_ID, PAM_SERVICE
from clusterhub.site.kinds import Kind
from clusterhub.site.loading import parse
from clusterhub.site.profile import ACCOUNT, CONSTRAINT, PARTITION, QOS, RESERVATION
from clusterhub.site.quantities import Refused
from clusterhub.site.ranges import GPU_TYPE
from clusterhub.site.schema import Site

VISIBLE = st.characters(max_codepoint=0x17F, exclude_categories=("C", "Z"))
PLACE = Path("/etc/clusterhub/site.toml")


def helper_for(site: Site) -> Configuration:
    """What the helper makes of its configuration for that site, or its refusal."""
    directories = [str(each.directory) for each in site.clusters.values() if each.directory is not None]
    return check_configuration(
        {
            "programs": {"sbatch": ["/usr/bin/sbatch"]},
            "session_directory": str(site.sessions.directory),
            "pam_service": site.login.pam_service,
            "directives": [*site.profiles[0].directives, *site.cluster_of(site.profiles[0]).directives],
            "engine_directories": directories,
        }
    )


def submission_of(site: Site) -> JobRequest:
    """The request of the site's first profile for alice."""
    profile = site.profiles[0]
    cluster = site.cluster_of(profile)
    return JobRequest(
        tag=f"clusterhub:{site.hub.id}:alice:",
        name=cluster.job_name,
        person="alice",
        log_path=f"{site.sessions.directory}/alice/default-{{job}}.log",
        body="",
        time_seconds=profile.time.max,
        cpus=profile.cpus.max,
        nodes=profile.nodes.max,
        memory=Memory(profile.memory.max, "node") if profile.memory else None,
        gpus=Gpus(profile.gpus.max, profile.gpus.type) if profile.gpus else None,
        partitions=profile.partition,
        account=profile.account,
        qos=profile.qos,
        reservation=profile.reservation,
        constraint=profile.constraint,
        nice=profile.nice,
        working_directory=profile.working_directory_of("alice", "/home/alice"),
        directives=(*cluster.directives, *profile.directives),
    )


def lets_through(site: Site, request: JobRequest) -> bool:
    argv = list(SlurmScheduler(request.name).submission(request).argv)
    return check_submission(argv, "alice", helper_for(site)) == argv


@pytest.mark.parametrize("text", [OF_A_SITE, OF_EVERYTHING], ids=["the example", "everything"])
def test_what_the_examples_submit_is_let_through(text: str) -> None:
    site = parse(text, PLACE)
    assert lets_through(site, submission_of(site))


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("[hub]", 'id = "a--b..c.9"'),
        ("[cluster.main]", 'job_name = "9.a_-"'),
        ("[login]", 'pam_service = "_my-sshd2"'),
        ("[[profile]]", 'partition = ["_a", "b.c@d+e-f"]'),
        ("[[profile]]", 'account = "9@x+y"'),
        ("[[profile]]", 'qos = "a.b-"'),
        ("[[profile]]", 'reservation = "a_1,b+2"'),
        ("[[profile]]", 'constraint = "[(a|b)&c*2,d:e.f-g]"'),
        ("[[profile]]", 'working_directory = "/scratch/ä b%/{person}"'),
        ("[[profile]]", "nodes = 1000000"),
        ("[[profile]]", "nice = 2147483645"),
        ("[[profile]]", 'gpus = { default = 1, type = "a100_3g.20gb+x-" }'),
    ],
)
def test_an_odd_value_that_the_site_may_have_is_let_through(table: str, line: str) -> None:
    key = line.partition(" = ")[0]
    lines = OF_EVERYTHING.splitlines()
    begin = lines.index(table)
    at = next(number for number in range(begin, len(lines)) if lines[number].startswith(f"{key} = "))
    site = parse("\n".join([*lines[:at], line, *lines[at + 1 :]]), PLACE)
    assert lets_through(site, submission_of(site))


def permitted(kind: Kind) -> st.SearchStrategy[str]:
    """Whatever the site takes for a value of that kind."""

    def is_read(text: str) -> bool:
        try:
            kind.read(text)
        except Refused:
            return False
        return True

    # Without what from_regex would mostly miss: a line break before the end, and looking ahead.
    pattern = re.sub(r"^\^|\$$|\(\?=[^)]*\)", "", kind.json["pattern"])
    return st.from_regex(pattern, fullmatch=True, alphabet=VISIBLE).filter(is_read)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_the_site_takes_for_a_name_is_let_through(data: st.DataObject) -> None:
    site = parse(OF_EVERYTHING, PLACE)
    draw = {
        "account": ACCOUNT,
        "qos": QOS,
        "reservation": RESERVATION,
        "constraint": CONSTRAINT,
        "name": JOB_NAME,
    }
    names = {key: data.draw(permitted(kind), label=key) for key, kind in draw.items()}
    request = replace(
        submission_of(site),
        tag=f"clusterhub:{data.draw(permitted(HUB_ID))}:alice:",
        partitions=(data.draw(permitted(PARTITION)),),
        gpus=Gpus(1, data.draw(permitted(GPU_TYPE))),
        **names,
    )
    assert lets_through(site, request)


@settings(max_examples=60, deadline=None)
@given(permitted(PLAIN_PATH), permitted(PAM_SERVICE))
def test_whatever_the_site_takes_for_the_directory_of_sessions_is_let_through(path: str, pam: str) -> None:
    text = OF_EVERYTHING.replace('"/shared/clusterhub/logs"', json.dumps(path, ensure_ascii=False))
    site = parse(text.replace('"sshd"', f'"{pam}"'), PLACE)
    assert lets_through(site, submission_of(site))


def test_the_directory_of_a_local_cluster_is_one_that_the_helper_takes() -> None:
    site = parse(OF_ONE_MACHINE, PLACE)
    assert helper_for(site).engine_directories == ["/srv/jobs"]
