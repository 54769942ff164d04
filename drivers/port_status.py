"""What a printer's USB port says of it beside the data, and asking for it without waiting.

Owns: the status word, and the thread that asks. Never: what a till is told of it (edgebox/line/tillside.py).

The request goes over the control pipe and is answered by the printer's USB stack: without paper, and in the middle of a
transfer. Most answer in a millisecond; one that doesn't holds its asker up for 5 s (USB_CTRL_GET_TIMEOUT in usblp.c),
and the line must not wait. So a thread asks, and the line reads what it heard last.

A thread is not enough with usblp: it holds its mutex while a question is out (usblp_ioctl), and a write that doesn't
block waits for that all the same (usblp_wwait), and so does poll (usblp_poll). So a printer that was slow once is not
asked again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import IntFlag

EVERY_S = 0.5  # a till's driver asks before and during a receipt; CUPS asks a printer of its own every 5 s
SILENT_MAX = 3  # questions in a row without an answer: this printer has no such request, and is not asked again
SLOW_S = 1.0  # a thousand times the usual: a till's bytes have waited for it; less may be a machine that is busy


class PortStatus(IntFlag):
    """GET_PORT_STATUS [USB Printer Class 1.1, 4.2.2]; the bits not named here mean nothing."""

    NOT_ERROR = 0x08
    SELECTED = 0x10
    PAPER_EMPTY = 0x20


ALL = PortStatus.NOT_ERROR | PortStatus.SELECTED | PortStatus.PAPER_EMPTY


class StatusWatch:
    """Asks again and again, in a thread of its own. `ask`: None when there was no answer.

    No answer three times, or a slow one: `last` is None from then on, and who asks for it goes by other signs.
    """

    def __init__(self, ask: Callable[[], PortStatus | None], every_s: float = EVERY_S) -> None:
        self.last: PortStatus | None = None
        self._ask = ask
        self._every_s = every_s
        self._over = threading.Event()
        self._lock = threading.Lock()  # never held while a question is out
        self._is_asking = False
        self._let_go: Callable[[], None] | None = None
        threading.Thread(target=self._run, name="usb-status", daemon=True).start()

    def end(self, let_go: Callable[[], None]) -> None:
        """No more. `let_go` closes what is asked: now, or by the thread as soon as a question that is out returns."""
        with self._lock:
            self._over.set()
            if self._is_asking:
                self._let_go = let_go
                return
        let_go()

    def _run(self) -> None:
        silent = 0
        while silent < SILENT_MAX:
            with self._lock:
                if self._over.is_set():
                    return
                self._is_asking = True
            asked_at = time.monotonic()
            self.last = self._ask()
            is_slow = time.monotonic() - asked_at > SLOW_S
            with self._lock:
                self._is_asking = False
            if self._let_go is not None:
                self._let_go()
                return
            if is_slow:
                self.last = None  # nobody would renew it
                return
            silent = 0 if self.last is not None else silent + 1
            self._over.wait(self._every_s)
