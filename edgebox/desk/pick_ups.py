"""Orders that lie ready (自提): a code or an order's number is shown, the order is handed out once, a slip says where
it lies.

Owns: the list in force, which of its orders a code means, and whether it is to be had here and today. Never: makes sure
that it is handed out once, numbers or prints it: that is the counter's (an order handed out is a redemption whose
source is `pick_up`), and with it come the commit before the slip, the COPY mark, the way back and the tally.

The list is the cloud's, signed, and works without it. Which box of a shop hands an order out is in the list, for two
boxes that can't ask each other would both do so: the one it names, without asking; or, with "*", any of them after
asking the cloud, and none without it.

With a clock that can't be trusted the day isn't judged: who has the code has paid, and once is once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple, Protocol

from edgebox.desk.answers import Answer
from edgebox.desk.codes import SCAN_MAX, Codes, Read
from edgebox.desk.redemption import Source, Worth
from edgebox.scan.codes import is_private
from edgebox.store import pick_ups
from edgebox.store.pick_ups import KEEP_DAYS, Order
from edgebox.store.store import Store

COUPON = "pick_up"  # of all orders, in records and tally
ASK = "*"  # in place of a box's name: the cloud is asked each time
Hash = Callable[[str, str], str]  # a kind and a text → the keyed hash


class Spec(Protocol):
    """As sync.contract_content.PickUpSpec."""

    @property
    def code(self) -> str: ...
    @property
    def number(self) -> str: ...
    @property
    def shelf(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def day(self) -> str: ...
    @property
    def until(self) -> str: ...
    @property
    def box(self) -> str: ...


class Found(NamedTuple):
    """What a code means here. `detail`: figures for a refusal; `order` None: none of the list's."""

    read: Read
    detail: str = ""
    order: Order | None = None


class PickUps:
    """`box`: this one's name in lists."""

    def __init__(self, box: str) -> None:
        self._box = box
        self._revision = 0
        self._orders: dict[str, Order] = {}  # by the code under which each is recorded; also of earlier lists
        self._numbers: dict[str, list[Order]] = {}
        self._store: Store | None = None

    # -- the list

    async def open(self, store: Store) -> None:
        """The list of the last run; the fleet's orders put theirs in its place. StoreError."""
        self._store = store
        self._take(await store.read(pick_ups.all_orders))

    async def use(self, revision: int, specs: Iterable[Spec], box: str, hash_of: Hash, today: date) -> None:
        """Another list is in force, and on disk. What was handed out stays so. StoreError: the one before is."""
        if self._store is None:
            return
        orders = [_order(spec, revision, box, hash_of) for spec in specs]
        if {(*one[:-1],) for one in orders} == {(*one[:-1],) for one in self._in_force()} and revision:
            orders = []  # the same after a restart: the card is spared
            self._revision = self._revision or revision
            return
        keep_from = (today - timedelta(days=KEEP_DAYS)).isoformat()
        await self._store.change(lambda db: pick_ups.put(db, orders, keep_from))
        self._take(await self._store.read(pick_ups.all_orders))
        self._revision = revision

    def __len__(self) -> int:
        """Orders on the list."""
        return len(self._in_force())

    def listed(self) -> list[Order]:
        """The list, by number: for a page. What was handed out is among it, if it still is on the list."""
        return sorted(self._in_force(), key=lambda one: (one.day, one.number, one.code))

    def known(self, code: str) -> Order | None:
        """The order that is recorded under this code, if it is or was on a list."""
        return self._orders.get(code)

    # -- a code

    def find(self, text: str, codes: Codes, today: date | None) -> Found:
        """What lies on the counter. `today` None: the day isn't known."""
        text = text.strip()[:SCAN_MAX]
        code = codes.hash(COUPON, text)
        order = self._orders.get(code) or self._numbered(text, today)
        if order is None:
            return Found(Read(Source.PICK_UP, "" if is_private(text) else code, refused=Answer.UNKNOWN))
        worth = Worth(COUPON, order.day, order.what)
        refused, detail = self._judged(order, today)
        read = Read(Source.PICK_UP, order.code, refused=refused, worth=worth, asks=order.box == ASK)
        return Found(read, detail, order)

    # -- inside

    def _judged(self, order: Order, today: date | None) -> tuple[Answer | None, str]:
        if order.revision != self._revision:
            return Answer.UNKNOWN, ""
        if order.box not in (self._box, ASK):
            return Answer.WRONG_STORE, order.box
        if today is not None and today.isoformat() < order.day:
            return Answer.NOT_STARTED, order.day
        if today is not None and today.isoformat() > order.until:
            return Answer.EXPIRED, order.until
        return None, ""

    def _numbered(self, text: str, today: date | None) -> Order | None:
        """Of several orders with one number the one of today, else the next to come, else the last that was."""
        found = self._numbers.get(text.upper(), [])
        day = today.isoformat() if today is not None else ""
        current = [one for one in found if one.revision == self._revision] or found
        to_come = [one for one in current if one.until >= day]
        if to_come:
            return min(to_come, key=lambda one: one.day)
        return max(current, key=lambda one: one.day, default=None)

    def _in_force(self) -> list[Order]:
        return [one for one in self._orders.values() if one.revision == self._revision]

    def _take(self, orders: Sequence[Order]) -> None:
        self._orders = {one.code: one for one in orders}
        self._revision = max((one.revision for one in orders), default=0)
        self._numbers = {}
        for one in orders:
            if one.number:
                self._numbers.setdefault(one.number.upper(), []).append(one)


def _order(spec: Spec, revision: int, box: str, hash_of: Hash) -> Order:
    """Recorded under its code; one that has a number alone, under that and its day, for shops count anew each day."""
    code = spec.code or hash_of(COUPON, f"{spec.day} {spec.number.upper()}")
    until = spec.until or spec.day
    return Order(code, spec.number, spec.shelf, spec.what, spec.day, until, spec.box or box, revision)
