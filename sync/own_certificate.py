"""The box's own certificate: its key is made here and never leaves, a request goes out, the certificate comes back.

Owns: the files of that in the folder of credentials, and which step comes after which. Never: sends anything, believes
a certificate to another key, or lets go of what works before the broker has let the box in with what is new.

    claim.crt, claim.key     a whole batch's, short-lived, put there by `edgebox setup`: good for one request
    next.key, next.crt       the box's own, asked for; whole when next.crt is there, and not proven yet
    client.crt, client.key   the box's own (credentials.py), proven: the broker has let the box in with it

Steps, each on the disk before the next, so that the power may go between any two of them:

1. next.key is made. The request is made of it, however often, and signed with the claim's key, or at a renewal with
   the key in force: so the cloud knows whose it is, though the broker may not be its own any more.
2. next.crt comes, and fits next.key.
3. The broker lets the box in with them: next.key and then next.crt take the place of client.*; the claim is removed.

A broker that won't have the new one sees the old one again (renewal.py). Everything here blocks.
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from edgebox.errors import SyncError
from edgebox.private_file import write_private
from sync.contract import CertificateAsk, CertificateGift
from sync.credentials import CERTIFICATE, CLAIM, KEY, NEXT, OWN, Pair

Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_LABEL = b"edgebox certificate v1"


class Standing(NamedTuple):
    """What is there. `begins`, `expires`: of the certificate in force, seconds since 1970; 0 without one."""

    has_own: bool = False
    has_next: bool = False
    has_claim: bool = False
    begins: int = 0
    expires: int = 0

    def is_ending(self, now: float, days: int) -> bool:
        """It is good for fewer than `days` (0: never), or than a third of its whole life where that is shorter."""
        ahead_s = min(days * 86_400, (self.expires - self.begins) // 3)
        return self.has_own and ahead_s > 0 and now >= self.expires - ahead_s


def look(folder: Path) -> Standing:
    """What is in the folder, once a step that the power cut short is finished. SyncError `credentials`."""
    try:
        if (folder / NEXT.certificate).exists() and not (folder / NEXT.key).exists():
            _take(folder)  # between the two renames of `prove`, and nowhere else, is it alone
        found = x509.load_pem_x509_certificate(own) if (own := _bytes(folder / CERTIFICATE)) else None
        return Standing(
            found is not None,
            (folder / NEXT.certificate).exists(),
            all((folder / name).exists() for name in CLAIM),
            int(found.not_valid_before_utc.timestamp()) if found else 0,
            int(found.not_valid_after_utc.timestamp()) if found else 0,
        )
    except (OSError, ValueError) as fault:
        raise _fault(folder, fault) from fault


def request(folder: Path, box: str, seal: str) -> CertificateAsk:
    """What goes to the cloud; the same again until `prove` or `give_up`. `seal`: the box's public key for what is
    sealed, which the signature covers. SyncError `credentials`."""
    try:
        key = _next_key(folder)
        pair = OWN if (folder / CERTIFICATE).exists() else CLAIM
        proof = _private((folder / pair.key).read_bytes())
        certificate = (folder / pair.certificate).read_text("ascii")
        made = _der(key.public_key())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, box)])
        text = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    except (OSError, ValueError, TypeError) as fault:
        raise _fault(folder, fault) from fault
    pem = text.public_bytes(serialization.Encoding.PEM).decode("ascii")
    signature = base64.b64encode(_signed(proof, signed_text(box, pem, seal))).decode("ascii")
    return CertificateAsk(
        id=hashlib.sha256(made).hexdigest()[:32],
        box=box,
        request=pem,
        proof=certificate,
        signature=signature,
        seal=seal,
    )


def accept(folder: Path, gift: CertificateGift) -> None:
    """Keeps the certificate, if it is to our key. SyncError `claim`: the cloud refuses, or it is to another key."""
    if not gift.certificate:
        words = gift.words or "it doesn't say why"
        raise SyncError(f"the cloud gives no certificate ({gift.reason}): {words}", reason="claim", hint=HINT)
    try:
        given = x509.load_pem_x509_certificate(gift.certificate.encode("ascii"))
        own = _der(_next_key(folder).public_key())
        if _der(given.public_key()) != own:
            raise SyncError("a certificate came that is to another key than ours", reason="claim", hint=HINT)
        write_private(folder / NEXT.certificate, gift.certificate.encode("ascii"))
    except (OSError, ValueError) as fault:
        raise _fault(folder, fault) from fault


def prove(folder: Path, pair: Pair) -> None:
    """The broker has let the box in with `pair`. The next one is in force from now, and the claim is over."""
    try:
        if pair is NEXT:
            (folder / NEXT.key).replace(folder / KEY)
            _take(folder)
        for name in (CLAIM.key, CLAIM.certificate):
            (folder / name).unlink(missing_ok=True)
        _sync(folder)
    except OSError as fault:
        raise _fault(folder, fault) from fault


def give_up(folder: Path) -> None:
    """The broker won't have it: the next request is a new one."""
    try:
        for name in (NEXT.certificate, NEXT.key):  # in this order: alone the certificate would be taken for proven
            (folder / name).unlink(missing_ok=True)
            _sync(folder)
    except OSError as fault:
        raise _fault(folder, fault) from fault


# -- for the cloud's side, too


def signed_text(box: str, request_pem: str, seal: str) -> bytes:
    """What the proof's key signs."""
    return b"\0".join((_LABEL, box.encode("utf-8"), request_pem.encode("ascii"), seal.encode("ascii")))


def is_signed(certificate: x509.Certificate, signature: bytes, text: bytes) -> bool:
    """Whoever has the certificate's key has signed the text."""
    key = certificate.public_key()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, text, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, text)
        else:
            return False
    except InvalidSignature:
        return False
    return True


# -- inside

HINT = "docs/keys.md: claim certificate"


def _next_key(folder: Path) -> ec.EllipticCurvePrivateKey:
    """Made at first use."""
    path = folder / NEXT.key
    if not path.exists():
        key = ec.generate_private_key(
            ec.SECP256R1()
        )  # what brokers of large clouds take, too, and quick on a small box
        form = serialization.PrivateFormat.PKCS8
        write_private(path, key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    found = _private(path.read_bytes())
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise ValueError("another kind of key than we make")
    return found


def _private(pem: bytes) -> Private:
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise TypeError("neither ECDSA nor RSA nor Ed25519")
    return key


def _der(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _signed(key: Private, text: bytes) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(text, ec.ECDSA(hashes.SHA256()))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(text)


def _take(folder: Path) -> None:
    (folder / NEXT.certificate).replace(folder / CERTIFICATE)
    _sync(folder)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)  # the names are on disk [fsync(2)]
    finally:
        os.close(descriptor)


def _fault(folder: Path, fault: Exception) -> SyncError:
    words = fault.strerror if isinstance(fault, OSError) else "a key or certificate in it can't be read"
    return SyncError(f"{folder}: {words}", reason="credentials", hint=HINT)
