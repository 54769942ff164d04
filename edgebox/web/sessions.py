"""Who is signed in: sessions, from signing in to signing out or being away too long.

Owns: their table, a copy in memory, their ends, and messages that wait for the next page. Never: keeps a cookie's text:
what is on the disk opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

from edgebox.store.store import Store
from edgebox.web.accounts import hashed

SESSIONS_MAX = 256  # of all users; the one that was away longest is ended
SEEN_EVERY_S = 300  # how often "still here" is written down: a card wears
NOTES_MAX = 4  # messages that wait
MINUTE_S, DAY_S = 60, 86_400
_PUT = "INSERT OR REPLACE INTO web_sessions (id, name, begun, seen, address) VALUES (?, ?, ?, ?, ?)"


@dataclass(slots=True)
class Session:
    """One browser of one user. Times: seconds since 1970. `notes`: key of a sentence, and its values."""

    id: str
    name: str
    begun: int
    seen: int
    address: str
    written: int = 0
    notes: list[tuple[str, dict[str, str]]] = field(default_factory=list)


class Sessions:
    """All of them. Made by `open`. `idle_min`, `session_days`: as in [web]."""

    def __init__(self, store: Store, found: list[Session], idle_min: int, session_days: int) -> None:
        self._store = store
        self._all = {session.id: session for session in found}
        self._idle_s, self._longest_s = idle_min * MINUTE_S, session_days * DAY_S

    @classmethod
    async def open(cls, store: Store, idle_min: int, session_days: int) -> Sessions:
        """As the database has them. StoreError."""

        def rows(db: sqlite3.Connection) -> list[Session]:
            found = db.execute("SELECT id, name, begun, seen, address FROM web_sessions").fetchall()
            return [Session(key, name, begun, seen, address, seen) for key, name, begun, seen, address in found]

        return cls(store, await store.read(rows), idle_min, session_days)

    async def begin(self, name: str, address: str, now: int) -> str:
        """Signs in: the cookie's text. StoreError."""
        if len(self._all) >= SESSIONS_MAX:
            await self.end(min(self._all.values(), key=lambda session: session.seen).id)
        said = secrets.token_urlsafe(32)
        session = Session(hashed(said), name, now, now, address, now)
        await self._store.change(_run(_PUT, session.id, name, now, now, address))
        self._all[session.id] = session
        return said

    def find(self, said: str, now: int) -> Session | None:
        """Whose cookie this is; None: nobody's any more."""
        session = self._all.get(hashed(said)) if said else None
        if session is None or self._is_over(session, now):
            return None
        session.seen = max(session.seen, now)
        return session

    def is_alive(self, session: Session, now: int) -> bool:
        """It has not ended meanwhile."""
        return session.id in self._all and not self._is_over(session, now)

    def of(self, name: str) -> list[Session]:
        """A user's, the newest first."""
        return sorted((one for one in self._all.values() if one.name == name), key=lambda one: -one.seen)

    async def end(self, session_id: str) -> None:
        """Signs one out. StoreError; in memory it is over all the same."""
        self._all.pop(session_id, None)
        await self._store.change(_run("DELETE FROM web_sessions WHERE id = ?", session_id))

    async def end_all(self, name: str, but: str = "") -> None:
        """Signs a user out everywhere, `but` here. StoreError; in memory it is over all the same."""
        for session in self.of(name):
            if session.id != but:
                del self._all[session.id]
        await self._store.change(_run("DELETE FROM web_sessions WHERE name = ? AND id <> ?", name, but))

    async def tidy(self, now: int) -> None:
        """Ends what is over; writes down who was here. StoreError."""
        over = [session.id for session in self._all.values() if self._is_over(session, now)]
        for session_id in over:
            await self.end(session_id)
        for session in [one for one in self._all.values() if one.seen - one.written >= SEEN_EVERY_S]:
            session.written = session.seen
            change = _run("UPDATE web_sessions SET seen = ? WHERE id = ?", session.seen, session.id)
            await self._store.change(change)

    def _is_over(self, session: Session, now: int) -> bool:
        return now - session.seen > self._idle_s or now - session.begun > self._longest_s


def csrf_of(said: str) -> str:
    """The token that a session's own forms carry: made from the cookie, which no other page can read."""
    return hmac.digest(said.encode("utf-8", "replace"), b"edgebox csrf v1", hashlib.sha256).hex()


def _run(statement: str, *values: object) -> Callable[[sqlite3.Connection], None]:
    def run(db: sqlite3.Connection) -> None:
        db.execute(statement, values)

    return run
