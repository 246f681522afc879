"""Whether rows would lose something of their values by a new type of their column.

The server is asked to convert the values: into a temporary table, to the new type and back again, errors ignored. What
does not come back as it went would be lost. So rounding, cut texts, members of an enumeration that go, letters that a
character set lacks, dates without a time and all else are found by the same code of the server's that ALTER TABLE uses.
A few conversions come back the same although they change what a value means; those have conditions of their own.
"""

from __future__ import annotations

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.mariadb.catalog import TableTraits
from framework_m_migrations.adapters.sql.dialects.mariadb.text import CHECK, TYPE, ColumnDefinition, quoted
from framework_m_migrations.adapters.sql.dialects.mariadb.types import ParsedType, parse_type, type_change
from framework_m_migrations.adapters.sql.trial import TRIAL
from framework_m_migrations.domain.risk.facts import TypeChange
from framework_m_migrations.domain.schema import Column, ColumnType, Table

_LOSSLESS = frozenset({TypeChange.EQUAL, TypeChange.WIDENING, TypeChange.REWRITE})
_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "year", "bit"})
_FLOATS = frozenset({"float", "double"})
_NUMBERS = _INTEGERS | _FLOATS | {"decimal"}
_TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "json"})
_BINARIES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
_MEMBERS = frozenset({"enum", "set"})
_DAYS = frozenset({"date", "datetime", "timestamp"})
_MOMENTS = frozenset({"datetime", "timestamp", "time"})
PROBE = {"no_parameters": True, "m_migrate_probe": True}
"""Options of statements that leave nothing behind, whatever they are called."""


def lost_rows(
    connection: sa.Connection,
    table: str,
    found: Table,
    column: ColumnDefinition,
    name: str,
    to: str,
    *,
    clocked: bool = False,
) -> int:
    """How many rows hold values that a type cannot hold exactly; 0 without a look where the types alone say so.

    Args:
        connection: a transaction of the caller's is left as it was.
        table: quoted.
        found: the table as the inspector reads it.
        column: the column's definition as the server prints it.
        name: of the column.
        to: the new type as DDL writes it.
        clocked: the server's clock writes the column (ON UPDATE); what it wrote has as many digits as the column.

    Raises:
        sqlalchemy.exc.DBAPIError: the server cannot convert between the types at all.
    """
    is_json = "json_valid(" in column.clauses.get(CHECK, "").lower()
    before, after = parse_type("json" if is_json else column.clauses[TYPE]), parse_type(to)
    if type_change(_known(found, name, before), after.column_type()) in _LOSSLESS:
        return 0
    if clocked and before.base == after.base and before.base in _MOMENTS:
        return 0
    kept = _kept(before, column.clauses[TYPE], _known(found, name, before))
    new = "longtext character set utf8mb4" if after.base == "json" else to
    traits = found.native
    collation = f" COLLATE={traits.collation}" if isinstance(traits, TableTraits) and traits.collation else ""
    old = quoted(name)

    def sent(sql: str) -> None:
        connection.exec_driver_sql(sql, execution_options=PROBE).close()

    sent(f"CREATE OR REPLACE TEMPORARY TABLE {TRIAL} (o {kept} NULL, n {new} NULL, b {kept} NULL){collation}")
    try:
        sent(f"INSERT IGNORE INTO {TRIAL} (o, n) SELECT {old}, {old} FROM {table} WHERE {old} IS NOT NULL")  # noqa: S608 - quoted
        sent(f"UPDATE IGNORE {TRIAL} SET b = n")  # noqa: S608 - no input
        count = f"SELECT COUNT(*) FROM {TRIAL} WHERE NOT COALESCE({_same(before, after)}, FALSE)"  # noqa: S608 - no input
        return int(connection.exec_driver_sql(count, execution_options=PROBE).scalar_one())
    finally:
        if not connection.invalidated:
            sent(f"DROP TEMPORARY TABLE IF EXISTS {TRIAL}")


