"""Fiscal codes and profiles against what the labels say.

Owns: `with_fiscal` and `with_profile`: a decision made by labels and arithmetic, and what the law's code or a person
says about the same paper, become one decision. Never: text of the paper. Where two of them contradict, nothing is
known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgebox.model import Confidence, DocumentKind, format_minor
from edgebox.receipt.entries import Entry
from edgebox.receipt.fiscal import Fiscal
from edgebox.receipt.lexicon import Role
from edgebox.receipt.payments import VOUCHERS
from edgebox.receipt.profiles import Told
from edgebox.receipt.totals import Decision

_PRINTED = (Role.NET, Role.ROUNDED, Role.PAID, Role.SUM, Role.DUE)
_PARTS = (Role.SERVICE, Role.TIP, Role.ROUNDING)
_CASH_ROUNDING_MAX = 10  # minor units between a total and what is paid of it in coins


def of_shop(fiscal: Fiscal | None, currency: str) -> Fiscal | None:
    """The code, if it is in the shop's currency: another country's is somebody else's."""
    return fiscal if fiscal is not None and fiscal.currency == currency else None


def fiscal_kind(fiscal: Fiscal) -> DocumentKind | None:
    """What the code says besides a sale."""
    return fiscal.kind or (DocumentKind.REFUND if fiscal.cents < 0 else None)


def with_fiscal(decision: Decision, fiscal: Fiscal, entries: Sequence[Entry], decimals: int) -> Decision:
    """The code's total is exact; what is printed must not contradict it."""
    minor = fiscal.cents * 10**decimals // 100
    said = f"{fiscal.scheme} code says {format_minor(minor, decimals)}"
    if minor <= 0 or decision.minor == minor:
        confidence = Confidence.HIGH if minor > 0 else decision.confidence
        return decision._replace(confidence=confidence, reasons=(said, *decision.reasons))
    printed = {entry.minor for entry in entries if entry.role in _PRINTED and entry.minor > 0}
    if decision.minor is None:
        if not (decision.paid or fiscal.paid):
            return decision
        if minor in printed or not printed:
            return Decision(minor, Confidence.HIGH, (said,), True)
        return Decision(None, Confidence.LOW, (f"{said}, which is printed nowhere", *decision.reasons), True)
    if minor in printed and abs(minor - decision.minor) in _explained(entries):
        return decision._replace(reasons=(*decision.reasons, said))
    if minor in printed and decision.confidence is not Confidence.HIGH:
        return Decision(minor, Confidence.HIGH, (said, *decision.reasons), True)
    return Decision(None, Confidence.LOW, (f"{said}, the paper {format_minor(decision.minor, decimals)}",), True)


def _explained(entries: Iterable[Entry]) -> set[int]:
    """Differences that rounding, vouchers, service and tips make between a gross total and what earns."""
    listed = list(entries)
    parts = [abs(entry.minor) for entry in listed if entry.role in _PARTS]
    vouchers = [abs(entry.minor) for entry in listed if entry.tender in VOUCHERS]
    return {*parts, *vouchers, sum(parts), sum(vouchers), *range(1, _CASH_ROUNDING_MAX + 1)}


def with_profile(decision: Decision, told: Told, decimals: int) -> Decision:
    """A person has shown where the total stands. Where arithmetic proves another one, nothing is known."""
    if told.refusal:
        return Decision(None, Confidence.LOW, (told.refusal,), decision.paid)
    if len(told.totals) != 1 or told.totals[0] <= 0:
        return decision
    minor = told.totals[0]
    said = f"its profile's total is {format_minor(minor, decimals)}"
    if decision.minor == minor:
        return decision._replace(confidence=Confidence.HIGH, reasons=(said, *decision.reasons))
    if decision.confidence is Confidence.HIGH:
        other = format_minor(decision.minor or 0, decimals)
        return Decision(None, Confidence.LOW, (f"{said}, but arithmetic says {other}",), True)
    if not decision.paid:
        return Decision(None, Confidence.LOW, (f"{said}, but nothing says that it is paid",))
    return Decision(minor, Confidence.HIGH, (said,), True)
