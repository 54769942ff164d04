"""What is written down and said of a command's steps.

Owns: the rows and replies of a command, in which no secret stands, and how many refusals are told. Never: writes or
sends any (jobs.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from edgebox.store.events import JobRecord
from sync.commands import Known, Order, Refusal
from sync.contract import JobPhase, Reply
from sync.contract_commands import WORDS, Refused

RESULT_BYTES = 16 << 10  # of a result that is kept, to answer the same id again
ARGS_CHARS = 2000  # of arguments that are kept
WORDS_CHARS = 400  # of what is said to a person; a screen line or four
TOPIC_CHARS, CORRELATION_BYTES = 256, 128  # of where to answer; unsigned, so longer ones are not kept


class Ended(NamedTuple):
    """How a command ended."""

    phase: JobPhase
    reason: str = ""
    words: str = ""
    result: msgspec.Struct | None = None


class Allowance:
    """So many an hour, and a count of what came beyond."""

    def __init__(self, per_hour: int) -> None:
        self._per_hour = per_hour
        self._left = float(per_hour)
        self._at: float | None = None
        self.left_out = 0

    def take(self, now: float) -> bool:
        """Whether one more may be. `now`: monotonic seconds."""
        if self._at is not None:
            self._left = min(self._per_hour, self._left + (now - self._at) * self._per_hour / 3600)
        self._at = now
        if self._left < 1:
            self.left_out += 1
            return False
        self._left -= 1
        return True


def reply_of(name: str, command: str, ended: Ended, box: str) -> Reply:
    """A step in the words of the contract."""
    return Reply(
        id=name,
        box=box,
        command=command[:64],
        state=ended.phase,
        progress=1.0 if ended.phase is JobPhase.SUCCEEDED else 0.0,
        reason=ended.reason,
        words=ended.words[:WORDS_CHARS],
        result=plain(ended.result),
    )


def record_of(order: Order, at: int) -> JobRecord:
    """The first row of a command. Arguments that may hold a secret or a person are named by their digest only."""
    command = order.command
    args = bytes(command.args).decode("utf-8", "replace")
    if not order.kind.keeps_args or len(args) > ARGS_CHARS:
        args = msgspec.json.encode({"bytes": len(args), "digest": order.digest}).decode("ascii")
    return JobRecord(
        at=at,
        job=command.id,
        command=command.command,
        state=JobPhase.QUEUED.value,
        by=who(order),
        expires=command.expires,
        args=args,
    )


def who(order: Order) -> str:
    """The key that signed, and who its holder says he is."""
    return f"{order.key.name} ({order.command.by[:40]})" if order.command.by else order.key.name


def interrupted(known: Known) -> Ended:
    """How a command ended that was open when the box went down."""
    if known.command == "restart" and known.phase is JobPhase.RUNNING:
        return Ended(JobPhase.SUCCEEDED)
    words = "the box restarted before it was over; what was done is not undone"
    return Ended(JobPhase.FAILED, "interrupted", words)


def refused(order: Order, reason: Refused) -> Refusal:
    """An order that can't be taken after all."""
    command = order.command
    return Refusal(
        reason, WORDS[reason], True, command.id, command.command, order.key.name, command.expires, order.digest
    )


def known_of(refusal: Refusal) -> Known:
    """What is remembered of a command that will never be carried out."""
    return Known(
        digest=refusal.digest, command=refusal.command[:64], expires=refusal.expires, phase=JobPhase.REJECTED,
        reason=refusal.reason.value, words=refusal.words[:WORDS_CHARS],
    )  # fmt: skip


def plain(result: msgspec.Struct | None) -> dict[str, Any]:
    """A result as it goes into a reply."""
    return {} if result is None else msgspec.to_builtins(result)


def kept_result(result: dict[str, Any]) -> str:
    """The result as JSON, if it isn't too long to keep."""
    text = msgspec.json.encode(result).decode("utf-8") if result else ""
    return text if len(text) <= RESULT_BYTES else ""
