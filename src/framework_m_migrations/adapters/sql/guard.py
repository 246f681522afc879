"""What keeps the additive path additive: the last look at a statement before it leaves.

A statement is cut into words, with string literals, quoted identifiers and comments left out, so that a column called
"drop", or a default that says 'DROP TABLE', is no alarm, and a real DROP cannot hide behind either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Lexical:
    """Where a database looks for no words: the texts, names and comments of its SQL.

    Args:
        quotes: characters that open and close a text or a name, and are doubled within.
        backslash: those of them within which a backslash escapes.
        brackets: names stand in brackets too.
        dollars: texts stand between dollar tags, and in E'...' too, where a backslash escapes.
        nested: comments nest.
        executed: what stands in a comment that begins with /*! is carried out.
        several: a statement may follow the definition of a routine; its BEGIN ATOMIC body alone is passed over.
    """

    quotes: str = "'\""
    backslash: str = ""
    brackets: bool = False
    dollars: bool = False
    nested: bool = False
    executed: bool = False
    several: bool = False


def refuse_destruction(sql: str, lexical: Lexical | None, *, fills: bool = False) -> None:
    """Raise DropRefused where a statement of the additive path would drop, truncate, rename, delete or change values.

    Args:
        sql: the text as it would be sent.
        lexical: of the dialect; without it, such a word is refused wherever it stands.
        fills: it is a batch of a new column's values, which is an UPDATE in any form.
    """
    suspicious = _SUSPICIOUS.search(sql)
    if suspicious is None:
        return  # What does not occur anywhere is no word of the statement either.
    if lexical is None:
        raise DropRefused(
            f"The dialect has no lexical rules to tell whether {suspicious[0].upper()} is a word of this statement, "
            f"so that it was not sent: {sql}",
            next_step="Return the rules from the dialect's method `lexical` (docs/adapters.md).",
        )
    word = destructive_word(sql, lexical, fills=fills)
    if word is not None:
        raise DropRefused(
            f"A statement of the additive path says {word.upper()} and was not sent: {sql}",
            next_step=f"Quote the name where {word} is one; else report this: sync never drops.",
        )


def destructive_word(sql: str, lexical: Lexical, *, fills: bool = False) -> str | None:
    """The word by which a statement would destroy something, None where there is none; see refuse_destruction."""
    if _GRANTS.match(sql) is not None and ";" not in sql:
        return None
    if _ROUTINE.match(sql) is not None:
        # What a routine does when it is called is part of its definition.
        sql = _BODY.sub("", sql) if lexical.several else ""
    found = ["", *words(sql, lexical)]
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


def words(sql: str, lexical: Lexical) -> Iterator[str]:
    """The words of a statement in lower case, without those in literals, quoted identifiers and comments.

    A literal or comment that does not end is read as words: what cannot be understood is never passed over.
    """
    position, end = 0, len(sql)
    while position < end:
        character = sql[position]
        after: int | None = None
        if character in lexical.quotes:
            after = _quoted(sql, position, character, backslash=character in lexical.backslash)
        elif lexical.brackets and character == "[":
            closing = sql.find("]", position)
            after = None if closing < 0 else closing + 1
        elif sql.startswith("--", position):
            newline = sql.find("\n", position)
            after = end if newline < 0 else newline
        elif lexical.executed and sql.startswith(("/*!", "/*M!"), position):
            after = None  # What stands in such a comment is carried out.
        elif sql.startswith("/*", position):
            after = _comment(sql, position, nested=lexical.nested)
        elif lexical.dollars and character == "$":
            after = _dollar_quoted(sql, position)
        else:
            match = _WORD.match(sql, position)
            if match is not None:
                after = match.end()
                if lexical.dollars and match[0] in {"e", "E"} and sql[after : after + 1] == "'":
                    after = _quoted(sql, after, "'", backslash=True) or after
                else:
                    yield match[0].lower()
                    # A dollar within an identifier opens no literal.
                    while lexical.dollars and sql[after : after + 1] == "$":
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
