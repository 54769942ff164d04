"""What the box proves itself with: CA, client certificate and key, password, each a file of one folder.

Owns: the files' rights, the TLS settings, the dates of the certificates. Never: puts any of it into a log, a message or
the database; takes a secret from the configuration; leaves the broker's certificate unchecked, for which there is no
setting.
"""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from edgebox import given
from edgebox.errors import SyncError

CA, CERTIFICATE, KEY, PASSWORD = "ca.crt", "client.crt", "client.key", "password"
FILE_BYTES = 1 << 20  # a bundle of all public CAs has 200 KB


class Pair(NamedTuple):
    """A certificate and its key: their files' names."""

    certificate: str
    key: str


OWN = Pair(CERTIFICATE, KEY)
NEXT = Pair("next.crt", "next.key")  # the box's next one, which the broker has not seen yet (own_certificate.py)
CLAIM = Pair("claim.crt", "claim.key")  # what a new box asks with for its own
SECRET = frozenset({KEY, PASSWORD, NEXT.key, CLAIM.key})


class Credentials(NamedTuple):
    """What stands in the folder. `context`: None without TLS. `expires`: of the client's certificate, 0 without one."""

    context: ssl.SSLContext | None
    password: str | None
    expires: int


def load(folder: Path, *, tls: bool, pair: Pair = OWN) -> Credentials:
    """Reads the folder anew. `pair`: which certificate to show. SyncError (`credentials`) when a file can't be used."""
    password = _read(folder / PASSWORD)
    try:
        text = None if password is None else password.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as fault:
        raise SyncError(f"{folder / PASSWORD} is not UTF-8", reason="credentials") from fault
    if not tls:
        return Credentials(None, text, 0)
    certificate = _read(folder / pair.certificate)
    try:
        expires = _expires(certificate) if certificate is not None else 0
        return Credentials(_context(folder, pair if certificate is not None else None), text, expires)
    except (ssl.SSLError, ValueError, OSError) as fault:
        what = getattr(fault, "reason", None) or getattr(fault, "strerror", None) or "not in PEM form"
        raise SyncError(f"{folder}: certificate or key unusable: {what}", reason="credentials") from fault


def _context(folder: Path, pair: Pair | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if (ca := _read(folder / CA)) is not None:
        context.load_verify_locations(cadata=ca.decode("ascii"))
    else:
        context.load_default_certs()
    if pair is not None:
        _read(folder / pair.key)
        # A key that wants a pass phrase would have OpenSSL ask on the terminal.
        certificate, key = (given.place_of(folder / name) or folder / name for name in pair)
        context.load_cert_chain(certificate, key, password="")
    return context


def _expires(certificate: bytes) -> int:
    return int(x509.load_pem_x509_certificate(certificate).not_valid_after_utc.timestamp())


def _read(path: Path) -> bytes | None:
    """The bytes; None: no such file. A secret must be the owner's alone, the rest nobody else's to write."""
    place = given.place_of(path)
    if place is None:
        return None
    path = place
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise SyncError(f"{path}: {fault.strerror}", reason="credentials") from fault
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        is_safe = given.is_private(descriptor, path) if path.name in SECRET else not facts.st_mode & 0o022
        if not stat.S_ISREG(facts.st_mode) or not given.is_ours(facts, path) or not is_safe:
            raise SyncError(
                f"{path}: others can {'read' if path.name in SECRET else 'write'} it, or it is not ours",
                reason="credentials",
                hint=f"chown to the user that runs edgebox, chmod {'600' if path.name in SECRET else '644'}",
            )
        return file.read(FILE_BYTES)
