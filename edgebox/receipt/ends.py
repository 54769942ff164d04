"""How the papers of one till end: what their line has to know of that.

Owns: `line_hints`: the next receipt's header in front of the cut, and the last bytes where no cut comes, as far as all
papers agree. Never: sets anything; a profile carries it (`header_preprint`, `end_signature`), and the line takes it
from there if its [[line]] names the profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_SIGNATURE_MIN = 3  # bytes: two line feeds end many a paragraph


class LineHints(NamedTuple):
    """For the [[line]] of these papers; "" where they say nothing. Named as the line's settings."""

    header_preprint: str = ""
    end_signature: str = ""

    def words(self) -> list[str]:
        """What a person should know of them."""
        out = []
        if self.header_preprint:
            out.append(f"the next receipt's header “{self.header_preprint}” is printed before the cut")
        if self.end_signature:
            out.append(f"no cut: the papers end with {self.end_signature}")
        if out:
            out.append('its line takes that from the profile: receipts = "<its name>" in [[line]]')
        return out


class Ends(NamedTuple):
    """The end of one paper: the lines behind its last wide gap, its first line, and, where no cut follows, all its
    bytes and those behind its ink."""

    behind_gap: tuple[str, ...]
    first: str
    raw: bytes = b""
    tail: bytes = b""


def line_hints(papers: Sequence[Ends]) -> LineHints:
    """What all papers have in common; of one paper alone nothing is believed."""
    if len(papers) < 2:
        return LineHints()
    blocks = {paper.behind_gap for paper in papers}
    block = next(iter(blocks)) if len(blocks) == 1 else ()
    header = block[0] if block and all(paper.first not in block for paper in papers) else ""
    return LineHints(header, _signature(papers).hex())


def _signature(papers: Sequence[Ends]) -> bytes:
    """The last bytes that all papers without a cut share, if they stand nowhere else on any."""
    shared = papers[0].tail
    for paper in papers[1:]:
        while shared and not paper.tail.endswith(shared):
            shared = shared[1:]
    if len(shared) < _SIGNATURE_MIN or any(paper.raw.find(shared) + len(shared) != len(paper.raw) for paper in papers):
        return b""
    return shared
