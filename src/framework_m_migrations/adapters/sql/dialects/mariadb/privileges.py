"""Which rights the session's account lacks, and the GRANT that gives each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.mariadb.text import quoted
from framework_m_migrations.adapters.sql.ledger import LEDGER_TABLES
from framework_m_migrations.domain.privileges import Needs
from framework_m_migrations.domain.schema import TableName

_ROWS = ("SELECT", "INSERT", "UPDATE", "DELETE")
_EVERYTHING = (*_ROWS, "CREATE", "ALTER", "INDEX", "REFERENCES", "CREATE TEMPORARY TABLES")
_CHANGES = frozenset({"CREATE", "ALTER"})
_GRANT = re.compile(
    r"GRANT (?P<rights>.+?) ON (?P<schema>\*|`(?:[^`]|``)*`)\.(?P<table>\*|`(?:[^`]|``)*`) TO ", re.DOTALL
)
_ALL = "ALL PRIVILEGES"


@dataclass(frozen=True, slots=True)
class _Grant:
    """A right on the schemas that fit a pattern of LIKE, or on one table of one schema."""

    schema: str
    table: str | None
    right: str

    def covers(self, right: str, schema: str, table: str | None) -> bool:
        """Whether it gives ``right`` on a table, or, where that is None, on all of a schema."""
        if self.right not in {right, _ALL}:
            return False
        if self.table is not None:
            return (self.schema, self.table) == (schema, table)
        return re.fullmatch(_pattern(self.schema), schema, re.IGNORECASE) is not None


def missing_privileges(connection: sa.Connection, *, schema: str | None, needed: Needs | None) -> tuple[str, ...]:
    """See Inspector.missing_privileges. Three statements at most.

    SHOW GRANTS tells of the account and its enabled roles, which information_schema does not.
    """
    row = connection.exec_driver_sql("SELECT DATABASE(), CURRENT_USER()").one()
    here, account = schema or str(row[0] or ""), "@".join(quoted(part) for part in str(row[1]).rsplit("@", 1))
    grants = _grants(connection, "SHOW GRANTS")
    missing = _missing(grants, needed, here, account)
    if missing:
        # What everybody has (from MariaDB 10.11 on) counts too.
        missing = _missing([*grants, *_grants(connection, "SHOW GRANTS FOR PUBLIC")], needed, here, account)
    return missing


def _grants(connection: sa.Connection, sql: str) -> list[_Grant]:
    try:
        texts = [str(row[0]) for row in connection.exec_driver_sql(sql)]
    except sa.exc.DBAPIError:
        if connection.invalidated:
            raise
        return []  # An older server, which has no PUBLIC.
    found = []
    for match in filter(None, map(_GRANT.match, texts)):
        where, table = (_name(match[part]) for part in ("schema", "table"))
        rights = match["rights"].upper().split(", ")
        found += [_Grant("%" if where is None else where, table, right) for right in rights]
    return found


def _name(text: str) -> str | None:
    return None if text == "*" else text[1:-1].replace("``", "`")


def _missing(grants: list[_Grant], needed: Needs | None, here: str, account: str) -> tuple[str, ...]:
    if needed is not None and needed.unknown:
        if any(grant.right in {*_CHANGES, _ALL} for grant in grants):
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
