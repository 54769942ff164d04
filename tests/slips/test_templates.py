"""Templates: the shipped ones print everywhere and their codes can be read; a bad one is named with all its faults."""

from pathlib import Path

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st

from edgebox.errors import ConfigError, SlipError
from edgebox.escpos.blocks import Text
from edgebox.escpos.compose import Press
from edgebox.escpos.profile import PrinterProfile
from edgebox.line.insertion import check
from edgebox.paper.draw import draw
from edgebox.paper.letters import text_raster
from edgebox.printers import load_printers
from edgebox.slip_files import SHIPPED, load_slip, load_slips, slip_from
from edgebox.slips import qr
from edgebox.slips.facts import Facts, Money, cleaned, facts, sample_facts
from edgebox.slips.self_test import CODES, self_test
from edgebox.slips.strip import Chosen, Means, composed, strip
from edgebox.slips.template import Purpose, Template
from edgebox.slips.wording import Sheet, code128, wordings

ROOT = Path(__file__).parents[2]
PRINTERS = {name: found for name, found in load_printers(ROOT / "config" / "printers").items() if found.insert}
# One printer for each kind of paper and letters: the rest print the same.
KINDS = {(found.dots, found.dpi, found.columns, found.cjk): name for name, found in PRINTERS.items()}
SLIPS = load_slips()
MEANS = Means(("zh", "en"))
WAYS = {
    "native": {"qr_native": True},
    "gs_v_0": {"qr_native": False},
    "esc_star": {"qr_native": False, "raster": "esc_star"},
}


def press(printer: PrinterProfile, **keys: object) -> Press:
    return Press(printer._replace(**keys), matrix=qr.matrix, text_raster=text_raster)


def paper_of(raw: bytes, printer: PrinterProfile):  # type: ignore[no-untyped-def]
    return draw(b"SHOP\n\x1c." + raw + b"\x1ba\x00\x1b2\x1bd\x04\x1dV\x00", printer)


def codes_on(image) -> list[str]:  # type: ignore[no-untyped-def]
    return sorted(found.text for found in zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["generic-58", "xprinter-xp-80"])
@pytest.mark.parametrize("name", sorted(SLIPS))
def test_every_shipped_slip_prints_and_its_code_is_read_from_the_paper(name: str, kind: str, way: str) -> None:
    template, printer = SLIPS[name], PRINTERS[kind]._replace(**WAYS[way])
    said = sample_facts(template.purpose)
    body = composed(Chosen(template, said), press(printer), MEANS)
    assert check(body.raw, printer).reason == "", "the line would refuse it"
    if "url" in said.values:
        assert codes_on(paper_of(body.raw, printer)) == [said.values["url"]]
        assert body.module_dots >= 4


@pytest.mark.parametrize("kind", KINDS.values())
def test_every_shipped_slip_keeps_its_limits_on_every_kind_of_paper(kind: str) -> None:
    for template in SLIPS.values():
        body = composed(Chosen(template, sample_facts(template.purpose)), press(PRINTERS[kind]), MEANS)
        limits = template.limits
        most = limits.narrow_mm if PRINTERS[kind].dots <= 432 else limits.mm
        assert not most or body.height_mm <= most, template.name


@pytest.mark.parametrize("gap", [1, 7, 40], ids="{} dots apart".format)
@pytest.mark.parametrize("kind", ["generic-58", "generic-80"])
def test_three_dead_dots_of_the_head_do_not_spoil_a_code(kind: str, gap: int) -> None:
    """Neighbours are tried in the middle only: through the edge of a finder pattern (4 in 100 places) three
    of them, at 6 dots a module, are too much for zxing."""
    printer = PRINTERS[kind]
    for template in SLIPS.values():
        said = sample_facts(template.purpose)
        if "url" not in said.values:
            continue
        body = composed(Chosen(template, said), press(printer), MEANS)
        image = paper_of(body.raw, printer).convert("L")
        middle = image.width // 2 - gap
        for column in (middle, middle + gap, middle + 2 * gap):
            image.paste(255, (column, 0, column + 1, image.height))
        assert codes_on(image) == [said.values["url"]], template.name


def test_the_self_test_prints_each_code_in_its_own_way() -> None:
    for kind in ("generic-58", "generic-80"):
        body = self_test(press(PRINTERS[kind]), ("zh", "en"))
        printed = [code for code, keys in CODES.items() if PRINTERS[kind].qr_native or not keys["qr_native"]]
        assert codes_on(paper_of(body.raw, PRINTERS[kind])) == sorted(printed)
        assert check(body.raw, PRINTERS[kind]).reason == ""


