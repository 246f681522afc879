"""What Alembic's rebuild of a SQLite table leaves behind: types, unnamed checks, triggers, indexes on expressions.

Alembic rebuilds from what SQLAlchemy reflects. An unnamed CHECK is omitted, an index on an expression is not
reflected, one that is sorted or collated comes without its order, a trigger is not known of at all; each would be gone
without a word.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import event

from framework_m_migrations.domain.errors import RevisionError

_NAME = r'("(?:[^"]|"")+"|\S+)'
_DROPPED = re.compile(rf'\s*DROP\s+INDEX\s+(?:IF\s+EXISTS\s+)?(?:"?main"?\.)?{_NAME}', re.IGNORECASE)
_REBUILT = re.compile(rf'\s*ALTER\s+TABLE\s+"?_alembic_tmp_.*\sRENAME\s+TO\s+{_NAME}', re.IGNORECASE | re.DOTALL)
_CREATED = re.compile(r'\s*CREATE\s+TABLE\s+"?_alembic_tmp_(?P<name>(?:[^"\s(]|"")+)"?\s*\(', re.IGNORECASE)
_UNNAMED_CHECK = re.compile(r"(?:^|[(,])\s*CHECK\s*\(", re.IGNORECASE)
_IGNORED = ("Unnamed CHECK constraint on reflected table", "Skipped unsupported reflection of expression-based index")
_OBJECTS = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = ? AND type <> 'table' AND sql IS NOT NULL"
_TABLES = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"


class _Object(NamedTuple):
    kind: str
    name: str
    table: str
    sql: str


class RebuildWatch:
    """Watches the statements of one revision, and brings back what a rebuild took along.

    Args:
        connection: the one that the revision runs on.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._objects: dict[str, list[_Object]] = {}
        self._ordered: dict[str, str] = {}

    @contextmanager
    def watch(self) -> Iterator[None]:
        """To be entered outside the revision's transaction."""
        event.listen(self._connection, "before_cursor_execute", self._before, retval=True)
        event.listen(self._connection, "after_cursor_execute", self._after)
        try:
            with warnings.catch_warnings():
                for message in _IGNORED:
                    warnings.filterwarnings("ignore", message)
                yield
        finally:
            event.remove(self._connection, "before_cursor_execute", self._before)
            event.remove(self._connection, "after_cursor_execute", self._after)

    def restore(self) -> None:
        """Give indexes their order back; to be called inside the revision's transaction, before its commit.

        All else is recreated at once, so that the rest of the revision finds it; these Alembic creates itself.
        """
        ordered, self._ordered = self._ordered, {}
        for name, statement in ordered.items():
            rows = self._connection.exec_driver_sql(
                "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", (name,)
            )
            present = rows.scalar()
            if present is not None and present != statement and _without_order(present) == _without_order(statement):
                self._connection.exec_driver_sql(f"DROP INDEX {_quoted(name)}")
                self._connection.exec_driver_sql(statement)

    def _before(
        self, connection: sa.Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> tuple[str, Any]:
        del connection, cursor, context, executemany
        if dropped := _DROPPED.match(statement):
            self._ordered.pop(_unquoted(dropped[1]), None)
        elif created := _CREATED.match(statement):
            # The original still stands at this moment, with all that belongs to it.
            table = self._original(created["name"].replace('""', '"'))
            if table is not None:
                self._remember(table)
                statement = self._with_checks(self._with_types(statement, table), table)
        return statement, parameters

    def _after(
        self, connection: sa.Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        del connection, cursor, parameters, context, executemany
        if rebuilt := _REBUILT.match(statement):
            for item in self._objects.pop(_unquoted(rebuilt[1]).lower(), ()):
                self._recreate(item)

    def _remember(self, table: str) -> None:
        """What belongs to a table: what Alembic does not know of, and what it will create without its order."""
        known = {index["name"] for index in sa.inspect(self._connection).get_indexes(table)}
        rows = self._connection.exec_driver_sql(_OBJECTS, (table,)).all()
        objects = [_Object(str(kind), str(name), table, str(sql)) for kind, name, sql in rows]
        self._objects[table.lower()] = [item for item in objects if item.kind == "trigger" or item.name not in known]
        self._ordered |= {
            item.name: item.sql
            for item in objects
            if item.kind == "index" and item.name in known and item.name not in self._ordered
        }

    def _recreate(self, item: _Object) -> None:
        try:
            self._connection.exec_driver_sql(item.sql)
        except sa.exc.OperationalError as error:
            # An index on a column that the revision drops goes with the column.
            if item.kind == "index" and "no such column" in str(error.orig):
                return
            raise RevisionError(
                f"The rebuild of table {item.table!r} took the {item.kind} {item.name!r} along, and it cannot be "
                f"recreated: {error.orig}.",
                next_step=f"Drop the {item.kind} in the revision before the rebuild, and create it again afterwards.",
            ) from error

    def _with_checks(self, statement: str, table: str) -> str:
        """CREATE TABLE of the copy, with the unnamed checks of the original unless it states unnamed ones itself."""
        if _UNNAMED_CHECK.search(statement):
            return statement
        columns = self._column_names(table)
        missing = {name for name in columns if not _mentions(statement, name)}
        kept = []
        for check in self._unnamed_checks(table):
            gone = sorted(name for name in missing if _mentions(check, name))
            if not gone:
                kept.append(f"CHECK ({check})")
            elif not self._only_drops(statement, columns):
                raise RevisionError(
                    f"The rebuild of table {table!r} would lose CHECK ({check}), which names {', '.join(gone)}.",
                    next_step="State the constraint again in table_args of batch_alter_table.",
                )
        if not kept:
            return statement
        end = statement.rindex(")")
        return f"{statement[:end].rstrip()}, \n\t{', '.join(kept)}\n{statement[end:]}"

    def _with_types(self, statement: str, table: str) -> str:
        """CREATE TABLE of the copy, with the types that the original declares where reflection knows them no more.

        SQLAlchemy reflects a type that it does not know by its affinity: a UUID comes back as NUMERIC.
        """
        declared = {
            str(name): str(written)
            for _, name, written, *_ in self._connection.exec_driver_sql(f"PRAGMA table_info({_quoted(table)})")
        }
        for column in sa.inspect(self._connection).get_columns(table):
            name, written = str(column["name"]), declared.get(str(column["name"]), "")
            reflected = column["type"].compile(dialect=self._connection.dialect)
            if not written or written.upper() == reflected.upper():
                continue
            spelled = rf"(?:{re.escape(name)}|{re.escape(_quoted(name))})"
            statement = re.sub(
                rf"^(\s*{spelled} ){re.escape(reflected)}(?=[\s,]|$)",
                lambda found, written=written: f"{found[1]}{written}",  # type: ignore[misc]
                statement,
                count=1,
                flags=re.MULTILINE,
            )
        return statement

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


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _without_order(statement: str) -> str:
    """CREATE INDEX without what reflection does not see: directions, collations, quotes, white space."""
    text = re.sub(rf"\sCOLLATE\s+{_NAME}(?=[\s,)])|\s(ASC|DESC)\b", "", statement, flags=re.IGNORECASE)
    return re.sub(r'[\s"]', "", text).lower()
