"""Finds real-time commands (DLE EOT, DLE ENQ, DLE DC4) on reception, wherever they stand, as a printer's receiver does.

Owns: the few bytes of one that is not complete yet. Never: acts on it (printer.py). A printer recognises them inside
pictures and parameters too (Epson: "the printer may malfunction if graphics data happens to match"), which is why a
status query put in the wrong place does harm twice.
"""

from __future__ import annotations

from collections.abc import Iterator

_EOT, _ENQ, _DC4 = 0x04, 0x05, 0x14
_PULSE_BYTES = {1: 5, 2: 5, 3: 8, 7: 4, 8: 10}  # DLE DC4 fn: whole length


class Receiver:
    """`split` gives the bytes on in pieces; a real-time command is due when the piece beside it has been taken in."""

    def __init__(self) -> None:
        self._open = b""

    def split(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """(piece, real-time command that it completes or b""): `data`, cut before each DLE and after each command."""
        if not self._open and b"\x10" not in data:
            yield data, b""
            return
        at = 0
        while at < len(data):
            end = data.find(b"\x10", at + 1)
            piece = data[at:] if end < 0 else data[at:end]
            at += len(piece)
            begun = piece if piece[0] == 0x10 else self._open + piece
            length = command_length(begun)
            self._open = begun if length > len(begun) else b""
            if not 0 < length <= len(begun):
                yield piece, b""
                continue
            own = len(piece) - (len(begun) - length)
            yield piece[:own], begun[:length]
            if own < len(piece):
                yield piece[own:], b""


def command_length(raw: bytes) -> int:
    """Whole length of the real-time command that `raw` begins; 0: none; more than len(raw): not to be told yet."""
    if raw[:1] != b"\x10":
        return 0
    if len(raw) < 3:
        return 3 if len(raw) < 2 or raw[1] in (_EOT, _ENQ, _DC4) else 0
    if raw[1] == _EOT:
        return 4 if raw[2] in (7, 8, 18) else 3
    if raw[1] == _ENQ:
        return 3
    return _PULSE_BYTES.get(raw[2], 3) if raw[1] == _DC4 else 0
