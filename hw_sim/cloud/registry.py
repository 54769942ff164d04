"""Who is who: shops with their rules, boxes with their names and numbers, and the keys that follow from them.

Owns: what the cloud knows of shops and boxes before any of them speaks. Masters lie in the cloud's folder, mode 0600
(hw_sim/cloud_keys.py); a box's keys are derived when a claim is checked, never stored.

A box may sign ahead for 35 days and a claim lives for hours or days after its epoch, so the keyring to verify with
reaches from the oldest claim that can still be good to the newest key a box can have.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from edgebox.loyalty import derivation
from edgebox.loyalty.claims import LIFETIME_S, SKEW_S
from edgebox.loyalty.keyring import Keyring
from hw_sim.cloud.verdict import Policy
from hw_sim.cloud_keys import DAYS_AHEAD, DEFAULT_PREFIX, EPOCH_S, keyring, master

BOXES_MAX = 100_000  # of one stand-in; a record is below 1 KB


class Shop(NamedTuple):
    """One shop. `number`: as in its claims' tokens; `spend_per_point`: minor units. Its campaigns give at most so many
    times the points of the rate, and so many besides."""

    number: int
    name: str = ""
    currency: str = "CNY"
    decimals: int = 2
    spend_per_point: int = 100
    lifetime_s: int = LIFETIME_S
    prefix: str = DEFAULT_PREFIX
    policy: Policy = Policy()
    campaign_times: int = 10
    campaign_bonus: int = 1000

    def points_max(self, amount_minor: int) -> int:
        """More than this no slip of this shop ever promised."""
        return amount_minor // self.spend_per_point * self.campaign_times + self.campaign_bonus


class Place(NamedTuple):
    """A box's names in topics."""

    tenant: str
    store: str
    box: str


class Box(NamedTuple):
    """One box. `device`: its number in tokens."""

    place: Place
    shop: Shop
    device: int

    @property
    def name(self) -> str:
        """Unique among all boxes."""
        return self.place.box


class Registry:
    """All shops and boxes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.boxes: dict[str, Box] = {}
        self._by_number: dict[tuple[int, int], Box] = {}
        self._shops: dict[int, Shop] = {}

    def enroll(self, place: Place, shop: Shop, device: int) -> Box:
        """Takes a box in. ValueError: the name or the device's number is another box's."""
        box = Box(place, shop, device)
        other = self._by_number.get((shop.number, device))
        if self.boxes.get(place.box, box) != box or (other is not None and other != box):
            raise ValueError(f"{place.box}: name or device {device} of shop {shop.number} is taken")
        if len(self.boxes) >= BOXES_MAX:
            raise ValueError(f"more than {BOXES_MAX} boxes")
        self.boxes[place.box] = self._by_number[shop.number, device] = box
        self._shops[shop.number] = shop
        return box

    def shop(self, number: int) -> Shop | None:
        """The shop that tokens call `number`."""
        return self._shops.get(number)

    def box_of(self, store: int, device: int) -> Box | None:
        """The box that tokens call so."""
        return self._by_number.get((store, device))

    def epoch_key(self, box: Box, epoch: int) -> bytes:
        """The key of one epoch of this box, by its index."""
        return derivation.epoch_key(master(self.folder, box.shop.number), box.shop.number, box.device, epoch)

    def keys(self, box: Box, now: int) -> Keyring:
        """What verifies the claims of `box` at `now` (seconds since 1970)."""
        past_s = box.shop.lifetime_s + SKEW_S + EPOCH_S
        secret = master(self.folder, box.shop.number)
        first = max(0, now - past_s)
        days = DAYS_AHEAD + -(-(now - first) // 86400)
        return keyring(secret, box.shop.number, box.device, first, prefix=box.shop.prefix, days=days)
