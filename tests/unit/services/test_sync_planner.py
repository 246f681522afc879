"""From the wanted schema, the catalog and the ledger to what differs: what is looked at, and what is a ghost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.filling import Fill
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.ownership import CATALOG_TOKEN, OwnedTable
from framework_m_migrations.domain.plan import Plan, Risk
from framework_m_migrations.domain.schema import (
    Catalog,
    Check,
    Column,
    DocTypeSchema,
    ForeignKey,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    TableName,
)
from framework_m_migrations.services.hash_cache import GHOSTS
from framework_m_migrations.services.sync_planner import SyncPlanner
from tests.fakes.memory import (
    CAPABILITIES,
    MemoryDatabase,
    MemorySession,
    MemorySource,
    MemoryWorld,
    memory_type,
)
from tests.fakes.memory.inspector import MemoryInspector

INTEGER = memory_type("integer")
ID = Column("id", INTEGER, nullable=False)
STAGED = replace(CAPABILITIES, staged_defaults=True, unvalidated_not_null=True)


def table(name: str, *columns: Column, schema: str | None = None, **parts: object) -> Table:
    return Table(TableName(name, schema), (ID, *columns), PrimaryKey(("id",)), **parts)  # type: ignore[arg-type]


def doctype(*tables: Table, app: str | None = "shop") -> DocTypeSchema:
    return DocTypeSchema(tables[0].name.name.title(), tables, app=app)


def named(name: str) -> Column:
    return Column(name, INTEGER)


class World:
    """A memory database with a ledger that is as the last sync left it, but for what a test says."""

    def __init__(self, *tables: Table, capabilities: Capabilities = CAPABILITIES) -> None:
        self.database = MemoryDatabase(capabilities)
        self.database.create(*tables)

    def session(self, *wanted: DocTypeSchema) -> MemorySession:
        return MemorySession(self.database.connect(), MemoryWorld(MemorySource(wanted), allow_drop=True))

    def ledger(
        self, *owned: OwnedTable, matching: tuple[DocTypeSchema, ...] = (), state: Mapping[str, str] | None = None
    ) -> World:
        session = self.session(*matching)
        with session.transaction(Limits(10)):
            session.ledger.prepare()
            session.ledger.record(owned)
            session.ledger.store(session.source.checksums())
            session.ledger.set_state({CATALOG_TOKEN: session.inspector.catalog_token(), **(state or {})})
        return self

    def plan(self, *wanted: DocTypeSchema, force: bool = False, online: bool = True) -> Plan:
        return SyncPlanner(self.session(*wanted), online).plan(force=force)


def ours(name: str, doctype: str, app: str | None = "shop", schema: str | None = None) -> OwnedTable:
    return OwnedTable.of(table(name, schema=schema), doctype, "created", app)


def told(plan: Plan) -> list[tuple[str, str]]:
    return [(type(one.change).__name__, str(one.change.table)) for one in plan.changes]


USER, NOTE = table("user", named("email")), table("note", named("body"))


def test_nothing_is_looked_at_where_nothing_changed() -> None:
    world = World(USER).ledger(ours("user", "User"), matching=(doctype(USER),))
    assert world.plan(doctype(USER)) == Plan(token=str(world.database.state.token))
    assert SyncPlanner(world.session(doctype(USER))).plan() == Plan(token=str(world.database.state.token))
    whole = world.plan(doctype(USER), force=True)
    assert (whole.complete, whole.token) == (True, str(world.database.state.token))


@pytest.mark.parametrize("online", [True, False])
def test_the_form_that_was_asked_for_reaches_judgement_and_steps(online: bool) -> None:
    can = replace(CAPABILITIES, online_index=True, staged_defaults=True)
    world = World(USER, capabilities=can).ledger(ours("user", "User"))
    world.database.insert("user", [{"id": 1}])
    drawn = Column("b", INTEGER, default="gen()", volatile_default=True)
    wanted = doctype(replace(USER, columns=(*USER.columns, drawn), indexes=(Index("i", (IndexKey("email"),)),)))
    plan = world.plan(wanted, online=online)
    made = [operation for step in plan.steps for operation in step.operations if isinstance(operation, o.CreateIndex)]
    assert [operation.online for operation in made] == [online]
    added = [one for step in plan.steps for one in step.operations if isinstance(one, o.AddColumn)]
    assert [one.staged for one in added] == [online]


@pytest.mark.parametrize(
    ("state", "more", "refresh"),
    [
        ({}, False, False),
        ({CATALOG_TOKEN: "other"}, False, True),
        ({GHOSTS: "yes"}, False, True),
        ({}, True, True),
        ({GHOSTS: "yes"}, True, False),
    ],
)
def test_the_ledgers_state_is_out_of_date_where_it_does_not_say_what_is_so(
    state: Mapping[str, str], more: bool, refresh: bool
) -> None:
    there = (USER, table("gone")) if more else (USER,)
    world = World(*there).ledger(ours("user", "User"), ours("gone", "Gone"), matching=(doctype(USER),), state=state)
    plan = world.plan(doctype(USER), force=True)
    assert plan.refresh is refresh
    assert [type(one.change) for one in plan.withheld] == ([c.TableRemoved] if more else [])


def test_only_doctypes_that_changed_are_compared_while_nobody_else_changed_the_catalog() -> None:
    wider = table("user", named("email"), named("phone"))
    lost = table("note")
    world = World(USER, lost).ledger(
        ours("user", "User"), ours("note", "Note"), matching=(doctype(USER), doctype(NOTE))
    )
    plan = world.plan(doctype(wider), doctype(NOTE))
    assert told(plan) == [("ColumnAdded", "user")], "a column of note is missing, and nobody looked"
    assert not plan.complete
    assert told(world.plan(doctype(wider), doctype(NOTE), force=True)) == [
        ("ColumnAdded", "user"),
        ("ColumnAdded", "note"),
    ]


@pytest.mark.parametrize("force", [True, False])
def test_a_ghost_is_a_table_of_ours_that_stands_and_that_nobody_wants(force: bool) -> None:
    there = (USER, table("gone"), table("theirs"), table("elsewhere"), table("second"))
    both = doctype(USER, table("second"))
    world = World(*there).ledger(
        ours("user", "User"), ours("gone", "Gone"), ours("vanished", "Vanished"), ours("second", "User"),
        ours("elsewhere", "Elsewhere", "other"), matching=(both,),
    )  # fmt: skip
    plan = world.plan(doctype(table("user", named("email"), named("more"))), force=force)
    assert sorted(told(plan)) == [("ColumnAdded", "user"), ("TableRemoved", "gone"), ("TableRemoved", "second")]
    ghost = next(one for one in plan.withheld if one.doctype == "Gone")
    assert (ghost.doctype, ghost.app, ghost.change) == ("Gone", None, c.TableRemoved(TableName("gone"), owned=True))
    assert ghost.judgement.handled_by == "sync --allow-drop"
    assert ghost.operations == (o.DropTable(TableName("gone")),)
    assert sorted(plan.ghosts) == [TableName("gone"), TableName("second")]
    assert plan.revokes == ("User",), "or nobody would tell of its second table again"
    assert not any(step.completes for step in plan.steps)


def test_the_tables_of_a_doctype_that_did_not_change_are_no_ghosts() -> None:
    world = World(USER, NOTE).ledger(
        ours("user", "User"), ours("note", "Note"), matching=(doctype(USER), doctype(NOTE))
    )
    plan = world.plan(doctype(table("user", named("email"), named("more"))), doctype(NOTE))
    assert told(plan) == [("ColumnAdded", "user")]
    world = World(USER, NOTE).ledger(ours("note", "User"), matching=(doctype(USER),))
    assert told(world.plan(doctype(USER), force=True)) == [("TableRemoved", "note")], "compared, and it has one table"


@pytest.mark.parametrize("schema", [None, "s"])
@pytest.mark.parametrize("force", [True, False])
def test_the_former_self_of_a_table_is_no_ghost_until_both_stand(schema: str | None, force: bool) -> None:
    wanted = doctype(table("new", schema=schema, renamed_from="old"))
    old, new = table("old", schema=schema), table("new", schema=schema)
    world = World(old).ledger(ours("old", "Old", schema=schema))
    plan = world.plan(wanted, force=force)
    assert told(plan) == [("TableRenamed", str(new.name))]
    both = World(old, new).ledger(ours("old", "Old", schema=schema), ours("new", "New", schema=schema))
    [ghost] = both.plan(wanted, force=force).withheld
    assert (ghost.change.table, ghost.judgement.risk, ghost.judgement.handled_by) == (old.name, Risk.BREAKING, "manual")
    assert (ghost.judgement.rule, str(new.name) in ghost.judgement.reason) == ("table-removed", True)
    assert "both exist" in ghost.judgement.reason
    untouched = both.ledger(matching=(wanted, doctype(USER)))
    [ghost, *_] = untouched.plan(wanted, force=force).withheld
    assert ghost.judgement.handled_by == "manual", "the DocType that says so need not have changed"


def test_spelling_is_asked_of_the_database_and_what_is_left_is_believed() -> None:
    def made(check: str, index: str, name: str = "user") -> Table:
        key = IndexKey(None, index)
        return table(name, named("a"), checks=(Check("ck", check),), indexes=(Index(f"i_{name}", (key,)),))

    there = (made("a > 0", "lower(a)"), made("a > 0", "lower(a)", "note"))
    world = World(*there).ledger(ours("user", "User"), ours("note", "User"))
    spelt = doctype(made("a  >  0", "lower(a)"), made("a > 0", "lower(a)", "note"))
    assert world.plan(spelt, force=True).is_empty
    second = doctype(made("a > 0", "lower(a)"), made("a  >  0", "lower(a)", "note"))
    assert world.plan(second, force=True).is_empty
    other = doctype(made("a  >  1", "lower(a)"), made("a  > 0", "lower(a)", "note"))
    assert told(world.plan(other, force=True)) == [("CheckChanged", "user")]
    missing = doctype(made("a  >  0", "lower(a)"), made("a > 0", "lower(a)", "more"))
    assert told(world.plan(missing, force=True)) == [("TableAdded", "more"), ("TableRemoved", "note")]
    [changed] = world.plan(other, force=True).changes
    assert (changed.doctype, changed.app) == ("User", "shop")


def waiting(*, nullable: bool = False, default: str | None = "gen()") -> Column:
    return Column("b", INTEGER, nullable=nullable, default=default, volatile_default=default is not None)


@pytest.mark.parametrize(
    ("wanted", "there", "written", "kinds", "void"),
    [
        (waiting(), waiting(nullable=True), False, ["ColumnUnfilled"], False),
        (waiting(), waiting(nullable=True), True, ["ColumnUnfilled"], False),
        (waiting(), waiting(), False, ["ColumnUnfilled"], False),
        (waiting(nullable=True), waiting(nullable=True), False, ["ColumnUnfilled"], False),
        (waiting(nullable=True), waiting(nullable=True), True, [], True),
        (waiting(nullable=True), waiting(), False, ["ColumnNullabilityChanged"], True),
        (waiting(default=None), waiting(nullable=True, default=None), False, ["ColumnNullabilityChanged"], True),
        (None, waiting(), False, ["ColumnRemoved"], False),
        (waiting(), None, False, ["ColumnAdded"], True),
    ],
)
def test_a_column_that_waits_for_its_values_is_one_change_with_its_not_null(
    wanted: Column | None, there: Column | None, written: bool, kinds: list[str], void: bool
) -> None:
    fill = Fill(TableName("user"), "b", written=written)
    mine, actual = (table("user", *([column] if column else [])) for column in (wanted, there))
    mine = replace(mine, columns=(*mine.columns, named("more")))
    other = doctype(table("note", named("body"), waiting()))
    world = World(actual, NOTE, capabilities=STAGED).ledger(ours("user", "User"), state={fill.key: fill.dump()})
    plan = world.plan(doctype(mine), other, force=True)
    found = [one.change for one in plan.changes if one.change.table.name == "user"]
    assert c.ColumnAdded(TableName("user"), named("more")) in found, "its other changes are as they are"
    found.remove(c.ColumnAdded(TableName("user"), named("more")))
    assert [type(one).__name__ for one in found] == kinds
    if kinds == ["ColumnUnfilled"]:
        assert found == [c.ColumnUnfilled(TableName("user"), there, wanted, written)]  # type: ignore[arg-type]
    assert plan.voids == ((fill.key,) if void else ())
    assert told(plan)[-1] == ("ColumnAdded", "note"), "of the same name, and of another table"


def test_a_note_about_a_table_that_was_not_read_stays_and_one_about_none_goes() -> None:
    lost, unread = Fill(TableName("lost"), "b"), Fill(TableName("note"), "b")
    matching, notes = (doctype(USER), doctype(NOTE)), {one.key: one.dump() for one in (lost, unread)}
    world = World(USER, NOTE).ledger(ours("user", "User"), ours("note", "Note"), matching=matching, state=notes)
    wider = doctype(table("user", named("email"), named("more")))
    assert world.plan(wider, doctype(NOTE)).voids == (lost.key,)
    assert world.plan(wider, doctype(NOTE), force=True).voids == (lost.key, unread.key)


class Reading(MemoryInspector):
    """Notes which tables are read."""

    def __init__(self, session: MemorySession) -> None:
        super().__init__(session.connection)
        self.asked: list[set[TableName] | None] = []
        session.inspector = self

    def read(self, tables: Collection[TableName] | None = None) -> Catalog:
        self.asked.append(None if tables is None else set(tables))
        return super().read(tables)


@pytest.mark.parametrize("new", [False, True], ids=["on a table that is there", "with a new table"])
@pytest.mark.parametrize("locks", [True, False])
def test_what_a_new_key_points_at_is_read_for_its_keys_and_locks(new: bool, locks: bool) -> None:
    note, task = table("note"), table("task")
    world = World(note, task, capabilities=replace(CAPABILITIES, table_locks=locks)).ledger(
        ours("note", "Note"), ours("task", "Task"), matching=(doctype(note), doctype(task))
    )
    pointing = table("pin" if new else "task", foreign_keys=(ForeignKey("fk", ("id",), note.name, ("id",)),))
    rest = [doctype(note), doctype(task)] if new else [doctype(note)]
    session = world.session(*rest, doctype(pointing))
    inspector = Reading(session)
    made = SyncPlanner(session, online=True).plan()
    assert made.applied, "the key is new and nothing stands against it"
    assert inspector.asked == [{pointing.name}, {note.name}]


def test_a_key_that_waits_reads_what_it_points_at() -> None:
    note, task = table("note"), table("task")
    world = World(note, task, capabilities=replace(CAPABILITIES, table_locks=True)).ledger(
        ours("note", "Note"), ours("task", "Task"), matching=(doctype(note), doctype(task))
    )
    world.database.insert("task", [{"id": 1}])
    pointing = table("task", foreign_keys=(ForeignKey("fk", ("id",), note.name, ("id",)),))
    session = world.session(doctype(note), doctype(pointing))
    inspector = Reading(session)
    assert [one.withheld for one in SyncPlanner(session, online=True).plan().changes] == [True]
    assert inspector.asked == [{pointing.name}, {note.name}]
