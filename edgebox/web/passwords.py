"""Passwords: scrypt, one at a time, in a thread of their own.

Owns: how a password is kept and checked, and what is too weak. Never: blocks the loop, keeps a password, or lets
visitors who try many take the box's memory: one check runs at once, and few wait.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ctypes
import hashlib
import hmac
import os
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from edgebox.web.refusals import refused

# RFC 7914; N, r, p as OWASP's Password Storage Cheat Sheet has them for 8 MB: a box with 512 MB can spare that.
N, R, P = 1 << 13, 8, 10
SALT_BYTES, HASH_BYTES = 16, 32
LEAST, MOST = 8, 128  # characters (NIST SP 800-63B: at least 8; a limit so that nobody hashes megabytes)
WAITING_MAX = 8
_MMAP_THRESHOLD = -3  # <malloc.h>
T = TypeVar("T")
# What is tried first (the heads of published lists of common passwords, and what is near at hand here).
COMMON = frozenset(
    {"password", "12345678", "123456789", "1234567890", "87654321", "88888888", "66666666", "00000000", "11111111"}
    | {"qwertyui", "qwerty123", "1q2w3e4r", "password1", "edgebox1", "iloveyou", "abcd1234", "a1234567", "11223344"}
)


def check_strength(password: str, name: str) -> None:
    """PageError `weak_password`: short, endless, common, or the user's own name."""
    folded = password.casefold()
    if not LEAST <= len(password) <= MOST or folded in COMMON or len(set(password)) < 3 or folded == name.casefold():
        raise refused("weak_password")


class Passwords:
    """`cost`: of scrypt; tests take a small one."""

    def __init__(self, cost: int = N) -> None:
        self._cost = cost
        _give_back_large_memory()
        self._thread = ThreadPoolExecutor(1, "password")
        self._waiting = 0
        self._nobody = self._made("", b"\0" * SALT_BYTES)  # so that an unknown name takes as long as a wrong password

    async def made(self, password: str) -> str:
        """What is kept of a password. PageError `busy`."""
        return await self._run(self._made, password, os.urandom(SALT_BYTES))

    async def is_right(self, password: str, kept: str) -> bool:
        """`kept` "": there is no such user, which takes as long. PageError `busy`."""
        return await self._run(self._is_right, password, kept or self._nobody) and bool(kept)

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[..., T], *arguments: str | bytes) -> T:
        if self._waiting >= WAITING_MAX:
            raise refused("busy")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        finally:
            self._waiting -= 1

    def _made(self, password: str, salt: bytes) -> str:
        return f"scrypt${self._cost}${R}${P}${_text(salt)}${_text(_hash(password, salt, self._cost, R, P))}"

    @staticmethod
    def _is_right(password: str, kept: str) -> bool:
        _, cost, r, p, salt, known = kept.split("$")
        found = _hash(password, base64.b64decode(salt), int(cost), int(r), int(p))
        return hmac.compare_digest(found, base64.b64decode(known))


def _hash(password: str, salt: bytes, cost: int, r: int, p: int) -> bytes:
    raw = unicodedata.normalize("NFKC", password[:MOST]).encode()  # the same on every keyboard (SP 800-63B)
    return hashlib.scrypt(raw, salt=salt, n=cost, r=r, p=p, maxmem=1 << 26, dklen=HASH_BYTES)


def _give_back_large_memory() -> None:
    """glibc learns from the first 8 MB that are freed to keep the next for ever [mallopt(3), M_MMAP_THRESHOLD]; told
    its own first threshold, it does not learn. Other C libraries know no such call, and give back anyway."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 128 << 10)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
