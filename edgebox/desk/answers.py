"""What the desk can say to a code: one word each, what the slip says, how it beeps, and whether it is the last word.

Owns: the answers, their words, and what the words of others (our cloud, WeChat) come to. Never: finds an answer.

The cloud talks to WeChat; a box holds no merchant's key. Its answer is either one of our own words, or the channel's
name with the channel's own code (`weixin_card:40099`), so that a cloud can pass on what it heard before it knows what
it means. A code that nobody knows is `failure`: never a yes, and never a final no.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Answer(StrEnum):
    """What became of a code; stable words, recorded as a redemption's reason."""

    REDEEMED = "redeemed"
    USED = "used"
    EXPIRED = "expired"
    NOT_STARTED = "not_started"
    WRONG_STORE = "wrong_store"  # of another shop, or printed by another till's box
    THRESHOLD = "threshold"
    UNKNOWN = "unknown"
    FORGED = "forged"
    GIVEN_AWAY = "given_away"  # on its way to a friend: nobody's until the friend takes it
    REVOKED = "revoked"
    POINTS = "points"  # too few of them
    SOLD_OUT = "sold_out"
    PRICE = "price"  # the code names another price than the one in force
    LOCKED = "locked"  # too many wrong codes were typed
    OFFLINE = "offline"  # the cloud can't be asked, and the box may not decide this one alone
    LIMIT = "limit"  # nor this one, because it would go beyond what the shop allows
    FAILURE = "failure"  # the cloud, or who it asked, is in trouble
    BUSY = "busy"  # the box itself can't record now
    NO_SALE = "no_sale"  # to which an invoice could belong
    FORWARDED = "forwarded"  # the cloud has it: an invoice's title
    MEMBER = "member"  # a member's code, and the table knows it
    STRANGER = "stranger"  # it doesn't; the cloud may
    STALE = "stale"  # it is too old to say


class Beep(StrEnum):
    """Patterns by name; who has a buzzer or a lamp knows how they sound (docs/desk.md)."""

    GOOD = "good"  # one short
    BAD = "bad"  # two long: don't give it
    AGAIN = "again"  # three short: nothing was decided, scan again later


class Phrase(NamedTuple):
    """Words for the slip by language, and whether the customer may come with the same code again soon."""

    zh: str
    en: str
    beep: Beep
    is_final: bool = True

    def words(self, language: str) -> str:
        """In a language; English where there is no other."""
        return self.zh if language == "zh" else self.en


SAID: Mapping[Answer, Phrase] = {
    Answer.REDEEMED: Phrase("核销成功", "Redeemed", Beep.GOOD),
    Answer.USED: Phrase("此券已使用", "Already used", Beep.BAD),
    Answer.EXPIRED: Phrase("此券已过期", "Expired", Beep.BAD),
    Answer.NOT_STARTED: Phrase("此券未到使用时间", "Not valid yet", Beep.BAD),
    Answer.WRONG_STORE: Phrase("非本店或非本机的券", "For another shop or till", Beep.BAD),
    Answer.THRESHOLD: Phrase("未达到使用金额", "Bill below the minimum", Beep.BAD),
    Answer.UNKNOWN: Phrase("无此券", "No such coupon", Beep.BAD),
    Answer.FORGED: Phrase("券码无效", "Not a genuine code", Beep.BAD),
    Answer.GIVEN_AWAY: Phrase("此券转赠中", "Being given to a friend", Beep.BAD),
    Answer.REVOKED: Phrase("此券已作废", "Withdrawn", Beep.BAD),
    Answer.POINTS: Phrase("积分不足", "Not enough points", Beep.BAD),
    Answer.SOLD_OUT: Phrase("已兑完", "Sold out", Beep.BAD),
    Answer.PRICE: Phrase("价格已变 请重新出码", "Price has changed: new code needed", Beep.BAD),
    Answer.LOCKED: Phrase("输错次数过多 请稍后再试", "Too many wrong codes, wait", Beep.AGAIN, is_final=False),
    Answer.OFFLINE: Phrase("网络中断 暂不能核销此券", "No network: can't be checked", Beep.AGAIN, is_final=False),
    Answer.LIMIT: Phrase("网络中断 已达离线核销上限", "No network: over the limit", Beep.AGAIN, is_final=False),
    Answer.FAILURE: Phrase("系统繁忙 请稍后重试", "System failure, try again", Beep.AGAIN, is_final=False),
    Answer.BUSY: Phrase("设备无法记录 请稍后重试", "Can't record now, try again", Beep.AGAIN, is_final=False),
    Answer.NO_SALE: Phrase(
        "没有可开票的小票 请付款后再扫", "No sale to invoice: pay, then scan", Beep.AGAIN, is_final=False
    ),
    Answer.FORWARDED: Phrase("开票信息已提交", "Invoice asked for", Beep.GOOD),
    Answer.MEMBER: Phrase("会员", "Member", Beep.GOOD),
    Answer.STRANGER: Phrase("会员表中没有此码", "Not in the table of members", Beep.GOOD),
    Answer.STALE: Phrase("会员表已过期", "The table of members is too old", Beep.GOOD),
}


