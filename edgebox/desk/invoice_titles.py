"""Invoice title codes (抬头码): who the invoice is for, passed on to the cloud with the receipt that it is about, once.

Owns: which receipt that is, and what the answer comes to. Never: keeps such a code. It is a URL with a key to a
person's or a firm's name, tax number and telephone: it is in memory while the customer waits, and goes to the cloud in
an envelope that the broker can't open. Disk and log see its keyed hash (edgebox/scan_desk.py).

The receipt is the last sale on the scanner's line, if it is not older than `[desk] title_minutes`: the customer has
just paid, and holds up the telephone. With no such sale, or where it isn't clear which till is meant, nobody is asked:
an invoice for another customer's receipt is worse than a second scan.

Without the cloud the answer is no, in words. To queue the code would mean to write it down, closed with a key that lies
on the same disk; the customer can come back with code and paper, or scan the receipt's own invoice link.

The same code for the same receipt is one question, whose id both give: asked twice, it is answered twice and done once.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from edgebox.desk.answers import SAID, Answer, refusal
from edgebox.desk.asking import RETRY_S, Cloud
from edgebox.desk.said import Said, Scanned
from edgebox.desk.words import Say, Shop
from edgebox.errors import StoreError, SyncError
from edgebox.lines import LineSession
from edgebox.scan.codes import Kind
from edgebox.settings import Config
from edgebox.slips.facts import Facts, facts
from edgebox.slips.template import Purpose
from edgebox.store.store import Store

ASK = "invoice.title"
CODE_MAX = 1024  # letters: WeChat's own limit of what its scanner takes [notes §4]
_LABEL = "edgebox invoice title v1"
_PRINTABLE = Annotated[str, Meta(max_length=60, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
_LAST_SALE = """SELECT session, document, at, number, till, printed_date, amount_minor, currency, decimals, claim
    FROM receipts WHERE line = ? AND kind = 'sale' AND at BETWEEN ? AND ? AND amount_minor > 0
    AND modifiers NOT LIKE '%reprint%' AND modifiers NOT LIKE '%copy%' ORDER BY at DESC, place DESC LIMIT 1"""
# What is not said of a coupon.
_WORDS: Mapping[Answer, tuple[str, str]] = {
    Answer.OFFLINE: ("网络中断 请稍后再开票", "No network: ask for the invoice again later"),
    Answer.USED: ("此小票已开票", "This receipt has its invoice"),
    Answer.UNKNOWN: ("抬头码无效 请刷新后重扫", "No such title: show the code anew"),
    Answer.EXPIRED: ("此小票已过开票期限", "Too late for an invoice"),
    Answer.WRONG_STORE: ("本店不能为此小票开票", "No invoice from this shop"),
    Answer.THRESHOLD: ("此金额不能开票", "No invoice for this amount"),
    Answer.REVOKED: ("此小票已退款", "This receipt was refunded"),
}


class Sale(NamedTuple):
    """The receipt that the invoice is for. `claim` "": it has none."""

    session: str
    document: int
    at: int
    number: str
    till: str
    printed_date: str
    amount_minor: int
    currency: str
    decimals: int
    claim: str


class Front(Protocol):
    """The coupon desk, which this shares cloud, paper and hashes with. `line`: whose printer gives its slips now."""

    @property
    def cloud(self) -> Cloud | None:
        """Whom to ask; None: this shop has nobody."""

    def tell(self, purpose: Purpose, say: Say, line: str) -> None:
        """News on paper, soon or not at all."""

    def hash_of(self, kind: Kind, code: str) -> str:
        """Under which a scan is recorded; "": the desk is not open."""


class Host(Protocol):
    """The engine. `desk`: its front."""

    config: Config
    clock: Callable[[], float]
    lines: dict[str, LineSession]
    counters: Counter[str]

    @property
    def desk(self) -> Front:
        """Where codes are brought."""


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    """`title`: whose invoice it will be, as far as the cloud wants it on paper."""

    title: _PRINTABLE = ""


class InvoiceTitles:
    """A part of the engine. Counted: `invoice titles: ` and the answer's word."""

    def __init__(self, host: Host) -> None:
        self._host = host
        shop = host.config.shop
        self._shop = Shop(shop.name, shop.currency, shop.decimals)
        self._zone = ZoneInfo(shop.tz)
        self._store: Store | None = None

    async def open(self, store: Store) -> None:
        """Where receipts are found."""
        self._store = store

    async def look(self) -> None:
        """Nothing waits here."""

    async def stop(self) -> None:
        """A question under way is its asker's to end."""
        self._store = None

    async def scanned(self, scanned: Scanned) -> Said:
        """A title's code; its slip is on its way when this returns. Raises nothing for a code."""
        try:
            sale = await self._sale(scanned.line)
        except StoreError:
            sale = None
            answer, title = Answer.BUSY, ""
        else:
            answer, title = await self._asked(scanned.code.strip(), sale)
        self._host.counters[f"invoice titles: {answer.value}"] += 1
        self._host.desk.tell(Purpose.INVOICE_TITLE, self._slip(answer, title, sale), scanned.line)
        return Said(answer, detail=sale.number if sale is not None else "")

    # -- inside

    async def _asked(self, code: str, sale: Sale | None) -> tuple[Answer, str]:
        """What the cloud says, and whose invoice it will be."""
        if not 0 < len(code) <= CODE_MAX or not code.isprintable():
            return Answer.UNKNOWN, ""
        if sale is None:
            return Answer.NO_SALE, ""
        name = self._request(code, sale)
        if not name:
            return Answer.BUSY, ""
        return await self._heard(name, {"scan_text": code, "receipt": _reference(sale)})

    async def _heard(self, name: str, args: Mapping[str, Any]) -> tuple[Answer, str]:
        """Asked again under the same id as long as the cashier can bear it, if the cloud stumbles."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._host.config.desk.ask_ms / 1000
        cloud, heard = self._host.desk.cloud, Answer.OFFLINE
        while cloud is not None and (left_s := until - loop.time()) > 0:
            try:
                reply = await cloud.ask(ASK, args, name, left_s)
            except SyncError as fault:
                return (Answer.FAILURE if fault.reason == "busy" else heard), ""
            if reply.ok:
                return Answer.FORWARDED, _title(reply.result)
            heard = refusal(reply.reason)
            if heard is not Answer.FAILURE or until - loop.time() <= RETRY_S:
                return heard, ""
            await asyncio.sleep(RETRY_S)
        return heard, ""

    async def _sale(self, line: str) -> Sale | None:
        """The last one on that line, if it is new enough. StoreError."""
        lines, settings = sorted(self._host.lines), self._host.config.desk
        wanted = line or settings.line or (lines[0] if len(lines) == 1 else "")
        if not wanted or self._store is None:
            return None
        now = int(self._host.clock())
        asked = (wanted, now - 60 * settings.title_minutes, now)
        row = await self._store.read(lambda db: db.execute(_LAST_SALE, asked).fetchone())
        return Sale(*row) if row else None

    def _request(self, code: str, sale: Sale) -> str:
        """One id for one code and one receipt, from which neither can be found; "": the desk is not open."""
        hashed = self._host.desk.hash_of(Kind.INVOICE_TITLE, code)
        parts = (_LABEL, sale.session, str(sale.document), hashed)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32] if hashed else ""

    def _slip(self, answer: Answer, title: str, sale: Sale | None) -> Say:
        local = datetime.fromtimestamp(self._host.clock(), self._zone)

        def say(languages: tuple[str, ...]) -> Facts:
            words = " / ".join(dict.fromkeys(_said(answer, language) for language in languages))
            values: dict[str, Any] = {
                "shop": self._shop.name, "date": local.strftime("%Y-%m-%d"), "time": local.strftime("%H:%M"),
                "reason": words, "title": title,
            }  # fmt: skip
            if sale is not None:
                values |= {"number": sale.number, "amount": self._shop.money(sale.amount_minor)}
            return facts(values)

        return say


def _said(answer: Answer, language: str) -> str:
    chinese, english = _WORDS.get(answer, ("", ""))
    return (chinese if language == "zh" else english) or SAID[answer].words(language)


def _title(result: Mapping[str, Any]) -> str:
    """What can't be printed is left out: the invoice is asked for all the same."""
    try:
        return msgspec.convert(dict(result), _Result).title
    except msgspec.ValidationError:
        return ""


def _reference(sale: Sale) -> dict[str, Any]:
    """How the cloud finds the receipt among those that the box has told it."""
    return {name: value for name, value in sale._asdict().items() if value not in ("", None)}
