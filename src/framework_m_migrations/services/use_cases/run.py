"""run, rollback, all, stamp: the versioned track, alone and before sync."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.options import LockOptions, SyncOptions
from framework_m_migrations.domain.results import AllResult, RepairResult, RunResult
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.logbook import log_command
from framework_m_migrations.services.mixed_apps import apps_with_tables, without_unfinished
from framework_m_migrations.services.plan_applier import apply_revisions
from framework_m_migrations.services.use_cases.sync import check_before_revisions, sync
from framework_m_migrations.services.version_resolver import VersionResolver, downward, named, resolver, upward
from framework_m_migrations.services.waiting import acquire, require_for_revisions, retrying


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Which revisions to apply.

    Attributes:
        revision: the last one, in any form of domain.revision_targets; None for the heads.
        contract: also apply contract revisions, which take away what only old code needs. Without it they wait, unless
            ``revision`` names one revision, or the database is new to their app: it has none of its revisions and
            tables.
        app: only what this app's revisions need.
        steps: only so many revisions, the first ones; with an app, so many of its own.
    """

    revision: str | None = None
    contract: bool = False
    app: str | None = None
    steps: int | None = None


def run(
    session: Session,
    locks: LockOptions,
    options: RunOptions = RunOptions(),
    *,
    check: Callable[[], None] | None = None,
) -> UseCase[RunResult]:
    """Apply pending revisions, each in a transaction of its own.

    Args:
        session: the ports.
        locks: waiting.
        options: which ones.
        check: called under the lock before the first of them, where there are any; what it raises stops the run.

    Raises:
        RevisionError: the files or the version table are not in order, or a revision failed; those before it stand.
        MissingPrivilege: the role may do no DDL whatever; nothing was changed.
        MigrationLocked: another migrator did not finish in time.
    """
    started = session.clock.monotonic()
    pending, recorded, held = chosen_by(session, resolver(session), options)
    if not pending:
        return RunResult((), heads=_heads(session), held=held)
    yield from acquire(session, locks)
    try:
        pending, recorded, held = chosen_by(session, resolver(session), options)
        if pending:
            require_for_revisions(session)
            if check is not None:
                check()
        yield from apply_revisions(session, locks, pending, "upgrade", recorded)
    finally:
        session.lock.release()
    ran = tuple(name for name in pending if name not in recorded)
    return RunResult(ran, "upgrade", _heads(session), session.clock.monotonic() - started, held, recorded)


def chosen_by(
    session: Session, versions: VersionResolver, options: RunOptions
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """What is to be applied now, what of it is only recorded, and what waits for ``--contract``."""
    wanted = upward(versions, options.revision, app=options.app, steps=options.steps)
    pending = wanted.pending
    if wanted.explicit:
        return wanted.cut(pending, versions.graph), (), ()
    new = versions.new_to(pending)
    at_work = apps_with_tables(session, new) if new else frozenset()
    held = () if options.contract else versions.held(pending, at_work)
    chosen = wanted.cut([name for name in pending if name not in held], versions.graph)
    return chosen, without_unfinished(session, versions.recorded(chosen, at_work)), held


def rollback(
    session: Session, locks: LockOptions, *, steps: int | None = None, app: str | None = None, to: str | None = None
) -> UseCase[RunResult]:
    """Take revisions back.

    Args:
        session: the ports.
        locks: waiting.
        steps: how many; 1 where ``to`` is not given either.
        app: only revisions of this app.
        to: the one that shall be the last applied one, or how many, in any form of domain.revision_targets.

    Raises:
        UnknownRevision, DependentRevision: see VersionResolver.rollback.
    """
    started = session.clock.monotonic()
    yield from acquire(session, locks)
    try:
        versions = resolver(session)
        wanted = downward(versions, to, app=app, steps=steps)
        chosen = versions.rollback(steps=wanted.steps, app=wanted.app, to=wanted.to)
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
        heads: revisions in any absolute form of domain.revision_targets, ``heads`` for every head, or nothing for the
            state before the first revision.
        dry_run: only say what would change.

    Raises:
        UnknownRevision: an id that no installed app has.
    """
    known = resolver(session)
    with session.reading():
        unfinished = session.versions.unfinished()
    wanted: set[str] = set()
    for text in heads:
        wanted.update(named(known, text))
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
        yield from retrying(session, locks, partial(session.versions.stamp, target))
        log_command(session, locks.limits, "run", f"stamp {' '.join(target) or 'base'}")
    finally:
        session.lock.release()
    return RepairResult("stamp", actions, applied=True)


def _heads(session: Session) -> tuple[str, ...]:
    with session.reading():
        return tuple(sorted(session.versions.current()))
