"""`make accuracy`: how many totals are right, wrong, or not given, and what earned that should not have.

Owns: reading every case as `edgebox read` would, and the tables. A total is *wrong* when it earns and is not the
truth's; an *abstention* is a receipt that should earn and does not (*card slips*, which the truth calls receipts, are
counted apart); a *false award* is a document that must not earn
and does. What differs from the truth only because the truth leaves cash rounding out, and is the truth's with
`shop.round_to_cash = false`, is *policy* and counted apart. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from edgebox.captures import read_capture
from edgebox.config import load, load_lexicon
from edgebox.escpos.profile import PrinterProfile
from edgebox.model import DocumentKind, Modifier, Receipt
from edgebox.receipt.money import AmountFinder
from edgebox.receipt.reader import ReceiptReader
from tests.accuracy.own import own_cases
from tests.accuracy.sets import Case, Truth, cases


class Found(NamedTuple):
    """What became of one document."""

    case: str
    set: str
    group: str
    side: str
    verdict: str  # right | wrong | abstained | card slip | false award | silent | policy
    truth: Truth
    total_minor: int | None
    kind: str
    reasons: tuple[str, ...]
    reprint: bool = False  # its total is read, and as a reprint it earns nothing new
    misled: bool = False  # it is read in another way without the hostile text


def read(batch: list[Case]) -> list[Found]:
    """Reads cases of the same settings."""
    config = load(None, batch[0].settings)
    shop, lexicon = config.shop_of_reader(), load_lexicon(config.shop.languages)
    exact = shop._replace(rules=shop.rules._replace(round_to_cash=False))
    finder = AmountFinder(shop.convention)
    out = []
    for case in batch:
        documents = read_capture(case.raw, PrinterProfile(), lambda: ReceiptReader(shop, lexicon, finder))
        misled = False
        if case.hostile:
            tame = read_capture(without_hostile(case), PrinterProfile(), lambda: ReceiptReader(shop, lexicon, finder))
            misled = [answer(found.receipt) for found in documents] != [answer(found.receipt) for found in tame]
        for number, truth in enumerate(case.truth):
            receipt = documents[number].receipt if number < len(documents) else None
            total = receipt.amount_minor if receipt is not None and receipt.qualifies else None
            kind, reasons = (receipt.kind.value, receipt.reasons) if receipt is not None else ("", ("not found",))
            name = case.name + (f"#{number + 1}" if len(case.truth) > 1 else "")
            again = receipt is not None and receipt.kind is DocumentKind.SALE and Modifier.REPRINT in receipt.modifiers
            if again and receipt is not None:
                total = receipt.amount_minor
            verdict = judge(truth, total) if not again or truth.qualifies else "silent"
            if verdict == "abstained" and case.is_slip:
                verdict = "card slip"
            if verdict == "wrong":
                unrounded = read_capture(case.raw, PrinterProfile(), lambda: ReceiptReader(exact, lexicon, finder))
                same = judge(truth, unrounded[number].receipt.amount_minor) == "right"
                verdict = "policy" if same else verdict
            out.append(
                Found(name, case.set, case.group, case.side, verdict, truth, total, kind, reasons, again, misled)
            )
        for receipt in (document.receipt for document in documents[len(case.truth) :]):
            if receipt.qualifies:
                extra = Truth(None, False, "no document")
                out.append(
                    Found(
                        case.name + "#extra", case.set, case.group, case.side, "false award", extra,
                        receipt.amount_minor, receipt.kind.value, receipt.reasons,
                    )
                )  # fmt: skip
    return out


_letters = re.compile(rb"\x1c.|[\r\n]|(.)", re.DOTALL).sub


def without_hostile(case: Case) -> bytes:
    """The stream with harmless letters where a customer wrote; line ends and the switches of character sets stay."""
    raw = bytearray(case.raw)
    for begin, end in case.hostile:
        raw[begin:end] = _letters(lambda match: b"x" if match[1] else match[0], case.raw[begin:end])
    return bytes(raw)


def answer(receipt: Receipt) -> tuple[object, ...]:
    """What a customer's text must not change."""
    total = receipt.amount_minor if receipt.qualifies else None
    return receipt.kind, receipt.modifiers, receipt.qualifies, total, receipt.number, receipt.tenders


def judge(truth: Truth, total: int | None) -> str:
    """One document's verdict."""
    if truth.qualifies is None:
        return "policy"
    if truth.qualifies and truth.total_minor:
        if total is None:
            return "abstained"
        return "right" if total in (truth.total_minor, truth.alt_minor) else "wrong"
    return "silent" if total is None else "false award"


