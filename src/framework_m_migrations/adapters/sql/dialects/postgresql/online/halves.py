"""From changes to the two halves of an online revision: expand, then contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from textwrap import indent

from framework_m_migrations.adapters.sql.dialects.postgresql.conversions import conversion
from framework_m_migrations.adapters.sql.dialects.postgresql.ddl import PostgresqlWriter
from framework_m_migrations.adapters.sql.dialects.postgresql.expressions import is_volatile
from framework_m_migrations.adapters.sql.dialects.postgresql.text import written
from framework_m_migrations.adapters.sql.revisions.writer.objects import POSTGRESQL
from framework_m_migrations.adapters.sql.revisions.writer.script import phase_of
from framework_m_migrations.adapters.sql.revisions.writer.source import (
    Source,
    constraint_name,
    escape_binds,
    string_literal,
)
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.lowering import is_required
from framework_m_migrations.domain.naming import Place, standard_name
from framework_m_migrations.domain.online_forms import standing_on, unsupported_option
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.renames import copy_name, former_name, in_text, on_columns, stands_on
from framework_m_migrations.domain.revisions import VALUE_WANTED, Phase, RevisionDraft
from framework_m_migrations.domain.schema import Check, Column, ForeignKey, Index, IndexKey, Table, TableName, Unique

type Item = Index | Unique | Check | ForeignKey


@dataclass(slots=True)
class Halves:
    """What both halves of an online change do, and how each is taken back.

    ``expand_down`` and ``contract_down`` are collected in order of the changes and undone last change first.
    """

    expand_up: list[Source] = field(default_factory=list)
    expand_down: list[Source] = field(default_factory=list)
    contract_up: list[Source] = field(default_factory=list)
    contract_down: list[Source] = field(default_factory=list)
    first_down: list[Source] = field(default_factory=list)
    """What may refuse the downgrade of the first half, before any of it is done."""
    review: list[str] = field(default_factory=list)
    names: Mapping[TableName, TableName] = field(default_factory=dict)
    """Former names of tables, and what they are called when the second half runs."""

    def restored(self, table: TableName, item: Item, name: str | None = None) -> Source:
        """The call that adds again, when the second half is taken back, what was there before the first."""
        if isinstance(item, ForeignKey) and item.target in self.names:
            item = replace(item, target=self.names[item.target], native=None)
        return create(table, item, name)


@dataclass(frozen=True, slots=True)
class Raw:
    """An argument that is source already."""

    code: str


type Argument = str | int | bool | Raw | Sequence[str] | None


def call(name: str, *arguments: Argument, table: TableName | None = None, **named: Argument) -> Source:
    """``online.name(...)``; named arguments that are None or empty are left out."""
    return Source(call_text(name, *arguments, table=table, **named))


def call_text(name: str, *arguments: Argument, table: TableName | None = None, **named: Argument) -> str:
    """As ``call``; ``table`` gives the schema, where it has one."""
    parts = [_argument(argument) for argument in arguments]
    given: Mapping[str, Argument] = named | {"schema": None if table is None else table.schema}
    parts += [f"{key}={_argument(value)}" for key, value in given.items() if value is not None and value != ()]
    return f"online.{name}({', '.join(parts)})"


def _argument(value: Argument) -> str:
    if isinstance(value, Raw):
        return value.code
    if isinstance(value, str):
        return string_literal(value)
    if value is None or isinstance(value, bool | int):
        return repr(value)
    return f"[{', '.join(string_literal(one) for one in value)}]"


def mapping(entries: Mapping[str, str]) -> Raw:
    """A dictionary."""
    return Raw(
        "{" + ", ".join(f"{string_literal(key)}: {string_literal(value)}" for key, value in entries.items()) + "}"
    )


def under(condition: str, calls: Sequence[Source]) -> Source:
    """Calls that are made only where a condition holds."""
    return Source("\n".join([f"if {condition}:", *(indent(one.code, "    ") for one in calls)]))


def create(table: TableName, item: Item, name: str | None = None) -> Source:
    """The call that adds an index or constraint with its comment, under ``name`` where one is given."""
    called = name or item_name(table, item)
    made = _created(table, item, called)
    if isinstance(item, Index) or not item.comment:
        return made
    return Source(f"{made.code}\n{_sent(o.SetComment(table, None, item.comment, called)).code}")


def _created(table: TableName, item: Item, called: str) -> Source:
    options = {} if isinstance(item, Index) else dict(item.options)
    match item:
        case Index():
            return _index(table, item, called)
        case Unique():
            return call(
                "add_unique",
                called,
                table.name,
                item.columns,
                deferrable=_option(options.get("deferrable")),
                initially=options.get("initially"),
                nulls_not_distinct=_option(options.get("nulls_not_distinct")),
                table=table,
            )
        case Check():
            return call("add_check", called, table.name, item.expression, table=table)
        case ForeignKey():
            return call(
                "add_foreign_key",
                called,
                table.name,
                item.target.name,
                item.columns,
                item.target_columns,
                onupdate=item.on_update,
                ondelete=item.on_delete,
                deferrable=_option(options.get("deferrable")),
                initially=options.get("initially"),
                match=options.get("match"),
                source_schema=table.schema,
                referent_schema=item.target.schema,
            )


def drop(table: TableName, item: Item, name: str | None = None) -> Source:
    """The call that drops an index or constraint; nothing happens where there is none."""
    called = name or item_name(table, item)
    if isinstance(item, Index):
        return call("drop_index_concurrently", called, table.name, table=table)
    kinds = {Unique: "unique", Check: "check", ForeignKey: "foreignkey"}
    return call("drop_constraint", called, table.name, type_=kinds[type(item)], table=table)


def item_name(table: TableName, item: Item) -> str:
    """The item's own name, or the one that a revision gives it."""
    return item.name if isinstance(item, Index) else constraint_name(table, item)


