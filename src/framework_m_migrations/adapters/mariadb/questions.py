"""Questions about rows, asked in few statements, each within a time limit."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from framework_m_migrations.adapters.mariadb.failures import code_of
from framework_m_migrations.adapters.mariadb.scopes import taken_back
from framework_m_migrations.adapters.mariadb.tokens import quoted
from framework_m_migrations.adapters.sql.asking import PROBE_TIMEOUT, Asking
from framework_m_migrations.adapters.sql.row_questions import RowQuestions
from framework_m_migrations.domain.facts import Facts, Question

_TIMED_OUT = frozenset({1205, 1969})
# CAST knows few of the types that columns have; a constant compares as well without.
_WORDED = RowQuestions(
    quoted=quoted, length=lambda column: f"CHAR_LENGTH({column})", constant=lambda value, _type: f"({value})"
)


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
        columns = ", ".join(f"({_WORDED.statement(question, schema)})" for question in asked)
        with taken_back(connection):
            sql = f"SET STATEMENT {limits} FOR SELECT {columns}"
            return connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).one()

    return Asking(connection, together, lambda error: code_of(error) in _TIMED_OUT, timeout).ask(questions)
