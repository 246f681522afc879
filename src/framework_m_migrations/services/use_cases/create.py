"""create: write a revision from what differs, for people to review."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import risk
from framework_m_migrations.domain.describe import sentence
from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import ConfigurationError, RevisionError
from framework_m_migrations.domain.obstacles import OBSTRUCTED, taken_by
from framework_m_migrations.domain.ownership import Ownership
from framework_m_migrations.domain.plan import Plan, PlannedChange
from framework_m_migrations.domain.renames import Rename
from framework_m_migrations.domain.results import CreateResult
from framework_m_migrations.domain.revision_ids import revision_id
from framework_m_migrations.domain.revisions import RevisionDraft
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.mixed_apps import BESIDE_SYNC, sync_has_built
from framework_m_migrations.services.sync_planner import SyncPlanner
from framework_m_migrations.services.use_cases.create_online import write_halves
from framework_m_migrations.services.use_cases.create_renames import (
    candidates,
    differing,
    parsed_renames,
    possible,
    require_renamed,
)
from framework_m_migrations.services.use_cases.prove import proofs
from framework_m_migrations.services.version_resolver import VersionResolver, resolver

REMOVALS = (c.TableRemoved, c.ColumnRemoved, c.IndexRemoved, c.UniqueRemoved, c.CheckRemoved, c.ForeignKeyRemoved)


@dataclass(frozen=True, slots=True)
class CreateOptions:
    """What to write.

    Attributes:
        app: whose branch and folder.
        message: what the revision is for.
        autogenerate: fill it with what differs between the DocTypes and the database.
        dry_run: return the text only.
        depends_on: revisions of other apps that must be applied before it.
        merge: join the app's heads instead.
        online: write what sync withholds, in the form that holds nobody up: expand, and then contract.
        renames: what goes and what comes as one change, each as ``table.old:new`` or ``old_table:new_table``.
        asked: somebody was asked about the other renames that are possible, so that the review list leaves them out.
        prove: try what was written out on a scratch database.
        scratch: URL of an empty database for that; None to make one.
    """

    app: str
    message: str
    autogenerate: bool = True
    dry_run: bool = False
    depends_on: tuple[str, ...] = ()
    merge: bool = False
    online: bool = False
    renames: tuple[str, ...] = ()
    asked: bool = False
    prove: bool = False
    scratch: str | None = None


def create(session: Session, options: CreateOptions) -> UseCase[CreateResult]:
    """Write one revision in the app's own folder, on its own branch; the first one opens the branch.

    What was written is tried out at once where ``options.prove`` says so: the result has the outcome, and so has the
    file. A revision that is to be filled in by hand is not.

    Where the database serves while it is changed, ``options.online`` writes one revision for what may run beside old
    code, and a second one for what must wait until no old code runs; see create_online.

    Returns:
        The result; without ``path`` when autogenerate found nothing to do.

    Raises:
        MultipleHeads: the branch has several heads and ``merge`` was not asked for.
        RevisionError: the app has revisions that are not applied, which a comparison would repeat.
        ConfigurationError: a rename that was asked for is none of the differences.
    """
    yield from ()
    written = _written(session, options)
    return _proved(session, options, written) if options.prove and written.path is not None else written


def _proved(session: Session, options: CreateOptions, written: CreateResult) -> CreateResult:
    """The result with the outcome of the trial, and the text that the file has now."""
    if not options.autogenerate or options.merge or written.revision is None:
        return written
    found = proofs(session, [written.revision], scratch=options.scratch)
    if not found or session.prover is None:
        return written
    contract = written.contract
    return replace(
        written,
        proof=found[0],
        text=session.prover.text(written.revision),
        contract=None if contract is None else _proved(session, options, contract),
    )


def _written(session: Session, options: CreateOptions) -> CreateResult:
    versions = resolver(session)
    heads = versions.graph.heads(options.app)
    if not options.merge:
        versions.graph.require_single_heads()
    autogenerate = options.autogenerate and not options.merge
    chosen: list[PlannedChange] = []
    left_out: list[str] = []
    renames: tuple[Rename, ...] = ()
    hints: list[str] = []
    if options.renames and not autogenerate:
        raise ConfigurationError("A rename needs the differences, which an empty revision leaves out.")
    if autogenerate:
        _require_applied(versions, options.app)
        renames = parsed_renames(session, options.renames)
        made = SyncPlanner(session, renames=renames).plan(force=True)
        chosen, left_out = _changes(session, made, options.app)
        require_renamed(renames, chosen, options.app)
        hints = [] if options.asked else [possible(one) for one in candidates(session, made, options.app)]
        if not chosen:
            return CreateResult(options.app, None, None, "", (), tuple(left_out))
    first = not options.merge and not versions.graph.is_beside_sync(options.app)
    beside_sync = first and sync_has_built(session, options.app)
    draft = RevisionDraft(
        id="",
        app=options.app,
        message=options.message,
        down_revisions=heads,
        branch_labels=() if heads else (options.app,),
        depends_on=tuple(versions.resolve(text) for text in options.depends_on),
        review=(
            *hints,
            *review_list(chosen, online=session.capabilities.online_index),
            *differing(chosen),
            *([BESIDE_SYNC] if beside_sync else ()),
        ),
        beside_sync=beside_sync,
    )
    if autogenerate and options.online and session.capabilities.online_index:
        written = write_halves(session, draft, chosen, left_out, dry_run=options.dry_run, renames=renames)
        return replace(written, renames=renames, review=(*hints, *written.review))
    with session.reading():
        body = session.versions.preview(draft, chosen)
        parents = (*draft.down_revisions, *draft.depends_on)
        draft = replace(draft, id=revision_id(options.app, parents, options.message, body))
        text = session.versions.preview(draft, chosen)
        path = None if options.dry_run else str(session.versions.write(draft, chosen))
    return CreateResult(options.app, draft.id, path, text, draft.review, tuple(left_out), renames=renames)


def possible_renames(session: Session, app: str) -> UseCase[tuple[Rename, ...]]:
    """What ``create`` would write as a removal beside an addition and what may be a rename.

    Args:
        session: the ports.
        app: whose differences.

    Raises:
        RevisionError: as ``create``.
    """
    yield from ()
    versions = resolver(session)
    versions.graph.require_single_heads()
    _require_applied(versions, app)
    return candidates(session, SyncPlanner(session).plan(force=True), app)


def _require_applied(versions: VersionResolver, app: str) -> None:
    versions.require_known()
    applied = versions.applied
    pending = [name for name in versions.graph.order if versions.graph.by_id[name].app == app and name not in applied]
    if pending:
        raise RevisionError(
            f"App {app!r} has revisions that this database lacks: {', '.join(pending)}. A comparison repeats them.",
            next_step="Run `m-migrate run` first, or use --no-autogenerate.",
            details={"pending": pending},
        )


def _changes(session: Session, made: Plan, app: str) -> tuple[list[PlannedChange], list[str]]:
    """The app's differences, and in words those that are not to be written: drops of what is not ours."""
    with session.reading():
        ownership = session.ledger.objects()
    chosen: list[PlannedChange] = []
    left_out: list[str] = []
    for planned in made.changes:
        if planned.app not in {app, None}:
            continue
        if isinstance(planned.change, REMOVALS) and not _ours(planned, ownership):
            left_out.append(f"{planned.change.table}: {sentence(planned.change)}, which is not ours to drop")
        elif isinstance(planned.change, c.ColumnRemoved) and planned.change.superseded_by is not None:
            left_out.append(f"{planned.change.table}: {sentence(planned.change)}; its contract revision drops it")
        elif isinstance(planned.change, c.CheckRemoved) and planned.change.check.name is None:
            # With a column that it names and the revision drops it goes along; alone no statement can name it.
            left_out.append(f"{planned.change.table}: {sentence(planned.change)}, which has no name to drop it by")
        elif isinstance(planned.change, c.TableRemoved):
            left_out.append(f"{planned.change.table}: {sentence(planned.change)}; `sync --allow-drop` drops it")
        else:
            chosen.append(planned)
    return _without_obstructed(chosen, left_out), left_out


