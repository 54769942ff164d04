"""Shops of several countries: what their tills print, in which code page, and how they write money and dates.

Owns: `Shop` and the table of shops. Never: composes (receipts.py). All names are invented; the words are those of the
receipts of each country. Code pages as on Epson printers: ESC t 16 is Windows-1252, FS & the country's own characters.
"""

from __future__ import annotations

from typing import NamedTuple

_LATIN = b"\x1bt\x10"  # ESC t 16: WPC1252
_KANJI = b"\x1c&"  # FS &


class Shop(NamedTuple):
    """One shop. Prices are minor units of `currency`; `codec` is Python's, `select` what makes the printer use it."""

    language: str
    currency: str
    decimals: int
    mark: str  # between whole and part
    group: str  # between thousands
    codec: str
    select: bytes
    cjk: str  # the printer's own characters: PrinterProfile.cjk
    date: str  # strftime
    name: str
    address: str
    goods: tuple[tuple[str, int], ...]
    number: str
    cashier: str
    cashiers: tuple[str, ...]
    subtotal: str
    discount: str
    total: str
    cash: str
    card: str
    change: str
    tax: str  # included in the total
    tax_percent: int
    thanks: str
    refund: str
    kitchen: str
    pre_bill: str
    report: str

    def money(self, minor: int) -> str:
        """As this shop writes it: 1.234,50 or 1,234.50 or 1,234."""
        whole, part = divmod(abs(minor), 10**self.decimals)
        text = f"{whole:,}".replace(",", self.group)
        text = f"{text}{self.mark}{part:0{self.decimals}d}" if self.decimals else text
        return f"-{text}" if minor < 0 else text


