"""Kinds by lines that stand alone, stand out or stand on top; remarks decide nothing."""

import pytest

from edgebox.model import DocumentKind, Modifier, Receipt
from tests.receipt.paper import SHOP, read

PAID = "\n小计 26.00\n合计 26.00\n微信支付 26.00\n"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        ("*** 退货单 ***", DocumentKind.REFUND),
        ("（退款小票）", DocumentKind.REFUND),
        ("交易类型：退款", DocumentKind.REFUND),
        ("<作廢>", DocumentKind.VOID),
        ("反结帐单", DocumentKind.VOID),
        ("培训模式", DocumentKind.TRAINING),
        ("厨打单", DocumentKind.KITCHEN),
        ("【预结单】", DocumentKind.PRE_BILL),
        ("交班报表", DocumentKind.REPORT),
        ("交班人:收银01", DocumentKind.REPORT),
        ("会员充值", DocumentKind.STORED_VALUE),
        ("押金单", DocumentKind.DEPOSIT),
        ("商户联", DocumentKind.MERCHANT_COPY),
        ("报价单", DocumentKind.QUOTE),
        ("*** REFUND ***", DocumentKind.REFUND),
        ("TRANSACTION TYPE: VOID", DocumentKind.VOID),
        ("Z-REPORT", DocumentKind.REPORT),
        ("STORNOBELEG", DocumentKind.VOID),
        ("REMBOURSEMENT", DocumentKind.REFUND),
        ("FACTURA RECTIFICATIVA", DocumentKind.REFUND),
        ("NOTA DE CRÉDITO", DocumentKind.REFUND),
        ("CONSULTA DE MESA", DocumentKind.PRE_BILL),
        ("DOCUMENTO ANNULLATO", DocumentKind.VOID),
        ("TRANSAKSI BATAL", DocumentKind.VOID),
        ("返品", DocumentKind.REFUND),
        ("승인취소", DocumentKind.VOID),
    ],
)
def test_a_heading_names_the_kind_and_it_earns_nothing(head: str, kind: DocumentKind) -> None:
    receipt = read(f"CORNER SHOP\n{head}{PAID}")
    assert (receipt.kind, receipt.qualifies) == (kind, False)


@pytest.mark.parametrize(
    "line",
    [
        "STRICTLY NO CASH REFUND.",
        "OPERATOR TRAINEE CASHIER",
        "凭小票7日内退换货 开票请于当月办理",
        "关注“美团外卖”公众号，获取更多优惠信息",
        "GOODS SOLD ARE NOT RETURNABLE",
        "储值卡余额: 100.00",
        "BAR STOOL 10.00",
    ],
)
def test_words_inside_a_sentence_or_an_item_mean_nothing(line: str) -> None:
    head = "\n".join(f"ITEM {letter} 1.00" for letter in "ABCDEFGH")
    assert read(f"{head}{PAID}{line}").qualifies


def test_a_heading_in_large_letters_counts_wherever_it_stands() -> None:
    items = "\n".join(f"ITEM {letter} 1.00" for letter in "ABCDEFGHIJ")
    assert read(f"{items}\n!后厨 出品{PAID}").kind is DocumentKind.KITCHEN
    assert read(f"{items}\n后厨 出品{PAID}").qualifies


def test_precedence_is_kept() -> None:
    assert read(f"退货单\n作废\n培训模式{PAID}").kind is DocumentKind.TRAINING
    assert read(f"退货单\n作废{PAID}").kind is DocumentKind.VOID


@pytest.mark.parametrize(
    "line", ["補印", "*** 补打联 ***", "REPRINT", "DUPLICATE RECEIPT", "DUPLIKAT", "再発行", "2ª VIA"]
)
def test_a_reprint_is_a_sale_that_earns_nothing_new(line: str) -> None:
    receipt = read(f"CORNER SHOP\n{line}{PAID}")
    assert (receipt.kind, receipt.modifiers, receipt.qualifies) == (DocumentKind.SALE, (Modifier.REPRINT,), False)
    assert receipt.amount_minor == 2600


def test_paid_delivery_orders_earn_unless_the_shop_does_not_want_it() -> None:
    paper = f"#27 美团外卖{PAID}"
    assert (read(paper).kind, read(paper).qualifies) == (DocumentKind.DELIVERY_PLATFORM, True)
    assert not read(paper, SHOP._replace(delivery_earns=False)).qualifies
    assert not read("#27 美团外卖\n小计 26.00\n合计 26.00\n货到付款\n").qualifies


def test_money_put_on_a_card_is_no_sale() -> None:
    assert read("网咖\n充值:50元\n实付金额:50元\n订单支付类型:微信支付").kind is DocumentKind.STORED_VALUE


HOSTILE = [
    "合计 9999 收您 10000 找零 1",
    "实付:0.01",
    "退货",
    "作废",
    "会员充值 5000",
    "交班对账单",
    "实付金额：0.10\n支付方式：微信",
    "结账单(客户联)\n合计 6666.00\n实收 6666.00\n找零 0.00",
    "不是退货单 补打一份",
    "重打",
    "TOTAL 0.01\nCASH 0.01",
]


def alike(receipt: Receipt) -> Receipt:
    """Without what another number of lines changes: their count, and the layout's fingerprint."""
    return receipt._replace(lines=0, details=receipt.details._replace(layout=""))


@pytest.mark.parametrize("remark", HOSTILE)
@pytest.mark.parametrize("key", ["备注：", "订单备注: ", "REMARK: ", "备注\n", " " * 40 + "备注: ", "<<<备注:"])
def test_a_remark_changes_nothing(remark: str, key: str) -> None:
    plain = f"CORNER SHOP\n单号 4711{PAID}--------------------\n"
    receipt, attacked = read(plain), read(f"{plain}{key}{remark}\n")
    assert receipt.qualifies
    assert alike(attacked) == alike(receipt)
    before = read(f"CORNER SHOP\n{key}{remark}\n--------------------\n单号 4711{PAID}--------------------\n")
    assert alike(before) == alike(receipt)


@pytest.mark.parametrize("remark", HOSTILE)
def test_a_customers_name_changes_nothing(remark: str) -> None:
    plain = read(f"CORNER SHOP\n单号 4711\n电话：13800138000{PAID}")
    attacked = read(f"CORNER SHOP\n收件人：{remark}\n单号 4711\n电话：13800138000{PAID}")
    assert alike(attacked) == alike(plain)


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("Refund 1234", "refund"), ("RETOURE Nr. 4711", "refund"), ("AVOIR N° 123", "refund"),
        ("退货单 000123", "refund"),
        ("退款单号：1234", "refund"), ("VOID 0012", "void"), ("STORNO Nr. 12", "void"), ("Ticket Z N° 0345", "report"),
        ("Z-Bericht Nr. 12", "report"), ("预结单 0012", "pre_bill"), ("Zwischenrechnung Nr. 55", "pre_bill"),
    ],
)  # fmt: skip
def test_a_heading_with_its_number_is_a_heading(heading: str, kind: str) -> None:
    receipt = read(f"Shop\nStreet 1\n{heading}\n-------------\nJeans   59.90\nTotal   59.90\nCash   59.90")
    assert receipt.kind.value == kind
    assert not receipt.qualifies
