"""A session's name is of one run of its job, tells its node's address, and is read alike by hub and proxy.

Without the restart in its name a job that was requeued would have the name of its former run.
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
from importlib import resources

import pytest

from clusterhub.hub.proxy_installation import ensure_proxy
from clusterhub.tls.names import SUFFIX, address_in, session_name

TAG = "clusterhub:hub.example.org:alice:big"
ADDRESSES = ("10.77.0.11", "127.0.0.1", "2001:db8::1", "::1", "fd00:0:1::ffff", "::ffff:10.0.0.1")


def test_each_run_of_each_job_has_a_name_of_its_own() -> None:
    names = {
        session_name(TAG, "17", 0, "10.77.0.11"),
        session_name(TAG, "17", 1, "10.77.0.11"),
        session_name(TAG, "170", 0, "10.77.0.11"),
        session_name(TAG + "1", "7", 0, "10.77.0.11"),
        session_name(TAG, "17", 0, "10.77.0.12"),
    }
    assert len(names) == 5
    assert session_name(TAG, "17", 0, "10.77.0.11") in names  # the same after a restart of the hub


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_name_tells_the_address_and_can_be_a_host(address: str) -> None:
    name = session_name(TAG, "17", 0, address)
    assert ipaddress.ip_address(address_in(name) or "") == ipaddress.ip_address(address)
    assert all(0 < len(label) <= 63 for label in name.split("."))
    assert name == name.lower()


OTHERS = (
    "gateway",
    "10.77.0.11",
    f"10-77-0-11{SUFFIX}",
    f"{'a' * 32}.10-77-0-311{SUFFIX}",
    f"{'a' * 32}.10-77-11{SUFFIX}",
    f"{'a' * 31}.10-77-0-11{SUFFIX}",
    f"{'a' * 32}.10-77-0-11{SUFFIX}.evil.example.org",
    f"x.{'a' * 32}.10-77-0-11{SUFFIX}",
    f"{'A' * 32}.10-77-0-11{SUFFIX}",
    f"{'a' * 32}.10-77-0-11-{SUFFIX}",
)


@pytest.mark.parametrize("name", OTHERS)
def test_any_other_name_tells_none(name: str) -> None:
    assert address_in(name) is None


def test_the_proxy_reads_names_as_the_hub_does() -> None:
    names = [*(session_name(TAG, "17", 0, address) for address in ADDRESSES), *OTHERS]
    module = resources.files("clusterhub.hub") / "proxy" / "verified.mjs"
    program = (
        f"import {{ addressIn }} from {json.dumps(str(module))};"
        "console.log(JSON.stringify(JSON.parse(process.argv[1]).map(addressIn)));"
    )
    node, _ = ensure_proxy()
    argv = [node, "--input-type=module", "--eval", program, json.dumps(names)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    told = [address and str(ipaddress.ip_address(address)) for address in json.loads(done.stdout)]
    assert told == [address_in(name) for name in names]
