"""Questions about rows, asked in few statements, each within a time limit."""

# ruff: noqa: S608 - names are quoted, values are quoted literals

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from framework_m_migrations.adapters.mariadb.failures import code_of
from framework_m_migrations.adapters.mariadb.scopes import taken_back
from framework_m_migrations.adapters.mariadb.tokens import quoted
from framework_m_migrations.adapters.sql.asking import PROBE_TIMEOUT, Asking
from framework_m_migrations.domain.facts import FactKind, Facts, Question
from framework_m_migrations.domain.schema import TableName

_TIMED_OUT = frozenset({1205, 1969})


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
    limits = f"max_statement_time={timeout}, lock_wait_timeout={max(1, round(timeout))}"

    def together(asked: Sequence[Question]) -> Sequence[int | None]:
        columns = ", ".join(f"({statement(question, schema)})" for question in asked)
        with taken_back(connection):
            sql = f"SET STATEMENT {limits} FOR SELECT {columns}"
            return connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).one()

    return Asking(connection, together, lambda error: code_of(error) in _TIMED_OUT, timeout).ask(questions)


def statement(question: Question, schema: str | None) -> str:
    """The SELECT of one number that answers a question."""
    source = _source(question, schema)
    columns = [f"q.{quoted(name)}" for name in question.columns]
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
            return f"SELECT COALESCE(MAX(CHAR_LENGTH({columns[0]})), 0) FROM {source}"
        case FactKind.VIOLATIONS:
            return _exists(source, f"NOT ({question.detail})")
        case FactKind.ORPHANS:
            return _exists(source, " AND ".join([*given, f"NOT EXISTS ({_partner(question, columns, schema)})"]))


def _partner(question: Question, columns: Sequence[str], schema: str | None) -> str:
    if question.target is None:
        raise ValueError(f"a question about orphans without a target: {question}")
    pairs = zip(question.target_columns, columns, strict=True)
    equal = " AND ".join(f"p.{quoted(name)} = {column}" for name, column in pairs)
    return f"SELECT 1 FROM {_qualified(question.target, schema)} p WHERE {equal}"


def _source(question: Question, schema: str | None) -> str:
    table = _qualified(question.table, schema)
    if not question.assuming:
        return f"{table} q"
    # CAST knows few of the types that columns have; a constant compares as well without.
    added = ", ".join(f"({value}) AS {quoted(name)}" for name, _, value in question.assuming)
    return f"(SELECT t.*, {added} FROM {table} t) q"


def _qualified(table: TableName, schema: str | None) -> str:
    where = table.schema or schema
    return quoted(table.name) if where is None else f"{quoted(where)}.{quoted(table.name)}"


def _exists(source: str, condition: str = "") -> str:
    where = f" WHERE {condition}" if condition else ""
    return f"SELECT EXISTS (SELECT 1 FROM {source}{where})"
