"""Bytes in, events out: the ESC/POS stream cut into text runs, commands and payload.

Owns: where one command ends and the next begins, however the bytes were chunked. Never: printer modes (state.py),
paper lines (layout.py), or any judgement of what a command means beyond its row in the table.

Three kinds of event, in stream order; their `raw` bytes joined are the input, always:

    bytes      a run of text: everything that is no command, with CR, LF, HT and NUL in it
    Command    a command; complete, or (when longer than INLINE bytes) its first HEAD bytes, `total` the whole length
    Data       payload of the Command before it, in blocks of BLOCK bytes

The same stream gives the same events at any chunking: a run of text ends only at a command or after BLOCK bytes, so
`feed` keeps the open run until then. A relay that can't wait takes it early with `take_open`.

Shape: find the next introducer with one regular expression, take the text before it whole, look the command's length
up by its first two bytes, and count payload instead of looking at it. Commands that come again are the same object.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from edgebox.escpos.commands import BEGINNINGS, BY_PREFIX, FIXED, UNKNOWN, WINDOW, Effect, Spec, Stage, lookup

INLINE = 64  # longest command delivered in one piece; longer ones (pictures) would be held back too long
HEAD = 16  # bytes of a long command in its Command event: more than any header's fixed part
BLOCK = 4096  # longest text run and Data block: bounds what the parser keeps
_INTERNED_MAX = 2048  # distinct commands kept as shared objects; real tills use some dozens

# Everything below 20 except NUL, HT, LF and CR, which print or move like text.
_find_introducer = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f]").search


class Command(NamedTuple):
    """One command. `raw`: its bytes (the first HEAD when total > INLINE); `total`: its whole length in bytes."""

    raw: bytes
    spec: Spec
    effect: Effect
    total: int

    @property
    def name(self) -> str:
        """The manual's name."""
        return self.spec.name

    @property
    def args(self) -> bytes:
        """The bytes after the prefix (of the head, where the command is long)."""
        return self.raw[len(self.spec.prefix) :]


class Data(NamedTuple):
    """Payload bytes of the long command before it; `last` on the block that completes the command."""

    raw: bytes
    last: bool


Event = bytes | Command | Data
_NOTHING: tuple[Event, ...] = ()


def raw_of(event: Event) -> bytes:
    """The bytes of the stream that this event stands for."""
    return event if isinstance(event, bytes) else event.raw


