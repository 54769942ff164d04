"""Asking the cloud while a customer waits: one question with one id, asked again as long as the cashier can bear it.

Owns: the question's words and what its answer comes to. Never: which code is asked about, or what follows.

An answer that can't be read counts as none said: the cloud may have used the coupon up, and asked again under the same
id it says so again, once somebody has mended it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, Protocol

import msgspec
from msgspec import Meta

from edgebox.desk.answers import Answer, Channel, refusal
from edgebox.desk.redemption import Source, Worth
from edgebox.errors import SyncError
from edgebox.store.redemptions import Question

REDEEM = "coupon.redeem"
WHAT = {Source.MALL: "mall.redeem", Source.PICK_UP: "pick_up.take"}  # else REDEEM
RETRY_S = 0.3  # between two tries of one question; a cloud that stumbles once is up again
_Printed = Annotated[str, Meta(max_length=120, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
_Id = Annotated[str, Meta(max_length=64, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class Reply(Protocol):
    """As sync.contract.Answer."""

    @property
    def ok(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def result(self) -> Mapping[str, Any]: ...


class Cloud(Protocol):
    """As sync.uplink.Uplink."""

    @property
    def is_connected(self) -> bool: ...
    async def ask(self, what: str, args: Mapping[str, Any], name: str, timeout_s: float) -> Reply:
        """SyncError `offline`, `no_answer`, `busy`."""


class Heard(NamedTuple):
    """`worth`: yes. `refused`: no. Neither: nobody answered in time."""

    worth: Worth | None = None
    refused: Answer | None = None


SILENCE = Heard()


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    coupon: _Id = ""
    stock: _Id = ""
    title: _Printed = ""
    value_minor: Annotated[int, Meta(ge=0, le=10**12)] = 0
    points: Annotated[int, Meta(ge=0, le=10**9)] = 0
    tier: _Id = ""


async def ask(
    cloud: Cloud | None, question: Question, code: str, channel: Channel, within_s: float, what: str = REDEEM
) -> Heard:
    """What the cloud says about a code, within the time that a cashier waits."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    args: dict[str, Any] = {"code": code, "amount_minor": question.bill_minor or 0}
    if question.instead_of:
        args["instead_of"] = list(question.instead_of)
    if channel is not Channel.OWN:
        args["channel"] = channel.value
    heard = SILENCE
    while cloud is not None and (left_s := until - loop.time()) > 0:
        try:
            heard = _heard(await cloud.ask(what, args, question.request, left_s))
        except SyncError as fault:
            return Heard(refused=Answer.FAILURE) if fault.reason == "busy" else heard
        if heard.refused is not Answer.FAILURE or until - loop.time() <= RETRY_S:
            return heard
        await asyncio.sleep(RETRY_S)
    return heard


def _heard(reply: Reply) -> Heard:
    if not reply.ok:
        return Heard(refused=refusal(reply.reason))
    try:
        found = msgspec.convert(dict(reply.result), _Result)
    except msgspec.ValidationError:
        return Heard(refused=Answer.FAILURE)
    return Heard(Worth(found.coupon, found.stock, found.title, found.value_minor, found.points, tier=found.tier))