def _option(value: str | None) -> bool | None:
    return None if value is None else value == "true"


def _index(table: TableName, index: Index, name: str) -> Source:
    keys = Raw(f"[{', '.join(_key(key) for key in index.keys)}]")
    where = None if index.where is None else Raw(f"sa.text({string_literal(escape_binds(index.where))})")
    return call(
        "create_index_concurrently",
        name,
        table.name,
        keys,
        unique=True if index.unique else None,
        postgresql_using=index.method,
        postgresql_include=index.include,
        postgresql_where=where,
        postgresql_nulls_not_distinct=_option(dict(index.options).get("nulls_not_distinct")),
        table=table,
    )


def _key(key: IndexKey) -> str:
    if key.column is not None and not key.modifiers:
        return string_literal(key.column)
    body = written(key.column) if key.column is not None else f"({key.expression})"
    return f"sa.text({string_literal(escape_binds(f'{body} {key.modifiers}'.rstrip()))})"


# Columns and tables in two phases: what the online form of a revision does for them.


def rename_table(halves: Halves, change: c.TableRenamed) -> None:
    """The table under its new name, a view under the old one, then no view."""
    old, new, schema = change.before.name, change.table.name, change.table
    halves.review.append(
        f"{old} stays as a view until the contract step: code that sends TRUNCATE, COPY or LOCK TABLE needs {new}."
    )
    names = mapping(dict(change.constraints)) if change.constraints else None
    halves.expand_up.append(call("start_table_rename", old, new, constraints=names, table=schema))
    halves.expand_down.append(call("undo_table_rename", old, new, constraints=names, table=schema))
    halves.contract_up.append(call("finish_table_rename", old, new, table=schema))
    halves.contract_down.append(call("restore_table_rename", old, new, table=schema))


