"""Columns and tables in two phases: what the online form of a revision does for them."""

from __future__ import annotations

from dataclasses import replace

from framework_m_migrations.adapters.sql.dialects.postgresql.conversions import conversion
from framework_m_migrations.adapters.sql.dialects.postgresql.expressions import is_volatile
from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import written
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import qualified
from framework_m_migrations.adapters.sql.render import generated_sql
from framework_m_migrations.adapters.sql.versions import online_source as source
from framework_m_migrations.adapters.sql.versions.online_source import Halves, Item, call
from framework_m_migrations.adapters.sql.versions.pieces import Source
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.lowering import is_required
from framework_m_migrations.domain.online_forms import standing_on
from framework_m_migrations.domain.renames import copy_name, former_name, in_text, on_columns
from framework_m_migrations.domain.schema import Check, Column, Index, Table, TableName, Unique


def rename_table(halves: Halves, change: c.TableRenamed) -> None:
    """The table under its new name, a view under the old one, then no view."""
    old, new, schema = change.before.name, change.table.name, change.table
    halves.review.append(
        f"{old} stays as a view until the contract step: code that sends TRUNCATE, COPY or LOCK TABLE needs {new}."
    )
    names = source.mapping(dict(change.constraints)) if change.constraints else None
    halves.expand_up.append(call("start_table_rename", old, new, constraints=names, table=schema))
    halves.expand_down.append(call("undo_table_rename", old, new, constraints=names, table=schema))
    halves.contract_up.append(call("finish_table_rename", old, new, table=schema))
    halves.contract_down.append(call("restore_table_rename", old, new, table=schema))


def rename_column(halves: Halves, change: c.ColumnRenamed, wanted: Table, actual: Table) -> None:
    """A second column kept equal, with what stands on the first; then the first one gone."""
    table, before, after = change.table, change.before, replace(change.column, type=change.before.type)
    pairs = [(item, _moved(item, before.name, after.name)) for item in standing_on(actual, before.name)]
    copies = [_as_wanted(new, wanted) for _, new in pairs]
    taken = _names(table, actual)
    clash = [name for name in (source.item_name(table, new) for new in copies) if name in taken]
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
    halves.expand_up.extend(_copies(table, copies, clash))
    if clash:
        halves.expand_up.append(call("take_names", table.name, clash, table=table))
    halves.expand_down.insert(0, call("undo_rename", table.name, before.name, after.name, take=clash, table=table))
    halves.contract_up.extend(source.drop(table, old, _former(table, old, clash)) for old, _ in reversed(pairs))
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
    halves.contract_down.extend(source.create(table, old, _former(table, old, clash)) for old, _ in pairs)


def moved_names(change: c.ColumnRenamed, wanted: Table | None, actual: Table) -> list[str]:
    """What stands on a renamed column, under its new names."""
    items = standing_on(actual, change.before.name)
    moved = [_moved(item, change.before.name, change.column.name) for item in items]
    return [source.item_name(change.table, item if wanted is None else _as_wanted(item, wanted)) for item in moved]


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
    names = [source.item_name(table, item) for item, _ in items]
    work = [] if before.nullable else [call("set_not_null", table.name, copy, table=table)]
    work += [source.create(table, new, copy_name(source.item_name(table, old))) for old, new in items]
    work.append(
        call(
            "swap_conversion",
            table.name,
            name,
            using=using,
            back=back,
            default=_default(after) if before.default is not None or after.default is not None else None,
            take=names,
            table=table,
        )
    )
    begun = source.call_text(
        "start_conversion", table.name, name, after.type.spelling, using=using, loses=loses, table=table
    )
    halves.expand_up.append(source.under(begun, work))
    halves.first_down.append(call("require_unswappable", table.name, name, table=table))
    halves.expand_down.append(
        call(
            "unswap_conversion",
            table.name,
            name,
            default=before.default,
            nullable=before.nullable,
            take=names,
            table=table,
        )
    )
    halves.contract_up.extend(
        source.drop(table, item, former_name(source.item_name(table, item))) for item, _ in reversed(items)
    )
    halves.contract_up.append(call("finish_conversion", table.name, name, table=table))
    halves.contract_down.append(
        call("restore_conversion", table.name, name, before.type.spelling, using=using, back=back, table=table)
    )
    former = former_name(name)
    halves.contract_down.extend(
        source.create(table, _moved(item, name, former), former_name(source.item_name(table, item)))
        for item, _ in items
    )


def drop_column(halves: Halves, change: c.ColumnRemoved, actual: Table) -> None:
    """NOT NULL first, so that new code may leave the column out; then what stands on it, then the column."""
    table, column = change.table, change.column
    place, name = qualified(table, None), written(column.name)
    halves.review.append(f"Data: {table}.{column.name} is dropped with its values; downgrade brings back the column.")
    if is_required(column):
        halves.expand_up.append(call("drop_not_null", table.name, column.name, table=table))
        halves.review.append(f"NOT NULL: downgrade leaves {table}.{column.name} nullable; new code wrote no values.")
    items = standing_on(actual, column.name)
    halves.contract_up.extend(source.drop(table, item) for item in reversed(items))
    halves.contract_up.append(call("execute", f"ALTER TABLE {place} DROP COLUMN IF EXISTS {name}"))
    default = "" if column.default is None else f" DEFAULT {column.default_text}"
    if column.generated is not None and column.generated.kind != "serial":
        default = f" {generated_sql(column.generated)}"
    again = f"ALTER TABLE {place} ADD COLUMN IF NOT EXISTS {name} {column.type.spelling}{default}"
    halves.contract_down.append(call("execute", again))
    halves.contract_down.extend(source.create(table, item) for item in items)


