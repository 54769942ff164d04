"""The words that scanner process and engine say to each other over a Unix socket of their own.

Owns: the frame types, their bytes, and a decoder that takes any chunking. Never: sockets, or what to do about a frame.
Standard library only. One frame is `u32 length of the rest, u8 version, u8 type, payload`, all big-endian; numbers are
i64, text and bytes stand behind a u16 length. A frame over MAX_FRAME, of another version or of an unknown type is an
error of the peer: the connection is closed, scanning goes on.

Who says what:

    scanner → engine   Hello, Scan, Outcome, Passed, Armed, Ends, Lost, Ping, Pong
    engine → scanner   Verdict, Arm, Ping, Pong

Only codes of ours are ever in a Scan; of all others the engine hears their kind (Passed). A Scan's repr hides its code:
a member's is a person's, and a traceback is a log.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple, get_type_hints

VERSION = 1
MAX_FRAME = 1 << 16  # the longest code has 8 KB


class Result(IntEnum):
    """What became of a code that was asked about."""

    KEPT = 1  # the engine's: it acts on this word, not before
    FORWARDED = 2  # the engine did not want it
    LATE = 3  # no verdict in time, or no engine any more: it went to the till
    DROPPED = 4  # no verdict in time, and the configuration says that the till must not have it


class Hello(NamedTuple):
    """First frame of a connection. `session` (random) and a scan's number name it once and for all."""

    session: bytes
    scanner: str


class Scan(NamedTuple):
    """A code that looks like ours waits for a Verdict, `answer_ms` at most. `armed`: a mode key had asked for it."""

    number: int
    kind: str
    symbology: str
    code: bytes
    armed: bool
    answer_ms: int

    def __repr__(self) -> str:
        return f"Scan({self.number}, {self.kind}, {len(self.code)} bytes)"


class Verdict(NamedTuple):
    """`keep`: the engine wants it; else it goes to the till."""

    number: int
    keep: bool


class Outcome(NamedTuple):
    """What was done; `result` is a Result."""

    number: int
    result: int


class Passed(NamedTuple):
    """Codes that went to the till, so many of this kind one after the other."""

    kind: str
    symbology: str
    codes: int


class Armed(NamedTuple):
    """The next code is taken for this kind for so long; empty: no longer."""

    mode: str
    for_ms: int


class Ends(NamedTuple):
    """Whether scanner and till are there; `words`: what is wrong with them."""

    scanner_up: bool
    till_up: bool
    words: str


class Lost(NamedTuple):
    """Codes that reached nobody, and why. Said in the log too."""

    codes: int
    why: str


class Arm(NamedTuple):
    """The page's mode key. `for_ms` 0: as configured; `mode` empty: disarm."""

    mode: str
    for_ms: int


class Ping(NamedTuple):
    """Are you there? Answered by Pong with the same nonce."""

    nonce: int


class Pong(NamedTuple):
    """Here. From the scanner, `text` holds its counters, `name value` a line."""

    nonce: int
    text: str


Frame = Hello | Scan | Verdict | Outcome | Passed | Armed | Ends | Lost | Arm | Ping | Pong
_KINDS: tuple[type[Frame], ...] = (Hello, Scan, Verdict, Outcome, Passed, Armed, Ends, Lost, Arm, Ping, Pong)
_HEAD = struct.Struct(">IBB")
_NUMBER, _LENGTH = struct.Struct(">q"), struct.Struct(">H")
_TYPE = {kind: number for number, kind in enumerate(_KINDS, 1)}
_SHAPES = {kind: tuple(hint.__name__ for hint in get_type_hints(kind).values()) for kind in _KINDS}


class FrameError(Exception):
    """The peer sent something that is no frame of ours. Never holds what it sent."""


def encode(frame: Frame) -> bytes:
    """The frame's bytes. Longer texts than a frame holds are cut."""
    parts = [b""]
    for value in frame:
        if isinstance(value, int):
            parts.append(_NUMBER.pack(value))
            continue
        raw = value if isinstance(value, bytes) else value.encode("utf-8", "replace")
        raw = raw[: MAX_FRAME // 4]
        parts += (_LENGTH.pack(len(raw)), raw)
    parts[0] = _HEAD.pack(sum(map(len, parts)) + 2, VERSION, _TYPE[type(frame)])
    return b"".join(parts)


def _decode(kind: type[Frame], raw: bytes, at: int, end: int) -> Frame:
    values: list[object] = []
    for shape in _SHAPES[kind]:
        if shape in ("int", "bool"):
            number = _NUMBER.unpack_from(raw, at)[0]
            values.append(bool(number) if shape == "bool" else number)
            at += _NUMBER.size
        else:
            size = _LENGTH.unpack_from(raw, at)[0]
            at += _LENGTH.size
            field = raw[at : at + size]
            values.append(field if shape == "bytes" else field.decode("utf-8", "replace"))
            at += size
        if at > end:
            raise FrameError(f"{kind.__name__}: field runs over the frame's end")
    if at != end:
        raise FrameError(f"{kind.__name__}: {end - at} bytes too many")
    return kind(*values)  # type: ignore[arg-type]


class Decoder:
    """Bytes of a socket in any chunking → frames. Keeps at most one incomplete frame."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Frames that `data` completes; FrameError when the peer talks nonsense."""
        raw = self._rest + data
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
            except struct.error as fault:
                raise FrameError(f"{_KINDS[number - 1].__name__}: cut short") from fault
            at = end
        self._rest = raw[at:]
        return out
