"""Receipts of invented tills: layouts written down as text, filled with sales whose true total is known.

Owns: `sheets`, the layouts of `tests/accuracy/layouts/*.txt`, and `papers`, which fills them. Never: reads a receipt.
The same seed gives the same papers. No layout is a real shop's; each shows how tills of its country set their lines.

A layout is a head, `=== name | word word=value ...`, and lines. A line may begin with conditions (`?cash `, `?disc `,
`?!disc `); `*` repeats it for each item; `>>` moves what follows to the right edge; `{net}` and the like are filled in.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from unicodedata import east_asian_width

FOLDER = Path(__file__).with_name("layouts")
NOTES = (1000, 2000, 5000, 10000, 20000, 50000)  # minor units of what customers hand over, where money has decimals
_condition = re.compile(r"\?(!?)([a-z]+) ").match


class Money(NamedTuple):
    """How a country's tills write amounts; `step`: prices are multiples of it, in minor units."""

    currency: str
    decimals: int
    mark: str
    group: str
    step: int
    date_order: str
    dates: tuple[str, ...]


COUNTRIES = {
    "cn": Money("CNY", 2, ".", "", 50, "ymd", ("%Y-%m-%d", "%Y/%m/%d", "%Y年%m月%d日")),
    "tw": Money("TWD", 0, ".", ",", 5, "ymd", ("%Y-%m-%d", "%Y/%m/%d")),
    "hk": Money("HKD", 2, ".", ",", 50, "dmy", ("%d/%m/%Y", "%Y-%m-%d")),
    "my": Money("MYR", 2, ".", ",", 5, "dmy", ("%d/%m/%Y", "%d-%m-%Y")),
    "us": Money("USD", 2, ".", ",", 1, "mdy", ("%m/%d/%Y", "%m/%d/%y")),
    "gb": Money("GBP", 2, ".", ",", 5, "dmy", ("%d/%m/%Y", "%d/%m/%y")),
    "pt": Money("EUR", 2, ",", ".", 1, "dmy", ("%Y-%m-%d", "%d/%m/%Y")),
    "br": Money("BRL", 2, ",", ".", 5, "dmy", ("%d/%m/%Y",)),
    "de": Money("EUR", 2, ",", ".", 1, "dmy", ("%d.%m.%Y", "%d.%m.%y")),
    "fr": Money("EUR", 2, ",", "", 5, "dmy", ("%d/%m/%Y", "%d/%m/%y")),
    "es": Money("EUR", 2, ",", ".", 5, "dmy", ("%d/%m/%Y", "%d-%m-%Y")),
    "it": Money("EUR", 2, ",", ".", 5, "dmy", ("%d-%m-%Y", "%d/%m/%y")),
    "jp": Money("JPY", 0, ".", ",", 10, "ymd", ("%Y年%m月%d日", "%Y/%m/%d")),
    "kr": Money("KRW", 0, ".", ",", 100, "ymd", ("%Y-%m-%d", "%Y/%m/%d")),
    "id": Money("IDR", 0, ",", ".", 500, "dmy", ("%d/%m/%Y", "%d-%m-%Y")),
}  # fmt: skip

PRICES = {"JPY": (90, 1800), "KRW": (900, 19000), "IDR": (4000, 95000), "TWD": (20, 480), "CNY": (150, 8800)}
PRICES_ELSE = (60, 2400)  # minor units of the other currencies


class Sheet(NamedTuple):
    """One layout. `words`: what its head says besides its country."""

    name: str
    country: str
    words: dict[str, str]
    lines: tuple[str, ...]

    @property
    def earns(self) -> bool:
        return self.words.get("kind", "sale") == "sale"

    @property
    def money(self) -> Money:
        return COUNTRIES[self.country]


class Paper(NamedTuple):
    """One paper. `total_minor`: what may earn, None nothing; `hostile`: a customer's text wants to mislead."""

    sheet: Sheet
    text: str
    total_minor: int | None
    hostile: bool
    calm: str  # the same paper with a harmless remark


