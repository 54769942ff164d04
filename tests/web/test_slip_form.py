"""A slip's form: whatever it carries, it comes to a table that is judged, or is refused; what nobody touched stays."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from edgebox.errors import ConfigError, PageError
from edgebox.slip_book import judged
from edgebox.slip_files import SHIPPED
from edgebox.web.slip_form import FIELDS, Form, caption_said, done, faults_of, filled_in, lines_said, said, settings_of

FILES = sorted(SHIPPED.glob("*.toml"))
LEAVES = some.none() | some.booleans() | some.integers(-5, 10**6) | some.text(max_size=8)
VALUES = some.recursive(
    LEAVES, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3)
)
BLOCKS = some.fixed_dictionaries({"type": some.sampled_from([*FIELDS, "x"])}).flatmap(
    lambda block: some.dictionaries(
        some.sampled_from(["text", "short", "data", "caption", "beside", "above", "lines", "given", "left"]), VALUES
    ).map(lambda more: {**more, **block})
)
TABLES = some.dictionaries(
    some.sampled_from(["name", "purpose", "when", "limits", "priority", "languages", "link"]), VALUES
).flatmap(lambda table: some.lists(BLOCKS, max_size=4).map(lambda blocks: {**table, "block": blocks}))
DO = some.from_regex(r"\A(add|open|up|down|remove|show)(:\d{1,2})?\Z")


def form_of(table: dict[str, Any], number: int, **more: Any) -> Form:
    """As a browser sends it back with a block open."""
    block = table["block"][number]
    fields: dict[str, Any] = {"b_type": block["type"]}
    for name, how in FIELDS[block["type"]]:
        value = block.get(name)
        if how == "words":
            shown = caption_said(value) if name == "caption" else said(value)
            fields |= {f"b_{name}_{language}": shown[language] for language in ("zh", "en")}
        elif how == "lines":
            for language in ("zh", "en"):
                fields[f"b_{name}_{language}"] = tuple(line[language] for line in lines_said(value))
        elif how == "check":
            fields[f"b_{name}"] = bool(value) if name in block else name == "labelled"
        else:
            plain = {"align": "left", "size": "1", "level": "M"}.get(name, "")
            fields[f"b_{name}"] = plain if value is None else str(value)
    shown = settings_of(table, 2)
    languages = tuple(table.get("languages", ()))
    own = table.get("placement") == "own_slip"
    carried = msgspec.json.encode(table).decode()
    return Form(slip=carried, open=number, languages=languages, own_slip=own, **shown, **fields, **more)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_form_that_nobody_touched_is_the_same_slip(path: Path) -> None:
    table = tomllib.loads(path.read_text("utf-8"))
    for number in range(len(table["block"])):
        after = judged(filled_in(form_of(table, number), 2))
        assert after == judged(table)


@settings(max_examples=150, deadline=None)
@given(table=TABLES, opened=some.integers(-1, 5), do=DO, text=some.text(max_size=12))
def test_whatever_a_form_carries_is_judged_or_refused(table: dict[str, Any], opened: int, do: str, text: str) -> None:
    kind = next((one["type"] for one in table["block"][max(opened, 0) :]), "text")
    carried = msgspec.json.encode(table).decode()
    form = Form(slip=carried, open=opened, do=do, b_type=kind, b_text_zh=text, b_beside_zh=(text,), b_lines=text)
    try:
        after, _ = done(filled_in(form, 2), form)
    except PageError:
        return
    assert len(after["block"]) <= len(table["block"]) + 1
    faults = []
    try:
        judged(after)
    except ConfigError as fault:
        faults = faults_of(fault)
        assert faults, fault  # noqa: PT017 - each fault is told
    assert all(-1 <= one.block < len(after["block"]) for one in faults)
    settings_of(after, 2)
