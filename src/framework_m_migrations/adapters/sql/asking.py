"""Questions about rows, many in one statement, for dialects that can limit how long a statement takes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import sqlalchemy as sa

from framework_m_migrations.domain.facts import FactKind, Facts, Question

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
