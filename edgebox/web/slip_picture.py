"""A slip as the paper it will be: its picture for 58 or 80 mm, its length, and whether it fits.

Owns: drawing with sample values, and the last few pictures, which pages fetch by their name. Never: prints, or stands
in a receipt's way: everything here runs in the pages' own thread.
"""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from edgebox import slip_shelf
from edgebox.config import FOLDER
from edgebox.errors import ConfigError, SlipError
from edgebox.escpos.blocks import Align
from edgebox.escpos.compose import Body, Press
from edgebox.escpos.profile import PrinterProfile
from edgebox.paper.letters import text_raster
from edgebox.printers import find_printer
from edgebox.settings import SlipSettings
from edgebox.slip_files import load_images
from edgebox.slips import qr
from edgebox.slips.facts import sample_facts
from edgebox.slips.strip import Chosen, Means, composed, strip
from edgebox.slips.template import Limits, Placement, Template, TextBlock, Words

PAPERS = {"58": "generic-58", "80": "generic-80"}
LONGEST_MM = 1000  # that is drawn: what [limits] mm can be (edgebox/slip_schema.py). Eight metres would take 60 MB
KEPT_MAX = 96  # pictures of 10 KB: all slips of a shop on two papers, and a few people who edit at once
SAMPLE = (("zh", "*** 样张 ***"), ("en", "*** SAMPLE ***"))
_CUT = b"\x1ba\x00\x1bE\x00\x1d!\x00\x1b2\x1bd\x04\x1dV\x00"  # as the line does behind a slip


class Picture(NamedTuple):
    """`name`: to fetch it by, "" none could be drawn; `width`, `height`: in dots; `fault`: why it would not be printed
    as it is, a reason of SlipError or `bad_picture`, "" it would."""

    name: str = ""
    width: int = 0
    height: int = 0
    mm: float = 0.0
    fault: str = ""


class Album:
    """The last pictures."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Picture, bytes]] = OrderedDict()

    def raw(self, name: str) -> bytes | None:
        """PNG; None: gone, or never there."""
        return next((raw for picture, raw in self._kept.values() if picture.name == name), None)

    def of(self, template: Template, paper: str, settings: SlipSettings, languages: tuple[str, ...] = ()) -> Picture:
        """Drawn, if it is not here already. Blocks 50 ms."""
        key = hashlib.sha256(repr((template, paper, settings, languages)).encode()).hexdigest()[:32]
        if key not in self._kept:
            self._kept[key] = _drawn(template, printer(PAPERS[paper]), settings, languages, key)
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key][0]


@lru_cache(maxsize=8)
def printer(profile: str) -> PrinterProfile:
    """A shipped printer. ConfigError."""
    return find_printer(profile, FOLDER / "printers")


def fits(template: Template, press: Press, settings: SlipSettings) -> Body:
    """With sample values and the shop's budgets. SlipError, ConfigError."""
    images = load_images([template], slip_shelf.OWN_SLIPS, press.printer.dots)
    means = Means(tuple(settings.languages), settings.max_mm, settings.max_bytes, settings.max_wire_ms, images)
    return composed(Chosen(template, sample_facts(template.purpose)), press, means)


def without_room(templates: Iterable[Template], press: Press, settings: SlipSettings) -> tuple[str, ...]:
    """Of slips that all come on one receipt, those that would be left out; by name. ConfigError."""
    inline = [one for one in templates if one.placement is Placement.BEFORE_CUT and not one.shadow]
    images = load_images(inline, slip_shelf.OWN_SLIPS, press.printer.dots)
    means = Means(tuple(settings.languages), settings.max_mm, settings.max_bytes, settings.max_wire_ms, images)
    chosen = [
        Chosen(one, sample_facts(one.purpose)) for one in sorted(inline, key=lambda one: (one.priority, one.name))
    ]
    return tuple(refused.name for refused in strip(chosen, press, means).refused)


def marked(template: Template) -> Template:
    """As a sample, for a test print: nobody takes it for a real one."""
    head = TextBlock(Words(SAMPLE), Align.CENTER, bold=True)
    return template._replace(blocks=(head, *template.blocks), limits=Limits())


def _drawn(
    template: Template, paper: PrinterProfile, settings: SlipSettings, languages: tuple[str, ...], name: str
) -> tuple[Picture, bytes]:
    from edgebox.paper.draw import draw  # Pillow: 6 MB that most boxes' pages never need

    press = Press(paper, matrix=qr.matrix, text_raster=text_raster)
    fault = ""
    try:
        fits(template, press, settings)
    except (SlipError, ConfigError) as refused:
        fault = refused.reason
    try:
        images = load_images([template], slip_shelf.OWN_SLIPS, paper.dots)
        means = Means(languages or tuple(settings.languages), images=images)
        body = composed(Chosen(template._replace(limits=Limits()), sample_facts(template.purpose)), press, means)
    except (SlipError, ConfigError) as refused:
        return Picture(fault=refused.reason), b""
    if body.height_mm > LONGEST_MM:
        return Picture(mm=body.height_mm, fault="too_long"), b""
    image, file = draw(b"\x1c." + body.raw + _CUT, paper), io.BytesIO()
    image.save(file, "PNG")
    return Picture(name, image.width, image.height, body.height_mm, fault), file.getvalue()
