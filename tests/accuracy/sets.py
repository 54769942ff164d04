"""The receipts that accuracy is measured on: bytes, truth, and the shop's settings a person would have made.

Owns: finding and reading `../shared/corpus` beside the repository, and the split. Never: reads a receipt. A case's
`side` is decided by its company or layout alone: rules are made while looking at the `tuned` side only; the `held` side
is looked at as a number.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus"
PAID = "till.prints_after_payment=true"  # collections of paid receipts: their tills print no bills
SETTINGS: dict[str, tuple[str, ...]] = {
    "sroie": ("shop.currency=MYR", "shop.date_order=dmy", PAID),
    "zenodo_pt": ("shop.currency=EUR", "shop.decimal_mark=,.", "shop.group_marks=", "shop.date_order=dmy", PAID),
    "express_us": ("shop.currency=USD", "shop.date_order=mdy", PAID),
    "zh": ("shop.currency=CNY",),
    "zh_handmade": ("shop.currency=CNY",),
}


class Truth(NamedTuple):
    """What a document really is. `qualifies` None: a question of policy, not counted."""

    total_minor: int | None
    qualifies: bool | None
    kind: str
    alt_minor: int | None = None  # another amount that a shop's policy may prefer


class Case(NamedTuple):
    """One stream. `group` is its layout or variant."""

    set: str
    name: str
    group: str
    side: str
    raw: bytes
    truth: tuple[Truth, ...]
    settings: tuple[str, ...]
    hostile: tuple[tuple[int, int], ...] = ()  # where customers wrote what should mislead: offsets of `raw`
    is_slip: bool = False  # a card terminal's, which earns nothing though the truth calls it a receipt


def side(group: str) -> str:
    """`tuned` or `held`, three to one, by name alone."""
    return "held" if hashlib.sha256(group.casefold().encode()).digest()[5] & 3 == 3 else "tuned"


# Decided by the paper's text alone, not by the reader: words that only terminals print, and none that law or custom
# puts on a receipt. A terminal's part below a till's receipt is therefore no slip.
_of_terminals = re.compile(
    r"terminal\s+(de\s+)?pagamento|processado por sibs|redunicre|cardholder copy|merchant copy|\ba0{5,}\d+",
    re.IGNORECASE,
).search
_of_receipts = re.compile(
    r"fa(c)?tura|recibo|certificad|\biva\b|\btroco|\bvat\b|\bgst\b|\btax|sub-?\s?total|\bchange\b|\bqtd|\bqty",
    re.IGNORECASE,
).search


def is_card_slip(text: str) -> bool:
    """A card terminal's slip and nothing else."""
    return _of_terminals(text) is not None and _of_receipts(text) is None


def rows(path: Path) -> Iterator[dict[str, object]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def _minor(value: object) -> int | None:
    return None if value is None else round(float(str(value)) * 100)


def as_escpos(text: str) -> bytes:
    """Plain text as the plainest till would send it: UTF-8 lines, feed, cut."""
    lines = text.rstrip("\n").split("\n")
    return b"\x1b@" + b"".join(line.encode("utf-8") + b"\n" for line in lines) + b"\n\n\n\n\x1dV\x00"


def texts() -> Iterator[Case]:
    """`texts/<set>`: receipts as text, with the truth of people or of reviewed models."""
    for folder in sorted((CORPUS / "texts").iterdir()):
        for row in rows(folder / "truth.jsonl"):
            paper = folder / f"{row['id']}.txt"
            if row.get("n_in_text", 1) == 0 or not paper.exists():
                continue
            note = str(row.get("note", ""))
            if note and folder.name != "zh_handmade":
                continue
            kind = str(row.get("kind", "sale"))
            truth = Truth(_minor(row["total"]), bool(row.get("qualifies", True)), kind)
            company = str(row.get("company", row["id"]))
            text = paper.read_text("utf-8", "replace")
            yield Case(
                folder.name, str(row["id"]), company, side(company), as_escpos(text), (truth,),
                SETTINGS.get(folder.name, ()), is_slip=is_card_slip(text),
            )  # fmt: skip


def streams() -> Iterator[Case]:
    """`streams`: the same receipts as print streams of several libraries, with kitchen tickets, copies, pictures."""
    for row in rows(CORPUS / "streams" / "truth.jsonl"):
        documents: list[dict[str, object]] = row["docs"]  # type: ignore[assignment]
        truth = tuple(
            Truth(_minor(d["total"]), bool(d["qualifies"]) and bool(row["text_readable"]), str(d["kind"]))
            for d in documents
        )
        raw = (CORPUS / "streams" / str(row["file"])).read_bytes()
        source = str(row["source"])
        settings = SETTINGS.get(source, (f"shop.currency={row['currency']}",))
        yield Case(
            "streams", str(row["file"]), str(row["variant"]), side(str(row["source_id"])), raw, truth, settings,
            is_slip=is_card_slip(raw.decode("utf-8", "replace")),
        )  # fmt: skip


def chinese() -> Iterator[Case]:
    """`zh`: layouts of real tills with invented content, some with hostile customer text."""
    for row in rows(CORPUS / "zh" / "truth.jsonl"):
        qualifies = row["qualifies"]
        net, alt = row["net_minor"], row.get("alt_minor")
        truth = Truth(
            int(str(net)) if net is not None else None,
            None if qualifies is None else bool(qualifies),
            str(row["kind"]),
            int(str(alt)) if alt is not None else None,
        )
        raw = (CORPUS / "zh" / str(row["file"])).read_bytes()
        layout = str(row["layout"])
        name = Path(str(row["file"])).stem
        hostile = tuple((begin, end) for begin, end in row["hostile_zones"])  # type: ignore[attr-defined]
        yield Case("zh", name, layout, side(layout), raw, (truth,), SETTINGS["zh"], hostile)


def cases(*, strict: bool = False) -> list[Case]:
    """All of them; empty where the corpus is absent. `strict`: no till is said to print after payment only."""
    if not CORPUS.is_dir():
        return []
    found = [*texts(), *streams(), *chinese()]
    if strict:
        return [case._replace(settings=tuple(one for one in case.settings if one != PAID)) for case in found]
    return found
