"""What a revision does: its operations in the order of work, what takes each back, and what a person must look at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from framework_m_migrations.adapters.sql.revisions.writer.directives import Directives
from framework_m_migrations.adapters.sql.revisions.writer.objects import Objects
from framework_m_migrations.adapters.sql.revisions.writer.source import Piece, Script, Source
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.defined import FIRST, needed_first
from framework_m_migrations.domain.describe import sentence
from framework_m_migrations.domain.lowering import Lowering, creation_order, is_required, reversal
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.schema import Column, ForeignKey, Table, TableName

type Pieces = tuple[Piece, ...]
type ColumnKey = tuple[TableName, str]

_PHASES: tuple[tuple[type, ...], ...] = (
    (c.EnumAdded, c.EnumValueAdded, c.ObjectAdded, c.ObjectChanged),
    (c.ColumnRenamed,),
    (c.IndexRemoved,),
    (c.ForeignKeyRemoved,),
    (c.UniqueRemoved, c.CheckRemoved),
    (c.TableAdded,),
    (c.ColumnTypeChanged,),
    (c.ColumnAdded, c.ColumnUnfilled),
    (c.ColumnDefaultChanged, c.ColumnNullabilityChanged, c.ColumnGenerationChanged),
    (c.PrimaryKeyChanged,),
    (c.IndexChanged, c.IndexAdded, c.IndexInvalid),
    (c.UniqueChanged, c.UniqueAdded),
    (c.CheckChanged, c.CheckAdded),
    (c.TableRenamed,),
    (c.ForeignKeyChanged, c.ForeignKeyAdded, c.ConstraintNotValidated),
    (c.TableOptionsChanged,),
    (c.CommentChanged,),
    (c.ColumnRemoved,),
    (c.TableRemoved,),
    (c.EnumValuesIncompatible,),
)
_PHASE_OF = {kind: phase for phase, kinds in enumerate(_PHASES) for kind in kinds}
_LOCKS = (
    "Locks: creating an index on a large table holds up its writers; consider postgresql_concurrently=True in an "
    "autocommit_block()."
)
_LOCKS_TARGET = "Locks: a foreign key to an existing table locks that table against writes while it is added."
_SCAN = "Locks: a new constraint reads the whole table, and fails where rows break it."


def phase_of(change: c.Change) -> float:
    """Where a change stands in the order of work."""
    if isinstance(change, c.TableOptionsChanged) and not change.options:
        # What goes may rest on what goes later, as a conflict clause rests on NOT NULL.
        return _PHASE_OF[c.ColumnTypeChanged] - 0.5
    if isinstance(change, c.TableOptionsChanged) and "collate" in dict(change.options):
        # Says columns again as they were when the revision was written.
        return _PHASE_OF[c.ColumnRenamed] - 0.5
    if isinstance(change, c.ColumnGenerationChanged) and _counts(change.before) and not _counts(change.column):
        # What counts bears integers only.
        return _PHASE_OF[c.ColumnTypeChanged] - 0.5
    if isinstance(change, c.ObjectAdded | c.ObjectChanged):
        kind = change.object.kind
        late = len(_PHASES) if change.object.definition is not None and kind not in FIRST else _PHASE_OF[type(change)]
        return {"roles": -2.0, "schema": -1.0}.get(kind, late)
    return _PHASE_OF[type(change)]


def _counts(column: Column) -> bool:
    return column.generated is not None and column.generated.kind != "computed"


def _is_first(change: c.Change, first: Collection[TableName]) -> bool:
    return isinstance(change, c.ObjectAdded | c.ObjectChanged) and change.object.name in first


def in_order(changes: Sequence[c.Change], first: Collection[TableName]) -> list[c.Change]:
    """The changes in the order of work; what a renamed table changes under its former name comes before its rename.

    A table leaves its name before another one gets it.
    ``first`` are objects that come before all else.
    """
    renamed = {change.before: change.table for change in changes if isinstance(change, c.TableRenamed)}
    latest = _PHASE_OF[c.TableRenamed] - 0.5

    def place(change: c.Change) -> tuple[float, int]:
        phase = 0 if _is_first(change, first) else phase_of(change)
        if isinstance(change, c.TableRenamed):
            return phase, _in_its_way(change.table, renamed)
        return min(phase, latest) if change.table in renamed else phase, 0

    before = {after: former for former, after in renamed.items()}
    return [_referring(one, before) if place(one)[0] <= latest else one for one in sorted(changes, key=place)]


def _referring(change: c.Change, names: Mapping[TableName, TableName]) -> c.Change:
    """A change whose foreign keys refer to tables by these names: a rename of a table takes those to it along."""

    def key(item: ForeignKey) -> ForeignKey:
        return replace(item, target=names[item.target], native=None) if item.target in names else item

    match change:
        case c.ForeignKeyAdded(foreign_key=item) | c.ForeignKeyRemoved(foreign_key=item):
            return replace(change, foreign_key=key(item))
        case c.ForeignKeyChanged(before=before, foreign_key=item):
            return replace(change, before=key(before), foreign_key=key(item))
        case c.TableAdded(definition=table) if any(one.target in names for one in table.foreign_keys):
            return replace(change, definition=replace(table, foreign_keys=tuple(map(key, table.foreign_keys))))
        case _:
            return change


def _parts(change: c.Change) -> list[c.Change]:
    """A renamed column that changes in more than its name, as what each of the others would be.

    Options of columns that go come apart from others, with which they have nothing to do: see ``phase_of``.
    """
    if isinstance(change, c.TableOptionsChanged):
        going = [name for name, _ in change.before if "." in name and name not in dict(change.options)]
        if not going or not change.options:
            return [change]
        apart, rest = (tuple(one for one in change.before if (one[0] in going) is with_) for with_ in (True, False))
        return [replace(change, before=apart, options=()), replace(change, before=rest)]
    if not isinstance(change, c.ColumnRenamed):
        return [change]
    table, after = change.table, change.column
    found: list[c.Change] = [replace(change, column=replace(change.before, name=after.name, native=None))]
    before = replace(change.before, name=after.name)
    if before.type != after.type:
        found.append(c.ColumnTypeChanged(table, before, after))
    if before.generated != after.generated:
        found.append(c.ColumnGenerationChanged(table, before, after))
    elif before.default != after.default:
        found.append(c.ColumnDefaultChanged(table, before, after))
    if before.nullable is not after.nullable:
        found.append(c.ColumnNullabilityChanged(table, before, after))
    if before.comment != after.comment:
        found.append(c.CommentChanged(table, after.name, before.comment, after.comment))
    return found


def _in_its_way(name: TableName, renamed: Mapping[TableName, TableName]) -> int:
    """How many tables have to leave their names, one after the other, before this one is free."""
    count = 0
    while name in renamed and count <= len(renamed):
        name, count = renamed[name], count + 1
    return count


@dataclass(frozen=True, slots=True)
class ScriptWriter:
    """Puts a revision together.

    Args:
        objects: builds SQLAlchemy's objects.
        capabilities: of the database.
        settle: gives the pieces of an operation back in a form that does exactly what the dialect's writer does.
        former: a table as it is in the database, None where it is not.
    """

    objects: Objects
    capabilities: Capabilities
    settle: Callable[[o.Operation, Pieces], Pieces]
    former: Callable[[TableName], Table | None]

    def script(self, changes: Sequence[PlannedChange]) -> Script:
        """The script of these changes, which are those of one app.

        Tables come after those they refer to, foreign keys that close a circle after all tables; a table or column
        that is not ours is never dropped.

        Raises:
            InvalidMetadata: a type or an expression cannot be written down.
        """
        script = Script()
        listed = [part for planned in changes for part in _parts(planned.change)]
        made = (change.object for change in listed if isinstance(change, c.ObjectAdded | c.ObjectChanged))
        lowering = Lowering(self.capabilities)
        first = needed_first(made, (one for change in listed for one in lowering.operations(change)))
        ordered = in_order(listed, first)
        incompatible = {id(one.change) for one in changes if one.judgement.rule == "type-incompatible"}
        tables = [change.definition for change in ordered if isinstance(change, c.TableAdded)]
        retyped = {_key(change.table, change.column) for change in ordered if isinstance(change, c.ColumnTypeChanged)}
        defaults = {
            _key(change.table, change.column): change
            for change in ordered
            if isinstance(change, c.ColumnDefaultChanged) and _key(change.table, change.column) in retyped
        }
        for change in ordered:
            match change:
                case c.TableAdded():
                    if tables:
                        self._tables(script, tables)
                        tables = []
                case c.ColumnTypeChanged():
                    convert = id(change) in incompatible
                    self._retype(script, change, defaults.get(_key(change.table, change.column)), convert=convert)
                case c.ColumnDefaultChanged() if _key(change.table, change.column) in defaults:
                    pass  # It is written with the new type.
                case c.TableRemoved(owned=False) | c.ColumnRemoved(owned=False):
                    pass
                case _:
                    self._change(script, change)
        return script

    def _change(self, script: Script, change: c.Change) -> None:
        former = self.former(change.table) if isinstance(change, c.TableRemoved) else None
        operations = Lowering(self.capabilities, revision=True).operations(change)
        for note in _notes(change):
            script.note(note)
        if not operations:
            # No generated code could bring it about safely: the file says so, where nobody overlooks it.
            what = f"{change.table}: {sentence(change)}"
            script.note(f"Not written: {what}; add it by hand.")
            script.add(Source(comments=(f"REVIEW: {what}; write it by hand.",)), ())
            return
        if isinstance(change, c.ColumnAdded) and is_required(change.column) and change.column.options:
            # It came without NOT NULL, and so without what SQLite does where NOT NULL is broken.
            options = tuple((f"{change.column.name}.{name}", value) for name, value in change.column.options)
            operations = (*operations, o.SetTableOptions(change.table, (), options))
        script.add(self._all(operations), self._all(reversal(change, former)))

    def pieces(self, operation: o.Operation) -> Pieces:
        """The pieces of one operation."""
        return self.settle(operation, Directives(self.objects).of(operation))

    def _tables(self, script: Script, tables: Sequence[Table]) -> None:
        inline = creation_order(tables, frozenset(), apart_from_existing=False)
        created = {table.name for table in tables}
        later: list[tuple[TableName, ForeignKey]] = []
        for table, keys in inline:
            outside = tuple(key for key in table.foreign_keys if key.target not in created)
            if outside:
                script.note(_LOCKS_TARGET)
            carried = (*keys, *(key for key in outside if key not in keys))
            script.add(self.pieces(o.CreateTable(table, carried)), self.pieces(o.DropTable(table.name)))
            later.extend((table.name, key) for key in table.foreign_keys if key not in carried)
        for name, key in later:
            change = c.ForeignKeyAdded(name, key)
            script.add(self.pieces(o.AddForeignKey(name, key)), self._all(reversal(change)))

    def _all(self, operations: Sequence[o.Operation]) -> Pieces:
        return tuple(piece for operation in operations for piece in self.pieces(operation))

    def _retype(
        self, script: Script, change: c.ColumnTypeChanged, default: c.ColumnDefaultChanged | None, *, convert: bool
    ) -> None:
        """A new type, and with it a default that changes too, or that cannot be cast along with the values."""
        table, before, after = change.table, change.before, change.column
        script.note(f"Locks: {table}.{after.name} from {before.type} to {after.type} may rewrite the table.")
        if convert:
            script.note(
                f"Data migration: decide how {before.type} becomes {after.type} in {table}.{after.name}; the revision "
                "fails where a value would be lost."
            )
        was = before.default if default is None else default.before.default
        apart = was is not None and (convert or default is not None)
        gets = after.default if default is not None or apart else None
        up = self._typed(table, before, after, off=apart, on=gets is not None)
        down = self._typed(
            table, after, before, off=gets is not None, on=was is not None and (apart or gets is not None)
        )
        for view in change.views:
            script.note(f"Views: {view.name} is dropped and created again, without privileges that were granted on it.")
        dropped = self._all([o.DropObject(view) for view in reversed(change.views)])
        created = self._all([o.CreateObject(view) for view in change.views])
        script.add((*dropped, *up, *created), (*dropped, *down, *created))

    def _typed(self, table: TableName, before: Column, after: Column, *, off: bool, on: bool) -> Pieces:
        pieces: list[Piece] = []
        if off:
            pieces.append(Directives(self.objects).alteration(table, before, modify_server_default=None))
        pieces.extend(self.pieces(o.AlterType(table, before, after)))
        if on:
            pieces.extend(self.pieces(o.SetDefault(table, before, after)))
        return tuple(pieces)


def _key(table: TableName, column: Column) -> ColumnKey:
    return table, column.name


def _notes(change: c.Change) -> list[str]:
    """What the review list says of a change, as far as its operations do not say it."""
    table = change.table
    match change:
        case c.TableRenamed() | c.ColumnRenamed():
            return ["Renames: code that still uses the old name fails as soon as this has run."]
        case c.TableRemoved():
            return [f"Data: {table} is dropped with its rows; downgrade brings back the table, not the rows."]
        case c.ColumnAdded(column=column) if is_required(column):
            return [_fill_note(table, column, column.fill)]
        case c.ColumnAdded(column=column) if column.volatile_default and column.default is not None:
            return [f"Locks: the default of {table}.{column.name} is evaluated for each row, which rewrites the table."]
        case c.ColumnRemoved(column=column):
            gone = f"Data: {table}.{column.name} is dropped with its values; downgrade brings back the column only."
            loose = f"NOT NULL: downgrade leaves {table}.{column.name} nullable, because its values are gone."
            return [gone, loose] if is_required(column) else [gone]
        case c.ColumnNullabilityChanged(column=column) if column.nullable:
            return [f"NOT NULL: downgrade is refused while rows hold NULL in {table}.{column.name}."]
        case c.ColumnNullabilityChanged(column=column):
            scan = f"Locks: NOT NULL on {table}.{column.name} reads the whole table under an exclusive lock."
            return [scan, _fill_note(table, column, column.fill if column.fill is not None else column.default)]
        case c.IndexAdded() | c.IndexChanged():
            return [_LOCKS]
        case c.UniqueAdded(via_index=None) | c.CheckAdded() | c.UniqueChanged() | c.CheckChanged():
            return [_SCAN]
        case c.ForeignKeyAdded(foreign_key=key) | c.ForeignKeyChanged(foreign_key=key):
            asked = f"ON DELETE: is what happens to the rows of {table} right when a row of {key.target} goes?"
            return [_SCAN, asked] if key.on_delete is not None or isinstance(change, c.ForeignKeyChanged) else [_SCAN]
        case c.EnumValueAdded():
            return ["Enumerations: downgrade takes the new labels away, and is refused while rows hold one."]
        case c.EnumValuesIncompatible(after=enum):
            what = f"Labels of {enum.name} are removed or reordered: refused while rows hold one that goes."
            return [what, f"Locks: each table with a column of {enum.name} is rewritten under an exclusive lock."]
        case _:
            return []


def _fill_note(table: TableName, column: Column, value: str | None) -> str:
    if value is None:
        return f"Data migration: rows need a value for {table}.{column.name} before NOT NULL."
    return f"Data migration: rows get {value} for {table}.{column.name}; is that right for all of them?"
