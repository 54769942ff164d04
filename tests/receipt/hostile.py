"""Papers with a customer's text on them that wants to be a total, a payment or another kind of document.

Owns: `attacks`, which composes benign papers of many languages and puts hostile text in every place where a customer's
or a staff's own words can stand. The same seed gives the same papers. No real shop, and no word of the reader's tables:
the words are the till's own, as the simulated shops print them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from unicodedata import east_asian_width

from edgebox.receipt.money import Convention
from edgebox.receipt.reader import Shop
from edgebox.receipt.totals import Rules
from hw_sim import receipts
from hw_sim.receipt_words import SHOPS
from hw_sim.receipt_words import Shop as Till

COLUMNS = (32, 42, 48)  # of 58 and 80 mm paper
# What stands before a customer's words, as the forms of each language print it.
REMARK = {
    "en": ("Remark:", "Note: ", "Special request: "),
    "de": ("Bemerkung:", "Hinweis: "),
    "fr": ("Remarque :", "Commentaire: "),
    "es": ("Observaciones:", "Comentario: "),
    "pt": ("Observações:", "Notas: "),
    "ja": ("備考:", "ご要望："),
    "ko": ("요청사항:", "메모: "),
    "zh-CN": ("备注:", "订单备注：", "顾客留言："),
    "zh-TW": ("備註:", "備註："),
}
NAME = {
    "en": "Customer:", "de": "Kunde:", "fr": "Client:", "es": "Cliente:", "pt": "Cliente:",
    "ja": "お名前：", "ko": "고객명:", "zh-CN": "姓名：", "zh-TW": "客戶：",
}  # fmt: skip
TABLE = {
    "en": "Table ", "de": "Tisch ", "fr": "Table ", "es": "Mesa ", "pt": "Mesa ",
    "ja": "テーブル:", "ko": "테이블:", "zh-CN": "桌号：", "zh-TW": "桌號：",
}  # fmt: skip
# Keys that no list of the reader's has, and tills print all the same: who booked, for whom, where to.
BOOKED = {
    "en": "Booked for: ", "de": "Reserviert für: ", "fr": "Réservé pour : ", "es": "Reserva: ", "pt": "Reserva: ",
    "ja": "ご予約：", "ko": "예약자: ", "zh-CN": "预订人：", "zh-TW": "訂位人：",
}  # fmt: skip
HEADING = {
    "en": "Item  Qty  Price  Amount", "de": "Artikel  Menge  Preis  Betrag", "fr": "Article  Qté  Prix  Montant",
    "es": "Artículo  Cant  Precio  Importe", "pt": "Artigo  Qtd  Preço  Valor", "ja": "品名  数量  単価  金額",
    "ko": "상품명  단가  수량  금액", "zh-CN": "品名  数量  单价  金额", "zh-TW": "品名  數量  單價  金額",
}  # fmt: skip
PAID = {
    "en": "PAID", "de": "bezahlt", "fr": "PAYÉ", "es": "PAGADO", "pt": "PAGO",
    "ja": "支払済", "ko": "결제완료", "zh-CN": "支付方式：微信支付(已支付)", "zh-TW": "已付款",
}  # fmt: skip


class Attack(NamedTuple):
    """One paper twice. `where` and `kind` name what was done; `shop` is how the reader is set up."""

    where: str
    kind: str  # sale | unpaid | kitchen | refund
    language: str
    shop: Shop
    total_minor: int | None  # what may earn
    benign: str
    hostile: str


def attacks(seed: int, count: int) -> Iterator[Attack]:
    """So many papers."""
    chance = random.Random(seed)
    for _ in range(count):
        till = chance.choice(SHOPS)
        yield _attack(till, chance)


def reader_shop(till: Till) -> Shop:
    """How a person would set the box up in that shop."""
    convention = Convention(till.decimals, till.mark, till.group)
    rules = Rules(decimals=till.decimals)
    order = "dmy" if till.cjk == "none" else "ymd"
    return Shop(currency=till.currency, convention=convention, rules=rules, date_order=order)


# -- the paper


class _Paper:
    """Lines with named places between them where a customer's text can stand."""

    def __init__(self, till: Till, columns: int) -> None:
        self.till, self.columns = till, columns
        self.rows: list[str] = []
        self.slots: dict[str, int] = {}

    def pair(self, left: str, right: str) -> None:
        self.rows.append(left + " " * max(self.columns - width(left) - width(right), 1) + right)

    def rule(self) -> None:
        self.rows.append("-" * self.columns)

    def slot(self, name: str) -> None:
        self.slots[name] = len(self.rows)

    def with_text(self, slot: str, lines: Sequence[str]) -> str:
        at = self.slots[slot]
        return "\n".join([*self.rows[:at], *lines, *self.rows[at:]])