class Parser:
    """Incremental; keeps at most one text run, one payload block and one incomplete command (≤ WINDOW bytes)."""

    __slots__ = ("_blocks", "_data", "_head", "_interned", "_left", "_partial", "_stage", "_text")

    def __init__(self) -> None:
        self._text = bytearray()  # the open run
        self._partial = b""  # an incomplete command, or an incomplete block header
        self._left = 0  # payload bytes still to come in this block
        self._data = bytearray()  # payload not yet delivered
        self._stage: Stage | None = None
        self._blocks = 0  # staged blocks still to come
        self._head = b""  # the staged command's head
        self._interned: dict[bytes, Command] = {}

    @property
    def partial(self) -> bytes:
        """Bytes fed but in no event yet: an incomplete command, or an incomplete block header inside a payload."""
        return self._partial

    @property
    def kept(self) -> int:
        """How many bytes were fed that are in no event yet."""
        return len(self._text) + len(self._data) + len(self._partial)

    @property
    def in_payload(self) -> bool:
        """Inside a long command's payload: the bytes that come next are no commands."""
        return self._left > 0 or self._stage is not None

    @property
    def at_boundary(self) -> bool:
        """Between commands: foreign bytes may be put here without becoming somebody's parameter."""
        return not self._left and not self._partial and self._stage is None

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that `data` completes."""
        if len(data) == 1 and data > b"\x1f" and not self._partial and not self._left and self._stage is None:
            text = self._text  # byte by byte is how slow serial tills arrive: keep this path short
            text += data
            if len(text) < BLOCK:
                return _NOTHING
            return [self._close_text()]
        out: list[Event] = []
        if self._partial:
            data = self._partial + data
            self._partial = b""
        pos, end = 0, len(data)
        while pos < end:
            if self._left or self._stage is not None:
                pos = self._feed_payload(data, pos, out)
                continue
            pos = self._feed_commands(data, pos, out)
        return out

    def take_open(self) -> Sequence[Event]:
        """The open text run or payload block as it stands, for a reader that can't wait. Nothing is delivered twice."""
        if self._text:
            return (self._close_text(),)
        if self._data:
            block = bytes(self._data)
            self._data.clear()
            return (Data(block, False),)
        return _NOTHING

    def finish(self) -> Sequence[Event]:
        """What is left at the end of the stream; an incomplete command comes as Unknown."""
        out = list(self.take_open())
        if self._partial:
            out.append(Command(self._partial, UNKNOWN, Effect.UNKNOWN, len(self._partial)))
        self.__init__()  # type: ignore[misc]
        return out

    # -- inside

    def _close_text(self) -> bytes:
        run = bytes(self._text)
        self._text.clear()
        return run

    def _add_text(self, run: bytes, out: list[Event], *, closes: bool) -> None:
        text = self._text
        if not text and closes and len(run) <= BLOCK:
            out.append(run)
            return
        text += run
        while len(text) >= BLOCK:
            out.append(bytes(text[:BLOCK]))
            del text[:BLOCK]
        if closes and text:
            out.append(self._close_text())

    def _feed_commands(self, data: bytes, pos: int, out: list[Event]) -> int:
        """Text and commands from `pos` on; returns where payload begins, or the end."""
        find, fixed, interned, end = _find_introducer, FIXED, self._interned, len(data)
        while pos < end:
            match = find(data, pos)
            if match is None:
                self._add_text(data[pos:] if pos else data, out, closes=False)
                return end
            at = match.start()
            if at > pos:
                self._add_text(data[pos:at], out, closes=True)
            elif self._text:
                out.append(self._close_text())
            key = data[at : at + 2]
            if key not in fixed:
                key = key[:1]
            length = fixed.get(key)
            if length is not None:
                raw = data[at : at + length]
                if len(raw) < length:
                    self._partial = raw
                    return end
                out.append(interned.get(raw) or self._command(raw, BY_PREFIX[key], length))
                pos = at + length
                continue
            pos = self._feed_counted(data, at, out)
            if self._left or self._stage is not None:
                return pos
        return pos

    def _feed_counted(self, data: bytes, at: int, out: list[Event]) -> int:
        """A command whose length stands in its own bytes, a one-byte command, or an unknown one."""
        window = data[at : at + WINDOW]
        spec = lookup(window)
        if spec is None or (len(window) < 3 and window in BEGINNINGS):
            if window in BEGINNINGS:
                self._partial = window
                return len(data)
            return self._unknown(window, at, out)
        rule = spec.length
        if isinstance(rule, Stage):
            return self._begin_stage(spec, rule, window, at, len(data), out)
        length = rule if isinstance(rule, int) else rule(window)
        if length < 0:
            return self._unknown(window, at, out)
        if length == 0 or len(window) < (length if length <= INLINE else HEAD):
            self._partial = data[at:]
            return len(data)
        if length <= INLINE:
            out.append(self._command(window[:length], spec, length))
            return at + length
        out.append(self._command(window[:HEAD], spec, length))
        self._left = length - HEAD
        return at + HEAD

    def _begin_stage(self, spec: Spec, stage: Stage, window: bytes, at: int, end: int, out: list[Event]) -> int:
        if len(window) < stage.head:
            self._partial = window
            return end
        head = window[: stage.head]
        out.append(self._command(head, spec, stage.head))
        self._blocks, self._head = stage.count(head), head
        self._stage = stage if self._blocks else None
        return at + stage.head

    def _feed_payload(self, data: bytes, pos: int, out: list[Event]) -> int:
        """Counts payload down; delivers it in blocks; steps from one staged block to the next."""
        if not self._left:
            return self._next_block(data, pos)
        piece = data[pos : pos + self._left]
        self._left -= len(piece)
        store = self._data
        store += piece
        done = not self._left and self._stage is None
        while len(store) > BLOCK or (len(store) == BLOCK and not done):
            out.append(Data(bytes(store[:BLOCK]), False))
            del store[:BLOCK]
        if done:
            out.append(Data(bytes(store), True))
            store.clear()
        return pos + len(piece)

    def _next_block(self, data: bytes, pos: int) -> int:
        stage = self._stage
        assert stage is not None
        header = data[pos : pos + stage.block_head]
        if len(header) < stage.block_head:
            self._partial = header
            return len(data)
        self._blocks -= 1
        self._left = len(header) + stage.block_data(self._head, header)
        if not self._blocks:
            self._stage = None
        return pos

    def _unknown(self, window: bytes, at: int, out: list[Event]) -> int:
        """ESC/FS/GS and its opcode; a lone control byte alone. What follows is text again: it must not be eaten."""
        two = window[0] in b"\x1b\x1c\x1d" and len(window) > 1 and window[1] >= 0x20
        raw = window[: 2 if two else 1]
        out.append(self._command(raw, UNKNOWN, len(raw)))
        return at + len(raw)

    def _command(self, raw: bytes, spec: Spec, total: int) -> Command:
        effect = spec.effect if isinstance(spec.effect, Effect) else spec.effect(raw)
        command = Command(raw, spec, effect, total)
        if len(raw) <= 5 and total == len(raw) and len(self._interned) < _INTERNED_MAX:
            self._interned[raw] = command
        return command