def rename_column(halves: Halves, change: c.ColumnRenamed, wanted: Table, actual: Table) -> None:
    """A second column kept equal, with what stands on the first; then the first one gone."""
    table, before, after = change.table, change.before, replace(change.column, type=change.before.type)
    pairs = _renamed_items(table, before.name, after.name, wanted, actual)
    copies = [new for _, new in pairs]
    taken = _names(table, actual)
    clash = [name for name in (item_name(table, new) for new in copies) if name in taken]
    default, old_default = _constant(_default(after)), _constant(before.default)
    final = None if default is not None else _default(after)
    halves.review.append(f"{table}.{before.name} and {after.name} are kept equal until the contract step.")
    if (later := change.column.type).spelling != before.type.spelling:
        halves.review.append(
            f"{table}.{after.name} is {before.type} until the contract step; then sync makes it {later}."
        )
    if after.nullable and not before.nullable:
        # New code may write NULL, which the trigger carries over.
        halves.expand_up.append(call("drop_not_null", table.name, before.name, table=table))
        halves.expand_down.append(call("set_not_null", table.name, before.name, table=table))
    halves.expand_up.append(
        call(
            "start_rename",
            table.name,
            before.name,
            after.name,
            before.type.spelling,
            default=default,
            old_default=old_default,
            table=table,
        )
    )
    if not after.nullable and not before.nullable:
        halves.expand_up.append(call("set_not_null", table.name, after.name, table=table))
    if change.column.comment:
        halves.expand_up.append(_sent(o.SetComment(table, after.name, change.column.comment)))
    halves.expand_up.extend(_copies(table, copies, clash))
    if clash:
        halves.expand_up.append(call("take_names", table.name, clash, table=table))
    halves.expand_down.insert(0, call("undo_rename", table.name, before.name, after.name, take=clash, table=table))
    halves.contract_up.extend(drop(table, old, _former(table, old, clash)) for old, _ in reversed(pairs))
    halves.contract_up.append(call("finish_rename", table.name, before.name, after.name, default=final, table=table))
    halves.contract_down.append(
        call(
            "start_rename",
            table.name,
            after.name,
            before.name,
            before.type.spelling,
            default=old_default,
            old_default=default,
            table=table,
        )
    )
    if not before.nullable and not after.nullable:
        halves.contract_down.append(call("set_not_null", table.name, before.name, table=table))
    if before.comment:
        halves.contract_down.append(_sent(o.SetComment(table, before.name, before.comment)))
    halves.contract_down.extend(halves.restored(table, old, _former(table, old, clash)) for old, _ in pairs)


def moved_names(change: c.ColumnRenamed, wanted: Table | None, actual: Table) -> list[str]:
    """What stands on a renamed column, under its new names."""
    pairs = _renamed_items(change.table, change.before.name, change.column.name, wanted, actual)
    return [item_name(change.table, new) for _, new in pairs]


def convert_column(halves: Halves, change: c.ColumnTypeChanged, actual: Table, *, convert: bool) -> None:
    """A copy of the new type that takes the column's place; then the former column gone."""
    table, before, after = change.table, change.before, change.column
    name, copy = after.name, copy_name(after.name)
    (using, loses), (back, _) = _cast(before, after), _cast(after, before)
    if convert:
        halves.review.append(
            f"Data migration: decide how {before.type} becomes {after.type} in {table}.{name} (using=) and how it goes "
            "back (back=); a row that the conversion would change or lose (loses=) stops the revision."
        )
    halves.review.append(
        f"{table}.{name}: from the end of this revision on, code from before writes {before.type} values into a column "
        f"of type {after.type}."
    )
    items = [(item, _moved(item, name, copy)) for item in standing_on(actual, name)]
    names = [item_name(table, item) for item, _ in items]
    work = [] if before.nullable else [call("set_not_null", table.name, copy, table=table)]
    work += [create(table, new, copy_name(item_name(table, old))) for old, new in items]
    work.append(
        call(
            "swap_conversion",
            table.name,
            name,
            using=using,
            back=back,
            default=_default(after) if before.default is not None or after.default is not None else None,
            comment=after.comment,
            take=names,
            table=table,
        )
    )
    begun = call_text("start_conversion", table.name, name, after.type.spelling, using=using, loses=loses, table=table)
    halves.expand_up.append(under(begun, work))
    halves.first_down.append(call("require_unswappable", table.name, name, table=table))
    halves.expand_down.append(
        call(
            "unswap_conversion",
            table.name,
            name,
            default=before.default,
            comment=before.comment,
            nullable=before.nullable,
            take=names,
            table=table,
        )
    )
    halves.contract_up.extend(drop(table, item, former_name(item_name(table, item))) for item, _ in reversed(items))
    halves.contract_up.append(call("finish_conversion", table.name, name, table=table))
    halves.contract_down.append(
        call("restore_conversion", table.name, name, before.type.spelling, using=using, back=back, table=table)
    )
    former = former_name(name)
    halves.contract_down.extend(
        halves.restored(table, _moved(item, name, former), former_name(item_name(table, item))) for item, _ in items
    )


