"""Which rights the session's account lacks, and the GRANT that gives each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from framework_m_migrations.adapters.mariadb.tokens import quoted
from framework_m_migrations.adapters.sql.ledger_tables import LEDGER_TABLES
from framework_m_migrations.domain.privileges import Needs
from framework_m_migrations.domain.schema import TableName

_ROWS = ("SELECT", "INSERT", "UPDATE", "DELETE")
_EVERYTHING = (*_ROWS, "CREATE", "ALTER", "INDEX", "REFERENCES", "CREATE TEMPORARY TABLES")
_CHANGES = frozenset({"CREATE", "ALTER"})
# The account itself, the roles that are enabled, and what everybody has (from MariaDB 10.11 on).
_WHO = """
SELECT CONCAT("'", SUBSTRING_INDEX(CURRENT_USER(), '@', 1), "'@'", SUBSTRING_INDEX(CURRENT_USER(), '@', -1), "'")
UNION SELECT CONCAT("'", r.ROLE_NAME, "'@''") FROM information_schema.ENABLED_ROLES r WHERE r.ROLE_NAME IS NOT NULL
UNION SELECT "'PUBLIC'@''"
"""
_GRANTED = f"""
SELECT '%', NULL, u.PRIVILEGE_TYPE, DATABASE(), CURRENT_USER()
FROM information_schema.USER_PRIVILEGES u WHERE u.GRANTEE IN ({_WHO})
UNION ALL SELECT s.TABLE_SCHEMA, NULL, s.PRIVILEGE_TYPE, DATABASE(), CURRENT_USER()
FROM information_schema.SCHEMA_PRIVILEGES s WHERE s.GRANTEE IN ({_WHO})
UNION ALL SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.PRIVILEGE_TYPE, DATABASE(), CURRENT_USER()
FROM information_schema.TABLE_PRIVILEGES t WHERE t.GRANTEE IN ({_WHO})
"""  # noqa: S608 - written here alone


@dataclass(frozen=True, slots=True)
class _Grant:
    """A right on the schemas that fit a pattern of LIKE, or on one table of one schema."""

    schema: str
    table: str | None
    right: str

    def covers(self, right: str, schema: str, table: str | None) -> bool:
        """Whether it gives ``right`` on a table, or, where that is None, on all of a schema."""
        if self.right != right:
            return False
        if self.table is not None:
            return (self.schema, self.table) == (schema, table)
        return re.fullmatch(_pattern(self.schema), schema, re.IGNORECASE) is not None


def missing_privileges(connection: sa.Connection, *, schema: str | None, needed: Needs | None) -> tuple[str, ...]:
    """See Inspector.missing_privileges. One statement."""
    rows = connection.exec_driver_sql(_GRANTED, execution_options={"no_parameters": True}).all()
    if not rows:
        return ()  # The account may not even see its own rights; the first statement will tell.
    here = schema or str(rows[0][3] or "")
    account = "@".join(quoted(part) for part in str(rows[0][4]).rsplit("@", 1))
    grants = [_Grant(str(row[0]), None if row[1] is None else str(row[1]), str(row[2]).upper()) for row in rows]
    if needed is not None and needed.unknown:
        if any(grant.right in _CHANGES for grant in grants):
            return ()
        return (_sentence("CREATE", here, None, account),)
    wanted = dict.fromkeys(_wanted(needed, here))
    return tuple(
        _sentence(right, where, table, account)
        for right, where, table in wanted
        if not any(grant.covers(right, where, table) for grant in grants)
    )


def _wanted(needed: Needs | None, here: str) -> Iterator[tuple[str, str, str | None]]:
    """(right, schema, table or None for all of the schema)."""
    if needed is None:
        for right in _EVERYTHING:
            yield right, here, None
        return
    for table in sorted(LEDGER_TABLES):
        for right in _ROWS:
            yield right, here, table
    for where in sorted(name or here for name in needed.creates_in):
        yield "CREATE", where, None
    for name in sorted(needed.alters, key=str):
        yield "ALTER", name.schema or here, name.name
    for name in sorted(needed.refers_to, key=str):
        yield "REFERENCES", name.schema or here, name.name


def _sentence(right: str, schema: str, table: str | None, account: str) -> str:
    place = f"{quoted(schema)}.{'*' if table is None else quoted(table)}"
    subject = f"the database {schema}" if table is None else f"the table {TableName(table, schema)}"
    return f"The account lacks the right {right} on {subject}: GRANT {right} ON {place} TO {account};"


def _pattern(like: str) -> str:
    """A pattern of LIKE as a regular expression."""
    words = {"%": ".*", "_": "."}
    pieces = re.findall(r"\\.|.", like, re.DOTALL)
    return "".join(words.get(piece) or re.escape(piece[-1]) for piece in pieces)
