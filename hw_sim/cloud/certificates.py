"""The stand-in's certificates: one authority, and what it issues to the broker and to each box.

Owns: the authority's key and certificate in its folder (mode 0600), and the folders it fills for a box: ca.crt,
client.crt, client.key, as [sync] credentials wants them. Never: a certificate for anything but this stand-in. Real
fleets use their own authority; `issue(ends=...)` makes one that has expired, to see what a box says to that.
"""

from __future__ import annotations

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 30  # more than any run of the stand-in lasts


class Issued(NamedTuple):
    """Where a certificate and its key lie."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; its own is made at first use."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self.certificate = folder / "ca.crt"
        path = folder / "ca.key"
        if path.exists():
            key = serialization.load_pem_private_key(path.read_bytes(), None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            self._key = key
            self._own = x509.load_pem_x509_certificate(self.certificate.read_bytes())
            return
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = _name("edgebox stand-in authority")
        self._own = (
            _builder(name, name, self._key, DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        _write(path, _pem(self._key))
        _write(self.certificate, self._own.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, server: bool = False, ends: datetime | None = None) -> Issued:
        """A certificate for `name` (a box, or the server's host); `ends`: when it expires."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = _builder(_name(name), self._own.subject, key, DAYS, ends)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if server:
            names = x509.SubjectAlternativeName(
                [x509.DNSName(name), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
            )
            builder = builder.add_extension(names, critical=False)
        issued = Issued(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        _write(issued.key, _pem(key))
        _write(issued.certificate, builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return issued

    @property
    def own(self) -> x509.Certificate:
        """The authority's certificate."""
        return self._own

    def sign(self, request: x509.CertificateSigningRequest, name: str, ends: datetime) -> str:
        """A certificate (PEM) for `name` to the request's key; nothing else of the request is taken over."""
        key = request.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey), "what boxes make"
        builder = _builder(_name(name), self._own.subject, key, DAYS, ends)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        made = builder.add_extension(usage, critical=False).sign(self._key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM).decode("ascii")

    def furnish_claim(self, batch: str, folder: Path, *, ends: datetime) -> None:
        """Fills a folder with what new boxes ask with: ca.crt, claim.crt, claim.key."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        issued = self.issue(batch, ends=ends)
        _write(folder / "ca.crt", self.certificate.read_bytes())
        _write(folder / "claim.crt", issued.certificate.read_bytes())
        _write(folder / "claim.key", issued.key.read_bytes())

    def furnish(self, box: str, credentials: Path, *, ends: datetime | None = None) -> None:
        """Fills a box's folder of credentials."""
        credentials.mkdir(mode=0o700, parents=True, exist_ok=True)
        issued = self.issue(box, ends=ends)
        _write(credentials / "ca.crt", self.certificate.read_bytes())
        _write(credentials / "client.crt", issued.certificate.read_bytes())
        _write(credentials / "client.key", issued.key.read_bytes())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey,
    days: int,
    ends: datetime | None = None,
) -> x509.CertificateBuilder:
    ends = ends or datetime.now(UTC) + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(datetime.now(UTC), ends) - timedelta(days=1))
        .not_valid_after(ends)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _write(path: Path, raw: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
