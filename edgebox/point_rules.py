"""The points rules in force: the shop's file, or what `[points]` says in four lines.

Owns: which of the two, and that both speak of one currency. Never: what rules mean (edgebox/loyalty/rules.py).
"""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from edgebox.errors import ConfigError
from edgebox.loyalty.rules import ClaimTerms, Qualify, Rules, Tier
from edgebox.rules_file import load_rules
from edgebox.settings import Config

PLAIN_TIER = "base"


def rules_of(config: Config) -> Rules:
    """The rules of `[points] rules`, or plain ones. ConfigError: as load_rules; `bad_rules`: another currency."""
    if not config.points.rules:
        return plain_rules(config)
    rules = load_rules(Path(config.points.rules), config.shop.tz)
    check_currency(rules, config, f"{config.points.rules}: ")
    return rules


def check_currency(rules: Rules, config: Config, where: str = "") -> None:
    """ConfigError `bad_rules`: they are in another currency than the shop's receipts."""
    if rules.currency != config.shop.currency:
        raise ConfigError(
            f"{where}rules in {rules.currency}, but the shop's currency is {config.shop.currency}", reason="bad_rules"
        )


def plain_rules(config: Config) -> Rules:
    """One tier, a minimum, and the ways of paying that earn elsewhere."""
    points = config.points
    return Rules(
        rev=1,
        currency=config.shop.currency,
        tiers=(Tier(PLAIN_TIER, points.spend_per_point),),
        zone=ZoneInfo(config.shop.tz),
        qualify=Qualify(min_spend=points.minimum, skip_tender=frozenset(points.excluded_tenders)),
        claim=ClaimTerms(ttl_s=config.claims.lifetime_hours * 3600),
    )
