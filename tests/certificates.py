"""An authority of the tests' own, and certificates that it gives."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
DAY = timedelta(days=1)
USUAL = (-DAY, 29 * DAY)


def new_key() -> Key:
    """A key of ECDSA."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: Key, passphrase: str = "") -> bytes:
    """The key as its file has it."""
    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase:
        encryption = BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


@dataclass
class Authority:
    """Gives certificates."""

    key: Key = field(default_factory=new_key)
    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @property
    def certificate(self) -> bytes:
        """Its own, in PEM."""
        name = _name("The tests' authority")
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(self.now - DAY)
            .not_valid_after(self.now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, SHA256())
            .public_bytes(Encoding.PEM)
        )

    def give(self, key: Key, *names: str, valid: tuple[timedelta, timedelta] = USUAL) -> bytes:
        """A certificate for these hosts and addresses, in PEM, valid between these times from now."""
        alternatives = [_alternative(name) for name in names]
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(names[0] if names else "nobody"))
            .issuer_name(_name("The tests' authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now + valid[0])
            .not_valid_after(self.now + valid[1])
        )
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return builder.sign(self.key, SHA256()).public_bytes(Encoding.PEM)

    def write(self, directory: Path, *names: str, valid: tuple[timedelta, timedelta] = USUAL) -> bytes:
        """A new certificate and its key in ``certificate.pem`` and ``key.pem``; returns the certificate."""
        key = new_key()
        given = self.give(key, *names, valid=valid)
        (directory / "key.pem").touch(mode=0o600)
        (directory / "key.pem").write_bytes(key_pem(key))
        (directory / "certificate.pem").write_bytes(given)
        return given


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
