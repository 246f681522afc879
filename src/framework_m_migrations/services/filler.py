"""Filler: gives the rows that were there before a column their values, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from framework_m_migrations.domain.effects import Pause, UseCase
from framework_m_migrations.domain.events import BackfillMoved, Event
from framework_m_migrations.domain.filling import PAUSE, Batch, Fill, pending
from framework_m_migrations.domain.operations import FillColumn
from framework_m_migrations.domain.options import Limits, LockOptions
from framework_m_migrations.domain.ownership import WorkState
from framework_m_migrations.domain.plan import Step
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.logbook import LogLine
from framework_m_migrations.services.waiting import retrying, still_held


@dataclass(frozen=True, slots=True)
class Filler:
    """Carries out the steps of a plan that take many transactions, under the migration lock that the caller holds."""

    session: Session
    locks: LockOptions

    def fill(
        self, step: Step, operation: FillColumn, retried: Callable[[int, float, str], Event], line: LogLine
    ) -> UseCase[None]:
        """Go through the rows, from where an interrupted run stopped.

        A batch and the ledger's note of how far it came are one transaction. With the last batch the note goes, or
        says that only NOT NULL is missing.

        Args:
            step: whose only operation it is.
            operation: the column.
            retried: the event of a batch that did not get its locks in time, as for ``locking.retrying``.
            line: in the log: it runs from the first batch on, and is done with the last.

        Raises:
            LockTimeout: rows stayed locked by others; the batches before stand.
            DatabaseError: a batch was refused; those before stand.
            MigrationLocked: the migration lock was lost meanwhile.
        """
        session = self.session
        fill = Fill(operation.table, operation.column.name)
        with session.reading():
            fill = pending(session.ledger.snapshot().state).get((fill.table, fill.column), fill)
            size = session.inspector.sizes([fill.table]).get(fill.table)
        fill = fill.along(tuple(column.name for column in operation.key))
        if operation.late:
            fill = replace(fill, after=None)
        ended = False
        while not ended:
            still_held(session)

            def attempt(fill: Fill = fill) -> tuple[Fill, bool]:
                return self._batch(step, operation, fill, line)

            fill, ended = yield from retrying(session, self.locks, attempt, retried)
            # The second pass looks only for the few rows that it is about, of which nobody has an account.
            known = None if size is None or size.rows is None or operation.late else size.rows
            left = None if known is None else max(0, known - fill.done)
            session.events.emit(BackfillMoved(str(fill.table), fill.done, fill.changed, 0 if ended else left))
            if not ended:
                yield Pause(PAUSE)

    def _batch(self, step: Step, operation: FillColumn, fill: Fill, line: LogLine) -> tuple[Fill, bool]:
        """One transaction: how far it came, and whether it was the last."""
        session, locks = self.session, self.locks
        # The second pass reads the table, under no lock that stops anybody, to find the few rows that it is about.
        limit = None if operation.late else locks.statement_timeout
        with session.transaction(Limits(locks.lock_timeout, limit)):
            batch: Batch = session.executor.fill(operation, fill.after)
            fill = fill.moved(batch)
            ended = batch.seen < operation.size
            if not operation.late:
                left = replace(fill, written=True, after=None) if ended else fill
                closes = ended and operation.column.nullable
                session.ledger.set_state({fill.key: None if closes else left.dump()})
            if ended:
                session.ledger.record(step.owns)
                session.ledger.store(dict(step.completes))
            if ended or line.outcome is None:
                line.note(session.executor.render(operation), WorkState.DONE if ended else WorkState.RUNNING)
        return fill, ended