def _without_obstructed(chosen: Sequence[PlannedChange], left_out: list[str]) -> list[PlannedChange]:
    """What the revision itself can make room for; the rest, and references to tables among it, are told as left out."""
    freed = {planned.change.index.name for planned in chosen if isinstance(planned.change, c.IndexRemoved)}
    held = [p for p in chosen if p.judgement.rule == OBSTRUCTED and not _is_made_room_for(p, freed)]
    absent = {planned.change.table for planned in held if isinstance(planned.change, c.TableAdded)}
    rest: list[PlannedChange] = []
    for planned in chosen:
        change = planned.change
        if planned in held:
            left_out.append(f"{change.table}: {sentence(change)}. {planned.judgement.reason}")
        elif isinstance(change, c.ForeignKeyAdded) and change.foreign_key.target in absent:
            left_out.append(f"{change.table}: {sentence(change)}, which waits for its target")
        else:
            rest.append(planned)
    return rest


def _is_made_room_for(planned: PlannedChange, freed: Collection[str]) -> bool:
    match planned.judgement.handled_by:
        case risk.CREATE:
            return True
        case risk.DROP:
            return taken_by(planned.change) in freed
        case _:
            return False


def _ours(planned: PlannedChange, ownership: Ownership) -> bool:
    change = planned.change
    owned = ownership.get(change.table)
    if owned is None:
        return False
    return change.column.name in owned.columns if isinstance(change, c.ColumnRemoved) else True