def interval(hits: int, of: int) -> str:
    """Wilson's 95 % interval in percent."""
    if not of:
        return ""
    z, share = 1.96, hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return f"{100 * max(middle - half, 0):.1f}-{100 * min(middle + half, 1):.1f} %"


def table(title: str, rows: Iterable[tuple[str, Counter[str]]]) -> str:
    """A table of counts."""
    out = [f"\n{title:34} {'earning':>7} {'right':>6} {'wrong':>6} {'abst.':>6} {'slips':>5}  {'right, 95 %':17}"
           f" {'wrong, 95 %':15} {'not earning':>11} {'false':>6}"]  # fmt: skip
    for name, c in rows:
        earning = c["right"] + c["wrong"] + c["abstained"]
        out.append(
            f"{name[:34]:34} {earning:7} {c['right']:6} {c['wrong']:6} {c['abstained']:6} {c['card slip']:5}"
            f"  {interval(c['right'], earning):17} {interval(c['wrong'], earning):15}"
            f" {c['silent'] + c['false award']:11} {c['false award']:6}"
        )
    return "\n".join(out)


def counted(found: Iterable[Found], key: str) -> list[tuple[str, Counter[str]]]:
    """Verdicts by a field, or by set and side."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in found:
        name = f"{one.set} {one.side}" if key == "side" else f"{one.set} {one.group}"
        counts[name][one.verdict] += 1
    return sorted(counts.items())


def batches(all_cases: list[Case], size: int = 60) -> list[list[Case]]:
    """Cases of the same settings together."""
    by_settings: dict[tuple[str, ...], list[Case]] = defaultdict(list)
    for case in all_cases:
        by_settings[case.settings].append(case)
    return [cases_[i : i + size] for cases_ in by_settings.values() for i in range(0, len(cases_), size)]


def main(arguments: list[str] | None = None) -> int:
    """Reads everything and prints the tables; 1 when there is a false award."""
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy", description="Totals right, wrong, abstained.")
    parser.add_argument("--set", default="", help="only this set")
    parser.add_argument("--side", default="", choices=("", "tuned", "held", "own"))
    parser.add_argument("--groups", action="store_true", help="also by layout, variant or company")
    parser.add_argument("--worst", type=int, default=12, metavar="N", help="cases named, per kind of mistake")
    parser.add_argument("--strict", action="store_true", help="no till prints after payment only: proof is needed")
    options = parser.parse_args(arguments)
    listed = [*cases(strict=options.strict), *(() if options.strict else own_cases())]
    chosen = [c for c in listed if options.set in ("", c.set) and options.side in ("", c.side)]
    if not chosen:
        print("accuracy: nothing of that name to measure (the corpus is ../shared/corpus, beside the repository)")
        return 0
    began = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = [one for part in pool.map(read, batches(chosen)) for one in part]
    print(f"{len(chosen)} streams, {len(found)} documents, {time.monotonic() - began:.1f} s")
    print(table("set and side", counted(found, "side")))
    if options.groups:
        print(table("layout or variant", counted(found, "group")))
    print(f"\nreprints among them, whose total is judged though they earn nothing new: {sum(f.reprint for f in found)}")
    for verdict in ("false award", "wrong", "policy", "abstained"):
        named = [one for one in found if one.verdict == verdict and (one.side == "tuned" or verdict != "abstained")]
        named = [one for one in named if one.total_minor is not None or verdict != "policy"]
        print(f"\n{verdict}: {len(named) if verdict == 'policy' else sum(one.verdict == verdict for one in found)}")
        for one in named[: options.worst]:
            print(f"  {one.set} {one.case} [{one.side}] truth {one.truth.kind} {one.truth.total_minor}, "
                  f"read {one.kind} {one.total_minor}: {'; '.join(one.reasons)[:140]}")  # fmt: skip
    attacked = sum(bool(case.hostile) for case in chosen)
    misled = [one for one in found if one.misled]
    print(f"\nhostile remarks that change anything: {len(misled)} of {attacked}")
    for one in misled[: options.worst]:
        print(f"  {one.set} {one.case} [{one.side}] read {one.kind} {one.total_minor}: {'; '.join(one.reasons)[:140]}")
    return int(bool(misled) or any(one.verdict == "false award" for one in found))


if __name__ == "__main__":
    sys.exit(main())
