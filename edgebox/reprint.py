"""A claim's slip once more: the stored token, never another one, on a paper of its own.

Owns: finding the claim, its slip's bytes for a line's printer, and what is written down once it is out. Never: prints
(whoever asks follows the line's job), or decides who may ask: the fleet's keys and the page's roles do.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from edgebox.awards import Awards, Granted
from edgebox.decisions import Decisions
from edgebox.errors import ClaimError, ConfigError, OrderError, SlipError
from edgebox.escpos.compose import Press
from edgebox.escpos.profile import PrinterProfile
from edgebox.lines import LineSession
from edgebox.loyalty import claims
from edgebox.paper.letters import text_raster
from edgebox.settings import Config
from edgebox.slips import qr
from edgebox.store.events import ClaimRecord, ClaimState


class Printers(Protocol):
    """The engine, as far as this needs it."""

    config: Config
    awards: Awards
    decisions: Decisions
    lines: dict[str, LineSession]

    def profile(self, name: str) -> PrinterProfile:
        """A printer's profile. ConfigError."""


class Again(NamedTuple):
    """What is to be printed. `claim`: in hex."""

    claim: str
    granted: Granted
    line: str
    body: bytes


def prepared(engine: Printers, claim: str, line: str = "", known: Granted | None = None) -> Again:
    """`line` "": the first that is there; `known`: from disk, of a claim that is older than the engine's memory.

    OrderError `no_such_claim`, `void`, `no_such_line`, `printer`, or why the slip can't be set.
    """
    granted = engine.awards.granted(bytes.fromhex(claim)) or known
    if granted is None:
        raise OrderError("no such claim is remembered here", reason="no_such_claim")
    if not granted.printed:
        raise OrderError("its slip was not printed, so it is void", reason="void")
    line = line or next(iter(sorted(engine.lines)), "")
    try:
        body = engine.decisions.claim_slip(granted, press_of(engine, line)).raw
    except SlipError as fault:
        raise OrderError(str(fault), reason=fault.reason) from fault
    return Again(claim, granted, line, body)


def press_of(engine: Printers, line: str) -> Press:
    """The line's printer, for slips that people ask for. OrderError `no_such_line`, `printer`."""
    session = engine.lines.get(line)
    if session is None or session.hello is None:
        raise OrderError(f"{line or 'no line'} is not connected", reason="no_such_line")
    try:
        profile = engine.profile(session.hello.profile)
    except ConfigError as fault:
        raise OrderError(str(fault), reason="printer") from fault
    # The till's stored symbol and code page are the line's to know: a QR as a picture is right in any case.
    return Press(profile, False, -1, session.hello.bytes_per_s, qr.matrix, text_raster)


def recorded(engine: Printers, again: Again, at: int) -> ClaimRecord:
    """Its event, for when it is out."""
    granted = again.granted
    try:
        revision = claims.parse(granted.url).claim.revision
    except ClaimError:
        revision = granted.revision
    shop = engine.config.shop
    return ClaimRecord(
        at=at, claim=again.claim, url=granted.url, state=ClaimState.AGAIN, amount_minor=granted.amount_minor,
        currency=shop.currency, decimals=shop.decimals, revision=revision, line=again.line,
        points=granted.points or engine.awards.points(granted.amount_minor),
    )  # fmt: skip
