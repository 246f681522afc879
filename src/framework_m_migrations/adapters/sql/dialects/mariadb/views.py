"""Views as MariaDB reads them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.views import View
from framework_m_migrations.domain.schema import TableName

_VIEWS = sa.text(
    "SELECT v.TABLE_SCHEMA, v.TABLE_SCHEMA = COALESCE(:main, DATABASE()), v.TABLE_NAME, v.VIEW_DEFINITION, "
    "(SELECT GROUP_CONCAT(c.COLUMN_NAME ORDER BY c.ORDINAL_POSITION SEPARATOR '\\n') FROM information_schema.COLUMNS c "
    "WHERE c.TABLE_SCHEMA = v.TABLE_SCHEMA AND c.TABLE_NAME = v.TABLE_NAME) "
    "FROM information_schema.VIEWS v"
)


class MariadbViews:
    """Implements ViewCatalog.

    Args:
        connection: to read through.
        schema: the session's, None for the connection's own.
    """

    replaces = True
    keeps_columns = False

    def __init__(self, connection: sa.Connection, *, schema: str | None) -> None:
        self._connection = connection
        self._schema = schema

    def standing(self, names: Collection[TableName] | None) -> Mapping[TableName, View]:
        """See the protocol; one statement."""
        found: dict[TableName, View] = {}
        for place, is_main, name, query, columns in self._connection.execute(_VIEWS, {"main": self._schema}):
            table = TableName(name, None if is_main else place)
            if (names is None and is_main) or (names is not None and table in names):
                found[table] = View(query, tuple((column, "") for column in (columns or "").split("\n")))
        return found

    def tried(self, wanted: Mapping[TableName, View], standing: Mapping[TableName, View]) -> Mapping[TableName, View]:
        """See the protocol: the server explains both queries, and prints each as it has understood it."""
        found: dict[TableName, View] = {}
        for name, view in wanted.items():
            with contextlib.suppress(sa.exc.DBAPIError):
                said, had = self._explained(view.query), self._explained(standing[name].query)
                query = standing[name].query if said == had else view.query
                found[name] = View(query, self._columns(view.query))
        return found

    def _explained(self, query: str) -> str:
        options = {"no_parameters": True}
        self._connection.exec_driver_sql(f"EXPLAIN EXTENDED {query}", execution_options=options).close()
        rows = self._connection.exec_driver_sql("SHOW WARNINGS").all()
        return "\n".join(str(row[2]) for row in rows if row[1] == 1003)

    def _columns(self, query: str) -> tuple[tuple[str, str], ...]:
        limited = f"SELECT * FROM ({query}) AS m_migrate_v LIMIT 0"  # noqa: S608 - the application's own query
        result = self._connection.exec_driver_sql(limited, execution_options={"no_parameters": True})
        names = tuple(result.keys())
        result.close()
        return tuple((name, "") for name in names)
