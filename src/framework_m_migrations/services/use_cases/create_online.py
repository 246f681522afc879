"""create --online: what sync withholds as two revisions, expand and contract, for people to review."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.describe import sentence
from framework_m_migrations.domain.online_forms import has_half, obstacle
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.renames import Rename, occurs, stands_on, with_renames
from framework_m_migrations.domain.results import CreateResult
from framework_m_migrations.domain.revision_ids import revision_id
from framework_m_migrations.domain.revisions import Phase, RevisionDraft
from framework_m_migrations.domain.schema import Catalog, Check, ForeignKey, Index, Table, TableName, Unique
from framework_m_migrations.domain.type_change import TypeChange
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.mixed_apps import BESIDE_SYNC

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
    chosen, said = _withheld(changes)
    with session.reading():
        catalog = session.inspector.read(None)
        renamed = {name for one in chosen if isinstance(one.change, c.TableRenamed) for name in _both_names(one.change)}
        found = [
            (one, obstacle(one.change, catalog, widens=_widens(session, one.change), renamed=renamed)) for one in chosen
        ]
    reasons = _with_dependents(found)
    said += [f"{_named(planned)}: {reason}; write it by hand" for planned, reason in reasons if reason is not None]
    chosen = [planned for planned, reason in reasons if reason is None]
    chosen = [*_types_of(chosen, changes), *chosen]
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
    """The new enumerations and sequences of columns that the revisions add or convert: all come before sync."""
    columns = [
        planned.change.column
        for planned in chosen
        if isinstance(planned.change, c.ColumnAdded | c.ColumnTypeChanged | c.ColumnRenamed)
    ]
    enums = {column.type.enum for column in columns}
    texts = [column.default or "" for column in columns]

    def is_used(change: c.Change) -> bool:
        match change:
            case c.EnumAdded(enum=enum):
                return enum.name in enums
            case c.ObjectAdded(object=item):
                return item.kind == "sequence" and any(occurs(item.name.name, text) for text in texts)
            case _:
                return False

    return [one for one in changes if is_used(one.change)]


def _both_names(change: c.TableRenamed) -> tuple[TableName, TableName]:
    return change.before, change.table


def _widens(session: Session, change: c.Change) -> bool:
    """Whether a renamed column gets a type that sync applies to it once the former column is gone."""
    if not isinstance(change, c.ColumnRenamed):
        return False
    kind = session.inspector.type_change(change.table, change.before, change.column)
    return kind in {TypeChange.EQUAL, TypeChange.WIDENING}


def _with_dependents(reasons: Sequence[tuple[PlannedChange, str | None]]) -> list[tuple[PlannedChange, str | None]]:
    """What stands on a column that is left out is left out with it."""
    held = [
        (planned.change.table, planned.change.column.name)
        for planned, reason in reasons
        if reason is not None and isinstance(planned.change, c.ColumnRenamed | c.ColumnAdded)
    ]

    def on(change: c.Change) -> str | None:
        item: Index | Unique | Check | ForeignKey
        match change:
            case c.IndexAdded(index=item) | c.IndexChanged(index=item) | c.UniqueAdded(unique=item):
                pass
            case c.UniqueChanged(unique=item) | c.CheckAdded(check=item) | c.CheckChanged(check=item):
                pass
            case c.ForeignKeyAdded(foreign_key=item) | c.ForeignKeyChanged(foreign_key=item):
                pass
            case c.IndexRemoved(index=item) | c.UniqueRemoved(unique=item) | c.CheckRemoved(check=item):
                pass
            case c.ForeignKeyRemoved(foreign_key=item):
                pass
            case _:
                return None
        return next((name for table, name in held if table == change.table and stands_on(item, [name])), None)

    return [
        (planned, reason if reason is not None or (name := on(planned.change)) is None else f"{name} is not there yet")
        for planned, reason in reasons
    ]


def _withheld(changes: Sequence[PlannedChange]) -> tuple[list[PlannedChange], list[str]]:
    safe = sum(1 for planned in changes if not planned.withheld)
    said = (
        [f"{safe} safe change{'' if safe == 1 else 's'}: `m-migrate sync` applies what is safe online"] if safe else []
    )
    return [planned for planned in changes if planned.withheld], said


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
