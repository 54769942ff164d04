"""What box and cloud say to each other over MQTT 5: every topic, message and command, typed once.

Owns: names, fields and limits of the contract. `edgebox contract --asyncapi` writes AsyncAPI and JSON Schemas from it.
Never: sends anything (client.py), checks a signature (signing.py) or decides (session.py, commands.py).

All messages are JSON, UTF-8, at most MESSAGE_BYTES. Both sides must accept fields that they don't know. `at`, `issued`
and the like are seconds since 1970.

Topics, each behind the box's prefix (`[sync] topics`, by default edgebox/v1/{tenant}/{store}/{box}):

    up/{stream}   box → cloud   Batch      QoS 1   rows of one stream and epoch, in order
    state         box → cloud   State      QoS 1   sign of life; retained and as a will where the broker has that
    ask           box → cloud   Envelope   QoS 1   an Ask (coupons), closed; with response topic and correlation data
    reply         box → cloud   Reply      QoS 1   every step of a command
    reported      box → cloud   Reported   QoS 1   which bundles are in force, which were rejected and why
    ack           cloud → box   Ack        QoS 1   how far the cloud has a stream, and what it misses
    cmd           cloud → box   Signed     QoS 1   a Command
    desired       cloud → box   Signed     QoS 1   a Bundle; retained where the broker has that
    answer        cloud → box   Envelope   QoS 1   an Answer to an Ask, closed
    csr           box → cloud   CertificateAsk    QoS 1   a box wants a certificate of its own, or the next one
    certificate   cloud → box   CertificateGift   QoS 1   it, or why not
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

VERSION = 1
MESSAGE_BYTES = 256 << 10  # AWS IoT takes 128 KiB, EMQX 1 MiB by default; batches are far below

Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]


def _nothing() -> msgspec.Raw:
    return msgspec.Raw(b"null")


def _no_args() -> msgspec.Raw:
    return msgspec.Raw(b"{}")


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all have in common."""


# -- rows on their way up