def require_column(halves: Halves, table: TableName, column: Column) -> None:
    """NOT NULL, once no code runs that may still write NULL; rows get a value before and after."""
    name, fill = written(column.name), _default(column)
    if fill is None:
        halves.review.append(f"Data migration: rows need a value for {table}.{column.name} before NOT NULL.")
        example = f'online.backfill("{table.name}", {{"{column.name}": "..."}}, where="{column.name} IS NULL")'
        words = (f"REVIEW: give the rows that exist a value for {column.name} here:", example)
        halves.expand_up.append(Source(comments=words))
    else:
        halves.review.append(f"Data migration: rows get {fill} for {table}.{column.name}; is it right for all?")
        values = source.mapping({column.name: fill})
        halves.expand_up.append(call("backfill", table.name, values, where=f"{name} IS NULL", table=table))
    halves.contract_up.append(call("set_not_null", table.name, column.name, fill=fill, table=table))
    halves.contract_down.append(call("drop_not_null", table.name, column.name, table=table))


def add_column(halves: Halves, table: TableName, column: Column) -> None:
    """In stages: nullable and without a default, which would be evaluated for each row under a lock."""
    place, name = qualified(table, None), written(column.name)
    added = [f"ALTER TABLE {place} ADD COLUMN IF NOT EXISTS {name} {column.type.spelling}"]
    if column.default is not None:
        added.append(f"ALTER TABLE {place} ALTER COLUMN {name} SET DEFAULT {column.default_text}")
    halves.expand_up.append(call("execute", *added))
    halves.expand_down.append(call("execute", f"ALTER TABLE {place} DROP COLUMN IF EXISTS {name}"))
    if column.default is None:
        require_column(halves, table, column)
        return
    values = source.mapping({column.name: column.default})
    halves.expand_up.append(call("backfill", table.name, values, where=f"{name} IS NULL", table=table))
    if not column.nullable:
        # Old code leaves the column out and so gets the default: nothing has to wait.
        halves.expand_up.append(call("set_not_null", table.name, column.name, fill=column.default, table=table))


def change_default(halves: Halves, change: c.ColumnDefaultChanged) -> None:
    """Old code may rely on the former default."""
    altered = f"ALTER TABLE {qualified(change.table, None)} ALTER COLUMN {written(change.column.name)}"

    def to(default: str | None) -> Source:
        return call("execute", f"{altered} DROP DEFAULT" if default is None else f"{altered} SET DEFAULT {default}")

    halves.contract_up.append(to(change.column.default_text))
    halves.contract_down.append(to(change.before.default_text))


def _cast(before: Column, after: Column) -> tuple[str, str | None]:
    """The value of one column as the other, by the writer's rules, and a condition for values that would be lost."""
    name = written(before.name)
    found = conversion(before.type, after.type, name, schema=None, version=())
    through = "::text" if before.type.enum is not None or after.type.enum is not None else ""
    plain = f"{name}{through}::{after.type.spelling}"
    return (plain, None) if found is None else (found.using or plain, found.loses())


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


def _as_wanted(moved: Item, wanted: Table) -> Item:
    """The moved item under the name that the wanted table has for it."""
    items: tuple[Item, ...] = (*wanted.indexes, *wanted.uniques, *wanted.checks, *wanted.foreign_keys)
    for one in items:
        if type(one) is type(moved) and _shape(one) == _shape(moved):
            return _called(moved, one.name)
    return moved


def _called(item: Item, name: str | None) -> Item:
    return replace(item, name=name or item.name) if isinstance(item, Index) else replace(item, name=name)


def _shape(item: Item) -> object:
    """What tells whether two are the same but for their names."""
    return replace(item, name="") if isinstance(item, Unique) else replace(item, name="", valid=True)


def _names(table: TableName, actual: Table) -> set[str]:
    items: tuple[Item, ...] = (*actual.indexes, *actual.uniques, *actual.checks, *actual.foreign_keys)
    return {source.item_name(table, item) for item in items}


def _former(table: TableName, item: Item, clash: list[str]) -> str:
    """What an item of the old column is called after the first phase."""
    name = source.item_name(table, item)
    return former_name(name) if name in clash else name


def _copies(table: TableName, items: list[Item], clash: list[str]) -> list[Source]:
    made: list[Source] = []
    for item in items:
        name = source.item_name(table, item)
        if name not in clash:
            made.append(source.create(table, item))
            continue
        taken = source.call_text("exists", table.name, former_name(name), table=table)
        made.append(source.under(f"not {taken}", [source.create(table, item, copy_name(name))]))
    return made
