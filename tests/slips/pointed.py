"""The shipped points slip for one claim, as the engine composes it."""

from typing import NamedTuple

from edgebox.escpos.compose import Body, Press
from edgebox.slip_files import SHIPPED, load_slip
from edgebox.slips.facts import Money, facts, host_of
from edgebox.slips.strip import Chosen, Means, composed, remembered

TEMPLATE = load_slip(SHIPPED / "points.toml")
WIDE_MM, NARROW_MM = TEMPLATE.limits.mm, TEMPLATE.limits.narrow_mm
__all__ = ["NARROW_MM", "WIDE_MM", "Offer", "Settings", "host_of", "points_slip"]


class Offer(NamedTuple):
    url: str
    points: int
    amount_minor: int
    currency: str
    decimals: int = 2
    hours: int = 72


class Settings(NamedTuple):
    languages: tuple[str, ...] = ("zh",)
    max_bytes: int = 0
    max_wire_ms: int = 0


def points_slip(offer: Offer, press: Press, settings: Settings = Settings()) -> Body:  # noqa: B008  # immutable
    amount = Money(offer.amount_minor, offer.currency, offer.decimals)
    said = facts(
        {
            "url": offer.url,
            "host": host_of(offer.url),
            "points": str(offer.points),
            "hours": str(offer.hours or ""),
            "amount": amount,
        }
    )
    means = Means(settings.languages, max_bytes=settings.max_bytes, max_wire_ms=settings.max_wire_ms)
    return composed(Chosen(TEMPLATE, said), press._replace(matrix=remembered(press.matrix)), means)
