"""Views as SQLite keeps them: as the texts that created them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.driver import executor
from framework_m_migrations.adapters.sql.dialects.sqlite.text import quoted
from framework_m_migrations.adapters.sql.views import View, squeezed
from framework_m_migrations.domain.schema import TableName

_NAME = r"""(?:"(?:[^"]|"")+"|`(?:[^`]|``)+`|\[[^]]*\]|'(?:[^']|'')+'|[^\s"`'(\[.]+)"""
_HEAD = re.compile(
    rf"\s*CREATE\s+VIEW\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}(?:\s*\.\s*{_NAME})?\s*(?:\([^)]*\)\s*)?\bAS\b",
    re.IGNORECASE,
)


class SqliteViews:
    """Implements ViewCatalog.

    Args:
        connection: to read through.
        schema: the session's.
    """

    replaces = False
    keeps_columns = True

    def __init__(self, connection: sa.Connection, *, schema: str) -> None:
        self._connection = connection
        self._schema = schema

    def standing(self, names: Collection[TableName] | None) -> Mapping[TableName, View]:
        """See the protocol; one statement for each schema."""
        found: dict[TableName, View] = {}
        for schema in {None} if names is None else {name.schema for name in names}:
            place = f"{quoted(schema or self._schema)}.sqlite_master"
            rows = executor(self._connection)(f"SELECT name, sql FROM {place} WHERE type = 'view'", ())  # noqa: S608
            found |= {TableName(name, schema): View(squeezed(_HEAD.sub("", sql, count=1))) for name, sql in rows}
        return found if names is None else {name: found[name] for name in names if name in found}

    def tried(self, wanted: Mapping[TableName, View], standing: Mapping[TableName, View]) -> Mapping[TableName, View]:
        """See the protocol: any query is kept as it is."""
        del standing
        return {name: View(squeezed(view.query)) for name, view in wanted.items()}
