"""The fleet as the cloud sees it: who is there, what was commanded and desired, what came of it.

Owns: the last state, report and every reply of each box; the bodies of commands and bundles. Never: publishes or signs.
A box is online as long as its last sign of life is good for (`State.expires_s`), by the cloud's own clock.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from hw_sim.cloud.ledger import Ledger
from hw_sim.cloud.registry import Box
from sync.contract import Bundle, BundleKind, Command, JobPhase, Reply, Reported, State

REPLIES_MAX = 10_000  # commands whose replies are kept, the oldest go; a reply is mostly below 1 KB
STEPS_MAX = 100  # of one command; what comes behind them is not kept, unless it is final
EXPIRES_S = 300  # of a command when nobody says how long
FINAL = frozenset({JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.REJECTED, JobPhase.EXPIRED, JobPhase.CANCELED})

_SCHEMA = """
CREATE TABLE IF NOT EXISTS revisions (kind TEXT PRIMARY KEY, revision INTEGER) STRICT, WITHOUT ROWID;
"""


class Seen(NamedTuple):
    """A sign of life and when it came (monotonic seconds)."""

    state: State
    at_s: float


class Fleet:
    """What the boxes have said last. `clock`: seconds since 1970."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._seen: dict[str, Seen] = {}
        self._reported: dict[str, Reported] = {}
        self._replies: dict[tuple[str, str], list[Reply]] = {}
        self._changed = threading.Condition()
        ledger.db.executescript(_SCHEMA)

    # -- what boxes say

    def heard_state(self, state: State) -> bool:
        """A sign of life, or the will that says it is gone. True: its boot or epoch is new to us."""
        with self._changed:
            known = self._seen.get(state.box)
            is_new = bool(state.epoch) and (
                known is None or (known.state.boot, known.state.epoch) != (state.boot, state.epoch)
            )
            self._seen[state.box] = Seen(state, time.monotonic())
            self._changed.notify_all()
            return is_new

    def heard_reported(self, reported: Reported) -> None:
        """What is in force at a box."""
        with self._changed:
            self._reported[reported.box] = reported
            self._changed.notify_all()

    def heard_reply(self, reply: Reply) -> None:
        """A step of a command; the same step twice is one."""
        with self._changed:
            steps = self._replies.setdefault((reply.box, reply.id), [])
            if reply not in steps and len(steps) < STEPS_MAX + (reply.state in FINAL):
                steps.append(reply)
            if len(self._replies) > REPLIES_MAX:
                del self._replies[next(iter(self._replies))]
            self._changed.notify_all()

    # -- what is known of them

    def state(self, box: str) -> State | None:
        """The last sign of life."""
        seen = self._seen.get(box)
        return seen.state if seen else None

    def is_online(self, box: str) -> bool:
        """Its last sign of life is still good."""
        seen = self._seen.get(box)
        return seen is not None and seen.state.online and time.monotonic() - seen.at_s <= seen.state.expires_s

    def reported(self, box: str) -> Reported | None:
        """What is in force at it."""
        return self._reported.get(box)

    def replies(self, box: str, command: str) -> list[Reply]:
        """The steps of a command at one box, in order of arrival."""
        with self._changed:
            return list(self._replies.get((box, command), ()))

    def wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Until something that boxes say makes it true."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    def outcome(self, box: str, command: str) -> Reply | None:
        """The final step, if it has come."""
        return next((reply for reply in self.replies(box, command) if reply.state in FINAL), None)

    # -- what is said to them

    def command(
        self, command: str, args: Mapping[str, Any], boxes: tuple[Box, ...], *, expires_s: int = EXPIRES_S, by: str = ""
    ) -> Command:
        """A command for these boxes, all of one tenant."""
        now = int(self._clock())
        return Command(
            id=secrets.token_hex(8),
            command=command,
            args=msgspec.Raw(msgspec.json.encode(dict(args))),
            tenant=_one_tenant(boxes),
            stores=tuple(sorted({box.place.store for box in boxes})),
            boxes=tuple(box.name for box in boxes),
            by=by,
            issued=now,
            expires=now + expires_s,
        )

    def bundle(
        self, kind: BundleKind, content: Mapping[str, Any], boxes: tuple[Box, ...], *, revision: int = 0, at: int = 0
    ) -> Bundle:
        """The next revision of `kind` for these boxes; `revision` says another, to see what a box says to that."""
        return Bundle(
            kind=kind,
            revision=revision or self._next_revision(kind),
            content=msgspec.Raw(msgspec.json.encode(dict(content))),
            tenant=_one_tenant(boxes),
            stores=tuple(sorted({box.place.store for box in boxes})),
            boxes=tuple(box.name for box in boxes),
            issued=int(self._clock()),
            activate_at=at,
        )

    def _next_revision(self, kind: BundleKind) -> int:
        sql = "INSERT INTO revisions VALUES (?, 1) ON CONFLICT DO UPDATE SET revision = revision + 1 RETURNING revision"
        with self._ledger.commit() as db:
            revision: int = db.execute(sql, (kind.value,)).fetchone()[0]
            return revision


def _one_tenant(boxes: tuple[Box, ...]) -> str:
    tenants = {box.place.tenant for box in boxes}
    if len(tenants) != 1:
        raise ValueError("the boxes of one command must be one merchant's")
    return tenants.pop()
