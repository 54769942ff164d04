"""What lies on the counter and what was said to it: the two words that everybody who takes codes shares.

Owns: `Scanned` (a code that a scanner has kept for us), `Said` (the answer to it) and the shape of who gives one.
Never: gives one. The coupon desk answers with `Said`; so do pick-ups, mall, members and invoice titles, each as a
`Handler` that edgebox/scan_desk.py calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from edgebox.desk.answers import SAID, Answer, Beep
from edgebox.desk.redemption import Worth
from edgebox.scan.codes import Kind


class Scanned(NamedTuple):
    """A code of ours, which the till did not get. `line`: whose printer gives the slip, "" the desk's.

    `name`: of this one scan, once and for all: the scanner process's random name and the scan's number. `cashier`: who
    is at the line's till, as the last receipt said.
    """

    code: str
    kind: Kind
    scanner: str
    line: str = ""
    name: str = ""
    cashier: str = ""

    def __repr__(self) -> str:
        """Without the code: a member's is a person's, and a traceback is a log."""
        return f"Scanned({self.kind.value}, {self.scanner}, {self.name})"


class Said(NamedTuple):
    """An answer. `number`: of the slip, 0: none; `detail`: figures for the slip, as when it was used before.

    `worth`, `offline`: of a redemption, what it came to and whether the cloud has yet to agree.
    """

    answer: Answer
    number: int = 0
    detail: str = ""
    worth: Worth = Worth()
    offline: bool = False

    @property
    def beep(self) -> Beep:
        """How it sounds."""
        return SAID[self.answer].beep


Handler = Callable[[Scanned], Awaitable[Said]]  # prints its own slip; may take its time, and raise nothing for a code
