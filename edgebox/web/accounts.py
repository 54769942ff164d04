"""Who may use the page, and which programs the API: users and tokens.

Owns: their tables, and a copy in memory that every request is checked against. Never: keeps a password or a token; what
is kept of them can't be turned back. The shop always has an owner.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import sqlite3
from collections.abc import Callable
from typing import NamedTuple

from edgebox.store.store import Store
from edgebox.web.refusals import refused
from edgebox.web.roles import Role

USERS_MAX = 64  # people who manage one shop
TOKENS_MAX = 32  # programs
TOKEN_PREFIX = "ebt_"  # so that scanners for leaked secrets can know one
_PUT_USER = "INSERT OR REPLACE INTO web_users (name, role, password, language, made) VALUES (?, ?, ?, ?, ?)"
_PUT_TOKEN = "INSERT INTO web_tokens (id, name, role, writes, made, made_by) VALUES (?, ?, ?, ?, ?, ?)"


class User(NamedTuple):
    """Somebody. `password`: what passwords.py keeps; `language` "": as the browser says; `made`: since 1970."""

    name: str
    role: Role
    password: str = ""
    language: str = ""
    made: int = 0


class Token(NamedTuple):
    """A program. `id`: SHA-256 of its token."""

    id: str
    name: str
    role: Role
    writes: bool
    made: int
    made_by: str


class Accounts:
    """Users and tokens. Made by `open`."""

    def __init__(self, store: Store, users: list[User], tokens: list[Token]) -> None:
        self._store = store
        self._users = {user.name: user for user in users}
        self._tokens = {token.id: token for token in tokens}
        self._one_at_a_time = asyncio.Lock()  # two owners who remove each other: the second hears that it is the last

    @classmethod
    async def open(cls, store: Store) -> Accounts:
        """As the database has them. StoreError."""

        def rows(db: sqlite3.Connection) -> tuple[list[User], list[Token]]:
            users = db.execute("SELECT name, role, password, language, made FROM web_users ORDER BY name").fetchall()
            tokens = db.execute("SELECT id, name, role, writes, made, made_by FROM web_tokens").fetchall()
            return (
                [User(name, Role(role), *rest) for name, role, *rest in users],
                [Token(key, name, Role(role), bool(writes), *rest) for key, name, role, writes, *rest in tokens],
            )

        return cls(store, *await store.read(rows))

    # -- users

    @property
    def has_users(self) -> bool:
        """The shop has been set up."""
        return bool(self._users)

    def users(self) -> list[User]:
        """All, by name."""
        return sorted(self._users.values())

    def user(self, name: str) -> User | None:
        """By name, however it is written."""
        return self._users.get(name.strip().casefold())

    async def add(self, user: User) -> User:
        """A new one. PageError `name_taken`, `too_many`; StoreError."""
        user = user._replace(name=user.name.strip().casefold())
        async with self._one_at_a_time:
            if user.name in self._users:
                raise refused("name_taken")
            if len(self._users) >= USERS_MAX:
                raise refused("too_many")
            await self._put(user)
        return user

    async def change(self, user: User) -> None:
        """Another role, password or language. PageError `last_owner`, `not_found`; StoreError."""
        async with self._one_at_a_time:
            if user.name not in self._users:
                raise refused("not_found")
            if user.role is not Role.OWNER:
                self._keep_an_owner(user.name)
            await self._put(user)

    async def remove(self, name: str) -> None:
        """PageError `last_owner`, `not_found`; StoreError."""
        async with self._one_at_a_time:
            if name not in self._users:
                raise refused("not_found")
            self._keep_an_owner(name)
            await self._store.change(_run("DELETE FROM web_users WHERE name = ?", name))
            del self._users[name]

    def _keep_an_owner(self, but: str) -> None:
        if not any(user.role is Role.OWNER for user in self._users.values() if user.name != but):
            raise refused("last_owner")

    async def _put(self, user: User) -> None:
        await self._store.change(_run(_PUT_USER, *user))
        self._users[user.name] = user

    # -- tokens

    def tokens(self) -> list[Token]:
        """All, by name."""
        return sorted(self._tokens.values(), key=lambda token: token.name)

    def token(self, said: str) -> Token | None:
        """The program that says this."""
        return self._tokens.get(hashed(said))

    async def make_token(self, name: str, role: Role, writes: bool, now: int, made_by: str) -> str:
        """The token, which nobody will see again. PageError `name_taken`, `too_many`; StoreError."""
        async with self._one_at_a_time:
            if any(token.name == name for token in self._tokens.values()):
                raise refused("name_taken")
            if len(self._tokens) >= TOKENS_MAX:
                raise refused("too_many")
            said = TOKEN_PREFIX + secrets.token_urlsafe(32)
            token = Token(hashed(said), name, role, writes, now, made_by)
            await self._store.change(_run(_PUT_TOKEN, *token))
            self._tokens[token.id] = token
        return said

    async def end_token(self, name: str) -> None:
        """It is good no more. PageError `not_found`; StoreError."""
        found = next((token for token in self._tokens.values() if token.name == name), None)
        if found is None:
            raise refused("not_found")
        await self._store.change(_run("DELETE FROM web_tokens WHERE id = ?", found.id))
        del self._tokens[found.id]


def hashed(secret: str) -> str:
    """What is kept of a random secret of 256 bits: its SHA-256 is enough, there is nothing to guess."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _run(statement: str, *values: object) -> Callable[[sqlite3.Connection], None]:
    def run(db: sqlite3.Connection) -> None:
        db.execute(statement, values)

    return run
