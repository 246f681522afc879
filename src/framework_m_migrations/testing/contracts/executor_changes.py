"""What every executor must do with indexes, constraints, types and enumerations, as far as its database can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    ColumnType,
    EnumType,
    ForeignKey,
    Index,
    IndexKey,
    Table,
    TableName,
    Unique,
)
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing.contracts.base import DatabaseContract
from framework_m_migrations.testing.contracts.executor_tables import add
from framework_m_migrations.testing.harness import Harness
from framework_m_migrations.testing.obligations import obligation
from framework_m_migrations.testing.tables import Builder, create, differences, index, read

ITEMS = TableName("items")


class ExecutorChangesContract(DatabaseContract):
    """Obligations of ports.executor.Executor for what is added to a table that exists and holds rows."""

    @pytest.fixture
    def items(self, harness: Harness, build: Builder) -> Table:
        """A table with two rows that agree in ``kind`` and have a NULL in ``note``."""
        table = build.table("items", build.column("kind", "string(50)"), build.column("note", "string(100)"))
        harness.run(lambda session: create(session, table, build.table("owners")))
        harness.insert(ITEMS, [{"id": 1, "kind": "a", "note": "x"}, {"id": 2, "kind": "a", "note": None}])
        return table

    def _unchanged(self, harness: Harness, table: Table) -> None:
        """The table is as it was, with its rows."""
        harness.run(lambda session: _assert_equal(session, table))
        assert sorted(row["id"] for row in harness.rows(ITEMS)) == [1, 2]  # type: ignore[type-var]

    def _apply(self, harness: Harness, *operations: o.AdditiveOperation) -> None:
        harness.run(lambda session: add(session, *operations))

    def _able(self, harness: Harness, capability: str) -> bool:
        able: bool = harness.run(lambda session: getattr(session.capabilities, capability))
        if not able:
            self.not_applicable(capability)
        return able

    @obligation("executor.create-index.reads-back")
    def test_indexes_are_created(self, harness: Harness, items: Table) -> None:
        """Plain, composite, unique and partial indexes and one over an expression are created and read back equal."""
        able = harness.run(lambda session: session.capabilities)
        indexes = [
            index("ix_both", "note", "kind"),
            index("ix_kind", "kind"),
            *([Index("ix_lower", (IndexKey(None, "lower(kind)"),))] if able.expression_indexes else []),
            *([index("ix_part", "kind", where="note IS NOT NULL")] if able.partial_indexes else []),
            index("ix_unique", "note", unique=True),
        ]
        self._apply(harness, *(o.CreateIndex(ITEMS, item) for item in indexes))
        harness.run(lambda session: _assert_equal(session, replace(items, indexes=tuple(indexes))))

    @obligation("executor.create-index.unique-refused")
    def test_a_unique_index_over_duplicates_is_refused(self, harness: Harness, items: Table) -> None:
        """A unique index over rows that agree raises DatabaseError and leaves nothing behind."""
        with pytest.raises(DatabaseError):
            self._apply(harness, o.CreateIndex(ITEMS, index("ix_kind", "kind", unique=True)))
        self._unchanged(harness, items)

    @obligation("executor.create-index.exists")
    @pytest.mark.usefixtures("items")
    def test_an_index_that_exists_is_an_error(self, harness: Harness) -> None:
        """Creating an index whose name is taken raises DatabaseError."""
        self._apply(harness, o.CreateIndex(ITEMS, index("ix_kind", "kind")))
        with pytest.raises(DatabaseError):
            self._apply(harness, o.CreateIndex(ITEMS, index("ix_kind", "note")))

    @obligation("executor.create-index.online")
    def test_an_index_is_built_online(self, harness: Harness, items: Table) -> None:
        """An online index is built outside any transaction and is valid afterwards."""
        if not self._able(harness, "online_index"):
            return
        wanted = index("ix_online", "kind")

        def work(session: Session) -> None:
            with session.autocommit():
                session.executor.apply(o.CreateIndex(ITEMS, wanted, online=True))
            _assert_equal(session, replace(items, indexes=(wanted,)))
            assert read(session, ITEMS).indexes[0].valid

        harness.run(work)

    @obligation("executor.add-unique.reads-back")
    def test_a_unique_constraint_is_added(self, harness: Harness, items: Table) -> None:
        """A unique constraint is added to a table with rows, read back and enforced."""
        if not self._able(harness, "alter_constraints"):
            return
        unique = Unique("uq_note", ("note",))
        self._apply(harness, o.AddUnique(ITEMS, unique))
        harness.run(lambda session: _assert_equal(session, replace(items, uniques=(unique,))))
        with pytest.raises(Exception, match=r"."):
            harness.insert(ITEMS, [{"id": 3, "note": "x"}])

    @obligation("executor.add-unique.refused")
    def test_a_unique_constraint_over_duplicates_is_refused(self, harness: Harness, items: Table) -> None:
        """A unique constraint over rows that agree raises DatabaseError and leaves nothing behind."""
        if not self._able(harness, "alter_constraints"):
            return
        with pytest.raises(DatabaseError):
            self._apply(harness, o.AddUnique(ITEMS, Unique("uq_kind", ("kind",))))
        self._unchanged(harness, items)

    @obligation("executor.add-unique.via-index")
    def test_a_unique_constraint_adopts_an_index(self, harness: Harness, items: Table) -> None:
        """A unique constraint takes over a unique index that exists, without building it again."""
        if not self._able(harness, "unique_via_index"):
            return
        unique = Unique("uq_note", ("note",))
        self._apply(harness, o.CreateIndex(ITEMS, index("uq_note", "note", unique=True)))
        self._apply(harness, o.AddUnique(ITEMS, unique, via_index="uq_note"))
        harness.run(lambda session: _assert_equal(session, replace(items, uniques=(unique,))))

    @obligation("executor.add-check.reads-back")
    def test_a_check_is_added(self, harness: Harness, items: Table) -> None:
        """A check is added to a table with rows, read back and enforced."""
        if not self._able(harness, "alter_constraints"):
            return
        check = Check("ck_id", "id > 0")
        self._apply(harness, o.AddCheck(ITEMS, check))
        harness.run(lambda session: _assert_equal(session, replace(items, checks=(check,))))
        with pytest.raises(Exception, match=r"."):
            harness.insert(ITEMS, [{"id": -1}])

    @obligation("executor.add-check.refused")
    def test_a_check_that_rows_break_is_refused(self, harness: Harness, items: Table) -> None:
        """A check that rows break raises DatabaseError and leaves nothing behind."""
        if not self._able(harness, "alter_constraints"):
            return
        with pytest.raises(DatabaseError):
            self._apply(harness, o.AddCheck(ITEMS, Check("ck_id", "id > 1")))
        self._unchanged(harness, items)

    @obligation("executor.add-foreign-key.reads-back")
    def test_a_foreign_key_is_added(self, harness: Harness, items: Table) -> None:
        """A foreign key with its actions is added to a table with rows and read back."""
        if not self._able(harness, "alter_constraints"):
            return
        harness.insert(TableName("owners"), [{"id": 1}, {"id": 2}])
        key = ForeignKey("fk_owner", ("id",), TableName("owners"), ("id",), "CASCADE")
        self._apply(harness, o.AddForeignKey(ITEMS, key))
        harness.run(lambda session: _assert_equal(session, replace(items, foreign_keys=(key,))))

    @obligation("executor.add-foreign-key.refused")
    def test_a_foreign_key_that_rows_break_is_refused(self, harness: Harness, items: Table) -> None:
        """A foreign key that rows break raises DatabaseError and leaves nothing behind."""
        if not self._able(harness, "alter_constraints"):
            return
        key = ForeignKey("fk_owner", ("id",), TableName("owners"), ("id",))
        with pytest.raises(DatabaseError):
            self._apply(harness, o.AddForeignKey(ITEMS, key))
        self._unchanged(harness, items)

    @obligation("executor.validate.later")
    @pytest.mark.usefixtures("items")
    def test_constraints_are_validated_later(self, harness: Harness) -> None:
        """A check or foreign key added without validation is not valid, refuses bad rows when validated, then holds."""
        if not self._able(harness, "deferred_validation"):
            return
        check = Check("ck_note", "note IS NOT NULL")
        key = ForeignKey("fk_owner", ("id",), TableName("owners"), ("id",))
        self._apply(harness, o.AddCheck(ITEMS, check, validate=False))
        self._apply(harness, o.AddForeignKey(ITEMS, key, validate=False))
        found = harness.run(lambda session: read(session, ITEMS))
        assert [item.valid for item in found.checks] == [item.valid for item in found.foreign_keys] == [False]
        for constraint in (check, key):
            with pytest.raises(DatabaseError):
                self._apply(harness, o.ValidateConstraint(ITEMS, constraint))
        harness.insert(TableName("owners"), [{"id": 1}, {"id": 2}])
        self._apply(harness, o.ValidateConstraint(ITEMS, key))
        assert harness.run(lambda session: read(session, ITEMS)).foreign_keys[0].valid

    @obligation("executor.alter-type.widening")
    def test_a_type_is_widened(self, harness: Harness, build: Builder, items: Table) -> None:
        """A column is widened; rows keep their values, and the new type is read back."""
        if not self._able(harness, "alter_column"):
            return
        wider = build.column("kind", "string(100)")
        self._apply(harness, o.AlterType(ITEMS, items.columns[1], wider))
        columns = (items.columns[0], wider, items.columns[2])
        harness.run(lambda session: _assert_equal(session, replace(items, columns=columns)))
        assert [row["kind"] for row in harness.rows(ITEMS)] == ["a", "a"]

    @obligation("executor.set-not-null.empty-table")
    def test_not_null_is_set_on_an_empty_table(self, harness: Harness, build: Builder) -> None:
        """NULL is forbidden in a column of an empty table."""
        if not self._able(harness, "alter_column"):
            return
        empty = build.table("empty", build.column("note", "text"))
        harness.run(lambda session: create(session, empty))
        strict = build.column("note", "text", nullable=False)
        self._apply(harness, o.SetNotNull(empty.name, strict))
        wanted = replace(empty, columns=(empty.columns[0], strict))
        harness.run(lambda session: _assert_equal(session, wanted))

    @obligation("executor.set-not-null.refused")
    def test_not_null_over_nulls_is_refused(self, harness: Harness, build: Builder, items: Table) -> None:
        """Forbidding NULL where a row has one raises DatabaseError and changes nothing."""
        if not self._able(harness, "alter_column"):
            return
        with pytest.raises(DatabaseError):
            self._apply(harness, o.SetNotNull(ITEMS, build.column("note", "string(100)", nullable=False)))
        self._unchanged(harness, items)

    @obligation("executor.set-default.both-ways")
    def test_a_default_is_set_and_taken_away(self, harness: Harness, build: Builder, items: Table) -> None:
        """A default is given to a column, changed and taken away; rows that exist are left alone."""
        if not self._able(harness, "alter_column"):
            return
        before = items.columns[2]
        for value in ("it's 5% :x", "other", None):
            default = None if value is None else harness.literal(value)
            after = build.column("note", "string(100)", default=default)
            self._apply(harness, o.SetDefault(ITEMS, before, after))
            columns = (*items.columns[:2], after)
            harness.run(_equality(replace(items, columns=columns)))
            before = after
        assert [row["note"] for row in sorted(harness.rows(ITEMS), key=_identifier)] == ["x", None]

    @obligation("executor.set-comment.both-ways")
    def test_comments_are_set_and_taken_away(self, harness: Harness, items: Table) -> None:
        """Tables and columns get comments and lose them, whatever characters they have."""
        if not self._able(harness, "comments"):
            return
        for comment in ("it's 100% :x", "other", None):
            self._apply(harness, o.SetComment(ITEMS, None, comment), o.SetComment(ITEMS, "kind", comment))
            columns = (items.columns[0], replace(items.columns[1], comment=comment), items.columns[2])
            harness.run(_equality(replace(items, columns=columns, comment=comment)))

    @obligation("executor.enum.values")
    def test_enumerations_grow(self, harness: Harness, build: Builder) -> None:
        """An enumeration is created, labels are added at their place, and adding one that exists does nothing."""
        if not self._able(harness, "named_enums"):
            return
        name = TableName("tier")
        self._apply(harness, o.CreateEnum(EnumType(name, ("silver", "it's gold"))))
        for label in (
            o.AddEnumValue(name, "platinum"),
            o.AddEnumValue(name, "bronze", before="silver"),
            o.AddEnumValue(name, "steel", after="silver"),
            o.AddEnumValue(name, "steel", after="silver"),
        ):
            self._apply(harness, label)
        column = Column("tier", ColumnType("tier", base="tier", enum=name))
        table = build.table("ranked", column)
        harness.run(lambda session: create(session, table))

        def labels(session: Session) -> tuple[str, ...]:
            with session.reading():
                return session.inspector.read([table.name]).enums[name].values

        assert harness.run(labels) == ("bronze", "silver", "steel", "it's gold", "platinum")
        found = harness.run(lambda session: read(session, table.name)).column("tier")
        assert found is not None
        assert found.type.enum == name


def _assert_equal(session: Session, wanted: Table) -> None:
    assert differences(session, wanted) == []


def _equality(wanted: Table) -> Callable[[Session], None]:
    return lambda session: _assert_equal(session, wanted)


def _identifier(row: dict[str, object]) -> str:
    return str(row["id"])
