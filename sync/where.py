"""`--where 'online and backlog > 100 and not version ~ 1.2.*'`: which boxes are meant.

Owns: the little language, and its faults with their place. Never: evaluates anything but comparisons of a box's fields
with words that stand in the text; there is no way from here to Python's own names.

    either  = both ("or" both)*        both = one ("and" one)*        one = "not" one | "(" either ")" | test
    test    = field [op value]         op   = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~"
    value   = word | "text with blanks" | number | span (90s 5m 2h 3d)

`~` matches a pattern with * and ?. A field without comparison asks whether it is true, or not nought, or not empty. A
box that has no such field (`bundle.rules` where none was ever set) fails each comparison but `!=` and `!~`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple, TypeAlias

from edgebox.errors import SyncError

TEXT_MAX = 2000  # characters of an expression; who writes more should keep a list of boxes
DEPTH_MAX = 40  # brackets and nots within each other
Value: TypeAlias = str | int | bool
Test: TypeAlias = Callable[[Mapping[str, Value]], bool]

_TOKEN = re.compile(r"\s*(?:(?P<op><=|>=|!=|!~|[=<>~()])|\"(?P<quoted>[^\"]*)\"|(?P<word>[^\s\"<>=!~()]+))")
_NUMBER = re.compile(r"-?[0-9]{1,18}").fullmatch
_SPAN = re.compile(r"([0-9]{1,12})([smhd])").fullmatch
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=", "~", "!~")
_KEYWORDS = ("and", "or", "not")


class _Token(NamedTuple):
    kind: str  # op, quoted or word
    text: str
    place: int  # in the expression, from 1


def where(text: str, fields: Mapping[str, str]) -> Test:
    """The expression as a test of a box's fields. `fields`: name → what it is; `name.` stands for all `name.x`.

    SyncError `where` names the place and what was expected there.
    """
    if len(text) > TEXT_MAX:
        raise _fault(f"over {TEXT_MAX} characters", TEXT_MAX, text)
    return _Parser(text, fields).whole()


class _Parser:
    def __init__(self, text: str, fields: Mapping[str, str]) -> None:
        self._text = text
        self._fields = fields
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> Test:
        test = self._either()
        if (token := self._peek()) is not None:
            raise _fault("expected and, or, or the end", token.place, self._text)
        return test

    def _either(self) -> Test:
        tests = [self._both()]
        while self._took("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda box: any(test(box) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._took("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda box: all(test(box) for test in tests)

    def _one(self) -> Test:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise _fault(f"nested deeper than {DEPTH_MAX}", self._place(), self._text)
        if self._took("not"):
            inner = self._one()
            found: Test = lambda box: not inner(box)  # noqa: E731  # one of four forms of the same thing
        elif self._took("("):
            found = self._either()
            if not self._took(")"):
                raise _fault("expected )", self._place(), self._text)
        else:
            found = self._test()
        self._depth -= 1
        return found

    def _test(self) -> Test:
        token = self._peek()
        if token is None or token.kind != "word" or token.text in _KEYWORDS:
            raise _fault("expected a field", self._place(), self._text)
        self._next += 1
        field = token.text
        prefix, dot, name = field.partition(".")
        if (dot and not name) or (field not in self._fields and prefix + dot not in self._fields):
            known = ", ".join(name + "NAME" if name.endswith(".") else name for name in self._fields)
            raise _fault(f"no field {field}; there are {known}", token.place, self._text)
        operator = self._peek()
        if operator is None or operator.kind != "op" or operator.text not in _COMPARISONS:
            return lambda box: bool(box.get(field, ""))
        self._next += 1
        value = self._peek()
        if value is None or value.kind == "op":
            raise _fault("expected a value", self._place(), self._text)
        self._next += 1
        return _comparison(field, operator.text, value)

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _took(self, text: str) -> bool:
        token = self._peek()
        found = token is not None and token.text == text and token.kind != "quoted"
        self._next += found
        return found

    def _place(self) -> int:
        token = self._peek()
        return token.place if token else len(self._text) + 1


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            at = place + len(text[place:]) - len(text[place:].lstrip()) + 1
            raise _fault("unexpected character", at, text)
        kind = match.lastgroup or ""
        tokens.append(_Token(kind, match[kind], match.start(kind) + 1))
        place = match.end()
    return tokens


def _comparison(field: str, operator: str, token: _Token) -> Test:
    if operator in ("~", "!~"):
        pattern = token.text.lower()
        wanted = operator == "~"
        return lambda box: (field in box and fnmatchcase(_text(box[field]).lower(), pattern)) is wanted
    literal = _literal(token)

    def compare(box: Mapping[str, Value]) -> bool:
        if field not in box:
            return operator == "!="
        left, right = _alike(box[field], literal)
        return {
            "=": left == right,
            "!=": left != right,
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
        }[operator]

    return compare


def _literal(token: _Token) -> Value:
    if token.kind == "word":
        if _NUMBER(token.text):
            return int(token.text)
        if span := _SPAN(token.text):
            return int(span[1]) * _SECONDS[span[2]]
        if token.text in ("true", "yes", "false", "no"):
            return token.text in ("true", "yes")
    return token.text


def _alike(left: Value, right: Value) -> tuple[tuple[int | str, ...], tuple[int | str, ...]]:
    """Both as tuples that compare: numbers as numbers; text with its numbers counted, so that 1.10 is above 1.9."""
    if isinstance(left, int) and isinstance(right, int):
        return (int(left),), (int(right),)
    return _natural(_text(left)), _natural(_text(right))


def _natural(text: str) -> tuple[int | str, ...]:
    """Text and numbers in turn, beginning with text: so that number never meets text."""
    parts = re.split(r"([0-9]+)", text.lower())
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts))


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fault(words: str, place: int, text: str) -> SyncError:
    shown = text if len(text) <= 60 else text[max(0, place - 30) : place + 30]
    return SyncError(f"--where: {words} (at character {place} of {shown!r})", reason="where")
