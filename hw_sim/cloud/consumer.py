"""What comes from the boxes: batches into the ledger, claims to their desk, acks back.

Owns: the checks of every message (does the topic's box say it of itself, does it decode), and what is answered. Never:
an ack before the commit. Knows no MQTT: `take` gets (topic, payload) pairs and gives back what is to be published.

All messages that wait together share one commit. A gap is not asked for at once: rows that are on their way may fill
it; after GAP_MS without progress its numbers go into the ack as `missing`, again every RESEND_MS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from edgebox.envelope import close_answer, open_question
from edgebox.store.events import Stream
from hw_sim.cloud.desk import Desk
from hw_sim.cloud.enrolment import Enrolment
from hw_sim.cloud.fleet import Fleet
from hw_sim.cloud.ledger import Key, Ledger
from hw_sim.cloud.points import Points, decode_claim, decode_receipt
from hw_sim.cloud.registry import Box, Place, Registry
from hw_sim.cloud.settlement import decode_redemption
from hw_sim.cloud.topics import Topics
from sync.contract import MESSAGE_BYTES, Ack, Ask, Batch, CertificateAsk, Envelope, Reply, Reported, Row, State

GAP_MS = 500  # several round trips to any broker
NUMBER_MAX = (1 << 53) - 1  # of a row [sync/contract.py, Ack], and of milliseconds
RESEND_MS = 3000  # a box answers within seconds or is away

_batch = msgspec.json.Decoder(Batch).decode
_envelope = msgspec.json.Decoder(Envelope).decode
_ask = msgspec.json.Decoder(Ask).decode
_csr = msgspec.json.Decoder(CertificateAsk).decode
_FLEET: dict[str, Callable[[bytes], State | Reply | Reported]] = {
    "state": msgspec.json.Decoder(State).decode,
    "reply": msgspec.json.Decoder(Reply).decode,
    "reported": msgspec.json.Decoder(Reported).decode,
}


class Message(NamedTuple):
    """One message of a box. `response` and `correlation`: where an answer is expected."""

    topic: str
    payload: bytes
    response: str = ""
    correlation: bytes = b""


class Out(NamedTuple):
    """One message to publish."""

    topic: str
    payload: bytes
    correlation: bytes = b""
    is_ack: bool = False


class _Gap:
    """When a stream with a gap last moved, and when its gap was last asked for."""

    __slots__ = ("asked_ms", "moved_ms", "through")

    def __init__(self, through: int, now_ms: float) -> None:
        self.through, self.moved_ms, self.asked_ms = through, now_ms, float("-inf")


class Consumer:
    """The inbox. `now_ms`: a monotonic clock; `wall_ms`: since 1970."""

    def __init__(
        self,
        ledger: Ledger,
        registry: Registry,
        topics: Topics,
        points: Points,
        desk: Desk,
        fleet: Fleet,
        wall_ms: Callable[[], int],
        enrolment: Enrolment | None = None,
    ) -> None:
        self._ledger, self._registry, self._topics = ledger, registry, topics
        self._points, self._desk, self._fleet = points, desk, fleet
        self._wall_ms = wall_ms
        self._enrolment = enrolment  # None: this cloud has no authority
        self._gaps: dict[Key, _Gap] = {}
        self.forged: dict[Key, tuple[int, int]] = {}  # ranges that a box took for acknowledged and we never got
        self.rows = self.duplicates = self.batches = self.refused = 0
        self.on_row: Callable[[Box, str, Row], None] | None = None  # told each new row, once it is committed

    def take(self, messages: Iterable[Message], now_ms: float) -> list[Out]:
        """All of them in one commit; what to say to whom. Raises what the disk raises: then nothing was taken."""
        touched: dict[Key, Box] = {}
        told: list[tuple[Box, str, Row]] = []
        out: list[Out] = []
        fleet: list[tuple[Box, State | Reply | Reported]] = []
        with self._ledger.commit():
            for message in messages:
                heard = self._topics.read(message.topic)
                box = self._registry.boxes.get(heard.place.box) if heard else None
                if heard is not None and heard.rest == "csr" and self._enrolment is not None:
                    self._certificate(heard.place, box, message, out, self._enrolment)
                    continue
                if heard is None or box is None or box.place != heard.place:
                    self._refuse("", "stranger", f"a message on {message.topic[:200]}")
                    continue
                try:
                    self._one(box, heard.rest, message, touched, told, out, fleet)
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as fault:
                    self._refuse(box.name, "nonsense", f"{heard.rest}: {fault}"[:300])
        for box, said in fleet:  # after the commit: who waits for a box may look into the ledger meanwhile
            self._heard(box, said, touched)
        if self.on_row is not None:
            for row in told:
                self.on_row(*row)
        return out + [self._ack(key, box, now_ms) for key, box in touched.items()]

    def tick(self, now_ms: float) -> list[Out]:
        """Asks for what is still missing."""
        out = []
        for key, gap in list(self._gaps.items()):
            box = self._registry.boxes[key[0]]
            if now_ms - gap.moved_ms >= GAP_MS and now_ms - gap.asked_ms >= RESEND_MS:
                gap.asked_ms = now_ms
                out.append(self._say(box, self._ledger.ack(key, with_missing=True)))
        return out

    # -- inside

    def _refuse(self, box: str, kind: str, words: str) -> None:
        self.refused += 1
        self._ledger.alarm(box, kind, words)

    def _one(
        self,
        box: Box,
        rest: str,
        message: Message,
        touched: dict[Key, Box],
        told: list[tuple[Box, str, Row]],
        out: list[Out],
        fleet: list[tuple[Box, State | Reply | Reported]],
    ) -> None:
        if len(message.payload) > MESSAGE_BYTES:
            raise ValueError(f"{len(message.payload)} bytes")
        if rest.startswith("up/"):
            batch = _batch(message.payload)
            if self._is_of(box, batch.box) and batch.stream == rest[3:] and batch.rows:
                self._rows(box, batch, told)
                touched[batch.box, batch.epoch, batch.stream] = box
            elif batch.box == box.name:
                raise ValueError(f"{len(batch.rows)} rows of stream {batch.stream}")
        elif rest == "ask":
            out.append(self._asked(box, message))
        elif rest in _FLEET:
            said = _FLEET[rest](message.payload)
            if self._is_of(box, said.box):
                fleet.append((box, said))
        else:
            raise ValueError("no such topic")

    def _certificate(
        self, place: Place, box: Box | None, message: Message, out: list[Out], enrolment: Enrolment
    ) -> None:
        """A box that isn't known hears why it gets none: somebody stands before it."""
        try:
            ask = _csr(message.payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
            self._refuse(place.box, "nonsense", f"csr: {fault}"[:300])
            return
        known = box if box is not None and box.place == place and ask.box == place.box else None
        gift = enrolment.answer(known, ask)
        if gift.reason:
            self._refuse(place.box, "certificate", f"{ask.box[:64]}: {gift.reason}")
        out.append(Out(f"{self._topics.prefix(place)}/certificate", msgspec.json.encode(gift)))

    def _asked(self, box: Box, message: Message) -> Out:
        """The answer to a question, in an envelope that opens for who asked, and for this question only."""
        envelope = _envelope(message.payload)
        key = self._registry.epoch_key(box, envelope.epoch)
        text = open_question(key, box.name, envelope)
        if text is None:
            raise ValueError("a question that is not the box's own")
        ask = _ask(text)
        if ask.id != envelope.id:
            raise ValueError("a question in another one's envelope")
        answer = msgspec.json.encode(self._desk.answer(box, ask))
        prefix = self._topics.prefix(box.place)
        topic = message.response if message.response.startswith(f"{prefix}/") else f"{prefix}/answer"
        closed = close_answer(key, box.name, envelope, answer)
        return Out(topic, msgspec.json.encode(closed), message.correlation)

    def _heard(self, box: Box, said: State | Reply | Reported, touched: dict[Key, Box]) -> None:
        if isinstance(said, State):
            self._state(box, said, touched)
        elif isinstance(said, Reply):
            self._fleet.heard_reply(said)
        else:
            self._fleet.heard_reported(said)

    def _state(self, box: Box, state: State, touched: dict[Key, Box]) -> None:
        """A box that is new or was restarted goes on from the acks that it gets now."""
        if self._fleet.heard_state(state):
            touched.update(((mark.box, mark.epoch, mark.stream), box) for mark in self._ledger.marks(box.name))
        for stream, through in state.acknowledged.items():
            has = self._ledger.ack((box.name, state.epoch, stream)).through
            if through > has:
                words = f"{stream} {state.epoch}: the box believes {through} is here, it is {has}"
                self._ledger.alarm(box.name, "forged_ack", words)
                self.forged[box.name, state.epoch, stream] = (has + 1, through)

    def _is_of(self, box: Box, name: str) -> bool:
        """A box speaks for itself only."""
        if name == box.name:
            return True
        self._refuse(box.name, "impostor", f"speaks for {name[:64]}")
        return False

    def _rows(self, box: Box, batch: Batch, told: list[tuple[Box, str, Row]]) -> None:
        if not all(_is_sound(row) for row in batch.rows):
            raise ValueError("numbers count from 1, and ranges upward")
        taken = self._ledger.take(batch, self._wall_ms())
        self.batches += 1
        self.rows += len(taken.new)
        self.duplicates += taken.duplicates
        for row in taken.new:
            if row.lost:
                words = f"{batch.stream} {batch.epoch}: {row.seq} to {row.to} given up: {row.lost}"
                self._ledger.alarm(box.name, "lost", words)
                continue
            self._event(box, batch, row)
            told.append((box, batch.stream, row))

    def _event(self, box: Box, batch: Batch, row: Row) -> None:
        """Claims and receipts decide about points, redemptions about coupons. What doesn't decode is kept, too."""
        try:
            if batch.stream == Stream.CLAIMS:
                self._points.heard_claim(box, batch.epoch, row.seq, decode_claim(row.event))
            elif batch.stream == Stream.RECEIPTS:
                self._points.heard_receipt(box, decode_receipt(row.event))
            elif batch.stream == Stream.REDEMPTIONS:
                event = decode_redemption(row.event)
                if event is not None:
                    self._desk.settlement.heard(box, row, event, self._wall_ms())
        except (msgspec.MsgspecError, OverflowError) as fault:  # or a number that no database takes
            self._refuse(box.name, "event", f"{batch.stream} {batch.epoch} {row.seq}: {fault}"[:300])

    def _ack(self, key: Key, box: Box, now_ms: float) -> Out:
        ack = self._ledger.ack(key)
        gap = self._gaps.get(key)
        if not self._ledger.has_gap(key):
            self._gaps.pop(key, None)
        elif gap is None or gap.through != ack.through:
            self._gaps[key] = _Gap(ack.through, now_ms)
        return self._say(box, ack)

    def _say(self, box: Box, ack: Ack) -> Out:
        return Out(f"{self._topics.prefix(box.place)}/ack", msgspec.json.encode(ack), is_ack=True)


def _is_sound(row: Row) -> bool:
    """Its numbers are such as a journal gives."""
    last = row.to if row.lost else row.seq
    times = max(abs(row.mono_ms), abs(row.at_ms))
    return 1 <= row.seq <= last <= NUMBER_MAX and times <= NUMBER_MAX and (bool(row.lost) or not row.to)
