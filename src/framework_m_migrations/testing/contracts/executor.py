"""What every executor must do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.plan import LockLevel
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    ColumnType,
    EnumType,
    ForeignKey,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    TableName,
    Unique,
)
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing.contracts.base import DatabaseContract, failing
from framework_m_migrations.testing.harness import Harness
from framework_m_migrations.testing.obligations import obligation
from framework_m_migrations.testing.tables import Builder, create, creation, differences, expect_columns, index, read

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
        actions = ("CASCADE", "SET NULL") if self.able(harness, "key_actions") else ()

        def work(session: Session) -> None:
            parent = build.table("parent")
            child = build.table(
                "child",
                build.column("parent_id", "integer"),
                build.column("next_id", "integer"),
                foreign_keys=[
                    ForeignKey(
                        "fk_up",
                        ("parent_id",),
                        TableName("parent"),
                        ("id",),
                        *actions,
                    ),
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
            expect_columns(session, found, "id", name, f"{name}2")
            assert f"ix {name}" in [item.name for item in found.indexes]
            kept = f"ck {name}" if session.capabilities.constraint_names else None
            assert [item.name for item in found.checks] == [kept]

        harness.run(work)


# What every executor must do with columns, transactions and statements.


DEFAULTS = ["plain", "it's", "a:b :c", "100% %s %(x)s", 'say "hi"', "back\\slash", "", "DROP TABLE x"]
QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`""")


