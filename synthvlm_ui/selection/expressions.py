"""The filter language of ``where``: comparisons of columns with constants, joined by and, or, not.

    clip_cosine >= 0.3 and not (ssim < 0.7 or 0 < guard) and verdict == keep
    tokens > 77 or caption contains "red cat" and dataset == "pilot" and not selection == "best"

Nothing is ever given to ``eval``. Logic has three values, as in SQL: what concerns a NaN is unknown, and a row passes
only where the whole is true, so neither ``x < 1`` nor ``not x < 1`` nor ``x != 1`` lets a NaN through.
Knows no rule; names are looked up in the columns it is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from synthvlm_ui.errors import BadSetting

MAX_CHARACTERS = 10_000
MAX_DEPTH = 50
WORDS: Mapping[str, float] = {"keep": 1.0, "reject": -1.0, "clear": 0.0, "undecided": 0.0, "true": 1.0, "false": 0.0}
CONTAINS = "contains"
OPERATORS = ("<=", ">=", "==", "!=", "<", ">", "=")

_TOKEN = re.compile(r"""\s*(?:
    (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<text>"[^"\n]*"|'[^'\n]*')
  | (?P<sign><=|>=|==|!=|<|>|=|\(|\))
)""", re.VERBOSE)


@dataclass(frozen=True, slots=True)
class Column:
    """A column by name."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, or a text for comparison with a column of texts."""

    value: float | str


Term = Column | Constant


@dataclass(frozen=True, slots=True)
class Truth:
    """A column taken as true or false, such as ``ok``."""

    column: Column


@dataclass(frozen=True, slots=True)
class Comparison:
    """Terms chained by operators: ``0.2 < ssim <= 0.9`` holds when every link does."""

    terms: tuple[Term, ...]
    operators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Expression


@dataclass(frozen=True, slots=True)
class Joined:
    """``and`` or ``or`` over two or more parts."""

    word: str
    parts: tuple[Expression, ...]


Expression = Truth | Comparison | Not | Joined


def parse(text: str) -> Expression:
    """The expression as a tree. Raises: BadSetting with the position of the first character that does not fit."""
    return _Parser(text).whole()


def unparse(expression: Expression) -> str:
    """The text of a tree; parsing it gives the same tree again."""
    if isinstance(expression, Truth):
        return expression.column.name
    if isinstance(expression, Comparison):
        words = [_shown(expression.terms[0])]
        for operator, term in zip(expression.operators, expression.terms[1:], strict=True):
            words += [operator, _shown(term)]
        return " ".join(words)
    if isinstance(expression, Not):
        return f"not ({unparse(expression.part)})" if isinstance(expression.part, Joined) else \
            f"not {unparse(expression.part)}"
    return f" {expression.word} ".join(
        f"({unparse(part)})" if isinstance(part, Joined) else unparse(part) for part in expression.parts)


def _shown(term: Term) -> str:
    if isinstance(term, Column):
        return term.name
    if isinstance(term.value, str):
        return f"'{term.value}'" if '"' in term.value else f'"{term.value}"'
    return repr(term.value)


class _Parser:
    """Recursive descent: or over and over not over comparisons."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0
        if len(text) > MAX_CHARACTERS:
            raise self.wrong(f"longer than {MAX_CHARACTERS} characters")
        self.kind, self.token, self.start = "", "", 0
        self.advance()

    def whole(self) -> Expression:
        expression = self.joined("or")
        if self.kind:
            raise self.wrong(f"{self.token!r} is not expected")
        return expression

    def joined(self, word: str) -> Expression:
        parts = [self.joined("and") if word == "or" else self.negation()]
        while self.kind == "word" and self.token.lower() == word:
            self.advance()
            parts.append(self.joined("and") if word == "or" else self.negation())
        return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))

    def negation(self) -> Expression:
        if self.depth >= MAX_DEPTH:
            raise self.wrong(f"nested more than {MAX_DEPTH} deep")
        self.depth += 1
        try:
            if self.kind == "word" and self.token.lower() == "not":
                self.advance()
                return Not(self.negation())
            if self.kind == "sign" and self.token == "(":
                self.advance()
                inner = self.joined("or")
                if self.token != ")" or self.kind != "sign":
                    raise self.wrong("a ) is missing")
                self.advance()
                return inner
            return self.comparison()
        finally:
            self.depth -= 1

    def comparison(self) -> Expression:
        terms, operators = [self.term()], []
        while self._at_operator():
            operators.append({"=": "=="}.get(self.token, self.token.lower()))
            self.advance()
            terms.append(self.term())
        if not operators:
            if isinstance(terms[0], Column):
                return Truth(terms[0])
            raise self.wrong("a comparison such as >= is missing")
        if not any(isinstance(term, Column) for term in terms):
            raise self.wrong("a comparison without a column")
        return Comparison(tuple(terms), tuple(operators))

    def _at_operator(self) -> bool:
        return self.kind == "sign" and self.token in OPERATORS or self.kind == "word" and self.token.lower() == CONTAINS

    def term(self) -> Term:
        kind, token = self.kind, self.token
        if kind == "number":
            self.advance()
            return Constant(float(token))
        if kind == "text":
            self.advance()
            return Constant(token[1:-1])
        if kind == "word" and token.lower() not in ("and", "or", "not", CONTAINS):
            self.advance()
            return Constant(WORDS[token.lower()]) if token.lower() in WORDS else Column(token)
        raise self.wrong(f"{token!r} stands where a column or number is expected" if kind else "ends too early")

    def advance(self) -> None:
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            self.start = len(self.text) - len(self.text[self.at :].lstrip())
            if self.start < len(self.text):
                raise self.wrong(f"{self.text[self.start]!r} is not understood")
            self.kind = self.token = ""
            return
        self.kind = match.lastgroup or ""
        self.token, self.start, self.at = match.group(self.kind), match.start(self.kind), match.end()

    def wrong(self, why: str) -> BadSetting:
        return BadSetting(f"the filter cannot be read: {why}", where=f"where, position {self.start + 1}",
                          fix="Write it like: clip_cosine >= 0.3 and not (ssim < 0.7) and verdict == keep.")
