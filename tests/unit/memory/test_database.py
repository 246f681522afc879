from __future__ import annotations

import pytest

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.errors import ConnectionFailed, DatabaseError, DatabaseReadOnly, LockTimeout
from framework_m_migrations.domain.schema import Check, Column, ForeignKey, PrimaryKey, Table, TableName, Unique
from framework_m_migrations.testing.contracts.base import failing
from tests.fakes.memory import MemoryDatabase, MemoryInspector, memory_type

TASK, USER = TableName("task"), TableName("user")


def column(name: str, kind: str = "text", *, nullable: bool = True, default: str | None = None) -> Column:
    return Column(name, memory_type(kind), nullable=nullable, default=default)


def table(name: str, *columns: Column, **parts: object) -> Table:
    return Table(
        TableName(name),
        (column("id", "integer", nullable=False), *columns),
        PrimaryKey(("id",)),
        **parts,  # type: ignore[arg-type]
    )


@pytest.fixture
def database() -> MemoryDatabase:
    made = MemoryDatabase()
    made.create(table("user"), table("task", column("title"), column("owner", "integer")))
    return made


@pytest.mark.parametrize(
    "rows",
    [
        [{"id": None}],
        [{"id": 1}, {"id": 1}],
        [{"id": 1, "unknown": 1}],
        [{"id": "x"}],
    ],
)
def test_rows_are_inserted_together_or_not_at_all(database: MemoryDatabase, rows: list[dict[str, object]]) -> None:
    with pytest.raises(DatabaseError):
        database.insert(TASK, [{"id": 99}, *rows])
    assert database.rows(TASK) == []


def test_constraints_hold_for_new_rows_only_where_they_were_not_validated(database: MemoryDatabase) -> None:
    database.insert(TASK, [{"id": 1, "title": "bad", "owner": 5}])
    database.apply(
        o.AddCheck(TASK, Check("ck", "title <> 'bad'"), validate=False),
        o.AddForeignKey(TASK, ForeignKey("fk", ("owner",), USER, ("id",)), validate=False),
    )
    database.insert(TASK, [{"id": 2, "title": "good"}])
    for broken in ({"id": 3, "title": "bad"}, {"id": 3, "owner": 5}):
        with pytest.raises(DatabaseError):
            database.insert(TASK, [broken])
    assert [row["id"] for row in database.rows(TASK)] == [1, 2]


def test_null_is_distinct_from_null_in_unique_constraints(database: MemoryDatabase) -> None:
    database.apply(o.AddUnique(TASK, Unique("uq", ("title", "owner"))))
    database.insert(TASK, [{"id": 1, "title": "x"}, {"id": 2, "title": "x"}])
    with pytest.raises(DatabaseError):
        database.insert(TASK, [{"id": 3, "title": "x", "owner": 1}, {"id": 4, "title": "x", "owner": 1}])


def test_a_writer_keeps_other_writers_out_and_readers_see_what_is_committed(database: MemoryDatabase) -> None:
    one, two = database.connect(), database.connect()
    with one.transaction():
        one.insert(USER, [{"id": 1}])
        assert len(one.state.rows[USER]) == 1
        assert len(two.state.rows[USER]) == 0
        with pytest.raises(LockTimeout), two.transaction():
            pass
        with pytest.raises(LockTimeout):
            database.insert(USER, [{"id": 2}])
    assert len(two.state.rows[USER]) == 1
    with two.transaction():
        two.insert(USER, [{"id": 2}])


def test_a_write_needs_a_scope(database: MemoryDatabase) -> None:
    connection = database.connect()
    with pytest.raises(DatabaseError, match="needs a transaction"):
        connection.insert(USER, [{"id": 1}])
    with connection.transaction(), pytest.raises(DatabaseError, match="transaction is open"), connection.autocommit():
        pass


