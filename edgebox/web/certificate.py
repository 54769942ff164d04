"""The page's certificate: the merchant's own, else one that the box made for itself at its first start.

Owns: which one is used, making one, and its fingerprint. Never: sends a key anywhere. cryptography costs 5 MB, so it is
loaded only when one is made, and then in another process.

A browser can't trust a box that nobody vouches for; it warns once. Whoever pairs compares the fingerprint on the slip.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from edgebox.errors import ConfigError
from edgebox.private_file import write_private

CERTIFICATE, KEY = "web.crt", "web.key"
GIVEN = "given"  # folder of the one that was brought in on the page
DAYS = 825  # the longest that iPhones take (Apple: requirements for trusted certificates, HT210176)
RENEW_DAYS = 60  # before its end
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)  # a box without a clock starts in 1970
SHORT_BYTES = 8  # of the fingerprint on paper: nobody makes a key for 2^64
NAMES_MAX = 32
MAKING_S = 60.0  # a second, half a minute on the smallest board while it starts


class Certificate(NamedTuple):
    """Files of a certificate and its key. `is_own`: the box made it. `ends`: seconds since 1970."""

    certificate: Path
    key: Path
    is_own: bool
    fingerprint: str
    ends: float

    @property
    def short(self) -> str:
        """The fingerprint's beginning, as browsers write it: `3F:A2:91:0C:77:5E:D4:18`."""
        pairs = [self.fingerprint[at : at + 2] for at in range(0, 2 * SHORT_BYTES, 2)]
        return ":".join(pairs).upper()

    def is_due(self, now: float) -> bool:
        """The box should make another."""
        return self.is_own and now > self.ends - timedelta(days=RENEW_DAYS).total_seconds()


def certificate_for(folder: Path, given: str, names: Iterable[str], now: float) -> Certificate:
    """The one to use; blocks. `given`: [web] certificate. ConfigError `bad_certificate`: it can't be used."""
    for place in filter(None, (given, os.environ.get("CREDENTIALS_DIRECTORY", ""))):
        if (Path(place) / CERTIFICATE).is_file():
            return _read(Path(place), is_own=False)
    if given:
        raise _bad(Path(given) / CERTIFICATE, "it is not there")
    if (brought := brought_in(folder)) is not None:
        return brought
    try:
        found = _read(folder, is_own=True)
        context(found)
        if not found.is_due(now):
            return found
    except ConfigError:
        pass  # there is none yet, or the card has lost some of it
    _make_apart(folder, list(names)[:NAMES_MAX], now)
    return _read(folder, is_own=True)


def brought_in(folder: Path) -> Certificate | None:
    """The one of the page; None: there is none, or it can't be used any more: a page with a warning is better."""
    if not (folder / GIVEN / CERTIFICATE).is_file():
        return None
    try:
        found = _read(folder / GIVEN, is_own=False)
        context(found)
    except ConfigError:
        return None
    return found


def bring_in(folder: Path, certificate: str, key: str, now: float) -> Certificate:
    """Keeps one that somebody has brought, in PEM; blocks. ConfigError `bad_certificate`: it can't be used, its key is
    another's or has a password, or it has run out; then all is as before. OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="new-") as name:
        new = Path(name)
        write_private(new / CERTIFICATE, certificate.encode("utf-8"))
        write_private(new / KEY, key.encode("utf-8"))
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            made.load_cert_chain(new / CERTIFICATE, new / KEY, password=_no_password)
        except (OSError, ssl.SSLError, ValueError) as fault:
            raise _bad(Path(CERTIFICATE), "certificate and key don't fit each other") from fault
        if _read(new, is_own=False).ends < now:
            raise _bad(Path(CERTIFICATE), "it has run out")
        there = folder / GIVEN
        there.mkdir(mode=0o700, exist_ok=True)
        (there / CERTIFICATE).unlink(missing_ok=True)  # between the two files there is none
        os.replace(new / KEY, there / KEY)
        os.replace(new / CERTIFICATE, there / CERTIFICATE)
    return _read(there, is_own=False)


def take_out(folder: Path) -> bool:
    """Whether one had been brought; blocks. OSError."""
    there = folder / GIVEN
    was = (there / CERTIFICATE).exists()
    (there / CERTIFICATE).unlink(missing_ok=True)
    (there / KEY).unlink(missing_ok=True)
    return was


def _no_password() -> str:
    """OpenSSL would ask for it at a terminal."""
    raise ValueError("the key has a password")


def context(found: Certificate) -> ssl.SSLContext:
    """TLS 1.2 and newer. ConfigError `bad_certificate`."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    load(made, found)
    return made


def load(into: ssl.SSLContext, found: Certificate) -> None:
    """New connections get this certificate. ConfigError `bad_certificate`."""
    try:
        into.load_cert_chain(found.certificate, found.key)
    except (OSError, ssl.SSLError) as fault:
        raise _bad(found.certificate, str(fault)) from fault


def _read(folder: Path, *, is_own: bool) -> Certificate:
    path = folder / CERTIFICATE
    try:
        text = path.read_text("ascii")
        begin = text.index("-----BEGIN CERTIFICATE-----")
        end = text.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----\n")
        raw = ssl.PEM_cert_to_DER_cert(text[begin:end].strip() + "\n")
        ends = _ends(raw)
    except (OSError, ValueError) as fault:
        raise _bad(path, str(fault)) from fault
    return Certificate(path, folder / KEY, is_own, hashlib.sha256(raw).hexdigest(), ends)


def _ends(raw: bytes) -> float:
    """notAfter: the second time of the validity (RFC 5280, section 4.1.2.5). ValueError.

    Read here, for one number: two ASN.1 times stand one after the other nowhere else before the key.
    """
    for kind, length, form in ((0x17, 13, "%y%m%d%H%M%SZ"), (0x18, 15, "%Y%m%d%H%M%SZ")):
        for first in ((0x17, 13), (0x18, 15)):
            at = -1
            while (at := raw.find(bytes(first), at + 1)) >= 0:
                second = at + 2 + first[1]
                if raw[second : second + 2] == bytes((kind, length)):
                    text = raw[second + 2 : second + 2 + length].decode("ascii", "replace")
                    return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
    raise ValueError("no validity")


def _make_apart(folder: Path, names: list[str], now: float) -> None:
    """As `make`, in a process of its own: the ciphers' library would stay in the engine's memory for ever, 10 MB."""
    command = [sys.executable, "-m", __name__, str(folder), str(now), *names]
    try:
        done = subprocess.run(command, capture_output=True, timeout=MAKING_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise _bad(folder / CERTIFICATE, f"not made: {fault}") from fault
    if done.returncode:
        raise _bad(folder / CERTIFICATE, f"not made: {done.stderr.decode('utf-8', 'replace')[-200:]}")


def make(folder: Path, names: list[str], now: float) -> None:
    """EC P-256, for server authentication, for these names and addresses."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    from edgebox.web.addresses import as_address

    began = max(datetime.fromtimestamp(now, UTC), EARLIEST) - timedelta(days=1)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "edgebox")])
    said: list[x509.GeneralName] = []
    for name in names:
        address = as_address(name)
        said.append(x509.IPAddress(address) if address else x509.DNSName(name))
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(said), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(folder / KEY, plain)
    write_private(folder / CERTIFICATE, made.public_bytes(pem))


def _bad(path: Path, words: str) -> ConfigError:
    return ConfigError(f"{path}: {words}", reason="bad_certificate", hint="[web] certificate")


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[3:], float(sys.argv[2]))