def null_rows(connection: sa.Connection, table: str, name: str) -> int:
    """How many rows hold NULL in a column."""
    sql = f"SELECT COUNT(*) FROM {table} WHERE {quoted(name)} IS NULL"  # noqa: S608 - quoted
    return int(connection.exec_driver_sql(sql, execution_options=PROBE).scalar_one())


def _known(found: Table, name: str, before: ParsedType) -> ColumnType:
    column: Column | None = next((one for one in found.columns if one.name.lower() == name.lower()), None)
    return before.column_type() if column is None else column.type


def _kept(before: ParsedType, printed: str, known: ColumnType) -> str:
    """A type that holds every value of the former one, and every text that comes back."""
    if before.base in _TEXTS:
        charset = (known.collation or "utf8mb4_bin").partition("_")[0]
        return f"longtext character set {charset}"
    return "longblob" if before.base in _BINARIES else printed


def _same(before: ParsedType, after: ParsedType) -> str:
    """What is true of a row of the trial whose value is kept."""
    old, new = before.base, after.base
    words = _TEXTS | _BINARIES
    if new == "json":
        return f"JSON_VALID(n) AND {_equal('b', 'o')}"
    if new == "uuid":
        bare = "REPLACE(LOWER(o), '-', '') = REPLACE(CAST(n AS CHAR), '-', '')"
        return bare if old in _TEXTS else _equal("b", "o") if old in _BINARIES else "FALSE"
    if "time" in {old, new} and {old, new} & (_DAYS | _NUMBERS):
        # The server would add the day of the conversion, or take the digits for hours, minutes and seconds.
        return "FALSE"
    if {old, new} & _FLOATS and {old, new} & _DAYS:
        # The digits of a day, which the server would take, are no number that is known approximately.
        return "FALSE"
    conditions = []
    if old in _NUMBERS:
        conditions.append("b = o")
    elif old in _TEXTS and new in _NUMBERS | _MOMENTS:
        # Zeros at the end of a fraction mean nothing; a day without a time begins at midnight.
        midnight = f"CONCAT(o, ' 00:00:00') = {_shortened('b')}" if new in _DAYS else "FALSE"
        conditions.append(f"({_equal(_shortened('b'), _shortened('o'))} OR {midnight})")
    else:
        conditions.append(_equal("b", "o"))
    if new == "enum":
        # What is no member has the number zero.
        conditions.append("n + 0 > 0")
    if old not in words and new in words and not (old == "uuid" and after.bare == "binary(16)"):
        # What is cut may come back whole: as a date, 0000- is the same as 0000-00-00.
        conditions.append(_equal("CONVERT(n USING utf8mb4)", "CONVERT(CAST(o AS CHAR) USING utf8mb4)"))
    if (old in _MEMBERS) != (new in _MEMBERS) and not {old, new} & words:
        # The server takes the number of a member for its value.
        conditions.append(_equal(_shortened("CAST(n AS CHAR)"), _shortened("CAST(o AS CHAR)")))
    if "bit" in {old, new} and {old, new} & (words | _MEMBERS):
        # The server takes the bits for a letter.
        conditions.append("FALSE")
    if old in _INTEGERS | {"decimal"} and new in _NUMBERS:
        # What is too large comes back as it went, because the largest number stands for it.
        scale = before.scale or 0
        conditions.append(f"CAST(ROUND(n, {scale}) AS DECIMAL(65, {scale})) = o")
    if (old in _DAYS and new in _NUMBERS) or (old in _NUMBERS and new in _DAYS):
        # Zero is no day, and 127 none either, which the server takes for the 27th of January 2000.
        conditions.append("n + 0 = o + 0 AND o + 0 <> 0")
    return " AND ".join(conditions)


def _equal(one: str, other: str) -> str:
    return f"CAST({one} AS BINARY) = CAST({other} AS BINARY)"


def _shortened(text: str) -> str:
    return f"IF({text} LIKE '%.%', TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {text})), {text})"
