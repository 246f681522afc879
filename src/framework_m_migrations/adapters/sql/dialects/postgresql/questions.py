"""Questions about rows, asked in few statements, each within a time limit."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.asking import PROBE_TIMEOUT, Asking
from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import written
from framework_m_migrations.adapters.sql.dialects.postgresql.settings import is_inside_autocommit_block, taken_back
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import execute
from framework_m_migrations.adapters.sql.row_questions import RowQuestions
from framework_m_migrations.domain.facts import Facts, Question

_WORDED = RowQuestions(
    quoted=written,
    length=lambda column: f"length({column}::text)",
    constant=lambda value, type_: f"CAST({value} AS {type_})",
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

    def together(asked: Sequence[Question]) -> Sequence[int | None]:
        sql = "SELECT " + ", ".join(f"({_WORDED.statement(question, schema)})::bigint" for question in asked)
        with taken_back(connection, timeout=None if is_inside_autocommit_block(connection) else timeout):
            return execute(connection, sql).one()

    return Asking(connection, together, _timed_out, timeout).ask(questions)


def _timed_out(error: sa.exc.DBAPIError) -> bool:
    from framework_m_migrations.adapters.sql.dialects.postgresql.failures import sqlstate

    return sqlstate(error) in {"57014", "55P03"}
