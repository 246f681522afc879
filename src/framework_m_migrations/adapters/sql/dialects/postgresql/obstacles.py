"""What PostgreSQL would refuse for something else: names that are taken, by another change too; types held fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.held_types import held_types
from framework_m_migrations.adapters.sql.dialects.postgresql.queries import TEXTS, text
from framework_m_migrations.domain.changes import Change, IndexAdded, TableAdded, UniqueAdded
from framework_m_migrations.domain.naming import Place, standard_name
from framework_m_migrations.domain.obstacles import Claim, Obstacle, rivals
from framework_m_migrations.domain.schema import TableName

_HELD = text(
    """
SELECT w.place, w.name, n.nspname::text, w.name::name::text, c.oid IS NOT NULL, t.relname::text
FROM ROWS FROM (pg_catalog.unnest(:places), pg_catalog.unnest(:names)) AS w (place, name)
JOIN pg_catalog.pg_namespace AS n
  ON n.nspname = COALESCE(NULLIF(w.place, ''), NULLIF(:main, ''), pg_catalog.current_schema()::text)
LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name::name
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
LEFT JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
""",
    main=sa.Text(),
    places=TEXTS,
    names=TEXTS,
)


def obstacles(connection: sa.Connection, changes: Sequence[Change], *, schema: str | None) -> Mapping[Change, Obstacle]:
    """An obstacle for each change that needs a name which another has or takes first, or a type that is held fast.

    What an interrupted build left is no such relation: the constraint adopts it, once it is built again.

    Args:
        connection: to read through.
        changes: of which added tables, indexes and unique constraints matter, and columns of another type.
        schema: of tables that name none; None for the connection's own.
    """
    wanted: dict[Change, tuple[str, str]] = {}
    for change in changes:
        name = _name(change)
        if name is not None:
            wanted[change] = (change.table.schema or "", name)
    found = dict(held_types(connection, changes, schema=schema))
    if not wanted:
        return found
    pairs = sorted(set(wanted.values()))
    given = {"places": [place for place, _ in pairs], "names": [name for _, name in pairs], "main": schema or ""}
    known = {(place, name): rest for place, name, *rest in connection.execute(_HELD, given)}
    # Of a schema that is not there the server says nothing.
    found |= rivals(Claim(change, key[1], tuple(known.get(key, key)[:2])) for change, key in wanted.items())
    for change, key in wanted.items():
        *_, exists, table = known.get(key, (False, None))
        if not exists:
            continue
        if table is None:
            why = f"The name {key[1]} is taken by another object of the schema, such as a table or a view."
            found[change] = Obstacle(why)
        else:
            holder = TableName(str(table), change.table.schema)
            whose = "the table itself" if holder == change.table else f"table {holder}"
            found[change] = Obstacle(f"The name {key[1]} is taken by an index of {whose}.", holder)
    return found


def _name(change: Change) -> str | None:
    match change:
        case TableAdded(table=table):
            return table.name
        case IndexAdded(index=index):
            return index.name
        case UniqueAdded(table=table, unique=unique, via_index=None):
            return unique.name or standard_name(unique, Place(table, ()))
        case UniqueAdded(unique=unique, via_index=index) if index != unique.name:
            # An index that is adopted takes the name of the constraint.
            return unique.name
        case _:
            return None
