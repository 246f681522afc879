"""What stands in the way of a change: names, triggers, conflict clauses, and what depends on a table or column."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.catalog import Execute
from framework_m_migrations.adapters.sql.dialects.sqlite.create_sql import UnreadableSql, read_table
from framework_m_migrations.adapters.sql.dialects.sqlite.driver import control, executor, in_transaction
from framework_m_migrations.adapters.sql.dialects.sqlite.text import (
    NAME,
    WORD,
    literal,
    lower,
    quoted,
    tokens,
    unquoted,
)
from framework_m_migrations.domain.changes import (
    Change,
    ColumnDefaultChanged,
    ColumnNullabilityChanged,
    ColumnRemoved,
    IndexAdded,
    TableAdded,
    TableRemoved,
    TableRenamed,
    UniqueAdded,
)
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.naming import Place, standard_name
from framework_m_migrations.domain.operations import SetDefault
from framework_m_migrations.domain.risk.conflicts import Claim, Obstacle, rivals
from framework_m_migrations.domain.risk.drop_blockers import Removal, held_by_keys, stands
from framework_m_migrations.domain.schema import ForeignKey, TableName

_ON_UPDATE = re.compile(r"\A(?:(?!\bBEGIN\b).)*\bUPDATE\b", re.IGNORECASE | re.DOTALL)


def written_out(operation: SetDefault, connection: sa.Connection, *, schema: str) -> tuple[str, ...]:
    """The statements that make rows independent of the default which is about to change.

    Args:
        operation: the change; its ``before`` tells the default as it is.
        connection: in the transaction of the edit, or in none where the statements are only shown.
        schema: where the table is.

    Raises:
        DatabaseError: a trigger of the application would fire on that. Only inside the transaction of the edit.
    """
    table, column, default = operation.table, operation.column.name, operation.before.default
    if in_transaction(connection):
        trigger = firing_trigger(table, column, default, connection, schema=schema)
        if trigger is not None:
            raise DatabaseError(
                f"The default of {table}.{column} cannot be changed in place: rows that have it "
                f"must be written again, and the trigger {trigger} would fire for each.",
                next_step="Change the table with a revision: `m-migrate create`.",
                details={"table": str(table), "column": column, "trigger": trigger},
            )
    name = quoted(column)
    place = f"{quoted(schema)}.{quoted(table.name)}"
    return (f"UPDATE {place} SET {name} = {name} WHERE {_affected(column, default)}",)  # noqa: S608


def firing_trigger(
    table: TableName, column: str, default: str | None, connection: sa.Connection, *, schema: str
) -> str | None:
    """The name of a trigger that would fire if the rows that have a default were written, None where none would.

    Args:
        table: whose rows.
        column: of the default.
        default: as it is now, None for none.
        connection: read through.
        schema: where the table is.
    """
    place = f"{quoted(schema)}.{quoted(table.name)}"
    for catalog in (f"{quoted(schema)}.sqlite_master", "sqlite_temp_master"):
        chosen = f"type = 'trigger' AND tbl_name = {literal(table.name)} COLLATE NOCASE"
        for name, sql in control(connection, f"SELECT name, sql FROM {catalog} WHERE {chosen}"):  # noqa: S608
            if _ON_UPDATE.search(sql or ""):
                affected = f"SELECT 1 FROM {place} WHERE {_affected(column, default)} LIMIT 1"  # noqa: S608
                return str(name) if control(connection, affected) else None
    return None


def _affected(column: str, default: str | None) -> str:
    return f"{quoted(column)} IS ({default or 'NULL'})"


# What stands on tables and columns that are to be dropped, by SQLite's own judgement of a copy without rows.
#
# DROP COLUMN is refused where a view or a trigger of the schema does not hold afterwards, or did not before
# (https://www.sqlite.org/lang_altertable.html#alter_table_drop_column). DROP TABLE is not, and leaves them
# broken. Which names mean what is SQLite's to say, so the drops are made in an empty database in memory with
# the same tables and views.


_PROBE = "m_migrate_probe"
_VIRTUAL = "CREATE VIRTUAL"
_FAILED = re.compile(r"error in (?P<what>(?:view|trigger) .*?)(?: after drop column)?: (?P<why>.*)", re.DOTALL)


def dependents(execute: Execute, changes: Collection[Change], *, schema: str) -> Mapping[Change, Obstacle]:
    """An obstacle for each drop that SQLite would refuse, or that would leave something broken behind.

    It takes three statements for each schema, one more where there are views or triggers.

    Args:
        execute: runs a statement.
        changes: in the order in which they would be made.
        schema: of tables that name none.
    """
    drops = [change for change in changes if isinstance(change, Removal)]
    found: dict[Change, Obstacle] = {}
    for own in {change.table.schema for change in drops}:
        place = own or schema
        here = [change for change in drops if change.table.schema == own]
        found |= _broken(execute, here, place)
        found |= _computed(execute, here, place)
        found |= held_by_keys(here, _keys(execute, here, own, place))
    return found


def _keys(
    execute: Execute, changes: Sequence[Change], own: str | None, place: str
) -> Iterable[tuple[TableName, ForeignKey]]:
    """The foreign keys that point at the tables of the changes, both ends under the names that the changes use."""
    tables = {lower(change.table.name): change.table for change in changes}
    rows = execute(
        'SELECT m.name, f.id, f."from", f."table", COALESCE(f."to", (SELECT x.name'  # noqa: S608
        ' FROM pragma_table_xinfo(f."table", ?) AS x WHERE x.pk = f.seq + 1))'
        f" FROM {quoted(place)}.sqlite_master AS m JOIN pragma_foreign_key_list(m.name, ?) AS f"
        " WHERE m.type = 'table' AND lower(f.\"table\") IN (SELECT value FROM json_each(?))"
        " ORDER BY m.name, f.id, f.seq",
        (place, place, json.dumps(sorted(tables))),
    )
    keys: dict[tuple[str, int], tuple[TableName, list[str], list[str]]] = {}
    for name, number, column, target, target_column in rows:
        _, columns, targets = keys.setdefault((name, number), (tables[lower(target)], [], []))
        columns.append(str(column))
        targets.append(str(target_column))
    for (name, _), (table, columns, targets) in keys.items():
        holder = tables.get(lower(name), TableName(name, own))
        yield holder, ForeignKey(None, tuple(columns), table, tuple(targets))


def _computed(execute: Execute, changes: Sequence[Change], place: str) -> dict[Change, Obstacle]:
    """Columns that another one is computed of which does not go before them."""
    columns = [change for change in changes if isinstance(change, ColumnRemoved)]
    names = sorted({change.table.name for change in columns})
    rows = execute(
        f"SELECT name, sql FROM {quoted(place)}.sqlite_master"  # noqa: S608
        " WHERE type = 'table' AND name IN (SELECT value FROM json_each(?)) AND sql LIKE '%AS%(%'",
        (json.dumps(names),),
    )
    texts = {str(name): str(sql) for name, sql in rows}
    found: dict[Change, Obstacle] = {}
    gone: set[tuple[TableName, str]] = set()
    for change in columns:
        for name, expression in _expressions(texts.get(change.table.name, "")):
            if (change.table, name) not in gone and lower(change.column.name) in _names(expression):
                found[change] = stands(f"the computed column {name}")
        if change not in found:
            gone.add((change.table, lower(change.column.name)))
    return found


def _expressions(sql: str) -> list[tuple[str, str]]:
    """The computed columns of a CREATE TABLE text, in lower case, with their expressions."""
    try:
        columns = read_table(sql).columns if sql else []
    except UnreadableSql:
        return []
    return [(lower(column.name), column.expression) for column in columns if column.expression is not None]


def _names(sql: str) -> set[str]:
    return {lower(unquoted(token.text)) for token in tokens(sql) if token.kind in {WORD, NAME}}


@dataclass(slots=True)
class _Copy:
    """An empty database with the tables and views of another: of a table the names of its columns only.

    ``unsound`` is why SQLite would refuse every DROP COLUMN: a view or a trigger that is broken already.
    """

    connection: sqlite3.Connection
    unsound: str | None = None
    _left_out: set[str] = field(default_factory=set)

    def add(self, *statements: str) -> str | None:
        """Make what can be made; the first error, which is no news of a table that is there or cannot be."""
        errors = [error for statement in statements if (error := self._error_of(statement)) is not None]
        return errors[0] if errors else None

    def settle(self) -> None:
        """Take out what is broken, so that what breaks later can be told."""
        while (error := self._probe()) is not None:
            self.unsound = self.unsound or error
            match = re.match(r"error in (view|trigger) (.*?): ", error, re.DOTALL)
            if match is None or match[2] in self._left_out:
                return
            self._left_out.add(match[2])
            self.connection.execute(f"DROP {match[1]} {quoted(match[2])}")

    def breaks(self, statement: str) -> str | None:
        """What SQLite says against a drop, None where nothing; then it is done."""
        self.connection.execute("SAVEPOINT tried")
        error = self._error_of(statement) or self._probe()
        self.connection.execute("ROLLBACK TO tried" if error is not None else "RELEASE tried")
        return error

    def naming(self, table: str, column: str) -> str | None:
        """A trigger or a view whose text SQLite would change with the column's name, as for ``UPDATE OF`` a column.

        Without the column such a trigger is not refused and never fires again.
        """
        texts = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('view', 'trigger') ORDER BY name"
        before = self.connection.execute(texts).fetchall()
        self.connection.execute("SAVEPOINT renamed")
        error = self._error_of(f"ALTER TABLE {quoted(table)} RENAME COLUMN {quoted(column)} TO {_PROBE}")
        after = self.connection.execute(texts).fetchall() if error is None else before
        self.connection.execute("ROLLBACK TO renamed")
        return next((f"{old[0]} {old[1]}" for old, new in zip(before, after, strict=True) if old != new), None)

    def _probe(self) -> str | None:
        """What any ALTER TABLE would be refused for."""
        self.connection.execute("SAVEPOINT probed")
        error = self._error_of(f"ALTER TABLE {_PROBE} DROP COLUMN b")
        self.connection.execute("ROLLBACK TO probed")
        return error

    def _error_of(self, statement: str) -> str | None:
        try:
            self.connection.execute(statement)
        except sqlite3.Error as error:
            return str(error)
        return None


def _broken(execute: Execute, changes: Sequence[Change], place: str) -> dict[Change, Obstacle]:
    """Drops that a view or a trigger would not survive."""
    if not any(isinstance(change, ColumnRemoved | TableRemoved) for change in changes):
        return {}
    master = f"{quoted(place)}.sqlite_master"
    rows = execute(
        f"SELECT type, sql FROM {master} WHERE type IN ('view', 'trigger') OR sql LIKE '{_VIRTUAL}%'",  # noqa: S608
        (),
    )
    texts = {kind: [str(sql) for type_, sql in rows if type_ == kind] for kind in ("table", "view", "trigger")}
    if not texts["view"] and not texts["trigger"]:
        return {}
    columns = execute(
        f"SELECT m.name, x.name FROM {master} AS m JOIN pragma_table_xinfo(m.name, ?) AS x"  # noqa: S608
        f" WHERE m.type = 'table' AND m.sql NOT LIKE '{_VIRTUAL}%' ORDER BY m.name, x.cid",
        (place,),
    )
    tables: dict[str, list[str]] = {}
    for table, column in columns:
        tables.setdefault(str(table), []).append(quoted(str(column)))
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        copy = _Copy(connection)
        # With the first comes sqlite_sequence, with the second sqlite_stat1, which nobody can create.
        copy.add(f"CREATE TABLE {_PROBE} (a INTEGER PRIMARY KEY AUTOINCREMENT, b)", "ANALYZE")
        # A virtual table brings further ones along. Where its module is not loaded, whatever names it is broken.
        copy.add(*texts["table"])
        copy.add(*(f"CREATE TABLE {quoted(table)} ({', '.join(names)})" for table, names in tables.items()))
        copy.unsound = copy.add(*texts["view"], *texts["trigger"])
        copy.settle()
        return _tried(copy, changes)


def _tried(copy: _Copy, changes: Sequence[Change]) -> dict[Change, Obstacle]:
    found: dict[Change, Obstacle] = {}
    for change in changes:
        table = quoted(change.table.name)
        match change:
            case ColumnRemoved() if copy.unsound is not None:
                found[change] = Obstacle(f"SQLite drops no column as long as this is so: {copy.unsound}.")
                continue
            case ColumnRemoved(column=column):
                name = copy.naming(change.table.name, column.name)
                if name is not None:
                    found[change] = stands(f"the {name}")
                    continue
                error = copy.breaks(f"ALTER TABLE {table} DROP COLUMN {quoted(column.name)}")
            case TableRemoved():
                error = copy.breaks(f"DROP TABLE {table}")
            case _:
                continue
        if error is not None:
            match = _FAILED.match(error)
            found[change] = Obstacle(f"SQLite says: {error}.") if match is None else stands(f"the {match['what']}")
    return found


# What stands in the way of changes that would be safe else: names, triggers, conflict clauses.


def obstacles(connection: sa.Connection, changes: Sequence[Change], *, schema: str) -> Mapping[Change, Obstacle]:
    """An obstacle for each change that SQLite would refuse, or would not do as it is meant.

    Args:
        connection: to read through.
        changes: what is planned.
        schema: of tables that name none.
    """
    found: dict[Change, Obstacle] = {}
    names: dict[Change, tuple[str, str]] = {}
    for change in changes:
        place = change.table.schema or schema
        match change:
            case UniqueAdded(unique=unique) if (word := dict(unique.options).get("on_conflict")) is not None:
                why = f"ON CONFLICT {word} holds in a constraint only that CREATE TABLE makes."
                found[change] = Obstacle(why, by_copy=True)
            case UniqueAdded(table=table, unique=unique):
                names[change] = (place, unique.name or standard_name(unique, Place(table, ())))
            case IndexAdded(index=index):
                names[change] = (place, index.name)
            case TableAdded(table=table) | TableRenamed(table=table):
                names[change] = (place, table.name)
            case ColumnNullabilityChanged(column=column) if (word := _conflict(column.native)) is not None:
                found[change] = Obstacle(
                    f"NOT NULL ON CONFLICT {word} can be given by CREATE TABLE only.", by_copy=True
                )
            case ColumnDefaultChanged(table=table, before=before, column=column):
                trigger = firing_trigger(table, column.name, before.default, connection, schema=place)
                if trigger is not None:
                    why = f"Rows that have the default must be written again: the trigger {trigger} would fire."
                    found[change] = Obstacle(why, by_copy=True)
            case _:
                pass
    found.update(rivals(Claim(one, name, (lower(where), lower(name))) for one, (where, name) in names.items()))
    for place in {place for place, _ in names.values()}:
        held = _holders(connection, place, [name for where, name in names.values() if where == place])
        for change, (where, name) in names.items():
            if where == place and lower(name) in held:
                type_, holder = held[lower(name)]
                if type_ == "table" and isinstance(change, TableAdded):
                    # The table itself, in another case of letters: what is meant is for its owner to say.
                    continue
                what = f"an index of table {holder}" if type_ == "index" else f"the {type_} {holder}"
                index_of = TableName(holder, change.table.schema) if type_ == "index" else None
                found[change] = Obstacle(f"The name {name} is taken by {what}.", index_of)
    return found


def _holders(connection: sa.Connection, schema: str, names: Collection[str]) -> dict[str, tuple[str, str]]:
    """The kind and the table of what has one of the names, by its name in lower case.

    Indexes share names with tables and views, whatever their case.
    """
    rows = executor(connection)(
        f"SELECT type, name, tbl_name FROM {quoted(schema)}.sqlite_master"  # noqa: S608
        " WHERE type <> 'trigger' AND lower(name) IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted({lower(name) for name in names})),),
    )
    return {lower(name): (str(type_), str(table)) for type_, name, table in rows}


def _conflict(native: object) -> str | None:
    """The conflict clause that a declared column gives its NOT NULL, where it is not the default one."""
    if not isinstance(native, sa.Column) or native.nullable or not native.dialect_kwargs:
        return None
    word = native.dialect_options["sqlite"].get("on_conflict_not_null")
    return None if word is None or str(word).upper() == "ABORT" else str(word).upper()


def relations(names: Collection[str], schema: str | None) -> sa.Select[Any]:
    """See SqlDialect. Names are one whatever their case; a trigger takes a name from no table, an index does."""
    entry = sa.table("sqlite_master", *map(sa.column, ("name", "type", "rootpage")), schema=schema)
    folded: sa.Function[str] = sa.func.lower(entry.c.name)
    virtual = sa.and_(entry.c.type == "table", entry.c.rootpage == 0)
    kind = sa.case((virtual, "virtual table"), else_=entry.c.type)
    return sa.select(folded.label("name"), kind.label("kind")).where(
        folded.in_(sorted(map(str.lower, names))), entry.c.type != "trigger"
    )