def drop_column(halves: Halves, change: c.ColumnRemoved, actual: Table, replaced: AbstractSet[str]) -> None:
    """NOT NULL first, so that new code may leave the column out; then what stands on it, then the column.

    ``replaced`` are the names of indexes and constraints that other changes define anew: by then on other columns.
    """
    table, column = change.table, change.column
    halves.review.append(f"Data: {table}.{column.name} is dropped with its values; downgrade brings back the column.")
    if is_required(column):
        halves.expand_up.append(call("drop_not_null", table.name, column.name, table=table))
        halves.review.append(f"NOT NULL: downgrade leaves {table}.{column.name} nullable; new code wrote no values.")
    items = [item for item in standing_on(actual, column.name) if item_name(table, item) not in replaced]
    halves.contract_up.extend(drop(table, item) for item in reversed(items))
    halves.contract_up.append(_sent(o.DropColumn(table, column.name)))
    again = replace(column, nullable=column.nullable or is_required(column))
    halves.contract_down.append(_sent(o.AddColumn(table, again)))
    halves.contract_down.extend(halves.restored(table, item) for item in items)


def require_column(halves: Halves, table: TableName, column: Column) -> None:
    """NOT NULL, once no code runs that may still write NULL; rows get a value before and after."""
    name, fill = written(column.name), _default(column)
    if fill is None:
        halves.review.append(f"Data migration: rows need a value for {table}.{column.name} before NOT NULL.")
        example = f'online.backfill("{table.name}", {{"{column.name}": "..."}}, where="{column.name} IS NULL")'
        words = (f"{VALUE_WANTED} {column.name} here:", example)
        halves.expand_up.append(Source(comments=words))
    else:
        halves.review.append(f"Data migration: rows get {fill} for {table}.{column.name}; is it right for all?")
        values = mapping({column.name: fill})
        halves.expand_up.append(call("backfill", table.name, values, where=f"{name} IS NULL", table=table))
    halves.contract_up.append(call("set_not_null", table.name, column.name, fill=fill, table=table))
    halves.contract_down.append(call("drop_not_null", table.name, column.name, table=table))


def add_column(halves: Halves, table: TableName, column: Column) -> None:
    """In stages: nullable and without a default, which would be evaluated for each row under a lock."""
    name, bare = written(column.name), replace(column, nullable=True, native=None, comment=None)
    halves.expand_up.append(_sent(o.AddColumn(table, bare, staged=column.default is not None)))
    halves.expand_down.append(_sent(o.DropColumn(table, column.name)))
    if column.default is None:
        if not column.nullable:
            require_column(halves, table, column)
        return
    values = mapping({column.name: column.default})
    halves.expand_up.append(call("backfill", table.name, values, where=f"{name} IS NULL", table=table))
    if not column.nullable:
        # Old code leaves the column out and so gets the default: nothing has to wait.
        halves.expand_up.append(call("set_not_null", table.name, column.name, fill=column.default, table=table))


def change_default(halves: Halves, change: c.ColumnDefaultChanged) -> None:
    """Old code may rely on the former default."""
    halves.contract_up.append(_sent(o.SetDefault(change.table, change.before, change.column)))
    halves.contract_down.append(_sent(o.SetDefault(change.table, change.column, change.before)))


def _sent(operation: o.Operation) -> Source:
    """An operation as the writer says it, for a step that can be run again."""
    return call("execute", *PostgresqlWriter(POSTGRESQL, idempotent=True).statements(operation))


def _cast(before: Column, after: Column) -> tuple[str, str | None]:
    """The value of one column as the other, by the writer's rules, and a condition for values that would be lost."""
    name = written(before.name)
    found = conversion(before.type, after.type, name, schema=None, version=())
    # Without a rule there may be no cast at all, and every type can be had of a text.
    through = "::text" if found is None or before.type.enum is not None or after.type.enum is not None else ""
    plain = f"{name}{through}::{after.type.spelling}"
    if found is None:
        # A cast to a length cuts what is longer, and says nothing.
        return plain, f"({plain})::text IS DISTINCT FROM {name}::text"
    return found.using or plain, found.loses()


def _default(column: Column) -> str | None:
    """The default that the column has in the database: its own, or that of the application left for old code."""
    return column.default_text if column.default is not None or column.nullable else column.fill


def _constant(default: str | None) -> str | None:
    """A default that gives the same value within a transaction, None for any other."""
    return None if default is None or is_volatile(default) else default


def _moved(item: Item, before: str, after: str) -> Item:
    names = {before: after}
    if isinstance(item, Index):
        return replace(on_columns(item, names), name=item.name)
    if isinstance(item, Check):
        return replace(item, expression=in_text(item.expression, names), native=None)
    return replace(item, columns=tuple(names.get(one, one) for one in item.columns), native=None)


