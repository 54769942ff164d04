"""Campaigns: more points for a while, and how several of them go together.

Owns: which campaigns are in force for an amount and a time, and what they make together. Never: money or points; it
hands back a factor as a fraction and a number of bonus points, exact.

They are taken in order of priority, the lowest number first, and of id where that is equal: never in the order in which
they were written or edited. Within a group each says how it joins what stands there already; groups multiply each other
and their bonuses add up.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from edgebox.loyalty.windows import ALWAYS, Window

PLAIN_PCT = 100


class Stack(StrEnum):
    """How a campaign joins the others of its group."""

    MAX = "max"  # the better one counts
    MULTIPLY = "multiply"  # 150 % on 200 % are 300 %
    ADD = "add"  # 150 % on 200 % are 250 %
    EXCLUSIVE = "exclusive"  # alone in its group, whatever the others offer


class Campaign(NamedTuple):
    """`multiply_pct` ≥ 100: of the points; `bonus`: points on top. `stop`: those after it are not looked at."""

    id: str
    when: Window = ALWAYS
    min_spend: int = 0
    multiply_pct: int = PLAIN_PCT
    bonus: int = 0
    stack: Stack = Stack.MAX
    group: str = ""
    priority: int = 100
    stop: bool = False


class Boost(NamedTuple):
    """What the campaigns make together: points × `numerator` ÷ `denominator`, and `bonus` on top."""

    numerator: int = 1
    denominator: int = 1
    bonus: int = 0
    applied: tuple[str, ...] = ()


def in_force(campaigns: Iterable[Campaign], local: datetime, trusted: bool) -> list[Campaign]:
    """Those whose window is open, in order. Without a trusted clock only those that need none."""
    found = [c for c in campaigns if c.when.is_always or (trusted and c.when.covers(local))]
    return sorted(found, key=lambda campaign: (campaign.priority, campaign.id))


def thresholds(campaigns: Iterable[Campaign], amount_minor: int) -> list[int]:
    """The minimum spends that an amount reaches, nought among them."""
    return sorted({0} | {c.min_spend for c in campaigns if c.min_spend <= amount_minor})


def combine(campaigns: Iterable[Campaign], amount_minor: int) -> Boost:
    """What campaigns in force make of an amount. They come in order, as `in_force` hands them."""
    groups: dict[str, _Group] = {}
    for campaign in campaigns:
        if campaign.min_spend > amount_minor:
            continue
        group = groups.setdefault(campaign.group, _Group())
        if group.is_taken:
            continue
        if campaign.stack is Stack.EXCLUSIVE:  # nothing of the others stays
            group = groups[campaign.group] = _Group(is_taken=True)
        group.join(campaign)
        if campaign.stop:
            break
    return _together(groups.values())


# -- inside


class _Group:
    """What stands in one group: a factor, a bonus, and whose they are."""

    __slots__ = ("bonus", "bonus_of", "denominator", "factor_of", "is_taken", "numerator")

    def __init__(self, *, is_taken: bool = False) -> None:
        self.is_taken = is_taken
        self.numerator = self.denominator = 1
        self.bonus = 0
        self.factor_of: list[str] = []
        self.bonus_of: list[str] = []

    def join(self, campaign: Campaign) -> None:
        if campaign.multiply_pct != PLAIN_PCT:
            self._join_factor(campaign)
        if campaign.bonus:
            self._join_bonus(campaign)

    def _join_factor(self, campaign: Campaign) -> None:
        pct = campaign.multiply_pct
        if campaign.stack is Stack.MULTIPLY:
            self.numerator, self.denominator = self.numerator * pct, self.denominator * PLAIN_PCT
        elif campaign.stack is Stack.ADD:
            more = (pct - PLAIN_PCT) * self.denominator
            self.numerator, self.denominator = self.numerator * PLAIN_PCT + more, self.denominator * PLAIN_PCT
        elif pct * self.denominator > self.numerator * PLAIN_PCT:
            self.numerator, self.denominator, self.factor_of = pct, PLAIN_PCT, []
        else:
            return
        self.factor_of.append(campaign.id)

    def _join_bonus(self, campaign: Campaign) -> None:
        if campaign.stack in (Stack.ADD, Stack.MULTIPLY):
            self.bonus += campaign.bonus
        elif campaign.bonus > self.bonus:
            self.bonus, self.bonus_of = campaign.bonus, []
        else:
            return
        self.bonus_of.append(campaign.id)


def _together(groups: Iterable[_Group]) -> Boost:
    numerator = denominator = 1
    bonus, applied = 0, set[str]()
    for group in groups:
        numerator, denominator = numerator * group.numerator, denominator * group.denominator
        bonus += group.bonus
        applied.update(group.factor_of, group.bonus_of)
    return Boost(numerator, denominator, bonus, tuple(sorted(applied)))
