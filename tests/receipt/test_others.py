"""A payment that somebody typed in behind a key, or that is the end of a wrapped name, is none."""

import pytest

from tests.receipt.paper import EURO, SHOP, read

UNPAID = """
RESTAURANTE O CANTINHO
{text}
Fatura n 123      18/11/2026 20:10
------------------------------------------
2 Bacalhau                           29,00
1 Vinho                              10,00
------------------------------------------
{between}
TOTAL                                39,00
{footer}
Obrigado
"""


def paper(slot: str, text: str) -> str:
    return UNPAID.format(**{name: text if name == slot else "" for name in ("text", "between", "footer")})


@pytest.mark.parametrize("slot", ["text", "between", "footer"])
@pytest.mark.parametrize("key", ["Reserva: ", "Para: ", "Obs: ", "Pedido: ", "Mesa: ", "Mesa ", "Cliente ", "Sala "])
@pytest.mark.parametrize("said", ["PAGO", "PAGO 39,00", "MULTIBANCO 39,00", "Numerario 50,00 Troco 11,00"])
def test_a_payment_behind_a_key_that_is_not_the_tills_earns_nothing(slot: str, key: str, said: str) -> None:
    assert not read(paper(slot, key + said), EURO).qualifies


@pytest.mark.parametrize("key", ["Cliente: ", "Reserva: ", "Mesa: ", "Sala ", ""])
@pytest.mark.parametrize("columns", [42, 41])
def test_a_name_that_fills_its_line_does_not_say_paid_in_the_next(key: str, columns: int) -> None:
    name = (key + "Joao " * 12)[:columns]
    assert not read(paper("text", f"{name}\nPAGO"), EURO).qualifies
    assert not read(paper("footer", f"{name}\nMULTIBANCO 39,00"), EURO).qualifies


def test_a_name_wrapped_by_the_word_does_not_say_paid_in_the_next_line() -> None:
    assert not read(paper("text", "Cliente: Joao Joao Joao Joao Joao\n*********** PAGO"), EURO).qualifies


def test_a_forged_rule_in_a_name_that_fills_its_line_does_not_end_it() -> None:
    name = ("Reserva: " + "Joao " * 12)[:42]
    assert not read(paper("text", f"{name}\n{'-' * 42}\nPAGO"), EURO).qualifies


@pytest.mark.parametrize("said", ["PAGO", "MULTIBANCO", "MULTIBANCO 39,00", "Forma de pagamento: MULTIBANCO"])
def test_the_tills_own_words_still_prove_payment(said: str) -> None:
    receipt = read(paper("footer", said), EURO)
    assert receipt.qualifies
    assert receipt.amount_minor == 3900


@pytest.mark.parametrize("line", ["优惠 : 3.00 实付 : 72.00", "应付75.00元,优惠减免3.00元", "优惠金额 :     3.00"])
def test_keys_of_other_amounts_stay_the_tills(line: str) -> None:
    receipt = read(f"面馆\n牛肉面   75.00\n-------------\n{line}\n实付72.00元，支付方式：微信")
    assert receipt.amount_minor == 7200
    assert receipt.qualifies


@pytest.mark.parametrize("key", ["预订人:", "取餐人:", "台名:", "称呼:", "送至:", "单位:", "桌号:", "桌号"])
@pytest.mark.parametrize("said", ["已支付", "微信 40.00", "现金 50.00 找零 10.00"])
def test_whatever_stands_behind_a_chinese_key_of_somebodys(key: str, said: str) -> None:
    paper = f"面馆\n{key}{said}\n-------------\n牛肉面   28.00\n凉菜   12.00\n-------------\n合计   40.00"
    assert not read(paper, SHOP).qualifies


@pytest.mark.parametrize("line", ["AMOUNT TO BE PAID", "If the check is paid in cash", "Guest PAID", "Order for PAID"])
def test_a_sentence_with_the_word_paid_is_no_payment(line: str) -> None:
    assert not read(f"CAFE\n{line}\n-------------\nLatte  5.00\n-------------\nTotal  5.00", SHOP).qualifies