SHOPS: tuple[Shop, ...] = (
    Shop(
        language="en",
        currency="GBP",
        decimals=2,
        mark=".",
        group=",",
        codec="cp1252",
        select=_LATIN,
        cjk="none",
        date="%d/%m/%Y %H:%M",
        name="THE COPPER KETTLE",
        address="12 Mill Lane, Leeds",
        goods=(
            ("Flat white", 340),
            ("Bacon roll", 525),
            ("Scone & jam", 410),
            ("Orange juice", 295),
            ("Soup of the day", 685),
        ),
        number="Receipt No",
        cashier="Served by",
        cashiers=("Amy", "Raj"),
        subtotal="Subtotal",
        discount="Discount",
        total="TOTAL",
        cash="Cash",
        card="Visa",
        change="Change",
        tax="VAT incl.",
        tax_percent=20,
        thanks="Thank you, see you soon",
        refund="REFUND",
        kitchen="KITCHEN ORDER",
        pre_bill="PRO FORMA - NOT A RECEIPT",
        report="Z REPORT",
    ),
    Shop(
        language="de",
        currency="EUR",
        decimals=2,
        mark=",",
        group=".",
        codec="cp1252",
        select=_LATIN,
        cjk="none",
        date="%d.%m.%Y %H:%M",
        name="Bäckerei Löwenherz",
        address="Hauptstraße 5, Köln",
        goods=(("Roggenbrot", 449), ("Brezel", 95), ("Käsekuchen", 320), ("Milchkaffee", 290), ("Körnerbrötchen", 85)),
        number="Bon-Nr.",
        cashier="Bediener",
        cashiers=("Jürgen", "Anke"),
        subtotal="Zwischensumme",
        discount="Rabatt",
        total="SUMME EUR",
        cash="Bar",
        card="EC-Karte",
        change="Rückgeld",
        tax="enth. MwSt",
        tax_percent=7,
        thanks="Vielen Dank für Ihren Einkauf",
        refund="RÜCKGABE",
        kitchen="KÜCHENBON",
        pre_bill="ZWISCHENRECHNUNG - KEIN BELEG",
        report="Z-BERICHT",
    ),
    Shop(
        language="fr",
        currency="EUR",
        decimals=2,
        mark=",",
        group=" ",
        codec="cp1252",
        select=_LATIN,
        cjk="none",
        date="%d/%m/%Y %H:%M",
        name="CAFÉ DES HALLES",
        address="3 rue du Marché, Lyon",
        goods=(
            ("Café crème", 380),
            ("Croissant", 140),
            ("Croque-monsieur", 890),
            ("Tarte aux pommes", 560),
            ("Eau gazeuse", 250),
        ),
        number="Ticket N°",
        cashier="Servi par",
        cashiers=("Zoé", "Théo"),
        subtotal="Sous-total",
        discount="Remise",
        total="TOTAL TTC",
        cash="Espèces",
        card="Carte bancaire",
        change="Rendu",
        tax="dont TVA",
        tax_percent=10,
        thanks="Merci de votre visite",
        refund="REMBOURSEMENT",
        kitchen="BON DE CUISINE",
        pre_bill="NOTE PROVISOIRE",
        report="TICKET Z",
    ),
    Shop(
        language="es",
        currency="EUR",
        decimals=2,
        mark=",",
        group=".",
        codec="cp1252",
        select=_LATIN,
        cjk="none",
        date="%d/%m/%Y %H:%M",
        name="Mesón La Cigüeña",
        address="Calle Mayor 8, León",
        goods=(
            ("Caña", 220),
            ("Ración de jamón", 1450),
            ("Tortilla española", 690),
            ("Café con leche", 180),
            ("Piña", 350),
        ),
        number="Factura simplificada",
        cashier="Le atendió",
        cashiers=("Begoña", "Iván"),
        subtotal="Subtotal",
        discount="Descuento",
        total="TOTAL",
        cash="Efectivo",
        card="Tarjeta",
        change="Cambio",
        tax="IVA incluido",
        tax_percent=10,
        thanks="Gracias por su visita",
        refund="DEVOLUCIÓN",
        kitchen="COMANDA",
        pre_bill="PREFACTURA",
        report="CIERRE DE CAJA Z",
    ),
    Shop(
        language="pt",
        currency="EUR",
        decimals=2,
        mark=",",
        group=".",
        codec="cp1252",
        select=_LATIN,
        cjk="none",
        date="%d-%m-%Y %H:%M",
        name="Pastelaria Açucena",
        address="Rua do Sol 21, Évora",
        goods=(
            ("Pastel de nata", 130),
            ("Galão", 160),
            ("Pão com chouriço", 240),
            ("Sumo de maçã", 210),
            ("Bolo de feijão", 195),
        ),
        number="Fatura simplificada",
        cashier="Operador",
        cashiers=("João", "Inês"),
        subtotal="Subtotal",
        discount="Desconto",
        total="TOTAL A PAGAR",
        cash="Numerário",
        card="Multibanco",
        change="Troco",
        tax="IVA incluído",
        tax_percent=23,
        thanks="Obrigado pela preferência",
        refund="NOTA DE CRÉDITO",
        kitchen="PEDIDO COZINHA",
        pre_bill="CONSULTA DE MESA",
        report="FECHO DE CAIXA Z",
    ),
    Shop(
        language="ja",
        currency="JPY",
        decimals=0,
        mark=".",
        group=",",
        codec="shift_jis",
        select=_KANJI + b"\x1cC\x01",
        cjk="shift_jis",
        date="%Y/%m/%d %H:%M",
        name="喫茶さくら",
        address="東京都杉並区",
        goods=(("ブレンドコーヒー", 480), ("チーズケーキ", 550), ("トースト", 380), ("紅茶", 450)),
        number="レシートNo",
        cashier="担当",
        cashiers=("佐藤", "鈴木"),
        subtotal="小計",
        discount="値引",
        total="合計",
        cash="お預り",
        card="クレジット",
        change="お釣り",
        tax="内消費税等",
        tax_percent=10,
        thanks="ありがとうございました",
        refund="返品",
        kitchen="キッチン伝票",
        pre_bill="お会計票",
        report="精算レシート",
    ),
    Shop(
        language="ko",
        currency="KRW",
        decimals=0,
        mark=".",
        group=",",
        codec="euc_kr",
        select=_KANJI,
        cjk="euc_kr",
        date="%Y-%m-%d %H:%M",
        name="행복분식",
        address="서울시 마포구",
        goods=(("김밥", 3500), ("떡볶이", 4500), ("라면", 4000), ("튀김", 3000)),
        number="영수증번호",
        cashier="담당",
        cashiers=("김민수", "이지은"),
        subtotal="소계",
        discount="할인",
        total="합계금액",
        cash="현금",
        card="신용카드",
        change="거스름돈",
        tax="부가세포함",
        tax_percent=10,
        thanks="감사합니다",
        refund="반품",
        kitchen="주방주문서",
        pre_bill="계산서 (미결제)",
        report="마감정산",
    ),
    Shop(
        language="zh-CN",
        currency="CNY",
        decimals=2,
        mark=".",
        group="",
        codec="gb18030",
        select=_KANJI,
        cjk="gb18030",
        date="%Y-%m-%d %H:%M:%S",
        name="老街面馆",
        address="人民路18号",
        goods=(("牛肉面", 2200), ("小笼包", 1800), ("凉拌黄瓜", 850), ("酸梅汤", 600), ("红烧肉", 3850)),
        number="单号",
        cashier="收银员",
        cashiers=("小李", "王芳"),
        subtotal="小计",
        discount="优惠",
        total="合计",
        cash="现金",
        card="银行卡",
        change="找零",
        tax="含税",
        tax_percent=6,
        thanks="谢谢惠顾 欢迎下次光临",
        refund="退货单",
        kitchen="厨房单",
        pre_bill="预结单",
        report="交班日结单",
    ),
    Shop(
        language="zh-TW",
        currency="TWD",
        decimals=0,
        mark=".",
        group=",",
        codec="big5",
        select=_KANJI,
        cjk="big5",
        date="%Y/%m/%d %H:%M",
        name="阿嬤小館",
        address="台北市中山路",
        goods=(("滷肉飯", 45), ("貢丸湯", 40), ("燙青菜", 50), ("珍珠奶茶", 65), ("排骨便當", 110)),
        number="單號",
        cashier="收銀員",
        cashiers=("小美", "阿明"),
        subtotal="小計",
        discount="折扣",
        total="總計",
        cash="現金",
        card="信用卡",
        change="找零",
        tax="內含稅",
        tax_percent=5,
        thanks="謝謝光臨",
        refund="退貨單",
        kitchen="廚房單",
        pre_bill="預結單",
        report="交班報表",
    ),
)


def shop(language: str) -> Shop:
    """The shop of a language; KeyError with the languages there are."""
    for one in SHOPS:
        if one.language == language:
            return one
    raise KeyError(f"{language}: there are {', '.join(s.language for s in SHOPS)}")