class ExecutorColumnsContract(DatabaseContract):
    """Obligations of ports.executor.Executor for columns, transactions and what is sent."""

    @obligation("executor.add-column.keeps-rows")
    def test_a_nullable_column_leaves_rows_alone(self, harness: Harness, build: Builder) -> None:
        """A nullable column is added to a table with rows: they keep their values and have NULL in it."""
        self._people(harness, build)

        def work(session: Session) -> None:
            add(session, o.AddColumn(TableName("people"), build.column("age", "integer")))
            assert read(session, "people").column("age") == build.column("age", "integer")

        harness.run(work)
        assert harness.rows(TableName("people")) == [{"id": 1, "name": "Ada", "age": None}]

    @obligation("executor.add-column.default")
    @pytest.mark.parametrize("value", DEFAULTS)
    def test_a_default_reaches_the_rows_that_exist(self, harness: Harness, build: Builder, value: str) -> None:
        """A NOT NULL column with a constant default is added to rows, whatever characters the default has."""
        self._people(harness, build)
        column = build.column("mark", "string(50)", nullable=False, default=harness.literal(value))

        def work(session: Session) -> None:
            add(session, o.AddColumn(TableName("people"), column))
            wanted = build.table("people", build.column("name", "text"), column)
            assert differences(session, wanted) == []

        harness.run(work)
        harness.insert(TableName("people"), [{"id": 2, "name": "Grace"}])
        assert [row["mark"] for row in harness.rows(TableName("people"))] == [value, value]

    @obligation("executor.add-column.fill")
    def test_a_fill_reaches_rows_and_stays_as_the_default(self, harness: Harness, build: Builder) -> None:
        """A NOT NULL column without default takes its fill for rows that exist, and keeps it as the server default."""
        self._people(harness, build)
        column = build.column("level", "integer", nullable=False, fill="3")

        def work(session: Session) -> None:
            add(session, o.AddColumn(TableName("people"), column))
            wanted = build.table("people", build.column("name", "text"), column)
            assert differences(session, wanted) == []
            assert not _column(session, "level").nullable

        harness.run(work)
        harness.insert(TableName("people"), [{"id": 2, "name": "Grace"}])
        assert [row["level"] for row in harness.rows(TableName("people"))] == [3, 3]

    @obligation("executor.add-column.refused")
    def test_a_column_that_rows_cannot_have_is_refused(self, harness: Harness, build: Builder) -> None:
        """NOT NULL without default or fill on a table with rows raises DatabaseError; it is never made nullable."""
        self._people(harness, build)

        def work(session: Session) -> None:
            with pytest.raises(DatabaseError):
                add(session, o.AddColumn(TableName("people"), build.column("must", "integer", nullable=False)))
            assert read(session, "people").column("must") is None

        harness.run(work)
        assert harness.rows(TableName("people")) == [{"id": 1, "name": "Ada"}]

    @obligation("executor.add-column.exists")
    def test_a_column_that_exists_is_an_error(self, harness: Harness, build: Builder) -> None:
        """Adding a column that exists raises DatabaseError: a lost race is not hidden."""
        self._people(harness, build)

        def work(session: Session) -> None:
            with pytest.raises(DatabaseError):
                add(session, o.AddColumn(TableName("people"), build.column("name", "integer")))

        harness.run(work)
        assert harness.rows(TableName("people")) == [{"id": 1, "name": "Ada"}]

    @obligation("executor.fill.batches")
    def test_rows_from_before_a_column_get_their_values_in_batches(self, harness: Harness, build: Builder) -> None:
        """A staged column leaves rows that exist NULL; each fill takes the next rows, and changes none with a value."""
        harness.run(lambda session: create(session, build.table("people", build.column("name", "text"))))
        harness.insert(TableName("people"), [{"id": number, "name": "x"} for number in range(1, 6)])
        mark = build.column("mark", "string(50)", default=harness.literal("it's 5%"))

        def work(session: Session) -> None:
            if not session.capabilities.staged_defaults:
                self.not_applicable("staged_defaults")
                return
            people = TableName("people")
            add(session, o.AddColumn(people, mark, staged=True))
            assert [row["mark"] for row in harness.rows(people)] == [None] * 5
            with session.reading():
                key = session.inspector.read([people]).tables[people].columns[:1]
            harness.insert(people, [{"id": 6, "name": "x", "mark": "own"}])
            fill, after = o.FillColumn(people, mark, key, 4), None
            batches: list[tuple[int, int]] = []
            while not batches or batches[-1][0] == fill.size:
                with session.transaction(Limits(10)):
                    done = session.executor.fill(fill, after)
                batches.append((done.seen, done.changed))
                after = done.last
            assert batches == [(4, 4), (2, 1)]
            assert {row["id"]: row["mark"] for row in harness.rows(people)} == {
                **dict.fromkeys(range(1, 6), "it's 5%"),
                6: "own",
            }

        harness.run(work)

    @obligation("executor.add-column.no-table")
    def test_a_missing_table_is_an_error(self, harness: Harness, build: Builder) -> None:
        """Changing a table that does not exist raises DatabaseError."""

        def work(session: Session) -> None:
            with pytest.raises(DatabaseError):
                add(session, o.AddColumn(TableName("nowhere"), build.column("age", "integer")))
            with pytest.raises(DatabaseError):
                add(session, o.CreateIndex(TableName("nowhere"), index("ix_nowhere", "id")))

        harness.run(work)

    @obligation("executor.apply.never-commits")
    def test_apply_belongs_to_the_callers_transaction(self, harness: Harness, build: Builder) -> None:
        """What apply does vanishes when the caller's transaction is rolled back, tables and columns included."""
        self._people(harness, build)

        def work(session: Session) -> None:
            if not session.capabilities.transactional_ddl:
                self.not_applicable("transactional_ddl")
                return
            with failing(session.transaction(Limits(10))):
                session.executor.apply(creation(build.table("ghost")))
                session.executor.apply(o.AddColumn(TableName("people"), build.column("age", "integer")))
            with session.reading():
                catalog = session.inspector.read()
            assert TableName("ghost") not in catalog.names
            assert catalog.tables[TableName("people")].column("age") is None

        harness.run(work)

    @obligation("executor.render.is-what-apply-sends")
    def test_render_shows_what_apply_sends(self, harness: Harness, build: Builder) -> None:
        """The statements of render are those that apply sends, in order, and no other statement changes anything."""

        def work(session: Session) -> None:
            table = rich_table(build)
            nullable = not session.capabilities.alter_under_dependents
            later = build.column("note", "string(50)", nullable=nullable, default=harness.literal("it's 5% :x"))
            for operation in (creation(table), o.AddColumn(table.name, later)):
                with session.transaction(Limits(10)):
                    rendered = session.executor.render(operation)
                    recording = harness.recording(session)
                    if recording is None:
                        self.not_applicable("recording")
                        return
                    with recording as sent:
                        session.executor.apply(operation)
                assert [text for text in sent if text in rendered] == list(rendered)
                assert [text for text in sent if _changes(text) and text not in rendered] == []

        harness.run(work)

    @obligation("executor.render.no-drop")
    def test_no_statement_drops(self, harness: Harness, build: Builder) -> None:
        """No statement of any additive operation contains DROP, TRUNCATE or DELETE outside of quotes and clauses."""

        def work(session: Session) -> None:
            add(session, *(item for item in _everything(session, harness, build) if isinstance(item, o.CreateTable)))
            for operation in _everything(session, harness, build):
                for text in session.executor.render(operation):
                    bare = QUOTED.sub("''", text)
                    assert not re.search(r"(?i)\b(drop|truncate)\b|\bdelete\s+from\b", bare), text

        harness.run(work)

    @obligation("executor.render.changes-nothing")
    def test_render_changes_nothing(self, harness: Harness, build: Builder) -> None:
        """Rendering an operation does not carry it out."""

        def work(session: Session) -> None:
            with session.reading():
                assert session.executor.render(creation(build.table("shown")))
            with session.reading():
                assert TableName("shown") not in session.inspector.read().names

        harness.run(work)

    @obligation("executor.lock-levels.existing-tables")
    def test_lock_levels_name_tables_that_exist_before(self, harness: Harness, build: Builder) -> None:
        """``lock_levels`` names tables that exist before the operation: a new one is not among them."""

        def work(session: Session) -> None:
            levels = session.executor.lock_levels(o.AddColumn(TableName("old"), build.column("x", "integer")))
            assert TableName("old") in dict(levels)
            assert all(isinstance(level, LockLevel) for _, level in levels)
            assert TableName("new") not in dict(session.executor.lock_levels(creation(build.table("new"))))

        harness.run(work)

    @staticmethod
    def _people(harness: Harness, build: Builder) -> None:
        harness.run(lambda session: create(session, build.table("people", build.column("name", "text"))))
        harness.insert(TableName("people"), [{"id": 1, "name": "Ada"}])


