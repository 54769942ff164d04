"""Why a receipt has its total, its points or none: what the record says, as keys with values.

Owns: the table from the record's words to keys, and `explain`. Pure. Never: a sentence for people: the page has those
for each key, in its languages. What the table doesn't know comes as `said`, with its words: nothing is left out.

The record's words are English and made by edgebox/receipt and edgebox/loyalty; tests hold the table to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from edgebox.model import Modifier
from edgebox.reports.whole import Whole
from edgebox.store.events import CorrectionState

_A = r"(-?[\d.,]+)"  # an amount


class Reason(NamedTuple):
    """`topic`: kind, total, number, points, slip, check; `key`: for the page's words; `values`: what to put into them,
    texts that may have stood on a paper; `grade`: "good", "", "bad"."""

    topic: str
    key: str
    values: Mapping[str, str]
    grade: str = ""


# Words of a reason → key, names of its groups, grade.
_TABLE: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    (rf"tendered {_A} - change {_A} = {_A}", "tendered_less_change", ("paid", "change", "total"), "good"),
    (r"by its label", "by_label", (), ""),
    (r"it says that it is paid", "says_paid", (), "good"),
    (r"an amount is printed as paid", "paid_amount", (), "good"),
    (r"it names how it was paid", "names_tender", (), "good"),
    (r"this till prints after payment", "prints_after", (), "good"),
    (r"change is printed", "change_printed", (), "good"),
    (rf"the items add up to {_A}", "items_add_up", ("total",), "good"),
    (rf"the table of taxes adds up to {_A}", "taxes_add_up", ("total",), "good"),
    (rf"{_A} becomes {_A} by what is printed between", "becomes", ("gross", "total"), "good"),
    (rf"{_A} becomes {_A} by the tip that is printed behind it", "tip_added", ("total", "tipped"), "bad"),
    (rf"{_A} \+ change {_A} = {_A}, a round sum", "round_sum", ("total", "change", "given"), "good"),
    (rf"{_A} was handed over", "handed_over", ("given",), ""),
    (rf"before cash rounding {_A}", "before_rounding", ("exact",), ""),
    (rf"less service {_A}", "less_service", ("service",), ""),
    (r"the only amount on the paper", "only_amount", (), ""),
    (r"the lines for tip and total are blank", "tip_blank", (), ""),
    (rf"its profile's total is {_A}", "profile_total", ("total",), "good"),
    (rf"its profile's total is {_A}, but arithmetic says {_A}", "profile_contradicted", ("total", "other"), "bad"),
    (rf"its profile's total is {_A}, but nothing says that it is paid", "profile_unpaid", ("total",), "bad"),
    (rf"(\S+) code says {_A}", "code_says", ("scheme", "total"), "good"),
    (rf"(\S+) code says {_A}, which is printed nowhere", "code_unprinted", ("scheme", "total"), "bad"),
    (rf"(\S+) code says {_A}, the paper {_A}", "code_contradicts", ("scheme", "total", "paper"), "bad"),
    (r"its fiscal codes contradict each other", "codes_contradict", (), "bad"),
    (r"no total found", "no_total", (), "bad"),
    (r"totals disagree", "totals_disagree", (), "bad"),
    (r"rival totals (.+)", "rival_totals", ("totals",), "bad"),
    (r"nothing says that it is paid", "unpaid", (), "bad"),
    (r"says that it is not paid", "says_unpaid", (), "bad"),
    (r"nothing to pay", "nothing_to_pay", (), "bad"),
    (r"paid with vouchers alone", "vouchers_alone", (), "bad"),
    (r"the payment matches no total", "payment_no_total", (), "bad"),
    (r"the payment matches another total than the last", "payment_other_total", (), "bad"),
    (r"items follow the total", "items_follow", (), "bad"),
    (r"a remark may have been taken for the total", "remark_total", (), "bad"),
    (r"a remark may be among the totals", "remark_among", (), "bad"),
    (r"only a remark may say that it is paid", "remark_paid", (), "bad"),
    (r"only a line that may be somebody's words says that it is paid", "words_paid", (), "bad"),
    (r"only a line among the items says that it is paid", "item_paid", (), "bad"),
    (r"in a layout that this till has not printed before", "new_layout", (), "bad"),
    (r"a reprint earns nothing new", "reprint", (), ""),
    (r"(?:line \d+|.{1,60}) says ([a-z ]+)", "says_kind", ("kind",), ""),
    (r"a word of its profile says ([a-z ]+)", "profile_kind", ("kind",), ""),
    (r"its totals are negative", "negative", (), ""),
    (r"money was put on a card", "topup", (), ""),
    (r"raster: (.+)", "picture", ("words",), "bad"),
    (r"its letters can't be read: code page\?", "garbled", (), "bad"),
    (r"more than (\d+) lines", "too_long", ("lines",), "bad"),
    (r"bytes are missing", "gap", (), "bad"),
    (r"rebuilt", "rebuilt", (), ""),
    (r"an? ([a-z-]+) earns nothing", "kind_earns_not", ("kind",), ""),
    (r"([a-z]+) earns elsewhere", "earns_elsewhere", ("tender",), ""),
    (r"not sure of the total", "unsure", (), "bad"),
    (r"no proof of payment", "unpaid", (), "bad"),
    (r"not known how it was paid", "unknown_tender", (), "bad"),
    (r"the amount that earns can't be known: (.*)", "amount_unknown", ("words",), "bad"),
    (rf"{_A}(?: [A-Z]{{3}})? is below the minimum of {_A}(?: [A-Z]{{3}})?", "below_minimum", ("amount", "least"), ""),
    (rf"{_A}(?: [A-Z]{{3}})? is above the maximum of {_A}(?: [A-Z]{{3}})?", "above_maximum", ("amount", "most"), "bad"),
    (r"no keys", "no_keys", (), "bad"),
    (r"no printed number or date", "no_number", (), "bad"),
    (r"a reprint of a receipt not seen today", "reprint_unseen", (), ""),
    (r"its slip was printed before", "printed_before", (), ""),
    (r"its slip is in shadow mode", "shadow", (), ""),
    (r"no slip with a claim was due", "no_slip_due", (), ""),
    (r"no slip may go in here", "no_place", (), "bad"),
    (r"slips are off on this line", "slips_off", (), "bad"),
)
_RULES = tuple((re.compile(words).fullmatch, key, names, grade) for words, key, names, grade in _TABLE)
KEYS = frozenset(
    {key for _, key, _, _ in _TABLE}
    | {"said", "qualifies", "qualifies_not", "points", "pending", "flagged", "corrected", "requested", "claim"}
    | {"slip_printed", "slip_not_printed", "z_equal", "z_differs", "reprint_mark", "copy_mark", "split_mark", "profile"}
)


def read(topic: str, words: str) -> Iterator[Reason]:
    """A record's reason, taken apart: it may hold several."""
    for match, key, names, grade in _RULES:
        found = match(words)
        if found is not None:
            yield Reason(topic, key, dict(zip(names, found.groups(), strict=True)), grade)
            return
    if "; " in words:
        for part in words.split("; "):
            yield from read(topic, part)
        return
    yield Reason(topic, "said", {"words": words})


