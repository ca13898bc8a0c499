"""The hub's own certificate authority, which only its own sessions, its proxy and itself trust.

Certificates of sessions are made on the hub's loop: a key on the curve P-256 and its certificate take less
than a millisecond, an RSA key of the same strength a hundred times as long.
"""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from clusterhub.errors import ClusterhubError

YEAR = datetime.timedelta(days=365)
AUTHORITY_LIFETIME = 30 * YEAR
"""As long as a hub may live: with another authority it would not know the sessions that run."""

EARLIER = datetime.timedelta(days=1)
"""By how much the clock of a node may be behind when a certificate is made."""

Usage = x509.ObjectIdentifier
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True)
class Identity:
    """A private key and the certificate of its public key, both in PEM."""

    name: str
    key: str
    certificate: str

    @property
    def pem(self) -> str:
        """Both, as programs read them from one file."""
        return self.key + self.certificate


@dataclass(frozen=True)
class Authority:
    """A certificate authority with its private key."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls) -> Authority:
        """A new one, that nobody trusts yet."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            _unsigned(key, now - EARLIER, now + AUTHORITY_LIFETIME)
            .issuer_name(_name("clusterhub"))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @classmethod
    def from_pem(cls, text: str, path: Path) -> Authority:
        """The one that `pem` wrote to ``path``. Raises ClusterhubError for anything else."""
        try:
            key = serialization.load_pem_private_key(text.encode(), password=None)
            certificate = x509.load_pem_x509_certificate(text.encode())
            if (
                not isinstance(key, ec.EllipticCurvePrivateKey)
                or key.public_key() != certificate.public_key()
            ):
                raise ValueError
        except ValueError:
            raise ClusterhubError(
                "The file of the hub's certificate authority holds no key with its certificate.",
                where=str(path),
                next="Bring it back from a backup. Without one, delete the file: the hub makes another at "
                "its start, and does not know the sessions that run.",
            ) from None
        return cls(key, certificate)

    @property
    def pem(self) -> str:
        """The private key and the certificate."""
        return _key_text(self.key) + self.public_pem

    @property
    def public_pem(self) -> str:
        """The certificate alone, for those who trust this authority."""
        return _certificate_text(self.certificate)

    def issue(self, name: str, usage: Usage, lifetime: datetime.timedelta | None = None) -> Identity:
        """A new key, and a certificate that it is of that host name or IP address, for one use alone.

        Without ``lifetime`` it is valid as long as the authority.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        end = self.certificate.not_valid_after_utc
        certificate = (
            _unsigned(
                key,
                max(now - EARLIER, self.certificate.not_valid_before_utc),
                end if lifetime is None else min(now + lifetime, end),
            )
            .issuer_name(self.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
            .add_extension(x509.SubjectAlternativeName([_alternative(name)]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
            .sign(self.key, hashes.SHA256())
        )
        return Identity(name, _key_text(key), _certificate_text(certificate))

    def vouches_for(self, text: str, name: str, left: datetime.timedelta) -> bool:
        """Whether that is a key with a certificate of this authority for that name, valid so much longer."""
        try:
            key = serialization.load_pem_private_key(text.encode(), password=None)
            certificate = x509.load_pem_x509_certificate(text.encode())
            certificate.verify_directly_issued_by(self.certificate)
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except Exception:  # the library raises many kinds; whatever it is, it is no such file
            return False
        until = datetime.datetime.now(datetime.timezone.utc) + left
        return (
            key.public_key() == certificate.public_key()
            and _alternative(name) in list(names)
            and certificate.not_valid_after_utc > until
        )


def _unsigned(
    key: ec.EllipticCurvePrivateKey, begin: datetime.datetime, end: datetime.datetime
) -> x509.CertificateBuilder:
    """What all certificates have. Their name is in the extensions: a common name has room for 64 letters."""
    return (
        x509.CertificateBuilder()
        .subject_name(_name("clusterhub"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_text(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _certificate_text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
