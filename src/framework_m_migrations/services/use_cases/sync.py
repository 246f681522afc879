"""sync and plan: the declarative track."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from framework_m_migrations.domain.describe import sentence
from framework_m_migrations.domain.effects import CallHook, Hook, HookPhase, UseCase
from framework_m_migrations.domain.errors import (
    DatabaseError,
    DropRefused,
    InvalidMetadata,
    MigrationError,
    PlanOutdated,
)
from framework_m_migrations.domain.events import HookStarted, PlanMade
from framework_m_migrations.domain.operations import AdditiveOperation
from framework_m_migrations.domain.options import SyncOptions
from framework_m_migrations.domain.plan import Plan, PlannedChange
from framework_m_migrations.domain.results import PlanResult, RenderedChange, SyncResult
from framework_m_migrations.domain.risk.facts import worked_on
from framework_m_migrations.domain.schema import TableName
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.drops import drops_of
from framework_m_migrations.services.mixed_apps import recorded_where_new
from framework_m_migrations.services.plan_applier import PlanApplier, apply_revisions
from framework_m_migrations.services.sync_planner import SyncPlanner
from framework_m_migrations.services.waiting import acquire, require_before_revisions, require_for_plan


def plan(session: Session, options: SyncOptions) -> UseCase[PlanResult]:
    """What sync would do, and how large the tables are that it works on; reads only and calls no hook."""
    yield from ()
    made = render(session, SyncPlanner(session, options.online).plan(force=options.force))
    with session.reading():
        return replace(
            made,
            sizes=dict(session.inspector.sizes(worked_on(made.plan.steps))),
            edits=tuple(session.executor.edits(*step.operations) for step in made.plan.steps),
        )


def render(session: Session, made: Plan, *, sql: bool = True) -> PlanResult:
    """A plan with the exact SQL of each change and step; without ``sql`` of what is withheld only, which is cheap."""
    with session.reading():
        changes = tuple(
            RenderedChange(
                planned,
                _sql(session, planned) if sql or planned.withheld else (),
            )
            for planned in made.changes
        )
        steps = tuple(_in_a_row(session, made)) if sql else ((),) * len(made.steps)
    return PlanResult(made, changes, steps)


def _in_a_row(session: Session, made: Plan) -> Iterator[tuple[str, ...]]:
    """The SQL of each step, where each operation is a step of its own as the ones before on its table leave it."""
    earlier: dict[TableName, tuple[list[AdditiveOperation], int]] = {}
    for step in made.steps:
        table = getattr(step.operations[0], "table", None) if len(step.operations) == 1 else None
        if table is None or session.capabilities.transactional_ddl:
            yield session.executor.render(*step.operations)
            continue
        operations, shown = earlier.get(table, ([], 0))
        operations += step.operations
        statements = session.executor.render(*operations)
        yield statements[shown:]
        earlier[table] = operations, len(statements)


def _sql(session: Session, planned: PlannedChange) -> tuple[str, ...]:
    try:
        return session.executor.render(*planned.operations)
    except MigrationError:
        if not planned.withheld:
            raise
        # What waits for another change may have no SQL before that one is made. It must not stop what can be applied.
        return ()


def sync(session: Session, options: SyncOptions) -> UseCase[SyncResult]:
    """Bring the database to what the DocTypes want, as far as that is safe.

    The first look takes no lock: a database that is up to date costs two statements and disturbs nobody. Hooks run
    only when there is something to apply, or under ``force``, inside the lock.

    Raises:
        MissingPrivilege: the role may not do what the plan asks for; nothing was changed and no hook was called.
        PlanOutdated: with ``options.reviewed``, something would be dropped that was not in it; nothing was changed.
        HookFailed: a before_sync hook raised; nothing was changed.
        MigrationLocked: another migrator did not finish in time.
        DatabaseError: a step was refused; the steps before it stand, and the ledger says so.
    """
    started = session.clock.monotonic()
    planner = SyncPlanner(session, options.online)
    made = planner.plan(force=options.force)
    if options.dry_run:
        return SyncResult(render(session, made), applied=False, up_to_date=made.is_empty)
    if not _has_work(made, options):
        return SyncResult(render(session, made, sql=False), applied=True, up_to_date=made.is_empty)
    waited = yield from acquire(session, options.locks)
    try:
        if waited or not _still_true(session, made):
            made = planner.plan(force=options.force)
        return (yield from _locked(session, options, planner, made, started))
    finally:
        session.lock.release()


def _has_work(made: Plan, options: SyncOptions) -> bool:
    return made.touches_database or options.force or (options.allow_drop and bool(made.withheld))


def _still_true(session: Session, made: Plan) -> bool:
    """True when the catalog is as it was when the plan was made: nobody did our work between look and lock."""
    if made.token is None:
        return False
    with session.reading():
        return session.inspector.catalog_token() == made.token


def _locked(
    session: Session, options: SyncOptions, planner: SyncPlanner, made: Plan, started: float
) -> UseCase[SyncResult]:
    """The part under the lock, with a plan that holds now: whoever held the lock before may have done it all."""
    if not _has_work(made, options):
        return SyncResult(render(session, made, sql=False), applied=True, up_to_date=made.is_empty)
    _check(session, options, made)
    hooks = session.hooks.hooks()
    if (yield from _call(session, options, hooks, HookPhase.BEFORE_SYNC, made)):
        made = planner.plan(force=True)
        _check(session, options, made)
    session.events.emit(PlanMade(made))
    recorded = recorded_where_new(session, made)
    if recorded:
        yield from apply_revisions(session, options.locks, recorded, "upgrade", recorded)
    rendered = render(session, made, sql=False)
    applier = PlanApplier(session, options.locks)
    steps = yield from applier.apply(made)
    dropped: tuple[str, ...] = ()
    removed: tuple[PlannedChange, ...] = ()
    after: Plan | None = None
    if options.allow_drop:
        removed, dropped = yield from _drop(session, applier, made)
    if removed:
        after = planner.plan(force=True)
        yield from applier.apply(after)
    elapsed = session.clock.monotonic() - started
    result = SyncResult(rendered, True, made.is_empty, dropped, steps, elapsed, removed, recorded, after)
    yield from _call(session, options, hooks, HookPhase.AFTER_SYNC, made, result)
    return result


def _check(session: Session, options: SyncOptions, made: Plan) -> None:
    """Everything that can stand against a plan and is known before its first statement."""
    drops = _chosen_drops(session, made) if options.allow_drop else ()
    if options.reviewed is not None:
        unseen = [drop.change for drop in drops if drop.change not in options.reviewed]
        if unseen:
            raise PlanOutdated(
                f"What would be dropped is not what was listed: {sentence(unseen[0])} in {unseen[0].table} came since.",
                details={"unlisted": [f"{change.table}: {sentence(change)}" for change in unseen]},
            )
    if options.expected is not None and made.steps:
        _require_approved(options.expected, render(session, made).steps_sql)
    require_for_plan(session, made, drops)


def _require_approved(expected: tuple[tuple[str, ...], ...], found: tuple[tuple[str, ...], ...]) -> None:
    """Raise PlanOutdated unless the steps are those that were approved, statement by statement."""
    if found == expected:
        return
    approved, wanted = ([statement for step in steps for statement in step] for steps in (expected, found))
    new = [statement for statement in wanted if statement not in approved]
    gone = [statement for statement in approved if statement not in wanted]
    words = [f"{len(new)} statements are new", f"{len(gone)} are no longer needed"]
    raise PlanOutdated(
        "The plan of the file is not what sync would do now: the models or the database changed since. "
        f"{' and '.join(words) if new or gone else 'The steps are divided in another way'}.",
        next_step="Make the plan again with `m-migrate plan --out FILE`, and have it approved again.",
        details={"new": new, "gone": gone},
    )


def check_before_revisions(session: Session, options: SyncOptions) -> None:
    """What stands against a sync and can be known before the revisions that come first. Reads only.

    Raises:
        InvalidMetadata, AppBroken: the wanted schema cannot be told.
        LedgerCorrupt, LedgerNameTaken: the ledger cannot be read.
        MissingPrivilege: the role may not write the ledger, or not do what sync would do if there were no revisions.
    """
    session.source.checksums()
    with session.reading():
        session.ledger.snapshot()
    try:
        made = SyncPlanner(session, options.online).plan(force=options.force)
        drops = _chosen_drops(session, made) if options.allow_drop else ()
    except (DatabaseError, InvalidMetadata) as error:
        # What the DocTypes stand on, a schema or a type, may come with the revisions. A lost connection, a right that
        # is missing and all else that has a kind of its own has nothing to do with them.
        if type(error) not in {DatabaseError, InvalidMetadata}:
            raise
        made, drops = Plan(), ()
    require_before_revisions(session, (work for step in made.steps for work in step.operations), drops)


def _chosen_drops(session: Session, made: Plan) -> tuple[PlannedChange, ...]:
    with session.reading():
        return drops_of(made.changes, session.ledger.objects())


def _drop(
    session: Session, applier: PlanApplier, made: Plan
) -> UseCase[tuple[tuple[PlannedChange, ...], tuple[str, ...]]]:
    """Drop what is ours of what was withheld; what was dropped, and the statements that were sent for it."""
    chosen = _chosen_drops(session, made)
    if not chosen:
        return (), ()
    if not session.source.checksums():
        raise DropRefused(
            "No model is declared, so every table that m-migrate created would be dropped.",
            next_step="Check --apps and --metadata; to drop really everything, drop the database.",
        )
    dropped = yield from applier.drop(chosen)
    return chosen, dropped


def _call(
    session: Session,
    options: SyncOptions,
    hooks: tuple[Hook, ...],
    phase: HookPhase,
    made: Plan,
    result: SyncResult | None = None,
) -> UseCase[bool]:
    """Call the hooks of one phase; True when there were any."""
    called = False
    for hook in hooks:
        if hook.phase is phase:
            session.events.emit(HookStarted(hook.app, phase.value))
            yield CallHook(hook, made, result, options.schema)
            called = True
    return called
