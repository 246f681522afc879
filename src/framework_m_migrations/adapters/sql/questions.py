"""Questions about rows, many in one statement, in SQL near the standard."""

# ruff: noqa: S608 - names are quoted; expressions are the declaration's own

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from framework_m_migrations.domain.risk.facts import FactKind, Facts, Question
from framework_m_migrations.domain.schema import TableName

PROBE_TIMEOUT = 5.0
"""Seconds that the questions of one statement may take together; on time-out they are asked again in halves."""
TOTAL_TIMEOUT = 60.0
"""Seconds that time-outs may take in all; no further question is asked then."""
_AT_ONCE = 100


class Asking:
    """One round of questions.

    Args:
        connection: that ``together`` asks through.
        together: sends questions as one statement of its own scope, so that a failure leaves the connection's
            transaction as it was; returns one number, or None for zero, for each.
        timed_out: tells a time-out from other errors of the driver.
        timeout: seconds that ``together`` allows a statement.
    """

    def __init__(
        self,
        connection: sa.Connection,
        together: Callable[[Sequence[Question]], Sequence[int | None]],
        timed_out: Callable[[sa.exc.DBAPIError], bool],
        timeout: float,
    ) -> None:
        self._connection = connection
        self._together = together
        self._timed_out = timed_out
        self._timeout = timeout
        self._budget = TOTAL_TIMEOUT
        self._answers: dict[Question, int] = {}

    def ask(self, questions: Collection[Question]) -> Facts:
        """The answers; questions that the server refuses, or that take too long, are left out.

        Raises:
            sqlalchemy.exc.DBAPIError: the connection was lost.
        """
        cheap = [question for question in questions if question.kind is FactKind.HAS_ROWS]
        costly = [question for question in questions if question.kind is not FactKind.HAS_ROWS]
        for group in (cheap, costly):
            for start in range(0, len(group), _AT_ONCE):
                self._ask(group[start : start + _AT_ONCE])
        return self._answers

    def _ask(self, questions: Sequence[Question]) -> None:
        """Ask together, then, where that fails, in halves."""
        if not questions or self._budget <= 0:
            return
        try:
            values = self._together(questions)
        except sa.exc.DBAPIError as error:
            if self._connection.invalidated:
                raise
            if self._timed_out(error):
                self._budget -= self._timeout
            if len(questions) > 1:
                middle = len(questions) // 2
                self._ask(questions[:middle])
                self._ask(questions[middle:])
            return
        self._answers.update((question, int(value or 0)) for question, value in zip(questions, values, strict=True))


# Questions about rows as SQL, for servers whose SQL is near the standard.


@dataclass(frozen=True, slots=True)
class RowQuestions:
    """How one dialect words the questions.

    Args:
        quoted: a name, ready for SQL.
        length: a column's length in characters, of a column's name.
        constant: a value as a column of a type holds it, of the value and the type.
    """

    quoted: Callable[[str], str]
    length: Callable[[str], str]
    constant: Callable[[str, str], str]

    def statement(self, question: Question, schema: str | None) -> str:
        """The SELECT of one number that answers a question; of yes and no it is 1 and 0.

        Args:
            question: see Question.
            schema: of tables that name none; None for the connection's own.
        """
        source = self._source(question, schema)
        columns = [f"q.{self.quoted(name)}" for name in question.columns]
        given = [f"{column} IS NOT NULL" for column in columns]
        match question.kind:
            case FactKind.HAS_ROWS:
                return _exists(source)
            case FactKind.NULLS:
                return _exists(source, " OR ".join(f"{column} IS NULL" for column in columns))
            case FactKind.DUPLICATES:
                told = [] if question.nulls_agree else given
                conditions = told if question.detail is None else [f"({question.detail})", *told]
                grouped = f"{' AND '.join(conditions) or '1 = 1'} GROUP BY {', '.join(columns)} HAVING count(*) > 1"
                return _exists(source, grouped)
            case FactKind.LONGEST:
                return f"SELECT COALESCE(max({self.length(columns[0])}), 0) FROM {source}"
            case FactKind.VIOLATIONS:
                return _exists(source, f"NOT ({question.detail})")
            case FactKind.ORPHANS:
                alone = f"NOT EXISTS ({self._partner(question, columns, schema)})"
                return _exists(source, " AND ".join([*given, alone]))

    def _partner(self, question: Question, columns: Sequence[str], schema: str | None) -> str:
        if question.target is None:
            raise ValueError(f"a question about orphans without a target: {question}")
        pairs = zip(question.target_columns, columns, strict=True)
        equal = " AND ".join(f"p.{self.quoted(name)} = {column}" for name, column in pairs)
        return f"SELECT 1 FROM {self._qualified(question.target, schema)} p WHERE {equal}"

    def _source(self, question: Question, schema: str | None) -> str:
        table = self._qualified(question.table, schema)
        if not question.assuming:
            return f"{table} q"
        added = ", ".join(
            f"{self.constant(value, type_)} AS {self.quoted(name)}" for name, type_, value in question.assuming
        )
        return f"(SELECT t.*, {added} FROM {table} t) q"

    def _qualified(self, table: TableName, schema: str | None) -> str:
        where = table.schema or schema
        return self.quoted(table.name) if where is None else f"{self.quoted(where)}.{self.quoted(table.name)}"


def _exists(source: str, condition: str = "") -> str:
    where = f" WHERE {condition}" if condition else ""
    return f"SELECT CASE WHEN EXISTS (SELECT 1 FROM {source}{where}) THEN 1 ELSE 0 END"
