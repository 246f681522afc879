"""What stands in the way of a change: names that are taken, and what depends on a column."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import TEXTS, text
from framework_m_migrations.domain.changes import (
    Change,
    CheckAdded,
    CheckRemoved,
    ColumnRemoved,
    ColumnTypeChanged,
    ForeignKeyRemoved,
    IndexAdded,
    IndexRemoved,
    TableAdded,
    TableRemoved,
    TableRenamed,
    UniqueAdded,
    UniqueRemoved,
)
from framework_m_migrations.domain.naming import Place, standard_name
from framework_m_migrations.domain.risk.conflicts import Claim, Obstacle, rivals
from framework_m_migrations.domain.risk.drop_blockers import stands
from framework_m_migrations.domain.schema import TableName

_HOLDERS = text(
    """
WITH RECURSIVE family AS (
    SELECT w.place::bigint AS number, c.oid AS relation, w.part
    FROM ROWS FROM (pg_catalog.unnest(:schemas), pg_catalog.unnest(:tables), pg_catalog.unnest(:parts))
        WITH ORDINALITY AS w (schema, tab, part, place)
    JOIN pg_catalog.pg_namespace AS n
      ON n.nspname = COALESCE(NULLIF(w.schema, ''), NULLIF(:main, ''), pg_catalog.current_schema()::text)
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.tab::name
    UNION
    SELECT f.number, i.inhrelid, f.part
    FROM family AS f JOIN pg_catalog.pg_inherits AS i ON i.inhparent = f.relation
), target AS (
    SELECT f.number, f.relation, a.attnum
    FROM family AS f JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.relation AND a.attname = f.part::name
    WHERE NOT a.attisdropped
), holder AS (
    SELECT t.number, d.classid AS class, d.objid AS object, 0 AS sub
    FROM target AS t
    JOIN pg_catalog.pg_depend AS d ON d.refclassid = 'pg_catalog.pg_class'::regclass
     AND d.refobjid = t.relation AND d.refobjsubid = t.attnum
    WHERE d.classid IN (
        'pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_trigger'::regclass, 'pg_catalog.pg_policy'::regclass,
        'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_publication_rel'::regclass
    )
    UNION ALL
    SELECT t.number, 'pg_catalog.pg_class'::regclass, t.relation, g.adnum
    FROM target AS t
    JOIN pg_catalog.pg_depend AS d ON d.refclassid = 'pg_catalog.pg_class'::regclass
     AND d.refobjid = t.relation AND d.refobjsubid = t.attnum AND d.classid = 'pg_catalog.pg_attrdef'::regclass
    JOIN pg_catalog.pg_attrdef AS g ON g.oid = d.objid AND g.adrelid = t.relation AND g.adnum <> t.attnum
    UNION ALL
    SELECT t.number, 'pg_catalog.pg_class'::regclass, t.relation, 0
    FROM target AS t
    JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = t.relation AND t.attnum = ANY (p.partattrs::int2[])
)
SELECT DISTINCT ON (h.number) h.number,
       pg_catalog.pg_describe_object(
           CASE WHEN v.oid IS NULL THEN h.class ELSE 'pg_catalog.pg_class'::regclass END,
           COALESCE(v.oid, h.object),
           h.sub
       ),
       h.class = 'pg_catalog.pg_class'::regclass AND h.sub = 0
FROM holder AS h
LEFT JOIN pg_catalog.pg_rewrite AS w ON h.class = 'pg_catalog.pg_rewrite'::regclass AND w.oid = h.object
LEFT JOIN pg_catalog.pg_class AS v ON v.oid = w.ev_class AND w.rulename = '_RETURN'
ORDER BY h.number, 2
""",
    main=sa.Text(),
    schemas=TEXTS,
    tables=TEXTS,
    parts=TEXTS,
)


def held_types(
    connection: sa.Connection, changes: Sequence[Change], *, schema: str | None
) -> Mapping[Change, Obstacle]:
    """An obstacle for each change of type that PostgreSQL would refuse, whatever the types; one statement.

    Args:
        connection: to read through.
        changes: of which those of type matter.
        schema: of tables that name none; None for the connection's own.
    """
    asked = [change for change in changes if isinstance(change, ColumnTypeChanged)]
    if not asked:
        return {}
    given = {
        "main": schema or "",
        "schemas": [change.table.schema or "" for change in asked],
        "tables": [change.table.name for change in asked],
        "parts": [change.column.name for change in asked],
    }
    return {
        asked[number - 1]: Obstacle(f"Its values decide which partition of {what} a row is in.")
        if is_key
        else stands(f"the {what}")
        for number, what, is_key in connection.execute(_HOLDERS, given)
    }


# What stands on tables, columns, indexes and constraints that are to be dropped, by PostgreSQL's own account.
#
# The rules are those of DROP ... RESTRICT (https://www.postgresql.org/docs/current/catalog-pg-depend.html):
# what depends on an object automatically, internally or as a partition goes with it; a normal dependency from
# anything else refuses.


# "going" is what each drop takes along, by the place of the drop among all of them. A foreign key between two tables
# that both go is dropped before them where it has to be; all else must have gone with an earlier drop.
# Until PostgreSQL 14 a computed column goes with a column that it is computed of: the last part takes that for refused.
_DEPENDENTS = text(
    """
