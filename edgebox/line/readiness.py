"""Is the printer ready for a job? It is asked before anything of ours begins, where it can answer.

Owns: when our question goes out, how long its answer is waited for, and what a silence means. Never: holds up the till:
its receipts are not asked about, only what the box prints by itself. A printer without paper takes some KB all the
same, and prints them when somebody has put a roll in: by then an online order may be hours old.
"""

from __future__ import annotations

from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.status import PrinterStatus
from edgebox.line.outbox import Outbox
from edgebox.line.replies import Replies

ANSWER_S = 0.5  # real printers answer within 20 ms, at 9600 baud too; after that this one is taken for silent
AGAIN_S = 2.0  # until a printer that is not ready is asked once more: a roll takes longer to change
# What DLE EOT 2 and 4 speak of, and nothing else: whatever was heard before may be long over.
_NOT_READY = PrinterStatus.PAPER_END | PrinterStatus.COVER_OPEN | PrinterStatus.ERROR


class Readiness:
    """One printer. Times are seconds of the line's clock."""

    def __init__(self, profile: PrinterProfile, replies: Replies) -> None:
        self._asks = profile.status
        self._replies = replies
        self._asked_at = -1.0  # -1: no question is open
        self._next_at = 0.0
        self._has_spoken = False  # it has answered one of ours: its silence means something

    @property
    def next_at(self) -> float:
        """When to look again."""
        return self._asked_at + ANSWER_S if self._asked_at >= 0 else self._next_at

    def is_ready(self, now: float, outbox: Outbox) -> bool:
        """May a job begin now? False: a question is out, or the printer says that it isn't ready. Asks when due."""
        if not self._asks:
            return True
        if self._asked_at < 0:
            if now >= self._next_at:
                self._ask(now, outbox)
            return False
        if not self._replies.is_asked:
            self._has_spoken, self._asked_at = True, -1.0
            if not self._replies.status & _NOT_READY:
                return True
            self._next_at = now + AGAIN_S
        elif now >= self._asked_at + ANSWER_S:
            self._asked_at, self._next_at = -1.0, now + AGAIN_S
            return not self._has_spoken  # one that never answers can't be asked; one that has stopped is off
        return False

    def link_is_new(self) -> None:
        """Another printer may be there: nothing is known of it."""
        self._asked_at, self._next_at, self._has_spoken = -1.0, 0.0, False

    def _ask(self, now: float, outbox: Outbox) -> None:
        question = self._replies.ask_status(now)
        if question:
            outbox.push(question)  # it is empty, and the till between two documents
            self._asked_at = now
        else:
            self._next_at = now + ANSWER_S  # the till's own question is open
