"""Tables for contract tests, from kinds of column: domain values alone, as any adapter could have made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from framework_m_migrations.domain.changes import Change, ColumnTypeChanged
from framework_m_migrations.domain.diff import diff_table
from framework_m_migrations.domain.operations import CreateTable
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.ownership import OwnedTable
from framework_m_migrations.domain.risk.facts import TypeChange
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    ColumnType,
    ForeignKey,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    TableName,
    Unique,
)
from framework_m_migrations.ports.session import Session


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds tables in an adapter's spelling of types."""

    types: Mapping[str, ColumnType]

    def column(
        self, name: str, kind: str, *, nullable: bool = True, default: str | None = None, fill: str | None = None
    ) -> Column:
        """A column; ``kind`` is one of harness.KINDS. No ``native`` comes along."""
        return Column(name, replace(self.types[kind], native=None), nullable=nullable, default=default, fill=fill)

    def table(
        self,
        name: str | TableName,
        *columns: Column,
        indexes: Sequence[Index] = (),
        uniques: Sequence[Unique] = (),
        checks: Sequence[Check] = (),
        foreign_keys: Sequence[ForeignKey] = (),
    ) -> Table:
        """A table with a primary key ``id`` (integer) before the given columns."""
        identifier = self.column("id", "integer", nullable=False)
        return Table(
            TableName(name) if isinstance(name, str) else name,
            (identifier, *columns),
            PrimaryKey(("id",)),
            indexes=tuple(indexes),
            uniques=tuple(uniques),
            checks=tuple(checks),
            foreign_keys=tuple(foreign_keys),
        )


def index(name: str, *columns: str, unique: bool = False, where: str | None = None) -> Index:
    """An index over columns."""
    return Index(name, tuple(IndexKey(column) for column in columns), unique=unique, where=where)


def creation(table: Table) -> CreateTable:
    """The creation of a table with all its foreign keys."""
    return CreateTable(table, table.foreign_keys)


def create(session: Session, *tables: Table) -> None:
    """Create tables in one transaction."""
    with session.transaction(Limits(10)):
        for table in tables:
            session.executor.apply(creation(table))


def read(session: Session, name: str | TableName) -> Table:
    """A table as the inspector sees it; KeyError where there is none."""
    wanted = TableName(name) if isinstance(name, str) else name
    with session.reading():
        return session.inspector.read([wanted]).tables[wanted]


def expect_columns(session: Session, table: Table, *names: str) -> None:
    """Fail where a table has other columns, or has them in another order although the database keeps one."""
    found, wanted = [column.name for column in table.columns], list(names)
    if not session.capabilities.column_order:
        found, wanted = sorted(found), sorted(wanted)
    assert found == wanted, f"table {table.name} was expected to have the columns {wanted}, and has {found}"


def differences(session: Session, *wanted: Table) -> list[Change]:
    """How the database differs from the wanted tables, after the spelling was made the database's own."""
    found: list[Change] = []
    with session.reading():
        catalog = session.inspector.read([table.name for table in wanted])
        pairs = [(table, catalog.tables[table.name]) for table in wanted]
        for table, respelt in zip(wanted, session.inspector.normalise(pairs), strict=True):
            actual = catalog.tables[table.name]
            everything_ours = OwnedTable.of(actual, "contract", "created")
            found += [
                change
                for change in diff_table(respelt, actual, everything_ours, session.capabilities)
                if not (
                    isinstance(change, ColumnTypeChanged)
                    and session.inspector.type_change(change.table, change.before, change.column) is TypeChange.EQUAL
                )
            ]
    return found
