"""What SQLite needs round a revision, because a batch operation rebuilds a table: create, copy, drop, rename.

With foreign keys enforced, the drop deletes the rows of the table first, and ON DELETE CASCADE takes the children
along without a word. The pragma does nothing inside a transaction, so it is switched off before, and the whole
database is checked before the commit (https://www.sqlite.org/lang_altertable.html, section 7). The drop also takes
triggers and indexes along; Alembic recreates only indexes on plain columns.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from framework_m_migrations.domain.errors import RevisionError

_DROPPED = re.compile(
    r'\s*DROP\s+(INDEX|TRIGGER)\s+(?:IF\s+EXISTS\s+)?(?:"?main"?\.)?("(?:[^"]|"")+"|\S+)', re.IGNORECASE
)
_REBUILT = re.compile(
    r'\s*ALTER\s+TABLE\s+"?_alembic_tmp_.*\sRENAME\s+TO\s+("(?:[^"]|"")+"|\S+)', re.IGNORECASE | re.DOTALL
)


class SqliteGuard:
    """Watches one revision on a SQLite connection.

    Args:
        connection: the session's, outside a transaction.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._enforced = False
        self._violations: Counter[tuple[str, str]] | None = None
        self._objects: dict[tuple[str, str], tuple[str, str]] = {}
        self._dropped: set[tuple[str, str]] = set()
        self._rebuilt: set[str] = set()

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Foreign keys off for the body, on again afterwards if they were on."""
        self._enforced = self._pragma("foreign_keys") == 1
        if self._enforced:
            self._violations = self._count_violations()
            self._set_foreign_keys(on=False)
        self._objects = self._schema_objects()
        event.listen(self._connection, "before_cursor_execute", self._on_statement)
        try:
            yield
        finally:
            event.remove(self._connection, "before_cursor_execute", self._on_statement)
            if self._enforced and not self._connection.invalidated:
                self._set_foreign_keys(on=True)

    def restore(self) -> None:
        """Recreate triggers and indexes that a rebuild took along; to be called before the commit."""
        if not self._rebuilt:
            return
        present = self._schema_objects()
        for key, (table, statement) in self._objects.items():
            if key in present or key in self._dropped or table.lower() not in self._rebuilt:
                continue
            try:
                self._connection.exec_driver_sql(statement)
            except sa.exc.OperationalError as error:
                # An index on a column that the revision drops goes with the column.
                if key[0] == "index" and "no such column" in str(error.orig):
                    continue
                raise RevisionError(
                    f"The rebuild of table {table!r} took the {key[0]} {key[1]!r} along, and it cannot be recreated: "
                    f"{error.orig}.",
                    next_step=f"Drop the {key[0]} in the revision before the rebuild, and create it again afterwards.",
                ) from error

    def check(self) -> None:
        """Raise RevisionError when rows point nowhere that did not before; to be called before the commit."""
        if self._violations is None:
            return
        fresh = self._count_violations() or Counter()
        fresh.subtract(self._violations)
        broken = sorted((child, parent, count) for (child, parent), count in fresh.items() if count > 0)
        if broken:
            listed = "; ".join(f"{count} of {child} without a row in {parent}" for child, parent, count in broken[:5])
            raise RevisionError(
                f"The revision leaves rows that point nowhere: {listed}. Foreign keys are not enforced, and no "
                "ON DELETE action is taken, while a revision runs on SQLite.",
                next_step="Delete or mend the rows that depend on others in the revision itself.",
            )

    def _count_violations(self) -> Counter[tuple[str, str]] | None:
        """Rows without a partner, by table and parent; None where the schema itself cannot be checked."""
        try:
            rows = self._query("PRAGMA foreign_key_check")
        except sa.exc.OperationalError:
            if self._violations is not None:
                raise
            return None
        return Counter((str(row[0]), str(row[2])) for row in rows)

    def _schema_objects(self) -> dict[tuple[str, str], tuple[str, str]]:
        rows = self._query(
            "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
        )
        return {(str(row[0]), str(row[1])): (str(row[2]), str(row[3])) for row in rows}

    def _query(self, statement: str) -> list[Any]:
        idle = not self._connection.in_transaction()
        try:
            return list(self._connection.exec_driver_sql(statement))
        finally:
            if idle:
                self._connection.rollback()

    def _pragma(self, name: str) -> object:
        rows = self._query(f"PRAGMA {name}")
        return rows[0][0] if rows else None

    def _set_foreign_keys(self, *, on: bool) -> None:
        """Past SQLAlchemy: a transaction that it begins would make the pragma a no-op."""
        raw = self._connection.connection
        driver = raw.driver_connection
        manual = getattr(driver, "autocommit", None) is False
        if manual and driver is not None:
            driver.autocommit = True
        cursor = raw.cursor()
        try:
            cursor.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")
        finally:
            cursor.close()
            if manual and driver is not None:
                driver.autocommit = False
        if (self._pragma("foreign_keys") == 1) is not on:
            raise RevisionError(
                "SQLite cannot switch the enforcement of foreign keys inside a transaction, and the connection is in "
                "one.",
                next_step="Commit or roll back before revisions are run.",
            )

    def _on_statement(
        self, connection: sa.Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        del connection, cursor, parameters, context, executemany
        if dropped := _DROPPED.match(statement):
            self._dropped.add((dropped[1].lower(), _unquoted(dropped[2])))
        elif rebuilt := _REBUILT.match(statement):
            self._rebuilt.add(_unquoted(rebuilt[1]).lower())


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.rstrip(";")
