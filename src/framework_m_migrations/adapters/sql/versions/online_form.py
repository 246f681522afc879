"""From changes to the two halves of an online revision: expand, then contract.

Whatever old code needs stays until the contract half. Both halves consist of calls of framework_m_migrations.online,
each of which can be repeated, so that a half that failed is simply run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from framework_m_migrations.adapters.sql.dialects.postgresql.writing import qualified
from framework_m_migrations.adapters.sql.object_options import sequence_clauses
from framework_m_migrations.adapters.sql.versions import online_columns as columns
from framework_m_migrations.adapters.sql.versions import online_source as source
from framework_m_migrations.adapters.sql.versions.online_source import Halves, Item, call
from framework_m_migrations.adapters.sql.versions.pieces import Source
from framework_m_migrations.adapters.sql.versions.script import phase_of
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.renames import copy_name, former_name, stands_on
from framework_m_migrations.domain.revisions import Phase, RevisionDraft
from framework_m_migrations.domain.schema import Table, TableName

OLD_CODE = "The contract step takes away what only code from before needs: run it when no such code runs any more."


def online_halves(changes: Sequence[PlannedChange], draft: RevisionDraft) -> Halves:
    """What both halves do.

    Args:
        changes: of one app; each has an online form (domain.online_forms.obstacle).
        draft: ``tables`` has every table of the changes.
    """
    tables = {actual.name: (wanted, actual) for wanted, actual in draft.tables}
    found = Halves()
    ordered = sorted(changes, key=lambda planned: phase_of(planned.change))
    renames = [planned.change for planned in ordered if isinstance(planned.change, c.ColumnRenamed)]
    moved = {(one.table, name) for one in renames for name in columns.moved_names(one, *tables[one.table])}
    for planned in ordered:
        if _is_moved(planned.change, moved, renames):
            continue
        one = Halves()
        _write(one, planned, tables)
        found.expand_up += one.expand_up
        found.expand_down = one.expand_down + found.expand_down
        found.contract_up += one.contract_up
        found.contract_down = one.contract_down + found.contract_down
        found.first_down += one.first_down
        found.review += one.review
    return found


def _is_moved(change: c.Change, moved: AbstractSet[tuple[TableName, str]], renames: Sequence[c.ColumnRenamed]) -> bool:
    """True for an index or constraint that comes, or goes, with the rename of its column."""
    item: Item
    match change:
        case c.IndexAdded(index=item) | c.UniqueAdded(unique=item):
            pass
        case c.CheckAdded(check=item) | c.ForeignKeyAdded(foreign_key=item):
            pass
        case c.IndexRemoved(index=item) | c.UniqueRemoved(unique=item):
            return _is_renamed(change.table, item, renames)
        case c.CheckRemoved(check=item) | c.ForeignKeyRemoved(foreign_key=item):
            return _is_renamed(change.table, item, renames)
        case _:
            return False
    return (change.table, source.item_name(change.table, item)) in moved


def _is_renamed(table: TableName, item: Item, renames: Sequence[c.ColumnRenamed]) -> bool:
    return stands_on(item, [one.column.name for one in renames if one.table == table])


def half(halves: Halves, phase: Phase) -> tuple[list[Source], list[Source]]:
    """The upgrade and the downgrade of one half."""
    if phase is Phase.EXPAND:
        return halves.expand_up, [*halves.first_down, *halves.expand_down]
    return halves.contract_up, halves.contract_down


def _write(halves: Halves, planned: PlannedChange, tables: Mapping[TableName, tuple[Table | None, Table]]) -> None:
    change = planned.change
    wanted, actual = tables.get(change.table, (None, None))
    match change:
        case c.EnumAdded(enum=enum):
            halves.expand_up.append(call("set_enum_values", enum.name.name, enum.values, table=enum.name))
            halves.expand_down.append(call("execute", f"DROP TYPE IF EXISTS {qualified(enum.name, None)}"))
        case c.ObjectAdded(object=item):
            name, clauses = qualified(item.name, None), " ".join(sequence_clauses({}, dict(item.options)))
            halves.expand_up.append(call("execute", f"CREATE SEQUENCE IF NOT EXISTS {name} {clauses}".rstrip()))
            halves.expand_down.append(call("execute", f"DROP SEQUENCE IF EXISTS {name}"))
        case c.TableRenamed():
            columns.rename_table(halves, change)
        case c.ColumnRenamed() if wanted is not None and actual is not None:
            columns.rename_column(halves, change, wanted, actual)
        case c.ColumnTypeChanged() if actual is not None:
            columns.convert_column(halves, change, actual, convert=planned.judgement.rule != "type-rewritten")
        case c.ColumnRemoved() if actual is not None:
            columns.drop_column(halves, change, actual)
        case c.ColumnAdded(table=table, column=column):
            columns.add_column(halves, table, column)
        case c.ColumnNullabilityChanged(table=table, column=column) if column.nullable:
            halves.expand_up.append(call("drop_not_null", table.name, column.name, table=table))
            halves.expand_down.append(call("set_not_null", table.name, column.name, table=table))
        case c.ColumnNullabilityChanged(table=table, column=column):
            columns.require_column(halves, table, column)
        case c.ColumnDefaultChanged():
            columns.change_default(halves, change)
        case _:
            _constraint(halves, change)


def _constraint(halves: Halves, change: c.Change) -> None:
    item: Item
    before: Item
    table = change.table
    match change:
        case c.IndexAdded(index=item) if not item.unique:
            halves.expand_up.append(source.create(table, item))
            halves.expand_down.append(source.drop(table, item))
        case (
            c.IndexAdded(index=item)
            | c.UniqueAdded(unique=item)
            | c.CheckAdded(check=item)
            | c.ForeignKeyAdded(foreign_key=item)
        ):
            halves.review.append(f"{table}: {source.item_name(table, item)} refuses rows; mend those that break it.")
            halves.expand_up.append(source.create(table, item))
            halves.expand_down.append(source.drop(table, item))
        case c.IndexChanged(before=before, index=item) | c.UniqueChanged(before=before, unique=item):
            _replace(halves, table, before, item)
        case c.CheckChanged(before=before, check=item) | c.ForeignKeyChanged(before=before, foreign_key=item):
            _replace(halves, table, before, item)
        case c.IndexRemoved(index=item) | c.UniqueRemoved(unique=item):
            _remove(halves, table, item)
        case c.CheckRemoved(check=item) | c.ForeignKeyRemoved(foreign_key=item):
            _remove(halves, table, item)
        case c.ConstraintNotValidated(constraint=item):
            halves.review.append(f"{table}: {source.item_name(table, item)} is broken by rows; mend them before.")
            named = source.item_name(table, item)
            halves.expand_up.append(call("validate_constraint", named, table.name, table=table))
        case _:
            raise AssertionError(f"{type(change).__name__} has no online form")


def _remove(halves: Halves, table: TableName, item: Item) -> None:
    """Old code may rely on what it enforces or makes quick."""
    halves.contract_up.append(source.drop(table, item))
    halves.contract_down.append(source.create(table, item))


def _exchange(helper: str, table: TableName, name: str) -> Source:
    return call(helper, table.name, (name,), table=table)


def _replace(halves: Halves, table: TableName, before: Item, after: Item) -> None:
    """The new one beside the old one, under its name where both have one name, and then the old one gone."""
    name, old = source.item_name(table, after), source.item_name(table, before)
    copy = copy_name(name)
    halves.review.append(f"{table}: {name} is defined anew; rows that break the new definition stop the contract step.")
    if name != old:
        halves.contract_up += [source.create(table, after), source.drop(table, before)]
        halves.contract_down += [source.create(table, before), source.drop(table, after)]
        return
    begun = source.call_text("exists", table.name, former_name(name), table=table)
    halves.contract_up += [
        source.under(f"not {begun}", [source.create(table, after, copy), _exchange("take_names", table, name)]),
        source.drop(table, before, former_name(name)),
    ]
    halves.contract_down += [
        source.create(table, before, former_name(name)),
        _exchange("give_names_back", table, name),
        source.drop(table, after, copy),
    ]
