"""A place in the tokens of a SQL text, for the parser in create_sql.py."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

from framework_m_migrations.adapters.sql.dialects.sqlite.tokens import (
    NAME,
    OPERATOR,
    STRING,
    WORD,
    Token,
    tokens,
    unquoted,
)

type Span = tuple[int, int]
"""Start and end of a part of a text."""


class UnreadableSql(ValueError):
    """A text that the parser does not understand; callers then rely on what SQLite's pragmas tell."""


class Cursor:
    """Steps through the tokens of ``sql``."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        end = len(sql)
        self._tokens = tokens(sql)
        while self._tokens and self._tokens[-1].text == ";":
            self._tokens.pop()
        self._end = Token(OPERATOR, "", "", end, end)
        self._count = len(self._tokens)
        self._position = 0
        self._now = self._tokens[0] if self._tokens else self._end

    @property
    def done(self) -> bool:
        """True behind the last token."""
        return self._position >= self._count

    @property
    def kind(self) -> str:
        """The kind of the token here."""
        return self._now.kind

    @property
    def upper(self) -> str:
        """The token here in upper case."""
        return self._now.upper

    @property
    def here(self) -> int:
        """Where the token here starts."""
        return self._now.start

    @property
    def last_start(self) -> int:
        """Where the token before this one starts."""
        return self._tokens[self._position - 1].start

    @property
    def last_end(self) -> int:
        """Where the token before this one ends."""
        return self._tokens[self._position - 1].end

    def complaint(self, wanted: str) -> str:
        """What to say where ``wanted`` is missing."""
        return f"{wanted} was expected at position {self.here} of {self.sql[:80]!r}"

    def at(self, word: str, ahead: int = 0) -> bool:
        """Whether the token here, or so many further on, is this keyword or sign."""
        if not ahead:
            return self._now.upper == word
        position = self._position + ahead
        return position < self._count and self._tokens[position].upper == word

    def at_any(self, words: Collection[str]) -> bool:
        """Whether the token here is one of these keywords."""
        return self._now.upper in words

    def skip(self, count: int = 1) -> None:
        """Go on."""
        self._position += count
        self._now = self._tokens[self._position] if self._position < self._count else self._end

    def take(self, word: str) -> bool:
        """Go past this keyword or sign if it is here."""
        if self._now.upper != word or self.done:
            return False
        self.skip()
        return True

    def expect(self, word: str) -> None:
        """Go past this keyword or sign; raises UnreadableSql where it is not here."""
        if not self.take(word):
            raise UnreadableSql(self.complaint(word))

    def name(self) -> str:
        """Take a name, however it is quoted."""
        if self._now.kind not in {WORD, NAME, STRING}:
            raise UnreadableSql(self.complaint("a name"))
        text = unquoted(self._now.text)
        self.skip()
        return text

    def word(self) -> str:
        """Take a keyword and return it in upper case."""
        if self._now.kind != WORD:
            raise UnreadableSql(self.complaint("a keyword"))
        text = self._now.upper
        self.skip()
        return text

    def balanced(self) -> str:
        """Take a group in parentheses and return what stands inside, as written."""
        start = self._now.end
        self._group()
        return self.sql[start : self.last_start].strip()

    def parts(self) -> list[str]:
        """Take a group in parentheses and return what stands between its commas."""
        start = self._now.end
        commas = self._group()
        borders = [start - 1, *commas, self.last_start]
        return [self.sql[left + 1 : right] for left, right in pairwise(borders)]

    def _group(self) -> list[int]:
        """Go past a group in parentheses; returns the places of its own commas."""
        if not self.at("("):
            raise UnreadableSql(self.complaint("("))
        depth = 0
        commas: list[int] = []
        while not self.done:
            text = self._now.text
            if text == "(":
                depth += 1
            elif text == ")":
                depth -= 1
            elif text == "," and depth == 1:
                commas.append(self.here)
            self.skip()
            if depth == 0:
                return commas
        raise UnreadableSql(self.complaint(")"))

    def text(self, start: int, end: int) -> str:
        """A part of the text."""
        return self.sql[start:end]

    def pieces(self, start: int, end: int) -> list[str]:
        """The tokens of a part of the text."""
        return [token.text for token in self._tokens[: self._position] if start <= token.start and token.end <= end]

    def remaining(self) -> list[Token]:
        """The tokens from here on."""
        return self._tokens[self._position :]

    def rest(self) -> str:
        """Take all that is left, as written."""
        start = self.here
        end = self._tokens[-1].end if not self.done else start
        self.skip(self._count)
        return self.sql[start:end]
