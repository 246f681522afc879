"""What only a revision does to a memory database: renames, values for rows, another generation, no enumeration."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.renames import in_text, on_columns
from framework_m_migrations.domain.schema import Table
from tests.fakes.memory import rules
from tests.fakes.memory.expressions import OPAQUE, constant
from tests.fakes.memory.state import MemoryState
from tests.fakes.memory.types import coerce


def revise(state: MemoryState, operation: o.RevisionOperation) -> None:
    """Carry out one operation on ``state``; raises DatabaseError where its objects do not allow it."""
    match operation:
        case o.RenameTable(before=before, table=after):
            table = rules.need_table(state, before)
            state.tables.pop(before)
            state.tables[after] = replace(table, name=after)
            state.rows[after] = state.rows.pop(before, ())
            for name, other in state.tables.items():
                keys = tuple(replace(key, target=after) if key.target == before else key for key in other.foreign_keys)
                state.tables[name] = replace(other, foreign_keys=keys)
        case o.RenameColumn():
            _rename_column(state, operation)
        case o.SetGenerated(column=column):
            table = rules.need_table(state, operation.table)
            rules.need_columns(table, [column.name])
            _put(state, table, column.name, generated=column.generated, default=column.default)
        case o.Backfill(column=column, value=value):
            table = rules.need_table(state, operation.table)
            rules.need_columns(table, [column.name])
            if value is not None:
                known = constant(value)
                filled = value if known is OPAQUE else coerce(known, column.type)
                rows = state.rows.get(table.name, ())
                state.rows[table.name] = tuple(
                    {**row, column.name: filled} if row[column.name] is None else row for row in rows
                )
        case o.SetTableOptions(before=before, options=options):
            table = rules.need_table(state, operation.table)
            kept = dict(table.options).keys() - dict(before).keys()
            chosen = {name: value for name, value in table.options if name in kept} | dict(options)
            state.tables[table.name] = replace(table, options=tuple(sorted(chosen.items())))
        case o.DropEnum(enum=name):
            state.enums.pop(name, None)
        case o.SetLabels(enum=enum):
            state.enums[enum.name] = enum
        case o.AlterObject() | o.DropObject():
            pass
        case _ as unreachable:
            assert_never(unreachable)


def _put(state: MemoryState, table: Table, column: str, **values: object) -> None:
    columns = tuple(
        replace(item, **values) if item.name == column else item  # type: ignore[arg-type]
        for item in table.columns
    )
    state.tables[table.name] = replace(table, columns=columns)


def _rename_column(state: MemoryState, operation: o.RenameColumn) -> None:
    table = rules.need_table(state, operation.table)
    old, new = operation.before.name, operation.column.name
    rules.need_columns(table, [old])
    names = {old: new}

    def renamed(columns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names.get(name, name) for name in columns)

    key = table.primary_key
    state.tables[table.name] = replace(
        table,
        columns=tuple(replace(item, name=names.get(item.name, item.name)) for item in table.columns),
        primary_key=None if key is None else replace(key, columns=renamed(key.columns)),
        indexes=tuple(on_columns(index, names) for index in table.indexes),
        uniques=tuple(replace(item, columns=renamed(item.columns)) for item in table.uniques),
        checks=tuple(replace(item, expression=in_text(item.expression, names)) for item in table.checks),
        foreign_keys=tuple(replace(item, columns=renamed(item.columns)) for item in table.foreign_keys),
    )
    state.rows[table.name] = tuple(
        {names.get(name, name): value for name, value in row.items()} for row in state.rows.get(table.name, ())
    )
    for name, other in state.tables.items():
        keys = tuple(
            replace(item, target_columns=renamed(item.target_columns)) if item.target == table.name else item
            for item in other.foreign_keys
        )
        state.tables[name] = replace(other, foreign_keys=keys)
