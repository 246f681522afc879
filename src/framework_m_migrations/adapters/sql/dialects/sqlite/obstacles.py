"""What stands in the way of changes that would be safe else: names, triggers, conflict clauses."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.driver import executor
from framework_m_migrations.adapters.sql.dialects.sqlite.short_rows import firing_trigger
from framework_m_migrations.adapters.sql.dialects.sqlite.tokens import lower, quoted
from framework_m_migrations.domain.changes import (
    Change,
    ColumnDefaultChanged,
    ColumnNullabilityChanged,
    IndexAdded,
    TableAdded,
    UniqueAdded,
)
from framework_m_migrations.domain.naming import Place, standard_name
from framework_m_migrations.domain.obstacles import Claim, Obstacle, rivals
from framework_m_migrations.domain.schema import TableName


def obstacles(connection: sa.Connection, changes: Sequence[Change], *, schema: str) -> Mapping[Change, Obstacle]:
    """An obstacle for each change that SQLite would refuse, or would not do as it is meant.

    Args:
        connection: to read through.
        changes: what is planned.
        schema: of tables that name none.
    """
    found: dict[Change, Obstacle] = {}
    names: dict[Change, tuple[str, str]] = {}
    for change in changes:
        place = change.table.schema or schema
        match change:
            case UniqueAdded(unique=unique) if (word := dict(unique.options).get("on_conflict")) is not None:
                why = f"ON CONFLICT {word} holds in a constraint only that CREATE TABLE makes."
                found[change] = Obstacle(why, by_copy=True)
            case UniqueAdded(table=table, unique=unique):
                names[change] = (place, unique.name or standard_name(unique, Place(table, ())))
            case IndexAdded(index=index):
                names[change] = (place, index.name)
            case TableAdded(table=table):
                names[change] = (place, table.name)
            case ColumnNullabilityChanged(column=column) if (word := _conflict(column.native)) is not None:
                found[change] = Obstacle(
                    f"NOT NULL ON CONFLICT {word} can be given by CREATE TABLE only.", by_copy=True
                )
            case ColumnDefaultChanged(table=table, before=before, column=column):
                trigger = firing_trigger(table, column.name, before.default, connection, schema=place)
                if trigger is not None:
                    why = f"Rows that have the default must be written again: the trigger {trigger} would fire."
                    found[change] = Obstacle(why, by_copy=True)
            case _:
                pass
    found.update(rivals(Claim(one, name, (lower(where), lower(name))) for one, (where, name) in names.items()))
    for place in {place for place, _ in names.values()}:
        held = _holders(connection, place, [name for where, name in names.values() if where == place])
        for change, (where, name) in names.items():
            if where == place and lower(name) in held:
                type_, holder = held[lower(name)]
                if type_ == "table" and isinstance(change, TableAdded):
                    # The table itself, in another case of letters: what is meant is for its owner to say.
                    continue
                what = f"an index of table {holder}" if type_ == "index" else f"the {type_} {holder}"
                index_of = TableName(holder, change.table.schema) if type_ == "index" else None
                found[change] = Obstacle(f"The name {name} is taken by {what}.", index_of)
    return found


def _holders(connection: sa.Connection, schema: str, names: Collection[str]) -> dict[str, tuple[str, str]]:
    """The kind and the table of what has one of the names, by its name in lower case.

    Indexes share names with tables and views, whatever their case.
    """
    rows = executor(connection)(
        f"SELECT type, name, tbl_name FROM {quoted(schema)}.sqlite_master"  # noqa: S608
        " WHERE type <> 'trigger' AND lower(name) IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted({lower(name) for name in names})),),
    )
    return {lower(name): (str(type_), str(table)) for type_, name, table in rows}


def _conflict(native: object) -> str | None:
    """The conflict clause that a declared column gives its NOT NULL, where it is not the default one."""
    if not isinstance(native, sa.Column) or native.nullable or not native.dialect_kwargs:
        return None
    word = native.dialect_options["sqlite"].get("on_conflict_not_null")
    return None if word is None or str(word).upper() == "ABORT" else str(word).upper()
