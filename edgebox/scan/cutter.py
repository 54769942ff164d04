"""Where a code ends in what a scanner sends: at its suffix, or at silence.

Owns: the code that is coming, and how much of it has gone on already. Never: what it means, or where it goes (core.py).
Pure. Bytes that can't become a code of ours needn't wait for the end: `head` is what may go on at once.
"""

from __future__ import annotations

from typing import NamedTuple

CODE_MAX = 8192  # a QR code holds 7089 digits (ISO/IEC 18004, version 40-L); more without an end is no code


class Cut(NamedTuple):
    """A code that is complete. `body` with its AIM identifier; `gone`: so many bytes of `raw` went on before.

    `overlong`: longer than any code; `body` is then only its end, and it has all gone on but the rest of `raw`.
    """

    body: bytes
    raw: bytes
    gone: int
    overlong: bool

    def __repr__(self) -> str:
        """Without the code: it may be a payment's."""
        return f"Cut({len(self.body)} bytes)"


class Cutter:
    """One scanner's bytes. `suffix`: what stands behind each code; empty: only silence does."""

    def __init__(self, suffix: bytes) -> None:
        self._suffix = suffix
        self._code = bytearray()
        self._gone = 0
        self._overlong = False

    def __repr__(self) -> str:
        """As above."""
        return f"Cutter({len(self._code)} bytes)"

    @property
    def is_empty(self) -> bool:
        """Nothing is under way."""
        return not self._code and not self._overlong

    @property
    def is_passing(self) -> bool:
        """Some of the code under way has gone on."""
        return bool(self._gone) or self._overlong

    @property
    def size(self) -> int:
        """Bytes of the code under way."""
        return len(self._code)

    @property
    def begun(self) -> bytes:
        """The code as far as it has come."""
        return bytes(self._code)

    def feed(self, data: bytes) -> list[Cut]:
        """The codes that `data` completes."""
        searched = max(len(self._code) - len(self._suffix) + 1, 0)
        self._code += data
        cuts: list[Cut] = []
        while self._suffix:
            end = self._code.find(self._suffix, searched)
            if end < 0:
                break
            cuts.append(self._cut(end, end + len(self._suffix)))
            searched = 0
        return cuts

    def end(self) -> Cut | None:
        """Silence: what has come is a code without a suffix."""
        return None if self.is_empty else self._cut(len(self._code), len(self._code))

    def head(self) -> bytes:
        """Bytes that may go on now, all but those that may belong to a suffix; they count as gone."""
        stop = len(self._code) - self._begun_suffix()
        raw = bytes(self._code[self._gone : stop])
        self._gone = max(stop, self._gone)
        if len(self._code) > CODE_MAX:
            del self._code[: self._gone]
            self._gone, self._overlong = 0, True
        return raw

    def forget(self) -> bool:
        """The scanner was unplugged in the middle: what has come is no code. True: there was something."""
        had = not self.is_empty
        self._code.clear()
        self._gone, self._overlong = 0, False
        return had

    def _cut(self, end: int, stop: int) -> Cut:
        cut = Cut(bytes(self._code[:end]), bytes(self._code[:stop]), self._gone, self._overlong)
        del self._code[:stop]
        self._gone, self._overlong = 0, False
        return cut

    def _begun_suffix(self) -> int:
        """So many of the last bytes may be a suffix's first."""
        for size in range(len(self._suffix) - 1, 0, -1):
            if self._code.endswith(self._suffix[:size]):
                return size
        return 0
