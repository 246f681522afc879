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
_CLAUSE_AFTER = frozenset({"on", "for", "key", "do", "of", "or", "before", "after"})
"""Words before UPDATE and DELETE where they are a clause: of a foreign key, a column, a lock, a trigger, an upsert."""
GUARDED_WORDS = frozenset({"drop", "truncate", "delete", "update", "rename"})
"""What is looked for: as names these words are always quoted, whatever the dialect reserves."""
_SUSPICIOUS = re.compile(rf"(?:{'|'.join(sorted(GUARDED_WORDS))})(?!\w)", re.IGNORECASE)
"""Finds every text in which ``words`` may come upon one of them, and hardly any other."""
_NAME = r"""(?:"(?:[^"]|"")+"|`(?:[^`]|``)+`|\w+)"""
_HARMLESS = re.compile(
    rf"""\s*(?:/\*.*?\*/\s*)?UPDATE\s+(?:{_NAME}\.)*(?:sqlite_master\s+SET\s+sql\s*=.*
    |{_NAME}\s+SET\s+(?P<column>{_NAME})\s*=\s*(?:(?P=column)\s+WHERE\b.*|.*\sWHERE\s+(?P=column)\s+IS\s+NULL))\s*""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
"""Definitions of SQLite, a value written over itself, and values for rows that have none."""
_GRANTS = re.compile(r"\s*(?:ALTER\s+DEFAULT\s+PRIVILEGES\b.*?\s)?GRANT\s", re.IGNORECASE | re.DOTALL)
_ROUTINE = re.compile(r"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE|TRIGGER)\s", re.IGNORECASE)
_BODY = re.compile(r"\bBEGIN\s+ATOMIC\b.*\bEND\b", re.IGNORECASE | re.DOTALL)


def refuse_destruction(sql: str, dialect_name: str, *, backslash_escapes: bool = False, fills: bool = False) -> None:
    """Raise DropRefused where a statement of the additive path would drop, truncate, rename, delete or change values.

    Args:
        sql: the text as it would be sent.
        dialect_name: SQLAlchemy's name of the dialect, for its quoting rules.
        backslash_escapes: backslashes escape within ordinary string literals (standard_conforming_strings is off).
        fills: it is a batch of a new column's values, which is an UPDATE in any form.
    """
    if _SUSPICIOUS.search(sql) is None:
        return  # What does not occur anywhere is no word of the statement either.
    word = destructive_word(sql, dialect_name, backslash_escapes=backslash_escapes, fills=fills)
    if word is not None:
        raise DropRefused(
            f"A statement of the additive path says {word.upper()} and was not sent: {sql}",
            next_step=f"Quote the name where {word} is one; else report this: sync never drops.",
        )


def destructive_word(
    sql: str, dialect_name: str, *, backslash_escapes: bool = False, fills: bool = False
) -> str | None:
    """The word by which a statement would destroy something, None where there is none; see refuse_destruction."""
    if _GRANTS.match(sql) is not None and ";" not in sql:
        return None
    if _ROUTINE.match(sql) is not None:
        # What a routine does when it is called is part of its definition. Only PostgreSQL takes further statements.
        sql = _BODY.sub("", sql) if dialect_name == "postgresql" else ""
    found = ["", *words(sql, dialect_name, backslash_escapes=backslash_escapes)]
    updates = 0
    for position, word in enumerate(found[1:], start=1):
        before, after = found[position - 1], found[position + 1 : position + 4]
        refused = word in _FORBIDDEN or (word == "rename" and not {"to", "as"}.isdisjoint(after))
        if word == "delete" and before not in _CLAUSE_AFTER:
            refused = before in {"", "then"} or "from" in after
        elif word == "update" and before not in _CLAUSE_AFTER:
            updates += 1
            refused = not fills and (updates > 1 or _HARMLESS.fullmatch(sql) is None)
        if refused:
            return word
    return None


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
