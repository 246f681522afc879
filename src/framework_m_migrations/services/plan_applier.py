"""Carries out a plan or a list of revisions, step by step; the ledger tells the truth after each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from framework_m_migrations.domain.describe import step_label
from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import DropRefused, LedgerCorrupt, LedgerNameTaken
from framework_m_migrations.domain.events import (
    RevisionFinished,
    RevisionRetried,
    RevisionStarted,
    StepFinished,
    StepRetried,
    StepStarted,
)
from framework_m_migrations.domain.filling import closed, opened
from framework_m_migrations.domain.operations import (
    DestructiveOperation,
    FillColumn,
    ValidateConstraint,
    ValidateNotNull,
)
from framework_m_migrations.domain.options import Limits, LockOptions
from framework_m_migrations.domain.ownership import CATALOG_TOKEN, OwnedTable, WorkState
from framework_m_migrations.domain.plan import Plan, PlannedChange, Risk, Step
from framework_m_migrations.domain.revisions import RevisionGraph
from framework_m_migrations.domain.schema import TableName
from framework_m_migrations.ports.pruner import Pruner
from framework_m_migrations.ports.session import Session
from framework_m_migrations.ports.versioned_track import Journal
from framework_m_migrations.services.drops import droppable, owned_after
from framework_m_migrations.services.filler import Filler
from framework_m_migrations.services.hash_cache import GHOSTS
from framework_m_migrations.services.logbook import LogLine, open_log, open_log_alone
from framework_m_migrations.services.waiting import note, retrying, still_held


@dataclass(frozen=True, slots=True)
class PlanApplier:
    """Applies plans over one session, under the migration lock that the caller holds."""

    session: Session
    locks: LockOptions

    def apply(self, plan: Plan) -> UseCase[int]:
        """Carry out every step.

        A failure leaves the steps before it committed and recorded; running again goes on from there.

        Returns:
            How many steps were done.

        Raises:
            DatabaseError: a step was refused; it was rolled back.
        """
        session = self.session
        if not plan.touches_database:
            return 0
        yield from retrying(session, self.locks, partial(self._prepare, plan))
        total = len(plan.steps)
        for number, step in enumerate(plan.steps, start=1):
            still_held(session)
            session.events.emit(StepStarted(number, total, step))
            first, retried = step.operations[0], partial(StepRetried, number)
            line = LogLine(session, self.locks.limits, "sync", step_label(step), Risk.SAFE.label)
            with line.watched():
                if isinstance(first, FillColumn):
                    yield from Filler(session, self.locks).fill(step, first, retried, line)
                elif step.transactional:
                    yield from retrying(session, self.locks, partial(self._step, step, line), retried)
                else:
                    yield from retrying(session, self.locks, partial(self._begun, line), retried)
                    sent = yield from retrying(session, self.locks, partial(self._outside, step), retried)
                    yield from retrying(session, self.locks, partial(self._recorded, step, line, sent), retried)
            session.events.emit(StepFinished(number, total, step))
        yield from self.remember(plan)
        return total

    def _prepare(self, plan: Plan) -> None:
        ledger = self.session.ledger
        with self.session.transaction(self.locks.limits):
            ledger.prepare()
            if plan.steps:
                open_log(self.session)
            ledger.forget((*plan.forgets, *plan.revokes))
            ledger.record(plan.adopts)
            ledger.store(dict(plan.settled))
            ledger.set_state(dict.fromkeys(plan.voids))

    def remember(self, plan: Plan) -> UseCase[None]:
        """Store what the next sync compares the catalog with; last, so that a crash before it costs a comparison."""
        with self.session.reading():
            token = self.session.inspector.catalog_token()
        yield from note(self.session, self.locks, {CATALOG_TOKEN: token, GHOSTS: "yes" if plan.withheld else None})

    def _step(self, step: Step, line: LogLine) -> None:
        session = self.session
        # What reads the whole table to validate takes its time and holds nobody up.
        slow = any(isinstance(operation, ValidateConstraint | ValidateNotNull) for operation in step.operations)
        limit = None if slow else self.locks.statement_timeout
        brief = bool(step.locks) and not (step.scans or step.rewrites)
        with session.transaction(Limits(self.locks.lock_timeout, limit, brief)):
            if not session.capabilities.transactional_ddl:
                # The first statement commits it.
                line.note(outcome=WorkState.RUNNING)
            sent = session.executor.apply(*step.operations)
            self._record(step)
            session.ledger.set_state({**opened(step.operations), **closed(step.operations)})
            line.note(sent)

    def _begun(self, line: LogLine) -> None:
        with self.session.transaction(self.locks.limits):
            line.note(outcome=WorkState.RUNNING)

    def _outside(self, step: Step) -> tuple[str, ...]:
        with self.session.autocommit():
            return self.session.executor.apply(*step.operations)

    def _record(self, step: Step) -> None:
        self.session.ledger.record(step.owns)
        self.session.ledger.store(dict(step.completes))

    def _recorded(self, step: Step, line: LogLine, sent: Sequence[str]) -> None:
        with self.session.transaction(self.locks.limits):
            self._record(step)
            line.note(sent)

    def drop(self, changes: Sequence[PlannedChange]) -> UseCase[tuple[str, ...]]:
        """Drop what the ledger says is ours, one change a transaction.

        Args:
            changes: withheld changes whose handler is ``sync --allow-drop``.

        Returns:
            The statements that were sent.

        Raises:
            DropRefused: a change names what is not ours; nothing was dropped.
        """
        session = self.session
        with session.reading():
            ownership = dict(session.ledger.objects())
        pruner = session.pruner
        if pruner is None:
            raise DropRefused("Drops were not asked for.", next_step="Run `m-migrate sync --allow-drop`.")
        for change in changes:
            if not droppable(change, ownership):
                raise DropRefused(f"{change.change.table} is not recorded as ours; nothing was dropped.")
        sent: list[str] = []
        open_log_alone(session, self.locks.limits)
        for number, change in enumerate(changes, start=1):
            operations = [op for op in change.operations if isinstance(op, DestructiveOperation)]
            statements = [statement for operation in operations for statement in pruner.render(operation)]
            sent.extend(statements)
            ownership, entry = owned_after(change, ownership)
            line = LogLine(session, self.locks.limits, "sync", str(change), change.judgement.risk.label)
            attempt = partial(self._drop, pruner, operations, change.change.table, entry, line, statements)
            with line.watched():
                yield from retrying(session, self.locks, attempt, partial(StepRetried, number))
        return tuple(sent)

    def _drop(
        self,
        pruner: Pruner,
        operations: Sequence[DestructiveOperation],
        table: TableName,
        entry: OwnedTable | None,
        line: LogLine,
        statements: Sequence[str],
    ) -> None:
        locks = self.locks
        with self.session.transaction(Limits(locks.lock_timeout, locks.statement_timeout, brief=True)):
            if not self.session.capabilities.transactional_ddl:
                line.note(statements, WorkState.RUNNING)
            for operation in operations:
                pruner.apply(operation)
            if entry is None:
                self.session.ledger.disown([table])
            else:
                self.session.ledger.replace([entry])
            line.note(statements)


# Carries out revisions one by one, under the migration lock that the caller holds.


def apply_revisions(
    session: Session, locks: LockOptions, revisions: Sequence[str], direction: str, recorded: Sequence[str] = ()
) -> UseCase[None]:
    """Each revision in its order; one that did not get a lock in time is tried again whole.

    Args:
        session: the ports.
        locks: waiting.
        revisions: ids.
        direction: ``upgrade`` or ``downgrade``.
        recorded: those of them that only come to count as applied.

    Raises:
        RevisionError: a revision failed; those before it stand.
        MigrationLocked: the migration lock was lost meanwhile.
    """
    graph = session.versions.graph()
    ways: dict[str, Callable[[str, Journal], None]] = {
        "upgrade": session.versions.upgrade,
        "downgrade": session.versions.downgrade,
        "stamp": partial(_record, session, graph),
    }
    if revisions:
        open_log_alone(session, locks.limits)
    left = frozenset(recorded)
    before = {} if left.issuperset(revisions) else _owned_columns(session)
    for name in revisions:
        app, way = graph.by_id[name].app, "stamp" if name in left else direction
        still_held(session)
        session.events.emit(RevisionStarted(name, app, way))
        words = f"{way} {name} of {app or 'no app'}: {graph.by_id[name].message}"
        loses = way == "downgrade" or (way == "upgrade" and graph.by_id[name].drops)
        line = LogLine(session, locks.limits, "run", words, Risk.BREAKING.label if loses else "")
        with line.watched():
            yield from retrying(session, locks, partial(ways[way], name, line.note), partial(RevisionRetried, name))
        if line.outcome is not WorkState.DONE:
            # It was only recorded, or env.py has a connection of its own.
            line.note_alone()
        session.events.emit(RevisionFinished(name, app, way))
    if before:
        _own_what_came(session, locks, before)


def _owned_columns(session: Session) -> dict[TableName, frozenset[str]]:
    """The columns that our tables have; none where the ledger says nothing, or cannot be read."""
    try:
        with session.reading():
            ours = session.ledger.objects()
            return _columns(session, tuple(ours)) if ours else {}
    except (LedgerCorrupt, LedgerNameTaken):
        return {}


def _columns(session: Session, tables: tuple[TableName, ...]) -> dict[TableName, frozenset[str]]:
    found = session.inspector.read(tables).tables
    return {name: frozenset(column.name for column in table.columns) for name, table in found.items()}


def _own_what_came(session: Session, locks: LockOptions, before: Mapping[TableName, frozenset[str]]) -> None:
    """What revisions brought to tables of ours, or gave another name there, is ours as well."""
    with session.reading():
        now = _columns(session, tuple(before))
    came = {name: new for name, columns in now.items() if (new := columns - before[name])}
    if came:
        with session.transaction(locks.limits):
            ours = session.ledger.objects(came)
            session.ledger.replace(
                [replace(ours[name], columns=ours[name].columns | new) for name, new in came.items()]
            )


def _record(session: Session, graph: RevisionGraph, revision: str, _journal: Journal) -> None:
    """Let a revision count as applied, in its place in the order: what it depends on is applied by now."""
    implied = graph.by_id[revision].parents
    with session.reading():
        heads = session.versions.current()
    session.versions.stamp(sorted({*heads.difference(implied), revision}))
