"""Amounts as people type them on the page.

Owns: reading one. Never: writes one (written.py), or reads a receipt's (edgebox/receipt/money.py knows the tills').
"""

from __future__ import annotations

import re

MAJOR_DIGITS = 10  # of the whole part: beyond what any bill says, within what the rules of points take
_AMOUNT = re.compile(rf"(\d{{1,{MAJOR_DIGITS}}})(?:\.(\d*))?", re.ASCII)
_SIGNS = "¥￥€$£ "


def minor_of(text: str, decimals: int) -> int | None:
    """`168`, `168.5`, `¥1,168.00` in minor units; None: that is no amount, or finer than the currency is."""
    plain = text.strip().strip(_SIGNS).replace(",", "").replace("，", "")
    found = _AMOUNT.fullmatch(plain)
    part = (found[2] or "") if found else ""
    if found is None or len(part) > decimals:
        return None
    return int(found[1] + part.ljust(decimals, "0"))