WITH RECURSIVE wanted AS (
    SELECT w.place::bigint AS number, c.oid AS relation, w.kind, w.part
    FROM ROWS FROM (
        pg_catalog.unnest(:kinds), pg_catalog.unnest(:schemas), pg_catalog.unnest(:tables), pg_catalog.unnest(:parts)
    ) WITH ORDINALITY AS w (kind, schema, tab, part, place)
    JOIN pg_catalog.pg_namespace AS n
      ON n.nspname = COALESCE(NULLIF(w.schema, ''), NULLIF(:main, ''), pg_catalog.current_schema()::text)
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.tab::name
), family AS (
    SELECT number, relation, part FROM wanted WHERE kind = 'column'
    UNION
    SELECT f.number, i.inhrelid, f.part
    FROM family AS f JOIN pg_catalog.pg_inherits AS i ON i.inhparent = f.relation
), target AS (
    SELECT number, 'pg_catalog.pg_class'::regclass::oid AS class, relation AS object, 0 AS sub, kind
    FROM wanted WHERE kind = 'table'
    UNION ALL
    SELECT f.number, 'pg_catalog.pg_class'::regclass, f.relation, a.attnum, 'column'
    FROM family AS f JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.relation AND a.attname = f.part::name
    WHERE NOT a.attisdropped
    UNION ALL
    SELECT w.number, 'pg_catalog.pg_constraint'::regclass, k.oid, 0, w.kind
    FROM wanted AS w JOIN pg_catalog.pg_constraint AS k ON k.conrelid = w.relation AND k.conname = w.part::name
    WHERE w.kind = 'constraint'
    UNION ALL
    SELECT w.number, 'pg_catalog.pg_class'::regclass, i.indexrelid, 0, w.kind
    FROM wanted AS w JOIN pg_catalog.pg_index AS i ON i.indrelid = w.relation
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid AND c.relname = w.part::name
    WHERE w.kind = 'index'
), going AS (
    SELECT number, class, object, sub, kind FROM target
    UNION
    SELECT g.number, d.classid, d.objid, d.objsubid, g.kind
    FROM going AS g
    JOIN pg_catalog.pg_depend AS d
      ON d.refclassid = g.class AND d.refobjid = g.object AND (g.sub = 0 OR d.refobjsubid = g.sub)
    WHERE d.deptype IN ('a', 'i', 'P', 'S')
), refused AS (
    SELECT g.number, g.kind, d.classid AS class, d.objid AS object, d.objsubid AS sub
    FROM going AS g
    JOIN pg_catalog.pg_depend AS d
      ON d.refclassid = g.class AND d.refobjid = g.object AND (g.sub = 0 OR d.refobjsubid = g.sub)
    WHERE d.deptype = 'n'
    UNION
    SELECT g.number, g.kind, g.class, g.object, g.sub
    FROM going AS g
    WHERE g.kind = 'column' AND g.class = 'pg_catalog.pg_class'::regclass AND g.sub > 0
      AND (g.number, g.object, g.sub) NOT IN (SELECT t.number, t.object, t.sub FROM target AS t)
)
SELECT DISTINCT ON (r.number) r.number,
       pg_catalog.pg_describe_object(
           CASE WHEN v.oid IS NULL THEN r.class ELSE 'pg_catalog.pg_class'::regclass END,
           COALESCE(v.oid, r.object),
           CASE WHEN v.oid IS NULL THEN r.sub ELSE 0 END
       )
