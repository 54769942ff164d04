"""What scanning and reading letters does to a paper: torn words and amounts, lost lines, columns that came apart.

Owns: `damaged`. Never: judges. Tills don't print so; but texts that came from pictures look so, and a reader that errs
on them leans on luck. Figures that are misread aren't among the kinds: no reader can know them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

_pair = re.compile(r"^(.*\S)\s{2,}(\S+)$").match
_cents = re.compile(r"(\d)[.,](\d\d)\b").sub
# Letters that character readers take for one another.
_ALIKE = {"o": "0", "O": "0", "1": "l", "l": "1", "I": "1", "5": "S", "S": "5", "B": "8", "A": "4", "E": "F", "T": "I",
          "G": "6", "a": "o", "e": "c", "n": "r", "m": "n", "C": "G", "u": "v"}  # fmt: skip


def damaged(text: str, kind: str, chance: random.Random) -> str:
    """The paper with this kind of damage."""
    return "\n".join(KINDS[kind](text.split("\n"), chance))


def _letters(lines: Sequence[str], chance: random.Random) -> list[str]:
    def one(letter: str) -> str:
        return _ALIKE.get(letter, letter) if not letter.isdigit() and chance.random() < 0.08 else letter

    return ["".join(map(one, line)) for line in lines]


def _lost(lines: Sequence[str], chance: random.Random) -> list[str]:
    lost = chance.randrange(len(lines) // 3, len(lines))
    return [line for place, line in enumerate(lines) if place != lost]


def _torn(lines: Sequence[str], chance: random.Random) -> list[str]:
    """Amounts on a line of their own below their label."""
    out: list[str] = []
    for line in lines:
        pair = _pair(line)
        out += [pair[1], pair[2]] if pair and chance.random() < 0.5 else [line]
    return out


def _above(lines: Sequence[str], chance: random.Random) -> list[str]:
    """Amounts on a line of their own above their label."""
    out: list[str] = []
    for line in lines:
        pair = _pair(line)
        out += [pair[2], pair[1]] if pair and chance.random() < 0.5 else [line]
    return out


def _points(lines: Sequence[str], chance: random.Random) -> list[str]:
    """A decimal mark in five is lost, or stands apart."""

    def one(match: re.Match[str]) -> str:
        return match[0] if chance.random() < 0.8 else match[1] + chance.choice((" ", "", " . ", ". ")) + match[2]

    return [_cents(one, line) for line in lines]


def _words(lines: Sequence[str], chance: random.Random) -> list[str]:
    """A blank in three lines of ten; gaps are closed."""
    out = []
    for line in lines:
        at = chance.randrange(2, len(line) - 2) if chance.random() < 0.3 and len(line) > 6 else 0
        out.append(re.sub(" {2,}", " ", f"{line[:at]} {line[at:]}" if at else line))
    return out


def _swapped(lines: Sequence[str], chance: random.Random) -> list[str]:
    out = list(lines)
    at = chance.randrange(len(out) // 2, len(out) - 1)
    out[at], out[at + 1] = out[at + 1], out[at]
    return out


def _columns(lines: Sequence[str], chance: random.Random) -> list[str]:
    """A few lines with their labels first, and then their amounts."""
    begin = chance.randrange(len(lines) // 3, len(lines) - 1)
    end = min(len(lines), begin + chance.randint(2, 5))
    pairs = [(_pair(line), line) for line in lines[begin:end]]
    labels = [pair[1] if pair else line for pair, line in pairs]
    return [*lines[:begin], *labels, *(pair[2] for pair, _ in pairs if pair), *lines[end:]]


KINDS: dict[str, Callable[[Sequence[str], random.Random], list[str]]] = {
    "letters": _letters, "lost line": _lost, "torn": _torn, "amount above": _above, "marks": _points,
    "words": _words, "swapped": _swapped, "columns": _columns,
}  # fmt: skip
