"""What a phone is offered where it hears a beacon: one coupon for each member and beacon, taken with a tap.

Owns: which frame stands for which offer, and who has taken it. Never: believes that whoever asks stands there: a frame
can be copied and sent from anywhere, so an offer is worth what a leaflet at the door is worth, once for each member.
What the code is worth at the till is the coupon desk's to say (desk.py).

A mini-program finds the frame (`wx.startBeaconDiscovery`), asks its merchant's cloud by uuid, major and minor, and
shows the code. Here that is `/near/UUID/MAJOR/MINOR` on the page for phones.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from html import escape
from typing import NamedTuple

from edgebox.beacons.heard import TagKey
from hw_sim.cloud.desk import Coupon, Desk
from hw_sim.cloud.ledger import Ledger

PATH = "/near/"
LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that a cashier could mistake for another
CODE_LETTERS = 12  # 60 bits: nobody guesses one
GOOD_S = 7 * 86_400  # a code is good for a week from when it was taken

WORDS = {
    "zh": ("领取优惠券", "收银时出示此码", "附近优惠"),
    "en": ("Get the coupon", "Show this code at the till", "Near you"),
}

_SCHEMA = """
CREATE TABLE IF NOT EXISTS near_offers (
    frame TEXT PRIMARY KEY, title TEXT, prefix TEXT, coupon TEXT, stock TEXT, value INTEGER,
    store INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS near_taken (
    frame TEXT, member TEXT, code TEXT, PRIMARY KEY (frame, member)) STRICT, WITHOUT ROWID;
"""


class Offer(NamedTuple):
    """What hangs at a beacon. `prefix`: before its codes, so that the scanner knows them; `store`: the shop."""

    title: str
    prefix: str
    coupon: str
    stock: str
    value_minor: int
    store: int


class Shown(NamedTuple):
    """What the phone shows. `code` "": not taken yet."""

    offer: Offer
    code: str = ""


def body(shown: Shown, language: str) -> tuple[str, str]:
    """The page's title and its body: the offer and a button, or the code."""
    button, hint, title = WORDS[language]
    head = f"<h1>{escape(shown.code or shown.offer.title)}</h1>"
    rest = f"<p>{hint}</p>" if shown.code else f'<form method="post"><button>{button}</button></form>'
    return title, f'<main class="good">{head}{rest}</main>'


class Nearby:
    """`clock` gives seconds since 1970."""

    def __init__(self, ledger: Ledger, desk: Desk, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._desk = desk
        self._clock = clock
        ledger.db.executescript(_SCHEMA)

    def hang(self, frame: TagKey, offer: Offer) -> None:
        """This offer at that beacon; the one before it is gone, and codes that were taken stay good."""
        with self._ledger.commit() as db:
            db.execute("INSERT OR REPLACE INTO near_offers VALUES (?, ?, ?, ?, ?, ?, ?)", (str(frame), *offer))

    def look(self, path: str, member: str) -> Shown | None:
        """What `/near/…` shows to a member, or to nobody yet (""). None: nothing hangs there."""
        try:
            frame = TagKey.from_text(path.removeprefix(PATH).replace("/", ":"))
        except ValueError:
            return None
        found = self._ledger.ask("SELECT * FROM near_offers WHERE frame = ?", str(frame))
        if not found:
            return None
        taken = self._ledger.ask("SELECT code FROM near_taken WHERE frame = ? AND member = ?", str(frame), member)
        return Shown(Offer(*found[0][1:]), taken[0][0] if taken else "")

    def take(self, path: str, member: str) -> Shown | None:
        """A tap: the member's code, made now or shown again. It is one however often they pass by."""
        shown = self.look(path, member)
        if shown is None or shown.code:
            return shown
        frame = TagKey.from_text(path.removeprefix(PATH).replace("/", ":"))
        offer = shown.offer
        code = offer.prefix + "".join(secrets.choice(LETTERS) for _ in range(CODE_LETTERS))
        with self._ledger.commit() as db:
            sql = "INSERT INTO near_taken VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            is_new = db.execute(sql, (str(frame), member, code)).rowcount
        if is_new:
            now = int(self._clock())
            self._desk.issue(
                Coupon(code, offer.coupon, offer.stock, offer.value_minor, now, now + GOOD_S, (offer.store,))
            )
        return self.look(path, member)
