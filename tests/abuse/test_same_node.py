"""Bob has a shell on the node where alice's session runs. He gets neither its port, nor its kernels.

Before her session starts he listens on all ports of the range but one; then he tries that one as well, the
sockets of her kernels, and what her server answers to whoever connects.

Without `kernels.choose_transport` the kernel listens on five ports more; with a runtime directory of mode 755
bob connects to its sockets; with ``transport_encryption`` left off he reads what a kernel with ports prints,
as he does of one that cannot encrypt, which shows that he listens well.
"""

from __future__ import annotations

import json
import pwd
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import pytest_asyncio
from tests.abuse import attackers
from tests.abuse.live_session import NODE, PYTHON, LiveSession, live_session
from tests.hub_fixture import LiveHub
from tests.hub_site import ENVIRONMENT
from tests.real_cluster.layout import HOSTS

from clusterhub.hub.walkthrough import Walk, WalkFailed

pytestmark = pytest.mark.asyncio(loop_scope="module")

TAKEN = ("31100", "31101")
LEFT = "31102"
SETTINGS = f"""[sessions]
ports = "{TAKEN[0]}-{LEFT}"
tcp_kernels = ["ports-*"]
"""
LISTENING = "0A"
"""A socket's state in /proc/net/tcp."""


@contextmanager
def attack(hub: LiveHub, program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Bob's program on the node, once it has said its first line."""
    with hub.cluster.popen(NODE, [PYTHON, "-Ic", program, *arguments], "bob") as process:
        assert process.stdout
        assert process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def attempt(session: LiveSession, program: str, *arguments: str, user: str = "bob") -> list[str]:
    """What a program of bob's on the node prints to its end, line by line."""
    done = session.hub.cluster.run(NODE, [PYTHON, "-Ic", program, *arguments], user)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def site_text(site_text: str) -> str:
    """With three ports for sessions."""
    return site_text.replace("[sessions]\n", SETTINGS)


@pytest.fixture(scope="module")
def listener(live_hub: LiveHub) -> Iterator[subprocess.Popen[str]]:
    """Bob, who listens on two of them."""
    with attack(live_hub, attackers.TAKE_PORTS, *TAKEN) as process:
        yield process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(live_hub: LiveHub, listener: subprocess.Popen[str]) -> AsyncIterator[LiveSession]:
    """Alice's session, which starts while bob listens there."""
    assert listener.poll() is None
    async with live_session(live_hub) as session:
        yield session


def listening_ports(session: LiveSession, person: str) -> set[str]:
    """The ports of TCP on which processes of that person listen on the node."""
    uid = str(pwd.getpwnam(person).pw_uid)
    shown = session.hub.cluster.run(NODE, ["cat", "/proc/net/tcp", "/proc/net/tcp6"]).stdout
    rows = [line.split() for line in shown.splitlines()]
    return {str(int(row[1].rpartition(":")[2], 16)) for row in rows if row[3] == LISTENING and row[7] == uid}


async def test_nobody_else_can_share_the_port_that_a_session_has(session: LiveSession) -> None:
    assert listening_ports(session, "bob") == set(TAKEN)
    assert listening_ports(session, "alice") == {LEFT}
    tried = attempt(session, attackers.SHARE_PORT, LEFT, HOSTS[NODE].address)
    assert set(tried) == {"EADDRINUSE"}


async def test_a_kernel_listens_on_no_port_that_tells_or_does_anything(session: LiveSession) -> None:
    """A Python kernel has one port, to which processes that it forks send what they print, with a secret.

    It is a socket of ZeroMQ that sends nothing (PULL), where each of a kernel's channels would be another.
    """
    assert await session.run("print('runs')") == "runs"
    ports = listening_ports(session, "alice") - {LEFT}
    assert set(attempt(session, attackers.ASK_WHAT_IT_IS, *sorted(ports))) <= {"PULL"}


async def test_nobody_else_opens_a_kernels_sockets_or_reads_its_connection_file(session: LiveSession) -> None:
    runtime = await session.runtime()
    listed = await session.run(
        "import glob; print(*glob.glob(os.environ['JUPYTER_RUNTIME_DIR'] + '/kernel-*'))"
    )
    sockets = [path for path in listed.split() if "-ipc-" in path]
    [connection] = [path for path in listed.split() if path.endswith(".json")]
    assert len(sockets) == 5
    assert max(map(len, sockets)) <= 107
    assert attempt(session, attackers.OPEN_SOCKETS, *sockets, user="alice") == ["connected"] * 5
    assert attempt(session, attackers.OPEN_SOCKETS, *sockets) == ["EACCES"] * 5
    for argv in (["cat", connection], ["ls", runtime]):
        assert session.hub.cluster.run(NODE, argv, "bob").returncode != 0


async def test_nobody_else_reaches_an_application_on_a_socket_in_the_runtime_directory(
    session: LiveSession,
) -> None:
    await session.run(
        "import os, socket\n"
        "application = socket.socket(socket.AF_UNIX)\n"
        "application.bind(os.environ['JUPYTER_RUNTIME_DIR'] + '/application')\n"
        "application.listen()"
    )
    path = f"{await session.runtime()}/application"
    assert attempt(session, attackers.OPEN_SOCKETS, path, user="alice") == ["connected"]
    assert attempt(session, attackers.OPEN_SOCKETS, path) == ["EACCES"]


async def test_nobody_else_gets_anything_from_the_sessions_port(session: LiveSession) -> None:
    paths = [f"/user/alice/{path}" for path in ("", "lab", "api/contents", "api/kernels", "files/.profile")]
    answers = attempt(session, attackers.VISIT, HOSTS[NODE].address, LEFT, *paths)
    assert len(answers) == 1 + len(paths)
    assert [answer for answer in answers if len(answer.split()) > 2] == [], "with a status"


async def test_all_that_a_kernel_can_works_over_sockets(session: LiveSession) -> None:
    own = await session.start_kernel("python3")
    async with own.channel() as channel:
        busy = await channel.execute("import time\nprint('begun')\nwhile True: time.sleep(0.05)")
        assert (await channel.until("stream", busy))["text"] == "begun\n"
        await own.ask("POST", f"api/kernels/{own.kernel}/interrupt")
        assert (await channel.until("execute_reply", busy))["ename"] == "KeyboardInterrupt"
        await channel.execute(
            "get_ipython().kernel.comm_manager.register_target('t', lambda comm, _: comm.send({'heard': 1}))"
        )
        await channel.send("comm_open", {"comm_id": "1", "target_name": "t", "data": {}})
        assert (await channel.until("comm_msg"))["data"] == {"heard": 1}
        for number, (command, arguments) in enumerate(
            (("initialize", {"clientID": "test", "adapterID": ""}), ("debugInfo", {}))
        ):
            request = {"type": "request", "seq": number + 1, "command": command, "arguments": arguments}
            asked = await channel.send("debug_request", request, "control")
            assert (await channel.until("debug_reply", asked))["success"]
    before = await own.run("import os; print(os.getpid())")
    await own.ask("POST", f"api/kernels/{own.kernel}/restart")
    assert await own.run("import os; print(os.getpid())") != before
    await own.ask("DELETE", f"api/kernels/{own.kernel}")


async def test_a_kernel_that_needs_ports_is_encrypted_where_it_can_be(session: LiveSession) -> None:
    python3 = ENVIRONMENT / "share/jupyter/kernels/python3/kernel.json"
    for name, metadata in (("ports-open", {}), ("ports-secret", {"supported_encryption": "curve"})):
        await session.run(
            "import json, os\n"
            f"spec = json.load(open({str(python3)!r}))\n"
            f"spec['metadata'] = {metadata!r}\n"
            f"path = os.path.expanduser('~/.local/share/jupyter/kernels/{name}')\n"
            "os.makedirs(path, exist_ok=True)\n"
            "json.dump(spec, open(path + '/kernel.json', 'w'))"
        )
    kernels = {name: await session.start_kernel(f"ports-{name}") for name in ("open", "secret")}
    ports = []
    for kernel in kernels.values():
        assert await kernel.run("print(1)") == "1"
        file = f"{await session.runtime()}/kernel-{kernel.kernel}.json"
        connection = json.loads(await session.run(f"print(open({file!r}).read())"))
        assert connection["transport"] == "tcp"
        ports.append(str(connection["iopub_port"]))
    assert set(ports) < listening_ports(session, "alice")
    assert attempt(session, attackers.ASK_WHAT_IT_IS, ports[0]) == ["XPUB"]
    with attack(session.hub, attackers.READ_OUTPUT, *ports) as reader:
        while reader.poll() is None:
            await kernels["secret"].run("print('said-in-secret')")
            await kernels["open"].run("print('said-in-the-open')")
        assert reader.stdout
        assert set(reader.stdout.read().split()) == {"said-in-the-open"}
    for kernel in kernels.values():
        await kernel.ask("DELETE", f"api/kernels/{kernel.kernel}")


async def test_where_all_ports_are_taken_a_session_says_so_and_is_led_nowhere_else(
    session: LiveSession, listener: subprocess.Popen[str]
) -> None:
    hub = session.hub
    async with Walk.begin(hub.url, "bob") as walk:
        await walk.log_in(hub.cluster.people["bob"].password)
        with pytest.raises(WalkFailed, match=f"{TAKEN[0]} to {LEFT}, are taken"):
            await walk.start({"profile": "debug"})
    listener.terminate()
    assert listener.stdout
    assert listener.stdout.read() == "", "nobody ever connected to bob"
