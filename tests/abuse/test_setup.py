"""`clusterhub setup` can run again, puts right what was changed, and gives nobody more than it says.

Without the looks at owner and mode, a site file that others may write decides what runs as others; without
the look at links, a file elsewhere is handed to the account with the state directory; without the look by
the account itself, its hub runs without the drop-in file that it cannot read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.hub_site import CONF_D
from tests.real_cluster import RealCluster, hub
from tests.real_cluster.layout import HUB_FILES, SERVICE_ACCOUNT

from clusterhub.privileged.broker import INSTALLED_HELPER
from clusterhub.privileged.installation import SUDOERS

Setup = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def directory(cluster_path: Path) -> Iterator[Path]:
    """With a site of its own, which no hub has."""
    state = cluster_path / "state"
    text = hub.default_site(1).replace(str(hub.STATE_DIRECTORY), str(state))
    (cluster_path / "site.toml").write_text(text)
    (cluster_path / "site.toml").chmod(0o644)
    yield cluster_path
    hub.SET_UP.unlink(missing_ok=True)  # the next hub is set up for its own site


@pytest.fixture
def setup(cluster: RealCluster, directory: Path) -> Setup:
    """Runs it on the gateway."""
    program = str(hub.virtual_environment() / "bin" / "clusterhub")

    def run(*options: str, user: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [program, "setup", "--site", str(directory / "site.toml"), *options]
        done = cluster.run("gateway", command, user, timeout=60)
        assert "Traceback" not in done.stderr
        return done

    return run


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_it_says_what_it_ensured_and_changes_nothing_the_second_time(setup: Setup, directory: Path) -> None:
    first, second = setup(), setup()
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert f"changed   state directory {directory}/state" in first.stdout
    assert (directory / "state").owner() == SERVICE_ACCOUNT
    assert "changed" not in second.stdout
    assert second.stdout.splitlines()[-1] == f"The hub can run as {SERVICE_ACCOUNT} now."


def test_what_somebody_changed_is_put_right(setup: Setup, cluster: RealCluster) -> None:
    assert setup().returncode == 0
    cluster.run("gateway", ["chmod", "0777", str(INSTALLED_HELPER)])
    cluster.run("gateway", ["sh", "-c", f"echo 'clusterhub ALL=(ALL) NOPASSWD: ALL' >> {SUDOERS}"])
    changed = [line.split()[-1] for line in setup().stdout.splitlines() if line.startswith("changed")]
    assert changed == [str(INSTALLED_HELPER), str(SUDOERS)]
    mode = cluster.run("gateway", ["stat", "-c", "%a", str(INSTALLED_HELPER), str(SUDOERS)]).stdout.split()
    assert mode == ["755", "440"]
    assert cluster.run("gateway", ["sudo", "-n", "id"], SERVICE_ACCOUNT).returncode != 0


def test_a_rule_that_takes_the_right_back_is_named(setup: Setup, cluster: RealCluster) -> None:
    later = SUDOERS.with_name("zz-later")
    cluster.run("gateway", ["sh", "-c", f"echo 'clusterhub ALL=(ALL) !ALL' > {later}; chmod 0440 {later}"])
    try:
        assert "the account does not reach it" in refusal(setup())
    finally:
        cluster.run("gateway", ["rm", str(later)])


def test_only_root_sets_up_and_no_account_that_is_root_or_more_than_a_name(setup: Setup) -> None:
    assert "Only root" in refusal(setup(user="alice"))
    assert "all of root's rights" in refusal(setup("--account=root"))
    for name in ("x ALL=(ALL) NOPASSWD: ALL #", "%sudo", "ALL", "-x", ""):
        assert "no name of a service account" in refusal(setup(f"--account={name}"))


def test_a_site_that_others_can_change_is_refused(setup: Setup, directory: Path) -> None:
    (directory / "site.toml").chmod(0o664)
    assert "Others than root could change" in refusal(setup())
    (directory / "site.toml").chmod(0o644)
    directory.chmod(0o1777)
    assert "Others than root could change" in refusal(setup())


def test_a_site_of_one_person_needs_none_of_it(setup: Setup, directory: Path) -> None:
    text = (directory / "site.toml").read_text().replace('method = "pam"', 'method = "one-person"')
    local = text.partition("[cluster.main]")[0] + '[cluster.main]\nscheduler = "local"\n[environment]\n'
    local += 'path = "/shared/clusterhub/environments/current"\n[[profile]]\nname = "small"\n'
    (directory / "site.toml").write_text(local + 'time = { default = "1h", max = "2h" }\n')
    assert "needs nothing of root's" in refusal(setup())


def test_what_the_account_cannot_read_is_named(setup: Setup, directory: Path) -> None:
    conf_d = directory / CONF_D.name
    conf_d.mkdir(mode=0o700)
    assert str(conf_d) in refusal(setup())
    conf_d.chmod(0o755)
    (conf_d / "secret.py").write_text("c.Spawner.poll_interval = 5\n")
    (conf_d / "secret.py").chmod(0o600)
    assert str(conf_d / "secret.py") in refusal(setup())
    shutil.chown(conf_d / "secret.py", group=SERVICE_ACCOUNT)
    (conf_d / "secret.py").chmod(0o640)
    assert setup().returncode == 0


def test_a_state_directory_of_roots_is_handed_over_and_nothing_else(setup: Setup, directory: Path) -> None:
    state, elsewhere = directory / "state", directory / "elsewhere"
    (state / "inner").mkdir(parents=True)
    state.chmod(0o700)
    for path in (state / "database", state / "inner" / "key", elsewhere):
        path.touch(0o600)
    os.link(elsewhere, state / "another-name")
    (state / "link").symlink_to(elsewhere)
    assert setup().returncode == 0
    for path in (state, state / "database", state / "inner", state / "inner" / "key"):
        assert path.owner() == SERVICE_ACCOUNT, path
    assert elsewhere.owner() == "root"
    assert (HUB_FILES).owner() == "root"


@pytest.mark.parametrize(("owner", "mode"), [("alice", 0o700), ("root", 0o777)])
def test_a_state_directory_that_others_have_is_refused(
    setup: Setup, directory: Path, owner: str, mode: int
) -> None:
    state = directory / "state"
    state.mkdir()
    state.chmod(mode)
    shutil.chown(state, owner)
    assert "another account's, or others may write it" in refusal(setup())
    assert state.owner() == owner
