"""What stands on tables and columns that are to be dropped, by SQLite's own judgement of a copy without rows.

DROP COLUMN is refused where a view or a trigger of the schema does not hold afterwards, or did not before
(https://www.sqlite.org/lang_altertable.html#alter_table_drop_column). DROP TABLE is not, and leaves them broken. Which
names mean what is SQLite's to say, so the drops are made in an empty database in memory with the same tables and views.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from framework_m_migrations.adapters.sql.dialects.sqlite.catalog import Execute
from framework_m_migrations.adapters.sql.dialects.sqlite.create_sql import UnreadableSql, read_table
from framework_m_migrations.adapters.sql.dialects.sqlite.tokens import NAME, WORD, lower, quoted, tokens, unquoted
from framework_m_migrations.domain.changes import Change, ColumnRemoved, TableRemoved
from framework_m_migrations.domain.dependents import Removal, held_by_keys, stands
from framework_m_migrations.domain.obstacles import Obstacle
from framework_m_migrations.domain.schema import ForeignKey, TableName

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
