"""What the slips of pick-ups, mall and members say, as facts for their templates; and the words of their refusals.

Owns: which fact comes from where. Never: a template's words, or what is true. No slip shows a code or a number of
a member's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from edgebox.desk.answers import SAID, Answer
from edgebox.desk.mall import Price
from edgebox.desk.redemption import Source
from edgebox.desk.words import Say, Shop
from edgebox.loyalty.members import Member
from edgebox.slips.facts import Facts, facts
from edgebox.store.pick_ups import Order
from edgebox.store.redemptions import Entry

_PICK_UP = {
    Answer.USED: ("已取货", "Already picked up"),
    Answer.UNKNOWN: ("不在自提清单上", "Not on the list of pick-ups"),
    Answer.WRONG_STORE: ("请到另一台收银机取货", "At another till"),
    Answer.NOT_STARTED: ("未到取货日", "Not yet: come on"),
    Answer.EXPIRED: ("已过取货日", "It was to be had until"),
    Answer.OFFLINE: ("网络中断 请稍后再试", "No network: can't be checked"),
}
_MALL = {
    Answer.USED: ("此码已兑换", "Already redeemed"),
    Answer.UNKNOWN: ("无此兑换码", "No such code"),
    Answer.EXPIRED: ("兑换码已过期", "The code has expired"),
    Answer.NOT_STARTED: ("未到兑换时间", "Not yet"),
    Answer.OFFLINE: ("网络中断 暂不能兑换", "No network: no points can be taken"),
    Answer.LIMIT: ("网络中断 已达离线上限", "No network: over the limit"),
}
_WORDS: Mapping[Source, Mapping[Answer, tuple[str, str]]] = {Source.PICK_UP: _PICK_UP, Source.MALL: _MALL}


class Marks(NamedTuple):
    """Of a slip with a number. `nth`: of its shift; `undone`: the number that it takes back."""

    nth: int
    local: datetime
    copy: bool = False
    undone: int = 0


class Known(NamedTuple):
    """What is known of a member's code. `as_of`: as people write it; `waits`: the next sale is this member's."""

    answer: Answer
    member: Member | None = None
    as_of: str = ""
    waits: bool = False


def said(source: Source, answer: Answer, languages: Iterable[str]) -> str:
    """A refusal in the slip's languages: no order is a coupon."""
    own = _WORDS.get(source, {}).get(answer)
    words = [SAID[answer].words(one) if own is None else own[0] if one == "zh" else own[1] for one in languages]
    return " / ".join(dict.fromkeys(words))


def refusal(source: Source, answer: Answer, detail: str, local: datetime, shop: Shop) -> Say:
    """Why not. `detail`: figures, for every language."""
    return lambda languages: facts({**_when(local, shop), "reason": said(source, answer, languages), "title": detail})


def pick_up(entry: Entry, order: Order | None, marks: Marks, shop: Shop) -> Say:
    """An order handed out, or taken back. `order` None: nobody knows any more what it was."""
    own = {"number": order.number, "shelf": order.shelf, "title": order.what} if order is not None else {}
    return lambda languages: facts({**_booked(entry, marks, shop), **own})


def mall(entry: Entry, title: str, marks: Marks, shop: Shop) -> Say:
    """Something given for points."""
    sign = -1 if marks.undone else 1
    own = {"title": title, "points": f"{sign * entry.points:,}" if entry.points else ""}
    if entry.offline and not marks.undone:
        own["pending"] = "1"
    return lambda languages: facts({**_booked(entry, marks, shop), **own})


def member(known: Known, local: datetime, shop: Shop) -> Say:
    """Who the code is, as far as the table says."""
    values = _when(local, shop)
    if known.member is not None:
        points = f"{known.member.points:,}" if known.member.points else ""
        values |= {"member": known.member.tier, "points": points, "as_of": known.as_of}
    values |= {"waits": "1" if known.waits else ""}

    def say(languages: tuple[str, ...]) -> Facts:
        has_tier = known.member is not None and known.member.tier
        words = "" if has_tier else said(Source.CLOUD, known.answer, languages)
        dated = f"{words} ({known.as_of})" if known.answer is Answer.STALE and known.as_of else words
        return facts({**values, "known": dated})

    return say


def prices(found: Sequence[Price], tier: str, local: datetime, shop: Shop) -> Say:
    """The mall's prices in force."""
    rows = tuple((f"{one.title or one.sku}{' *' if one.is_window else ''}", f"{one.points:,}") for one in found)
    return lambda languages: facts({**_when(local, shop), "member": tier}, {"rows": rows})


def _booked(entry: Entry, marks: Marks, shop: Shop) -> dict[str, str]:
    return {
        **_when(marks.local, shop), "serial": str(entry.number),
        "redeemed": "" if marks.undone else str(entry.number), "staff": entry.cashier, "count": str(marks.nth),
        "copy": "1" if marks.copy else "", "undone": str(marks.undone or ""), "reason": entry.reason,
    }  # fmt: skip


def _when(local: datetime, shop: Shop) -> dict[str, str]:
    return {"shop": shop.name, "date": local.strftime("%Y-%m-%d"), "time": local.strftime("%H:%M")}