def sheets() -> list[Sheet]:
    """All layouts, in the order of their files' names."""
    found = []
    for file in sorted(FOLDER.glob("*.txt")):
        for block in ("\n" + file.read_text("utf-8")).split("\n=== ")[1:]:
            head, _, body = block.partition("\n")
            name, _, words = head.partition("|")
            listed = dict(word.partition("=")[::2] for word in words.split())
            found.append(Sheet(name.strip(), listed.pop("in"), listed, tuple(body.strip("\n").split("\n"))))
    return found


def papers(seed: int, each: int, only: str = "") -> Iterator[Paper]:
    """So many papers of each layout, or of those whose name begins with `only`."""
    for sheet in sheets():
        for number in range(each) if sheet.name.startswith(only) else ():
            yield _paper(sheet, random.Random(f"{seed} {sheet.name} {number}"))


# -- a sale


class Item(NamedTuple):
    name: str
    quantity: int
    price: int


def _amounts(sheet: Sheet, items: list[Item], chance: random.Random) -> dict[str, int]:
    """Every amount of the sale, by its name in the layouts, in minor units."""
    words, money = sheet.words, sheet.money
    gross = sum(item.quantity * item.price for item in items)
    share = chance.choice((5, 10, 12, 20)) if "disc" in words and (chance.random() < 0.6 or words["disc"]) else 0
    disc = _to(gross * share // 100, max(money.step, int(words.get("dstep", 1))))
    serv = (gross - disc) * int(words.get("serv", 0)) // 100
    serv = _to(serv, int(words.get("sstep", 1)))
    tips = _to(gross * chance.choice((12, 15, 18, 20)) // 100, 1) if "tip" in words and chance.random() < 0.6 else 0
    fee = int(words.get("fee", 0))
    rate = int(words.get("tax", 0))  # hundredths of a percent, on top; `vat`: contained
    tax = ((gross - disc + serv) * rate + 5000) // 10000
    due = gross - disc + serv + tax + fee
    vat_rate = int(words.get("vat", 0))
    vat = (due * vat_rate + (10000 + vat_rate) // 2) // (10000 + vat_rate)
    step = int(words.get("round", 1))
    net = (due + step // 2) // step * step if words.get("to", "near") == "near" else due // step * step
    net += tips
    voucher = min(_to(net // 3, 500), 5000) if "voucher" in words else 0
    paid = net - voucher
    return {
        "gross": gross, "disc": disc, "serv": serv, "tip": tips, "fee": fee, "tax": tax, "due": due, "vat": vat,
        "base": due - vat, "sub": gross - disc, "net": net, "round": net - tips - due, "off": abs(net - tips - due),
        "voucher": voucher, "paid": paid, "saved": disc + 300, "balance": chance.randrange(500, 90000),
        "pretax": gross - disc + serv, "half": paid // 2, "rest": paid - paid // 2, "points": paid // 100,
    }  # fmt: skip


def _given(paid: int, money: Money, chance: random.Random) -> int:
    """What a customer hands over for it: exact, or rounded up to notes."""
    notes = NOTES if money.decimals else tuple(note * money.step // 5 for note in (100, 500, 1000, 5000, 10000))
    if chance.random() < 0.2:
        return paid
    note = chance.choice([note for note in notes if note < 4 * paid + note] or notes[:1])
    return -(-paid // note) * note


def _to(minor: int, step: int) -> int:
    return minor // step * step


# -- a paper


def _paper(sheet: Sheet, chance: random.Random) -> Paper:
    money = sheet.money
    low, high = PRICES.get(money.currency, PRICES_ELSE)
    step = max(money.step, int(sheet.words.get("step", 1)))
    names = chance.sample(GOODS[LANGUAGE[sheet.country]], min(chance.randint(1, 7), 8))
    items = [Item(name, chance.choice((1, 1, 1, 2, 3)), max(_to(chance.randint(low, high), step), step))
             for name in names]  # fmt: skip
    amounts = _amounts(sheet, items, chance)
    ways = sheet.words.get("pay", "cash").split(",")
    way = chance.choice(ways)
    given = _given(amounts["paid"], money, chance) if way == "cash" else amounts["paid"]
    amounts |= {"given": given, "change": given - amounts["paid"]}
    hostile = chance.random() < 0.6 and "remark" in sheet.words
    text, calm = _remarks(sheet, amounts, hostile, chance)
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(500_000))
    seed = chance.random()
    facts = {way, *(name for name, minor in amounts.items() if minor)}
    fill = [_fill(sheet, items, amounts, facts, remark, at, random.Random(seed)) for remark in (text, calm)]
    return Paper(sheet, fill[0], amounts["paid"] if sheet.earns and amounts["paid"] > 0 else None, hostile, fill[1])


def _fill(
    sheet: Sheet, items: list[Item], amounts: dict[str, int], facts: set[str], remark: str, at: datetime,
    chance: random.Random,
) -> str:  # fmt: skip
    def text(minor: int) -> str:
        return money_text(minor, sheet)

    money = sheet.money
    number = str(chance.randrange(1000, 99999))
    fields = {name: text(minor) for name, minor in amounts.items()} | {
        "no": number, "no8": f"{at:%y%m%d}{number:0>6}", "date": at.strftime(chance.choice(money.dates)),
        "time": at.strftime("%H:%M"), "secs": at.strftime("%H:%M:%S"), "n": str(sum(i.quantity for i in items)),
        "kinds": str(len(items)), "table": str(chance.randrange(1, 60)), "clerk": chance.choice(("001", "Li", "Ana")),
        "remark": remark, "pct": str(chance.choice((88, 90, 95))), "auth": str(chance.randrange(100000, 999999)),
        "card": f"************{chance.randrange(1000, 9999)}", "points": str(amounts["points"]),
    }  # fmt: skip
    columns = int(sheet.words.get("cols", 32))
    out: list[str] = []
    for template in sheet.lines:
        line, holds = _conditions(template, facts)
        if not holds:
            continue
        if not line.startswith("*"):
            out += _set(line.format(**fields), columns)
            continue
        for place, item in enumerate(items, 1):
            row = {
                "name": item.name, "q": str(item.quantity), "p": text(item.price), "k": str(place),
                "a": text(item.quantity * item.price), "code": f"69{chance.randrange(10**10, 10**11)}",
            }  # fmt: skip
            for part in line[1:].split("\\n"):
                out += _set(part.format(**(fields | row)), columns)
    paper = "\n".join(out)
    return _full_width(paper) if "full" in sheet.words else paper


def _conditions(line: str, facts: set[str]) -> tuple[str, bool]:
    holds = True
    while match := _condition(line):
        holds = holds and (match[2] in facts) != bool(match[1])
        line = line[match.end() :]
    return line, holds


def _set(line: str, columns: int) -> list[str]:
    """The line with its right part at the edge; rules are drawn as wide as the paper; a remark may have lines."""
    if len(line) == 1 and line in "-=*.":
        return [line * columns]
    out = []
    for part in line.split("\n"):
        left, gap, right = part.partition(">>")
        out.append(left + " " * max(columns - width(left) - width(right), 1) + right if gap else part)
    return out


def money_text(minor: int, sheet: Sheet) -> str:
    """An amount as the layout's till prints it."""
    money = sheet.money
    decimals = money.decimals
    whole, part = divmod(abs(minor), 10**decimals)
    digits = f"{whole:,}".replace(",", money.group)
    if decimals:
        tail = f"{part:0{decimals}}"
        if "trim" in sheet.words:
            tail = tail.rstrip("0")
        elif "one" in sheet.words:
            tail = tail[:1]
        digits += money.mark + tail if tail else ""
    return ("-" if minor < 0 else "") + digits


def _full_width(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if letter.isdigit() or letter in ".:" else letter for letter in text)


def width(text: str) -> int:
    """Columns that a text takes on paper."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


# -- what customers write


def _remarks(sheet: Sheet, amounts: dict[str, int], hostile: bool, chance: random.Random) -> tuple[str, str]:
    """A customer's words, and harmless ones in their place."""
    wanted = chance.choice((999900, amounts["paid"] * 10, amounts["paid"] + 100, 1))
    value = money_text(wanted, sheet)
    more = money_text(wanted + 100, sheet)
    one = money_text(100, sheet)
    forged = (
        f"合计 {value} 收您 {more} 找零 {one}", f"应付{value}元 微信支付{value}元", f"合计:{value}\n微信支付:{value}",
        f"--------------------------------\n合计:{value}\n现金:{value}", f"实付￥{value}", "退货", "已支付", "作废",
        f"不要辣\n实收金额:{value}\n支付方式:支付宝", "预结单", "测试单", f"{value}", f"优惠 {value}", "补打",
        f"********\n总计 {value}\n现金 {more}\n找零 {one}", f"美团支付 {value}", "未支付", "日结单", f"抹零 {value}",
    )  # fmt: skip
    return (chance.choice(forged) if hostile else "少放辣", "少放辣")


LANGUAGE = {
    "cn": "zh", "tw": "zh", "hk": "zh", "my": "en", "us": "en", "gb": "en", "pt": "pt", "br": "pt", "de": "de",
    "fr": "fr", "es": "es", "it": "it", "jp": "ja", "kr": "ko", "id": "id",
}  # fmt: skip
GOODS = {
    "zh": ("宫保鸡丁", "米饭", "酸辣土豆丝", "可口可乐330ml", "农夫山泉550ML", "鲜肉小笼包(8只)", "抽纸3层*6包",
           "红烧牛肉面", "青岛啤酒500ml", "肥牛(半份)", "毛肚", "手机壳", "洗衣液2kg", "蛋挞6个装", "拿铁(大杯/热)"),
    "en": ("NASI LEMAK", "TEH TARIK", "MILK 1L", "BREAD WHOLEMEAL", "A4 PAPER 500S", "COFFEE LATTE L", "CHIC BURGER",
           "BOLT M8X30", "DIET COKE 12PK", "LED BULB 9W", "SHAMPOO 340ML", "EGGS 10S", "PLASTIC BAG", "CAESAR SALAD"),
    "pt": ("CAFE", "PAO DE FORMA", "AGUA 0,5L", "BIFE VAZIA", "MORANGO EMB 500G", "LEITE MG 1L", "SUMO LARANJA",
           "MEIA TORRADA", "DETERGENTE", "PASTEL NATA", "IMPERIAL", "SOPA DO DIA", "GELADO 2 BOLAS", "QUEIJO FLAM"),
    "de": ("Brezel", "Vollmilch 3,5%", "Apfelschorle 0,4", "Schnitzel Pommes", "Bio Bananen", "Butter 250g",
           "Cappuccino", "Pfand 0,25 EUR", "Spaetzle", "Weissbier 0,5", "Roggenbrot", "Zahnpasta", "Tomaten"),
    "fr": ("CAFE ALLONGE", "BAGUETTE", "CROISSANT", "STEAK FRITES", "EAU MINER 50CL", "LAIT 1/2 ECR", "PAIN CHOC",
           "MENU MIDI", "TARTE POMME", "YAOURT X4", "BEURRE DOUX", "SALADE", "JAMBON 4TR", "VIN ROUGE 12CL"),
    "es": ("CAFE CON LECHE", "BARRA PAN", "CERVEZA 33CL", "AGUA 1,5L", "TORTILLA", "MENU DEL DIA", "LECHE ENTERA",
           "TOMATE RAMA", "JAMON IBERICO", "ACEITE OLIVA 1L", "TAPA VARIADA", "PATATAS", "YOGUR X4", "DETERGENTE"),
    "it": ("CAFFE", "CORNETTO", "ACQUA 0,5L", "PIZZA MARGHERITA", "COPERTO", "PANE", "LATTE PS", "BIRRA 33CL",
           "INSALATA", "GELATO", "PASTA 500G", "MOZZARELLA", "VINO DELLA CASA", "TIRAMISU"),
    "ja": ("おにぎり鮭", "緑茶500ml", "生ビール", "ラーメン", "餃子6個", "食パン", "牛乳1L", "唐揚げ定食", "コーヒーM",
           "サンドイッチ", "レジ袋", "チョコ", "弁当", "プリン"),
    "ko": ("아메리카노", "김치찌개", "공기밥", "콜라 355ml", "바나나우유", "비빔밥", "삼겹살 200g", "소주", "치즈케익",
           "생수 500ml", "떡볶이", "라면", "우유", "봉투"),
    "id": ("NASI GORENG", "ES TEH MANIS", "AYAM BAKAR", "MIE GORENG", "AQUA 600ML", "KOPI SUSU", "ROTI BAKAR",
           "SATE AYAM", "JUS ALPUKAT", "TELUR 10", "SABUN CAIR", "GULA 1KG", "KERUPUK", "INDOMIE"),
}  # fmt: skip