def review_list(changes: Sequence[PlannedChange], *, online: bool) -> list[str]:
    """What a comparison cannot know and a person must look at before the revision is merged.

    Args:
        changes: of the revision.
        online: the database has forms of its statements that block nobody, so that the others are worth a word.
    """
    found: dict[str, None] = {}
    for planned in changes:
        table = planned.change.table
        if isinstance(planned.change, REMOVALS) and planned.judgement.handled_by == risk.MANUAL:
            found[f"{table}: {sentence(planned.change)}. {planned.judgement.reason}"] = None
        match planned.change:
            case c.ColumnRemoved(column=column):
                found[f"{table}.{column.name} is dropped: is it a rename, or does its data have to move first?"] = None
            case c.ColumnAdded(column=column) if not column.nullable and column.default is None:
                found[f"{table}.{column.name} needs a value in existing rows: check the backfill."] = None
            case c.ColumnTypeChanged(before=before, column=column):
                types = f"{before.type} to {column.type}"
                found[f"{table}.{column.name}: {types}: is the conversion right for all values?"] = None
                if online:
                    found[f"{table}: a rewrite holds ACCESS EXCLUSIVE for as long as it takes."] = None
            case c.ColumnNullabilityChanged(column=column) if not column.nullable:
                found[f"{table}.{column.name}: fill the NULLs before NOT NULL is set."] = None
            case c.ForeignKeyAdded(foreign_key=key) | c.ForeignKeyChanged(foreign_key=key):
                found[f"{table} -> {key.target}: is ON DELETE {key.on_delete or 'NO ACTION'} what you want?"] = None
            case c.IndexAdded() | c.UniqueAdded() if online:
                found[f"{table}: building an index blocks writers; on a large table build it concurrently."] = None
            case c.TableRenamed(before=old) if old != table:
                found[f"{old} becomes {table}: code that runs during the roll-out still uses the old name."] = None
            case c.ColumnRenamed(before=before_column, column=column):
                found[f"{table}.{before_column.name} becomes {column.name}: old code still uses the old name."] = None
            case _:
                pass
    return list(found)
