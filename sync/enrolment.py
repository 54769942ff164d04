"""A new box asks for its own certificate: a short connection with the claim of its batch, one question, one answer.

Owns: that connection. Never: rows, commands or a second question: a claim is good for nothing else, and its rights at
the broker say so. What is asked and what becomes of the answer: own_certificate.py.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgebox.errors import SyncError
from sync import credentials, own_certificate
from sync.address import Address
from sync.arrivals import Incoming
from sync.client import Client, Hello
from sync.contract import MESSAGE_BYTES, CertificateGift
from sync.own_certificate import HINT
from sync.topics import Topics

ANSWER_S = 30.0  # an authority may have to be asked behind the cloud
KEEPALIVE_S = 30
_gift = msgspec.json.Decoder(CertificateGift).decode


class Newcomer(NamedTuple):
    """Who asks, and where. `seal`: its public key for what is sealed to it; `user`: [sync] user."""

    box: str
    user: str
    seal: str
    folder: Path
    topics: Topics
    address: Address


async def enrol(new: Newcomer, answer_s: float = ANSWER_S) -> None:
    """The box has its next certificate when this returns. SyncError: `claim` (refused, or nobody answers), or as
    Client.connect."""
    ask = await asyncio.to_thread(own_certificate.request, new.folder, new.box, new.seal)
    found = await asyncio.to_thread(credentials.load, new.folder, tls=True, pair=credentials.CLAIM)
    # Not the box's own client id: whoever has a claim must not be able to end a living box's connection.
    hello = Hello(f"{new.box}-claim", new.user, KEEPALIVE_S, 0, None)
    desk = _Desk(new.topics.certificate, ask.id)
    client = Client(hello, new.address, found, desk)
    try:
        await client.connect()
        client.subscribe((new.topics.certificate,))
        async with asyncio.timeout(answer_s):
            await desk.listening
            client.publish(new.topics.csr, msgspec.json.encode(ask), expiry_s=int(answer_s) + 1)
            gift = await desk.gift
    except TimeoutError as fault:
        raise SyncError("the claim is not answered", reason="claim", hint=HINT) from fault
    finally:
        await client.close()
    await asyncio.to_thread(own_certificate.accept, new.folder, gift)


class _Desk:
    """The connection's listener."""

    def __init__(self, topic: str, name: str) -> None:
        loop = asyncio.get_running_loop()
        self.listening: asyncio.Future[None] = loop.create_future()
        self.gift: asyncio.Future[CertificateGift] = loop.create_future()
        self._topic, self._name = topic, name

    def on_puback(self, mid: int, reason: int) -> None:
        """0x10: nobody listens there; the answer's time will be over."""
        if reason >= 0x80:
            self._fail(f"the broker does not let a claim ask here (0x{reason:02x})")

    def on_message(self, message: Incoming) -> None:
        """Only the answer to this question, however much else comes."""
        if message.topic != self._topic or len(message.payload) > MESSAGE_BYTES or self.gift.done():
            return
        try:
            found = _gift(message.payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        if found.id == self._name:
            self.gift.set_result(found)

    def on_subscribed(self, reasons: list[int]) -> None:
        """Nothing is asked before the answer can be heard."""
        if any(reason >= 0x80 for reason in reasons):
            self._fail("the broker does not let a claim listen for its answer")
        elif not self.listening.done():
            self.listening.set_result(None)

    def on_lost(self, reason: int, why: str) -> None:
        """Before the answer."""
        self._fail(why or "connection lost")

    def _fail(self, words: str) -> None:
        for future in (self.listening, self.gift):
            if not future.done():
                future.set_exception(SyncError(words, reason="claim", hint=HINT))
                future.exception()  # who waits for the other one may never look
