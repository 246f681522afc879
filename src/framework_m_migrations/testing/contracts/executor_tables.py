"""What every executor must do with tables."""

from __future__ import annotations

import pytest

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.schema import (
    Check,
    ForeignKey,
    PrimaryKey,
    Table,
    TableName,
    Unique,
)
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing.contracts.base import DatabaseContract
from framework_m_migrations.testing.harness import Harness
from framework_m_migrations.testing.obligations import obligation
from framework_m_migrations.testing.tables import Builder, create, differences, index, read

NAMES = ["order", "group", "user", "select", "drop", "firstName", "two words", "a.dot", "größe", 'quo"te', "a%b", "a:b"]


def add(session: Session, *operations: o.AdditiveOperation) -> None:
    """Apply operations in one transaction."""
    with session.transaction(Limits(10)):
        for operation in operations:
            session.executor.apply(operation)


def rich_table(build: Builder, name: str = "rich") -> Table:
    """A table with one of everything that needs no other table."""
    return build.table(
        name,
        build.column("title", "string(50)", nullable=False, default="'untitled'"),
        build.column("body", "text"),
        build.column("amount", "decimal(10,2)", nullable=False),
        build.column("big", "bigint"),
        build.column("on_sale", "boolean"),
        build.column("data", "json"),
        build.column("seen", "datetime"),
        indexes=[
            index(f"ix_{name}_title", "title"),
            index(f"ix_{name}_pair", "title", "amount"),
            index(f"ix_{name}_big", "big", unique=True),
        ],
        uniques=[Unique(f"uq_{name}_title_big", ("title", "big"))],
        checks=[Check(f"ck_{name}_amount", "amount >= 0")],
    )


class ExecutorTablesContract(DatabaseContract):
    """Obligations of ports.executor.Executor for new tables, made of domain values without anything native."""

    @obligation("executor.create-table.reads-back")
    def test_a_created_table_reads_back_as_it_was_wanted(self, harness: Harness, build: Builder) -> None:
        """A table made from domain values alone is read back equal, with all that belongs to it."""

        def work(session: Session) -> None:
            wanted = rich_table(build)
            create(session, wanted)
            assert differences(session, wanted) == []

        harness.run(work)

    @obligation("executor.create-table.rules-hold")
    def test_a_created_table_enforces_its_rules(self, harness: Harness, build: Builder) -> None:
        """NOT NULL, unique, check and primary key of a created table are enforced; its defaults are given."""
        harness.run(lambda session: create(session, rich_table(build)))
        name = TableName("rich")
        harness.insert(name, [{"id": 1, "amount": 1, "big": 7}])
        assert harness.rows(name)[0]["title"] == "untitled"
        for broken in (
            {"id": 2, "amount": None},
            {"id": 1, "amount": 1},
            {"id": 2, "amount": -1},
            {"id": 2, "amount": 1, "big": 7},
        ):
            with pytest.raises(Exception, match=r"."):
                harness.insert(name, [broken])
        assert len(harness.rows(name)) == 1

    @obligation("executor.create-table.composite-key")
    def test_a_composite_primary_key_keeps_its_order(self, harness: Harness, build: Builder) -> None:
        """A primary key over several columns is read back in key order."""

        def work(session: Session) -> None:
            columns = (build.column("a", "integer", nullable=False), build.column("b", "integer", nullable=False))
            create(session, Table(TableName("pairs"), columns, PrimaryKey(("b", "a"))))
            assert read(session, "pairs").primary_key == PrimaryKey(("b", "a"))

        harness.run(work)

    @obligation("executor.create-table.foreign-keys")
    def test_a_created_table_refers_to_others_and_to_itself(self, harness: Harness, build: Builder) -> None:
        """Foreign keys in CREATE TABLE are read back, with ON DELETE, ON UPDATE and a reference to the table itself."""

        def work(session: Session) -> None:
            parent = build.table("parent")
            child = build.table(
                "child",
                build.column("parent_id", "integer"),
                build.column("next_id", "integer"),
                foreign_keys=[
                    ForeignKey("fk_up", ("parent_id",), TableName("parent"), ("id",), "CASCADE", "SET NULL"),
                    ForeignKey("fk_next", ("next_id",), TableName("child"), ("id",)),
                ],
            )
            create(session, parent, child)
            assert differences(session, parent, child) == []

        harness.run(work)

    @obligation("executor.create-table.only-keys-asked-for")
    def test_foreign_keys_left_out_are_not_made(self, harness: Harness, build: Builder) -> None:
        """CREATE TABLE carries the foreign keys of the operation, not all those of the definition."""

        def work(session: Session) -> None:
            key = ForeignKey("fk_later", ("other_id",), TableName("other"), ("id",))
            table = build.table("early", build.column("other_id", "integer"), foreign_keys=[key])
            add(session, o.CreateTable(table, ()))
            assert read(session, "early").foreign_keys == ()

        harness.run(work)

    @obligation("executor.create-table.exists")
    def test_a_table_that_exists_is_an_error(self, harness: Harness, build: Builder) -> None:
        """Creating a table that exists raises DatabaseError and leaves the existing one, with its rows, as it was."""
        harness.run(lambda session: create(session, build.table("taken", build.column("note", "text"))))
        harness.insert(TableName("taken"), [{"id": 1, "note": "mine"}])

        def work(session: Session) -> None:
            with pytest.raises(DatabaseError):
                create(session, build.table("taken", build.column("other", "text")))
            assert read(session, "taken").column("note") is not None
            assert read(session, "taken").column("other") is None

        harness.run(work)
        assert harness.rows(TableName("taken")) == [{"id": 1, "note": "mine"}]

    @obligation("executor.create-table.schema")
    def test_a_table_in_another_schema(self, harness: Harness, build: Builder) -> None:
        """A table named with a schema is made there, beside one of the same name in the default schema."""
        if harness.other_schema is None:
            self.not_applicable("schemas")
            return
        there = TableName("twin", harness.other_schema)

        def work(session: Session) -> None:
            create(session, build.table("twin", build.column("here", "text")))
            create(session, build.table(there, build.column("there", "text")))
            assert read(session, there).column("there") is not None
            assert read(session, "twin").column("there") is None

        harness.run(work)

    @obligation("executor.names.quoted")
    @pytest.mark.parametrize("name", NAMES)
    def test_names_are_taken_as_they_are(self, harness: Harness, build: Builder, name: str) -> None:
        """Any identifier works for tables, columns, indexes and constraints: reserved words, mixed case, spaces."""

        def work(session: Session) -> None:
            quoted = harness.quote(name)
            wanted = build.table(
                name,
                build.column(name, "integer"),
                indexes=[index(f"ix {name}", name)],
                uniques=[Unique(f"uq {name}", (name,))],
                checks=[Check(f"ck {name}", f"{quoted} > 0")],
            )
            create(session, wanted)
            add(session, o.AddColumn(wanted.name, build.column(f"{name}2", "integer")))
            found = read(session, name)
            assert [column.name for column in found.columns] == ["id", name, f"{name}2"]
            assert f"ix {name}" in [item.name for item in found.indexes]
            assert [item.name for item in found.checks] == [f"ck {name}"]

        harness.run(work)
