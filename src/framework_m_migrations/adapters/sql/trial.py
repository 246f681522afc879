"""Definitions that a database rejects whatever the rows, found by making each as a temporary table that goes again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain.operations import Defining
from framework_m_migrations.domain.schema import TableName

TRIAL = "m_migrate_trial"
"""The name of a temporary table; where several are made at once, its beginning."""

type Attempt = Callable[[Sequence[str]], sa.exc.DBAPIError | None]
"""Sends statements one after the other; the error of the first that is rejected, with nothing left of any."""


class Trial(NamedTuple):
    """How a dialect tries definitions.

    Attributes:
        scope: from whose end on nothing is left; None where nothing can be tried now.
        like: SQL of a temporary table ``{name}`` with the columns of ``{table}``.
        together: statements of many tables can be sent as one attempt.
        wrong: whether an error says that the definition itself is wrong; with True, that it also is where types and
            functions are created first.
    """

    scope: Callable[[sa.Connection], AbstractContextManager[Attempt | None]]
    like: str
    together: bool
    wrong: Callable[[sa.exc.DBAPIError, bool], bool]


class Try(NamedTuple):
    """The statements of one operation, renamed; ``operation`` is None for the copy of a table that exists."""

    operation: Defining | None
    statements: tuple[str, ...]


def rejected(
    connection: sa.Connection, trial: Trial, tries: Sequence[Sequence[Try]], *, unsure: bool
) -> Iterator[tuple[Defining, str]]:
    """The operations that the database rejects, with its own words.

    Args:
        connection: in a scope for reads.
        trial: of its dialect.
        tries: those of one table together, what creates it first.
        unsure: the plan creates what the operations may need.
    """
    with trial.scope(connection) as attempt:
        if attempt is None:
            return
        if trial.together and attempt([sql for several in tries for one in several for sql in one.statements]) is None:
            return
        for several in tries:
            if attempt([sql for one in several for sql in one.statements]) is None:
                continue
            made: list[str] = []
            for one in several:
                error = attempt([*made, *one.statements])
                if error is None:
                    made += one.statements
                elif connection.invalidated:
                    raise error
                else:
                    if one.operation is not None and trial.wrong(error, unsure):
                        yield one.operation, _words(error)
                    if not made:
                        break


def _words(error: sa.exc.DBAPIError) -> str:
    said = error.orig.args[-1] if error.orig is not None and error.orig.args else error.orig
    cause = getattr(error.orig, "__cause__", None)
    text = str(said if cause is None else cause).strip().partition("\n")[0]
    return text.partition("CONTEXT:")[0].strip().rstrip(".")


def renamed(sql: str, table: TableName, name: str, number: int, text: SqlText) -> str | None:
    """A statement for the temporary table; None for one of another kind, which is not tried."""
    old = re.escape(text.table(table))
    for pattern, place in (
        (rf"\ACREATE (?:UNLOGGED )?TABLE {old}(?=[\s(])", f"CREATE TEMPORARY TABLE {name}"),
        (rf"\AALTER TABLE {old}(?=\s)", f"ALTER TABLE {name}"),
        (rf"\ACREATE ((?:\w+ )?)INDEX (?:.*?) ON {old}(?=[\s(])", rf"CREATE \1INDEX {name}_i{number} ON {name}"),
    ):
        match = re.match(pattern, sql, re.DOTALL)
        if match is not None:
            return match.expand(place) + sql[match.end() :]
    return None
