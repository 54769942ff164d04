"""What a box redeemed, told to the one that takes its place: every use that stands, page by page.

Owns: the answer to `desk.uses`. Never: a judgement of a code; a comeback coupon is the box's own, and is told, too.

Asked: `ends`, by each epoch the last row of redemptions that the asking box has, and `after`, where the last page
ended. Told: code (the shop's keyed hash), when, and the slip's number.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from edgebox.store.events import RedemptionRecord, RedemptionState
from hw_sim.cloud.ledger import Ledger
from hw_sim.cloud.registry import Box
from hw_sim.cloud.settlement import decode_redemption
from sync.contract import Answer, Ask

USES = "desk.uses"
PAGE = 200  # an Envelope has 48 KB of JSON


class _Args(msgspec.Struct, frozen=True, kw_only=True):
    ends: dict[str, Annotated[int, Meta(ge=0)]] = {}
    after: Annotated[int, Meta(ge=0)] = 0


def uses(ledger: Ledger, box: Box, ask: Ask) -> Answer:
    """The next page. `next` 0: it was the last."""
    try:
        args = msgspec.convert(ask.args, _Args)
    except msgspec.ValidationError:
        return Answer(id=ask.id, ok=False, reason="question")
    found = list(_standing(ledger, box, args.ends).values())
    told = found[args.after : args.after + PAGE]
    after = args.after + len(told)
    result = {
        "uses": [{"code": one.code, "at": one.at, "number": one.number} for one in told],
        "next": after if after < len(found) else 0,
    }
    return Answer(id=ask.id, ok=True, result=result)


def _standing(ledger: Ledger, box: Box, ends: dict[str, int]) -> dict[tuple[str, str], RedemptionRecord]:
    """By code and question: what was redeemed behind the ends and not taken back since. Rows came in any order."""
    rows = ledger.ask(
        "SELECT epoch, seq, event FROM rows WHERE box = ? AND stream = 'redemptions' ORDER BY epoch, seq", box.name
    )
    found: dict[tuple[str, str], RedemptionRecord] = {}
    for epoch, seq, event in rows:
        if seq <= ends.get(epoch, 0):
            continue
        record = decode_redemption(event)
        if record is None:  # the stream has more than redemptions
            continue
        key = (record.code, record.request)
        if record.state is RedemptionState.REDEEMED:
            found[key] = record
        elif record.state is RedemptionState.REVERSED:
            found.pop(key, None)
    return found
