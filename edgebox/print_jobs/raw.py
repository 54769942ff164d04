"""Raw ESC/POS from the cloud, read as hostile: what may stand in it, and what of it is printed.

Owns: the reason for which a stream is refused, and the body that is made of a good one. Never: prints, or trusts that
the line will refuse what is missed here; the line looks again (edgebox/line/insertion.py, whose table of what may stand
in a body is used here, too).

Programs that make receipts begin with `ESC @` and end with a cut, so these two are taken away at the very beginning and
the very end: the line makes modes neutral before a job and cuts behind it. A code page is taken away where all text is
ASCII, which it doesn't change; where it isn't, the till's own can't be put back.
"""

from __future__ import annotations

from typing import NamedTuple

from edgebox.errors import OrderError
from edgebox.escpos.commands import REAL_TIME, Effect
from edgebox.escpos.parser import Command, Event, Parser, raw_of
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.state import Buffer, PrinterState
from edgebox.line.insertion import check, fault_of
from edgebox.print_jobs.paper_length import PaperLength

RAW_MAX = 64 << 10  # bytes: a picture of 576 dots and 900 rows; a minute at 9600 baud
KICKS_MAX = 1  # of a job: a drawer opens once
_REASONS = {
    Effect.CUT: "cut",
    Effect.DRAWER: "drawer",
    Effect.REALTIME: "real_time",
    Effect.CLEAR: "real_time",
    Effect.QUERY: "query",
    Effect.SELECT: "device",
    Effect.INIT: "reset",
    Effect.PAGE_ON: "page_mode",
    Effect.PAGE_OFF: "page_mode",
    Effect.PAGE_PRINT: "page_mode",
    Effect.DEFINE: "memory",
    Effect.MACRO: "macro",
    Effect.SOUND: "sound",
    Effect.SERVICE: "service",
    Effect.UNKNOWN: "unknown_opcode",
    Effect.MODE: "mode",
    Effect.FEED: "feed",
    Effect.INK: "opcode",
    Effect.BUFFER: "opcode",
    Effect.POSITION: "mode",
}
_CODE_PAGES = (b"\x1bt", b"\x1bR")  # code page, and the international set of some ASCII signs
_NOT_RAW = (b"\x1dc", b"\x1dT")  # a counter that goes on counting; and a line that makers end in different ways
_STORED = (b"\x1cp", b"\x1d/", b"\x1d^")  # prints what somebody stored; nobody here knows what, or how long


class Vetted(NamedTuple):
    """What is printed, and how much paper that takes at most."""

    body: bytes
    mm: float


def vetted(raw: bytes, profile: PrinterProfile, *, drawer: bool = False) -> Vetted:
    """The body of a job. `drawer`: it may kick the drawer. OrderError: reasons as in docs/printing.md."""
    if not raw or len(raw) > RAW_MAX:
        raise OrderError(f"{len(raw)} bytes; from 1 to {RAW_MAX} may be", reason="too_many_bytes")
    found = REAL_TIME.search(raw)
    if found:
        raise _refused("real_time", f"{found[0].hex(' ')} at byte {found.start()} acts wherever it stands")
    parser = Parser()
    events = [*parser.feed(raw), *parser.take_open()]
    if not parser.at_boundary:
        raise _refused("unfinished", "it ends inside a command or a picture")
    kept = _without_pages(_without_frame(events), profile)
    _check_each(kept, drawer=drawer)
    kept += _line_end(kept, profile)
    body = b"".join(map(raw_of, kept))
    last = check(body, profile, drawer=drawer)
    if last.reason:
        raise _refused("opcode", last.reason)
    length = PaperLength(profile)
    for event in kept:
        length.take(event)
    return Vetted(body, length.mm)


def _without_frame(events: list[Event]) -> list[Event]:
    """Without the reset at the very beginning, and the cut and reset at the very end."""
    kept = list(events)
    while kept and _effect(kept[0]) is Effect.INIT:
        kept.pop(0)
    while kept and _effect(kept[-1]) is Effect.INIT:
        kept.pop()
    if kept and _effect(kept[-1]) is Effect.CUT:
        kept.pop()
    return kept


def _without_pages(events: list[Event], profile: PrinterProfile) -> list[Event]:
    """Without code pages, which say nothing about ASCII."""
    is_ascii = all(event.isascii() for event in events if isinstance(event, bytes))
    if not is_ascii and profile.cjk == "none":
        raise _refused("code_page", f"{profile.name} has no characters beyond ASCII whose code page is sure")
    pages = [event for event in events if isinstance(event, Command) and event.raw[:2] in _CODE_PAGES]
    if pages and not is_ascii:
        raise _refused("code_page", "the till's own code page could not be put back")
    return [event for event in events if event not in pages]


def _check_each(events: list[Event], *, drawer: bool) -> None:
    kicks = 0
    for event in events:
        if not isinstance(event, Command):
            continue
        words = fault_of(event, drawer=drawer)
        if event.raw[:2] in _NOT_RAW or words:
            reason = "memory" if event.raw[:2] in _STORED else _REASONS[event.effect]
            raise _refused(reason, f"{event.name} ({event.spec.title})")
        kicks += event.effect is Effect.DRAWER
        if kicks > KICKS_MAX:
            raise _refused("drawer", "it kicks the drawer more than once")


def _line_end(events: list[Event], profile: PrinterProfile) -> list[Event]:
    """A line end for a last line that has none: nothing may stay in the print buffer."""
    state = PrinterState(profile)
    for event in events:
        state.apply(event)
    return [] if state.buffer is Buffer.EMPTY else [b"\n"]


def _effect(event: Event) -> Effect | None:
    return event.effect if isinstance(event, Command) else None


def _refused(reason: str, words: str) -> OrderError:
    return OrderError(
        f"the raw job is refused: {words}", reason=reason, hint="docs/printing.md says what may stand in it"
    )
