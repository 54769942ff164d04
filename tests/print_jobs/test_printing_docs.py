"""docs/printing.md says what the code does: each argument, reason and state; its examples are good commands."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from edgebox.escpos.parser import Command, Parser
from edgebox.line.insertion import fault_of
from edgebox.print_jobs import print_jobs, raw, sheets
from sync.contract_print import OrderArgs, OrderItem, OrderPaidArgs, PrintArgs, PrintCancelArgs

DOCS = (Path(__file__).parents[2] / "docs" / "printing.md").read_text("utf-8")
SOURCES = Path(sheets.__file__).parent


def section(title: str) -> str:
    return DOCS.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize(
    ("kind", "title"),
    [(PrintArgs, "`print`"), (OrderArgs, "`order`, `order.paid`"), (OrderPaidArgs, "`order`, `order.paid`"),
     (OrderItem, "`order`, `order.paid`"), (PrintCancelArgs, "`print.cancel`, `cancel`")],
)  # fmt: skip
def test_each_argument_is_explained(kind: type[msgspec.Struct], title: str) -> None:
    told = set(re.findall(r"`(\w+)`", section(title)))
    assert {field.encode_name for field in msgspec.structs.fields(kind)} <= told


def test_each_reason_is_explained() -> None:
    source = "".join(path.read_text("utf-8") for path in SOURCES.glob("*.py"))
    found = set(re.findall(r'reason="(\w+)"', source)) | set(raw._REASONS.values())
    found |= set(re.findall(r'_end\([^"]*State\.\w+, "(\w+)"', source)) | set(re.findall(r'_refused\("(\w+)"', source))
    assert len(found) > 25
    assert {reason for reason in found if f"`{reason}`" not in DOCS and reason != "no_such_job"} - {"expired"} == set()


def test_the_numbers_are_the_codes_own() -> None:
    for text in (
        f"more than {sheets.PAPER_MM} mm of paper, or {sheets.ALL_MM} mm", f"{print_jobs.QUEUE_MAX} jobs",
        f"{raw.RAW_MAX >> 10} KB", f"last {print_jobs.REMEMBERED:,} jobs", f"up to {print_jobs.REMEMBERED_MAX:,}",
    ):  # fmt: skip
        assert text in DOCS


def test_the_examples_are_good_arguments() -> None:
    examples = re.findall(r"^    (\{.*?\})$\n\n", DOCS, re.MULTILINE | re.DOTALL)
    kinds: list[type[msgspec.Struct]] = [PrintArgs, OrderArgs, OrderPaidArgs]
    assert len(examples) == len(kinds)
    for text, kind in zip(examples, kinds, strict=True):
        msgspec.json.decode(text, type=kind)


def test_what_is_said_to_be_allowed_is() -> None:
    for introducer, letters in ((b"\x1b", "a ! E M - G 2 3 d J $ \\ *"), (b"\x1d", "! B h w H f k v"),
                                (b"\x1c", "& . ! - S W")):  # fmt: skip
        for letter in letters.split():
            first = b"\x04A" if letter == "k" else b"0\x01"
            data = introducer + letter.encode() + first + b"\x00\x01\x00\x00\x00\x00"
            command = next(event for event in Parser().feed(data) if isinstance(event, Command))
            assert fault_of(command) == "", command.name
