"""A slip as a form: its table, one block of it open, and what people did to it.

Owns: which fields a block has on the page, and a form's fields → a slip's table. Pure. Never: judges the table
(edgebox/slip_files.py does, and its faults come back to their blocks here).

The form carries the whole slip as JSON and the fields of the one block that is open, so it stays small on a phone, and
nothing is kept for who never saves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from edgebox.errors import ConfigError
from edgebox.model import format_minor
from edgebox.slip_schema import BLOCKS_MAX, TEXT_MAX
from edgebox.slips.template import Purpose
from edgebox.web.amounts import minor_of
from edgebox.web.refusals import refused

JSON_MAX = 32 << 10
LINES_MAX = 8  # beside a code, as edgebox/slip_schema.py has it
Said = Annotated[str, Meta(max_length=TEXT_MAX + 20)]  # a little more than fits, so that the fault is told
Lines = Annotated[tuple[Said, ...], Meta(max_length=LINES_MAX + 1)]
Short = Annotated[str, Meta(max_length=80)]
Index = Annotated[int, Meta(ge=-1, le=BLOCKS_MAX)]

# Kind of block → its fields and how each is asked for. The order is the one on the page.
FIELDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "text": (
        *(("text", "words"), ("short", "words"), ("align", "align"), ("size", "size")),
        *(("bold", "check"), ("once", "check"), ("given", "field")),
    ),
    "qr": (("data", "line"), ("caption", "words"), ("level", "level"), ("given", "field")),
    "qr_beside": (("data", "line"), ("beside", "lines"), ("above", "lines"), ("given", "field")),
    "barcode": (("data", "line"), ("labelled", "check"), ("given", "field")),
    "columns": (("left", "words"), ("right", "words"), ("each", "rows"), ("bold", "check"), ("given", "field")),
    "image": (("file", "line"), ("given", "field")),
    "rule": (("char", "line"),),
    "feed": (("lines", "number"),),
}
_NEW: Mapping[str, dict[str, Any]] = {
    "text": {"text": {"zh": "谢谢光临", "en": "Thank you"}, "align": "center"},
    "qr": {"data": "{url}"},
    "qr_beside": {"data": "{url}", "beside": [{"text": "{host}"}]},
    "barcode": {"data": "{number}", "labelled": True},
    "columns": {"left": {"zh": "单号", "en": "No."}, "right": "{number}"},
    "image": {"file": "logo.png"},
    "rule": {"char": "-"},
    "feed": {"lines": 1},
}
# For which purposes a setting of the slip means anything; it is shown there alone.
SETTINGS: Mapping[str, frozenset[Purpose]] = {
    "link": frozenset({Purpose.LINK, Purpose.INVOICE, Purpose.PAYMENT, Purpose.SOURCE}),
    "pool": frozenset({Purpose.COUPON, Purpose.SOURCE}),
    "threshold": frozenset({Purpose.PROMOTION, Purpose.COMEBACK}),
    "value": frozenset({Purpose.COMEBACK}),
    "valid_days": frozenset({Purpose.COMEBACK}),
}


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """`slip`: its table as JSON; `open`: which block's fields are in the form, and `b_type` of which kind; `do`: what
    was pressed, `up:3`; `revision`: of the book that was seen; `turn`: buttons pressed so far."""

    slip: Annotated[str, Meta(max_length=JSON_MAX)]
    revision: Annotated[int, Meta(ge=0, le=10**9)] = 0
    turn: Annotated[int, Meta(ge=0, le=10**9)] = 0
    open: Index = -1
    do: Annotated[str, Meta(pattern=r"^[a-z]{0,8}(:\d{1,3})?$")] = ""
    add: Literal["text", "qr", "qr_beside", "barcode", "columns", "image", "rule", "feed"] = "text"
    paper: Literal["58", "80"] = "80"
    speak: Literal["", "zh", "en", "zh-en"] = ""
    line: Annotated[str, Meta(max_length=32)] = ""
    priority: Short = ""
    min_amount: Short = ""
    own_slip: bool = False
    languages: Annotated[tuple[Short, ...], Meta(max_length=4)] = ()
    link: Said = ""
    pool: Short = ""
    threshold: Short = ""
    value: Short = ""
    valid_days: Short = ""
    mm: Short = ""
    narrow_mm: Short = ""
    b_type: Short = ""
    b_text_zh: Said = ""
    b_text_en: Said = ""
    b_short_zh: Said = ""
    b_short_en: Said = ""
    b_caption_zh: Said = ""
    b_caption_en: Said = ""
    b_left_zh: Said = ""
    b_left_en: Said = ""
    b_right_zh: Said = ""
    b_right_en: Said = ""
    b_beside_zh: Lines = ()
    b_beside_en: Lines = ()
    b_above_zh: Lines = ()
    b_above_en: Lines = ()
    b_data: Said = ""
    b_file: Short = ""
    b_char: Short = ""
    b_lines: Short = ""
    b_align: Short = ""
    b_size: Short = ""
    b_level: Short = ""
    b_given: Short = ""
    b_each: Short = ""
    b_bold: bool = False
    b_once: bool = False
    b_labelled: bool = False


class Fault(NamedTuple):
    """What is wrong. `block`: from 0; -1: not of one block. `key`: of slip_faults in the page's words."""

    block: int
    key: str
    words: str = ""


