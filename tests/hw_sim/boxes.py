"""A box made of paper, for playbooks of the cloud: mints claims and hands in the rows that a box would send."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from edgebox.loyalty import claims
from edgebox.loyalty.keyring import Keyring
from edgebox.model import Confidence
from edgebox.store.events import ClaimRecord, ClaimState, Event, ReceiptRecord, Stream
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.consumer import Message, Out
from hw_sim.cloud.registry import Box, Place, Shop
from hw_sim.cloud_keys import keyring, master
from sync.contract import Ack, Batch, Row

NOW = 1_795_000_000  # 2026-11-18, in the middle of an epoch
SHOP = Shop(1, "Noodles & Co", spend_per_point=100)
EPOCH = "0001-aaaaaaaa"


class Wall:
    """A clock that somebody else sets."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class PaperBox:
    """One enrolled box. Rows are numbered as the store numbers them."""

    def __init__(self, cloud: Cloud, name: str = "box-1", device: int = 1, shop: Shop = SHOP) -> None:
        self.cloud = cloud
        self.box: Box = cloud.enroll(Place("demo", "shop", name), shop, device)
        self.keys: Keyring = keyring(
            master(cloud.folder, shop.number), shop.number, device, int(cloud.clock()), prefix=shop.prefix
        )
        self.epoch = EPOCH
        self._seqs: dict[tuple[str, str], int] = {}
        self._documents = 0
        self.now_ms = 0.0

    def mint(
        self,
        amount_minor: int,
        *,
        number: int = 1,
        revision: int = 0,
        at: int = 0,
        confidence: Confidence = Confidence.HIGH,
        weak: bool = False,
        tender_known: bool = True,
    ) -> str:
        """The URL that is on paper. `number` stands for the receipt's number."""
        return claims.mint(
            self.keys,
            number.to_bytes(8, "big"),
            amount_minor,
            at or int(self.cloud.clock()),
            revision=revision,
            confidence=confidence,
            weak_id=weak,
            tender_known=tender_known,
        )

    def claim(self, url: str, state: ClaimState = ClaimState.GRANTED, *, amount_minor: int = -1) -> ClaimRecord:
        """The event that the box records of a token; another amount is what a broken or forged box would say."""
        claim = claims.parse(url).claim
        self._documents += 1
        return ClaimRecord(
            at=int(self.cloud.clock()),
            claim=claim.claim_id.hex(),
            url=url,
            state=state,
            amount_minor=claim.amount_minor if amount_minor < 0 else amount_minor,
            revision=claim.revision,
            session="5e55",
            document=self._documents,
        )

    def receipt(self, event: ClaimRecord, **changes: object) -> ReceiptRecord:
        """The receipt beside a claim's event."""
        record = ReceiptRecord(
            at=event.at,
            session=event.session,
            document=event.document,
            line="till-1",
            kind="sale",
            amount_minor=event.amount_minor,
            claim=event.claim,
            url=event.url,
            revision=event.revision,
        )
        return msgspec.structs.replace(record, **changes)

    def row(self, stream: Stream, event: Event) -> Row:
        """The event with its place."""
        key = (self.epoch, stream.value)
        self._seqs[key] = self._seqs.get(key, 0) + 1
        return Row(seq=self._seqs[key], event=msgspec.Raw(msgspec.json.encode(event)))

    def batch(self, stream: Stream, rows: Iterable[Row], *, name: str = "") -> Message:
        """As it arrives at the cloud. `name`: whom the box pretends to be."""
        batch = Batch(box=name or self.box.name, epoch=self.epoch, stream=stream.value, rows=tuple(rows))
        return Message(f"{self.cloud.topics.prefix(self.box.place)}/up/{stream.value}", msgspec.json.encode(batch))

    def give(self, *messages: Message) -> list[Out]:
        """They arrive together; what the cloud says to that."""
        self.now_ms += 1
        return self.cloud.consumer.take(messages, self.now_ms)

    def tell(self, stream: Stream, *events: Event) -> list[Ack]:
        """Records the events and sends them in one batch; the cloud's acks."""
        return acks(self.give(self.batch(stream, [self.row(stream, event) for event in events])))

    def sell(self, amount_minor: int, **how: object) -> str:
        """A receipt, its claim on paper, both recorded and sent: the claim's URL."""
        url = self.mint(amount_minor, **how)  # type: ignore[arg-type]
        event = self.claim(url)
        self.tell(Stream.RECEIPTS, self.receipt(event))
        self.tell(Stream.CLAIMS, event)
        return url


def acks(out: Iterable[Out]) -> list[Ack]:
    """The acks among what the cloud says."""
    return [msgspec.json.decode(one.payload, type=Ack) for one in out if one.is_ack]


def cloud(folder: Path, wall: Wall | None = None) -> Cloud:
    """A cloud without broker and page: its messages are handed in."""
    return Cloud(folder, clock=wall or Wall(), page_port=None)
