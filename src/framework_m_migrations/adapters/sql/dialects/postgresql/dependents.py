"""What stands on tables, columns, indexes and constraints that are to be dropped, by PostgreSQL's own account.

The rules are those of DROP ... RESTRICT (https://www.postgresql.org/docs/current/catalog-pg-depend.html): what depends
on an object automatically, internally or as a partition goes with it; a normal dependency from anything else refuses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.queries import TEXTS, text
from framework_m_migrations.domain.changes import (
    Change,
    CheckRemoved,
    ColumnRemoved,
    ForeignKeyRemoved,
    IndexRemoved,
    TableRemoved,
    UniqueRemoved,
)
from framework_m_migrations.domain.dependents import stands
from framework_m_migrations.domain.obstacles import Obstacle

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
