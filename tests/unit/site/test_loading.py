"""A good site file becomes a site in which nothing is left open."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.unit.site.examples import OF_A_SITE, OF_EVERYTHING, OF_ONE_MACHINE

from clusterhub.errors import ClusterhubError
from clusterhub.site.addresses import Ports
from clusterhub.site.loading import load, parse
from clusterhub.site.problems import SiteError
from clusterhub.site.quantities import Refused
from clusterhub.site.schema import Site

PLACE = Path("/etc/clusterhub/site.toml")
GIB = 2**30


def site_with(
    url: str, *, scheduler: str = "local", environment: str = "/shared/x/environments/current"
) -> Site:
    text = f"""
        hub.url = "{url}"
        login.method = "{"one-person" if scheduler == "local" else "pam"}"
        cluster.main.scheduler = "{scheduler}"
        environment.path = "{environment}"
        [[profile]]
        name = "only"
    """
    return parse(text, PLACE)


@pytest.fixture
def example() -> Site:
    return parse(OF_A_SITE, PLACE)


@pytest.fixture
def everything() -> Site:
    return parse(OF_EVERYTHING, PLACE)


def test_the_example_of_the_design_loads_as_it_is(example: Site) -> None:
    interactive, gpu = example.profiles
    assert [profile.name for profile in example.profiles] == ["interactive", "gpu"]
    assert (interactive.cpus.default, interactive.cpus.min, interactive.cpus.max) == (1, 1, 8)
    assert interactive.memory
    assert (interactive.memory.default, interactive.memory.max) == (4 * GIB, 32 * GIB)
    assert (interactive.time.default, interactive.time.max) == (4 * 3600, 24 * 3600)
    assert gpu.gpus
    assert (gpu.gpus.default, gpu.gpus.max, gpu.gpus.type) == (1, 2, "h200")
    assert gpu.partition == ("gpu",)
    assert gpu.prologue == "module load cuda"


def test_every_key_is_read(everything: Site) -> None:
    site = everything
    assert site.hub.bind_url == "http://10.0.0.1:9000/jupyter/"
    assert site.hub.internal_url == "https://gateway.example.org:8081"
    assert site.hub.conf_d == Path("/etc/clusterhub/drop-ins")
    assert site.sessions.ports == Ports(30000, 32000)
    assert (site.sessions.start_timeout, site.sessions.queue_timeout) == (600, 7 * 86400)
    assert site.clusters["main"].directives == ("--licenses=matlab:2", "--exclusive")
    profile = site.profile_named("all")
    assert profile.partition == ("gpu", "gpu-long")
    assert profile.memory
    assert profile.memory.per == "cpu"
    assert profile.time.is_fixed
    assert profile.time.default == 36 * 3600
    assert profile.interface == ("lab", "terminal")
    assert profile.variables == {"OMP_NUM_THREADS": "1"}
    assert profile.prologue == 'module load cuda\nexport A="1"\n'


def test_every_key_of_a_local_cluster_is_read() -> None:
    here = parse(OF_ONE_MACHINE, PLACE).clusters["here"]
    assert (here.directory, here.cpus, here.memory) == (Path("/srv/jobs"), 4, 16 * GIB)


def test_clusters_know_their_names_and_profiles_their_clusters(everything: Site) -> None:
    assert everything.cluster_of(everything.profile_named("there")).name == "other"
    assert everything.cluster_of(everything.profile_named("all")).name == "main"


def test_a_profile_runs_on_the_only_cluster_and_is_titled_by_its_name() -> None:
    site = site_with("http://127.0.0.1:8000")
    (profile,) = site.profiles
    assert profile.cluster == "main"
    assert profile.title == "only"
    assert (profile.cpus.default, profile.nodes.default, profile.memory, profile.gpus) == (1, 1, None, None)
    assert profile.time.default == 4 * 3600


@pytest.mark.parametrize(
    ("url", "bind_url", "hub_id"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/", "127.0.0.1-8000"),
        ("http://localhost:9000/", "http://127.0.0.1:9000/", "localhost-9000"),
        ("http://[::1]:8000", "http://[::1]:8000/", "1-8000"),
        ("http://hub.example.org", "http://:80/", "hub.example.org"),
        ("http://HUB.example.org:8000", "http://:8000/", "hub.example.org-8000"),
        ("https://hub.example.org", "http://127.0.0.1:8000/", "hub.example.org"),
        ("https://my_hub.example.org", "http://127.0.0.1:8000/", "my-hub.example.org"),
        ("https://hub.example.org/jupyter", "http://127.0.0.1:8000/jupyter/", "hub.example.org"),
    ],
)
def test_where_the_proxy_listens_and_the_hubs_id_follow_from_the_url(
    url: str, bind_url: str, hub_id: str
) -> None:
    hub = site_with(url).hub
    assert (hub.bind_url, hub.id) == (bind_url, hub_id)


@pytest.mark.parametrize("bind", ["[::1]:8000", "[::]:8000", "127.0.0.1:8000", "localhost:8000"])
def test_the_proxy_listens_where_the_site_says(bind: str) -> None:
    text = OF_EVERYTHING.replace('"10.0.0.1:9000"', f'"{bind}"')
    assert parse(text, PLACE).hub.bind_url == f"http://{bind}/jupyter/"


def test_nodes_reach_the_hub_by_this_machines_name_and_local_sessions_by_the_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: "gateway.example.org")
    slurm = site_with("https://hub.example.org", scheduler="slurm")
    assert slurm.hub.internal_url == "https://gateway.example.org:8081"
    assert site_with("https://hub.example.org").hub.internal_url == "https://127.0.0.1:8081"


def test_a_machine_that_calls_itself_localhost_has_its_host_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: "localhost.localdomain")
    monkeypatch.setattr(socket, "gethostname", lambda: "gateway")
    assert site_with("http://h:1", scheduler="slurm").hub.internal_url == "https://gateway:8081"


def test_directories_follow_from_each_other() -> None:
    site = site_with("http://127.0.0.1:8000")
    assert site.path == PLACE
    assert site.hub.conf_d == Path("/etc/clusterhub/conf.d")
    assert site.sessions.directory == Path("/shared/x/sessions")
    assert site.environment.python == Path("/shared/x/environments/current/bin/python3")
    assert site.clusters["main"].directory == Path("/var/lib/clusterhub/local/main")


def test_a_profile_can_bring_its_own_environment(everything: Site) -> None:
    own, shared = everything.profiles
    assert everything.environment_python(own) == Path("/shared/clusterhub/environments/course/bin/python3")
    assert everything.environment_path(own) == Path("/shared/clusterhub/environments/course")
    assert everything.environment_python(shared).name == "python3.12"
    assert everything.environment_path(shared) == Path("/shared/clusterhub/environments/current")


def test_a_working_directory_is_filled_in_for_each_person(everything: Site) -> None:
    own, none = everything.profiles
    assert own.working_directory_of("alice", "/home/alice") == "/home/alice/work/alice"
    assert none.working_directory_of("alice", "/home/alice") is None


def test_people_are_let_in_by_name_or_group_and_all_of_them_where_nobody_is_listed() -> None:
    assert Site.allowed((), "eve", ())
    assert Site.allowed(("alice",), "alice", ())
    assert Site.allowed(("@staff",), "alice", ("users", "staff"))
    assert not Site.allowed(("@staff", "bob"), "alice", ("users",))
    assert not Site.allowed(("staff",), "alice", ("staff",)), "without @ it is a person"
    assert not Site.allowed(("@alice",), "alice", ()), "with @ it is a group"


def test_people_are_offered_the_profiles_they_may_use(example: Site) -> None:
    assert [profile.name for profile in example.profiles_for("a", ["hpc-users"])] == ["interactive"]
    assert [profile.name for profile in example.profiles_for("a", ["gpu-users"])] == ["interactive", "gpu"]


def test_an_unknown_profile_is_answered_with_the_known_ones(example: Site) -> None:
    with pytest.raises(ClusterhubError, match="interactive, gpu"):
        example.profile_named("cpu")


def test_a_choice_is_read_and_kept_within_its_limits(example: Site) -> None:
    profile = example.profile_named("interactive")
    assert profile.memory
    assert profile.cpus.choose(None) == 1
    assert profile.cpus.choose("8") == 8
    assert profile.cpus.choose(8) == 8
    assert profile.memory.choose("8 GiB") == 8 * GIB
    assert profile.time.choose("30:00") == 1800
    for amount, given in (
        (profile.cpus, "9"), (profile.cpus, "0"), (profile.cpus, "-1"), (profile.cpus, True),
        (profile.cpus, 1.5), (profile.cpus, "8; id"), (profile.cpus, ["8"]),
        (profile.memory, "33 GiB"), (profile.time, "25h"),
    ):  # fmt: skip
        with pytest.raises(Refused):
            amount.choose(given)


def test_a_choice_outside_of_the_limits_is_answered_with_them(example: Site) -> None:
    with pytest.raises(Refused, match="1d12h is more than can be chosen here") as caught:
        example.profile_named("interactive").time.choose("36h")
    assert caught.value.allowed == "1min to 1d"


def test_a_plain_value_leaves_no_choice() -> None:
    site = parse(OF_A_SITE.replace("{ default = 1, max = 8 }", "4"), PLACE)
    cpus = site.profile_named("interactive").cpus
    assert cpus.is_fixed
    assert (cpus.min, cpus.default, cpus.max) == (4, 4, 4)


def test_the_least_is_never_more_than_the_default() -> None:
    text = OF_A_SITE.replace('default = "4 GiB"', 'default = "512 MiB"')
    memory = parse(text, PLACE).profile_named("interactive").memory
    assert memory
    assert memory.min == 512 * 2**20


def test_a_site_cannot_be_changed(example: Site) -> None:
    with pytest.raises(ValidationError):
        example.hub.url = "http://elsewhere"  # type: ignore[misc]


def test_a_file_from_windows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(b"\xef\xbb\xbf" + OF_A_SITE.replace("\n", "\r\n").encode())
    assert load(path).profiles


def test_a_relative_path_is_kept_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site.toml").write_text(OF_A_SITE)
    monkeypatch.chdir(tmp_path)
    site = load(Path("site.toml"))
    assert site.path == tmp_path / "site.toml"
    assert site.hub.conf_d == tmp_path / "conf.d"


def test_a_file_that_cannot_be_read_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    with pytest.raises(ClusterhubError, match="There is no such site file"):
        load(path)
    with pytest.raises(ClusterhubError, match="This is a directory"):
        load(tmp_path)
    path.write_bytes(b'[hub]\nurl = "\xff"\n')
    with pytest.raises(ClusterhubError, match=r"not text in UTF-8: byte 0xff in line 2"):
        load(path)
    path.write_bytes(b"#" * (5 * 2**20))
    with pytest.raises(ClusterhubError, match="larger than 4 MiB"):
        load(path)
    with pytest.raises(ClusterhubError, match="cannot be read"):
        load(path / "site.toml")
    with pytest.raises(ClusterhubError, match="cannot be read"):
        load(Path("/\0"))


def test_a_file_of_somebody_else_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:  # root, who may run this, is never refused by the system
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ClusterhubError, match="may not read"):
        load(PLACE)


def test_brackets_without_end_are_refused() -> None:
    with pytest.raises(ClusterhubError):
        parse("a = " + "[" * 100_000, PLACE)


def test_the_first_line_of_an_empty_file_is_where_everything_is_missing() -> None:
    with pytest.raises(SiteError) as caught:
        parse("", PLACE)
    assert {problem.key for problem in caught.value.problems} == {"hub", "cluster", "environment", "profile"}


def test_loading_brings_in_neither_jupyterhub_nor_what_only_errors_need() -> None:
    code = "import sys, clusterhub.site.loading; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "pydantic" in loaded
    assert not {"jupyterhub", "tornado", "traitlets", "tree_sitter", "tree_sitter_toml"} & set(loaded)
