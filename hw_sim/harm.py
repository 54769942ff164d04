"""Did the box do harm? Compares what a printer reports on a bare wire and with the box on it.

Owns: `harm`. Never: prints or reads a stream. The bare report is the measure: a till's own faults are not the box's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from hw_sim.ink import Ink, Report, Ticket

IsSlip = Callable[[Ink], bool]


def qr_with(text: str) -> IsSlip:
    """Ink that belongs to a slip: the QR that carries `text`."""
    return lambda ink: ink.kind == "qr" and text in ink.text


def harm(bare: Report, boxed: Report, is_slip: IsSlip, *, slips: int | None = None, anchor: str = "") -> list[str]:
    """In words, everything that the box changed and must not have; empty when it did no harm.

    `slips`: how many marks of slips must have been printed (None: any). `anchor`: text that stands on every ticket
    with a slip (the total): the slip reached the right customer.
    """
    found = [f"new: {fault}" for fault in (Counter(boxed.faults) - Counter(bare.faults)).elements()]
    found += _counts(bare, boxed)
    before, after = [*bare.tickets, bare.open], [*boxed.tickets, boxed.open]
    if len(before) == len(after):
        for number, (was, now) in enumerate(zip(before, after, strict=True), 1):
            found += [f"ticket {number}: {what}" for what in _ticket(was, now, is_slip, anchor)]
    printed = sum(is_slip(ink) for ticket in after for ink in ticket.ink)
    if slips is not None and printed != slips:
        found.append(f"{printed} slips printed, not {slips}")
    return found


def _counts(bare: Report, boxed: Report) -> list[str]:
    pairs = (
        ("cuts", bare.cuts, boxed.cuts),
        ("ignored cuts", bare.ignored_cuts, boxed.ignored_cuts),
        ("tears", bare.tears, boxed.tears),
        ("text on the display", bare.display, boxed.display),
        ("discarded text", bare.discarded, boxed.discarded),
        ("unprinted text", bare.unprinted, boxed.unprinted),
        ("drawer kicks", [k[1:] for k in bare.kicks], [k[1:] for k in boxed.kicks]),
        ("cleared", bare.cleared_bytes > 0, boxed.cleared_bytes > 0),
    )
    found = [f"{what}: {now!r}, not {was!r}" for what, was, now in pairs if was != now]
    inside = Counter(r.raw for r in boxed.real_time if not r.between)
    inside -= Counter(r.raw for r in bare.real_time if not r.between)
    return found + [f"{raw.hex(' ')} in the middle of a command" for raw in inside.elements()]


def _ticket(was: Ticket, now: Ticket, is_slip: IsSlip, anchor: str) -> list[str]:
    found = []
    own = [ink.mark for ink in now.ink if not is_slip(ink)]
    if own != was.marks:
        differing = next((a for a, b in zip(was.marks, own, strict=False) if a != b), None)
        found.append(f"the till's own print changed: {len(was.marks)} marks became {len(own)}; first: {differing}")
    if now.bottom - now.top < was.bottom - was.top:
        found.append(f"shorter by {was.bottom - was.top - (now.bottom - now.top)} dots: feed was lost")
    slips = [number for number, ink in enumerate(now.ink) if is_slip(ink)]
    if slips and anchor and anchor not in now.text:
        found.append(f"the slip stands on a ticket without {anchor!r}")
    if slips and slips[-1] != len(now.ink) - 1:
        found.append("the slip stands above the till's own print")
    return found
