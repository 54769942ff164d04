"""`python -m tests.accuracy.fields`: receipt numbers and printed dates, right, wrong or not found, by set and side.

Owns: comparing the fields of receipts with the corpus' truth. A number is right when it is the truth's, capitals and
blanks aside (or the second number that stands on the paper); a date, when it is that day.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from edgebox.captures import read_capture
from edgebox.config import load, load_lexicon
from edgebox.escpos.profile import PrinterProfile
from edgebox.receipt.money import AmountFinder
from edgebox.receipt.reader import ReceiptReader
from edgebox.settings import Config
from tests.accuracy.sets import CORPUS, SETTINGS, as_escpos, rows, side

LEXICON = load_lexicon()


class FieldCase(NamedTuple):
    """One paper. "": the truth doesn't say."""

    set: str
    name: str
    side: str
    raw: bytes
    numbers: tuple[str, ...]
    date: str


def chinese(every: int = 1) -> Iterator[FieldCase]:
    """The Chinese layouts: numbers and dates of all, where they are on the paper."""
    for row in list(rows(CORPUS / "zh" / "truth.jsonl"))[::every]:
        path = CORPUS / "zh" / str(row["file"])
        numbers = tuple(str(row[key]) for key in ("number", "number_alt") if row.get(key))
        yield FieldCase(
            "zh", path.stem, side(str(row["layout"])), path.read_bytes(), numbers, str(row["date"] or "")[:10]
        )


def texts(name: str, every: int = 1) -> Iterator[FieldCase]:
    """A set of texts: dates."""
    folder = CORPUS / "texts" / name
    for row in list(rows(folder / "truth.jsonl"))[::every]:
        path = folder / f"{row['id']}.txt"
        date = as_iso(str(row.get("date") or ""))
        if path.exists() and date:
            where = side(str(row.get("company", row["id"])))
            yield FieldCase(name, path.stem, where, as_escpos(path.read_text("utf-8", "replace")), (), date)


def as_iso(date: str) -> str:
    """`25/12/2018` (sroie writes the day first) or ISO; "" for anything else."""
    parts = date.replace("-", "/").split("/")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        return ""
    if len(parts[0]) == 4:
        return f"{parts[0]}-{int(parts[1]):02}-{int(parts[2]):02}"
    year = parts[2] if len(parts[2]) == 4 else f"20{parts[2]}"
    return f"{year}-{int(parts[1]):02}-{int(parts[0]):02}"


def verdicts(case: FieldCase, config: Config) -> dict[str, str]:
    """`number` and `date`: right, wrong or missing; a field without truth is left out."""
    shop = config.shop_of_reader()
    finder = AmountFinder(shop.convention)
    documents = read_capture(case.raw, PrinterProfile(), lambda: ReceiptReader(shop, LEXICON, finder))
    receipt = documents[0].receipt if documents else None
    out = {}
    if case.numbers:
        wanted = {number.upper().replace(" ", "") for number in case.numbers}
        out["number"] = _verdict(receipt.number if receipt else "", wanted)
    if case.date:
        out["date"] = _verdict(receipt.printed_date if receipt else "", {case.date})
    return out


def _verdict(found: str, wanted: set[str]) -> str:
    return "missing" if not found else "right" if found in wanted else "wrong"


def measured(cases: Iterator[FieldCase]) -> tuple[dict[tuple[str, str], Counter[str]], list[str]]:
    """Counts by (set and side, field), and what was not right, by name."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    worst: list[str] = []
    configs: dict[str, Config] = {}
    for case in cases:
        config = configs.setdefault(case.set, load(None, SETTINGS.get(case.set, ())))
        for field, verdict in verdicts(case, config).items():
            counts[f"{case.set} {case.side}", field][verdict] += 1
            if verdict != "right" and case.side == "tuned":
                worst.append(f"{case.set} {case.name} {field} {verdict}")
    return counts, worst


def all_cases(every: int = 1) -> Iterator[FieldCase]:
    """Every paper of the corpus with a truth for a field."""
    yield from chinese(every)
    for name in ("sroie", "zenodo_pt", "express_us"):
        yield from texts(name, every)


def main(arguments: list[str] | None = None) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy.fields", description="Numbers and dates.")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth paper")
    parser.add_argument("--worst", type=int, default=12, metavar="N", help="papers named")
    options = parser.parse_args(arguments)
    if not Path(CORPUS).is_dir():
        print("accuracy: no corpus beside the repository (../shared/corpus); nothing measured")
        return 0
    counts, worst = measured(all_cases(options.every))
    print(f"{'set and side':20} {'field':8} {'papers':>7} {'right':>6} {'wrong':>6} {'missing':>8}")
    for (name, field), found in sorted(counts.items()):
        total = sum(found.values())
        print(f"{name:20} {field:8} {total:7} {found['right']:6} {found['wrong']:6} {found['missing']:8}"
              f"   {100 * found['right'] / total:.1f} %")  # fmt: skip
    for line in worst[: options.worst]:
        print("  " + line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
