"""Whatever a customer writes, wherever it is printed: no other amount, no award that isn't due.

Receipts that earn nothing because of such a text are allowed; their share is bounded a little above what is measured.
"""

from collections import Counter

from edgebox.model import Receipt
from tests.receipt.hostile import attacks
from tests.receipt.paper import read

PAPERS = 3000  # in five seconds
ABSTAINED_MAX = 0.145  # of the receipts so attacked, forged rules and totals of several lines; measured 0.131
READ_MIN = 0.95  # of receipts with a harmless text in the same place; measured 0.973


def earned(receipt: Receipt) -> int | None:
    return receipt.amount_minor if receipt.qualifies else None


def test_a_customers_text_never_changes_an_amount_and_never_earns() -> None:
    counts: Counter[str] = Counter()
    for attack in attacks(seed=1, count=PAPERS):
        benign, attacked = earned(read(attack.benign, attack.shop)), earned(read(attack.hostile, attack.shop))
        assert benign in (None, attack.total_minor), attack.benign
        if attack.kind == "sale":
            assert attacked in (None, attack.total_minor), attack.hostile
            counts["sales"] += 1
            counts["read"] += benign is not None
            counts["abstained"] += attacked is None and benign is not None
        else:
            assert attacked is None, attack.hostile
    assert counts["read"] >= READ_MIN * counts["sales"], counts
    assert counts["abstained"] <= ABSTAINED_MAX * counts["read"], counts


def test_every_kind_of_place_and_language_is_attacked() -> None:
    seen = list(attacks(seed=2, count=2000))
    assert {attack.language for attack in seen} == {"en", "de", "fr", "es", "pt", "ja", "ko", "zh-CN", "zh-TW"}
    assert len({attack.where for attack in seen}) >= 14
    assert sum(attack.benign == attack.hostile for attack in seen) < 0.01 * len(seen)  # table "ok" is harmless
