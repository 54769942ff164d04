"""`hidkbd:///dev/hidg0?layout=us`: the till's end of a scanner, as a keyboard on the till's USB port.

Owns: the reports of a boot keyboard [HID 1.11, appendix B.1], one key pressed and let go at a time. Never: any key but
those of printable characters, Enter and Tab; no Ctrl, no left Alt, no Win, no function key: a bar code is written by
strangers, and must not be able to close the till's program. What the layout has no key for is left out and counted.
`layout` is what the till's system has set; there is no default, since a wrong guess types other digits on French tills.

Bytes are UTF-8 (Latin-1 where they aren't); CR is Enter, HT is Tab, and no other control character is typed. A byte
counts as taken when its reports are. While the link is down the kernel says ESHUTDOWN (108): that is an OSError here,
and whoever writes tries a new port; its first report lets all keys go. [Linux f_hid.c; zero-hid issue 10]

Caps Lock: the till tells us its lights. While it is on, we switch it off for a code and on again behind its Enter or
Tab, because what it does to digits differs: on German and French Windows they become signs.
"""

from __future__ import annotations

import codecs
import errno
import os
from collections import deque

from drivers.base import Port, Reason, Url, cannot_open
from drivers.keymaps import ENTER, NAMES, TAB, USAGES, Layout, Stroke
from drivers.node import NodePort

_SHIFT, _ALTGR = 0x02, 0x40  # modifier bits: left Shift, right Alt
_CAPS_LIGHT = 0x02  # LED report, bit 1 [HID Usage Tables, LED page]
_CAPS_USAGE = 0x39
_ALL_UP = bytes(8)
_ENDS = {"\r": Stroke(ENTER), "\t": Stroke(TAB)}
_LATIN_ESCAPE = 0xDC00  # where surrogateescape puts a byte that is no UTF-8


class HidKeyboard(NodePort):
    """An open gadget. `write` types; `read` takes the till's lights."""

    def __init__(self, fd: int, peer: str, layout: Layout) -> None:
        super().__init__(fd, peer)
        self.untyped = 0  # characters that the layout has no key for
        self._layout = layout
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._reports: deque[bytes] = deque((_ALL_UP,))
        self._begun = 0  # bytes of the caller's next write whose reports wait
        self._whole = 0  # so many reports there were for them
        self._caps = False  # as the till shows it
        self._lifted = False  # we have switched Caps Lock off

    def read(self, limit: int) -> bytes | None:
        """None: a till says nothing to a keyboard but its lights. OSError when the link has gone."""
        try:
            report = os.read(self._fd, limit)
        except BlockingIOError:
            return None
        if not report:
            raise OSError(errno.ESHUTDOWN, "the till's USB link has gone")
        if not self._lifted:  # else it shows what we did
            self._caps = bool(report[-1] & _CAPS_LIGHT)
        return None

    def write(self, data: bytes | memoryview) -> int:
        """Types; how many bytes are typed whole."""
        taken = 0
        while self.flushed():
            taken += self._begun
            self._begun = 0
            if taken >= len(data):
                break
            self._reports.extend(self._reports_of(data[taken]))
            self._begun, self._whole = 1, len(self._reports)
        return taken

    def flushed(self) -> bool:
        """All reports are with the kernel; False: it would block. OSError: the link is down."""
        while self._reports:
            try:
                os.write(self._fd, self._reports[0])
            except BlockingIOError:
                return False
            self._reports.popleft()
        return True

    def _reports_of(self, byte: int) -> list[bytes]:
        reports: list[bytes] = []
        if self._caps and not self._lifted:
            self._lifted = True
            reports += _struck(0, _CAPS_USAGE)
        for found in self._decoder.decode(bytes((byte,))):
            character = chr(ord(found) - _LATIN_ESCAPE) if 0xDC80 <= ord(found) <= 0xDCFF else found
            ends = character in _ENDS
            strokes = (_ENDS[character],) if ends else self._layout.strokes(character)
            self.untyped += not strokes
            for stroke in strokes:
                reports += _struck(stroke.shift * _SHIFT | stroke.altgr * _ALTGR, USAGES[stroke.code])
            if ends and self._lifted:  # Caps Lock as the cashier had it
                self._lifted = False
                reports += _struck(0, _CAPS_USAGE)
        return reports

    @property
    def is_inside(self) -> bool:
        """A character has been typed in part that `write` has not counted."""
        return bool(self._begun) and len(self._reports) < self._whole

    def unsent(self) -> int:
        """Reports that the kernel has not taken."""
        return len(self._reports)


def _struck(modifiers: int, usage: int) -> list[bytes]:
    """Pressed with its modifiers, and all let go."""
    return [bytes((modifiers, 0, usage, 0, 0, 0, 0, 0)), _ALL_UP]


class HidKeyboardTill:
    """A till that sees a keyboard on its USB port."""

    bytes_per_s = 0

    def __init__(self, url: Url) -> None:
        url.takes("layout")
        example = "write hidkbd:///dev/hidg0?layout=us"
        if url.host:
            raise url.fault(Reason.BAD_PATH, f"{url.host!r} is taken for a host", f"three slashes: {example}")
        if url.path in ("", "/"):
            raise url.fault(Reason.MISSING_PATH, "the gadget is missing", example)
        self.url = url.text
        self._url = url
        self._layout = Layout(url.choice("layout", NAMES))

    def connect(self) -> Port:
        try:
            fd = os.open(self._url.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as fault:
            raise cannot_open(self._url, fault) from fault
        return HidKeyboard(fd, self._url.path, self._layout)

    def connected(self, port: Port) -> bool:
        """Once the first report (all keys up) is taken: an open gadget says nothing of its link."""
        return isinstance(port, HidKeyboard) and port.flushed()