def test_a_slip_that_does_not_fit_is_left_out_and_the_others_are_printed() -> None:
    chosen = [Chosen(SLIPS[name], sample_facts(SLIPS[name].purpose)) for name in ("points", "coupon", "promotion")]
    found = strip(chosen, press(PRINTERS["generic-80"]), Means(("en",), max_mm=50))
    assert found.names == ("points", "promotion")
    assert [(refused.name, refused.reason) for refused in found.refused] == [("coupon", "too_long")]
    assert found.body.height_mm <= 50
    assert codes_on(paper_of(found.body.raw, PRINTERS["generic-80"])) == [chosen[0].facts.values["url"]]


def test_several_slips_stand_under_one_another_each_readable() -> None:
    chosen = [Chosen(SLIPS[name], sample_facts(SLIPS[name].purpose)) for name in ("points", "coupon")]
    other = facts({**chosen[1].facts.values, "url": "HTTPS://M.EXAMPLE.CN/K/7KQ4M2XW"})
    found = strip([chosen[0], Chosen(SLIPS["coupon"], other)], press(PRINTERS["generic-58"]), MEANS)
    assert found.names == ("points", "coupon")
    read = codes_on(paper_of(found.body.raw, PRINTERS["generic-58"]))
    assert read == sorted([str(chosen[0].facts.values["url"]), str(other.values["url"])])


def test_a_printer_without_the_script_gets_english() -> None:
    printer = PRINTERS["epson-tm-t88"]._replace(cjk="none")
    body = composed(Chosen(SLIPS["promotion"], sample_facts(Purpose.PROMOTION)), Press(printer), Means(("zh",)))
    assert b"Spend 16.10 CNY more for a gift" in body.raw


# --- Words -------------------------------------------------------------------------------------------------------


def template(**keys: object) -> Template:
    return slip_from({"name": "t", "purpose": "link", "block": [{"type": "rule"}], **keys}, "t.toml")


def lines(slip: Template, said: Facts, languages: tuple[str, ...] = ("zh", "en"), width: int = 48) -> list[list[str]]:
    return [
        [block.text for block in blocks if isinstance(block, Text)]
        for blocks in wordings(slip, said, languages, Sheet(width, 576))
    ]


def test_wordings_go_from_all_languages_in_full_to_short_english() -> None:
    text = {"zh": "实付{amount}整", "en": "you paid {amount}"}
    slip = template(block=[{"type": "text", "text": text, "short": {"zh": "付{amount}", "en": "paid {amount}"}}])
    assert lines(slip, facts({"amount": Money(500, "CNY")}), width=20) == [
        ["实付5.00元整", "you paid 5.00 CNY"],
        ["付5.00元", "paid 5.00 CNY"],
        ["实付5.00元整"],
        ["付5.00元"],
        ["you paid 5.00 CNY"],
        ["paid 5.00 CNY"],
    ]


def test_languages_share_a_line_that_is_long_enough_and_say_the_same_once() -> None:
    slip = template(
        block=[
            {"type": "text", "text": {"zh": "你好", "en": "hello"}},
            {"type": "text", "text": {"zh": "x", "en": "x"}},
        ]
    )
    assert lines(slip, facts({}))[0] == ["你好 / hello", "x"]


def test_a_block_whose_field_has_no_value_is_left_out() -> None:
    slip = template(block=[{"type": "text", "text": "table {table}", "given": "table"}, {"type": "rule"}])
    assert lines(slip, facts({"table": ""}))[0] == []
    assert lines(slip, facts({"table": "7"}))[0] == ["table 7"]


def test_rows_stand_in_two_columns() -> None:
    slip = slip_from({"name": "t", "purpose": "tally", "block": [{"type": "columns", "each": "rows"}]}, "t.toml")
    said = facts({}, {"rows": (("cash", "8"), ("a very long name of a coupon", "12"))})
    assert lines(slip, said, width=20)[0] == ["cash" + " " * 15 + "8", "a very long name of a coupon", "12"]


@given(st.text(max_size=400))
def test_a_value_from_outside_is_one_printable_line(value: str) -> None:
    assert len(cleaned(value)) <= 300
    assert all(ord(char) >= 32 and char not in "\x7f\u202e\u200f" for char in cleaned(value))


def test_a_field_holding_a_command_prints_no_command() -> None:
    slip = template(block=[{"type": "text", "text": "table {table}"}])
    body = composed(
        Chosen(slip, facts({"table": "\x1b@\x1dV\x00{url}"})), Press(PRINTERS["generic-80"]), Means(("en",))
    )
    assert body.raw == b"table @V{url}\n"


