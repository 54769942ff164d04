"""Fiscal codes: the number and the total that the law makes the till print exactly.

Owns: `read_fiscal` (a symbol's or line's text → `Fiscal`) and `FiscalFinder`, which collects them over a document.
Never: takes a till's own code for one: each scheme is checked field by field, and `total=9999.99` on some URL is
nothing.

Sources, a scheme each:
    ES  VERI*FACTU: Orden HAC/1177/2024 art. 20-21, URL …/wlpl/TIKE-CONT/ValidarQR?nif=&numserie=&fecha=&importe=
    PT  ATCUD: Portaria 195/2020, despacho "Especificações técnicas do código QR": A:…*B:…*…*O:<gross total>*…
    AT  RKSV, Anlage: _R1-AT1_<till>_<number>_<time>_<five sums by rate>_<counter>_… ; counter TRA or STO in base64
    DE  KassenSichV / DSFinV-K 2.4, annex I: V0;<serial>;<type>;<data>;…; type Kassenbeleg-V1, data Beleg^sums^payments
    TW  e-invoice, left code (MOF "電子發票證明聯一維及二維條碼規格"): 77 fixed characters, sums in hexadecimal
"""

from __future__ import annotations

import datetime
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from edgebox.model import DocumentKind, TenderKind

TEXT_MAX = 4096  # characters looked at; the longest real one (German, with its signature) has about 600
_JOINED_MAX = 12  # lines that one code may be broken over, where a till prints it as text
_FOUND_MAX = 8  # codes kept of one document


class Fiscal(NamedTuple):
    """One code. `cents`: the gross total in hundredths (Taiwan prints whole dollars: times 100). `paid`: the scheme
    gives such codes to paid sales only. `kind`: what it says besides a sale. `test`: made for trying out."""

    scheme: str
    currency: str
    number: str
    cents: int
    date: str = ""
    time: str = ""
    paid: bool = True
    kind: DocumentKind | None = None
    tenders: tuple[tuple[TenderKind, int], ...] = ()


def read_fiscal(text: str) -> Fiscal | None:
    """The fiscal code that a text is, None if it is none or not wholly well-formed."""
    text = text.strip()
    if not 40 <= len(text) <= TEXT_MAX or not text[:40].isascii():
        return None
    if text.startswith(("http://", "https://", "HTTP://", "HTTPS://")):
        return _spain(text)
    if text.startswith("A:"):
        return _portugal(text)
    if text.startswith("_R1-AT"):
        return _austria(text)
    if text.startswith("V0;"):
        return _germany(text)
    return _taiwan(text)


# -- Spain

_AEAT = re.compile(r"(?:[a-z0-9\-]{1,20}\.)?(?:agenciatributaria\.gob\.es|aeat\.es)").fullmatch
_AEAT_PATH = re.compile(r"/wlpl/TIKE-CONT/ValidarQR(?:NoVerifactu)?", re.IGNORECASE).fullmatch
_nif = re.compile(r"[A-Z0-9]{9}").fullmatch
_importe = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,2}))?").fullmatch
_fecha = re.compile(r"(\d\d)-(\d\d)-(20\d\d)").fullmatch
_printable = re.compile(r"[\x20-\x7e]{1,60}").fullmatch


def _spain(text: str) -> Fiscal | None:
    try:
        url = urlsplit(text)
        host, listed = url.hostname or "", parse_qsl(url.query, keep_blank_values=True, max_num_fields=8)
    except ValueError:
        return None
    fields = dict(listed)
    if not _AEAT(host) or not _AEAT_PATH(url.path) or len(fields) != len(listed):
        return None
    day, total = _fecha(fields.get("fecha", "")), _importe(fields.get("importe", ""))
    number = fields.get("numserie", "")
    if day is None or total is None or not _nif(fields.get("nif", "")) or not _printable(number):
        return None
    date = _date(day[3], day[2], day[1])
    return Fiscal("ES VERI*FACTU", "EUR", number, _signed(total), date) if date else None


# -- Portugal

