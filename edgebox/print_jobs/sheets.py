"""What is on a print job's paper, as bytes for one printer: blocks, raw ESC/POS, an order's ticket, its payment notice.

Owns: content → body. Never: what may stand in raw bytes (raw.py), what a ticket says (config/slips/order.toml), or when
it is printed. A body is checked once more by the line.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec

from edgebox.errors import OrderError, SlipError
from edgebox.escpos.blocks import Align, Block, Feed, Qr, Rule, Text
from edgebox.escpos.compose import Body, Budget, Press, compose
from edgebox.escpos.parser import INLINE, Command, Parser
from edgebox.print_jobs.job import What
from edgebox.print_jobs.raw import vetted
from edgebox.slips.facts import Facts, Money, cleaned, facts, host_of
from edgebox.slips.template import Purpose
from sync.contract_content import BlockSpec, FeedSpec, QrSpec, TextSpec
from sync.contract_print import OrderArgs, OrderPaidArgs, PrintArgs

PAPER_MM = 400  # of one paper: two long receipts
ALL_MM = 1200  # of all copies: at 100 mm/s the till waits 12 s at most
COPY = "*** COPY ***"  # as on the desk's slips; in letters that every printer has,
COPY_ZH = "*** 补打 COPY ***"  # and where it has them, in Chinese, too
_ALIGN = {"left": Align.LEFT, "center": Align.CENTER, "right": Align.RIGHT}
Content = PrintArgs | OrderArgs | OrderPaidArgs
_ARGS: dict[What, type[Content]] = {What.PRINT: PrintArgs, What.ORDER: OrderArgs, What.PAID: OrderPaidArgs}


class Slips(Protocol):
    """Who fills templates."""

    def desk_slip(self, purpose: Purpose, say: Callable[[tuple[str, ...]], Facts], press: Press) -> Body | None:
        """None: the shop doesn't want it on paper. SlipError."""


class Around(NamedTuple):
    """What every ticket says besides its order."""

    shop: str
    currency: str
    decimals: int
    date: str
    time: str


class Mark(NamedTuple):
    """`is_copy`: it may be out already. `changed`: another ticket of this order is."""

    is_copy: bool = False
    changed: bool = False


def content_of(what: What, raw: bytes) -> Content:
    """The arguments as they were kept."""
    found: Content = msgspec.json.decode(raw, type=_ARGS[what])
    return found


def cuts(content: Content) -> bool:
    """Is it cut off behind?"""
    return content.cut if isinstance(content, PrintArgs) else True


def body(content: Content, press: Press, slips: Slips, around: Around, mark: Mark, *, drawer: bool = False) -> bytes:
    """The body of one paper; empty: the shop wants none of this kind.

    SlipError: this printer can't print it. OrderError: raw bytes that are refused, or too long with all its copies.
    """
    if isinstance(content, PrintArgs):
        raw, mm = _print(content, press, mark, drawer=drawer)
    else:
        purpose = Purpose.ORDER if isinstance(content, OrderArgs) else Purpose.ORDER_PAID
        made = slips.desk_slip(purpose, lambda _: _facts(content, around, mark), press)
        raw, mm = (made.raw, made.height_mm) if made is not None else (b"", 0.0)
    if mm * content.copies > ALL_MM:
        raise OrderError(f"{content.copies} copies of {mm:.0f} mm; {ALL_MM} mm may be", reason="too_long")
    return _filled_up(raw) + raw if mark.is_copy else raw


def _filled_up(raw: bytes) -> bytes:
    """What ends a picture in whose middle the printer may stand, if its line was killed while it printed this paper.

    Nothing at all otherwise: a printer passes over NUL (Epson prints nothing for it). Without this the mark of a copy
    would be taken for dots.
    """
    payloads = [event.total for event in Parser().feed(raw) if isinstance(event, Command) and event.total > INLINE]
    return bytes(max(payloads)) if payloads else b""


def _print(content: PrintArgs, press: Press, mark: Mark, *, drawer: bool) -> tuple[bytes, float]:
    words = COPY if press.printer.cjk == "none" else COPY_ZH
    heading: list[Block] = [Text(words, Align.CENTER, bold=True)] if mark.is_copy else []
    if not content.raw:
        made = compose([*heading, *map(_block, content.blocks)], press, Budget(mm=PAPER_MM))
        return made.raw, made.height_mm
    try:
        found = vetted(base64.b64decode(content.raw, validate=True), press.printer, drawer=drawer)
    except binascii.Error as fault:
        raise OrderError(f"raw is no base64: {fault}", reason="unfinished") from fault
    if not press.printer.insert or press.printer.dialect != "epson":
        raise SlipError(f"nothing is put into the stream of {press.printer.name}", reason="printer")
    if found.mm > PAPER_MM:
        raise OrderError(f"up to {found.mm:.0f} mm of paper; {PAPER_MM} mm may be", reason="too_long")
    head = compose(heading, press) if heading else None
    return (head.raw + found.body, head.height_mm + found.mm) if head else (found.body, found.mm)


def _facts(content: OrderArgs | OrderPaidArgs, around: Around, mark: Mark) -> Facts:
    values = {
        "shop": around.shop,
        "date": around.date,
        "time": around.time,
        "number": content.number,
        "copy": "1" if mark.is_copy else "",
    }
    money = Money(content.amount_minor, around.currency, around.decimals) if content.amount_minor else ""
    if isinstance(content, OrderPaidArgs):
        return facts({**values, "amount": money, "title": content.tender})
    is_for_guests = not content.kitchen
    return facts(
        {
            **values,
            "title": content.title,
            "table": content.table,
            "pick_up": content.pick_up,
            "due": content.due,
            "changed": str(content.revision) if mark.changed else "",
            "amount": money if is_for_guests else "",
            "url": content.pay_url if is_for_guests else "",
            "host": host_of(content.pay_url) if is_for_guests else "",
        },
        {"items": tuple((_item(item.name, item.options), f"x{item.count}") for item in content.items)},
    )


def _item(name: str, options: str) -> str:
    return f"{name} ({options})" if options else name


def _block(spec: BlockSpec) -> Block:
    if isinstance(spec, TextSpec):
        return Text(cleaned(spec.text), _ALIGN[spec.align], bold=spec.bold, width=spec.width, height=spec.height)
    if isinstance(spec, QrSpec):
        return Qr(spec.data, caption=Text(cleaned(spec.caption), Align.CENTER) if spec.caption else None)
    return Feed(spec.lines) if isinstance(spec, FeedSpec) else Rule()
