"""Questions about rows, asked in few statements, each within a time limit."""

# ruff: noqa: S608 - names are quoted, values are quoted literals

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from framework_m_migrations.adapters.mariadb.failures import code_of
from framework_m_migrations.adapters.mariadb.scopes import taken_back
from framework_m_migrations.adapters.mariadb.tokens import quoted
from framework_m_migrations.domain.facts import FactKind, Facts, Question
from framework_m_migrations.domain.schema import TableName

PROBE_TIMEOUT = 5.0
"""Seconds that the questions of one statement may take together; on time-out they are asked again in halves."""
TOTAL_TIMEOUT = 60.0
"""Seconds after which no further question is asked again."""
_AT_ONCE = 100
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
    answers: dict[Question, int] = {}
    everything = sorted(questions, key=lambda question: question.kind is not FactKind.HAS_ROWS)
    budget = TOTAL_TIMEOUT
    for start in range(0, len(everything), _AT_ONCE):
        budget = _ask(connection, everything[start : start + _AT_ONCE], schema, timeout, budget, answers)
    return answers


def _ask(
    connection: sa.Connection,
    questions: Sequence[Question],
    schema: str | None,
    timeout: float,
    budget: float,
    answers: dict[Question, int],
) -> float:
    """Ask together, then, where that fails, in halves; what is left of the budget once time-outs took their part."""
    if not questions or budget <= 0:
        return budget
    limits = f"max_statement_time={timeout}, lock_wait_timeout={max(1, round(timeout))}"
    columns = ", ".join(f"({statement(question, schema)})" for question in questions)
    try:
        with taken_back(connection):
            sql = f"SET STATEMENT {limits} FOR SELECT {columns}"
            row = connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).one()
    except sa.exc.DBAPIError as error:
        if connection.invalidated:
            raise
        budget -= timeout if code_of(error) in _TIMED_OUT else 0
        if len(questions) == 1:
            return budget
        middle = len(questions) // 2
        budget = _ask(connection, questions[:middle], schema, timeout, budget, answers)
        return _ask(connection, questions[middle:], schema, timeout, budget, answers)
    answers.update((question, int(value or 0)) for question, value in zip(questions, row, strict=True))
    return budget


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
