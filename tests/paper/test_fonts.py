"""Letters in a printer's cells, also on a machine that lacks the fonts."""

from collections.abc import Iterator

import pytest
from PIL import Image

from edgebox.escpos.profile import PrinterProfile
from edgebox.paper import fonts
from edgebox.paper.draw import draw


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without any of the fonts that `make setup` installs."""
    caches = (fonts.missing, fonts._font, fonts.glyph, fonts._nothing, fonts.note_font)
    for cache in caches:
        cache.cache_clear()
    monkeypatch.setattr(fonts, "_find", lambda paths, pattern: None)
    yield
    for cache in caches:
        cache.cache_clear()


def inked(image: Image.Image) -> int:
    return image.histogram()[255]


@pytest.mark.parametrize(
    ("char", "wide"), [("A", False), ("€", False), ("合", True), ("￥", True), ("│", False), ("Я", False)]
)
def test_a_letter_fits_its_cell(char: str, wide: bool) -> None:
    image = fonts.glyph(char, 24 if wide else 12, 24, False, wide)
    assert image.size == (24 if wide else 12, 24)
    assert inked(image) > 0
    assert inked(image) + image.histogram()[0] == image.width * image.height  # burnt or not, nothing between


def test_letters_differ_and_bold_ones_are_heavier() -> None:
    shapes = {fonts.glyph(char, 12, 24, False, False).tobytes() for char in "0123456789"}
    assert len(shapes) == 10
    for char, wide in (("8", False), ("合", True)):
        plain, bold = (fonts.glyph(char, 24 if wide else 12, 24, heavy, wide) for heavy in (False, True))
        assert inked(bold) > inked(plain)


def test_a_space_is_empty_and_an_unknown_sign_is_not() -> None:
    assert inked(fonts.glyph(" ", 12, 24, False, False)) == 0
    assert inked(fonts.glyph("\U0010fffd", 12, 24, False, False)) > 0


@pytest.mark.usefixtures("no_fonts")
def test_without_fonts_paper_is_still_drawn_and_says_what_to_install() -> None:
    assert [sentence.rpartition(" ")[2] for sentence in fonts.missing()] == ["fonts-dejavu-core", "fonts-wqy-microhei"]
    assert inked(fonts.glyph("A", 12, 24, False, False)) > 0
    assert fonts.glyph("合", 24, 24, False, True).tobytes() == fonts.glyph("计", 24, 24, False, True).tobytes()  # boxes
    assert draw("TOTAL 合计\n".encode("gbk"), PrinterProfile()).width > 576 + 80 + 48  # the notes' column
