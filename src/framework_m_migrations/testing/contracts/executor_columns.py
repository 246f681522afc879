"""What every executor must do with columns, transactions and statements."""

from __future__ import annotations

import re

import pytest

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.plan import LockLevel
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    ForeignKey,
    Index,
    IndexKey,
    TableName,
    Unique,
)
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing.contracts.base import DatabaseContract, failing
from framework_m_migrations.testing.contracts.executor_tables import add, rich_table
from framework_m_migrations.testing.harness import Harness
from framework_m_migrations.testing.obligations import obligation
from framework_m_migrations.testing.tables import Builder, create, creation, differences, index, read

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
            later = build.column("note", "string(50)", nullable=False, default=harness.literal("it's 5% :x"))
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
