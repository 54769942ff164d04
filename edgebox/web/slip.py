"""The pairing slip: the way to the page on paper, from the shop's own receipt printer.

Owns: what it says, and finding a printer for it. Never: says the code to anybody but the paper.
"""

from __future__ import annotations

import asyncio

from edgebox.desk.paper import Paper, Sheet
from edgebox.errors import SlipError
from edgebox.slips.facts import Facts, facts
from edgebox.slips.template import Purpose
from edgebox.web.office import Office
from edgebox.web.refusals import refused

WITHIN_MS = 60_000  # a slip that comes later would surprise whoever stands there


async def print_pairing_slip(office: Office, *, is_asked: bool) -> None:
    """A fresh code on paper. PageError `no_printer`, `too_many`, `busy`; StoreError."""
    paper = Paper(office.host, office.config.desk.line)
    where = paper.where()
    if where is None:
        raise refused("no_printer")
    code = await office.pairing.fresh(office.now, is_asked=is_asked)
    try:
        body = paper.composed(Purpose.PAIRING, lambda _: _said(office, code.text, code.minutes), where.line)
    except SlipError as fault:
        raise refused("no_printer", fault.reason) from fault
    if body is None:  # the shop's own template is in shadow mode
        raise refused("no_printer")
    try:
        sheet = await asyncio.wait_for(paper.print(where.line, "", body, expires_ms=WITHIN_MS), 2 * WITHIN_MS / 1000)
    except TimeoutError as fault:
        raise refused("no_printer") from fault
    if sheet in (Sheet.NOT, Sheet.GONE):
        raise refused("no_printer")


def _said(office: Office, code: str, minutes: int) -> Facts:
    shown = office.certificate
    local = office.written("zh").local(office.now)
    return facts(
        {
            "shop": office.config.shop.name,
            "date": local.strftime("%Y-%m-%d"),
            "time": local.strftime("%H:%M"),
            # Behind the # a browser keeps it to itself: no log, no referrer.
            "url": f"https://{office.address}/pair#{code.replace('-', '')}",
            "host": office.address,
            "code": code,
            "minutes": str(minutes),
            "fingerprint": shown.short if shown is not None and shown.is_own else "",
        }
    )
