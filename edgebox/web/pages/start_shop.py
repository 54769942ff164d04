"""First start, the shop: its name and trade, and how its receipts write amounts and dates."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.web import first_start
from edgebox.web.first_start import Step, keyed, shown
from edgebox.web.roles import INSTALLERS
from edgebox.web.routes import action, page
from edgebox.web.visit import Visit

# How amounts are written: an example, decimals, mark before them, mark between thousands.
MARKS = (
    ("1,234.50", 2, ".", ","),
    ("1.234,50", 2, ",", "."),
    ("1 234,50", 2, ",", " "),
    ("1'234.50", 2, ".", "'"),
    ("1,234", 0, ".", ","),
    ("1.234", 0, ",", "."),
    ("1,234.500", 3, ".", ","),
)
# One day as each order writes it.
DATES = {"ymd": "2026-11-18", "dmy": "18/11/2026", "mdy": "11/18/2026"}
# Suggestions, by ISO 4217; any three capitals may be typed.
CURRENCIES = ("CNY", "HKD", "TWD", "EUR", "USD", "GBP", "JPY", "KRW", "SGD", "IDR", "BRL", "MXN", "CHF", "AUD")
# Words that rules may name ([claim] ttl_by_trade in config/rules/example.toml); another one stays as it is.
TRADES = ("", "restaurant", "noodles", "cafe", "bar", "bakery", "grocery", "pharmacy", "clothes", "beauty", "other")
# What the languages of slips can be ([slip] languages).
SPEAKS = {"zh": ["zh"], "en": ["en"], "zh_en": ["zh", "en"]}


class ShopForm(msgspec.Struct, frozen=True, kw_only=True):
    """`marks`: a row of MARKS, or the one behind the last: as they are; `speaks`: of SPEAKS."""

    name: Annotated[str, Meta(max_length=64)] = ""
    trade: Annotated[str, Meta(max_length=32)] = ""
    currency: Annotated[str, Meta(max_length=3)] = "CNY"
    marks: Annotated[int, Meta(ge=0, le=len(MARKS))] = 0
    dates: Literal["ymd", "dmy", "mdy"] = "ymd"
    speaks: Literal["zh", "en", "zh_en"] = "zh"
    tz: Annotated[str, Meta(max_length=64)] = "Asia/Shanghai"

    def values(self) -> dict[str, Any]:
        """As settings."""
        shop: dict[str, Any] = {
            "name": " ".join(self.name.split()), "trade": self.trade, "currency": self.currency.upper(),
            "date_order": self.dates, "tz": self.tz,
        }  # fmt: skip
        if self.marks < len(MARKS):
            _, shop["decimals"], shop["decimal_mark"], shop["group_marks"] = MARKS[self.marks]
        return {**keyed("shop", shop), **keyed("slip", {"languages": SPEAKS[self.speaks]})}


@page("/start/shop", INSTALLERS)
async def shop(visit: Visit) -> Response:
    """Name, trade, money, dates, language, time zone."""
    progress = await first_start.read(visit.office.store)
    config = await first_start.would_be(visit, progress)
    shop, slip = config.shop, config.slip
    marks = (shop.decimals, shop.decimal_mark, shop.group_marks)
    form = ShopForm(
        name=shop.name, trade=shop.trade, currency=shop.currency, dates=shop.date_order, tz=shop.tz,
        marks=next((at for at, row in enumerate(MARKS) if row[1:] == marks), len(MARKS)),
        speaks=_speaks(slip.languages),
    )  # fmt: skip
    return await _shop(visit, form)


def _speaks(languages: tuple[str, ...]) -> Literal["zh", "en", "zh_en"]:
    if len(languages) > 1:
        return "zh_en"
    return "en" if languages == ("en",) else "zh"


@action("/start/shop", INSTALLERS, takes=ShopForm)
async def take_shop(visit: Visit, form: ShopForm) -> Response:
    """Answered."""
    bad = await first_start.answered(visit, Step.SHOP, form.values())
    if bad:
        return await _shop(visit, form, bad.rpartition(".")[2])
    return visit.done(f"/start/{Step.SHOP.next.value}")


async def _shop(visit: Visit, form: ShopForm, bad: str = "") -> Response:
    fault = ("zone" if bad == "tz" else "currency" if bad == "currency" else "answer") if bad else ""
    trades = TRADES if form.trade in TRADES else (*TRADES, form.trade)
    return await shown(
        visit, Step.SHOP, status=422 if bad else 200, fault=fault, form=form, marks=MARKS, dates=DATES, trades=trades,
        currencies=CURRENCIES, speaks=tuple(SPEAKS), known_trades=TRADES,
        zones=sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")),
    )  # fmt: skip
