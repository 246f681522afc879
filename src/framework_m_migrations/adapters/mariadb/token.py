"""One short text that changes with every DDL statement: a digest of what information_schema tells."""

# ruff: noqa: S608 - names of columns are written here, names of tables are bound

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

# Each row becomes a number of 64 bits; their exclusive or needs no order and no memory.
_PARTS = (
    (
        "TABLES",
        "TABLE_SCHEMA",
        ("TABLE_SCHEMA", "TABLE_NAME", "TABLE_TYPE", "ENGINE", "TABLE_COLLATION", "TABLE_COMMENT"),
    ),
    (
        "COLUMNS",
        "TABLE_SCHEMA",
        (
            *("TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME", "ORDINAL_POSITION", "COLUMN_DEFAULT", "IS_NULLABLE"),
            *("COLUMN_TYPE", "COLLATION_NAME", "EXTRA", "GENERATION_EXPRESSION", "COLUMN_COMMENT"),
        ),
    ),
    (
        "STATISTICS",
        "TABLE_SCHEMA",
        (
            *("TABLE_SCHEMA", "TABLE_NAME", "INDEX_NAME", "SEQ_IN_INDEX", "NON_UNIQUE", "COLUMN_NAME", "COLLATION"),
            *("SUB_PART", "INDEX_TYPE"),
        ),
    ),
    (
        "KEY_COLUMN_USAGE",
        "TABLE_SCHEMA",
        (
            *("TABLE_SCHEMA", "TABLE_NAME", "CONSTRAINT_NAME", "COLUMN_NAME", "ORDINAL_POSITION"),
            *("REFERENCED_TABLE_SCHEMA", "REFERENCED_TABLE_NAME", "REFERENCED_COLUMN_NAME"),
        ),
    ),
    (
        "REFERENTIAL_CONSTRAINTS",
        "CONSTRAINT_SCHEMA",
        ("CONSTRAINT_SCHEMA", "TABLE_NAME", "CONSTRAINT_NAME", "UPDATE_RULE", "DELETE_RULE"),
    ),
    (
        "CHECK_CONSTRAINTS",
        "CONSTRAINT_SCHEMA",
        ("CONSTRAINT_SCHEMA", "TABLE_NAME", "CONSTRAINT_NAME", "LEVEL", "CHECK_CLAUSE"),
    ),
)


def catalog_token(
    connection: sa.Connection, *, schema: str | None, also: Collection[str], ignored: Collection[str]
) -> str | None:
    """The token of the session's schema and those looked at beside it; tables named in ``ignored`` do not count."""
    parameters: dict[str, object] = {f"schema_{place}": name for place, name in enumerate(sorted(also))}
    main = "DATABASE()"
    if schema is not None:
        main, parameters["main"] = ":main", schema
    schemas = ", ".join([main, *(f":schema_{place}" for place in range(len(also)))])
    conditions = f"IN ({schemas})"
    left_out = f"NOT (x.{{0}} = {main} AND x.TABLE_NAME IN :ignored)"
    parts = ", ".join(
        _part(table, column, names, conditions, left_out.format(column)) for table, column, names in _PARTS
    )
    statement = sa.text(f"SELECT SHA1(CONCAT_WS('-', {main}, {parts}))")
    statement = statement.bindparams(sa.bindparam("ignored", sorted(ignored) or [""], expanding=True), **parameters)
    value = connection.execute(statement).scalar_one()
    return None if value is None else (value.decode() if isinstance(value, bytes) else str(value))


def _part(table: str, schema: str, columns: Collection[str], conditions: str, left_out: str) -> str:
    row = ", ".join(f"QUOTE(x.{column})" for column in columns)
    number = f"CAST(CONV(LEFT(MD5(CONCAT_WS(',', {row})), 16), 16, 10) AS UNSIGNED)"
    return (
        f"(SELECT CONCAT(COUNT(*), '.', BIT_XOR({number})) FROM information_schema.{table} x"
        f" WHERE x.{schema} {conditions} AND {left_out})"
    )
