"""What holds the type of a column fast: PostgreSQL changes no type under a view, a computed column or a trigger.

The list is that of ``RememberAllDependentForRebuilding`` in the server's tablecmds.c: indexes, constraints and
statistics are built again, the column's own default is cast, everything else is refused. No key of partitions may
change its type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.queries import TEXTS, text
from framework_m_migrations.domain.changes import Change, ColumnTypeChanged
from framework_m_migrations.domain.dependents import stands
from framework_m_migrations.domain.obstacles import Obstacle

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