def explain(whole: Whole) -> tuple[Reason, ...]:
    """All of it, what decided first."""
    record = whole.record
    out = [reason for words in record.reasons for reason in read("total", words)]
    out += [Reason("kind", f"{modifier}_mark", {}) for modifier in record.modifiers if modifier in _MARKS]
    if record.profile:
        out.append(Reason("total", "profile", {"name": record.profile}))
    for one in whole.corrections:
        key = "corrected" if one.state is CorrectionState.APPLIED else "requested"
        values = {"minor": str(one.amount_minor), "who": one.who, "at": str(one.at), "words": one.reason}
        out.append(Reason("total", key, values))
    out += _of_points(whole)
    if record.z_check:
        key = "z_equal" if record.z_equal else "z_differs"
        out.append(Reason("check", key, {"words": record.z_check}, "good" if record.z_equal else "bad"))
    return tuple(out)


_MARKS = frozenset(Modifier)


def _of_points(whole: Whole) -> Iterator[Reason]:
    record = whole.record
    yield Reason("points", "qualifies" if record.qualifies else "qualifies_not", {"confidence": record.confidence})
    if record.why:
        yield from read("points", record.why)
    if record.claim:
        yield Reason("points", "points", {"points": str(record.points)}, "good")
    if whole.claim is not None:
        yield Reason("points", "claim", {"state": whole.claim.state, "minor": str(whole.claim.amount_minor)})
    yield from (Reason("points", key, {}) for key in ("pending", "flagged") if getattr(record, key))
    if record.result == "inserted":
        yield Reason("slip", "slip_printed", {"mm": str(record.slip_mm), "hold_us": str(record.hold_us)}, "good")
    elif record.result_reason:
        yield Reason("slip", "slip_not_printed", {"result": record.result, "words": record.result_reason})
