"""What the page says, in Chinese and English: one catalogue, read from `words/*.toml`.

Owns: reading it, and finding a sentence. Never: half a language: a key has all of them (a test says which hasn't).

A file belongs to an area; a table in it to a page; `t("users.title")` finds `title` of `[users]`:

    [users]
    title = { zh = "用户", en = "Users" }
    removed = { zh = "已删除 {name}", en = "{name} was removed" }
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

LANGUAGES = ("zh", "en")
OWN_NAMES = {"zh": "中文", "en": "English"}
HTML_LANG = {"zh": "zh-CN", "en": "en"}
FOLDER = Path(__file__).parent / "words"
Say = Callable[..., str]


class Catalogue:
    """All sentences."""

    def __init__(self, sentences: Mapping[str, Mapping[str, str]]) -> None:
        self._sentences = sentences

    @classmethod
    def read(cls, folder: Path = FOLDER) -> Catalogue:
        """All files; blocks. ValueError: a table stands in two of them."""
        found: dict[str, Mapping[str, str]] = {}
        for path in sorted(folder.glob("*.toml")):
            for table, sentences in tomllib.loads(path.read_text("utf-8")).items():
                for name, said in sentences.items():
                    if f"{table}.{name}" in found:
                        raise ValueError(f"{path.name}: {table}.{name} stands in another file, too")
                    found[f"{table}.{name}"] = said
        return cls(found)

    def keys(self) -> frozenset[str]:
        """All there are."""
        return frozenset(self._sentences)

    def has(self, key: str) -> bool:
        """There is such a sentence."""
        return key in self._sentences

    def said(self, language: str, key: str, /, **values: object) -> str:
        """A sentence in a language. KeyError: there is none, or a value is missing."""
        return self._sentences[key][language].format(**values)

    def in_language(self, language: str) -> Say:
        """`t` of a template."""
        return partial(self.said, language)


def slug(text: str) -> str:
    """A word of the box as a key's name: `paper nearly at its end` is `paper_nearly_at_its_end`."""
    return re.sub(r"[^a-z]+", "_", text.lower()).strip("_")


def preferred(accept: str, fallback: str) -> str:
    """The language that a browser asks for first (RFC 9110, section 12.5.4; weights are in order in every browser)."""
    for part in accept[:200].split(","):
        tag = part.partition(";")[0].strip()[:2].lower()
        if tag in LANGUAGES:
            return tag
    return fallback
