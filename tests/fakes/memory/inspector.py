"""Reads a memory database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from framework_m_migrations.domain.changes import Change, IndexAdded
from framework_m_migrations.domain.privileges import Needs
from framework_m_migrations.domain.risk.conflicts import Claim, Obstacle, rivals
from framework_m_migrations.domain.risk.drop_blockers import held_by_keys
from framework_m_migrations.domain.risk.facts import FactKind, Facts, Question, Size, TypeChange
from framework_m_migrations.domain.schema import Catalog, Column, SchemaObject, Table, TableName
from tests.fakes.memory.additive import index_names
from tests.fakes.memory.database import MemoryConnection
from tests.fakes.memory.expressions import OPAQUE, CannotTell, constant
from tests.fakes.memory.rules import duplicated, orphaned, violated
from tests.fakes.memory.spelling import canonical
from tests.fakes.memory.state import MemoryState, Row
from tests.fakes.memory.types import compare_types


class MemoryInspector:
    """Implements ports.inspector.Inspector.

    Args:
        connection: to read through.
    """

    def __init__(self, connection: MemoryConnection) -> None:
        self._connection = connection

    def catalog_token(self) -> str | None:
        """The number of the last change of the catalog."""
        return str(self._connection.state.token)

    def read(self, tables: Collection[TableName] | None = None) -> Catalog:
        """The named tables, all when None."""
        state = self._connection.state
        schemas = {None, *(name.schema for name in tables or ())}
        names = frozenset(name for name in state.tables if tables is None or name.schema in schemas)
        wanted = names if tables is None else frozenset(tables)
        found = {name: table for name, table in state.tables.items() if name in wanted}
        return Catalog(found, names, dict(state.enums))

    def normalise(self, pairs: Sequence[tuple[Table, Table]]) -> list[Table]:
        """The wanted tables with types and expressions in this database's spelling."""
        return [canonical(wanted) for wanted, _ in pairs]

    def type_change(
        self,
        table: TableName,
        before: Column,
        after: Column,
    ) -> TypeChange:
        """What turning ``before`` into ``after`` would do."""
        return compare_types(before.type, after.type)

    def ask(self, questions: Collection[Question]) -> Facts:
        """Answers; those that this database cannot work out are left out."""
        answers: dict[Question, int] = {}
        for question in questions:
            try:
                answer = _answer(self._connection.state, question)
            except CannotTell:
                continue
            if answer is not None:
                answers[question] = answer
        return answers

    def obstacles(self, changes: Sequence[Change]) -> Mapping[Change, Obstacle]:
        """Names of indexes that other tables have given to theirs, or are about to."""
        added = [change for change in changes if isinstance(change, IndexAdded)]
        found = rivals(Claim(change, change.index.name, (change.table.schema, change.index.name)) for change in added)
        for change in added:
            holder = index_names(self._connection.state, change.table.schema).get(change.index.name)
            if holder is not None:
                why = f"The name {change.index.name} is taken by an index of table {holder}."
                found[change] = Obstacle(why, holder)
        return found

    def dependents(self, drops: Sequence[Change]) -> Mapping[Change, Obstacle]:
        """Foreign keys of tables that stay: nothing else depends on anything here."""
        tables = self._connection.state.tables.values()
        return held_by_keys(drops, ((table.name, key) for table in tables for key in table.foreign_keys))

    def objects(self, wanted: Sequence[SchemaObject]) -> Sequence[tuple[SchemaObject, SchemaObject | None]]:
        """See the port: this database has no such objects, and needs none."""
        return [(one, one) for one in wanted]

    def surplus(
        self, pairs: Sequence[tuple[Table, Table]], objects: Collection[SchemaObject] = ()
    ) -> Mapping[TableName, tuple[str, ...]]:
        """Nothing: there are no triggers here."""
        del pairs, objects
        return {}

    def sizes(self, tables: Collection[TableName]) -> Mapping[TableName, Size]:
        """The rows that there are."""
        rows = self._connection.state.rows
        return {name: Size(len(rows.get(name, ())), None) for name in tables if name in self._connection.state.tables}

    def missing_privileges(self, needed: Needs | None = None) -> tuple[str, ...]:
        """What stands against DDL."""
        if needed is not None:
            return self._connection.database.missing_rights
        return ("The memory database takes no writes.",) if self._connection.database.read_only else ()


def _assumed(rows: Sequence[Row], assuming: Sequence[tuple[str, str, str]]) -> Sequence[Row]:
    extra: dict[str, object] = {}
    for name, _, sql in assuming:
        value = constant(sql)
        if value is OPAQUE:
            raise CannotTell(sql)
        extra[name] = value
    return [{**row, **extra} for row in rows] if extra else rows


def _answer(state: MemoryState, question: Question) -> int | None:
    table = state.tables.get(question.table)
    if table is None:
        return None
    rows = _assumed(state.rows.get(question.table, ()), question.assuming)
    known = {column.name for column in table.columns} | {name for name, _, _ in question.assuming}
    if not known.issuperset(question.columns):
        return None
    match question.kind:
        case FactKind.HAS_ROWS:
            return int(bool(rows))
        case FactKind.NULLS:
            return int(any(row[column] is None for row in rows for column in question.columns))
        case FactKind.DUPLICATES:
            return int(duplicated(question.columns, rows, question.detail, nulls_agree=question.nulls_agree))
        case FactKind.LONGEST:
            return _longest(rows, question.columns)
        case FactKind.VIOLATIONS:
            return None if question.detail is None else int(violated(question.detail, rows))
        case FactKind.ORPHANS:
            if question.target is None or question.target not in state.tables:
                return None
            partners = state.rows.get(question.target, ())
            return int(orphaned(rows, question.columns, partners, question.target_columns))


def _longest(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> int:
    return max((len(str(row[column])) for row in rows for column in columns if row[column] is not None), default=0)