def _renamed_items(
    table: TableName, before: str, after: str, wanted: Table | None, actual: Table
) -> list[tuple[Item, Item]]:
    """What is on a renamed column, and the same on its new name: under the name that the wanted table has for it."""
    there: tuple[Item, ...] = ()
    if wanted is not None:
        there = (*wanted.indexes, *wanted.uniques, *wanted.checks, *wanted.foreign_keys)
    columns = {one.name for one in (*actual.columns, *(() if wanted is None else wanted.columns))} - {before}
    taken = {item.name for item in there if item.name is not None}
    found: list[tuple[Item, Item]] = []
    for item in standing_on(actual, before):
        moved = _moved(item, before, after)
        same = next((one for one in there if type(one) is type(moved) and _shape(one) == _shape(moved)), None)
        if same is not None and same.name is not None:
            moved = replace(moved, name=same.name)
        elif same is not None and not isinstance(moved, Index):
            moved = replace(moved, name=standard_name(moved, Place(table, columns, taken)))
        taken.add(item_name(table, moved))
        found.append((item, moved))
    return found


def _shape(item: Item) -> object:
    """What tells whether two are the same but for their names."""
    return replace(item, name="") if isinstance(item, Unique) else replace(item, name="", valid=True)


def _names(table: TableName, actual: Table) -> set[str]:
    items: tuple[Item, ...] = (*actual.indexes, *actual.uniques, *actual.checks, *actual.foreign_keys)
    return {item_name(table, item) for item in items}


def _former(table: TableName, item: Item, clash: list[str]) -> str:
    """What an item of the old column is called after the first phase."""
    name = item_name(table, item)
    return former_name(name) if name in clash else name


def _copies(table: TableName, items: list[Item], clash: list[str]) -> list[Source]:
    made: list[Source] = []
    for item in items:
        name = item_name(table, item)
        if name not in clash:
            made.append(create(table, item))
            continue
        taken = call_text("exists", table.name, former_name(name), table=table)
        made.append(under(f"not {taken}", [create(table, item, copy_name(name))]))
    return made


# From changes to the two halves of an online revision: expand, then contract.
#
# Whatever old code needs stays until the contract half. Both halves consist of calls of
# framework_m_migrations.online, each of which can be repeated, so that a half that failed is simply run again.


OLD_CODE = "The contract step takes away what only code from before needs: run it when no such code runs any more."


def online_halves(changes: Sequence[PlannedChange], draft: RevisionDraft) -> Halves:
    """What both halves do.

    Args:
        changes: of one app; each has an online form (domain.online_forms.obstacle).
        draft: ``tables`` has every table of the changes.
    """
    tables = {actual.name: (wanted, actual) for wanted, actual in draft.tables}
    found = Halves()
    names = {one.change.before: one.change.table for one in changes if isinstance(one.change, c.TableRenamed)}
    ordered = sorted(changes, key=lambda planned: phase_of(planned.change))
    renames = [planned.change for planned in ordered if isinstance(planned.change, c.ColumnRenamed)]
    moved = {(one.table, name) for one in renames for name in moved_names(one, *tables[one.table])}
    anew = [(planned.change.table, item) for planned in ordered if (item := _replaced(planned.change)) is not None]
    for planned in ordered:
        if _is_moved(planned.change, moved, renames):
            continue
        one = Halves(names=names)
        replaced = {item_name(table, item) for table, item in anew if table == planned.change.table}
        _write(one, planned, tables, replaced)
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
    return (change.table, item_name(change.table, item)) in moved


def _replaced(change: c.Change) -> Item | None:
    """What an index or constraint that is defined anew was before."""
    item: Item
    match change:
        case c.IndexChanged(before=item) | c.UniqueChanged(before=item):
            return item
        case c.CheckChanged(before=item) | c.ForeignKeyChanged(before=item):
            return item
        case _:
            return None


def _is_renamed(table: TableName, item: Item, renames: Sequence[c.ColumnRenamed]) -> bool:
    return stands_on(item, [one.column.name for one in renames if one.table == table])


def half(halves: Halves, phase: Phase) -> tuple[list[Source], list[Source]]:
    """The upgrade and the downgrade of one half."""
    if phase is Phase.EXPAND:
        return halves.expand_up, [*halves.first_down, *halves.expand_down]
    return halves.contract_up, halves.contract_down


