"""One command to many boxes: signed for each, and what came of it at each.

Owns: the order as an operator gives it, checked before anything is signed; the tally of answers. Never: believes that
no answer means no: a box that was away has the command waiting at the broker until it expires, and `Sending` says so.

All boxes get the command under one id, each signed for itself alone: what is meant for one box commands no other.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from edgebox.errors import SyncError
from sync.contract import Command, JobPhase, Reply
from sync.contract_commands import COMMANDS
from sync.fleet_keys import OperatorKey
from sync.fleet_link import NOBODY, WINDOW_MAX, FleetLink, Heard
from sync.fleet_topics import Place
from sync.session.verdicts import words as reason_words
from sync.signing import Purpose, sign

FINAL = frozenset((JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.REJECTED, JobPhase.EXPIRED, JobPhase.CANCELED))
ONE_BY_ONE = 50  # boxes whose replies are subscribed by name; for more, everybody's


class Order(NamedTuple):
    """A command before it is signed. `expires`: seconds since 1970. `each`: boxes that get arguments of their own."""

    id: str
    command: str
    args: bytes
    tenant: str
    by: str
    issued: int
    expires: int
    each: Mapping[Place, bytes] = MappingProxyType({})

    def signed(self, key: OperatorKey, place: Place) -> bytes:
        """For one box."""
        stores = (place.store,) if place.store else ()
        body = Command(
            id=self.id,
            command=self.command,
            args=msgspec.Raw(self.each.get(place, self.args)),
            tenant=self.tenant,
            stores=stores,
            boxes=(place.box,),
            by=self.by,
            issued=self.issued,
            expires=self.expires,
        )
        return sign(key.private, key.name, Purpose.COMMAND, body)


class Outcome(NamedTuple):
    """What is known at one box. `phase` None: no answer yet. `is_over`: none will come."""

    phase: JobPhase | None = None
    words: str = ""
    progress: float = 0.0
    result: Mapping[str, Any] = MappingProxyType({})
    is_over: bool = False

    @property
    def is_good(self) -> bool:
        return self.phase is JobPhase.SUCCEEDED


class Sending:
    """The tally of one order."""

    def __init__(self, order: Order, places: Iterable[Place]) -> None:
        self.order = order
        self.outcomes: dict[Place, Outcome] = dict.fromkeys(places, Outcome())
        self.chunks: dict[Place, dict[int, str]] = {}

    def heard(self, heard: Heard) -> bool:
        """A message of a box; whether it was a reply to this order."""
        before = self.outcomes.get(heard.place)
        if heard.rest != "reply" or before is None:
            return False
        try:
            reply = _replies.decode(heard.payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        if reply.box != heard.place.box or before.phase in FINAL:
            return False
        if not reply.id and reply.state is JobPhase.REJECTED and before == Outcome():
            # A box takes no id from a message that it doesn't trust: maybe this one, maybe somebody else's.
            said = f"it refused a message just now: {reply.reason}: {reply.words}"
            self.outcomes[heard.place] = Outcome(words=said)
            return True
        if reply.id != self.order.id:
            return False
        data, number = reply.result.get("data"), reply.result.get("number")
        if reply.state is JobPhase.RUNNING and isinstance(data, str) and isinstance(number, int):
            self.chunks.setdefault(heard.place, {})[number] = data  # of something long: sync/contract_commands.Chunk
        is_over = reply.state in FINAL
        words = ": ".join(part for part in (reply.reason, reply.words) if part)
        self.outcomes[heard.place] = Outcome(reply.state, words, reply.progress, reply.result, is_over)
        return True

    def not_taken(self, place: Place, words: str) -> None:
        """The broker would not have it, or nobody is there to hear it."""
        if self.outcomes[place].phase is None:
            self.outcomes[place] = Outcome(None, words, is_over=True)

    @property
    def open(self) -> int:
        """Boxes of which more may come."""
        return sum(not outcome.is_over for outcome in self.outcomes.values())

    @property
    def is_good(self) -> bool:
        """All have done it."""
        return all(outcome.is_good for outcome in self.outcomes.values())

    def counts(self) -> Counter[str]:
        """Phase → boxes; `no answer`, `not delivered`."""
        return Counter(told(outcome) for outcome in self.outcomes.values())


_replies = msgspec.json.Decoder(Reply)


def told(outcome: Outcome) -> str:
    """The phase in a word."""
    if outcome.phase is not None:
        return outcome.phase.value
    return "not delivered" if outcome.is_over else "no answer"


def checked_args(command: str, args: dict[str, Any], key: OperatorKey) -> bytes:
    """The arguments as JSON. SyncError `command`, `authority`, `args`: no box would carry it out."""
    kind = COMMANDS.get(command)
    if kind is None:
        raise SyncError(f"no command {command}", reason="command", hint=f"there are {', '.join(sorted(COMMANDS))}")
    if key.role < kind.role:
        words = f"{command} wants the role {kind.role.name.lower()}, and {key.name} has {key.role.name.lower()}"
        raise SyncError(words, reason="authority", hint="another --key")
    encoded = msgspec.json.encode(args)
    try:
        msgspec.json.decode(encoded, type=kind.args)
    except msgspec.ValidationError as fault:
        wanted = ", ".join(field.name for field in msgspec.structs.fields(kind.args)) or "none"
        raise SyncError(f"{command}: {fault}", reason="args", hint=f"its arguments: {wanted}") from fault
    return encoded


async def send(
    link: FleetLink,
    key: OperatorKey,
    sending: Sending,
    wait_s: float,
    now: Callable[[], float],
    told: Callable[[], None],
) -> None:
    """Publishes to all, then waits for answers. `told`: called whenever something has changed. SyncError."""
    places = list(sending.outcomes)
    topics = link.topics
    if len(places) <= ONE_BY_ONE:
        await link.listen([topics.one(place, "reply") for place in places])
    else:
        await link.listen([topics.everybody("reply")])
    queue = iter(places)

    async def work() -> None:
        for place in queue:
            await _send_one(link, key, sending, place, now)
            told()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(WINDOW_MAX, len(places))):
            group.create_task(work())
    async for _ in link.changes(0.5, wait_s):
        told()
        if not sending.open:
            return


async def _send_one(
    link: FleetLink, key: OperatorKey, sending: Sending, place: Place, now: Callable[[], float]
) -> None:
    left_s = max(1, sending.order.expires - int(now()))
    reason = await link.publish(link.topics.one(place, "cmd"), sending.order.signed(key, place), expiry_s=left_s)
    if reason == NOBODY:
        sending.not_taken(place, "the broker knows no such box: it has no session there")
    elif reason >= 0x80:
        sending.not_taken(place, f"the broker refuses: {reason_words(reason)}")