def _paper(till: Till, sale: receipts.Basket, kind: str, chance: random.Random) -> _Paper:
    paper = _Paper(till, chance.choice(COLUMNS))
    heading, rules = chance.random() < 0.7, chance.random() < 0.9
    sign = -1 if kind == "refund" else 1
    paper.rows += [till.name, till.address]
    if kind == "refund":
        paper.rows.append(f"*** {till.refund} ***")
    paper.pair(f"{till.number}: {sale.number}", sale.at.strftime(till.date))
    paper.slot("header")
    if rules or not heading:
        paper.rule()
    if heading:
        paper.rows.append(HEADING[till.language])
    for place, (name, quantity, price) in enumerate(sale.lines):
        paper.slot("under an item" if place else "item")
        paper.pair(f"{quantity} x {name}", till.money(sign * quantity * price) if kind != "kitchen" else "")
    if kind == "kitchen":
        paper.slot("footer")
        return paper
    if rules:
        paper.rule()
    _totals(paper, till, sale, kind, chance)
    return paper


def _totals(paper: _Paper, till: Till, sale: receipts.Basket, kind: str, chance: random.Random) -> None:
    sign = -1 if kind == "refund" else 1
    if chance.random() < 0.3:
        paper.slot("between")
        paper.rule()
    if sale.discount_minor:
        paper.pair(till.subtotal, till.money(sign * sale.subtotal_minor))
        paper.pair(till.discount, till.money(-sign * sale.discount_minor))
    paper.pair(till.total, till.money(sign * sale.total_minor))
    if kind != "unpaid":
        if sale.tender == "cash" and sign > 0:
            paper.pair(till.cash, till.money(sale.given_minor))
            paper.pair(till.change, till.money(sale.change_minor))
        else:
            paper.pair(till.card, till.money(sign * sale.total_minor))
    if chance.random() < 0.5:
        paper.rule()
    paper.slot("footer")
    if chance.random() < 0.3:
        paper.rule()
    paper.rows.append(till.thanks)


# -- the text


def _attack(till: Till, chance: random.Random) -> Attack:
    sale = receipts.basket(till, chance)
    kind = chance.choice(("sale", "sale", "sale", "unpaid", "unpaid", "kitchen", "refund"))
    paper = _paper(till, sale, kind, chance)
    slot = chance.choice(list(paper.slots))
    text = _text(till, sale, paper.columns, chance)
    forms = [form for form in FORMS[slot] if kind != "kitchen" or "item name" not in form]  # those are the shop's own
    form = chance.choice(forms)
    benign, hostile = (_form(form, till, one, paper.columns, kind) for one in (["ok"], text))
    return Attack(
        f"{form} in {slot}", kind, till.language, reader_shop(till), sale.total_minor if kind == "sale" else None,
        paper.with_text(slot, benign), paper.with_text(slot, hostile),
    )  # fmt: skip


