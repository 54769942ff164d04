"""All pages of the documentation: their links lead somewhere, and what they tell people to type can be typed."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest

from edgebox import cli
from edgebox.line import daemon as line
from edgebox.scan import daemon as scan

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FLAGS = {"edgebox-line": line.FLAGS, "edgebox-scan": scan.FLAGS}
SHELL = {"|", ">", ">>", "<", "&", "&&", ";"}
DRAWN = re.compile("[─│▲▼▶◀]")  # a picture, as an opening bracket behind the name is
LABEL = re.compile(r" v\d$")  # what is signed or hashed begins with one: `edgebox command v1`
NUMBER = "N"  # a page's word for any number


class Typed(NamedTuple):
    """A command that a page shows: where, and its words without the shell's."""

    where: str
    words: list[str]


PAGES = sorted(path for folder in (".", "docs", "config", "systemd") for path in (ROOT / folder).glob("*.md"))
of_each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors(page: Path) -> set[str]:
    """Its headings, as sites that show repositories spell them in links."""
    heads = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", LINK.sub("", head).lower()) for head in heads)
    return {head.replace(" ", "-") for head in plain}


@of_each_page
def test_each_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    for link in LINK.findall(page.read_text("utf-8")):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{link}: no such file"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def block_lines(page: Path) -> Iterator[tuple[int, str]]:
    """The lines of code blocks, indented or fenced; those that end in a backslash with the next."""
    within, begun = False, ""
    for number, text in enumerate(page.read_text("utf-8").splitlines(), 1):
        if text.startswith("```"):
            within = not within
        elif within or text.startswith("    "):
            begun += text.strip()
            if not begun.endswith("\\"):
                yield number, begun
                begun = ""
            begun = begun.removesuffix("\\")


def words_of(text: str) -> list[str]:
    """A command line's words up to where the shell takes over; [] if it is not one of our programs."""
    lexer = shlex.shlex(text.removeprefix("$ "), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:  # a quote that stands in prose or in somebody's output
        return []
    words = words[1:] if words[:1] == ["sudo"] else words
    if DRAWN.search(text) or "".join(words[1:2]).startswith("("):
        return []
    ends = next((at for at, word in enumerate(words) if word in SHELL), len(words))
    return words[:ends] if words and words[0] in ("edgebox", *FLAGS) else []


def commands(page: Path) -> list[Typed]:
    """What its blocks say to type. What may be left out stands in brackets: here it is typed."""
    name = page.relative_to(ROOT)
    found = [Typed(f"{name}:{number}", words_of(text)) for number, text in block_lines(page)]
    return [typed for typed in found if typed.words]


def accepted(words: list[str]) -> str:
    """What the program has to say against these words; "" nothing."""
    program, *rest = [word if "=" in word else word.strip("[]") for word in words]
    rest = ["1" if word == NUMBER else word for word in rest]
    if program in FLAGS:
        return options_of(program, rest, FLAGS[program])
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            cli._parsed(rest)
    except SystemExit as end:
        return "" if end.code == 0 else said.getvalue()
    return ""


def options_of(program: str, words: list[str], flags: dict[str, str]) -> str:
    known = {*flags, "set", "help"}
    unknown = [word for word in words if word.startswith("--") and word.strip("[]-") not in known]
    return f"{program}: {unknown}" if unknown else ""


@of_each_page
def test_each_command_that_a_page_shows_is_one_that_the_program_takes(page: Path) -> None:
    refused = {typed.where: said for typed in commands(page) if (said := accepted(typed.words))}
    assert refused == {}


def named_badly(span: str) -> str:
    """What does not exist of a command that stands in a sentence: it may be short of arguments, not of truth."""
    words = words_of(span)
    if not words or LABEL.search(span):
        return ""
    if words[0] in FLAGS:
        return options_of(words[0], words[1:], FLAGS[words[0]])
    parser = cli._parser(words[1:])
    for word in words[1:]:
        if word.startswith("--"):
            if word.strip("[]") not in parser._option_string_actions:
                return f"{span}: no {word}"
        elif subs := [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]:
            if word not in subs[0].choices:
                return f"{span}: no {word}"
            parser = subs[0].choices[word]
    return ""


@of_each_page
def test_each_command_that_a_sentence_names_exists(page: Path) -> None:
    bad = [said for span in SPAN.findall(page.read_text("utf-8")) if (said := named_badly(span))]
    assert bad == []


def test_every_command_stands_in_the_readme() -> None:
    rows = "".join(re.findall(r"^\| .*\|$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE))
    assert {command.name for command in cli.COMMANDS} <= set(re.findall(r"`(?:edgebox )?([a-z]+)\b", rows))


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    pages = {page.name for page in (ROOT / "docs").iterdir() if page.is_file()}
    assert {name for name in pages if f"(docs/{name})" not in readme} == set()


@of_each_page
def test_each_target_and_module_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^    (?:sudo )?)make ([a-z][a-z-]*)", text, re.MULTILINE))
    assert named <= targets
    modules = set(re.findall(r"python -m ((?:tests|hw_sim|edgebox)[\w.]*)", text))
    assert {name for name in modules if importlib.util.find_spec(name) is None} == set()


def test_the_pages_are_looked_at() -> None:
    assert len(PAGES) > 15
    assert sum(len(commands(page)) for page in PAGES) > 30


@pytest.mark.parametrize(
    "text", ["edgebox fleet ls --wear F", "edgebox flee ls", "edgebox backup", "edgebox-line --tilt U"]
)
def test_a_command_that_does_not_exist_is_found(text: str) -> None:
    assert accepted(words_of(text))