_PT_FIELD = re.compile(r"([A-S][1-8]?):([^*]{1,70})").fullmatch
_PT_MONEY = re.compile(r"(-?)(\d{1,12})\.(\d\d)").fullmatch
_PT_DAY = re.compile(r"(20\d\d)(\d\d)(\d\d)").fullmatch
_PT_SALES, _PT_PAID = ("FT", "FS", "FR", "ND", "VD", "TV"), ("FS", "FR", "VD", "TV")
_PT_KINDS = {
    "NC": DocumentKind.REFUND,
    "TD": DocumentKind.REFUND,
    "CM": DocumentKind.PRE_BILL,  # consulta de mesa
    "PF": DocumentKind.QUOTE,
    "OR": DocumentKind.QUOTE,
    "NE": DocumentKind.KITCHEN,  # encomenda
}


def _portugal(text: str) -> Fiscal | None:
    found = [_PT_FIELD(part) for part in text.split("*")]
    fields = {match[1]: match[2] for match in found if match}
    if len(fields) != len(found) or not {"A", "B", "C", "D", "E", "F", "G", "H", "O", "Q", "R"} <= fields.keys():
        return None
    day, total, what = _PT_DAY(fields["F"]), _PT_MONEY(fields["O"]), fields["D"]
    if day is None or total is None or not re.fullmatch(r"\d{9}", fields["A"]):
        return None
    date = _date(*day.groups())
    kind = _PT_KINDS.get(what) or (None if what in _PT_SALES else DocumentKind.OTHER)
    if fields["E"] == "A":
        kind = DocumentKind.VOID
    return Fiscal("PT", "EUR", fields["G"], _signed(total), date, "", what in _PT_PAID, kind) if date else None


# -- Austria

_AT = re.compile(
    r"_R1-AT\d{1,3}_([^_]{1,60})_([^_]{1,60})_(20\d\d-\d\d-\d\d)T(\d\d:\d\d:\d\d)"
    r"_(-?\d{1,9},\d\d)_(-?\d{1,9},\d\d)_(-?\d{1,9},\d\d)_(-?\d{1,9},\d\d)_(-?\d{1,9},\d\d)"
    r"_([A-Za-z0-9+/=]{4,64})_([^_\s]{1,60})_([A-Za-z0-9+/=]{8,16})_([A-Za-z0-9+/=]{40,100})"
).fullmatch
_AT_KINDS = {"VFJB": DocumentKind.TRAINING, "U1RP": DocumentKind.VOID}  # TRA and STO in base64


def _austria(text: str) -> Fiscal | None:
    match = _AT(text)
    if not match or not _date(*match[3].split("-")):
        return None
    total = sum(int(match[place].replace(",", "")) for place in range(5, 10))
    return Fiscal("AT RKSV", "EUR", match[2], total, match[3], match[4], True, _AT_KINDS.get(match[10]))


# -- Germany

_DE_MOMENT = re.compile(r"(20\d\d)-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)(?:\.\d{1,6})?Z?").fullmatch
_DE_SUM = re.compile(r"(-?)(\d{1,9})\.(\d\d)").fullmatch
_DE_PAYMENT = re.compile(r"(-?)(\d{1,9})\.(\d\d):(Bar|Unbar)(:[A-Z]{3})?").fullmatch
_DE_KINDS = {
    "Beleg": None,
    "AVTraining": DocumentKind.TRAINING,
    "AVBelegstorno": DocumentKind.VOID,
    "AVBelegabbruch": DocumentKind.VOID,
    "AVBestellung": DocumentKind.KITCHEN,
    "AVRechnung": DocumentKind.PRE_BILL,
    "AVTransfer": DocumentKind.OTHER,
    "AVSachbezug": DocumentKind.OTHER,
    "AVSonstige": DocumentKind.OTHER,
}


