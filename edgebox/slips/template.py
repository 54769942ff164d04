"""What a slip's template is made of: blocks of words with `{fields}`, codes and pictures, and when it is printed.

Owns: the types. Never: reads a file (template_file.py makes these from a table), fills a field in (wording.py), or
decides whether a slip is printed (choice.py).

A text has its words in several languages, and may have a shorter wording for paper or wire that is short. Everything
about one receipt comes in fields (facts.py); what may stand where is checked when the template is loaded, so that no
receipt ever meets a template with a fault in it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from edgebox.escpos.blocks import Align
from edgebox.loyalty.windows import ALWAYS, Window
from edgebox.model import DocumentKind, TenderKind

ANY = ""  # words for every language: a host name, a number


class Purpose(StrEnum):
    """What a slip is for. It says which fields its texts may name (facts.FIELDS), and who fills them."""

    CLAIM = "claim"  # the points QR
    INVOICE = "invoice"  # scan to ask for an invoice
    SOURCE = "source"  # a parametric code of a clerk, table or campaign, from a pool
    PAYMENT = "payment"  # pay this pre-bill
    PROMOTION = "promotion"  # spend so much more for …
    COUPON = "coupon"  # a code from a pool that the cloud filled
    COMEBACK = "comeback"  # a coupon signed by the box itself
    LINK = "link"  # share, partner, Wi-Fi, work contact: the same code for everybody
    REDEMPTION = "redemption"
    REFUSAL = "refusal"  # why a code was not redeemed
    PICK_UP = "pick_up"
    MALL = "mall"  # something was given for points
    MEMBER = "member"  # who the scanned code is
    PRICES = "prices"  # what the mall asks for its goods now
    INVOICE_TITLE = "invoice_title"  # what became of the title that a customer showed for an invoice
    TALLY = "tally"
    Z_CHECK = "z_check"
    ORDER = "order"  # an online order's ticket
    ORDER_PAID = "order_paid"  # and the notice of its payment
    PAIRING = "pairing"  # the way to the managers' page, for whoever holds the paper


class Placement(StrEnum):
    """Where it goes: on the receipt before its cut, or as a slip of its own behind it."""

    BEFORE_CUT = "before_cut"
    OWN_SLIP = "own_slip"


class Words(NamedTuple):
    """One text. `full` and `short`: language → text with fields; ANY for all languages. No short: as full.

    `once`: several languages on one slip say it in the first one only.
    """

    full: tuple[tuple[str, str], ...]
    short: tuple[tuple[str, str], ...] = ()
    once: bool = False

    def said(self, language: str, *, is_short: bool = False) -> str:
        """The wording in a language; "" if there is none."""
        known = dict(self.short if is_short and self.short else self.full)
        return known.get(language, known.get(ANY, ""))


class TextBlock(NamedTuple):
    """A line of text. `given`: only when this field has a value."""

    words: Words
    align: Align = Align.LEFT
    bold: bool = False
    size: int = 1
    given: str = ""


class QrBlock(NamedTuple):
    """A QR code with a line below it."""

    data: str
    caption: TextBlock | None = None
    level: str = "M"
    given: str = ""


class QrBesideBlock(NamedTuple):
    """The compact form: text beside the code where it goes as dots, above it where the printer makes it."""

    data: str
    beside: tuple[TextBlock, ...]
    above: tuple[TextBlock, ...]
    level: str = "M"
    given: str = ""


class BarcodeBlock(NamedTuple):
    """A Code 128, as dots: the till's bar code settings stay as they are. Its text below, if `labelled`."""

    data: str
    labelled: bool = True
    given: str = ""


class ColumnsBlock(NamedTuple):
    """Left and right on one line. `each`: one line for every row of a list, whose fields are `left` and `right`."""

    left: Words
    right: Words
    bold: bool = False
    each: str = ""
    given: str = ""


class ImageBlock(NamedTuple):
    """A picture that was loaded with the template, by name."""

    name: str
    given: str = ""


class RuleBlock(NamedTuple):
    """A line across the paper."""

    char: str = "-"
    given: str = ""


class FeedBlock(NamedTuple):
    """Blank lines."""

    lines: int = 1
    given: str = ""


TemplateBlock = TextBlock | QrBlock | QrBesideBlock | BarcodeBlock | ColumnsBlock | ImageBlock | RuleBlock | FeedBlock


class Conditions(NamedTuple):
    """When it is printed; an empty set means any. `needs` and `unless`: fields that must have, or not have, a value."""

    kinds: frozenset[DocumentKind] = frozenset({DocumentKind.SALE})
    min_minor: int = 0
    max_minor: int | None = None
    tenders: frozenset[TenderKind] = frozenset()
    not_tenders: frozenset[TenderKind] = frozenset()
    tiers: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    staff: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
    lines: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()
    window: Window = ALWAYS


class Limits(NamedTuple):
    """The most that this slip may take; 0: only the shop's own limits."""

    mm: int = 0
    narrow_mm: int = 0  # on 58 mm paper
    bytes: int = 0
    wire_ms: int = 0


class Template(NamedTuple):
    """One slip. `threshold_minor`: what a promotion asks for. `pool`: where codes come from. `shadow`: decide, record,
    print nothing. `per_member_day`: how often one member gets it in a day, 0: always. `link`: of a LINK's code.
    `value_minor`, `valid_days`: of a comeback coupon."""

    name: str
    purpose: Purpose
    blocks: tuple[TemplateBlock, ...]
    languages: tuple[str, ...] = ()
    placement: Placement = Placement.BEFORE_CUT
    priority: int = 100
    conditions: Conditions = Conditions()
    limits: Limits = Limits()
    threshold_minor: int = 0
    pool: str = ""
    link: str = ""
    shadow: bool = False
    per_member_day: int = 0
    value_minor: int = 0
    valid_days: int = 0
    images: tuple[str, ...] = ()
