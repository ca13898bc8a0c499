"""A certificate that browsers would refuse is refused before the proxy starts, and the reason is named.

Each line of `check_certificate` that is taken out lets one of these through.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.certificates import DAY, Authority, key_pem, new_key

from clusterhub.cli import main
from clusterhub.errors import ClusterhubError
from clusterhub.hub import front
from clusterhub.hub.certificate import check_certificate
from clusterhub.hub.front import front_arguments, watch_certificate
from clusterhub.site.loading import load
from clusterhub.site.schema import Site

HOST = "jupyter.example.org"
SHORT_KEY = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is what is refused


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def site(tmp_path: Path, authority: Authority) -> Site:
    authority.write(tmp_path, HOST, f"*.{HOST}", "10.0.0.1")
    return site_at(tmp_path, f"https://{HOST}")


def site_at(directory: Path, url: str, more: str = "") -> Site:
    (directory / "site.toml").write_text(
        f'[hub]\nurl = "{url}"\ncertificate = "{directory}/certificate.pem"\n'
        f'certificate_key = "{directory}/key.pem"\nstate_directory = "{directory}/state"\n{more}\n'
        '[login]\nmethod = "one-person"\n[cluster.here]\nscheduler = "local"\n'
        '[environment]\npath = "/opt/environments/current"\n[[profile]]\nname = "small"\n'
    )
    return load(directory / "site.toml")


def refusal(site: Site, what: str) -> str:
    with pytest.raises(ClusterhubError, match=what) as refused:
        check_certificate(site)
    assert refused.value.explanation.next
    assert str(site.path) in refused.value.explanation.where
    return str(refused.value)


def test_a_good_certificate_is_taken_and_used(site: Site) -> None:
    assert check_certificate(site) == ()
    assert site.hub.bind == "http://:443"
    assert f"--ssl-cert={site.hub.certificate}" in front_arguments(site)


@pytest.mark.parametrize("name", ["certificate.pem", "key.pem"])
def test_a_missing_file_is_named(site: Site, tmp_path: Path, name: str) -> None:
    (tmp_path / name).unlink()
    assert name in refusal(site, "is missing")


@pytest.mark.parametrize("name", ["certificate.pem", "key.pem"])
def test_a_file_that_cannot_be_read_is_named(site: Site, tmp_path: Path, name: str) -> None:
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir(mode=0o700)  # what root cannot read either
    assert name in refusal(site, "cannot be read")


@pytest.mark.parametrize("mode", [0o604, 0o640 | 0o020, 0o601])
def test_a_key_that_is_open_to_others_is_refused(site: Site, tmp_path: Path, mode: int) -> None:
    (tmp_path / "key.pem").chmod(mode)
    assert f"{mode:04o}" in refusal(site, "open to others")


def test_a_key_that_a_group_may_read_is_taken(site: Site, tmp_path: Path) -> None:
    (tmp_path / "key.pem").chmod(0o640)
    assert check_certificate(site) == ()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("certificate.pem", b"", "not a certificate in PEM"),
        (
            "certificate.pem",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "not a cert",
        ),
        ("key.pem", b"nonsense", "not a private key in PEM"),
        ("key.pem", key_pem(new_key()), "not that of the certificate"),
        ("key.pem", key_pem(new_key(), "secret"), "has a passphrase"),
        ("key.pem", key_pem(SHORT_KEY), "too short: 1024 bits"),
    ],
)
def test_what_is_no_certificate_and_no_key_for_it_is_refused(
    site: Site, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    refusal(site, said)


def test_the_hubs_own_certificate_comes_first(site: Site, tmp_path: Path, authority: Authority) -> None:
    file = tmp_path / "certificate.pem"
    own = file.read_bytes()
    file.write_bytes(own + authority.certificate)
    assert check_certificate(site) == ()
    file.write_bytes(authority.certificate + own)
    refusal(site, "not the first in its file")


@pytest.mark.parametrize(
    ("names", "typed", "said"),
    [
        (["www.example.org"], (f"https://{HOST}", ""), "is for www.example.org, and people type jupyter"),
        (["*.example.org"], (f"https://{HOST}", ""), ""),
        (["*.example.org"], (f"https://a.{HOST}", ""), "people type a.jupyter"),
        (["*"], ("https://hub", ""), "people type hub"),
        ([HOST], ("https://10.0.0.1", ""), "people type 10.0.0.1"),
        (["10.0.0.1"], ("https://10.0.0.1", ""), ""),
        ([], (f"https://{HOST}", ""), "no name at all"),
        ([HOST], (f"https://{HOST}", "subdomains = true"), rf"such as alice\.{HOST}"),
        ([HOST, f"*.{HOST}"], (f"https://{HOST}", "subdomains = true"), ""),
    ],
)
def test_the_certificate_must_be_for_what_people_type(
    tmp_path: Path, authority: Authority, names: list[str], typed: tuple[str, str], said: str
) -> None:
    authority.write(tmp_path, *names)
    site = site_at(tmp_path, *typed)
    if said:
        refusal(site, said)
    else:
        assert check_certificate(site) == ()


@pytest.mark.parametrize(
    ("valid", "refused", "warned"),
    [
        ((-90 * DAY, -timedelta(minutes=1)), "has expired on", False),
        ((timedelta(minutes=1), 90 * DAY), "valid from .* only", False),
        ((-80 * DAY, 10 * DAY), "", True),
        ((-60 * DAY, 30 * DAY), "", False),
        ((-2 * DAY, 4 * DAY), "", False),  # one of those that live for six days
        ((-5 * DAY, 1 * DAY), "", True),
    ],
)
def test_a_certificate_that_is_over_is_refused_and_one_that_ends_soon_is_said(
    site: Site, authority: Authority, valid: tuple[timedelta, timedelta], refused: str, warned: bool
) -> None:
    authority.write(site.path.parent, HOST, valid=valid)
    if refused:
        refusal(site, refused)
    else:
        said = " ".join(check_certificate(site))
        assert ("has not been renewed" in said) is warned


def test_config_check_names_a_bad_certificate(site: Site, tmp_path: Path) -> None:
    checked = CliRunner().invoke(main, ["config", "check", "--site", str(site.path)])
    assert checked.exit_code == 0, checked.output
    (tmp_path / "key.pem").chmod(0o644)
    checked = CliRunner().invoke(main, ["config", "check", "--site", str(site.path)])
    assert checked.exit_code != 0
    assert "open to others" in checked.output


async def test_a_renewed_pair_is_taken_up_when_both_files_are_there(
    site: Site, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A renewal that is half done, or wrong, is said, and changes nothing."""
    monkeypatch.setattr(front, "LOOK_PAUSE", 0.01)
    said: asyncio.Queue[str] = asyncio.Queue()
    taken: asyncio.Queue[bytes] = asyncio.Queue()
    certificate = tmp_path / "certificate.pem"
    watch = asyncio.create_task(
        watch_certificate(site, said.put_nowait, lambda: taken.put_nowait(certificate.read_bytes()))
    )
    assert await taken.get() == certificate.read_bytes()
    key = new_key()
    certificate.write_bytes(authority.give(key, HOST))
    assert "not that of the certificate" in await said.get()
    assert taken.empty()
    (tmp_path / "new").touch(mode=0o600)
    (tmp_path / "new").write_bytes(key_pem(key))
    (tmp_path / "new").replace(tmp_path / "key.pem")
    assert await taken.get() == certificate.read_bytes()
    assert "renewed certificate" in await said.get()
    watch.cancel()
