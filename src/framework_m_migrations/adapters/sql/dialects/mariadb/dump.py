"""What MariaDB says of its objects (SHOW CREATE), and scratch databases with the same ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.mariadb.text import quoted
from framework_m_migrations.domain.defined import Definition, Dump
from framework_m_migrations.domain.schema import TableName

_TABLES = (
    "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() "
    "AND TABLE_TYPE IN ('BASE TABLE', 'VIEW', 'SEQUENCE', 'SYSTEM VERSIONED') ORDER BY TABLE_TYPE = 'VIEW', TABLE_NAME"
)
_TRIGGERS = (
    "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() "
    "ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER"
)
_ROUTINES = (
    "SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() "
    "AND ROUTINE_TYPE IN ('FUNCTION', 'PROCEDURE') ORDER BY ROUTINE_NAME"
)
_COLLATION = (
    "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA "
    "WHERE SCHEMA_NAME = DATABASE()"
)
_COUNTER = re.compile(r" AUTO_INCREMENT=\d+")
_DEFINER = re.compile(r" DEFINER=(?:`(?:[^`]|``)*`|\S+?)@(?:`(?:[^`]|``)*`|\S+)")
_COLUMN = re.compile(r"\s*`((?:[^`]|``)*)` (.*)")


class MariadbRehearsal:
    """Implements dialects.base.Rehearsal."""

    title = "MariaDB"

    def url(self, folder: Path) -> None:
        """See Rehearsal."""
        del folder

    def product(self, connection: sa.Connection) -> str:
        """See Rehearsal."""
        version = str(connection.exec_driver_sql("SELECT VERSION()").scalar_one())
        return f"MariaDB {'.'.join(version.split('-', maxsplit=1)[0].split('.')[:2])}"

    def make(self, connection: sa.Connection, name: str) -> None:
        """See Rehearsal."""
        charset, collation = _rows(connection, _COLLATION)[0]
        connection.exec_driver_sql(f"CREATE DATABASE {quoted(name)} CHARACTER SET {charset} COLLATE {collation}")

    def drop(self, connection: sa.Connection, name: str) -> None:
        """See Rehearsal."""
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted(name)}")

    def schema(self, connection: sa.Connection, name: str) -> None:
        """A schema is a database here; the scratch one is there."""

    def clear(self, connection: sa.Connection) -> None:
        """See Rehearsal."""
        _run(connection, "SET foreign_key_checks = 0")
        for name, kind in _rows(connection, _TABLES):
            word = kind if kind in {"VIEW", "SEQUENCE"} else "TABLE"
            _run(connection, f"DROP {word} IF EXISTS {quoted(str(name))}")
        for kind, name in _rows(connection, _ROUTINES):
            _run(connection, f"DROP {kind} IF EXISTS {quoted(str(name))}")
        _run(connection, "SET foreign_key_checks = 1")

    def copy(self, source: sa.Connection, target: sa.Connection) -> tuple[str, ...]:
        """See Rehearsal. A circle of references does not matter, for foreign keys are not checked meanwhile."""
        failed: list[str] = []
        checks = target.exec_driver_sql("SELECT @@foreign_key_checks").scalar_one()
        target.exec_driver_sql("SET foreign_key_checks = 0")
        try:
            for name, sql in _texts(source).items():
                try:
                    _run(target, sql)
                except sa.exc.DBAPIError as error:
                    failed.append(f"{name}: {error.orig}")
        finally:
            target.exec_driver_sql(f"SET foreign_key_checks = {int(checks)}")
        return tuple(failed)

    def dump(self, connection: sa.Connection) -> Dump:
        """See Rehearsal. The counter of AUTO_INCREMENT is left out: rows that came and went have moved it."""
        return {name: _definition(name, sql) for name, sql in _texts(connection).items()}

    def rows(self, connection: sa.Connection, table: TableName) -> list[dict[str, object]]:
        """See Rehearsal."""
        result = _run(connection, f"SELECT * FROM {quoted(table.name)}")  # noqa: S608 - quoted
        return [dict(row) for row in result.mappings()]


def _run(connection: sa.Connection, sql: str) -> sa.CursorResult[Any]:
    """As it is: with parameters, be it none, a percent sign would be the driver's own."""
    return connection.exec_driver_sql(sql, execution_options={"no_parameters": True})


def _rows(connection: sa.Connection, sql: str) -> Sequence[Any]:
    return _run(connection, sql).all()


def _texts(connection: sa.Connection) -> dict[str, str]:
    """The statements that create every object, in an order in which they can be run."""
    found: dict[str, str] = {}
    rows = _rows(connection, _TABLES)
    database = str(connection.exec_driver_sql("SELECT DATABASE()").scalar_one())
    routines = _rows(connection, _ROUTINES)
    for kind, name in routines:
        text = _rows(connection, f"SHOW CREATE {kind} {quoted(str(name))}")[0][2]
        if text is not None:
            found[f"{str(kind).lower()} {name}"] = _DEFINER.sub("", str(text))
    for name, kind in rows:
        if kind in {"BASE TABLE", "SYSTEM VERSIONED", "SEQUENCE"}:
            text = str(_rows(connection, f"SHOW CREATE TABLE {quoted(str(name))}")[0][1])
            if kind == "SEQUENCE":
                text = str(_rows(connection, f"SHOW CREATE SEQUENCE {quoted(str(name))}")[0][1])
            found[f"{'sequence' if kind == 'SEQUENCE' else 'table'} {name}"] = _COUNTER.sub("", text)
    for name, kind in rows:
        if kind == "VIEW":
            text = str(_rows(connection, f"SHOW CREATE VIEW {quoted(str(name))}")[0][1])
            # It names its own database, which the copy is not.
            found[f"view {name}"] = _DEFINER.sub("", text).replace(f"{quoted(database)}.", "")
    for (name,) in _rows(connection, _TRIGGERS):
        text = str(_rows(connection, f"SHOW CREATE TRIGGER {quoted(str(name))}")[0][2])
        found[f"trigger {name}"] = _DEFINER.sub("", text)
    return found


def _definition(name: str, sql: str) -> Definition:
    if not name.startswith("table "):
        return Definition(rest=(sql,))
    lines = sql.split("\n")
    columns: list[tuple[str, str]] = []
    rest: list[str] = []
    for line in lines[1:]:
        text = line.strip().removesuffix(",")
        column = _COLUMN.fullmatch(text)
        if column is not None:
            columns.append((column[1].replace("``", "`"), column[2]))
        else:
            rest.append(text)
    return Definition(tuple(columns), tuple(sorted(rest)))
