"""The words that line and engine say to each other over their Unix socket.

Owns: the frame types, their bytes, and a decoder that takes any chunking. Never: sockets, or what to do about a frame.
Standard library only. One frame is `u32 length of the rest, u8 version, u8 type, payload`, all big-endian; text is
UTF-8 behind a u16 length, bytes behind a u32 length. A frame over MAX_FRAME, of another version or of an unknown type
is an error of the peer: the connection is closed, the wire goes on.

Who says what:

    line → engine   Hello, Begin, Data, End, Outcome, Printed, Status, JobState, Gap, Ping, Pong
    engine → line   Answer, Done, Job, JobCancel, Ping, Pong, Restart, WhoIs
    doctor → engine WhoIs, answered by Pong
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple, get_type_hints

VERSION = 1
MAX_FRAME = 1 << 20  # largest frame, in bytes: the spool's size; a slip is some KB


class Why(IntEnum):
    """Why a document ended."""

    CUT = 1  # a cut command the printer obeys
    SIGNATURE = 2  # the till's learned last bytes
    IDLE = 3  # nothing came for a while
    CLOSE = 4  # the till hung up
    STOP = 5  # the line is shutting down


class Result(IntEnum):
    """What became of the slip."""

    INSERTED = 1
    PLAIN = 2  # not asked, or the engine said none
    LATE = 3  # asked, but no answer in time: void the claim
    REFUSED = 4  # the answer's body was not safe to print: void the claim


TORN = 0  # no result: said of a document whose outcome was INSERTED, when the printer went before it had the slip whole


class JobPhase(IntEnum):
    """A job's state as the line sees it."""

    QUEUED = 1
    PRINTING = 2
    SENT = 3  # all bytes taken by the printer; reason PROOF_ASKED: whether they are on paper follows
    PRINTED = 4  # and the printer said so (GS ( H)
    FAILED = 5
    EXPIRED = 6
    CANCELED = 7


PROOF_ASKED = "proof asked"
NO_PROOF = "no proof"  # SENT once more: the printer was asked and has not said it


class Hello(NamedTuple):
    """First frame of a connection. `session` (random) and a document's number name it once and for all."""

    session: bytes
    line: str
    profile: str
    bytes_per_s: int  # speed of the printer's end; 0: not the limit
    mm_to_cut: int  # head to cutter, tenths of a millimetre


class Begin(NamedTuple):
    """A document begins. `prelude`: commands that bring a fresh parser into the modes in force here (ESC t, FS & …)."""

    document: int
    prelude: bytes


class Data(NamedTuple):
    """Bytes of a document as the till sent them. `offset` counts from the document's first byte."""

    document: int
    offset: int
    raw: bytes


class End(NamedTuple):
    """The document is complete. When `ask`, the paper waits for an Answer for at most `answer_ms`.

    Offsets count from the document's first byte: `ink_end` after the last ink's line end, `insert_at` where a slip
    would go (-1: nowhere, `reason` says why), `cut_at` the cut command (-1: none).
    `symbol_ok`: a native QR may be printed (the till's stored symbol can be restored). `code_page`: ESC t in force,
    -1 unknown. `replay`: this document ended before this connection; `ref` is what the engine had answered then.
    """

    document: int
    why: int
    ask: bool
    reason: str
    ink_end: int
    insert_at: int
    cut_at: int
    symbol_ok: bool
    code_page: int
    answer_ms: int
    replay: bool
    ref: bytes


class Answer(NamedTuple):
    """What to print: `body` (empty: nothing). `ref` (≤ 256 bytes) comes back in Outcome and in a replayed End."""

    document: int
    ref: bytes
    body: bytes


class Outcome(NamedTuple):
    """What was done. `hold_us`: from the cut seen to its release. `slip_bytes`: wrapped length, 0 when plain."""

    document: int
    result: int
    reason: str
    slip_bytes: int
    hold_us: int
    ref: bytes


class Done(NamedTuple):
    """The engine has recorded the document: the line may forget it."""

    document: int


class Status(NamedTuple):
    """The printer's state as last heard: bits of edgebox.escpos.status.PrinterStatus, and the link up or not."""

    connected: bool
    bits: int
    raw: bytes


class Job(NamedTuple):
    """Print this between documents. `cut`: feed to the cutter and cut behind it. `expires_ms` 0: never.

    `copies`: so many papers, one directly behind the other: nothing of the till comes in between.
    """

    job: str
    body: bytes
    cut: bool
    expires_ms: int
    copies: int = 1


