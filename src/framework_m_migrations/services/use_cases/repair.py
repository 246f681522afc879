"""repair: rebuild the ledger from what the database really has."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import LedgerCorrupt
from framework_m_migrations.domain.filling import pending
from framework_m_migrations.domain.options import Limits, LockOptions
from framework_m_migrations.domain.ownership import OwnedTable, Ownership
from framework_m_migrations.domain.plan import Plan
from framework_m_migrations.domain.results import RepairResult
from framework_m_migrations.domain.schema import Catalog, Table
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.logbook import log_command
from framework_m_migrations.services.plan_applier import PlanApplier
from framework_m_migrations.services.sync_planner import SyncPlanner
from framework_m_migrations.services.waiting import acquire, retrying


def repair(session: Session, locks: LockOptions, *, dry_run: bool) -> UseCase[RepairResult]:
    """Make the ledger say what is true: checksums only where the database matches, ownership only of what exists.

    What is recorded as ours and still stands stays ours, so that repairing never forgets a table. DocTypes are not
    changed and nothing but the ledger is written.

    Args:
        session: the ports.
        locks: waiting.
        dry_run: only say what would change.
    """
    yield from acquire(session, locks)
    try:
        broken = yield from retrying(session, locks, partial(_broken, session, locks.limits))
        if broken is not None:
            if dry_run:
                return RepairResult("repair", (broken,), applied=False)
            yield from retrying(session, locks, partial(_rebuild, session, locks.limits))
        made, actions, owned = _look(session)
        actions = actions if broken is None else (broken, *actions)
        if dry_run or not actions:
            return RepairResult("repair", actions, applied=False)
        yield from retrying(session, locks, partial(_write, session, locks.limits, made, owned))
        log_command(session, locks.limits, "sync", f"repair: {'; '.join(actions)}")
        yield from PlanApplier(session, locks).remember(made)
        return RepairResult("repair", actions, applied=True)
    finally:
        session.lock.release()


def _rebuild(session: Session, limits: Limits) -> None:
    with session.transaction(limits):
        session.ledger.rebuild()


def _write(session: Session, limits: Limits, made: Plan, owned: Ownership) -> None:
    ledger = session.ledger
    with session.transaction(limits):
        ledger.prepare()
        # The one thing that the database itself cannot tell again: which columns wait for values.
        waiting = {fill.key: fill.dump() for fill in pending(ledger.snapshot().state).values()}
        ledger.clear()
        ledger.set_state(dict(waiting))
        ledger.replace(tuple(owned.values()))
        ledger.record(made.adopts)
        ledger.store(_matching(session, made))


def _broken(session: Session, limits: Limits) -> str | None:
    """What is wrong with the ledger's tables, None when they can be read and written."""
    try:
        # What can be read outside a transaction may still be no table of ours; within one their form is looked at.
        with session.transaction(limits):
            pending(session.ledger.snapshot().state)
            session.ledger.objects()
    except LedgerCorrupt as error:
        return f"create the ledger's tables again, empty: {error.what}"
    return None


def _look(session: Session) -> tuple[Plan, tuple[str, ...], Ownership]:
    made = SyncPlanner(session).plan(force=True)
    with session.reading():
        stored = session.ledger.snapshot().checksums
        recorded = session.ledger.objects()
        catalog = session.inspector.read(tuple(recorded))
    owned = {name: kept for name, entry in recorded.items() if (kept := _standing(entry, catalog)) is not None}
    matching = _matching(session, made)
    actions = (
        *(f"forget the checksum of {name}" for name in sorted(stored.keys() - matching.keys())),
        *(f"store the checksum of {name}" for name in sorted(matching) if stored.get(name) != matching[name]),
        *(f"forget the table {name}, which does not exist" for name in sorted(recorded.keys() - owned.keys())),
        *(f"forget what is gone of {name}" for name in sorted(owned) if owned[name] != recorded[name]),
        *(f"record {entry.table} as adopted" for entry in made.adopts),
    )
    return made, actions, owned


def _matching(session: Session, made: Plan) -> dict[str, str]:
    open_ones = {planned.doctype for planned in made.changes}
    return {name: checksum for name, checksum in session.source.checksums().items() if name not in open_ones}


def _standing(entry: OwnedTable, catalog: Catalog) -> OwnedTable | None:
    """The part of an entry that really exists; constraints are kept, for databases rename them as they like."""
    actual = catalog.tables.get(entry.table)
    if actual is None:
        return None
    return replace(entry, columns=entry.columns & _columns(actual), indexes=entry.indexes & _indexes(actual))


def _columns(table: Table) -> frozenset[str]:
    return frozenset(column.name for column in table.columns)


def _indexes(table: Table) -> frozenset[str]:
    constraints = (unique.name for unique in table.uniques if unique.name is not None)
    return frozenset((*(index.name for index in table.indexes), *constraints))