def _write(
    halves: Halves,
    planned: PlannedChange,
    tables: Mapping[TableName, tuple[Table | None, Table]],
    replaced: AbstractSet[str],
) -> None:
    change = planned.change
    wanted, actual = tables.get(change.table, (None, None))
    match change:
        case c.EnumAdded(enum=enum):
            halves.expand_up.append(call("set_enum_values", enum.name.name, enum.values, table=enum.name))
            halves.expand_down.append(_sent(o.DropEnum(enum.name)))
        case c.ObjectAdded(object=item):
            halves.expand_up.append(_sent(o.CreateObject(item)))
            halves.expand_down.append(_sent(o.DropObject(item)))
        case c.TableRenamed():
            rename_table(halves, change)
        case c.ColumnRenamed() if wanted is not None and actual is not None:
            rename_column(halves, change, wanted, actual)
        case c.ColumnTypeChanged() if actual is not None:
            convert_column(halves, change, actual, convert=planned.judgement.rule != "type-rewritten")
        case c.ColumnRemoved() if actual is not None:
            drop_column(halves, change, actual, replaced)
        case c.ColumnAdded(table=table, column=column):
            add_column(halves, table, column)
        case c.ColumnNullabilityChanged(table=table, column=column) if column.nullable:
            halves.expand_up.append(call("drop_not_null", table.name, column.name, table=table))
            halves.expand_down.append(call("set_not_null", table.name, column.name, table=table))
        case c.ColumnNullabilityChanged(table=table, column=column):
            require_column(halves, table, column)
        case c.ColumnDefaultChanged():
            change_default(halves, change)
        case _:
            _constraint(halves, change)


def _constraint(halves: Halves, change: c.Change) -> None:
    item: Item
    before: Item
    table = change.table
    match change:
        case c.IndexAdded(index=item) if not item.unique:
            halves.expand_up.append(create(table, item))
            halves.expand_down.append(drop(table, item))
        case (
            c.IndexAdded(index=item)
            | c.UniqueAdded(unique=item)
            | c.CheckAdded(check=item)
            | c.ForeignKeyAdded(foreign_key=item)
        ):
            halves.review.append(f"{table}: {item_name(table, item)} rejects rows; fix those that violate it.")
            halves.expand_up.append(create(table, item))
            halves.expand_down.append(drop(table, item))
        case c.IndexChanged(before=before, index=item) | c.UniqueChanged(before=before, unique=item):
            _replace(halves, table, before, item)
        case c.CheckChanged(before=before, check=item) | c.ForeignKeyChanged(before=before, foreign_key=item):
            _replace(halves, table, before, item)
        case c.IndexRemoved(index=item) | c.UniqueRemoved(unique=item):
            _remove(halves, table, item)
        case c.CheckRemoved(check=item) | c.ForeignKeyRemoved(foreign_key=item):
            _remove(halves, table, item)
        case c.ConstraintNotValidated(constraint=item):
            halves.review.append(f"{table}: {item_name(table, item)} is violated by rows; fix them first.")
            named = item_name(table, item)
            halves.expand_up.append(call("validate_constraint", named, table.name, table=table))
        case _:
            raise AssertionError(f"{type(change).__name__} has no online form")


def _remove(halves: Halves, table: TableName, item: Item) -> None:
    """Old code may rely on what it enforces or makes quick."""
    _without_option(halves, table, item)
    halves.contract_up.append(drop(table, item))
    halves.contract_down.append(halves.restored(table, item))


def _without_option(halves: Halves, table: TableName, before: Item) -> None:
    if (option := unsupported_option(before)) is not None:
        halves.review.append(f"{table}: {option}; downgrade creates it without this option.")


def _exchange(helper: str, table: TableName, name: str) -> Source:
    return call(helper, table.name, (name,), table=table)


def _replace(halves: Halves, table: TableName, before: Item, after: Item) -> None:
    """The new one beside the old one, under its name where both have one name, and then the old one gone."""
    name, old = item_name(table, after), item_name(table, before)
    copy = copy_name(name)
    _without_option(halves, table, before)
    halves.review.append(f"{table}: {name} is redefined; rows that violate the new definition stop the contract step.")
    if name != old:
        halves.contract_up += [create(table, after), drop(table, before)]
        halves.contract_down += [halves.restored(table, before), drop(table, after)]
        return
    begun = call_text("exists", table.name, former_name(name), table=table)
    halves.contract_up += [
        under(f"not {begun}", [create(table, after, copy), _exchange("take_names", table, name)]),
        drop(table, before, former_name(name)),
    ]
    halves.contract_down += [
        halves.restored(table, before, former_name(name)),
        _exchange("give_names_back", table, name),
        drop(table, after, copy),
    ]
