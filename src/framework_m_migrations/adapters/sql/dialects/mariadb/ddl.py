"""How MariaDB says each operation: always in one statement, since each commits by itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any, Literal

import sqlalchemy as sa

from framework_m_migrations.adapters.sql import objects
from framework_m_migrations.adapters.sql.ddl import SharedForms, declared_table
from framework_m_migrations.adapters.sql.dialects.mariadb.errors import code_of
from framework_m_migrations.adapters.sql.dialects.mariadb.expressions import split_default
from framework_m_migrations.adapters.sql.dialects.mariadb.options import alterations, partitioning
from framework_m_migrations.adapters.sql.dialects.mariadb.spelling import key_text
from framework_m_migrations.adapters.sql.dialects.mariadb.text import (
    CHECK,
    COMMENT,
    DEFAULT,
    GENERATED,
    NAME,
    NULLITY,
    ON_UPDATE,
    OTHER,
    TYPE,
    ColumnDefinition,
    TableDefinition,
    literal,
    quoted,
    read_definition,
    tokens,
)
from framework_m_migrations.adapters.sql.dialects.mariadb.types import parse_type, type_change
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.naming import Constraint, Naming, Place
from framework_m_migrations.domain.risk.facts import TypeChange
from framework_m_migrations.domain.schema import Check, Column, ForeignKey, Generated, Index, Table, TableName, Unique


def chosen_name(constraint: Constraint, place: Place) -> str:
    """As the server: ``a``, ``a_2`` (unique), ``CONSTRAINT_1`` (check), ``t_ibfk_1`` (foreign key)."""
    taken = {name.lower() for name in place.own}
    if isinstance(constraint, Unique):
        first = constraint.columns[0]
        # PRIMARY is the primary key's name.
        if first.lower() not in {*taken, "primary"}:
            return first
        number = next(n for n in range(2, len(taken) + 3) if f"{first}_{n}".lower() not in taken)
        return f"{first}_{number}"
    if isinstance(constraint, Check):
        number = next(n for n in range(1, len(taken) + 2) if f"constraint_{n}" not in taken)
        return f"CONSTRAINT_{number}"
    numbers = [int(found[1]) for name in place.own if (found := _foreign_key(place.table).fullmatch(name))]
    return f"{place.table.name}_ibfk_{max(numbers, default=0) + 1}"


def is_chosen(table: TableName, foreign_key: str) -> bool:
    """Whether a foreign key of a table has a name that the server chose."""
    return _foreign_key(table).fullmatch(foreign_key) is not None


def _foreign_key(table: TableName) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(table.name)}_ibfk_(\d+)", re.IGNORECASE)


NAMING = Naming(chosen_name, written=(Unique, Check))
"""A foreign key whose DDL has a name gives it to its index too."""


# What a change makes of a column's definition.
#
# MODIFY COLUMN and CHANGE COLUMN replace a definition as a whole: a clause that is left out is lost. A change
# therefore starts from the clauses that the server prints, and replaces those that it is about.


_NOW = re.compile(r"(?P<clause>DEFAULT|ON UPDATE) (?:current_timestamp|now)(?:\(\d*\))?", re.IGNORECASE)
_COMPRESSED = re.compile(r"/\*M?!\d+ COMPRESSED[^*]*\*/")
_COMPRESSIBLE = re.compile(r"varchar|varbinary|\w*(text|blob)", re.IGNORECASE)
_CONSTANT = re.compile(r"$|DEFAULT (?:[-+.\d']|NULL|[bx]')", re.IGNORECASE)
_DIGITS = re.compile(r"\((\d)\)")
_JSON_CHECK = re.compile(r"CHECK \(json_valid\(`(?:[^`]|``)*`\)\)", re.IGNORECASE)
_MOMENTS = frozenset({"datetime", "timestamp"})

type Clauses = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """What is changed in a column; what is left at its default stays as the database has it.

    Args:
        rename: the new name.
        type: as DDL writes it.
        nullable: whether NULL is allowed.
        default: as DDL writes it, ``ON UPDATE`` included; None for none.
        comment: None for none.
        autoincrement: whether the server counts.
        generated: of kind ``computed``; None for an ordinary column.
    """

    rename: str | None = None
    type: str | None = None
    nullable: bool | None = None
    default: str | Literal[False] | None = False
    comment: str | Literal[False] | None = False
    autoincrement: bool | None = None
    generated: Generated | Literal[False] | None = False

    @property
    def only_renames(self) -> bool:
        """Whether the definition stays as it is."""
        return self == ColumnChange(rename=self.rename)

    @property
    def only_default(self) -> bool:
        """Whether nothing but the default changes."""
        return self == ColumnChange(default=self.default)


def changed(name: str, column: ColumnDefinition, change: ColumnChange) -> ColumnDefinition:
    """The definition after a change.

    Args:
        name: of the column, before the change.
        column: as the server prints it.
        change: what is wanted of it.
    """
    clauses: Clauses = {**column.clauses}
    if change.type is not None:
        clauses |= _retyped(column.clauses, change.type)
    if change.generated is not False:
        clauses |= _generated(change.generated)
    if change.default is not False:
        clauses |= _following(clauses[TYPE] or "", {**clauses, **default_clauses(change.default)}, (ON_UPDATE,))
    if change.nullable is not None and not clauses.get(GENERATED):
        clauses[NULLITY] = "NULL" if change.nullable else "NOT NULL"
    if clauses.get(NULLITY) == "NOT NULL" and (clauses.get(DEFAULT) or "").upper() == "DEFAULT NULL":
        clauses[DEFAULT] = None
    if change.comment is not False:
        clauses[COMMENT] = f"COMMENT {literal(change.comment)}" if change.comment else None
    if change.autoincrement is not None:
        others = (clauses.get(OTHER) or "").replace("AUTO_INCREMENT", "").split()
        clauses[OTHER] = " ".join([*(["AUTO_INCREMENT"] if change.autoincrement else []), *others])
    if change.rename is not None and (check := clauses.get(CHECK)):
        # The server reads the check of a column with the names that come after the change.
        clauses[CHECK] = _with_name(check, name, change.rename)
    return ColumnDefinition({kind: text for kind, text in clauses.items() if text})


def default_clauses(sql: str | None) -> Clauses:
    """DEFAULT and ON UPDATE for a server default, None for neither."""
    if sql is None:
        return {DEFAULT: None, ON_UPDATE: None}
    value, on_update = split_default(sql)
    return {
        DEFAULT: f"DEFAULT {objects.default_value(value)}" if value else None,
        ON_UPDATE: None if on_update is None else f"ON UPDATE {on_update}",
    }


def declared(column: Column) -> ColumnDefinition:
    """The definition of a column that only a model knows."""
    generated = column.generated
    clauses: Clauses = {TYPE: column.type.spelling}
    if generated is not None and generated.kind == "computed":
        clauses |= _generated(generated)
    else:
        clauses |= {NULLITY: None if column.nullable else "NOT NULL", **default_clauses(column.default_text)}
        clauses[OTHER] = "AUTO_INCREMENT" if generated is not None else None
    clauses[COMMENT] = f"COMMENT {literal(column.comment)}" if column.comment else None
    return ColumnDefinition({kind: text for kind, text in clauses.items() if text})


def is_virtual(column: ColumnDefinition) -> bool:
    """Whether the server computes the column when it is read. Such a column cannot become another kind in place."""
    return column.clauses.get(GENERATED, "").upper().endswith("VIRTUAL")


def _retyped(clauses: Mapping[str, str], type_: str) -> Clauses:
    new = parse_type(type_)
    found: Clauses = {TYPE: type_}
    compressed = _COMPRESSED.search(clauses[TYPE])
    if compressed is not None and _COMPRESSIBLE.fullmatch(new.base):
        found[TYPE] = f"{type_} {compressed[0]}"
    if _JSON_CHECK.fullmatch(clauses.get(CHECK, "")):
        # JSON brings this check along, and takes it away again.
        found[CHECK] = None
    if GENERATED in clauses:
        return found
    if new.base == "timestamp" and NULLITY not in clauses:
        # Depending on the server's settings a TIMESTAMP that says nothing is NOT NULL.
        found[NULLITY] = "NULL"
    if new.base not in _MOMENTS:
        found[ON_UPDATE] = None
        return found
    return found | _following(type_, clauses, (DEFAULT, ON_UPDATE), only_now=True)


def _following(
    type_: str, clauses: Mapping[str, str | None], kinds: tuple[str, ...], *, only_now: bool = False
) -> Clauses:
    """The clauses with as many digits of a second as the column has, which the server demands of ON UPDATE."""
    new = parse_type(type_)
    digits = _DIGITS.search(new.bare)
    found = {} if only_now else dict(clauses)
    for kind in kinds if new.base in _MOMENTS else ():
        now = _NOW.fullmatch(clauses.get(kind) or "")
        if now is not None:
            found[kind] = f"{now['clause']} current_timestamp({digits[1] if digits else ''})"
    return found


def _generated(generated: Generated | None) -> Clauses:
    if generated is None:
        return {GENERATED: None}
    kind = "STORED" if generated.stored else "VIRTUAL"
    said = f"GENERATED ALWAYS AS ({generated.expression}) {kind}"
    return {GENERATED: said, NULLITY: None, DEFAULT: None, ON_UPDATE: None, OTHER: None}


def _with_name(sql: str, before: str, after: str) -> str:
    parts, end = [], 0
    for item in tokens(sql):
        if item.kind == NAME and item.value.lower() == before.lower():
            parts += [sql[end : item.start], quoted(after)]
            end = item.end
    return "".join([*parts, sql[end:]])


# How MariaDB says each operation: always in one statement, since each commits by itself.
#
# Where the server can do it without stopping writers, LOCK=NONE demands just that: a server that cannot
# refuses, in the place of copying the table while everybody waits. LOCK=SHARED says where it cannot for what
# the table has: InnoDB builds no table anew beside writers that has an indexed virtual column, nor gives a
# column another NULL where one is stored.


_ONLINE, _SHARED = ", LOCK=NONE", ", LOCK=SHARED"
_REFUSE_ROWS = (
    "BEGIN NOT ATOMIC IF EXISTS (SELECT 1 FROM {0}) THEN SIGNAL SQLSTATE '45000' "
    "SET MESSAGE_TEXT = 'the rows of the table have no value for the new column'; END IF; END"
)
_NO_SUCH_TABLE = 1146
_INSTANT_KINDS = (TypeChange.EQUAL, TypeChange.WIDENING)


def is_changed_again(operations: Sequence[o.Operation]) -> bool:
    """Whether several operations change one column, whose definition each of them says whole."""
    found: Counter[tuple[TableName, str | None]] = Counter()
    for operation in operations:
        match operation:
            case o.AlterType(table=table, column=column) | o.SetNotNull(table=table, column=column):
                found[table, column.name] += 1
            case o.SetDefault(table=table, column=column):
                found[table, column.name] += 1
            case o.SetComment(table=table, column=str(name)):
                found[table, name] += 1
            case _:
                pass
    return any(count > 1 for count in found.values())


class Rehearsing:
    """Stands for a connection while a plan is written: changes of columns are remembered, and nothing is changed."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.remembered: dict[tuple[TableName, str], ColumnDefinition] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def exec_driver_sql(self, sql: str, *arguments: Any, **options: Any) -> Any:
        """What asks is sent; what changes something is not."""
        asks = sql.startswith(("SHOW", "SELECT"))
        return self._connection.exec_driver_sql(sql, *arguments, **options) if asks else StringIO()


