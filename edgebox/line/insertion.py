"""Checks a slip's body and wraps it for the place where it goes.

Owns: what a body may contain, and the bytes around it: modes made neutral, feed to the cutter, modes restored.
Never: composes a slip (escpos/compose.py) or trusts the engine: a body that could cut, reset, reprogram or leave
something in the print buffer is refused, and the document goes out plain.

The wrap never sends ESC @ (it would forget what the till set once at its start) nor ESC t.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from edgebox.escpos.commands import REAL_TIME, Effect
from edgebox.escpos.documents import Ending
from edgebox.escpos.parser import Command, Data, Parser
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.state import Buffer, Modes, PrinterState, neutralize, restore

_ALLOWED_INK = (b"\x1dv", b"\x1dk")  # raster, bar code
_ALLOWED_MODES = (
    b"\x1ba", b"\x1b!", b"\x1bE", b"\x1bM", b"\x1b-", b"\x1b2", b"\x1b3", b"\x1b ", b"\x1bG", b"\x1d!", b"\x1dB",
    b"\x1dh", b"\x1dw", b"\x1dH", b"\x1df", b"\x1c&", b"\x1c.", b"\x1c!", b"\x1c-", b"\x1cS", b"\x1cW",
)  # fmt: skip
_ALLOWED_FEEDS = (b"\x1bd", b"\x1bJ")
_QR_FUNCTIONS = b"ACEPQ"  # model, size, level, data, print (65, 67, 69, 80, 81): those that can be undone
_CUT_FALLBACK = b"\x1dV\x00"
_CUTS_LATER = (b"\x1dVa", b"\x1dVb")  # where the paper stands now, once it gets there: no use for a paper of its own


class Checked(NamedTuple):
    """A body that is safe to print: the slots it touches. `reason` is set, and nothing else counts, where it isn't."""

    touched: frozenset[str]
    reason: str
    is_sound: bool = False  # nothing but the buzzer: it moves no paper


def fault_of(command: Command, *, drawer: bool = False) -> str:
    """Why this command may not stand in a body; empty: it may. `drawer`: a kick may."""
    effect, two, three = command.effect, command.raw[:2], command.raw[:3]
    if three == b"\x1d(k":  # of other symbols (PDF417, MaxiCode) nobody here knows what was set before
        is_qr = command.raw[5:6] == b"1" and command.raw[6:7] in _QR_FUNCTIONS
        return "" if len(command.raw) > 6 and is_qr else f"body has {command.name} of another symbol than QR"
    allowed = (
        (drawer and command.raw[:2] == b"\x1bp")
        or (effect is Effect.MODE and (two in _ALLOWED_MODES or three in _ALLOWED_MODES))
        or (effect is Effect.FEED and two in _ALLOWED_FEEDS)
        or (effect is Effect.INK and two in _ALLOWED_INK)
        or effect in (Effect.BUFFER, Effect.POSITION)
    )
    return "" if allowed else f"body has {command.name}"


def _beeps(event: object, profile: PrinterProfile) -> bool:
    """The profile's own buzzer command: BEL opens the drawer of some printers."""
    own = bytes.fromhex(profile.buzzer)
    return (
        isinstance(event, Command)
        and event.effect is Effect.SOUND
        and event.total == len(event.raw)
        and bool(own)
        and event.raw[:2] == own[:2]
    )


def check(body: bytes, profile: PrinterProfile, *, drawer: bool = False) -> Checked:
    """Reads a body as the printer would, from neutral modes at the start of a line. `drawer`: it may kick it."""
    if REAL_TIME.search(body):
        return Checked(frozenset(), "body has a real-time command")
    parser, state = Parser(), PrinterState(profile)
    symbol = False
    open_payload = False
    events = (*parser.feed(body), *parser.take_open())
    if events and parser.at_boundary and all(_beeps(event, profile) for event in events):
        return Checked(frozenset(), "", is_sound=True)
    for event in events:
        if isinstance(event, Command):
            fault = fault_of(event, drawer=drawer)
            if fault:
                return Checked(frozenset(), fault)
            symbol = symbol or event.raw[:3] == b"\x1d(k"
            open_payload = event.total > len(event.raw)
        elif isinstance(event, Data):
            open_payload = not event.last
        state.apply(event)
    if not parser.at_boundary or open_payload:
        return Checked(frozenset(), "body ends inside a command")
    if state.buffer is not Buffer.EMPTY:
        return Checked(frozenset(), "body leaves something in the print buffer")
    touched = {slot for slot in state.slots if not slot.startswith("symbol_")}
    return Checked(frozenset(touched | {"symbol"} if symbol else touched), "")


def _feed(dots: float, profile: PrinterProfile) -> bytes:
    """ESC d for at least `dots`, at default line spacing."""
    lines = math.ceil(dots / profile.line_spacing) if dots > 0 else 0
    return b"\x1b2" + bytes((0x1B, 0x64, min(lines, 255))) if lines else b""


def wrap(body: bytes, checked: Checked, ending: Ending, profile: PrinterProfile, proof: bytes = b"") -> bytes:
    """The block that goes to `ending.insert_at`: neutral modes, body, feed topped up, modes restored.

    Feed: from the slip's last line the paper must travel to the cutter (or the tear bar); what the till's own feed
    behind the slip and a cut that feeds by itself don't bring, is added.
    `proof`: a GS ( H request, put behind the body.
    """
    neutral, touched = neutralize(ending.modes, profile)
    travel_mm = profile.head_to_cutter_mm if profile.cutter else profile.tear_bar_mm
    cut_brings_it = ending.cut_at >= 0 and ending.cut_feeds
    missing = 0.0 if cut_brings_it else travel_mm * profile.dots_per_mm - ending.feed_dots
    feed = _feed(missing, profile)
    if feed:
        touched.add("line_spacing")
    return neutral + body + proof + feed + restore(ending.modes, touched | checked.touched, profile)


def wrap_own(body: bytes, checked: Checked, modes: Modes, profile: PrinterProfile, cut: bytes) -> bytes:
    """A document of its own: body, feed to the cutter, cut. For jobs, and slips printed behind the till's cut."""
    neutral, touched = neutralize(modes, profile)
    travel_mm = profile.head_to_cutter_mm if profile.cutter else profile.tear_bar_mm
    cut = (_CUT_FALLBACK if not cut or cut[:3] in _CUTS_LATER else cut) if profile.cutter else b""
    feeds = profile.cut_feeds or len(cut) == 4
    feed = b"" if feeds and cut else _feed(travel_mm * profile.dots_per_mm, profile)
    if feed:
        touched.add("line_spacing")
    return neutral + body + feed + cut + restore(modes, touched | checked.touched, profile)


class Placed(NamedTuple):
    """What to write `before` the held feed and `behind` the cut; or `fault`, and nothing."""

    before: bytes
    behind: bytes
    fault: str


def insert(body: bytes, ending: Ending, own_cut: bytes, profile: PrinterProfile, proof: bytes) -> Placed:
    """The slip for one document. `own_cut`: the till's cut, where the slip is to be a paper of its own."""
    checked = check(body, profile)
    if checked.reason or checked.is_sound:
        return Placed(b"", b"", checked.reason or "body has nothing to print")
    if "symbol" in checked.touched and not ending.modes.symbol_ok:
        return Placed(b"", b"", "the till's stored symbol can't be restored")
    if own_cut:
        return Placed(b"", wrap_own(body, checked, ending.modes_after, profile, own_cut), "")
    return Placed(wrap(body, checked, ending, profile, proof), b"", "")
