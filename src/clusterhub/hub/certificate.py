"""The certificate that browsers are shown: what is wrong with it is said before the proxy tries to use it."""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from clusterhub.errors import ClusterhubError
from clusterhub.site.addresses import is_address
from clusterhub.site.schema import Site

SHORTEST_RSA_KEY = 2048
"""Bits; OpenSSL, and so the proxy, takes no shorter one at its security level 2."""

SOON = timedelta(days=14)
"""So long before its end a certificate should have been renewed; less for one that lives for days only."""

OPEN_TO_OTHERS = stat.S_IWGRP | stat.S_IRWXO


@dataclass(frozen=True)
class Front:
    """The two files, as they were at one moment."""

    chain: bytes
    key: bytes


def front_of(site: Site) -> Front | None:
    """The certificate and key of a site; None where it has none.

    Raises ClusterhubError where a file cannot be read, or its key is open to others.
    """
    certificate, key = site.hub.certificate, site.hub.certificate_key
    if certificate is None or key is None:
        return None
    return Front(_read(site, "certificate", certificate), _read(site, "certificate_key", key))


def check_certificate(site: Site, now: datetime | None = None) -> tuple[str, ...]:
    """What an operator should know of a certificate that can be used; empty where that is nothing.

    Raises ClusterhubError where browsers would refuse it, or the proxy could not use it.
    """
    front = front_of(site)
    return () if front is None else check_front(site, front, now)


def check_front(site: Site, front: Front, now: datetime | None = None) -> tuple[str, ...]:
    """The same of files that were read."""
    chain = _chain(site, front.chain)
    _check_key(site, chain, front.key)
    _check_names(site, chain[0])
    return tuple(_check_dates(site, chain, now or datetime.now(timezone.utc)))


def _where(site: Site, key: str) -> str:
    return f"{getattr(site.hub, key)} ({site.path}: [hub] {key})"


def _read(site: Site, key: str, path: Path) -> bytes:
    try:
        content = path.read_bytes()
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise ClusterhubError(
            f"The file of {key} is missing.", where=_where(site, key), next="Put it there, or name another."
        ) from None
    except OSError as error:
        raise ClusterhubError(
            f"The file of {key} cannot be read: {error.strerror}.",
            where=_where(site, key),
            next="Let the hub's account read it and enter the directories above it, through a group.",
        ) from None
    if key == "certificate_key" and mode & OPEN_TO_OTHERS:
        raise ClusterhubError(
            f"The key is open to others: its mode is {stat.S_IMODE(mode):04o}.",
            where=_where(site, key),
            next=f"Close it: chmod 0600 {path}, or 0640 where a group reads it. If anybody may have read it, "
            "have a certificate made for a new key.",
        )
    return content


def _chain(site: Site, content: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise ClusterhubError(
            "This is not a certificate in PEM.",
            where=_where(site, "certificate"),
            next="Name a file that begins with -----BEGIN CERTIFICATE-----.",
        ) from None


def _check_key(site: Site, chain: list[x509.Certificate], content: bytes) -> None:
    where = _where(site, "certificate_key")
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        raise ClusterhubError(
            "The key has a passphrase, which nobody would type at a restart.",
            where=where,
            next="Take the passphrase off, and let only the hub's account read the file.",
        ) from None
    except ValueError:
        raise ClusterhubError(
            "This is not a private key in PEM.",
            where=where,
            next="Name a file that begins with -----BEGIN PRIVATE KEY-----.",
        ) from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < SHORTEST_RSA_KEY:
        raise ClusterhubError(
            f"The key is too short: {key.key_size} bits of RSA.",
            where=where,
            next=f"Have a certificate made for a key of at least {SHORTEST_RSA_KEY} bits, or one of ECDSA.",
        )
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ours = key.public_key().public_bytes(*form)
    fits = [certificate.public_key().public_bytes(*form) == ours for certificate in chain]
    if not any(fits):
        raise ClusterhubError(
            "The key is not that of the certificate.",
            where=where,
            next="Name the two files that were made together.",
        )
    if not fits[0]:
        raise ClusterhubError(
            "The hub's own certificate is not the first in its file.",
            where=_where(site, "certificate"),
            next="Put it first, and then those of its issuers.",
        )


def _check_names(site: Site, certificate: x509.Certificate) -> None:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    host = site.hub.host
    hosts = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    addresses = names.get_values_for_type(x509.IPAddress)
    shown = ", ".join([*hosts, *map(str, addresses)]) or "no name at all"
    known = ipaddress.ip_address(host) in addresses if is_address(host) else _is_named(host, hosts)
    if not known:
        raise ClusterhubError(
            f"The certificate is for {shown}, and people type {host}.",
            where=_where(site, "certificate"),
            next=f"Have one made for {host}, or change url.",
        )
    if site.hub.subdomains and f"*.{host}" not in hosts:
        raise ClusterhubError(
            f"The certificate is for {shown}, and sessions would be at names such as alice.{host}.",
            where=_where(site, "certificate"),
            next=f"Have one made for both {host} and *.{host}, or take subdomains out.",
        )


def _is_named(host: str, names: list[str]) -> bool:
    """As browsers take it (RFC 9525): a star stands for one whole label, the first."""
    _, dot, rest = host.partition(".")
    return host in names or bool(dot and f"*.{rest}" in names)


def _check_dates(site: Site, chain: list[x509.Certificate], now: datetime) -> Iterator[str]:
    for certificate in chain:
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        whose = "The certificate" if certificate is chain[0] else "The certificate of its issuer"
        if now > end:
            raise ClusterhubError(
                f"{whose} has expired on {end:%Y-%m-%d at %H:%M UTC}.",
                where=_where(site, "certificate"),
                next="Renew it, and see why that has not happened by itself.",
            )
        if now < begin:
            raise ClusterhubError(
                f"{whose} is valid from {begin:%Y-%m-%d at %H:%M UTC} only.",
                where=_where(site, "certificate"),
                next="See whether this machine's clock is right.",
            )
        if end - now < min(SOON, (end - begin) / 5):
            yield (
                f"{whose} expires on {end:%Y-%m-%d at %H:%M UTC}, and has not been renewed: "
                f"{_where(site, 'certificate')}"
            )