class JobCancel(NamedTuple):
    """Forget a queued job; one that is printing finishes."""

    job: str


class Printed(NamedTuple):
    """The printer has said that a document's slip is on paper (GS ( H): its claim is printed, not only sent."""

    document: int


class JobState(NamedTuple):
    """Progress of a job."""

    job: str
    phase: int
    reason: str


class Gap(NamedTuple):
    """Not delivered: `documents` whole ones dropped from the spool, or `missing` bytes of one (document ≥ 0)."""

    document: int
    documents: int
    missing: int


class Ping(NamedTuple):
    """Are you there? Answered by Pong with the same nonce."""

    nonce: int


class Pong(NamedTuple):
    """Here. From the line, `text` holds its counters, `name value` a line; to a WhoIs also what the printer said."""

    nonce: int
    text: str


class Restart(NamedTuple):
    """Begin anew between two documents, with the settings as they stand then."""


class WhoIs(NamedTuple):
    """Ask the printer of `line` who it is (GS I), in a quiet moment. Answered by a Pong; the nonce is above 0."""

    nonce: int
    line: str


Frame = (
    Hello | Begin | Data | End | Answer | Outcome | Done | Printed | Status | Job | JobCancel | JobState | Gap | Ping
    | Pong | Restart | WhoIs
)  # fmt: skip
_KINDS: tuple[type[Frame], ...] = (
    Hello, Begin, Data, End, Answer, Outcome, Done, Status, Job, JobCancel, JobState, Gap, Ping, Pong,
    Printed, Restart, WhoIs,
)  # fmt: skip
_HEAD = struct.Struct(">IBB")
_Q, _H, _I = struct.Struct(">q"), struct.Struct(">H"), struct.Struct(">I")


class FrameError(Exception):
    """The peer sent something that is no frame of ours."""


def _shape(kind: type[Frame]) -> tuple[str, ...]:
    return tuple(hint.__name__ for hint in get_type_hints(kind).values())


_TYPE = {kind: number for number, kind in enumerate(_KINDS, 1)}
_SHAPES = {kind: _shape(kind) for kind in _KINDS}


def encode(frame: Frame) -> bytes:
    """The frame's bytes."""
    kind = type(frame)
    parts = [b""]
    for value in frame:
        if value.__class__ is bytes:
            parts += (_I.pack(len(value)), value)
        elif value.__class__ is str:
            text = value.encode("utf-8", "replace")[:65535]
            parts += (_H.pack(len(text)), text)
        else:
            parts.append(_Q.pack(value))
    parts[0] = _HEAD.pack(sum(map(len, parts)) + 2, VERSION, _TYPE[kind])
    return b"".join(parts)


def _decode(kind: type[Frame], raw: bytes, at: int, end: int) -> Frame:
    values: list[object] = []
    for shape in _SHAPES[kind]:
        if shape == "bytes":
            size = _I.unpack_from(raw, at)[0]
            at += 4
            values.append(raw[at : at + size])
            at += size
        elif shape == "str":
            size = _H.unpack_from(raw, at)[0]
            at += 2
            values.append(raw[at : at + size].decode("utf-8", "replace"))
            at += size
        else:
            number = _Q.unpack_from(raw, at)[0]
            values.append(bool(number) if shape == "bool" else number)
            at += 8
        if at > end:
            raise FrameError(f"{kind.__name__}: field runs over the frame's end")
    if at != end:
        raise FrameError(f"{kind.__name__}: {end - at} bytes too many")
    return kind._make(values)


class Decoder:
    """Bytes of a socket in any chunking → frames. Keeps at most one incomplete frame."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Frames that `data` completes; FrameError when the peer talks nonsense."""
        raw = self._rest + data if self._rest else data
        out: list[Frame] = []
        at = 0
        while len(raw) - at >= _HEAD.size:
            length, version, number = _HEAD.unpack_from(raw, at)
            if version != VERSION or not 1 <= number <= len(_KINDS) or not 2 <= length <= MAX_FRAME:
                raise FrameError(f"no frame: version {version}, type {number}, {length} bytes")
            end = at + 4 + length
            if len(raw) < end:
                break
            try:
                out.append(_decode(_KINDS[number - 1], raw, at + _HEAD.size, end))
            except (struct.error, TypeError) as fault:
                raise FrameError(str(fault)) from fault
            at = end
        self._rest = raw[at:]
        return out
