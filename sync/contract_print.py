"""What the fleet may have printed: papers, tickets of online orders, notices of payment. Their arguments and result.

Owns: the shapes and limits, so that a bad one is refused with its reason before anything is kept. Never: what they look
like on paper (edgebox/print_jobs), or who may send them (contract_commands.py).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sync.contract_content import BlockSpec, Minor, Printed, Seconds, Word


class _Shape(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """As in contract_commands.py."""


class _Args(_Shape, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Likewise: a field that the box doesn't know may be the one that mattered."""


JobId = Annotated[str, Meta(pattern=r"^$|^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]
AnyLine = Annotated[str, Meta(pattern=r"^$|^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")]
Priority = Literal["urgent", "normal", "low"]
Again = Literal["no", "copy"]
Copies = Annotated[int, Meta(ge=1, le=9)]
RAW_CHARS = 4 * (64 << 10) // 3 + 8  # base64 of what edgebox/print_jobs/raw.py takes


class _PaperArgs(_Args, frozen=True, kw_only=True):
    """What papers have in common. `line` "": the desk's, or the first. `expires_at` 0: when the command expires.

    `again`: what becomes of it where nobody can know whether it was printed (a power cut in the middle): "no": it
    fails as `unknown`; "copy": it is printed once more with COPY on it.
    """

    line: AnyLine = ""
    copies: Copies = 1
    expires_at: Seconds = 0
    priority: Priority = "normal"
    again: Again = "no"


class PrintArgs(_PaperArgs, frozen=True, kw_only=True):
    """A paper of its own between the till's documents: `blocks`, or `raw` ESC/POS in base64.

    `job_id`: one is printed once, also if another command brings it; "": the command's own id.
    """

    job_id: JobId = ""
    blocks: Annotated[tuple[BlockSpec, ...], Meta(max_length=64)] = ()
    raw: Annotated[str, Meta(max_length=RAW_CHARS, pattern=r"^[A-Za-z0-9+/]*={0,2}$")] = ""
    cut: bool = True

    def __post_init__(self) -> None:
        if bool(self.blocks) == bool(self.raw):
            raise ValueError("expected blocks, or raw")


class OrderItem(_Args, frozen=True, kw_only=True):
    """A line of an order. `options`: as chosen from the menu, never a customer's own words."""

    name: Printed
    count: Annotated[int, Meta(ge=1, le=9999)] = 1
    options: Printed = ""


class OrderArgs(_PaperArgs, frozen=True, kw_only=True):
    """A ticket for an online order, once for each `order` and `revision`; a later revision is marked as changed.

    `kitchen`: without amount and payment code. `pay_url`: its QR code; `due`: when it is wanted, in words.
    """

    order: Word
    revision: Annotated[int, Meta(ge=1, le=10_000)] = 1
    number: Printed
    title: Printed = ""
    table: Printed = ""
    pick_up: Printed = ""
    due: Printed = ""
    items: Annotated[tuple[OrderItem, ...], Meta(min_length=1, max_length=100)]
    amount_minor: Minor = 0
    pay_url: Annotated[str, Meta(max_length=300, pattern=r"^$|^[\x21-\x7e]+$")] = ""
    kitchen: bool = False
    priority: Priority = "urgent"
    again: Again = "copy"


class OrderPaidArgs(_PaperArgs, frozen=True, kw_only=True):
    """A short notice that an order was paid, once for each `order` and `payment`."""

    order: Word
    payment: JobId = ""
    number: Printed
    amount_minor: Minor = 0
    tender: Printed = ""
    priority: Priority = "urgent"
    again: Again = "copy"


class PrintCancelArgs(_Args, frozen=True, kw_only=True):
    """Which: `job` as `job_id` of print, or `order` (all that waits of it)."""

    job: JobId = ""
    order: JobId = ""

    def __post_init__(self) -> None:
        if bool(self.job) == bool(self.order):
            raise ValueError("expected job, or order")


class PaperResult(_Shape, frozen=True, kw_only=True):
    """How far it came: `printing`, `sent` (the printer has taken it) or `printed` (the printer said so).

    `job`: its job_id or order; `is_copy`: it was printed with COPY on it, for it may have been out before.
    """

    line: str
    phase: str
    job: str = ""
    copies: int = 1
    is_copy: bool = False