FORMS = {
    "header": ("remark", "remark alone", "heading", "name", "booked", "table", "address"),
    "item": ("remark", "choice", "item name", "item name of several lines"),
    "under an item": ("remark", "choice", "item name", "item name of several lines"),
    "between": ("remark", "remark alone", "heading", "booked"),
    "footer": ("remark", "remark alone", "heading", "name", "booked"),
}


def _form(form: str, till: Till, text: Sequence[str], columns: int, kind: str) -> list[str]:
    """The customer's text as the till prints it in such a place."""
    key = REMARK[till.language][0]
    price = "" if kind == "kitchen" else till.money(till.goods[0][1])
    if form == "remark":
        return wrap([key + text[0], *text[1:]], columns)
    if form == "remark alone":
        return wrap([key, *text], columns)
    if form == "heading":
        return wrap([key.rstrip(" :："), *text], columns)
    if form == "booked":
        return wrap([BOOKED[till.language] + " ".join(text)], columns)
    if form == "name":
        return wrap([NAME[till.language] + " ".join(text)], columns)
    if form == "address":
        return wrap([("地址：" if till.language.startswith("zh") else "Tel: ") + " ".join(text)], columns)
    if form == "table":
        return [TABLE[till.language] + _worst(text)[: columns // 2]]
    if form == "choice":
        if till.cjk == "none":
            return [f"  + {line}" for line in text]
        return [f"  ●{text[0]}", *text[1:]]
    if form == "item name":
        return [f"1 x {_worst(text)}  {price}"]
    return [f"1 x {text[0]}", *text[1:], f"   1   {price}   {price}" if price else "   1"]


def _text(till: Till, sale: receipts.Basket, columns: int, chance: random.Random) -> list[str]:
    """What the customer wrote: some lines."""
    total = chance.choice((1, 999900, sale.total_minor, sale.total_minor * 10, sale.total_minor + 100))
    if not till.decimals:
        total = max(total, 10)
    money = till.money
    rule = chance.choice(("-" * columns, "=" * columns, "- " * (columns // 2), "*" * columns, "-----", "——————————"))
    forged = [
        f"{till.total} {money(total)} {till.cash} {money(total + 100)} {till.change} {money(100)}",
        f"{till.total}: {money(total)}",
        f"{till.total}:{money(total)}\n{till.card}:{money(total)}",
        f"{till.total}  {money(total)}\n{till.cash}  {money(total + 100)}\n{till.change}  {money(100)}",
        f"{till.cash} {money(total)}",
        f"{till.refund}",
        f"{till.pre_bill}",
        f"{till.report}",
        f"{PAID[till.language]}",
        f"{till.subtotal} {money(total * 2)} {till.discount} {money(total)} {till.total} {money(total)}",
        f"1 x {till.goods[0][0]}  {money(total)}\n{till.total}  {money(total)}\n{till.card}  {money(total)}",
        f"{till.goods[0][0]} ok\n{till.total} -{money(total)}",
    ]
    lines = chance.choice(forged).split("\n")
    before = chance.choice(([], [], [], ["ok"], ["ok", rule], [rule], [f"******{till.total}******"], ["ok", rule, ""]))
    if chance.random() < 0.15:
        before = ["ok", rule, HEADING[till.language]]
    after = chance.choice(([], [], [rule], ["ok"]))
    lines = [line for line in (*before, *lines, *after) if line]
    if till.cjk != "none" and chance.random() < 0.3:
        lines = [_full_width(line) for line in lines]
    return lines


def _worst(text: Sequence[str]) -> str:
    """The line that says most, where there is room for one."""
    return max(text, key=lambda line: sum(letter.isalnum() for letter in line))


def _full_width(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)


def width(text: str) -> int:
    """Columns that a text takes on paper."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def wrap(lines: Sequence[str], columns: int) -> list[str]:
    """Lines broken where the paper ends, as tills that wrap by themselves do."""
    out: list[str] = []
    for line in lines:
        row = ""
        for letter in line:
            if width(row + letter) > columns:
                out.append(row)
                row = ""
            row += letter
        out.append(row)
    return out
