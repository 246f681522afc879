"""create: write one revision, or the two halves of an online one, from what differs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.describe import sentence
from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import ConfigurationError, RevisionError
from framework_m_migrations.domain.online_forms import has_half, obstacle
from framework_m_migrations.domain.ownership import Ownership
from framework_m_migrations.domain.plan import Plan, PlannedChange
from framework_m_migrations.domain.renames import (
    Rename,
    column_candidates,
    occurs,
    parsed_rename,
    stands_on,
    table_candidates,
    with_renames,
)
from framework_m_migrations.domain.results import CreateResult
from framework_m_migrations.domain.revisions import VALUE_WANTED, Outcome, Phase, Proof, RevisionDraft, revision_id
from framework_m_migrations.domain.risk import rules
from framework_m_migrations.domain.risk.conflicts import OBSTRUCTED, freed_names, taken_by
from framework_m_migrations.domain.risk.facts import TypeChange
from framework_m_migrations.domain.risk.unsupported import UNSUPPORTED
from framework_m_migrations.domain.schema import Catalog, Check, Column, ForeignKey, Index, Table, TableName, Unique
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.mixed_apps import BESIDE_SYNC, sync_has_built
from framework_m_migrations.services.sync_planner import SyncPlanner
from framework_m_migrations.services.use_cases.revisions import proofs
from framework_m_migrations.services.version_resolver import VersionResolver, resolver


def parsed_renames(session: Session, texts: Iterable[str]) -> tuple[Rename, ...]:
    """The renames that were asked for.

    Args:
        session: the ports.
        texts: each as ``table.old:new`` or ``old_table:new_table``.

    Raises:
        ConfigurationError: no model has the new name, or two renames have a name in common.
    """
    texts = tuple(texts)
    if not texts:
        return ()
    wanted = [table for doctype in session.source.load() for table in doctype.tables]
    found: list[Rename] = []
    for text in texts:
        rename = parsed_rename(text, wanted)
        if rename is None:
            raise ConfigurationError(
                f"--rename {text}: no model has this new name.",
                next_step="Write table.old:new for a column, old_table:new_table for a table.",
            )
        if any(rename.clashes(other) for other in found):
            raise ConfigurationError(f"--rename {text}: another rename has one of these names already.")
        found.append(rename)
    return tuple(found)


def require_renamed(renames: Sequence[Rename], chosen: Sequence[PlannedChange], app: str) -> None:
    """Raise ConfigurationError for a rename that is none of the app's differences."""
    names = _new_names(chosen)
    made = {_renamed(planned.change, names) for planned in chosen}
    for rename in renames:
        if rename not in made:
            what = (
                f"table {rename.old} is not there, or {rename.table} is"
                if rename.new is None
                else f"{rename.table} has no column {rename.old} without a field, or it has {rename.new}"
            )
            raise ConfigurationError(
                f"--rename {rename.text} is no difference between the models of app {app!r} and the database: {what}.",
                next_step="Compare with `m-migrate plan`.",
            )


def candidates(session: Session, made: Plan, app: str) -> tuple[Rename, ...]:
    """Pairs of a column or table that goes and one of a compatible type that comes.

    Args:
        session: to read the tables that go.
        made: all differences.
        app: whose.
    """
    gone: dict[TableName, list[Column]] = {}
    come: dict[TableName, list[Column]] = {}
    new_tables = []
    former: set[TableName] = set(made.unmanaged)
    names = _new_names(made.changes)
    for planned in made.changes:
        if planned.app not in {app, None}:
            continue
        match planned.change:
            case c.ColumnRemoved(table=table, column=column, superseded_by=None):
                gone.setdefault(names.get(table, table), []).append(column)
            case c.ColumnAdded(table=table, column=column):
                come.setdefault(names.get(table, table), []).append(column)
            case c.TableAdded(definition=definition):
                new_tables.append(definition)
            case c.TableRemoved(table=table):
                former.add(table)
            case _:
                pass
    found = [one for table, columns in gone.items() for one in column_candidates(table, columns, come.get(table, ()))]
    if new_tables and former:
        with session.reading():
            read = session.inspector.read(sorted(former)).tables
        found = [*table_candidates((read[name] for name in sorted(former) if name in read), new_tables), *found]
    return tuple(found)


def possible(rename: Rename) -> str:
    """A rename that was not asked for, in words for the review list."""
    if rename.new is None:
        what = f"table {TableName(rename.old, rename.table.schema)} goes and {rename.table} comes"
    else:
        what = f"{rename.table}.{rename.old} goes and {rename.new} comes"
    return f"{what} ({rename.detail}): if that is a rename, write the revision with `--rename {rename.text}`."


