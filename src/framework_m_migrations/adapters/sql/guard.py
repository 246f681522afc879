"""What keeps the additive path additive: the last look at a statement before it leaves.

A statement is cut into words, with string literals, quoted identifiers and comments left out, so that a column called
"drop", or a default that says 'DROP TABLE', is no alarm, and a real DROP cannot hide behind either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from framework_m_migrations.domain.errors import DropRefused

_WORD = re.compile(r"[^\W\d]\w*")
_DOLLAR_TAG = re.compile(r"\$(?:[^\W\d]\w*)?\$")
_FORBIDDEN = frozenset({"drop", "truncate"})
_FORBIDDEN_AFTER = {"delete": "from"}
"""DELETE is a clause of foreign keys and triggers too; it removes rows only before FROM."""
_SUSPICIOUS = re.compile(r"(?:drop|truncate)(?!\w)|delete(?!\w).*from(?!\w)", re.IGNORECASE | re.DOTALL)
"""Finds every text in which ``words`` may come upon one of them, and hardly any other."""


def refuse_destruction(sql: str, dialect_name: str, *, backslash_escapes: bool = False) -> None:
    """Raise DropRefused where a statement of the additive path would drop, truncate or delete.

    Args:
        sql: the text as it would be sent.
        dialect_name: SQLAlchemy's name of the dialect, for its quoting rules.
        backslash_escapes: backslashes escape within ordinary string literals (standard_conforming_strings is off).
    """
    if _SUSPICIOUS.search(sql) is None:
        return  # What does not occur anywhere is no word of the statement either.
    previous = ""
    for word in words(sql, dialect_name, backslash_escapes=backslash_escapes):
        if word in _FORBIDDEN or _FORBIDDEN_AFTER.get(previous) == word:
            raise DropRefused(
                f"A statement of the additive path says {word.upper()} and was not sent: {sql}",
                next_step=f"Quote the name where {word} is one; else report this: sync never drops.",
            )
        previous = word


def words(sql: str, dialect_name: str, *, backslash_escapes: bool = False) -> Iterator[str]:
    """The words of a statement in lower case, without those in literals, quoted identifiers and comments.

    A literal or comment that does not end is read as words: what cannot be understood is never passed over.
    """
    postgres, mariadb = dialect_name == "postgresql", dialect_name == "mariadb"
    position, end = 0, len(sql)
    while position < end:
        character = sql[position]
        after: int | None = None
        if character == "'":
            after = _quoted(sql, position, "'", backslash=backslash_escapes)
        elif character == '"':
            # MariaDB's strings have either quote.
            after = _quoted(sql, position, '"', backslash=mariadb and backslash_escapes)
        elif not postgres and character == "`":
            after = _quoted(sql, position, "`")
        elif not postgres and not mariadb and character == "[":
            closing = sql.find("]", position)
            after = None if closing < 0 else closing + 1
        elif sql.startswith("--", position):
            newline = sql.find("\n", position)
            after = end if newline < 0 else newline
        elif mariadb and sql.startswith(("/*!", "/*M!"), position):
            after = None  # What stands in such a comment is carried out.
        elif sql.startswith("/*", position):
            after = _comment(sql, position, nested=postgres)
        elif postgres and character == "$":
            after = _dollar_quoted(sql, position)
        else:
            match = _WORD.match(sql, position)
            if match is not None:
                after = match.end()
                if postgres and match[0] in {"e", "E"} and sql[after : after + 1] == "'":
                    after = _quoted(sql, after, "'", backslash=True) or after
                else:
                    yield match[0].lower()
                    # A dollar within an identifier opens no literal.
                    while postgres and sql[after : after + 1] == "$":
                        rest = _WORD.match(sql, after + 1)
                        after = rest.end() if rest is not None else after + 1
        position = position + 1 if after is None else after


def _quoted(sql: str, start: int, quote: str, *, backslash: bool = False) -> int | None:
    """The position after a quoted run; a doubled quote stays within it."""
    position = start + 1
    while position < len(sql):
        if backslash and sql[position] == "\\":
            position += 2
        elif sql[position] != quote:
            position += 1
        elif sql.startswith(quote, position + 1):
            position += 2
        else:
            return position + 1
    return None


def _comment(sql: str, start: int, *, nested: bool) -> int | None:
    depth, position = 1, start + 2
    while position < len(sql):
        if sql.startswith("*/", position):
            depth -= 1
            position += 2
            if depth == 0:
                return position
        elif nested and sql.startswith("/*", position):
            depth += 1
            position += 2
        else:
            position += 1
    return None


def _dollar_quoted(sql: str, start: int) -> int | None:
    match = _DOLLAR_TAG.match(sql, start)
    if match is None:
        return None
    closing = sql.find(match[0], match.end())
    return None if closing < 0 else closing + len(match[0])
