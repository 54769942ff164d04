"""Who is the printer? Asked between documents, because a person wants to know (`edgebox doctor`).

Owns: the question's course: waiting for a quiet moment and a printer that is ready, GS I, its answers, giving up.
Never: asks by itself, or a printer whose profile says that it must not be asked (one clone's reply to an unknown
question is a reset). GS I waits in the printer's buffer like print data, so a printer without paper is not asked: its
answer would come with the new roll, into the till's next receipt.
"""

from __future__ import annotations

from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.status import ReplyClass
from edgebox.line.outbox import Outbox
from edgebox.line.replies import Replies

PATIENCE_S = 5.0  # for a quiet moment and a printer that is ready; the person waits
AGAIN_S = 0.5  # the till's own question is open: until it is looked at again
ANSWER_S = 1.0  # three blocks of 30 bytes take 0.1 s at 9600 baud
NAMES = {65: "firmware", 66: "maker", 67: "model"}  # GS I n [Epson, GS I: printer information B]


class Identity:
    """One question at a time; a newer one takes the older one's place. Times: seconds of the line's clock."""

    def __init__(self, profile: PrinterProfile, replies: Replies) -> None:
        self._may_ask = profile.status and profile.dialect != "star"  # Star's GS I is another command
        self._replies = replies
        self.next_at = 0.0  # not to be looked at before
        self._nonce = 0  # 0: nobody wants to know
        self._until = 0.0
        self._is_sent = False
        self._is_mute = False  # this printer has been asked, and said nothing

    @property
    def is_wanted(self) -> bool:
        """The printer is needed for it."""
        return self._nonce > 0 and self._may_ask and not self._is_mute

    @property
    def waits(self) -> bool:
        """Until it may go."""
        return self.is_wanted and not self._is_sent

    @property
    def deadline(self) -> float | None:
        """When `answered` has something to say at the latest."""
        return self._until if self._nonce else None

    def ask(self, nonce: int, now: float) -> None:
        """Somebody wants to know. `nonce` above 0. A printer that said nothing is not asked again: some print it."""
        self._nonce, self._is_sent = nonce, False
        self._until = now + PATIENCE_S if self.is_wanted else now

    def link_is_new(self) -> None:
        """Another printer may be there."""
        self._is_mute = False

    def may_go(self, now: float) -> bool:
        """It waits, and no question of the till's is open that is answered alike."""
        if not self.waits or now < self.next_at:
            return False
        if self._replies.may_ask(ReplyClass.BLOCK, now):
            return True
        self.next_at = now + AGAIN_S
        return False

    def send(self, now: float, outbox: Outbox) -> None:
        """The moment has come, and the printer is ready."""
        question = self._replies.ask_identity(tuple(NAMES), now)
        if question:  # else the till has just asked, while the printer's state was asked for
            outbox.push(question)
            self._is_sent, self._until = True, now + ANSWER_S

    def answered(self, now: float) -> tuple[int, str] | None:
        """The nonce and what the printer said, `name value` a line; None: not yet."""
        if not self._nonce or (now < self._until and not (self._is_sent and not self._replies.is_asked)):
            return None
        nonce, self._nonce = self._nonce, 0
        told = self._replies.take_told()
        if not self._may_ask:
            return nonce, "asked not_allowed\n"
        self._is_mute = self._is_mute or (self._is_sent and not told)
        lines = [f"{name} {text_of(told[n])}\n" for n, name in NAMES.items() if n in told]
        return nonce, "".join(lines) or f"asked {'silent' if self._is_mute else 'not_now'}\n"


def text_of(raw: bytes) -> str:
    """The text of a block (`5F`, text, `00`), as one line: a stranger's bytes."""
    text = raw[1:-1].decode("ascii", "replace").strip()
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:80]  # Epson's longest is 80 bytes