def _column(session: Session, name: str) -> Column:
    found = read(session, "people").column(name)
    assert found is not None
    return found


def _changes(statement: str) -> bool:
    verb = statement.split(maxsplit=1)[0].upper() if statement.strip() else ""
    return verb in {"CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "COMMENT", "REINDEX", "TRUNCATE"}


def _everything(session: Session, harness: Harness, build: Builder) -> list[o.AdditiveOperation]:
    """One of each additive operation that the database can do, on tables called drop and delete."""
    name = TableName("drop")
    text = build.column("delete", "string(50)", default="'DROP TABLE x'")
    table = build.table("drop", text)
    key = ForeignKey("fk_drop", ("id",), TableName("parents"), ("id",), "CASCADE", "RESTRICT")
    able = session.capabilities
    found: list[o.AdditiveOperation] = [
        creation(table),
        creation(build.table("parents")),
        o.AddColumn(name, build.column("truncate", "text", nullable=False, default="'drop'")),
        o.CreateIndex(name, index("drop_ix", "delete")),
    ]
    if able.expression_indexes:
        expression = IndexKey(None, f"lower({harness.quote('delete')})")
        found.append(o.CreateIndex(name, Index("drop_lower", (expression,))))
    if able.alter_constraints:
        found.append(o.AddUnique(name, Unique("uq_drop", ("delete",))))
        found.append(o.AddCheck(name, Check("ck_drop", "id > 0")))
        found.append(o.AddForeignKey(name, key))
    if able.alter_column:
        found.append(o.AlterType(name, text, build.column("delete", "string(100)")))
        found.append(o.SetNotNull(name, build.column("delete", "string(50)", nullable=False)))
        found.append(o.SetDefault(name, text, build.column("delete", "string(50)")))
    if able.comments:
        found.append(o.SetComment(name, None, "DROP TABLE"))
    return found


# What every executor must do with indexes, constraints, types and enumerations, as far as its database can.


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
        if not self.able(harness, "online_index"):
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
        if not self.able(harness, "alter_constraints"):
            return
        unique = Unique("uq_note", ("note",))
        self._apply(harness, o.AddUnique(ITEMS, unique))
        harness.run(lambda session: _assert_equal(session, replace(items, uniques=(unique,))))
        with pytest.raises(Exception, match=r"."):
            harness.insert(ITEMS, [{"id": 3, "note": "x"}])

    @obligation("executor.add-unique.refused")
    def test_a_unique_constraint_over_duplicates_is_refused(self, harness: Harness, items: Table) -> None:
        """A unique constraint over rows that agree raises DatabaseError and leaves nothing behind."""
        if not self.able(harness, "alter_constraints"):
            return
        with pytest.raises(DatabaseError):
            self._apply(harness, o.AddUnique(ITEMS, Unique("uq_kind", ("kind",))))
        self._unchanged(harness, items)

    @obligation("executor.add-unique.via-index")
    def test_a_unique_constraint_adopts_an_index(self, harness: Harness, items: Table) -> None:
        """A unique constraint takes over a unique index that exists, without building it again."""
        if not self.able(harness, "unique_via_index"):
            return
        unique = Unique("uq_note", ("note",))
        self._apply(harness, o.CreateIndex(ITEMS, index("uq_note", "note", unique=True)))
        self._apply(harness, o.AddUnique(ITEMS, unique, via_index="uq_note"))
        harness.run(lambda session: _assert_equal(session, replace(items, uniques=(unique,))))

    @obligation("executor.add-check.reads-back")
    def test_a_check_is_added(self, harness: Harness, items: Table) -> None:
        """A check is added to a table with rows, read back and enforced."""
        if not self.able(harness, "alter_constraints"):
            return
        check = Check("ck_id", "id > 0")
        self._apply(harness, o.AddCheck(ITEMS, check))
        harness.run(lambda session: _assert_equal(session, replace(items, checks=(check,))))
        with pytest.raises(Exception, match=r"."):
            harness.insert(ITEMS, [{"id": -1}])

    @obligation("executor.add-check.refused")
    def test_a_check_that_rows_break_is_refused(self, harness: Harness, items: Table) -> None:
        """A check that rows break raises DatabaseError and leaves nothing behind."""
        if not (self.able(harness, "alter_constraints") and self.able(harness, "validates_checks")):
            return
        with pytest.raises(DatabaseError):
            self._apply(harness, o.AddCheck(ITEMS, Check("ck_id", "id > 1")))
        self._unchanged(harness, items)

    @obligation("executor.add-foreign-key.reads-back")
    def test_a_foreign_key_is_added(self, harness: Harness, items: Table) -> None:
        """A foreign key with its actions is added to a table with rows and read back."""
        if not self.able(harness, "alter_constraints"):
            return
        harness.insert(TableName("owners"), [{"id": 1}, {"id": 2}])
        key = ForeignKey("fk_owner", ("id",), TableName("owners"), ("id",), "CASCADE")
        self._apply(harness, o.AddForeignKey(ITEMS, key))
        harness.run(lambda session: _assert_equal(session, replace(items, foreign_keys=(key,))))

    @obligation("executor.add-foreign-key.refused")
    def test_a_foreign_key_that_rows_break_is_refused(self, harness: Harness, items: Table) -> None:
        """A foreign key that rows break raises DatabaseError and leaves nothing behind."""
        if not self.able(harness, "alter_constraints"):
            return
        key = ForeignKey("fk_owner", ("id",), TableName("owners"), ("id",))
        with pytest.raises(DatabaseError):
            self._apply(harness, o.AddForeignKey(ITEMS, key))
        self._unchanged(harness, items)

    @obligation("executor.validate.later")
    @pytest.mark.usefixtures("items")
    def test_constraints_are_validated_later(self, harness: Harness) -> None:
        """A check or foreign key added without validation is not valid, refuses bad rows when validated, then holds."""
        if not self.able(harness, "deferred_validation"):
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
        if not self.able(harness, "alter_column"):
            return
        wider = build.column("kind", "string(100)")
        self._apply(harness, o.AlterType(ITEMS, items.columns[1], wider))
        columns = (items.columns[0], wider, items.columns[2])
        harness.run(lambda session: _assert_equal(session, replace(items, columns=columns)))
        assert [row["kind"] for row in harness.rows(ITEMS)] == ["a", "a"]

    @obligation("executor.set-not-null.empty-table")
    def test_not_null_is_set_on_an_empty_table(self, harness: Harness, build: Builder) -> None:
        """NULL is forbidden in a column of an empty table."""
        if not self.able(harness, "alter_column"):
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
        if not self.able(harness, "alter_column"):
            return
        with pytest.raises(DatabaseError):
            self._apply(harness, o.SetNotNull(ITEMS, build.column("note", "string(100)", nullable=False)))
        self._unchanged(harness, items)

    @obligation("executor.set-default.both-ways")
    def test_a_default_is_set_and_taken_away(self, harness: Harness, build: Builder, items: Table) -> None:
        """A default is given to a column, changed and taken away; rows that exist are left alone."""
        if not self.able(harness, "alter_column"):
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
        if not self.able(harness, "comments"):
            return
        for comment in ("it's 100% :x", "other", None):
            self._apply(harness, o.SetComment(ITEMS, None, comment), o.SetComment(ITEMS, "kind", comment))
            columns = (items.columns[0], replace(items.columns[1], comment=comment), items.columns[2])
            harness.run(_equality(replace(items, columns=columns, comment=comment)))

    @obligation("executor.enum.values")
    def test_enumerations_grow(self, harness: Harness, build: Builder) -> None:
        """An enumeration is created, labels are added at their place, and adding one that exists does nothing."""
        if not self.able(harness, "named_enums"):
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


# What every executor must do.


class ExecutorContract(ExecutorTablesContract, ExecutorColumnsContract, ExecutorChangesContract):
    """All obligations of ports.executor.Executor."""
