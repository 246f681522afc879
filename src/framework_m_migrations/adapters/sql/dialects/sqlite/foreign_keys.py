"""What SQLite needs round a revision, because a table may be rebuilt in it: rename, create, copy, drop.

With foreign keys enforced, the drop deletes the rows of the table first, and ON DELETE CASCADE takes the children
along without a word. The pragma does nothing inside a transaction, so it is switched off before, and the whole
database is checked before the commit (https://www.sqlite.org/lang_altertable.html, section 7).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.domain.errors import RevisionError


class SqliteGuard:
    """Watches one revision on a SQLite connection.

    Args:
        connection: the session's, outside a transaction.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._enforced = False
        self._violations: Counter[tuple[str, str]] | None = None

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Foreign keys off for the body, on again afterwards if they were on."""
        self._enforced = self._pragma("foreign_keys") == 1
        if self._enforced:
            self._violations = self._count_violations()
            self._set_foreign_keys(on=False)
        try:
            yield
        finally:
            if self._enforced and not self._connection.invalidated:
                self._set_foreign_keys(on=True)

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
                next_step="Delete or fix the dependent rows in the revision itself.",
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
