"""How long a person would take: a summed clock, so that a story of minutes is played in seconds.

The times are those of the keystroke-level model (Card, Moran, Newell: The Psychology of Human-Computer Interaction,
1983): 1.35 s to make up one's mind, 1.1 s to point. Reading: 238 words a minute (Brysbaert 2019), Chinese 260
characters a minute. Typing with two thumbs: 38 words of 5 letters a minute (Palin et al. 2019). What the box itself
takes is measured and added.
"""

import re
import time
from collections.abc import Callable
from typing import NamedTuple

from playwright.sync_api import Page

MIND_S, POINT_S = 1.35, 1.1
WORD_S, CHARACTER_S = 60 / 238, 60 / 260
KEY_S = 60 / (38 * 5)
# What is on the page to be read: no list of a menu, no address or fingerprint, no paper (one looks for its total),
# nothing that is hidden.
_SAID = """() => {
  const main = document.querySelector("main").cloneNode(true);
  main.querySelectorAll("option, datalist, .mono, .fs-sheet, .only-read, .fs-steps").forEach((one) => one.remove());
  document.body.append(main);
  const said = main.innerText;
  main.remove();
  return said;
}"""


class Spent(NamedTuple):
    """One thing that took time."""

    step: str
    what: str
    seconds: float


class Person:
    """Somebody at a page. `spent`: everything that took time."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.spent: list[Spent] = []
        self.step = ""
        self._read: set[str] = set()

    @property
    def total_s(self) -> float:
        return sum(one.seconds for one in self.spent)

    def takes(self, what: str, seconds: float) -> None:
        """Something away from the page."""
        self.spent.append(Spent(self.step, what, seconds))

    def reads(self, step: str) -> None:
        """A new page, whole, but for lines that stood on the pages before: the frame is known by then."""
        self.step = step
        lines = {line.strip() for line in str(self.page.evaluate(_SAID)).splitlines()}
        said = "\n".join(lines - self._read)
        self._read |= lines
        characters = len(re.findall(r"[\u4e00-\u9fff]", said))
        words = len(re.findall(r"[A-Za-z0-9']+", said))
        self.takes("reads", characters * CHARACTER_S + words * WORD_S)

    def taps(self, selector: str) -> None:
        self.takes("taps", MIND_S + POINT_S)
        self._really(self.page.locator(selector).first.click)

    def types(self, selector: str, text: str) -> None:
        self.takes("types", MIND_S + POINT_S + KEY_S * len(text))
        self._really(lambda: self.page.fill(selector, text))

    def chooses(self, selector: str, value: str) -> None:
        self.takes("chooses", MIND_S + 2 * POINT_S)
        self._really(lambda: self.page.select_option(selector, value))

    def waits(self, selector: str, *, timeout_s: float = 30.0) -> None:
        """Until it is there; what that takes is really taken."""
        self._really(lambda: self.page.locator(selector).first.wait_for(timeout=timeout_s * 1000))

    def _really(self, act: Callable[[], object]) -> None:
        begun = time.monotonic()
        act()
        self.spent.append(Spent(self.step, "the box", time.monotonic() - begun))

    def table(self) -> str:
        """What each step took, for people."""
        steps = list(dict.fromkeys(one.step for one in self.spent))
        rows = []
        for step in steps:
            mine = [one for one in self.spent if one.step == step]
            box_s = sum(one.seconds for one in mine if one.what == "the box")
            rows.append(f"{step:<10} {sum(one.seconds for one in mine):6.1f} s, of which the box {box_s:4.1f} s")
        return "\n".join([*rows, f"{'all':<10} {self.total_s:6.1f} s"])
