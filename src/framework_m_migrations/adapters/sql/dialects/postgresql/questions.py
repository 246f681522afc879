"""Questions about rows, asked in few statements, each within a time limit."""

# ruff: noqa: S608 - names are quoted, values are parameters or quoted literals

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.asking import PROBE_TIMEOUT, Asking
from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import written
from framework_m_migrations.adapters.sql.dialects.postgresql.settings import is_inside_autocommit_block, taken_back
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import execute, qualified
from framework_m_migrations.domain.facts import FactKind, Facts, Question


def ask(
    connection: sa.Connection, questions: Collection[Question], *, schema: str | None, timeout: float = PROBE_TIMEOUT
) -> Facts:
    """The answers; questions that the server refuses, or that take too long, are left out.

    Args:
        connection: whose own transaction, if there is one, is left as it was.
        questions: see Question.
        schema: the session's schema.
        timeout: seconds for one statement.
    """

    def together(asked: Sequence[Question]) -> Sequence[int | None]:
        sql = "SELECT " + ", ".join(f"({statement(question, schema)})::bigint" for question in asked)
        with taken_back(connection, timeout=None if is_inside_autocommit_block(connection) else timeout):
            return execute(connection, sql).one()

    return Asking(connection, together, _timed_out, timeout).ask(questions)


def _timed_out(error: sa.exc.DBAPIError) -> bool:
    from framework_m_migrations.adapters.sql.dialects.postgresql.failures import sqlstate

    return sqlstate(error) in {"57014", "55P03"}


def statement(question: Question, schema: str | None) -> str:
    """The SELECT of one number that answers a question."""
    source = _source(question, schema)
    columns = [f"q.{written(name)}" for name in question.columns]
    given = [f"{column} IS NOT NULL" for column in columns]
    match question.kind:
        case FactKind.HAS_ROWS:
            return _exists(source)
        case FactKind.NULLS:
            return _exists(source, " OR ".join(f"{column} IS NULL" for column in columns))
        case FactKind.DUPLICATES:
            conditions = given if question.detail is None else [f"({question.detail})", *given]
            grouped = f"{' AND '.join(conditions)} GROUP BY {', '.join(columns)} HAVING count(*) > 1"
            return _exists(source, grouped)
        case FactKind.LONGEST:
            return f"SELECT COALESCE(max(length({columns[0]}::text)), 0) FROM {source}"
        case FactKind.VIOLATIONS:
            return _exists(source, f"NOT ({question.detail})")
        case FactKind.ORPHANS:
            return _exists(source, " AND ".join([*given, f"NOT EXISTS ({_partner(question, columns, schema)})"]))


def _partner(question: Question, columns: Sequence[str], schema: str | None) -> str:
    if question.target is None:
        raise ValueError(f"a question about orphans without a target: {question}")
    pairs = zip(question.target_columns, columns, strict=True)
    equal = " AND ".join(f"p.{written(name)} = {column}" for name, column in pairs)
    return f"SELECT FROM {qualified(question.target, schema)} p WHERE {equal}"


def _source(question: Question, schema: str | None) -> str:
    table = qualified(question.table, schema)
    if not question.assuming:
        return f"{table} q"
    added = ", ".join(f"CAST({value} AS {type_}) AS {written(name)}" for name, type_, value in question.assuming)
    return f"(SELECT t.*, {added} FROM {table} t) q"


def _exists(source: str, condition: str = "") -> str:
    where = f" WHERE {condition}" if condition else ""
    return f"SELECT EXISTS (SELECT FROM {source}{where})::int"
