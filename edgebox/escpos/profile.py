"""What one printer model can do, as the line and the slip composer need to know it.

Owns: `PrinterProfile`. Never: reads files (edgebox/printers.py loads `config/printers/*.toml` into it).
Lengths are in millimetres and dots (203 dpi: 8 dots a millimetre unless `dpi` says otherwise).
"""

from __future__ import annotations

from typing import NamedTuple


class PrinterProfile(NamedTuple):
    """One model. Defaults describe the plainest 80 mm printer: no claim that isn't safe everywhere."""

    name: str = "generic-80"
    title: str = "Generic 80 mm"
    dots: int = 576  # printable width
    dpi: int = 203
    columns: int = 48  # characters a line in font A
    columns_b: int = 64  # in font B
    char_height: int = 24  # dots, font A
    line_spacing: int = 30  # dots, ESC 2; most models: 1/6 inch rounded to 30 or 34 dots
    motion_y: int = 203  # ESC J and ESC 3 units per inch at power-on
    cutter: bool = True
    cut_feeds: bool = False  # GS V 0/1, ESC i, ESC m move the paper to the cutter by themselves
    head_to_cutter_mm: float = 13.0  # from print head to cutter (Epson TM-T88: about 12-13 mm)
    tear_bar_mm: float = 10.0  # from print head to tear-off edge
    qr_native: bool = True  # GS ( k cn=49
    raster: str = "gs_v_0"  # gs_v_0 | esc_star | none
    cjk: str = "none"  # native characters after FS &: gb18030 | gbk | big5 | shift_jis | euc_kr | none
    cjk_on: bool = True  # where cjk is not none: power-on is FS & (Chinese models: yes; Epson multi-language: no)
    code_page: int = 0  # ESC t n at power-on
    code_pages: tuple[tuple[int, str], ...] = ((0, "cp437"),)  # ESC t n -> Python codec
    status: bool = True  # answers DLE EOT; false: never ask
    gs_h: bool = False  # GS ( H fn 48 answers when the paper is printed
    buzzer: str = ""  # hex of the command that beeps, empty: none
    insert: bool = True  # false: nothing is ever put into this printer's stream (Star line mode, unknown dialects)
    dialect: str = "epson"  # epson | star | bematech | daruma
    block_bytes: int = 4096  # printer's receive buffer

    def codec(self, page: int) -> str | None:
        """The Python codec of code page `page` (ESC t n), or None where this profile doesn't say."""
        return dict(self.code_pages).get(page)

    @property
    def dots_per_mm(self) -> float:
        """Dots in a millimetre."""
        return self.dpi / 25.4