def differing(chosen: Sequence[PlannedChange]) -> list[str]:
    """Renamed columns that differ in more than the name, in words for the review list."""
    found: list[str] = []
    for planned in chosen:
        match planned.change:
            case c.ColumnRenamed(table=table, before=before, column=column) if (
                before.type != column.type or before.nullable != column.nullable or before.default != column.default
            ):
                found.append(
                    f"{table}.{column.name} differs from {before.name} in more than the name: check the conversion of "
                    "its values."
                )
            case _:
                pass
    return found


def _new_names(changes: Sequence[PlannedChange]) -> dict[TableName, TableName]:
    """Of each table that is renamed the name that its other changes go by, and its new one."""
    return {one.change.before: one.change.table for one in changes if isinstance(one.change, c.TableRenamed)}


def _renamed(change: c.Change, names: Mapping[TableName, TableName]) -> Rename | None:
    match change:
        case c.TableRenamed(table=table, before=before):
            return Rename(table, before.name)
        case c.ColumnRenamed(table=table, before=before, column=column):
            return Rename(names.get(table, table), before.name, column.name)
        case _:
            return None


# create --online: what sync withholds as two revisions, expand and contract, for people to review.


type Tables = tuple[tuple[Table | None, Table], ...]


def write_halves(
    session: Session,
    draft: RevisionDraft,
    changes: Sequence[PlannedChange],
    left_out: Sequence[str],
    *,
    dry_run: bool,
    renames: Sequence[Rename] = (),
) -> CreateResult:
    """Write the first half, and the second one where something has to wait until no old code runs.

    Args:
        session: the ports.
        draft: of the first half, without an id.
        changes: of one app; those that sync applies by itself are left to it.
        left_out: what is left out already, in words.
        dry_run: return the texts only.
        renames: counted as declared.

    Returns:
        The first half, with the second one as its ``contract``; without ``path`` when nothing is withheld.
    """
    chosen = [planned for planned in changes if planned.withheld]
    with session.reading():
        catalog = session.inspector.read(None)
        renamed = {name for one in chosen if isinstance(one.change, c.TableRenamed) for name in _both_names(one.change)}
        found = [
            (one, obstacle(one.change, catalog, widens=_widens(session, one.change), renamed=renamed))
            for one in (*_columns_of(chosen, changes), *chosen)
        ]
    reasons = _with_dependents(found)
    chosen = [planned for planned, reason in reasons if reason is None]
    chosen = [*_types_of(chosen, changes), *chosen]
    safe = sum(1 for planned in changes if not planned.withheld and planned not in chosen)
    said = (
        [f"{safe} safe change{'' if safe == 1 else 's'}: `m-migrate sync` applies what is safe online"] if safe else []
    )
    said += [
        f"{_named(planned)}: {reason}; write it by hand"
        for planned, reason in reasons
        if reason is not None and planned.withheld
    ]
    out = (*left_out, *said)
    if not chosen:
        return CreateResult(draft.app, None, None, "", (), out)
    tables = _tables(session, catalog, chosen, renames)
    message = draft.message
    two = any(has_half(planned.change, Phase.CONTRACT) for planned in chosen)
    first = replace(
        draft,
        message=f"{message} (expand)" if two else message,
        phase=Phase.EXPAND,
        tables=tables,
        review=(*(_named(planned) for planned in chosen), *([BESIDE_SYNC] if draft.beside_sync else ())),
    )
    expand = _write(session, first, chosen, dry_run=dry_run)
    if not two:
        return replace(expand, left_out=out)
    second = RevisionDraft(
        id="",
        app=draft.app,
        message=f"{message} (contract)",
        down_revisions=(expand.revision or "",),
        branch_labels=(),
        phase=Phase.CONTRACT,
        contract_of=expand.revision,
        tables=tables,
    )
    return replace(expand, left_out=out, contract=_write(session, second, chosen, dry_run=dry_run))


def _types_of(chosen: Sequence[PlannedChange], changes: Sequence[PlannedChange]) -> list[PlannedChange]:
    """The new enumerations, domains and sequences of columns that the revisions add or convert: all before sync."""
    columns = [
        planned.change.column
        for planned in chosen
        if isinstance(planned.change, c.ColumnAdded | c.ColumnTypeChanged | c.ColumnRenamed)
    ]
    enums = {column.type.enum for column in columns}
    texts = [text for column in columns for text in (column.type.spelling, column.default or "")]

    def is_used(change: c.Change) -> bool:
        match change:
            case c.EnumAdded(enum=enum):
                return enum.name in enums
            case c.ObjectAdded(object=item):
                return item.kind in {"sequence", "domain"} and any(occurs(item.name.name, text) for text in texts)
            case _:
                return False

    return [one for one in changes if is_used(one.change)]


def _columns_of(chosen: Sequence[PlannedChange], changes: Sequence[PlannedChange]) -> list[PlannedChange]:
    """The new columns that an index or constraint of the revisions is on: they come before sync too."""
    items = [(one.change.table, item) for one in chosen if (item := _item(one.change)) is not None]

    def is_used(change: c.Change) -> bool:
        return isinstance(change, c.ColumnAdded) and any(
            table == change.table and stands_on(item, [change.column.name]) for table, item in items
        )

    return [one for one in changes if not one.withheld and is_used(one.change)]


