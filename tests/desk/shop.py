"""A shop's desk for tests: an engine with a line that prints, a cloud that says what it is told to."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edgebox.desk.signed import Coupon, made
from edgebox.engine import Engine
from edgebox.errors import SyncError
from edgebox.line.frames import Job, JobPhase, JobState
from edgebox.loyalty.comeback import Terms, long_code, short_code
from edgebox.loyalty.keyring import Keyring
from edgebox.loyalty.offers import CouponKind
from edgebox.store.events import RedemptionRecord, Stream
from edgebox.store.peek import bodies
from sync.contract import Answer
from tests.line_of_engine import KEYS, NOW, FakeLine, on_disk, running, settings

__all__ = ["KEYS", "NOW", "CloudOfTest", "FakeLine", "coupon_on_paper", "on_disk", "running", "settings", "signed_code"]
SIGNER = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
KEY_LINE = f"coupons-1:{base64.b64encode(SIGNER.public_key().public_bytes_raw()).decode()}"
TODAY = NOW // 86_400
RULES = """
schema = 1
rev = 1
currency = "CNY"
[[tier]]
id = "base"
spend_per_point = 100
[offline_redeem]
enabled = true
kinds = ["amount_off", "gift"]
max_face = 3000
max_count = 3
max_total = 5000
max_age = "12h"
"""
WITH_COUPONS = 'slip.show=["points", "comeback"]'
ENGLISH = 'slip.languages=["en"]'


class CloudOfTest:
    """Answers as told; remembers what it was asked. `answers`: by code; an exception is raised, None never comes."""

    def __init__(self, **answers: Answer | SyncError | None) -> None:
        self.answers = dict(answers)
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.is_connected = True
        self.before_answer: Callable[[], None] = lambda: None

    async def ask(self, what: str, args: Mapping[str, Any], name: str, timeout_s: float) -> Answer:
        assert what == "coupon.redeem"
        self.asked.append((name, args))
        if not self.is_connected:
            raise SyncError("the cloud is not there", reason="offline")
        answer = self.answers[args["code"]]
        self.before_answer()
        if answer is None:
            await asyncio.sleep(timeout_s)
            raise SyncError("the cloud does not answer", reason="no_answer")
        if isinstance(answer, SyncError):
            raise answer
        return msgspec.structs.replace(answer, id=name)


def yes(value_minor: int = 500, **more: Any) -> Answer:
    return Answer(id="x", ok=True, result={"coupon": "tea", "stock": "s-7", "value_minor": value_minor, **more})


def no(reason: str) -> Answer:
    return Answer(id="x", ok=False, reason=reason)


def signed_code(serial: int, **changes: Any) -> str:
    terms = {
        "store": KEYS.store, "device": KEYS.device, "serial": serial, "kind": CouponKind.AMOUNT_OFF, "value": 1000,
        "threshold": 5000, "first_day": TODAY - 1, "last_day": TODAY + 1, "stock": "s-8",
    }  # fmt: skip
    return made(Coupon(**(terms | changes)), "SC:", SIGNER)


async def coupon_on_paper(engine: Engine, line: FakeLine, number: int = 1) -> tuple[str, str, Terms]:
    """A receipt is printed with a comeback coupon; its long code, short code and terms."""
    raw = b"SHOP\nNO: %06d\n2026-11-18 18:42:07\nTEA 60.00\nTOTAL 60.00\nCASH 60.00\n\n\n" % number
    await line.print_receipt(number, raw)
    maker = engine.decisions.stock.maker
    assert engine.store is not None
    assert maker is not None
    row = await engine.store.read(
        lambda db: db.execute(
            "SELECT serial, value_minor, threshold_minor, last_day FROM comebacks ORDER BY serial DESC LIMIT 1"
        ).fetchone()
    )
    terms = Terms(maker.device, *row)
    return long_code(maker.key, maker.prefix, terms), short_code(maker.key, terms), terms


async def next_job(line: FakeLine) -> Job:
    frame = await line.next()
    assert isinstance(frame, Job), frame
    return frame


async def slip(line: FakeLine, phase: JobPhase = JobPhase.SENT, reason: str = "") -> tuple[str, str]:
    """The next slip's job and words; the line says what became of it."""
    job = await next_job(line)
    line.send(JobState(job.job, JobPhase.PRINTING, ""), JobState(job.job, phase, reason))
    return job.job, words(job.body)


def words(body: bytes) -> str:
    """The letters on a slip, without commands."""
    text = body.decode("gb18030", "replace")
    return " ".join("".join(char if char.isprintable() else "\n" for char in text).split())


def recorded(folder: Path) -> list[RedemptionRecord]:
    found = [body for body in bodies(folder / "data", Stream.REDEMPTIONS) if b'"redemption"' in body]
    return [msgspec.json.decode(body, type=RedemptionRecord) for body in found]


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came to be")


@contextlib.asynccontextmanager
async def shop(folder: Path, *overrides: str, keys: Keyring | None = KEYS, now: int = NOW) -> AsyncIterator[Engine]:
    """An engine whose own clock is believed."""
    rules = folder / "rules.toml"
    rules.write_text(RULES, "utf-8")
    own = [WITH_COUPONS, ENGLISH, f"points.rules={rules}", f'desk.coupon_keys=["{KEY_LINE}"]', "desk.ask_ms=400"]
    async with running(folder, *own, *overrides, keys=keys, now=now) as engine:
        engine.decisions._synced = lambda: True
        yield engine
