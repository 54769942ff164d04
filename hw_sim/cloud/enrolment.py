"""Boxes that ask for a certificate of their own: who may, what they get, and that each name has one key.

Owns: the claims of batches, and which key each box has a certificate to. Never: gives a second key the same name: who
finds a claim certificate could take a living box's place. An operator lets a name go (`let_go`) when its box is dead.

The same key gets the same certificate however often it asks: an answer may be lost on its way, or its box's power.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from hw_sim.cloud.certificates import DAYS, Authority
from hw_sim.cloud.ledger import Ledger
from hw_sim.cloud.registry import Box
from sync.contract import CertificateAsk, CertificateGift
from sync.own_certificate import is_signed, signed_text

_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (name TEXT PRIMARY KEY, ends INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS own_certificates (
    box TEXT PRIMARY KEY, key TEXT, before TEXT, certificate TEXT, ends INTEGER, seal TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names_let_go (box TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
"""
_WORDS = {
    "unknown_box": "no such box is expected",
    "taken": "a box of this name has a certificate; an operator has to let it go first",
    "over": "the claim's time is over",
    "proof": "the request is not signed by a claim, or by the box's own certificate",
    "request": "the request can't be read, or names another box",
}


class _Held(NamedTuple):
    """What a box has. `key`: of its newest certificate; `before`: of the one it asked with, "" for a claim: that one
    is good to ask with until the newest has been seen."""

    key: str
    before: str
    certificate: str
    ends: int


class Enrolment:
    """`clock`: seconds since 1970; `days`: a certificate's life."""

    def __init__(self, ledger: Ledger, authority: Authority, clock: Callable[[], float], days: int = DAYS) -> None:
        self.days = days
        self.seals: dict[str, str] = {}
        self._ledger, self._authority, self._clock = ledger, authority, clock
        ledger.db.executescript(_SCHEMA)
        self.seals.update(ledger.ask("SELECT box, seal FROM own_certificates WHERE seal <> ''"))

    def batch(self, name: str, folder: Path, *, days: int = 7) -> None:
        """A claim for a batch of boxes, in a folder as the answers' `[cloud] claim` wants it."""
        ends = datetime.fromtimestamp(self._clock(), UTC) + timedelta(days=days)
        self._authority.furnish_claim(name, folder, ends=ends)
        with self._ledger.commit() as db:
            db.execute("INSERT OR REPLACE INTO batches VALUES (?, ?)", (name, int(ends.timestamp())))

    def close(self, batch: str) -> None:
        """All its boxes are there."""
        with self._ledger.commit() as db:
            db.execute("UPDATE batches SET ends = 0 WHERE name = ?", (batch,))

    def let_go(self, box: str) -> None:
        """The box is dead: another one may have its name, with a claim; no certificate of before asks in it again."""
        with self._ledger.commit() as db:
            db.execute("INSERT OR IGNORE INTO names_let_go VALUES (?)", (box,))
            db.execute("DELETE FROM own_certificates WHERE box = ?", (box,))
        self.seals.pop(box, None)

    def answer(self, box: Box | None, ask: CertificateAsk) -> CertificateGift:
        """The certificate, or why not."""
        reason, made = self._judged(box, ask)
        if reason:
            return CertificateGift(id=ask.id, reason=reason, words=_WORDS[reason])
        return CertificateGift(id=ask.id, certificate=made)

    def _judged(self, box: Box | None, ask: CertificateAsk) -> tuple[str, str]:
        try:
            proof = x509.load_pem_x509_certificate(ask.proof.encode("ascii"))
            request = x509.load_pem_x509_csr(ask.request.encode("ascii"))
            signature = base64.b64decode(ask.signature, validate=True)
        except (ValueError, binascii.Error):
            return "request", ""
        if not self._is_ours(proof) or not is_signed(proof, signature, signed_text(ask.box, ask.request, ask.seal)):
            return "proof", ""
        names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        key = _digest(request.public_key().public_bytes(*_DER))
        if not request.is_signature_valid or [one.value for one in names] != [ask.box] or key[:32] != ask.id:
            return "request", ""
        if box is None or box.name != ask.box:
            return "unknown_box", ""
        return self._given(box.name, proof, request, key, ask.seal)

    def _given(
        self, box: str, proof: x509.Certificate, request: x509.CertificateSigningRequest, key: str, seal: str
    ) -> tuple[str, str]:
        held = self._held(box)
        if held is not None and held.key == key:
            return "", held.certificate
        refusal = self._refusal(box, proof, held)
        if refusal:
            return refusal, ""
        ends = datetime.fromtimestamp(self._clock(), UTC) + timedelta(days=self.days)
        made = self._authority.sign(request, box, ends)
        before = _digest(proof.public_key().public_bytes(*_DER)) if held is not None else ""
        row = (box, key, before, made, int(ends.timestamp()), seal)
        with self._ledger.commit() as db:
            db.execute("INSERT OR REPLACE INTO own_certificates VALUES (?, ?, ?, ?, ?, ?)", row)
        if seal:
            self.seals[box] = seal
        return "", made

    def _refusal(self, box: str, proof: x509.Certificate, held: _Held | None) -> str:
        """Why this certificate is none to ask with; "": it is one."""
        name = str(proof.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        now = self._clock()
        if proof.not_valid_after_utc.timestamp() <= now:
            return "over"
        batch = self._ledger.ask("SELECT ends FROM batches WHERE name = ?", name)
        if batch:
            return "over" if batch[0][0] <= now else "taken" if held is not None else ""
        # The box's own: a renewal. One from before this desk began is as good as any that the authority made.
        if held is not None:
            is_own = name == box and _digest(proof.public_key().public_bytes(*_DER)) in (held.key, held.before)
        else:  # a stolen box would renew itself into the name that was let go
            is_own = name == box and not self._ledger.ask("SELECT 1 FROM names_let_go WHERE box = ?", box)
        return "" if is_own else "proof"

    def _held(self, box: str) -> _Held | None:
        found = self._ledger.ask("SELECT key, before, certificate, ends FROM own_certificates WHERE box = ?", box)
        return _Held(*found[0]) if found else None

    def _is_ours(self, certificate: x509.Certificate) -> bool:
        try:
            certificate.verify_directly_issued_by(self._authority.own)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


_DER = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _digest(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()