def _both_names(change: c.TableRenamed) -> tuple[TableName, TableName]:
    return change.before, change.table


def _widens(session: Session, change: c.Change) -> bool:
    """Whether a renamed column gets a type that sync applies to it once the former column is gone."""
    if not isinstance(change, c.ColumnRenamed):
        return False
    kind = session.inspector.type_change(change.table, change.before, change.column)
    return kind in {TypeChange.EQUAL, TypeChange.WIDENING}


def _with_dependents(reasons: Sequence[tuple[PlannedChange, str | None]]) -> list[tuple[PlannedChange, str | None]]:
    """What depends on a column that is left out is left out with it."""
    held: dict[tuple[TableName, str], str] = {}
    for planned, reason in reasons:
        match planned.change:
            case c.ColumnRenamed(table=table, column=column) | c.ColumnAdded(table=table, column=column) if reason:
                held[table, column.name] = f"{column.name} is not there yet"
            case (
                c.ColumnTypeChanged(table=table, column=column) | c.ColumnGenerationChanged(table=table, column=column)
            ) if reason:
                held[table, column.name] = f"{column.name} has to be changed first"
            case _:
                pass

    def on(change: c.Change) -> str | None:
        item = _item(change)
        match change:
            case c.ColumnTypeChanged(column=column) | c.ColumnNullabilityChanged(column=column):
                return held.get((change.table, column.name))
            case c.ColumnDefaultChanged(column=column):
                return held.get((change.table, column.name))
            case _ if item is not None:
                return next((r for (t, name), r in held.items() if t == change.table and stands_on(item, [name])), None)
            case _:
                return None

    return [(planned, reason or on(planned.change)) for planned, reason in reasons]


def _item(change: c.Change) -> Index | Unique | Check | ForeignKey | None:
    """The index or constraint that a change is about, as it is afterwards."""
    item: Index | Unique | Check | ForeignKey
    match change:
        case c.IndexAdded(index=item) | c.IndexChanged(index=item) | c.IndexRemoved(index=item):
            return item
        case c.UniqueAdded(unique=item) | c.UniqueChanged(unique=item) | c.UniqueRemoved(unique=item):
            return item
        case c.CheckAdded(check=item) | c.CheckChanged(check=item) | c.CheckRemoved(check=item):
            return item
        case c.ForeignKeyAdded(foreign_key=item) | c.ForeignKeyChanged(foreign_key=item):
            return item
        case c.ForeignKeyRemoved(foreign_key=item):
            return item
        case _:
            return None


def _named(planned: PlannedChange) -> str:
    return f"{planned.change.table}: {sentence(planned.change)}"


def _tables(session: Session, catalog: Catalog, chosen: Sequence[PlannedChange], renames: Sequence[Rename]) -> Tables:
    names = {planned.change.table for planned in chosen}
    doctypes = {planned.doctype for planned in chosen}
    wanted = {table.name: table for one in with_renames(session.source.load(doctypes), renames) for table in one.tables}
    return tuple((wanted.get(name), table) for name, table in catalog.tables.items() if name in names)


def _write(session: Session, draft: RevisionDraft, changes: Sequence[PlannedChange], *, dry_run: bool) -> CreateResult:
    with session.reading():
        body = session.versions.preview(draft, changes)
        parents = (*draft.down_revisions, *draft.depends_on)
        made = replace(draft, id=revision_id(draft.app, parents, draft.message, body))
        text = session.versions.preview(made, changes)
        path = None if dry_run else str(session.versions.write(made, changes))
    return CreateResult(made.app, made.id, path, text, made.review)


# create: write a revision from what differs, for people to review.


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
    if VALUE_WANTED in written.text:
        # It would fail at once on the generated rows, which says nothing of the rest.
        why = "rows that exist need a value, for which the file leaves a place"
        step = f"Write the value there, then run `m-migrate prove {written.revision}`."
        return replace(written, proof=Proof(written.revision, Outcome.NOT_TRIED, (why,), next_step=step))
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
    freed = freed_names(p.change for p in chosen)
    held = [p for p in chosen if p.judgement.rule in {OBSTRUCTED, UNSUPPORTED} and not _is_made_room_for(p, freed)]
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


def _is_made_room_for(planned: PlannedChange, freed: Collection[tuple[TableName, str | None]]) -> bool:
    match planned.judgement.handled_by:
        case rules.CREATE:
            return True
        case rules.DROP:
            return taken_by(planned.change) in {name for _, name in freed}
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
        if isinstance(planned.change, REMOVALS) and planned.judgement.handled_by == rules.MANUAL:
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
