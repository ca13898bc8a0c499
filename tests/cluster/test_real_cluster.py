"""The test cluster is what it claims to be. Needs root and the Debian packages of Slurm."""

from __future__ import annotations

import os
import pwd
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real_cluster import RealCluster, configuration, hub, processes, remains
from tests.real_cluster.construction import listen
from tests.real_cluster.layout import PARTITIONS, REPOSITORY
from tests.real_cluster.state import State

from clusterhub.errors import ClusterhubError

HERE = "/tmp/here"  # noqa: S108 - whether hosts share it is the very thing to test


def submit(cluster: RealCluster, user: str, *options: str, script: str) -> str:
    """Submit a script from the gateway; returns the job's id."""
    done = cluster.run(
        "gateway",
        ["sbatch", "--parsable", "--output=%j.log", *options],
        user,
        input=f"#!/bin/bash\n{script}\n",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def output(cluster: RealCluster, user: str, job_id: str) -> list[str]:
    """The lines that a finished job wrote."""
    return (cluster.people[user].home / f"{job_id}.log").read_text().splitlines()


def test_both_nodes_take_jobs(cluster: RealCluster) -> None:
    shown = cluster.run("gateway", ["sinfo", "-h", "-N", "-p", "batch", "-o", "%N"]).stdout.split()
    assert shown == ["n1", "n2"]
    cluster.wait_for_nodes()


def test_the_partitions_are_there_and_interactive_is_the_default(cluster: RealCluster) -> None:
    shown = cluster.run("gateway", ["sinfo", "-h", "-o", "%P"], "carol").stdout.split()
    assert sorted(shown) == sorted({*PARTITIONS, "interactive*"} - {"interactive"})


@pytest.mark.parametrize("node", ["n1", "n2"])
def test_a_job_runs_as_its_person_on_its_node(cluster: RealCluster, node: str) -> None:
    job = submit(cluster, "alice", f"--nodelist={node}", script="hostname; id -u; id -Gn; pwd")
    assert cluster.wait_for_job(job, "COMPLETED") == "COMPLETED"
    uid = str(pwd.getpwnam("alice").pw_uid)
    assert output(cluster, "alice", job) == [node, uid, "alice hpc-users", "/home/alice"]


def test_carol_is_not_in_the_shared_group(cluster: RealCluster) -> None:
    assert cluster.run("n1", ["id", "-Gn"], "carol").stdout.split() == ["carol"]


def test_a_job_starts_within_two_seconds_of_its_submission(cluster: RealCluster) -> None:
    job = submit(cluster, "bob", script="true")
    cluster.wait_for_job(job, "COMPLETED")
    shown = cluster.run("gateway", ["scontrol", "show", "job", "-o", job]).stdout
    submitted, started = (re.search(rf"{word}=\S+:(\d\d)\b", shown) for word in ("SubmitTime", "StartTime"))
    assert submitted
    assert started
    assert (int(started[1]) - int(submitted[1])) % 60 <= 2


def test_a_munge_credential_names_the_node_that_made_it_and_is_refused_the_second_time(
    cluster: RealCluster,
) -> None:
    credential = cluster.run("n1", ["munge", "-s", "ticket"], "alice").stdout
    first = cluster.run("gateway", ["unmunge"], input=credential)
    assert first.returncode == 0
    assert re.search(r"ENCODE_HOST:\s+n1 \(10\.77\.0\.11\)", first.stdout)
    assert re.search(r"UID:\s+alice ", first.stdout)
    assert first.stdout.endswith("ticket")
    second = cluster.run("gateway", ["unmunge"], input=credential)
    assert second.returncode != 0
    assert "Replayed credential" in second.stdout + second.stderr


def test_a_wrong_account_is_refused_at_submission(cluster: RealCluster) -> None:
    done = cluster.run("gateway", ["sbatch", "--account=teaching", "--wrap=true"], "alice")
    assert done.returncode != 0
    assert "Invalid account" in done.stderr


def test_accounting_shows_a_finished_job_with_its_comment(cluster: RealCluster) -> None:
    job = submit(cluster, "carol", "--comment=clusterhub:test:carol:", "--qos=short", script="exit 3")
    cluster.wait_for_job(job, "FAILED")
    told = ""

    def recorded() -> bool:
        nonlocal told
        fields = "State,ExitCode,Account,QOS,User,Comment"
        told = cluster.run("gateway", ["sacct", "-X", "-n", "-P", "-j", job, "-o", fields]).stdout.strip()
        return told == "FAILED|3:0|teaching|short|carol|clusterhub:test:carol:"

    # slurmctld sends a job's end to slurmdbd at once and the rest, such as its QOS, within five seconds.
    assert processes.wait_until(recorded, timeout=20, pause=0.2), told


@pytest.mark.parametrize("option", ["--gres=gpu:h200:1", "--gpus=1", "--gpus-per-node=h200:1"])
def test_the_gpu_partition_gives_gpus(cluster: RealCluster, option: str) -> None:
    job = submit(cluster, "alice", "--partition=gpu", option, script="hostname; echo $CUDA_VISIBLE_DEVICES")
    cluster.wait_for_job(job, "COMPLETED")
    assert output(cluster, "alice", job) == ["n2", "0"]


def test_five_gpus_are_more_than_there_are(cluster: RealCluster) -> None:
    done = cluster.run("gateway", ["sbatch", "--partition=gpu", "--gpus-per-node=5", "--wrap=true"], "alice")
    assert done.returncode != 0


def test_a_job_that_takes_more_memory_than_it_asked_for_is_killed(cluster: RealCluster) -> None:
    greedy = "exec python3 -c 'import time; hoard = bytearray(300_000_000); time.sleep(60)'"
    job = submit(cluster, "alice", "--mem=50M", script=greedy)
    ended = cluster.wait_for_job(job, ["OUT_OF_MEMORY", "FAILED", "COMPLETED"], timeout=50)
    assert ended == ("OUT_OF_MEMORY" if cluster.footprint().cgroups else "FAILED")


def test_temporary_files_belong_to_one_host_and_homes_to_all(cluster: RealCluster) -> None:
    cluster.run("n1", ["touch", HERE, "/home/bob/everywhere"], "bob")
    assert cluster.run("n1", ["ls", HERE, "/home/bob/everywhere"]).returncode == 0
    assert cluster.run("n2", ["ls", HERE]).returncode != 0
    assert cluster.run("n2", ["ls", "/home/bob/everywhere"]).returncode == 0
    assert not Path(HERE).exists()


def test_a_test_can_hand_files_to_the_hosts(cluster: RealCluster, cluster_path: Path) -> None:
    (cluster_path / "note").write_text("seen")
    for host in cluster.addresses:
        assert cluster.run(host, ["cat", str(cluster_path / "note")], "carol").stdout == "seen"


def test_every_person_can_run_jupyter_from_the_shared_environment(cluster: RealCluster) -> None:
    python = f"{cluster.environment_path}/bin/python3"
    done = cluster.run("n2", [python, "-c", "import jupyterlab, sys; print(sys.prefix)"], "carol", timeout=60)
    assert done.stdout.split() == [str(cluster.environment_path)], done.stderr


def test_hosts_reach_each_other_by_name(cluster: RealCluster) -> None:
    for name, address in cluster.addresses.items():
        found = cluster.run("n2", ["getent", "ahostsv4", name]).stdout.split()
        assert found[0] == address


def test_a_command_in_a_host_ends_with_the_process_that_started_it(cluster: RealCluster) -> None:
    started = cluster.popen("n1", ["sh", "-c", "echo $$; exec sleep 600"], "alice")
    assert started.stdout
    inner = int(started.stdout.readline())
    assert inner in processes.pids_by_inner_pid(cluster.init_pid("n1"))
    started.kill()
    started.communicate()
    assert processes.wait_until(
        lambda: inner not in processes.pids_by_inner_pid(cluster.init_pid("n1")), timeout=5
    )


def test_daemons_can_be_stopped_and_started_and_a_running_job_survives(cluster: RealCluster) -> None:
    job = submit(cluster, "alice", "--nodelist=n1", script="sleep 300")
    cluster.wait_for_job(job, "RUNNING")
    for daemon in (cluster.slurmctld, cluster.slurmd("n1"), cluster.slurmdbd):
        cluster.stop(daemon)
        assert not cluster.is_running(daemon)
        cluster.start(daemon)
        assert cluster.is_running(daemon)
    assert cluster.wait_for_job(job, "RUNNING") == "RUNNING"
    cluster.run("gateway", ["scancel", job], "alice")
    cluster.wait_for_job(job, "CANCELLED")
    cluster.wait_for_nodes()


def test_up_is_content_where_the_cluster_is_up(cluster: RealCluster) -> None:
    assert cluster.up() is False
    assert cluster.status()[0] == "The cluster is up."


def test_up_restarts_a_daemon_that_was_killed(cluster: RealCluster) -> None:
    # Not slurmctld: killed, it forgets the last five seconds, and jobs that ended then seem to run again.
    daemon = cluster.slurmd("n2")
    pid = cluster.daemon_pid(daemon)
    assert pid
    processes.kill([pid])
    assert processes.wait_until(lambda: not cluster.is_running(daemon), timeout=5)
    assert any("slurmd NOT RUNNING" in line for line in cluster.status())
    assert cluster.up() is True
    assert cluster.is_running(daemon)
    cluster.wait_for_nodes()


def test_up_opens_the_port_again_whose_process_was_killed(cluster: RealCluster) -> None:
    footprint = cluster.footprint()
    processes.kill([footprint.forwarder])
    assert processes.wait_until(lambda: not processes.is_alive(footprint.forwarder), timeout=5)
    assert cluster.up() is True
    assert cluster.footprint().port == footprint.port
    assert cluster.up() is False


def test_the_machines_loopback_leads_to_the_gateway(cluster: RealCluster) -> None:
    port = cluster.footprint().port
    if hub.hub_pid(cluster) is not None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/hub/api", timeout=5) as answer:
            assert answer.status == 200
        return
    served = cluster.popen("gateway", ["python3", "-u", "-m", "http.server", "-d", "/run/munge", "8000"])
    try:
        assert served.stdout
        assert "Serving" in served.stdout.readline()
        url = f"http://127.0.0.1:{port}/"
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert b"munge.socket.2" in answer.read()
    finally:
        served.kill()
        served.communicate()
    with pytest.raises((urllib.error.URLError, OSError)):
        urllib.request.urlopen(url, timeout=5)


def test_a_busy_port_is_told_in_a_sentence() -> None:
    with listen(0) as taken, pytest.raises(ClusterhubError, match=r"Port \d+ of 127\.0\.0\.1 cannot be used"):
        listen(taken.getsockname()[1])


def test_a_process_of_the_cluster_that_outlives_it_is_found(cluster: RealCluster) -> None:
    found = remains.find(cluster.footprint())
    assert f"process {cluster.init_pid('n1')}" in found
    assert "user alice" in found
    assert "group hpc-users" in found
    assert "directory /var/lib/clusterhub-cluster" in found
    assert any(line.startswith("namespace net:") for line in found)
    assert any(line.startswith("process ") for line in remains.find(State()))


@pytest.fixture
def expendable_cluster(cluster: RealCluster) -> Iterator[RealCluster]:
    """The session's cluster for a test that breaks it; a whole one is there afterwards."""
    if os.environ.get("CLUSTERHUB_TEST_REUSE") == "1" or hub.hub_pid(cluster) is not None:
        pytest.skip("this cluster is in use; the test would break it")
    yield cluster
    cluster.up(port=0)


def test_down_leaves_nothing_where_parts_were_killed_before(expendable_cluster: RealCluster) -> None:
    cluster = expendable_cluster
    job = submit(cluster, "alice", "--nodelist=n2", script="setsid -f sleep 600; sleep 600")
    cluster.wait_for_job(job, "RUNNING")
    for root in map(Path, cluster.footprint().cgroups):
        for file in root.glob(f"uid_*/job_{job}/freezer.state"):
            file.write_text("FROZEN")
    outside = subprocess.Popen(
        ["/usr/bin/setpriv", f"--reuid={pwd.getpwnam('bob').pw_uid}", "--clear-groups", "sleep", "600"]
    )
    in_one_namespace = subprocess.Popen(
        ["/usr/bin/nsenter", f"--net=/proc/{cluster.init_pid('n2')}/ns/net", "sleep", "600"]
    )
    footprint = cluster.footprint()
    processes.kill([cluster.init_pid("n1"), footprint.forwarder])
    assert processes.wait_until(lambda: cluster.status()[0].startswith("The cluster is broken"), timeout=5)
    cluster.down()
    assert outside.wait(timeout=5) != 0
    assert in_one_namespace.wait(timeout=5) != 0
    assert remains.find(footprint) == []


def test_up_begins_anew_where_an_earlier_one_was_cut_off(expendable_cluster: RealCluster) -> None:
    cluster = expendable_cluster
    cluster.down()
    program = str(REPOSITORY / "scripts" / "cluster")
    cut_off = subprocess.Popen([program, "up", "--no-hub", "--port=0"], stdout=subprocess.PIPE, text=True)
    assert cut_off.stdout
    assert any("users" in line for line in cut_off.stdout)
    cut_off.kill()
    cut_off.communicate()
    left = remains.find(cluster.footprint())
    assert "user alice" in left
    assert cluster.up(port=0) is True
    cluster.wait_for_nodes()


def test_an_interrupted_up_takes_down_what_it_made(expendable_cluster: RealCluster) -> None:
    cluster = expendable_cluster
    cluster.down()
    program = str(REPOSITORY / "scripts" / "cluster")
    interrupted = subprocess.Popen([program, "up", "--no-hub", "--port=0"], stdout=subprocess.PIPE, text=True)
    assert interrupted.stdout
    assert any("munge" in line for line in interrupted.stdout)
    footprint = cluster.footprint()
    # Not SIGINT: it is ignored, and handed on ignored, where the suite itself runs in the background.
    interrupted.send_signal(signal.SIGTERM)
    said, _ = interrupted.communicate(timeout=30)
    assert interrupted.returncode == 130
    assert "take down what was made" in said
    assert footprint.users == ["alice", "bob", "carol"]
    assert remains.find(footprint) == []


def test_up_refuses_a_user_that_it_did_not_make(expendable_cluster: RealCluster) -> None:
    cluster = expendable_cluster
    cluster.down()
    subprocess.run(["/usr/sbin/useradd", "--no-create-home", "carol"], check=True)
    try:
        with pytest.raises(ClusterhubError, match="a user carol already"):
            cluster.up(port=0)
        cluster.down()
        assert pwd.getpwnam("carol")
    finally:
        subprocess.run(["/usr/sbin/userdel", "carol"], check=True)


def test_a_daemon_that_dies_at_its_start_is_named_with_its_last_log_lines_and_nothing_is_left(
    expendable_cluster: RealCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = expendable_cluster
    cluster.down()
    whole = configuration.slurm_conf(cgroups=False)
    broken = whole.replace("SelectType=select/cons_tres", "SelectType=select/nonsense")
    monkeypatch.setattr(configuration, "slurm_conf", lambda **_: broken)
    lines: list[str] = []
    with pytest.raises(ClusterhubError) as caught:
        RealCluster(lines.append).up(port=0)
    monkeypatch.undo()
    explanation = caught.value.explanation
    assert "died at its start" in explanation.what
    assert any("select/nonsense" in line for line in explanation.log)
    assert any(re.match(r"  slurm.*: FAILED after", line) for line in lines)
    assert remains.find(State()) == []