def _germany(text: str) -> Fiscal | None:
    parts = text.split(";")
    if len(parts) != 12 or parts[2] != "Kassenbeleg-V1" or not parts[4].isdecimal() or not parts[5].isdecimal():
        return None
    data, moment = parts[3].split("^"), _DE_MOMENT(parts[7])
    if len(data) != 3 or data[0] not in _DE_KINDS or moment is None or not _date(*moment.groups()[:3]):
        return None
    sums = [_DE_SUM(part) for part in data[1].split("_")]
    payments = [_DE_PAYMENT(part) for part in data[2].split("_")] if data[2] else []
    if len(sums) != 5 or not all(sums) or not all(payments):
        return None
    total = sum(_signed(match) for match in sums if match)
    tenders = tuple(
        (TenderKind.CASH if match[4] == "Bar" else TenderKind.CARD, _signed(match))
        for match in payments
        if match and match[5] in (None, ":EUR")
    )
    kind = _DE_KINDS[data[0]] or (DocumentKind.REFUND if total < 0 else None)
    # The number is the signature's transaction: the receipt's own is not in this code.
    number = f"{parts[1]}-{parts[4]}" if re.fullmatch(r"[\w\-/.]{1,70}", parts[1]) else parts[4]
    return Fiscal("DE TSE", "EUR", number, total, "", "", bool(payments), kind, tenders)


# -- Taiwan

_TW = re.compile(
    r"([A-Z]{2}\d{8})(1\d\d)(\d\d)(\d\d)(\d{4})([0-9A-Fa-f]{8})([0-9A-Fa-f]{8})(\d{8})(\d{8})([A-Za-z0-9+/]{22}==)(?::.*)?",
    re.DOTALL,
).fullmatch
_ROC = 1911  # years of the Republic of China count from here
_TW_TAX_PERCENT = 5  # business tax; a total is the sales amount, or that with the tax


def _taiwan(text: str) -> Fiscal | None:
    match = _TW(text)
    if not match:
        return None
    date = _date(str(int(match[2]) + _ROC), match[3], match[4])
    sales, total = int(match[6], 16), int(match[7], 16)
    if not date or (sales and not sales <= total <= sales + (sales * _TW_TAX_PERCENT) // 100 + 1):
        return None
    return Fiscal("TW e-invoice", "TWD", match[1], total * 100, date)


def _signed(match: re.Match[str]) -> int:
    """Sign, whole and decimals of a sum as hundredths."""
    cents = int(match[2]) * 100 + int((match[3] or "").ljust(2, "0"))
    return -cents if match[1] else cents


def _date(year: str, month: str, day: str) -> str:
    try:
        return datetime.date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return ""


class FiscalFinder:
    """Collects the codes of one document: from its symbols, and from lines where a till prints them as text."""

    __slots__ = ("_open", "_parts", "found")

    def __init__(self) -> None:
        self.found: list[Fiscal] = []
        self._open = ""  # a code that goes on in the next line
        self._parts = 0

    def add_symbol(self, text: str) -> None:
        """What a two-dimensional symbol holds."""
        fiscal = read_fiscal(text[: TEXT_MAX + 1])
        if fiscal is not None and fiscal not in self.found and len(self.found) < _FOUND_MAX:
            self.found.append(fiscal)

    def add_line(self, text: str) -> None:
        """A trusted line as printed."""
        if self._open:
            self._go_on(text)
        elif text.lstrip().startswith(_BEGINNINGS):
            self._open, self._parts = text.strip()[:TEXT_MAX], 1
            self._try()

    def _go_on(self, text: str) -> None:
        part = text.strip()
        if " " in part or self._parts >= _JOINED_MAX or len(self._open) > TEXT_MAX:
            self._open = ""
            return
        self._open += part
        self._parts += 1
        self._try()

    def _try(self) -> None:
        before = len(self.found)
        self.add_symbol(self._open)
        if len(self.found) > before:
            self._open = ""

    def one(self) -> tuple[Fiscal | None, bool]:
        """The document's code, and whether several contradict each other (then none counts)."""
        if not self.found:
            return None, False
        sums = {(fiscal.currency, fiscal.cents) for fiscal in self.found}
        return (self.found[0], False) if len(sums) == 1 else (None, True)


_BEGINNINGS = ("_R1-AT", "V0;", "A:", "http", "HTTP")
