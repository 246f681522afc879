"""What Alembic's rebuild of a SQLite table leaves behind: unnamed checks, triggers, indexes on expressions.

Alembic rebuilds from what SQLAlchemy reflects. An unnamed CHECK is omitted, an index on an expression is not
reflected, a trigger is not known of at all; each would be gone without a word.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from framework_m_migrations.domain.errors import RevisionError

_NAME = r'("(?:[^"]|"")+"|\S+)'
_DROPPED = re.compile(rf'\s*DROP\s+(INDEX|TRIGGER)\s+(?:IF\s+EXISTS\s+)?(?:"?main"?\.)?{_NAME}', re.IGNORECASE)
_REBUILT = re.compile(rf'\s*ALTER\s+TABLE\s+"?_alembic_tmp_.*\sRENAME\s+TO\s+{_NAME}', re.IGNORECASE | re.DOTALL)
_CREATED = re.compile(r'\s*CREATE\s+TABLE\s+"?_alembic_tmp_(?P<name>(?:[^"\s(]|"")+)"?\s*\(', re.IGNORECASE)
_UNNAMED_CHECK = re.compile(r"(?:^|[(,])\s*CHECK\s*\(", re.IGNORECASE)
_IGNORED = ("Unnamed CHECK constraint on reflected table", "Skipped unsupported reflection of expression-based index")
_OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
_TABLES = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"


class RebuildWatch:
    """Watches the statements of one revision, and brings back what a rebuild took along.

    Args:
        connection: the one that the revision runs on.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._objects: dict[tuple[str, str], tuple[str, str]] = {}
        self._dropped: set[tuple[str, str]] = set()
        self._rebuilt: set[str] = set()

    @contextmanager
    def watch(self) -> Iterator[None]:
        """To be entered outside the revision's transaction."""
        self._objects = self._read_objects()
        event.listen(self._connection, "before_cursor_execute", self._on_statement, retval=True)
        try:
            with warnings.catch_warnings():
                for message in _IGNORED:
                    warnings.filterwarnings("ignore", message)
                yield
        finally:
            event.remove(self._connection, "before_cursor_execute", self._on_statement)

    def restore(self) -> None:
        """Recreate triggers and indexes; to be called inside the revision's transaction, before its commit.

        Raises:
            RevisionError: one cannot be created again.
        """
        if not self._rebuilt:
            return
        present = self._read_objects()
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
            self._objects[key] = (table, statement)

    def _read_objects(self) -> dict[tuple[str, str], tuple[str, str]]:
        idle = not self._connection.in_transaction()
        rows = list(self._connection.exec_driver_sql(_OBJECTS))
        if idle:
            self._connection.rollback()
        return {(str(row[0]), str(row[1])): (str(row[2]), str(row[3])) for row in rows}

    def _on_statement(
        self, connection: sa.Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> tuple[str, Any]:
        del connection, cursor, context, executemany
        if dropped := _DROPPED.match(statement):
            self._dropped.add((dropped[1].lower(), _unquoted(dropped[2])))
        elif rebuilt := _REBUILT.match(statement):
            self._rebuilt.add(_unquoted(rebuilt[1]).lower())
        elif created := _CREATED.match(statement):
            statement = self._with_checks(statement, created["name"].replace('""', '"'))
        return statement, parameters

    def _with_checks(self, statement: str, cut_name: str) -> str:
        """CREATE TABLE of the copy, with the unnamed checks of the original unless it states unnamed ones itself."""
        if _UNNAMED_CHECK.search(statement):
            return statement
        table = self._original(cut_name)
        lost = [] if table is None else self._unnamed_checks(table)
        columns = set() if table is None else self._column_names(table)
        missing = {name for name in columns if not _mentions(statement, name)}
        kept = []
        for check in lost:
            gone = sorted(name for name in missing if _mentions(check, name))
            if not gone:
                kept.append(f"CHECK ({check})")
            elif len(missing) > len(gone) or not self._only_drops(statement, columns):
                raise RevisionError(
                    f"The rebuild of table {table!r} would lose CHECK ({check}), which names {', '.join(gone)}.",
                    next_step="State the constraint again in table_args of batch_alter_table.",
                )
        if not kept:
            return statement
        end = statement.rindex(")")
        return f"{statement[:end].rstrip()}, \n\t{', '.join(kept)}\n{statement[end:]}"

    def _original(self, cut_name: str) -> str | None:
        """The table that a copy was made of; Alembic cuts the copy's name after 50 characters."""
        names = [str(row[0]) for row in self._connection.exec_driver_sql(_TABLES)]
        exact = [name for name in names if name == cut_name]
        return next(iter(exact or [name for name in names if name.startswith(cut_name)]), None)

    def _unnamed_checks(self, table: str) -> list[str]:
        checks = sa.inspect(self._connection).get_check_constraints(table)
        return [str(check["sqltext"]) for check in checks if check["name"] is None]

    def _column_names(self, table: str) -> set[str]:
        return {str(column["name"]) for column in sa.inspect(self._connection).get_columns(table)}

    @staticmethod
    def _only_drops(statement: str, before: set[str]) -> bool:
        """True when the copy has no column that the original lacks, so that nothing can have been renamed."""
        body = statement.partition("(")[2]
        names = re.findall(rf"^\s*{_NAME}\s", body, re.MULTILINE)
        words = {"CONSTRAINT", "PRIMARY", "FOREIGN", "UNIQUE", "CHECK", ")"}
        return all(name.upper() in words or _unquoted(name) in before for name in names)


def _mentions(sql: str, name: str) -> bool:
    return re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", sql, re.IGNORECASE) is not None


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.rstrip(";")