def table_of(form: Form) -> dict[str, Any]:
    """The slip that the form carries, as it was before. PageError `bad_input`."""
    try:
        table = msgspec.json.decode(form.slip, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise refused("bad_input", "slip") from fault
    blocks = table.get("block", [])
    if not isinstance(blocks, list) or len(blocks) > BLOCKS_MAX or not all(isinstance(one, dict) for one in blocks):
        raise refused("bad_input", "block")
    return table | {"block": blocks}


def filled_in(form: Form, decimals: int) -> dict[str, Any]:
    """The slip with what the form's fields say. PageError `bad_input`."""
    table = _with_settings(table_of(form), form, decimals)
    blocks = list(table.get("block", []))
    if 0 <= form.open < len(blocks) and blocks[form.open].get("type") == form.b_type:
        blocks[form.open] = _block(blocks[form.open], form)
    return table | {"block": blocks}


def done(table: Mapping[str, Any], form: Form) -> tuple[dict[str, Any], int]:
    """The slip after the pressed button, and which block is open."""
    what, _, number = form.do.partition(":")
    at, blocks, opened = int(number or -1), list(table["block"]), form.open
    if what == "add" and len(blocks) < BLOCKS_MAX:
        blocks.append({"type": form.add, **_NEW[form.add]})
        opened = len(blocks) - 1
    elif what == "open":
        opened = -1 if opened == at else at
    elif not 0 <= at < len(blocks):
        pass
    elif what == "remove":
        del blocks[at]
        opened = -1 if opened == at else opened - (opened > at)
    elif what in ("up", "down"):
        to = at + (1 if what == "down" else -1)
        if 0 <= to < len(blocks):
            blocks[at], blocks[to] = blocks[to], blocks[at]
            opened = {at: to, to: at}.get(opened, opened)
    return dict(table) | {"block": blocks}, opened if opened < len(blocks) else -1


def faults_of(fault: ConfigError) -> list[Fault]:
    """Each fault of a slip, at its block."""
    found = []
    for line in str(fault.args[0]).splitlines()[:40]:
        words = line.partition(": ")[2]
        number = re.match(r"block (\d+)", words)
        block = int(number[1]) - 1 if number else -1
        found.append(next((Fault(block, key, m[1]) for key, pattern in _KNOWN if (m := re.search(pattern, words))),
                          Fault(block, "other", words)))  # fmt: skip
    return found


_KNOWN = (
    ("no_field", r"no field '([^']{0,40})'"),
    ("no_words", r"no words in (.*)"),
    ("brace", r"(?:is no field: only a name|expected '\}'|Single '|unexpected)()"),
    ("no_claim", r"without a code of \{url\}()"),
    ("threshold", r"a promotion needs threshold()"),
    ("comeback", r"a comeback coupon, which needs()"),
    ("no_blocks", r"\[\[block\]\]: expected()"),
    ("too_long", r"of length <= (\d+)"),
    ("missing", r"missing required field `(\w+)`"),
    ("number", r"Expected `int`()"),
)


# -- fields


def said(text: Any) -> dict[str, str]:
    """A slip's text in each language: for inputs."""
    if isinstance(text, str):
        return {"zh": text, "en": text}
    known = text if isinstance(text, dict) else {}
    return {language: known[language] if isinstance(known.get(language), str) else "" for language in ("zh", "en")}


def lines_said(lines: Any) -> list[dict[str, str]]:
    """Lines beside a code, and an empty one to add."""
    known = [said(one.get("text", "")) for one in lines if isinstance(one, dict)] if isinstance(lines, list) else []
    return known + ([{"zh": "", "en": ""}] if len(known) < LINES_MAX else [])


def caption_said(caption: Any) -> dict[str, str]:
    """The line below a code."""
    return said(caption.get("text", "")) if isinstance(caption, dict) else said("")


def settings_of(table: Mapping[str, Any], decimals: int) -> dict[str, str]:
    """The slip's own settings: for inputs."""
    when, limits = table.get("when", {}), table.get("limits", {})
    when, limits = (one if isinstance(one, dict) else {} for one in (when, limits))
    amounts = {
        "threshold": table.get("threshold_minor"), "value": table.get("value_minor"),
        "min_amount": when.get("min_minor"),
    }  # fmt: skip
    plain = {
        **{name: table.get(name) for name in ("priority", "link", "pool", "valid_days")},
        "mm": limits.get("mm"), "narrow_mm": limits.get("narrow_mm"),
    }  # fmt: skip
    written = {name: format_minor(one, decimals) if isinstance(one, int) else one for name, one in amounts.items()}
    return {name: "" if one in (None, 0) else str(one) for name, one in (plain | written).items()}


def _with_settings(table: dict[str, Any], form: Form, decimals: int) -> dict[str, Any]:
    purpose = str(table.get("purpose"))
    changed: dict[str, Any] = {"priority": _number(form.priority), "languages": list(form.languages)}
    changed["placement"] = "own_slip" if form.own_slip else None
    for name, purposes in SETTINGS.items():
        if purpose in purposes:
            value = getattr(form, name).strip()
            is_amount = name in ("threshold", "value")
            key = f"{name}_minor" if is_amount else name
            changed[key] = _minor(value, decimals) if is_amount else _number(value) if name == "valid_days" else value
    table |= changed
    for name, more in (
        ("when", {"min_minor": _minor(form.min_amount, decimals)}),
        ("limits", {"mm": _number(form.mm), "narrow_mm": _number(form.narrow_mm)}),
    ):
        known = table.get(name) if isinstance(table.get(name), dict) else {}
        table[name] = _kept({**known, **more})  # type: ignore[dict-item]
    return _kept(table)


def _block(block: Mapping[str, Any], form: Form) -> dict[str, Any]:
    new: dict[str, Any] = dict(block)
    for name, how in FIELDS.get(str(block.get("type")), ()):
        if how == "words":
            new[name] = _words(getattr(form, f"b_{name}_zh"), getattr(form, f"b_{name}_en"), block.get(name), name)
        elif how == "lines":
            pairs = zip(getattr(form, f"b_{name}_zh"), getattr(form, f"b_{name}_en"), strict=False)
            new[name] = _lines(list(pairs), block.get(name))
        else:
            value = getattr(form, f"b_{name}")
            new[name] = _number(value) if how in ("number", "size") else value
    return {name: value for name, value in new.items() if value not in (None, "")}


def _words(zh: str, en: str, before: Any, name: str) -> Any:
    zh, en = zh.strip(), en.strip()
    text: Any = zh if zh == en else {key: value for key, value in (("zh", zh), ("en", en)) if value}
    if name == "caption":
        return {**(before if isinstance(before, dict) else {}), "text": text} if text else None
    if not text:  # a short wording of nothing leaves the line out; where there was none, there is none
        return {} if name == "text" or before == {} else None
    return text


def _lines(pairs: Sequence[tuple[str, str]], before: Any) -> list[dict[str, Any]]:
    """Lines that were left empty are gone; what the page doesn't ask for stays as it was."""
    known = before if isinstance(before, list) else []
    found = []
    for at, (zh, en) in enumerate(pairs):
        old = known[at] if at < len(known) and isinstance(known[at], dict) else {}
        if zh.strip() or en.strip():
            found.append({**old, "text": _words(zh, en, None, "text")})
    return found


def _kept(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value not in (None, "", [], {})}


def _number(text: str) -> Any:
    """A number; else the text, and the judge says that it is none."""
    plain = text.strip()
    return int(plain) if re.fullmatch(r"-?\d{1,9}", plain, re.ASCII) else plain or None


def _minor(text: str, decimals: int) -> Any:
    return (minor_of(text, decimals) if minor_of(text, decimals) is not None else text.strip()) or None
