"""run, rollback, all, stamp: the versioned track, alone and before sync."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.options import LockOptions, SyncOptions
from framework_m_migrations.domain.results import AllResult, RepairResult, RunResult
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.locking import acquire
from framework_m_migrations.services.mixed_apps import apps_with_tables, without_unfinished
from framework_m_migrations.services.privileges import require_for_revisions
from framework_m_migrations.services.revision_applier import apply_revisions
from framework_m_migrations.services.use_cases.sync import check_before_revisions, sync
from framework_m_migrations.services.version_resolver import resolver


def run(
    session: Session,
    locks: LockOptions,
    revision: str | None = None,
    *,
    contract: bool = False,
    check: Callable[[], None] | None = None,
) -> UseCase[RunResult]:
    """Apply pending revisions, each in a transaction of its own.

    Args:
        session: the ports.
        locks: waiting.
        revision: an id, an app's name, or None for all.
        contract: also apply contract revisions, which take away what only old code needs. Without it they wait, unless
            ``revision`` is an id, or the database is new to their app: it has none of its revisions and tables.
        check: called under the lock before the first of them, where there are any; what it raises stops the run.

    Raises:
        RevisionError: the files or the version table are not in order, or a revision failed; those before it stand.
        MissingPrivilege: the role may do no DDL whatever; nothing was changed.
        MigrationLocked: another migrator did not finish in time.
    """
    started = session.clock.monotonic()
    pending, recorded, held = _chosen(session, revision, contract=contract)
    if not pending:
        return RunResult((), heads=_heads(session), held=held)
    yield from acquire(session, locks)
    try:
        pending, recorded, held = _chosen(session, revision, contract=contract)
        if pending:
            require_for_revisions(session)
            if check is not None:
                check()
        yield from apply_revisions(session, locks, pending, "upgrade", recorded)
    finally:
        session.lock.release()
    ran = tuple(name for name in pending if name not in recorded)
    return RunResult(ran, "upgrade", _heads(session), session.clock.monotonic() - started, held, recorded)


def _chosen(
    session: Session, revision: str | None, *, contract: bool
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """What is to be applied now, what of it is only recorded, and what waits for ``--contract``."""
    versions = resolver(session)
    pending = versions.pending(revision)
    named = revision is not None and revision not in {"head", "heads", *versions.graph.apps()}
    if named:
        return pending, (), ()
    new = versions.new_to(pending)
    at_work = apps_with_tables(session, new) if new else frozenset()
    held = () if contract else versions.held(pending, at_work)
    chosen = tuple(name for name in pending if name not in held)
    return chosen, without_unfinished(session, versions.recorded(chosen, at_work)), held


def rollback(
    session: Session, locks: LockOptions, *, steps: int = 1, app: str | None = None, to: str | None = None
) -> UseCase[RunResult]:
    """Take revisions back; see VersionResolver.rollback for the arguments and errors."""
    started = session.clock.monotonic()
    yield from acquire(session, locks)
    try:
        chosen = resolver(session).rollback(steps=steps, app=app, to=to)
        if chosen:
            require_for_revisions(session)
        yield from apply_revisions(session, locks, chosen, "downgrade")
    finally:
        session.lock.release()
    return RunResult(chosen, "downgrade", _heads(session), session.clock.monotonic() - started)


def run_all(session: Session, options: SyncOptions) -> UseCase[AllResult]:
    """run, then sync; what stands against the sync and is known before the first revision stops it there."""
    ran = yield from run(session, options.locks, check=partial(check_before_revisions, session, options))
    synced = yield from sync(session, options)
    return AllResult(ran, synced)


def stamp(session: Session, locks: LockOptions, heads: tuple[str, ...], *, dry_run: bool) -> UseCase[RepairResult]:
    """Set what the version table says, running no revision.

    Args:
        session: the ports.
        locks: waiting.
        heads: revision ids, ``heads`` for every head, or nothing for the state before the first revision.
        dry_run: only say what would change.

    Raises:
        UnknownRevision: an id that no installed app has.
    """
    known = resolver(session)
    with session.reading():
        unfinished = session.versions.unfinished()
    wanted: set[str] = set()
    for text in heads:
        wanted.update(known.graph.heads() if text in {"head", "heads"} else (known.resolve(text),))
    implied = {name for head in wanted for name in known.graph.closure([head]) - {head}}
    target = tuple(sorted(wanted - implied))
    actions = (
        *(f"remove {name} from the version table" for name in sorted(known.current - set(target))),
        *(f"add {name} to the version table" for name in sorted(set(target) - known.current)),
        *(f"forget that {name} was cut off in its middle" for name in unfinished),
    )
    if dry_run or not actions:
        return RepairResult("stamp", actions, applied=False)
    yield from acquire(session, locks)
    try:
        session.versions.stamp(target)
    finally:
        session.lock.release()
    return RepairResult("stamp", actions, applied=True)


def _heads(session: Session) -> tuple[str, ...]:
    with session.reading():
        return tuple(sorted(session.versions.current()))
