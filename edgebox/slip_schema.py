"""What may stand in a slip's file: its keys and blocks as types, with their limits and defaults.

Owns: names, types, limits and defaults. Never: what they mean (edgebox/slips/template.py), or how faults are told
(edgebox/slip_files.py). `config/slips/points.toml` shows the most of it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edgebox.model import DocumentKind, TenderKind
from edgebox.rules_schema import Window
from edgebox.slips.template import Placement, Purpose

BLOCKS_MAX = 60  # a slip of 60 blocks is a metre of paper
TEXT_MAX = 300

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Language = Literal["zh", "en"]
Wording = Annotated[str, Meta(max_length=TEXT_MAX)]
Text = Wording | dict[Language, Wording]
Count = Annotated[int, Meta(ge=0, le=10**9)]
Code = Annotated[str, Meta(min_length=1, max_length=32)]


class SlipTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Above the blocks."""

    name: Name
    purpose: Purpose
    languages: tuple[Language, ...] = ()
    placement: Placement = Placement.BEFORE_CUT
    priority: Annotated[int, Meta(ge=0, le=10_000)] = 100
    threshold_minor: Annotated[int, Meta(ge=0, le=10**9)] = 0
    pool: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{0,64}$")] = ""
    link: Annotated[str, Meta(max_length=TEXT_MAX)] = ""
    shadow: bool = False
    per_member_day: Annotated[int, Meta(ge=0, le=100)] = 0
    value_minor: Annotated[int, Meta(ge=0, le=10**8)] = 0  # four bytes in a comeback coupon's code
    valid_days: Annotated[int, Meta(ge=0, le=3660)] = 0


class WhenTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[when]"""

    kinds: tuple[DocumentKind, ...] = (DocumentKind.SALE,)
    min_minor: Count = 0
    max_minor: Count | None = None
    tenders: tuple[TenderKind, ...] = ()
    not_tenders: tuple[TenderKind, ...] = ()
    tiers: tuple[Code, ...] = ()
    segments: tuple[Code, ...] = ()
    staff: tuple[Code, ...] = ()
    tables: tuple[Code, ...] = ()
    lines: tuple[Code, ...] = ()
    needs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    window: Window = Window()


class LimitsTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[limits]"""

    mm: Annotated[int, Meta(ge=0, le=1000)] = 0
    narrow_mm: Annotated[int, Meta(ge=0, le=1000)] = 0
    bytes: Annotated[int, Meta(ge=0, le=1 << 20)] = 0
    wire_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0


class TextTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="text", tag_field="type"):
    """[[block]] type = "text", and each line of the others"""

    text: Text
    short: Text = ""
    once: bool = False
    align: Literal["left", "center", "right"] = "left"
    bold: bool = False
    size: Literal[1, 2] = 1
    given: str = ""


class LineTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a code's text."""

    text: Text
    short: Text = ""
    once: bool = False
    align: Literal["left", "center", "right"] = "center"
    bold: bool = False
    given: str = ""


class QrTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="qr", tag_field="type"):
    """[[block]] type = "qr" """

    data: Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
    caption: LineTable | None = None
    level: Literal["L", "M", "Q", "H"] = "M"
    given: str = ""


class QrBesideTable(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="qr_beside", tag_field="type"
):
    """[[block]] type = "qr_beside" """

    data: Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
    beside: Annotated[tuple[LineTable, ...], Meta(min_length=1, max_length=8)]
    above: Annotated[tuple[LineTable, ...], Meta(max_length=8)] = ()
    level: Literal["L", "M", "Q", "H"] = "M"
    given: str = ""


class BarcodeTable(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="barcode", tag_field="type"
):
    """[[block]] type = "barcode" """

    data: Annotated[str, Meta(min_length=1, max_length=80)]
    labelled: bool = True
    given: str = ""


class ColumnsTable(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="columns", tag_field="type"
):
    """[[block]] type = "columns" """

    left: Text = ""
    right: Text = ""
    each: str = ""
    bold: bool = False
    given: str = ""


class ImageTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="image", tag_field="type"):
    """[[block]] type = "image" """

    file: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.png$")]
    given: str = ""


class RuleTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="rule", tag_field="type"):
    """[[block]] type = "rule" """

    char: Annotated[str, Meta(pattern=r"^[!-~]$")] = "-"
    given: str = ""


class FeedTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="feed", tag_field="type"):
    """[[block]] type = "feed" """

    lines: Annotated[int, Meta(ge=1, le=20)] = 1
    given: str = ""


BlockTable = TextTable | QrTable | QrBesideTable | BarcodeTable | ColumnsTable | ImageTable | RuleTable | FeedTable