class Channel(StrEnum):
    """Who issued a code; all but OWN can only be redeemed through the cloud."""

    OWN = "own"
    WEIXIN_CARD = "weixin_card"  # 卡券
    WEIXIN_BUSIFAVOR = "weixin_busifavor"  # 商家券
    OTHER = "other"


# Words of our own cloud that are not spelled as ours (docs/cloud.md). `question` and `request` mean that box and cloud
# don't understand each other: a fault of ours, so not the customer's end.
_CLOUD: Mapping[str, Answer] = {
    "system_failure": Answer.FAILURE,
    "question": Answer.FAILURE,
    "request": Answer.FAILURE,
}
# 卡券: return codes, and states of /card/code/get. [developers.weixin.qq.com, Card coupons error code; notes §4]
_CARD: Mapping[str, Answer] = {
    "-1": Answer.FAILURE,
    "40056": Answer.UNKNOWN,
    "40099": Answer.USED,
    "40116": Answer.UNKNOWN,
    "40127": Answer.GIVEN_AWAY,
    "CONSUMED": Answer.USED,
    "EXPIRE": Answer.EXPIRED,
    "GIFTING": Answer.GIVEN_AWAY,
    "GIFT_TIMEOUT": Answer.GIVEN_AWAY,
    "DELETE": Answer.REVOKED,
    "UNAVAILABLE": Answer.REVOKED,
}
# 商家券: the states that its query gives, and the errors that every WeChat Pay v3 interface shares; the interface's own
# error words are few and coarse, so a cloud asks for the state when `use` is refused. [pay.weixin.qq.com, use-coupon]
_BUSIFAVOR: Mapping[str, Answer] = {
    "USED": Answer.USED,
    "EXPIRED": Answer.EXPIRED,
    "DELETED": Answer.REVOKED,
    "DEACTIVATED": Answer.REVOKED,
    "RESOURCE_NOT_EXISTS": Answer.UNKNOWN,
    "SYSTEM_ERROR": Answer.FAILURE,
    "FREQUENCY_LIMITED": Answer.FAILURE,
    "FREQUENCY_LIMIT_EXCEED": Answer.FAILURE,
}
# 抬头码, as card/invoice/scantitle says: what it calls invalid parameters is a code that it doesn't know any more.
# Faults of the merchant's account and its limits are no fault of the code. [developers.weixin.qq.com, invoicescantitle;
# general return codes]
_INVOICE: Mapping[str, Answer] = {
    "-1": Answer.FAILURE,
    "40001": Answer.FAILURE,
    "42001": Answer.FAILURE,
    "45009": Answer.FAILURE,
    "48001": Answer.FAILURE,
    "72031": Answer.UNKNOWN,
}
_CHANNELS: Mapping[str, Mapping[str, Answer]] = {
    Channel.WEIXIN_CARD.value: _CARD,
    Channel.WEIXIN_BUSIFAVOR.value: _BUSIFAVOR,
    "weixin_invoice": _INVOICE,
}


def refusal(reason: str) -> Answer:
    """What the cloud's `reason` comes to; never REDEEMED, and FAILURE for what nobody here knows."""
    channel, colon, code = reason.partition(":")
    if colon:
        return _CHANNELS.get(channel, {}).get(code, Answer.FAILURE)
    if reason in _CLOUD:
        return _CLOUD[reason]
    try:
        found = Answer(reason)
    except ValueError:
        return Answer.FAILURE
    return Answer.FAILURE if SAID[found].beep is Beep.GOOD else found
