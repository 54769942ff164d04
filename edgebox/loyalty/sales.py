"""What was sold, as the points rules see it, and which of its money earns.

Owns: `Sale`, `Basis`, and the earning amount. Never: rates, campaigns or points.

The reader finds the amount that was paid. What else a rule may ask for (the sum before discounts, a tip, a delivery
fee) is there only if the receipt names it. A part that is not named is nought; an amount that must be known and isn't
earns nothing, because a guess would print a promise that the cloud cannot keep.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from edgebox.model import Confidence, DocumentKind, Item, Receipt, Tender, TenderKind


class Amount(StrEnum):
    """Which amount of the receipt earns."""

    NET_PAID = "net_paid"
    SUBTOTAL = "subtotal"
    GROSS = "gross"


class Part(StrEnum):
    """What may be taken off the amount before it earns."""

    TIP = "tip"
    SERVICE = "service"
    DEPOSIT = "deposit"
    STORED_VALUE_TENDER = "stored_value_tender"
    POINTS_TENDER = "points_tender"
    DELIVERY = "delivery"


PAID_WITH = {Part.STORED_VALUE_TENDER: TenderKind.STORED, Part.POINTS_TENDER: TenderKind.POINTS}


class Sale(NamedTuple):
    """Amounts in minor units; None: the receipt doesn't say. `why`: the reader's words, if it does not `qualify`."""

    kind: DocumentKind
    net_minor: int | None
    qualifies: bool = True
    confidence: Confidence = Confidence.HIGH
    tenders: tuple[Tender, ...] = ()
    items: tuple[Item, ...] = ()
    subtotal_minor: int | None = None
    gross_minor: int | None = None
    tax_minor: int | None = None
    parts: Mapping[Part, int] = {}
    decimals: int = 2
    why: str = ""


class Basis(NamedTuple):
    """`with_tax` false: the tax is taken off. `subtract`: so are these, where the receipt names them."""

    amount: Amount = Amount.NET_PAID
    with_tax: bool = True
    subtract: frozenset[Part] = frozenset()


class Earning(NamedTuple):
    """The amount that earns, or why there is none. `taken`: part → what was taken off."""

    amount_minor: int | None
    why: str = ""
    taken: tuple[tuple[str, int], ...] = ()


def sale_of(receipt: Receipt) -> Sale:
    """A receipt as the rules see it."""
    taxes = receipt.details.taxes
    return Sale(
        kind=receipt.kind,
        net_minor=receipt.amount_minor,
        qualifies=receipt.qualifies,
        confidence=receipt.confidence,
        tenders=receipt.tenders,
        items=receipt.details.items,
        tax_minor=sum(tax.amount_minor for tax in taxes) if taxes else None,
        decimals=receipt.decimals,
        why=receipt.reasons[0] if receipt.reasons else "",
    )


def earning(sale: Sale, basis: Basis) -> Earning:
    """What of the sale earns. `why` is a stable word: no_amount, no_subtotal, no_gross, no_tax, or an unknown part."""
    amounts = {
        Amount.NET_PAID: (sale.net_minor, "no_amount"),
        Amount.SUBTOTAL: (sale.subtotal_minor, "no_subtotal"),
        Amount.GROSS: (sale.gross_minor, "no_gross"),
    }
    amount, why = amounts[basis.amount]
    if amount is None:
        return Earning(None, why)
    taken: list[tuple[str, int]] = []
    if not basis.with_tax:
        if sale.tax_minor is None:
            return Earning(None, "no_tax")
        taken.append(("tax", max(0, sale.tax_minor)))
    for part in sorted(basis.subtract):
        minor = _part(sale, part, amount)
        if minor is None:
            return Earning(None, f"no_{part.value}")
        if minor > 0:
            taken.append((part.value, minor))
    return Earning(max(0, amount - sum(minor for _, minor in taken)), "", tuple(taken))


# -- inside


def _part(sale: Sale, part: Part, amount: int) -> int | None:
    """How much of it there is; None: there is some, but the receipt doesn't say how much."""
    kind = PAID_WITH.get(part)
    if kind is None:
        return sale.parts.get(part, 0)
    amounts = [tender.amount_minor for tender in sale.tenders if tender.kind is kind]
    if not amounts:
        return 0
    if len(amounts) == len(sale.tenders):
        return amount  # nothing else was paid with
    known = [minor for minor in amounts if minor is not None]
    return sum(known) if len(known) == len(amounts) else None
