"""The statements that read information_schema: five of them, however many tables there are.

Each is bound to schemas by constants, so that the server opens the definitions of those alone.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

_TABLES = """
SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_COLLATION, t.TABLE_COMMENT, t.ENGINE, t.CREATE_OPTIONS,
       DATABASE(), @@lower_case_table_names
FROM information_schema.TABLES t
WHERE t.TABLE_SCHEMA IN {schemas} AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, DATABASE(), @@lower_case_table_names
"""
_COLUMNS = """
SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME, c.COLUMN_TYPE, c.IS_NULLABLE, c.COLUMN_DEFAULT, c.EXTRA,
       c.COLLATION_NAME, c.GENERATION_EXPRESSION, c.COLUMN_COMMENT
FROM information_schema.COLUMNS c
WHERE c.TABLE_SCHEMA IN {schemas} {named} ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.ORDINAL_POSITION
"""
_INDEXES = """
SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.INDEX_NAME, c.NON_UNIQUE, c.COLUMN_NAME, c.COLLATION, c.SUB_PART, c.INDEX_TYPE
FROM information_schema.STATISTICS c
WHERE c.TABLE_SCHEMA IN {schemas} {named} ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.INDEX_NAME, c.SEQ_IN_INDEX
"""
_FOREIGN_KEYS = """
SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.CONSTRAINT_NAME, c.COLUMN_NAME, c.REFERENCED_TABLE_SCHEMA,
       c.REFERENCED_TABLE_NAME, c.REFERENCED_COLUMN_NAME, r.DELETE_RULE, r.UPDATE_RULE
FROM information_schema.KEY_COLUMN_USAGE c
JOIN information_schema.REFERENTIAL_CONSTRAINTS r
  ON r.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND r.TABLE_NAME = c.TABLE_NAME
 AND r.CONSTRAINT_NAME = c.CONSTRAINT_NAME
WHERE c.TABLE_SCHEMA IN {schemas} AND r.CONSTRAINT_SCHEMA IN {schemas} {named}
  AND c.REFERENCED_TABLE_NAME IS NOT NULL
ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.CONSTRAINT_NAME, c.ORDINAL_POSITION
"""
_CHECKS = """
SELECT c.CONSTRAINT_SCHEMA, c.TABLE_NAME, c.CONSTRAINT_NAME, c.LEVEL, c.CHECK_CLAUSE
FROM information_schema.CHECK_CONSTRAINTS c
WHERE c.CONSTRAINT_SCHEMA IN {schemas} {named} ORDER BY c.CONSTRAINT_SCHEMA, c.TABLE_NAME, c.CONSTRAINT_NAME
"""
DETAILS = (_COLUMNS, _INDEXES, _FOREIGN_KEYS, _CHECKS)


def tables(schemas: Collection[str | None]) -> sa.Executable:
    """All ordinary tables of the schemas; None stands for the connection's own. The last row tells of the server."""
    names, parameters = _schemas(schemas)
    return sa.text(_TABLES.format(schemas=names)).bindparams(**parameters)


def details(schemas: Collection[str | None], named: Collection[str] | None) -> list[sa.Executable]:
    """Columns, indexes, foreign keys and checks, of the tables of these names or of all."""
    names, parameters = _schemas(schemas)
    condition = "" if named is None else "AND c.TABLE_NAME IN :named"
    found: list[sa.Executable] = []
    for template in DETAILS:
        statement = sa.text(template.format(schemas=names, named=condition)).bindparams(**parameters)
        if named is not None:
            statement = statement.bindparams(sa.bindparam("named", sorted(named), expanding=True))
        found.append(statement)
    return found


def _schemas(schemas: Collection[str | None]) -> tuple[str, dict[str, Any]]:
    parameters = {f"schema_{place}": name for place, name in enumerate(sorted(name for name in schemas if name))}
    own = ["DATABASE()"] if None in schemas else []
    return f"({', '.join([*own, *(f':{name}' for name in parameters)])})", parameters
