"""Boxes and the stand-in without a broker: journals are carried by hand, in whatever order and time a test wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgebox.desk.settlement import Settled
from edgebox.engine import Engine
from edgebox.errors import SyncError
from edgebox.store.events import Stream
from edgebox.store.peek import bodies
from hw_sim.cloud.cloud import Cloud
from sync.contract import Answer, Ask, Row
from sync.contract_commands import CouponsSettleArgs
from tests.desk.shop import NOW
from tests.hw_sim.boxes import PaperBox


class Link:
    """The way to the stand-in's desk. `loses`: so many answers are lost on their way back, each when it is too late."""

    def __init__(self, box: PaperBox, loses: int = 0) -> None:
        self.is_connected = True
        self.loses = loses
        self.requests: list[tuple[str, Mapping[str, Any]]] = []
        self._box = box

    async def ask(self, what: str, args: Mapping[str, Any], name: str, timeout_s: float) -> Answer:
        if not self.is_connected:
            raise SyncError("the cloud is not there", reason="offline")
        self.requests.append((name, args))
        answer = self._box.cloud.desk.answer(self._box.box, Ask(id=name, what=what, args=dict(args)))
        if self.loses:
            self.loses -= 1
            raise SyncError("the cloud does not answer", reason="no_answer")
        return answer


def hand_in(
    box: PaperBox, folder: Path, *, at: int = NOW, trusted: bool = True, order: Sequence[int] | None = None
) -> int:
    """What the box in `folder` has recorded about coupons arrives, `at` its time; how many rows there are."""
    events = bodies(folder / "data", Stream.REDEMPTIONS)
    rows = [
        Row(seq=number, at_ms=at * 1000, trusted=trusted, event=msgspec.Raw(body))
        for number, body in enumerate(events, 1)
    ]
    for index in order if order is not None else range(len(rows)):
        box.give(box.batch(Stream.REDEMPTIONS, [rows[index]]))
    return len(rows)


async def tell(head: Cloud, box: PaperBox, engine: Engine, now_ms: float) -> Settled:
    """The verdicts that are due for this box reach it, as its command says them."""
    verdicts = head.settlement.due(now_ms).get(box.box.name, [])
    if not verdicts:
        return Settled()
    args = msgspec.json.decode(msgspec.json.encode({"verdicts": verdicts}), type=CouponsSettleArgs)
    assert engine.desk.settlement is not None
    return await engine.desk.settlement.settle(args.verdicts)