class Batch(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """Rows of one stream and epoch, in order of `seq`. One live row is a batch of one.

    The dedupe key of a row is (box, epoch, stream, seq). Each of `rows` is a Row, or a Lost for numbers that were given
    up; together they have no gap.
    """

    v: int = VERSION
    box: str
    epoch: str
    stream: str
    rows: tuple[Row, ...]


class Row(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """One journal row. `boot` and `mono_ms`: which run of the machine, and its uptime; `trusted`: the clock was right.

    `event`: as edgebox/store/events.py writes it; absent if `lost` says why rows `seq`…`to` were given up.
    """

    seq: int
    to: int = 0
    lost: str = ""
    boot: str = ""
    mono_ms: int = 0
    at_ms: int = 0
    trusted: bool = False
    event: msgspec.Raw = msgspec.field(default_factory=_nothing)


class Ack(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """The cloud has every row of `stream` and `epoch` from 1 through `through`.

    `newest`: the highest number it has seen, if it keeps rows that came out of order. `missing`: all ranges between the
    two that it hasn't got; the box sends them again. Numbers that a Row declared lost count as had, and if such a row
    comes after all, it counts more than the Lost. A box that is new or was restarted goes on from the last ack that it
    gets: the cloud sends one for each stream whenever a State with `boot` or `epoch` unknown to it comes in.
    """

    v: int = VERSION
    stream: str
    epoch: str
    through: Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
    newest: Annotated[int, Meta(ge=0, le=(1 << 53) - 1)] = 0
    missing: Annotated[tuple[tuple[int, int], ...], Meta(max_length=64)] = ()


# -- signs of life


class Backlog(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """What waits of one stream. `oldest`: when its first row was recorded."""

    rows: int
    oldest: int = 0


class State(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """A sign of life, good for `expires_s`; a box that sends none in that time is to be taken as offline.

    `acknowledged`: how far the box believes that the cloud has each stream in `epoch`. If that is further than the
    cloud has it, somebody forged an Ack: the command `resend` brings the rows, for acknowledged ones stay on the box
    for days. `refused`: what a broker did not take, and what the box had no room to record,
    since it was started. A will has none of these.
    """

    v: int = VERSION
    box: str
    online: bool = True
    at: int = 0
    trusted: bool = False
    expires_s: int = 0
    boot: str = ""
    up_s: int = 0
    version: str = ""
    epoch: str = ""
    backlog: dict[str, Backlog] = {}
    acknowledged: dict[str, int] = {}
    refused: dict[str, int] = {}
    health: dict[str, str] = {}
    lines: dict[str, str] = {}
    bundles: dict[str, int] = {}


# -- questions


class Envelope(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """An Ask, or an Answer to it, that the broker can neither read, make nor change.

    `text`: 12 bytes of nonce and the JSON, closed with ChaCha20-Poly1305 under a key from the box's claim key of
    `epoch` (edgebox/envelope.py), base64. `id`: of the question.
    """

    v: int = VERSION
    id: Id
    epoch: Annotated[int, Meta(ge=0, le=(1 << 32) - 1)]
    text: Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]{38,}={0,2}$", max_length=64 << 10)]


class Ask(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """A question that a person waits for. `id` stays the same however often it is asked."""

    v: int = VERSION
    id: Id
    what: str
    args: dict[str, Any] = {}
    at: int = 0


class Answer(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """What the cloud says to an Ask. An answer in another envelope than its own counts as none."""

    v: int = VERSION
    id: Id
    ok: bool
    reason: str = ""
    result: dict[str, Any] = {}


# -- the box's own certificate

Pem = Annotated[str, Meta(max_length=64 << 10, pattern=r"^[\x20-\x7e\r\n]*$")]


class CertificateAsk(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """A box wants a certificate to a key that it has made and that never leaves it. Sent until it has an answer.

    `request`: PKCS #10, PEM. `proof`: the certificate of the batch that it came with (a claim certificate), or its own
    that is in force (a renewal), PEM. `signature`: by the key of `proof`, base64, over `edgebox certificate v1`, box,
    `request` and `seal` with a NUL between each: so neither the broker nor anybody behind it can put a key of theirs
    in. `seal`: the box's public key for what is sealed to it (edgebox/sealed.py), proven by the same signature. `id`:
    the first 32 hex digits of the SHA-256 of the public key (DER): the same key, the same answer.
    """

    v: int = VERSION
    id: Id
    box: str
    request: Pem
    proof: Pem
    signature: Annotated[str, Meta(max_length=2048, pattern=r"^[A-Za-z0-9+/]+={0,2}$")]
    seal: Annotated[str, Meta(pattern=r"^([A-Za-z0-9+/]{43}=)?$")] = ""


class CertificateGift(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """The certificate (PEM, its chain behind it), or `reason`, a stable word, why there is none.

    `unknown_box`: nobody has said that such a box is to come. `taken`: a box of that name has a certificate to another
    key; an operator has to let it go first. `over`: the claim's days are over, or it was closed. `proof`: the signature
    or its certificate is not to be believed. `request`: the request can't be read, or names another box. `words` are
    for a person.
    """

    v: int = VERSION
    id: Id
    certificate: Pem = ""
    reason: Annotated[str, Meta(max_length=64, pattern=r"^[a-z_]*$")] = ""
    words: Annotated[str, Meta(max_length=300, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")] = ""


# -- commands and bundles


class Signed(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """`body` (the JSON text of a Command or Bundle), signed by the fleet key that `key` names (Ed25519, base64)."""

    key: str
    signature: str
    body: str


class JobPhase(StrEnum):
    """Where a command stands; the last five are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELED = "canceled"


class Command(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """Do this once. `id` makes it so: a box that has seen it answers with what came of it.

    `boxes`: names of the boxes meant, or ("*",) with `stores`. Not carried out after `expires`.
    """

    v: int = VERSION
    id: Id
    command: str
    args: msgspec.Raw = msgspec.field(default_factory=_no_args)
    tenant: str
    stores: tuple[str, ...] = ()
    boxes: tuple[str, ...] = ()
    by: str = ""
    issued: int
    expires: int


class Reply(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """A step of a command. `reason` is a stable word, `words` are for a person."""

    v: int = VERSION
    id: str
    box: str
    command: str
    state: JobPhase
    progress: float = 0.0
    reason: str = ""
    words: str = ""
    result: dict[str, Any] = {}
    at: int = 0


class BundleKind(StrEnum):
    """What can be desired of a box as a whole, each with its own revisions."""

    CONFIG = "config"
    RULES = "rules"
    SLIPS = "slips"
    PROFILES = "profiles"
    LEXICON = "lexicon"
    MEMBERS = "members"
    BEACONS = "beacons"
    TAGS = "tags"
    PICK_UPS = "pick_ups"


class Bundle(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """The whole of one kind, in force from `activate_at` (0: at once). `revision` only goes up."""

    v: int = VERSION
    kind: BundleKind
    revision: Annotated[int, Meta(ge=1, le=(1 << 53) - 1)]
    content: msgspec.Raw
    tenant: str
    stores: tuple[str, ...] = ()
    boxes: tuple[str, ...] = ()
    by: str = ""
    issued: int
    activate_at: int = 0


class BundleState(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """Where one kind of bundle stands. `revision`: in force; `desired`: the highest that came, of which the rest tells.

    `state`: BundlePhase of sync/bundles.py. `ready`: since when it waits for `activate_at`, checked and kept.
    `rejected`: key → why, for each key that can't be had.
    """

    revision: int = 0
    desired: int = 0
    state: str = ""
    ready: int = 0
    rejected: dict[str, str] = {}
    reason: str = ""


class Reported(_Message, frozen=True, kw_only=True, omit_defaults=True):
    """What is in force and what became of what was desired.

    `seal`: the box's public key for sealed arguments (base64); `seal_proof` shows that it is the box's own and not the
    broker's (edgebox/sealed.py).
    """

    v: int = VERSION
    box: str
    at: int = 0
    bundles: dict[str, BundleState] = {}
    seal: str = ""
    seal_proof: str = ""
