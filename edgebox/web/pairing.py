"""The first sign-in: a one-time code that the box prints on its own receipt printer. There is no default password.

Owns: the code's life (printed, tried, used, over) and how often it is printed. Never: keeps the code: what is kept is
its hash, and that dies with it. Only who holds the paper can become the owner of a box without users.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import NamedTuple

import msgspec

from edgebox.store.store import Store
from edgebox.web.passwords import Passwords
from edgebox.web.refusals import refused

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # 30 signs that nobody takes for one another: 8 of them are 39 bits
LENGTH = 8
MINUTES = 30
TRIES_MAX = 10  # then it is over: 2^-36 for who guesses
UNASKED_MAX = 3  # slips printed at starts, ever: a box that nobody sets up must not print one every morning
PRINT_EVERY_S = 60  # by the button, which anybody in the shop's network can press
FACT = "web pairing"


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept: `kept` as of a password; "": no code is in force. `until`, `printed`: seconds since 1970."""

    kept: str = ""
    until: int = 0
    tries: int = 0
    printed: int = 0
    unasked: int = 0


class Code(NamedTuple):
    """A fresh code. `text` as on the paper: `7KQ4-M2XW`."""

    text: str
    minutes: int = MINUTES


class Pairing:
    """One box's. Made by `open`."""

    def __init__(self, store: Store, passwords: Passwords, pending: Pending) -> None:
        self._store = store
        self._passwords = passwords
        self._pending = pending
        self.one_at_a_time = asyncio.Lock()  # two phones with one slip: the second hears that it was used

    @classmethod
    async def open(cls, store: Store, passwords: Passwords) -> Pairing:
        """Where the last run left off. StoreError."""
        raw = await store.get(FACT)
        try:
            pending = msgspec.json.decode(raw, type=Pending) if raw else Pending()
        except msgspec.MsgspecError:
            pending = Pending()
        return cls(store, passwords, pending)

    def is_in_force(self, now: int) -> bool:
        """A code that was printed may be typed."""
        pending = self._pending
        return bool(pending.kept) and now < pending.until <= now + MINUTES * 60 and pending.tries < TRIES_MAX

    def may_print(self, now: int, *, is_asked: bool) -> bool:
        """A slip may be printed: at a start only if none is in force and few were; by the button not too often."""
        if is_asked:
            return not 0 <= now - self._pending.printed < PRINT_EVERY_S
        return not self.is_in_force(now) and self._pending.unasked < UNASKED_MAX

    async def fresh(self, now: int, *, is_asked: bool) -> Code:
        """A new code; the one before it is over. PageError `too_many`, `busy`; StoreError."""
        async with self.one_at_a_time:  # of ten who press the button at once, nine hear that it was pressed
            if not self.may_print(now, is_asked=is_asked):
                raise refused("too_many")
            text = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
            kept = await self._passwords.made(text)
            unasked = self._pending.unasked + (not is_asked)
            await self._keep(Pending(kept=kept, until=now + MINUTES * 60, printed=now, unasked=unasked))
        return Code(f"{text[:4]}-{text[4:]}")

    async def check(self, said: str, now: int) -> None:
        """It is the code, and may be used. PageError `pairing_over`, `pairing`, `busy`; StoreError."""
        if not self.is_in_force(now):
            raise refused("pairing_over")
        await self._keep(
            msgspec.structs.replace(self._pending, tries=self._pending.tries + 1)
        )  # before it is looked at
        if not await self._passwords.is_right(plain(said), self._pending.kept):
            raise refused("pairing")

    async def over(self) -> None:
        """It was used. StoreError."""
        await self._keep(Pending())

    async def _keep(self, pending: Pending) -> None:
        await self._store.put(FACT, msgspec.json.encode(pending))
        self._pending = pending


def plain(said: str) -> str:
    """As people type it: small letters, blanks and dashes don't matter."""
    return "".join(char for char in said[:64].upper() if char in ALPHABET)
