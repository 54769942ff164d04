"""What the law has a till print in words, where it prints no code: the transaction, its times, the invoice's number.

Owns: `FiscalText`, which collects it over a document. Never: a total that the words don't state: Germany's block holds
none, so it only names the transaction; where a code says the same, the code is believed (fiscal.py).

Sources, a form each:
    DE  KassenSichV § 6, AEAO zu § 146a 2.3: transaction number, start and end, serial number, signature counter, check
        value; tills print them as `TSE-Transaktion: 112`, `TSE-Start: 2024-05-20T18:41:02.000Z` …
    PT  Portaria 195/2020: `ATCUD:CDF7T5HD-12345`, the series' code and the number in it
    TW  MOF, layout of the 電子發票證明聯: `AB-12345678`, a line with 隨機碼 and 總計, and the seller's number
"""

from __future__ import annotations

import datetime
import re
from typing import NamedTuple

from edgebox.model import DocumentKind
from edgebox.receipt.fiscal import Fiscal

SURE = 3  # of Germany's facts must be there: `Start` and `Ende` alone are words like any other
LINE_MAX = 120  # characters looked at: twice the widest paper
# How a line of any of them begins; nearly no other line does, so this is all that most lines cost.
_begins = re.compile(
    r"[\s*=\-#]*(?:TSE\b|ATCUD|[A-Z]{2}-\d{8}|隨機碼|Transaktion|TA-Nr|Signatur|Sig\.|Serien|Prüfwert|Start|Stopp?|Ende|Vorgang)"
).match
_fact = re.compile(
    r"\s*(?:TSE[ \-_]?)?(?P<key>Transaktion(?:s(?:nummer|-?Nr\.?))?|TA-Nr\.?"
    r"|Signatur(?:z(?:ä|ae|a)hler|-Nr\.?)?|Sig\.?-?Nr\.?|Serien(?:nummer|-?[Nn]r\.?)|Prüfwert|Start(?:zeit)?|Stopp?(?:zeit)?|Ende?|Vorgang(?:s(?:art|typ))?)"
    r"\s*[:=]?\s*(?P<value>\S.*)?$"
).match
_digits = re.compile(r"\d{1,10}").fullmatch
_moment = re.compile(r"(20\d\d-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?").fullmatch
_serial = re.compile(r"[0-9A-Fa-f]{8,64}|[0-9]{6}-[0-9]{2}").fullmatch
_check = re.compile(r"[A-Za-z0-9+/]{12,}={0,2}").fullmatch
_atcud = re.compile(r"\s*ATCUD\s*:\s*([A-Z0-9]{8}-\d{1,20})\s*$").match
_tw_number = re.compile(r"\s*([A-Z]{2}-\d{8})\s*$").match
_tw_sum = re.compile(r"\s*隨機碼\s*[::]?\s*\d{4}\s+總計\s*[::]?\s*\$?\s*(\d{1,9}|\d{1,3}(?:,\d{3})+)\s*$").match
_KINDS = {
    "AVTraining": DocumentKind.TRAINING,
    "AVBelegstorno": DocumentKind.VOID,
    "AVBelegabbruch": DocumentKind.VOID,
    "AVBestellung": DocumentKind.KITCHEN,
    "AVRechnung": DocumentKind.PRE_BILL,
}


class Named(NamedTuple):
    """What the words name. `number`: of the transaction or invoice; `date` ISO and `time`: of its end, "" unknown.

    `short`: the number as it stands there; two tills of a shop may both have it, as each counts by itself.
    """

    scheme: str
    number: str
    date: str = ""
    time: str = ""
    kind: DocumentKind | None = None
    short: str = ""


class FiscalText:
    """Collects the words of one document."""

    __slots__ = ("_atcud", "_facts", "_is_tse", "_tw_number", "_tw_total", "_waiting")

    def __init__(self) -> None:
        self._facts: dict[str, str] = {}
        self._is_tse = False  # the word itself stands there
        self._waiting = ""  # a key whose value stands on the next line
        self._atcud = self._tw_number = ""
        self._tw_total = 0

    def add(self, text: str) -> None:
        """A trusted line as printed."""
        if self._waiting:
            self._take(self._waiting, text[:LINE_MAX].strip())
            self._waiting = ""
        if _begins(text):
            self._read(text[:LINE_MAX])

    def _read(self, text: str) -> None:
        self._is_tse = self._is_tse or "TSE" in text
        if found := _atcud(text):
            self._atcud = self._atcud or found[1]
        elif found := _tw_number(text):
            self._tw_number = self._tw_number or found[1].replace("-", "")
        elif found := _tw_sum(text):
            self._tw_total = int(found[1].replace(",", ""))
        elif found := _fact(text):
            if found["value"]:
                self._take(found["key"], found["value"].strip())
            else:
                self._waiting = found["key"]

    def _take(self, key: str, value: str) -> None:
        """One of Germany's facts, if the value has its form."""
        name = key[:3].casefold()  # tra, ta-, sig, ser, prü, sta, sto, end, vor
        forms = {"tra": _digits, "ta-": _digits, "sta": _moment, "sto": _moment, "end": _moment, "ser": _serial}
        if name == "sig":  # the counter's number, or the signature itself
            name, form = ("counter", _digits) if _digits(value) else ("check", _check)
        elif name == "prü":
            name, form = "check", _check
        elif name == "vor":
            self._facts.setdefault("kind", value)
            return
        else:
            form = forms[name]
        if form(value):
            self._facts.setdefault({"ta-": "tra", "sto": "end"}.get(name, name), value)

    # -- the end

    def named(self) -> Named | None:
        """What it names; None: nothing, or too little to be sure."""
        facts = self._facts
        if "tra" in facts and self._is_tse and len(facts.keys() - {"kind"}) >= SURE:
            date, time = _when(facts.get("end") or facts.get("sta", ""))
            serial = facts.get("ser", "")
            number = f"{serial[-12:].upper()}-{facts['tra']}" if serial else facts["tra"]
            kind = _KINDS.get(facts.get("kind", "").split("^")[0].strip())
            return Named("DE TSE", number, date, time, kind, facts["tra"])
        if self._atcud:
            return Named("PT ATCUD", self._atcud)
        return None

    def code(self) -> Fiscal | None:
        """The number and total that stand in words, as a code would have them."""
        if self._tw_number and self._tw_total:
            return Fiscal("TW e-invoice", "TWD", self._tw_number, self._tw_total * 100)
        return None


def _when(moment: str) -> tuple[str, str]:
    """Date and time as printed, "" where it is none. Most are in UTC, so the paper's own go before them."""
    found = _moment(moment)
    if not found:
        return "", ""
    try:
        return datetime.date.fromisoformat(found[1]).isoformat(), found[2]
    except ValueError:
        return "", ""