def test_closing_ends_everything_that_a_connection_holds(database: MemoryDatabase) -> None:
    connection = database.connect()
    scope = connection.transaction()
    scope.__enter__()
    connection.insert(USER, [{"id": 1}])
    connection.close()
    database.insert(USER, [{"id": 2}])
    assert database.rows(USER) == [{"id": 2}]
    with pytest.raises(ConnectionFailed):
        scope.__exit__(None, None, None)
    with pytest.raises(ConnectionFailed):
        connection.insert(USER, [{"id": 3}])


def test_a_token_is_never_used_twice(database: MemoryDatabase) -> None:
    connection = database.connect()
    inspector = MemoryInspector(connection)
    seen = {inspector.catalog_token()}
    with failing(connection.transaction()):
        connection.apply(o.DropTable(TASK))
        seen.add(inspector.catalog_token())
    assert inspector.catalog_token() in seen
    with connection.transaction():
        connection.apply(o.DropTable(TASK))
    assert inspector.catalog_token() not in seen


def test_a_read_only_database_takes_no_writes(database: MemoryDatabase) -> None:
    database.read_only = True
    with pytest.raises(DatabaseReadOnly):
        database.insert(USER, [{"id": 1}])
    assert MemoryInspector(database.connect()).missing_privileges() != ()


def test_an_unreachable_database_gives_no_connection(database: MemoryDatabase) -> None:
    database.reachable = False
    with pytest.raises(ConnectionFailed):
        database.connect()


def test_a_test_can_make_an_operation_fail(database: MemoryDatabase) -> None:
    def refuse(operation: o.Operation) -> None:
        if isinstance(operation, o.DropTable):
            raise DatabaseError("on purpose")

    database.before_operation = refuse
    with pytest.raises(DatabaseError, match="on purpose"):
        database.apply(o.AddColumn(TASK, column("note")), o.DropTable(TASK))
    assert database.state.tables[TASK].column("note") is not None


@pytest.mark.parametrize(
    "operation",
    [
        o.AddCheck(TASK, Check("ck", "id > 0")),
        o.AddUnique(TASK, Unique("uq", ("title",))),
        o.AlterType(TASK, column("title"), column("title", "string(5)")),
        o.SetNotNull(TASK, column("title", nullable=False)),
        o.SetComment(TASK, None, "a comment"),
        o.RebuildIndex(TASK, None),  # type: ignore[arg-type]
        o.DropConstraint(TASK, "uq", "unique"),
        o.CreateTable(Table(TableName("x", "tenant"), (column("id", "integer"),)), ()),
    ],
)
def test_what_the_capabilities_deny_is_refused(operation: o.Operation) -> None:
    database = MemoryDatabase(Capabilities("memory", alter_constraints=False, alter_column=False))
    database.create(table("task", column("title")))
    before = database.state.copy()
    with pytest.raises(DatabaseError, match="This database"):
        database.apply(operation)
    assert database.state == before


def test_a_table_may_come_before_its_target_where_the_database_allows_that() -> None:
    later = table("child", column("up", "integer"), foreign_keys=(ForeignKey("fk", ("up",), USER, ("id",)),))
    MemoryDatabase(Capabilities("memory", forward_references=True)).create(later)
    with pytest.raises(DatabaseError, match="does not exist"):
        MemoryDatabase().create(later)


def test_a_foreign_key_needs_a_key_on_the_other_side(database: MemoryDatabase) -> None:
    with pytest.raises(DatabaseError, match="no key"):
        database.apply(o.AddForeignKey(USER, ForeignKey("fk", ("id",), TASK, ("owner",))))


def test_a_table_that_others_refer_to_is_not_dropped(database: MemoryDatabase) -> None:
    database.apply(o.AddForeignKey(TASK, ForeignKey("fk", ("owner",), USER, ("id",))))
    for operation in (o.DropTable(USER), o.DropColumn(USER, "id")):
        with pytest.raises(DatabaseError):
            database.apply(operation)
    database.apply(o.DropColumn(TASK, "owner"), o.DropTable(USER))
