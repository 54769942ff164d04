"""What the phone page says, in Chinese and English: a sentence for each thing that can become of a claim.

Owns: the words. Never: HTML (page.py). Each refusal has its own words, and says what the customer can do; none says
how a forger came close: `format`, `mac`, `device` and the like read the same.
"""

from __future__ import annotations

from typing import NamedTuple


class Saying(NamedTuple):
    """A headline, a sentence, and how it looks: good, wait or bad."""

    head: str
    text: str
    look: str = "bad"


NOT_OURS = {
    "zh": Saying("这个二维码无效", "请直接扫描小票上的二维码，不要手动输入链接。"),
    "en": Saying("This code is not valid", "Please scan the code on your receipt; don't type the address."),
}

# By what points.Shown says: the state where nothing else is known, or the reason of a refusal.
SAYINGS: dict[str, dict[str, Saying]] = {
    "offered": {
        "zh": Saying("{points} 积分", "实付 {amount}。点一下，积分就是您的。", "good"),
        "en": Saying("{points} points", "You paid {amount}. One tap and the points are yours.", "good"),
    },
    "offered_pending": {
        "zh": Saying("{points} 积分", "实付 {amount}。门店的记录还在路上，现在领取，到账后自动入账。", "wait"),
        "en": Saying(
            "{points} points",
            "You paid {amount}. The shop's record is still on its way: collect now, and it settles by itself.",
            "wait",
        ),
    },
    "credited": {
        "zh": Saying("{points} 积分", "已到账，实付 {amount}。", "good"),
        "en": Saying("{points} points", "They are yours. You paid {amount}.", "good"),
    },
    "credited_again": {
        "zh": Saying("{points} 积分", "这张小票您已经领过了，积分在您的账户里。", "good"),
        "en": Saying(
            "{points} points", "You have collected this receipt already; the points are in your account.", "good"
        ),
    },
    "pending": {
        "zh": Saying("已为您保留", "门店的记录还没有传到。到了以后积分自动入账，无需再扫。", "wait"),
        "en": Saying(
            "Kept for you",
            "The shop's record has not reached us yet. Points follow by themselves; no need to scan again.",
            "wait",
        ),
    },
    "review": {
        "zh": Saying("正在核对", "这张小票需要人工核对，通过后积分自动入账。", "wait"),
        "en": Saying("Being checked", "Somebody has to look at this receipt. Points follow once that is done.", "wait"),
    },
    "taken": {
        "zh": Saying("已被领取", "这张小票的积分已被另一位会员领取，每张小票只能领一次。"),
        "en": Saying("Already collected", "Another member has this receipt's points. Each receipt counts once."),
    },
    "expired": {
        "zh": Saying("已过期", "这张小票的领取时间已过。下次请在小票上写明的时间内扫码。"),
        "en": Saying("Too late", "The time to collect this receipt is over. It is printed on the slip."),
    },
    "future": {
        "zh": Saying("还不能领取", "小票上的时间不对，请几分钟后再试，或联系门店。"),
        "en": Saying("Not yet", "The time on this receipt is not right. Try again in a few minutes, or ask the shop."),
    },
    "void": {
        "zh": Saying("此小票已作废", "门店取消了这张小票（例如退款），所以没有积分。"),
        "en": Saying("This receipt is void", "The shop has canceled it, for example by a refund, so it earns nothing."),
    },
    "contradicted": {
        "zh": Saying("与门店记录不符", "小票上的内容与门店记录不一致，请带小票到门店核对。"),
        "en": Saying(
            "Not what the shop recorded", "This slip and the shop's record differ. Please take it to the shop."
        ),
    },
    "store": {
        "zh": Saying("不是这里的小票", "这张小票不属于本商户的门店。"),
        "en": Saying("Not one of our shops", "This receipt is from a shop that is not ours."),
    },
    "weak_id": {
        "zh": Saying("这张小票不积分", "小票上没有可识别的单号和日期。"),
        "en": Saying("This receipt earns nothing", "It has no number and date that could be read."),
    },
    "confidence": {
        "zh": Saying("这张小票不积分", "金额无法确定，请联系门店。"),
        "en": Saying("This receipt earns nothing", "Its amount is not certain. Please ask the shop."),
    },
    "tender": {
        "zh": Saying("这张小票不积分", "付款方式无法确定，请联系门店。"),
        "en": Saying("This receipt earns nothing", "How it was paid is not certain. Please ask the shop."),
    },
    "unconfirmed": {
        "zh": Saying("这张小票不积分", "按本店规则，这笔消费不参加积分，请联系门店。"),
        "en": Saying("This receipt earns nothing", "The shop's rules leave this purchase out. Please ask the shop."),
    },
    "canceled": {
        "zh": Saying("积分已取消", "门店取消了这张小票，积分已收回。"),
        "en": Saying("Points taken back", "The shop has canceled this receipt."),
    },
    "slow_down": {
        "zh": Saying("请稍后再试", "尝试次数太多，请一分钟后再扫。"),
        "en": Saying("Please wait a minute", "Too many attempts from here. Scan again in a minute."),
    },
    "nothing_here": {
        "zh": Saying("这里没有内容", "请扫描小票上的二维码。"),
        "en": Saying("Nothing here", "Please scan the code on your receipt."),
    },
}

OTHERS = {
    "zh": {"collect": "领取积分", "balance": "您现在共有 {points} 积分", "title": "小票积分", "other": "English"},
    "en": {
        "collect": "Collect points",
        "balance": "You now have {points} points",
        "title": "Receipt points",
        "other": "中文",
    },
}
LANGUAGES = tuple(OTHERS)


def saying(key: str, language: str) -> Saying:
    """The words for it; what isn't in the table is a code that isn't ours."""
    return SAYINGS.get(key, NOT_OURS)[language]
