"""Draws a stream of ESC/POS as the paper it would be.

Owns: `PaperPrinter`, which is told events in sequence and knows where the paper stands, and `draw` / `render_png` for a
whole stream. Never: on the path of a receipt; it is for people who look (previews, the simulated printer, tests).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from edgebox.escpos.parser import Event, Parser
from edgebox.escpos.profile import PrinterProfile


class InkItem(NamedTuple):
    """Something that left a mark. `top`, `bottom`: dots fed since power-on, bottom exclusive; `kind`: text, picture,
    symbol or bar code; `text`: what it says, or holds."""

    top: int
    bottom: int
    kind: str
    text: str


class CutMark(NamedTuple):
    """A cut. `at_dots`: the paper position that stood under the cutter (head position less head-to-cutter);
    `offset`: of the command in the stream."""

    at_dots: int
    offset: int


class PaperPrinter:
    """A printer's mechanism on paper of unbounded length: feed it events, look at ink, cuts and picture."""

    def __init__(self, profile: PrinterProfile) -> None:
        self.profile = profile
        self.ink: list[InkItem] = []
        self.cuts: list[CutMark] = []
        self.position = 0  # dots of paper that have passed the head since the start

    def feed(self, events: Iterable[Event]) -> None:
        """Prints. Events follow each other without a gap."""
        raise NotImplementedError

    def finish(self) -> None:
        """End of the stream: prints what stands in the print buffer."""
        raise NotImplementedError

    def image(self) -> Image.Image:
        """The paper so far: greyscale or colour, 8 dots a millimetre, with edges, cuts and margin notes."""
        raise NotImplementedError


def draw(stream: bytes, profile: PrinterProfile) -> Image.Image:
    """The paper that `stream` makes on this printer."""
    parser, printer = Parser(), PaperPrinter(profile)
    printer.feed(parser.feed(stream))
    printer.feed(parser.finish())
    printer.finish()
    return printer.image()


def render_png(stream: bytes, profile: PrinterProfile, path: Path) -> None:
    """Writes `draw(stream, profile)` to `path` as PNG."""
    draw(stream, profile).save(path, "PNG")