class Writer:
    """Writes the statements of operations.

    Args:
        connection: to ask how a table is defined now; None for what needs no answer, where there is no database.
        text: of the session's dialect and schema.
        schema: the session's schema.
        demanding: to demand LOCK=NONE where the server is known to grant it. A revision leaves the way to the server.
    """

    def __init__(
        self, connection: sa.Connection | None, text: SqlText, *, schema: str | None, demanding: bool = True
    ) -> None:
        self._given: sa.Connection | Rehearsing | None = connection
        self._text = text
        self._schema = schema
        self._demanding = demanding

    @property
    def _connection(self) -> sa.Connection:
        if self._given is None:
            raise InvalidMetadata("How the table is defined now is not known without the database.")
        given: Any = self._given
        return given  # type: ignore[no-any-return]

    def additive(self, operation: o.AdditiveOperation) -> tuple[str, ...] | None:
        """The statements of an additive operation, None for the shared form."""
        match operation:
            case o.CreateTable(definition=table, foreign_keys=keys):
                return (self._create_table(table, keys),)
            case o.AddColumn(table=table, column=column):
                return tuple(self._add_column(table, column))
            case o.CreateIndex(table=table, index=index):
                online = "" if index.method is not None else self._online(table)
                return (f"{self._alter(table)} ADD {self._index(index)}{online}",)
            case o.AddForeignKey(table=table, foreign_key=key) if key.name is not None and is_chosen(table, key.name):
                return (self._add_chosen_key(operation, key),)
            case o.AddUnique(table=table, unique=unique):
                return (f"{self._alter(table)} ADD {objects.unique(self._text, unique)}{self._online(table)}",)
            case o.AlterType():
                return tuple(self._alter_type(operation))
            case o.SetNotNull(table=table, column=column):
                return self.alter_column(table, column, ColumnChange(nullable=False), online=True)
            case o.SetDefault(table=table, column=column):
                return self.alter_column(table, column, ColumnChange(default=column.default_text), online=True)
            case o.SetComment(table=table, column=None, comment=comment):
                return (f"{self._alter(table)} COMMENT = {literal(comment or '')}",)
            case o.SetComment(table=table, column=str(name), comment=comment):
                return self.alter_column(table, name, ColumnChange(comment=comment), online=True)
            case _:
                return None

    def destructive(self, operation: o.DestructiveOperation) -> tuple[str, ...] | None:
        """The statements of a destructive operation, None for the shared form."""
        match operation:
            case o.DropConstraint(table=table, constraint=name, kind="check"):
                return self._drop_check(table, name)
            case o.DropNotNull(table=table, column=column):
                return self.alter_column(table, column, ColumnChange(nullable=True), online=True)
            case _:
                return None

    def revision(self, operation: o.RevisionOperation) -> tuple[str, ...] | None:
        """The statements of what only a revision does, None for the shared form."""
        match operation:
            case o.RenameTable(before=before, table=table):
                return (f"{self._alter(before)} RENAME TO {self._text.table(table)}",) if before != table else ()
            case o.RenameColumn(table=table, before=before, column=column):
                return self.alter_column(table, before, ColumnChange(rename=column.name))
            case o.SetGenerated(table=table, before=before, column=column):
                return self.set_generated(table, column if before.name == column.name else before, column)
            case o.Backfill(table=table, column=column, value=str(value)):
                name = quoted(column.name)
                # What the server does when a row changes is no value.
                value = split_default(value)[0]
                return (f"UPDATE {self._text.table(table)} SET {name} = {value} WHERE {name} IS NULL",)  # noqa: S608 - quoted
            case _:
                return None

    def drop_column(self, found: Table, name: str) -> tuple[str, ...]:
        """A column with what stands on it, in one statement: foreign keys go before the indexes that serve them."""
        keys = [key for key in found.foreign_keys if name in key.columns]
        # A key of several columns would only lose this one.
        indexes = [index.name for index in found.indexes if any(key.column == name for key in index.keys)]
        indexes += [unique.name for unique in found.uniques if name in unique.columns and unique.name is not None]
        parts = [f"DROP FOREIGN KEY {quoted(key.name)}" for key in keys if key.name is not None]
        parts += [f"DROP INDEX {quoted(index)}" for index in indexes]
        parts.append(f"DROP COLUMN {quoted(name)}")
        return (f"{self._alter(found.name)} {', '.join(parts)}",)

    def drop_index(self, found: Table, name: str) -> tuple[str, ...]:
        """An index; one that serves a foreign key becomes that key's own, as the server would have made it."""
        keyed = {index.name: tuple(key.column for key in index.keys) for index in found.indexes}
        keyed |= {unique.name: unique.columns for unique in found.uniques if unique.name is not None}
        columns = keyed.pop(name, ())
        others = [*keyed.values(), found.primary_key.columns if found.primary_key is not None else ()]
        parts = [f"DROP INDEX {quoted(name)}"]
        for key in found.foreign_keys:
            size = len(key.columns)
            needed = columns[:size] == key.columns and all(other[:size] != key.columns for other in others)
            if needed and key.name is not None:
                parts.append(f"ADD INDEX {quoted(key.name)} {objects.column_list(self._text, key.columns)}")
        return (f"{self._alter(found.name)} {', '.join(parts)}",)

    def drop_foreign_key(self, found: Table, name: str) -> tuple[str, ...]:
        """A foreign key, with the index that the server made for it unless another foreign key needs it."""
        parts = [f"DROP FOREIGN KEY {quoted(name)}"]
        key = next((key for key in found.foreign_keys if key.name == name), None)
        definition = self._definition(found.name)
        # The index of a foreign key that the server named has the name of the first column.
        own = key.columns[0] if key is not None and is_chosen(found.name, name) else name
        columns = None if definition is None else definition.indexes.get(own)
        if key is not None and definition is not None and columns == key.columns:
            others = [index for other, index in definition.indexes.items() if other != own]
            others += [unique.columns for unique in found.uniques]
            others += [found.primary_key.columns] if found.primary_key is not None else []
            needed = any(
                columns[: len(other.columns)] == other.columns
                and all(index[: len(other.columns)] != other.columns for index in others)
                for other in found.foreign_keys
                if other.name != name
            )
            parts += [] if needed else [f"DROP INDEX {quoted(own)}"]
        return (f"{self._alter(found.name)} {', '.join(parts)}",)

    def _add_chosen_key(self, operation: o.AddForeignKey, key: ForeignKey) -> str:
        """A foreign key under the name that the server chose for it before, over an index as the server names one."""
        (said,) = SharedForms(self._text, comments=False).statements(operation)
        definition = self._definition(operation.table)
        indexes = {} if definition is None else definition.indexes
        others = () if definition is None else definition.keys
        if any(columns[: len(key.columns)] == key.columns for columns in (*indexes.values(), *others)):
            return said
        name = chosen_name(Unique(None, key.columns), Place(operation.table, (), [*indexes]))
        alter = self._alter(operation.table)
        index = f"ADD INDEX {quoted(name)} {objects.column_list(self._text, key.columns)}"
        return f"{alter} {index},{said.removeprefix(alter)}"

    def set_options(self, found: Table, operation: o.SetTableOptions) -> tuple[str, ...]:
        """Other options of a table, in one statement; partitions come last in it."""
        parts = list(alterations(operation.before, operation.options, found, self._definition(found.name)))
        partitioned = partitioning(operation.before, operation.options)
        said = " ".join(part for part in (", ".join(parts), partitioned) if part)
        return (f"{self._alter(found.name)} {said}",)

    def alter_column(
        self, table: TableName, column: Column | str, change: ColumnChange, *, online: bool = False
    ) -> tuple[str, ...]:
        """A change of one column, in one statement, everything else of it as the database has it.

        Args:
            table: where it is.
            column: the column, or its name. What the database does not have yet is as the column says.
            change: what becomes of it.
            online: the server does this without holding up writers.

        Raises:
            InvalidMetadata: there is no such column.
        """
        name = column if isinstance(column, str) else column.name
        if change.only_renames:
            return (f"{self._alter(table)} RENAME COLUMN {quoted(name)} TO {quoted(change.rename or name)}",)
        definition = self._definition(table)
        existing = self._existing(table, column, definition)
        new = changed(name, existing, change)
        if isinstance(self._given, Rehearsing):
            self._given.remembered[table, change.rename or name] = new
        # The server builds a table anew whose stored computed column is said again.
        online = online and GENERATED not in existing.clauses
        suffix = self._lock(definition, anew=change.nullable is not None, stored=True) if online else ""
        if suffix and change.nullable is False and not _CONSTANT.match(new.clauses.get(DEFAULT, "")):
            # With LOCK=NONE the server does not replace NULL by a default that it must compute.
            suffix = _SHARED
        if (
            change.only_default
            and DEFAULT in new.clauses
            and not (ON_UPDATE in new.clauses or ON_UPDATE in existing.clauses)
        ):
            said = f"ALTER COLUMN {quoted(name)} SET {new.clauses[DEFAULT]}"
        elif change.rename is not None:
            said = f"CHANGE COLUMN {quoted(name)} {quoted(change.rename)} {new.sql()}"
        else:
            # The additive path has no word for taking a default away: the column is said again without it.
            said = f"MODIFY COLUMN {quoted(name)} {new.sql()}"
        return (f"{self._alter(table)} {said}{suffix}",)

    def set_generated(self, table: TableName, column: Column | str, wanted: Column) -> tuple[str, ...]:
        """Make another kind of column of one: counted, computed, or neither.

        A virtual column has no values, and the server makes nothing else of it in place: it is made anew where it
        stands. It is stored first where its values are to stay.
        """
        definition = self._definition(table)
        name = column if isinstance(column, str) else column.name
        existing = self._existing(table, column, definition)
        generated = wanted.generated
        if generated is not None and generated.kind == "computed":
            new = changed(name, existing, ColumnChange(generated=generated))
            if is_virtual(existing) == is_virtual(new):
                return self._replaced(table, name, new)
            return (self._made_anew(table, name, new, definition),)
        change = ColumnChange(
            generated=None,
            nullable=wanted.nullable,
            default=None if generated is not None else wanted.default,
            autoincrement=generated is not None,
        )
        new = changed(name, existing, change)
        if not is_virtual(existing):
            return self._replaced(table, name, new)
        stored = {**existing.clauses, GENERATED: re.sub(r"VIRTUAL\Z", "STORED", existing.clauses[GENERATED])}
        return (
            self._made_anew(table, name, ColumnDefinition(stored), definition),
            *self._replaced(table, name, new),
        )

    def _replaced(self, table: TableName, name: str, new: ColumnDefinition) -> tuple[str, ...]:
        return (f"{self._alter(table)} MODIFY COLUMN {quoted(name)} {new.sql()}",)

    def _made_anew(self, table: TableName, name: str, new: ColumnDefinition, definition: TableDefinition | None) -> str:
        names = [] if definition is None else list(definition.columns)
        place = next((place for place, other in enumerate(names) if other.lower() == name.lower()), None)
        where = "" if place is None else " FIRST" if place == 0 else f" AFTER {quoted(names[place - 1])}"
        drop, add = f"DROP COLUMN {quoted(name)}", f"ADD COLUMN {quoted(name)} {new.sql()}{where}"
        return f"{self._alter(table)} {drop}, {add}"

    def _alter_type(self, operation: o.AlterType) -> Iterator[str]:
        table, before, column = operation.table, operation.before, operation.column
        if operation.using is not None:
            # The values are converted while the column still has its former type, which must hold them.
            yield f"UPDATE {self._text.table(table)} SET {quoted(column.name)} = {operation.using}"  # noqa: S608 - the model's own
        online = type_change(before.type, column.type) in _INSTANT_KINDS
        yield from self.alter_column(table, column, ColumnChange(type=self._type(column)), online=online)

    def _drop_check(self, table: TableName, name: str) -> tuple[str, ...] | None:
        """A check that is written at a column goes with a new definition of the column, whose name it has."""
        definition = self._definition(table)
        column = None if definition is None or name in definition.checks else definition.column(name)
        if column is None or CHECK not in column.clauses:
            return None
        bare = ColumnDefinition({kind: text for kind, text in column.clauses.items() if kind != CHECK})
        return self._replaced(table, name, bare)

    def _existing(self, table: TableName, column: Column | str, definition: TableDefinition | None) -> ColumnDefinition:
        name = column if isinstance(column, str) else column.name
        found = None if definition is None else definition.column(name)
        if found is None and isinstance(column, Column):
            # A plan shows what comes after a rename too.
            return declared(column)
        if found is None:
            raise InvalidMetadata(f"Table {table} has no column {name}.")
        return found

    def _alter(self, table: TableName) -> str:
        return f"ALTER TABLE {self._text.table(table)}"

    def _online(self, table: TableName, *, anew: bool = False) -> str:
        return self._lock(self._definition(table), anew=anew) if self._demanding else ""

    def _lock(self, definition: TableDefinition | None, *, anew: bool, stored: bool = False) -> str:
        """The clause for a table whose engine knows it.

        Args:
            definition: the table's.
            anew: the server may build the table anew.
            stored: it does not beside writers where a computed column is stored.
        """
        if not self._demanding or definition is None or definition.engine.lower() != "innodb":
            return ""
        computed = {name: one for name, one in definition.columns.items() if anew and GENERATED in one.clauses}
        held = (name in definition.indexed if is_virtual(one) else stored for name, one in computed.items())
        return _SHARED if any(held) else _ONLINE

    def _create_table(self, table: Table, keys: Sequence[ForeignKey]) -> str:
        native: Any = table.native
        natives: list[Any] = [key.native for key in keys]
        if isinstance(native, sa.Table) and all(key is not None for key in natives):
            compiler = _with_indexes(type(self._text.ddl))(self._text.dialect, None)
            compiler.inline = [self._index(index) for index in table.indexes]
            try:
                return str(compiler.process(declared_table(native, table, natives))).strip()
            except sa.exc.SQLAlchemyError as error:
                raise InvalidMetadata(f"This cannot be written as SQL: {error}") from error
        text = self._text
        lines = [self._column(column) for column in table.columns]
        if table.primary_key is not None:
            lines.append(objects.primary_key(text, replace(table.primary_key, name=None)))
        lines += [objects.unique(text, unique) for unique in table.uniques]
        lines += [self._index(index) for index in table.indexes]
        lines += [objects.check(text, check) for check in table.checks]
        lines += [objects.foreign_key(text, key) for key in keys]
        comment = f" COMMENT={literal(table.comment)}" if table.comment else ""
        body = ",\n\t".join(lines)
        return f"CREATE TABLE {text.table(table.name)} (\n\t{body}\n){comment}"

    def _index(self, index: Index) -> str:
        """An index as a part of CREATE TABLE or ALTER TABLE."""
        kind = "UNIQUE INDEX" if index.unique else f"{(index.method or '').upper()} INDEX".strip()
        keys = []
        for key in index.keys:
            if key.column is None:
                raise InvalidMetadata(f"Index {index.name} is over an expression, of which MariaDB has none.")
            keys.append(key_text(key.column, key.modifiers))
        parser = dict(index.options).get("parser")
        using = dict(index.options).get("using")
        suffix = ("" if parser is None else f" WITH PARSER {parser}") + ("" if using is None else f" USING {using}")
        return f"{kind} {quoted(index.name)} ({', '.join(keys)}){suffix}"

    def _column(self, column: Column, *, fill: str | None = None) -> str:
        default = column.default if column.default is not None else fill
        return f"{quoted(column.name)} {declared(replace(column, default=default)).sql()}"

    def _add_column(self, table: TableName, column: Column) -> Iterator[str]:
        bare = column.default is None and column.generated is None
        if bare and not column.nullable and column.fill is None:
            # The server would give rows that exist a zero or an empty text that nobody asked for.
            yield _REFUSE_ROWS.format(self._text.table(table))
        fill = column.fill if bare and not column.nullable else None
        said = SharedForms(self._text, comments=False).statements(o.AddColumn(table, column))[-1]
        if not isinstance(column.native, sa.Column):
            said = f"{self._alter(table)} ADD COLUMN {self._column(column, fill=fill)}"
        elif fill is not None and column.comment:
            said += f" COMMENT {literal(column.comment)}"
        quiet = not column.volatile_default and column.generated is None
        yield said + (self._online(table, anew=True) if quiet else "")

    def _type(self, column: Column) -> str:
        native: Any = column.native
        if isinstance(native, sa.Column):
            return self._text.type(native.type, native)
        return column.type.spelling

    def _definition(self, table: TableName) -> TableDefinition | None:
        """The table as the server prints it, None where there is none of this name."""
        try:
            found = read_definition(self._connection, self._text.table(table))
        except sa.exc.DBAPIError as error:
            if code_of(error) != _NO_SUCH_TABLE:
                raise
            return None
        if isinstance(self._given, Rehearsing):
            columns = {name: self._given.remembered.get((table, name), one) for name, one in found.columns.items()}
            found = replace(found, columns=columns)
        return found


def _with_indexes(base: type[Any]) -> type[Any]:
    """SQLAlchemy's compiler, which writes the indexes into CREATE TABLE: the server would commit them one by one."""

    class InlineIndexes(base):  # type: ignore[misc]
        inline: Sequence[str] = ()

        def create_table_constraints(self, table: sa.Table, **options: Any) -> str:
            said: str = super().create_table_constraints(table, **options)
            return ", \n\t".join(part for part in (said, *self.inline) if part)

    return InlineIndexes
