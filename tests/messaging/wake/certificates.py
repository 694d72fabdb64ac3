"""Certificates made for one test: an authority of our own, and what it signs, well or badly."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates; who trusts `file` trusts them."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    @property
    def file(self) -> Path:
        """Its own certificate."""
        return self.folder / "authority.pem"

    def server(self, *names: str, age_days: int = 0) -> ssl.SSLContext:
        """What a server of those names and addresses shows; it lasts for ten days."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.renew(context, *names, age_days=age_days)
        return context

    def renew(self, context: ssl.SSLContext, *names: str, age_days: int = 0) -> None:
        """Have the server show another certificate from now on."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_alternative(each) for each in names])
        begins = datetime.now(UTC) - age_days * _DAY - _DAY / 24
        certificate = (
            _unsigned(_named("server"), self.name, key, begins)
            .add_extension(alternatives, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        file = self.folder / "server.pem"
        file.write_bytes(_private(key) + certificate.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(file)


def authority(folder: Path) -> Authority:
    """A new authority, whose files lie in the folder."""
    made = Authority(folder, ec.generate_private_key(ec.SECP256R1()), _named("authority of a test"))
    is_one = x509.BasicConstraints(ca=True, path_length=None)
    certificate = (
        _unsigned(made.name, made.name, made.key, datetime.now(UTC) - _DAY)
        .add_extension(is_one, critical=True)
        .sign(made.key, hashes.SHA256())
    )
    made.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return made


def _unsigned(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begins: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + 10 * _DAY)
    )


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