FROM refused AS r
LEFT JOIN pg_catalog.pg_rewrite AS w ON r.class = 'pg_catalog.pg_rewrite'::regclass AND w.oid = r.object
LEFT JOIN pg_catalog.pg_class AS v ON v.oid = w.ev_class AND w.rulename = '_RETURN'
WHERE NOT EXISTS (
    SELECT FROM going AS e
    WHERE e.class = r.class AND e.object = r.object AND e.sub IN (0, r.sub)
      AND (e.number < r.number
           OR (e.number = r.number AND (r.kind <> 'column' OR r.class <> 'pg_catalog.pg_class'::regclass))
           OR (e.kind = 'table' AND r.kind = 'table' AND r.class = 'pg_catalog.pg_constraint'::regclass))
)
ORDER BY r.number, 2
""",
    main=sa.Text(),
    kinds=TEXTS,
    schemas=TEXTS,
    tables=TEXTS,
    parts=TEXTS,
)


def dependents(
    connection: sa.Connection, changes: Collection[Change], *, schema: str | None
) -> Mapping[Change, Obstacle]:
    """An obstacle for each drop that PostgreSQL would refuse without CASCADE; one statement.

    Args:
        connection: to read through.
        changes: in the order in which they would be made.
        schema: of tables that name none; None for the connection's own.
    """
    asked = [(change, kind) for change in changes if (kind := _kind(change)) is not None]
    if not asked:
        return {}
    given = {
        "main": schema or "",
        "kinds": [kind for _, (kind, _) in asked],
        "schemas": [change.table.schema or "" for change, _ in asked],
        "tables": [change.table.name for change, _ in asked],
        "parts": [part for _, (_, part) in asked],
    }
    return {asked[number - 1][0]: stands(f"the {what}") for number, what in connection.execute(_DEPENDENTS, given)}


def _kind(change: Change) -> tuple[str, str] | None:
    """What kind of thing is dropped, and its name within its table."""
    match change:
        case TableRemoved():
            return "table", ""
        case ColumnRemoved(column=column):
            return "column", column.name
        case IndexRemoved(index=index):
            return "index", index.name
        case (
            UniqueRemoved(unique=constraint)
            | CheckRemoved(check=constraint)
            | ForeignKeyRemoved(foreign_key=constraint)
        ) if constraint.name is not None:
            return "constraint", constraint.name
        case _:
            return None


# What PostgreSQL would refuse for something else: names that are taken, by another change too; types held fast.


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
        case TableAdded(table=table) | TableRenamed(table=table):
            return table.name
        case IndexAdded(index=index):
            return index.name
        case UniqueAdded(table=table, unique=unique, via_index=None):
            return unique.name or standard_name(unique, Place(table, ()))
        case UniqueAdded(unique=unique, via_index=index) if index != unique.name:
            # An index that is adopted takes the name of the constraint.
            return unique.name
        case CheckAdded(check=check) if check.exclusion:
            return check.name
        case _:
            return None


_RELATIONS = {
    "v": "view", "m": "materialised view", "S": "sequence", "f": "foreign table", "p": "partitioned table",
    "c": "composite type", "i": "index", "I": "index", "r": "table",
}  # fmt: skip
"""PostgreSQL's pg_class.relkind, in words."""


def relations(names: Collection[str], schema: str | None, *, visible: bool = False) -> sa.Select[Any]:
    """See SqlDialect: relations, and types without one, for each table has a type of its own name."""
    place: Any = sa.func.current_schema() if schema is None else schema
    space = sa.table("pg_namespace", *map(sa.column, ("oid", "nspname")), schema="pg_catalog")
    of_relations = ("oid", "relname", "relnamespace", "relkind")
    relation = sa.table("pg_class", *map(sa.column, of_relations), schema="pg_catalog")
    of_types = ("typname", "typnamespace", "typtype", "typrelid", "typelem")
    of_type = sa.table("pg_type", *map(sa.column, of_types), schema="pg_catalog")
    home: Any = sa.select(space.c.oid).where(space.c.nspname == place).scalar_subquery()
    if visible and schema is None:
        first = relation.alias()
        seen = sa.select(sa.func.min(first.c.relnamespace)).where(
            first.c.relname.in_(names), sa.func.pg_catalog.pg_table_is_visible(first.c.oid)
        )
        home = sa.func.coalesce(seen.scalar_subquery(), home)
    word = sa.case(_RELATIONS, value=sa.cast(relation.c.relkind, sa.Text), else_="relation")
    relations = sa.select(sa.cast(relation.c.relname, sa.Text).label("name"), word.label("kind")).where(
        relation.c.relname.in_(names), relation.c.relnamespace == home
    )
    # The server gives the type of an array another name where one is needed.
    own = sa.or_(of_type.c.typtype != "b", of_type.c.typelem == 0)
    a_type: sa.ColumnElement[str] = sa.literal_column("'type'")
    types = sa.select(sa.cast(of_type.c.typname, sa.Text), a_type).where(
        of_type.c.typname.in_(names), of_type.c.typnamespace == home, of_type.c.typrelid == 0, own
    )
    both = sa.union_all(relations, types).subquery()
    return sa.select(both.c.name, both.c.kind)


def relation_sql(name: str, schema: str | None = None) -> str:
    """The query for one name as a text, for statements that are sent as they are."""
    dialect = sa.make_url("postgresql://").get_dialect()()
    return str(relations([name], schema).compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
