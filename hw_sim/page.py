"""Page mode in a simulated printer: what has been set on the page, and how far down it reaches.

Owns: `Page`. Never: prints (mechanism.py does, when FF or ESC FF comes). A page is taller than what is set on it, and a
cut through its blank end is no fault: so the lowest mark is followed, line by line.
"""

from __future__ import annotations

from hw_sim.modes import Modes


class Page:
    """One page being set; lengths are dots."""

    def __init__(self) -> None:
        self._marks: list[str] = []
        self._line = b""  # the last mark's bytes, as long as its line goes on
        self._codec = ""
        self._at = 0
        self._lowest = 0
        self._printed = False

    @property
    def text(self) -> str:
        """All that is set."""
        return " ".join(self._marks)

    @property
    def lost(self) -> str:
        """What would be thrown away now: nothing, once it has been printed."""
        return "" if self._printed or not self.text.strip() else self.text

    def set_text(self, run: bytes, modes: Modes) -> None:
        """A run of text with line ends in it, however it was chunked."""
        for line in run.splitlines(keepends=True):
            self._set(line.rstrip(b"\n"), modes)
            if line.strip():
                self._lowest = max(self._lowest, self._at + modes.cell[1])
            if line.endswith(b"\n"):
                self._at += modes.spacing
                self._codec = ""

    def _set(self, raw: bytes, modes: Modes) -> None:
        """Goes on with the line, if it is one; blanks belong to it too."""
        if not raw:
            return
        if self._codec == modes.codec:
            self._line += raw
            self._marks.pop()
        else:
            self._line, self._codec = raw, modes.codec
        self._marks.append(self._line.decode(modes.codec, "replace"))
        self._printed = False

    def set_picture(self, what: str, height: int) -> None:
        """A picture or symbol."""
        self._marks.append(what)
        self._codec = ""
        self._lowest = max(self._lowest, self._at + height)
        self._printed = False

    def move(self, dots: int, *, absolute: bool = False) -> None:
        """Feeds within the page; GS $ sets the place, GS \\ moves it."""
        self._at = max(dots if absolute else self._at + dots, 0)

    def print(self, page_dots: int) -> tuple[str, int]:
        """What comes out, and down to where there is ink."""
        self._printed = True
        return self.text, min(self._lowest, page_dots) if self._marks else 0