@pytest.mark.parametrize("data", ["7KQ4-M2XW", "123456789012", "12345", "a{b"])
def test_a_bar_code_is_read_from_the_paper(data: str) -> None:
    slip = template(block=[{"type": "barcode", "data": data.replace("{", "{{")}])
    for kind in ("generic-58", "generic-80"):
        image = paper_of(composed(Chosen(slip, facts({})), press(PRINTERS[kind]), MEANS).raw, PRINTERS[kind])
        [found] = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.Code128)
        assert found.text == data


def test_a_bar_code_too_long_for_the_paper_is_printed_as_text() -> None:
    assert code128("X" * 40, 384) is None
    slip = template(block=[{"type": "barcode", "data": "X" * 40, "labelled": False}])
    assert lines(slip, facts({}))[0] == ["X" * 40]


# --- Bad templates -----------------------------------------------------------------------------------------------


def faults(**keys: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        template(**keys)
    assert caught.value.reason == "bad_slip"
    return caught.value.args[0].splitlines()  # type: ignore[no-any-return]


def test_every_fault_is_named_at_once() -> None:
    found = faults(
        purpose="promotion",
        languages=["zh"],
        when={"needs": ["moon"], "window": {"from": "22:00"}},
        block=[
            {"type": "text", "text": "{points}"},
            {"type": "text", "text": {"en": "hello"}},
            {"type": "text", "text": "{amount:x}"},
            {"type": "columns"},
            {"type": "smell"},
        ],
    )
    said = "\n".join(found)
    for word in (
        "a promotion needs threshold_minor",
        "no field 'moon' to ask for",
        "from and to belong together",
        "block 1: no field 'points' in a promotion slip, there are ",
        "block 2: no words in zh",
        "block 3: '{amount:x}': {amount} is no field",
        "block 4: either each, or left and right",
        "block 5: Invalid value 'smell'",
    ):
        assert word in said
    assert all(line.startswith("t.toml: ") for line in found)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"name": "Points!"}, "slip: Expected `str` matching regex"),
        ({"block": []}, "expected 1 to 60"),
        ({"block": [{"type": "rule"}] * 61}, "expected 1 to 60"),
        ({"colour": "red"}, "unknown field `colour`"),
        ({"pool": "x"}, "pool belongs to"),
        ({"purpose": "coupon"}, "pool belongs to"),
        ({"link": "HTTPS://X/{secret}"}, "link: no field 'secret'"),
        ({"link": "HTTPS://X/{"}, "link: "),
        ({"block": [{"type": "text", "text": "{shop", "bold": True}]}, "block 1: "),
        ({"block": [{"type": "image", "file": "../../etc/passwd"}]}, "block 1: Expected `str` matching regex"),
        ({"block": [{"type": "rule", "given": "stars"}]}, "given: no field 'stars'"),
        ({"when": {"min_minor": 5, "max_minor": 4}}, "max_minor is below"),
        ({"when": {"kinds": ["lunch"]}}, "[when]: Invalid enum value"),
        ({"colour": "red", "block": [{"type": "smell"}]}, "block 1: Invalid value 'smell'"),
        ({"purpose": "claim"}, "a claim without a code of {url}"),
        (
            {"purpose": "claim", "block": [{"type": "qr", "data": "HTTPS://X/{amount}"}]},
            "a claim without a code of {url}",
        ),
    ],
)
def test_a_fault_is_told_in_words(keys: dict[str, object], said: str) -> None:
    assert said in "\n".join(faults(**keys))


def test_a_file_that_is_no_toml_or_too_large_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("name =")
    (tmp_path / "b.toml").write_text("#" * 300_000)
    with pytest.raises(ConfigError) as caught:
        load_slips([tmp_path])
    assert "a.toml: " in str(caught.value)
    assert "b.toml: over 256 KB" in str(caught.value)
    with pytest.raises(ConfigError, match="No such file"):
        load_slip(tmp_path / "none.toml")


def test_a_shop_replaces_a_shipped_slip_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "points.toml").write_text(
        'name = "points"\npurpose = "claim"\n[[block]]\ntype = "qr"\ndata = "{url}"\n'
    )
    found = load_slips([SHIPPED, tmp_path])
    assert len(found["points"].blocks) == 1
    assert found.keys() == SLIPS.keys()


def test_a_code_too_big_for_the_paper_is_refused_with_its_reason() -> None:
    slip = template(purpose="link", block=[{"type": "qr", "data": "{url}" * 1}])
    with pytest.raises(SlipError) as refused:
        composed(Chosen(slip, Facts({"url": "x" * 2000})), press(PRINTERS["generic-58"]), MEANS)
    assert refused.value.reason in ("qr_data", "too_wide")
