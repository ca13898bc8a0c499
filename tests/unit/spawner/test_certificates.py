"""Hub, proxy, sessions and jobs know each other by certificates, and nobody else.

Each refusal below is one of TLS itself, in a handshake without a network. Without the use in a certificate
(`Authority.issue` without its extended key usage) a session's own would open all others; without the check of
a name an impostor on the node could answer with that of its own session.
"""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from jupyterhub.services import auth
from jupyterhub.singleuser import extension

from clusterhub.errors import ClusterhubError
from clusterhub.session.certificate import Certificate
from clusterhub.spawner import certificates as certificates_module
from clusterhub.spawner.certificates import Certificates
from clusterhub.tls.authority import CLIENT, SERVER, Authority, Identity
from clusterhub.tls.names import session_name

HUB = "gateway.example.org"
NAME = session_name("clusterhub:hub:alice:", "17", 0, "10.77.0.11")
NEXT_RUN = session_name("clusterhub:hub:alice:", "17", 1, "10.77.0.11")


def made(directory: Path, host: str = HUB) -> Certificates:
    certificates = Certificates(directory, host)
    certificates.ensure()
    return certificates


@pytest.fixture
def ours(tmp_path: Path) -> Certificates:
    return made(tmp_path / "tls")


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """A connection, and one word from the client that the server reads. Raises ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=name)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [near.do_handshake, far.do_handshake, lambda: near.write(b"word"), lambda: far.read(4)]
    while waiting:
        step = waiting.pop(0)
        try:
            step()
        except ssl.SSLWantReadError:
            waiting.append(step)


def session(certificates: Certificates, directory: Path, name: str = NAME) -> ssl.SSLContext:
    """What the session of that name serves with."""
    identity = certificates.issue(name)
    told = {"name": identity.name, "key": identity.key, "certificate": identity.certificate}
    return Certificate(told, certificates.authority, str(directory)).context()


def as_client(identity: Identity, authority: str, file: Path) -> ssl.SSLContext:
    """Somebody who comes to a session with that identity."""
    file.write_text(identity.pem)
    context = ssl.create_default_context(cadata=authority)
    context.load_cert_chain(file)
    return context


def test_hub_and_proxy_reach_a_session_and_jobs_the_hub(ours: Certificates, tmp_path: Path) -> None:
    shake_hands(ours.to_sessions(), session(ours, tmp_path), NAME)
    shake_hands(ours.to_hub(), ours.as_hub(), HUB)
    job = ssl.create_default_context(cadata=ours.look_up_authority())
    shake_hands(job, ours.as_hub(), HUB)
    local = made(tmp_path / "local", "127.0.0.1")
    shake_hands(local.to_hub(), local.as_hub(), "127.0.0.1")


@pytest.mark.parametrize("whose", ["nobody", "a session", "the hub as server", "another hub", "themselves"])
def test_a_session_answers_to_nobody_else(ours: Certificates, tmp_path: Path, whose: str) -> None:
    server = session(ours, tmp_path)
    file, authority = tmp_path / "attacker.pem", ours.authority
    if whose == "nobody":
        attacker = ours.to_hub()
    elif whose == "a session":
        attacker = as_client(ours.issue(NEXT_RUN), authority, file)
    elif whose == "the hub as server":
        attacker = ours.to_hub()
        attacker.load_cert_chain(ours.server_file)
    elif whose == "another hub":
        attacker = as_client(made(tmp_path / "another")._authority.issue("hub", CLIENT), authority, file)
    else:
        attacker = as_client(Authority.new().issue("hub.clusterhub.alt", CLIENT), authority, file)
    with pytest.raises(ssl.SSLError, match="certificate"):
        shake_hands(attacker, server, NAME)


def test_a_session_is_taken_for_no_other_and_not_for_a_later_run_of_itself(
    ours: Certificates, tmp_path: Path
) -> None:
    server = session(ours, tmp_path)
    for name in (NEXT_RUN, session_name("clusterhub:hub:bob:", "17", 0, "10.77.0.11"), HUB):
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            shake_hands(ours.to_sessions(), server, name)


def test_a_certificate_of_another_authority_is_nobodys(ours: Certificates, tmp_path: Path) -> None:
    server = session(made(tmp_path / "another"), tmp_path)
    with pytest.raises(ssl.SSLError, match="certificate"):
        shake_hands(ours.to_sessions(), server, NAME)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    (tmp_path / "own.pem").write_text(Authority.new().issue(HUB, SERVER).pem)
    context.load_cert_chain(tmp_path / "own.pem")
    with pytest.raises(ssl.SSLCertVerificationError, match="verify failed"):
        shake_hands(ours.to_hub(), context, HUB)


def test_the_files_are_the_accounts_alone_and_kept(ours: Certificates, tmp_path: Path) -> None:
    directory = tmp_path / "tls"
    assert directory.stat().st_mode & 0o777 == 0o700
    files = {path.name: path.read_text() for path in directory.iterdir()}
    assert set(files) == {"authority.pem", "authority.crt", "server.pem", "client.pem"}
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    assert "PRIVATE" not in files["authority.crt"]
    again = made(directory)
    assert {path.name: path.read_text() for path in directory.iterdir()} == files
    shake_hands(again.to_sessions(), session(ours, tmp_path), NAME)  # which runs since before the restart


def test_what_is_for_another_name_or_soon_over_is_made_anew(
    ours: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ours.client_file.read_text()
    renamed = made(tmp_path / "tls", "login1.example.org")
    shake_hands(renamed.to_hub(), renamed.as_hub(), "login1.example.org")
    assert renamed.client_file.read_text() == before
    monkeypatch.setattr(certificates_module, "LEAST_LEFT", certificates_module.LIFETIME)
    assert made(tmp_path / "tls").client_file.read_text() != before
    ours.client_file.write_text("half a fi")
    assert "PRIVATE KEY" in made(tmp_path / "tls").client_file.read_text()


@pytest.mark.parametrize("left", ["", "half a fi", "no key"])
def test_an_authority_that_cannot_be_read_is_named_and_not_made_anew(
    ours: Certificates, tmp_path: Path, left: str
) -> None:
    path = tmp_path / "tls" / "authority.pem"
    path.write_text(left if left != "no key" else ours.authority)
    kept = path.read_text()
    with pytest.raises(ClusterhubError, match="certificate authority") as refused:
        made(tmp_path / "tls")
    assert str(path) in str(refused.value)
    assert "backup" in refused.value.explanation.next
    assert path.read_text() == kept


def test_a_certificate_is_valid_where_a_clock_is_behind_and_as_long_as_a_session_may_last(
    ours: Certificates,
) -> None:
    certificate = x509.load_pem_x509_certificate(ours.issue(NAME).certificate.encode())
    now = datetime.datetime.now(datetime.timezone.utc)
    assert certificate.not_valid_before_utc < now - datetime.timedelta(hours=23)
    assert certificate.not_valid_after_utc > now + datetime.timedelta(days=365 * 20)


def test_the_key_of_a_session_lies_in_no_directory(ours: Certificates, tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    session(ours, runtime)
    assert [path.name for path in runtime.iterdir()] == ["hub.crt"]
    assert "PRIVATE" not in (runtime / "hub.crt").read_text()


def test_jupyterhubs_code_in_a_session_trusts_nobody_but_the_hubs_authority(
    ours: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `Certificate.insist_on_hub` it trusts all that the node's system does."""
    for module in (auth, extension):
        monkeypatch.setattr(module, "make_ssl_context", module.make_ssl_context)
    identity = ours.issue(NAME)
    told = {"name": identity.name, "key": identity.key, "certificate": identity.certificate}
    certificate = Certificate(told, ours.authority, str(tmp_path))
    certificate.insist_on_hub()
    files = dict(word[len("--HubAuth.") :].split("=", 1) for word in certificate.arguments())
    hub_auth = auth.HubAuth(**files)
    for module in (auth, extension):
        context = module.make_ssl_context(hub_auth.keyfile, hub_auth.certfile, cafile=hub_auth.client_ca)
        assert len(context.get_ca_certs()) == 1
        shake_hands(context, ours.as_hub(), HUB)
