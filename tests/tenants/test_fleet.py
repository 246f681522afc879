"""Many tenants in one Postgres: what a look at all of them costs, who has a turn, and what a failure leaves alone."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from framework_m_migrations import AsyncMigrationManager, MigrationManager, MigrationSettings, Risk
from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.adapters.sql.dialects.postgresql.inspector import PostgresqlTenants
from framework_m_migrations.adapters.sql.ledger import ENGINE_TABLES
from framework_m_migrations.domain.errors import ConfigurationError, UnsupportedDatabase
from framework_m_migrations.domain.results import FleetResult
from tests._postgres import PostgresDatabase
from tests.support.statements import recorded

AWKWARD = ["plain", "Two Words", 'q"d :s ::x %s %% \\']


def models(extra: str | None = None) -> sa.MetaData:
    """What all share, and what each tenant has, with a foreign key between them."""
    metadata = sa.MetaData()
    sa.Table("currency", metadata, sa.Column("id", sa.Integer, primary_key=True), info={"tenant": False})
    order = sa.Table(
        "order",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("currency", sa.ForeignKey("currency.id")),
        sa.Column("state", sa.Enum("new", "paid", name="order_state")),
        info={"tenant": True},
    )
    sa.Table(
        "line",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("parent", sa.ForeignKey("order.id"), index=True),
        info={"tenant": True},
    )
    if extra is not None:
        order.append_column(sa.Column(extra, sa.Integer, server_default="7"))
    return metadata


def settings(database: PostgresDatabase, metadata: sa.MetaData | None = None) -> MigrationSettings:
    return MigrationSettings(database_url=database.url, metadata=(models() if metadata is None else metadata,))


@pytest.fixture
def plain(postgres_database: PostgresDatabase) -> Iterator[sa.Engine]:
    made = sa.create_engine(postgres_database.sync_url, poolclass=sa.pool.NullPool)
    yield made
    made.dispose()


@pytest_asyncio.fixture
async def engine(postgres_database: PostgresDatabase) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(postgres_database.url, pool_size=8)
    yield made
    await made.dispose()


def tables(plain: sa.Engine, schema: str | None = None) -> set[str]:
    return {name for name in sa.inspect(plain).get_table_names(schema=schema) if name not in ENGINE_TABLES}


def run(plain: sa.Engine, *statements: str) -> None:
    with plain.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def states(result: FleetResult) -> dict[str | None, str]:
    return {outcome.tenant: outcome.state for outcome in result.outcomes}


def test_each_tenant_has_its_own_tables_and_no_others(postgres_database: PostgresDatabase, plain: sa.Engine) -> None:
    manager = MigrationManager(settings(postgres_database))
    manager.sync()
    assert tables(plain) == {"currency"}
    result = manager.tenants(AWKWARD).sync()
    assert states(result) == dict.fromkeys(AWKWARD, "changed")
    for name in AWKWARD:
        assert tables(plain, name) == {"order", "line"}
        (key,) = sa.inspect(plain).get_foreign_keys("line", schema=name)
        assert (key["referred_schema"], key["referred_table"]) == (name, "order")
        assert sa.inspect(plain).get_foreign_keys("order", schema=name) == []
    assert tables(plain) == {"currency"}
    assert states(manager.tenants().sync()) == dict.fromkeys([None, *AWKWARD], "unchanged")
    assert not manager.tenants().verify(fail_on=Risk.SAFE).dirty
    assert {one.counts for one in manager.tenants().plan(force=True).tenants} == {(0, 0)}


def test_each_hook_is_told_in_whose_schema_it_is(
    postgres_database: PostgresDatabase, plain: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clinic" / "migrations").mkdir(parents=True)
    (tmp_path / "clinic" / "__init__.py").touch()
    (tmp_path / "clinic" / "migrations" / "__init__.py").write_text(
        textwrap.dedent(
            """
            import sqlalchemy as sa

            def after_sync(connection, schema):
                table = sa.table("order", sa.column("id"), sa.column("state"), schema=schema)
                if schema is not None:
                    connection.execute(sa.insert(table).values(id=1, state="new"))
            """
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    manager = MigrationManager(replace(settings(postgres_database), apps=("clinic",)))
    manager.sync()
    assert states(manager.tenants(AWKWARD).sync()) == dict.fromkeys(AWKWARD, "changed")
    for name in AWKWARD:
        with plain.connect() as connection:
            ids = sa.select(sa.table("order", sa.column("id"), schema=name).c.id)
            assert connection.execute(ids).all() == [(1,)]


@pytest.mark.asyncio
async def test_the_cost_of_an_unchanged_fleet_does_not_grow_with_it(
    postgres_database: PostgresDatabase, engine: AsyncEngine
) -> None:
    metadata = sa.MetaData()
    sa.Table("note", metadata, sa.Column("id", sa.Integer, primary_key=True), info={"tenant": True})

    async def cost(number: int) -> tuple[int, int, int]:
        manager = AsyncMigrationManager(settings(postgres_database, metadata), engine=engine)
        names = [f"tenant{n}" for n in range(number)]
        await manager.tenants(names, shared=True).sync()
        with recorded(engine.sync_engine) as synced:
            assert (await manager.tenants(names).sync()).states == {"unchanged": number}
        with recorded(engine.sync_engine) as looked:
            assert (await manager.tenants().status()).states == {"ready": number}
        with recorded(engine.sync_engine) as verified:
            assert (await manager.tenants().verify()).states == {"clean": number}
        return len(synced.sent), len(looked.sent), len(verified.sent)

    few, many = await cost(3), await cost(60)
    assert many[0] == few[0] <= 6
    # status asks who holds the lock as well, which costs one more where the pool opened a connection for it.
    assert abs(many[1] - few[1]) <= 1
    assert many[1] <= 16
    assert abs(many[2] - few[2]) <= 1


BY_HAND = (
    "ALTER TABLE {}.line ADD COLUMN more int",
    "ALTER TABLE {}.line ALTER COLUMN parent SET DEFAULT 1",
    "ALTER TABLE {}.line ALTER COLUMN parent TYPE bigint",
    "ALTER TABLE {}.line ADD CHECK (id > 0)",
    "CREATE INDEX more ON {}.line (id, parent)",
    "CREATE UNIQUE INDEX more ON {}.line (id) WHERE parent > 7",
    "ALTER TABLE {}.line ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY more ON {}.line USING (id > 1)",
    "CREATE RULE more AS ON DELETE TO {}.line DO INSTEAD NOTHING",
    "CREATE TRIGGER more BEFORE UPDATE ON {}.line FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "ALTER TYPE {}.order_state ADD VALUE 'sent'",
    "COMMENT ON COLUMN {}.line.parent IS 'more'",
    "CREATE TABLE {}.more (id int)",
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{}.ix_line_parent'::regclass",
    "ALTER TABLE {}.line REPLICA IDENTITY FULL, CLUSTER ON ix_line_parent, DISABLE TRIGGER ALL",
    "ALTER TABLE {}.line ALTER parent SET STATISTICS 7",
    "CREATE STATISTICS ON id, parent FROM {}.line",
    # A tenant's name is none within a constant.
    "ALTER TABLE {0}.line ADD CHECK (parent::text <> '{0}.')",
    "ALTER TABLE {0}.line ADD CHECK (parent::text <> '{0}.')",
    "DELETE FROM {}.__schema_objects__ WHERE table_name = 'line'",
)


def test_verify_sees_what_sets_one_schema_apart(postgres_database: PostgresDatabase, plain: sa.Engine) -> None:
    url, names = postgres_database.url, [f"t{number:02}" for number in range(len(BY_HAND))]
    fleet = MigrationManager(settings(postgres_database)).tenants([*names, "y", "z"])
    fleet.sync()
    run(plain, *(sql.format(name) for name, sql in zip(names, BY_HAND, strict=True)))
    outcomes = {one.tenant: one for one in fleet.verify(fail_on=Risk.SAFE).tenants}
    for name, sql in zip(names, BY_HAND, strict=True):
        alone = MigrationManager(MigrationSettings(url, metadata=(models(),), schema=name, tenant=True))
        assert outcomes[name].answer == alone.verify(fail_on=Risk.SAFE), sql
        assert outcomes[name].seconds > 0, sql
    assert (outcomes["y"].seconds > 0, outcomes["z"].seconds) == (True, 0)
    assert (outcomes["y"].state, outcomes["z"].state) == ("clean", "clean")
    run(plain, "DROP TABLE y.line")
    verified, looked = fleet.verify(), fleet.status()
    assert [one.state for result in (verified, looked) for one in result.tenants if one.tenant == "y"] == [
        "pending",
        "not ready",
    ]


def test_a_token_of_many_is_the_token_of_one(postgres_database: PostgresDatabase, plain: sa.Engine) -> None:
    MigrationManager(settings(postgres_database)).tenants(AWKWARD[:2]).sync()
    run(
        plain,
        'CREATE SCHEMA "bare"',
        "CREATE TYPE plain.mood AS ENUM ('good')",
        "COMMENT ON TABLE plain.line IS 'a'",
        "CREATE SEQUENCE plain.numbers",
        "CREATE VIEW plain.seen AS SELECT 1",
    )
    ignored = frozenset((*ENGINE_TABLES, "alembic_version"))
    with plain.connect() as connection:
        looks = PostgresqlTenants(connection, ignored=ignored).look([*AWKWARD[:2], "absent", "bare", "public"])
        for name in AWKWARD[:2]:
            inspector = PostgresqlDialect().inspector(connection, schema=name, ignored=ignored)
            assert looks[name].token == inspector.catalog_token()
    assert [looks[name].exists for name in ("absent", "bare", "public")] == [False, True, True]
    assert [looks[name].is_default for name in ("plain", "public")] == [False, True]
    assert looks["bare"].snapshot is None


def test_what_was_changed_by_hand_in_one_schema_is_noticed_there_alone(
    postgres_database: PostgresDatabase, plain: sa.Engine
) -> None:
    manager = MigrationManager(settings(postgres_database))
    manager.tenants(["a", "b", "c"]).sync()
    run(plain, "DROP TABLE b.line", "ALTER TABLE c.order DROP COLUMN currency", "INSERT INTO a.order (id) VALUES (1)")
    assert states(manager.tenants(["a", "b", "c"]).plan()) == {"a": "unchanged", "b": "pending", "c": "pending"}
    assert states(manager.tenants(["a", "b", "c"]).sync()) == {"a": "unchanged", "b": "changed", "c": "changed"}
    assert tables(plain, "b") == {"order", "line"}


@pytest.mark.parametrize(("driver", "jobs"), [("asyncpg", 3), ("psycopg", 1), ("psycopg", 3)])
def test_one_failing_tenant_stops_no_other(
    postgres_database: PostgresDatabase, plain: sa.Engine, driver: str, jobs: int
) -> None:
    url = postgres_database.url if driver == "asyncpg" else postgres_database.sync_url
    names = ["a", "broken", "c", "damaged", "e"]
    MigrationManager(MigrationSettings(database_url=url, metadata=(models(),))).tenants(names, jobs=jobs).sync()
    run(
        plain,
        "INSERT INTO a.order (id) VALUES (1)",
        "ALTER TABLE broken.order RENAME TO other",
        'CREATE DOMAIN broken."order" AS int',  # a table would have a type of its name
        "ALTER TABLE damaged.__schema_state__ RENAME COLUMN value TO other",
    )
    manager = MigrationManager(MigrationSettings(database_url=url, metadata=(models("extra"),)))
    result = manager.tenants(names, jobs=jobs).sync()
    assert states(result) == {"a": "changed", "broken": "failed", "c": "changed", "damaged": "failed", "e": "changed"}
    assert [outcome.tenant for outcome in result.failed] == ["broken", "damaged"]
    assert all(outcome.error is not None and outcome.error.code.startswith("M") for outcome in result.failed)
    with plain.connect() as connection:
        assert connection.exec_driver_sql("SELECT id, extra FROM a.order").one() == (1, 7)
    document = result.to_dict()
    assert document["failed"] == ["broken", "damaged"]
    assert {one["tenant"]: "error" in one for one in document["tenants"]}["damaged"]
    again = manager.tenants(names, jobs=jobs).sync()
    assert again.states == {"failed": 2, "unchanged": 3}


@pytest.mark.asyncio
async def test_no_more_tenants_at_a_time_than_were_allowed(
    postgres_database: PostgresDatabase, engine: AsyncEngine
) -> None:
    open_now: set[object] = set()
    most = 0

    @sa.event.listens_for(engine.sync_engine, "checkout")
    def opened(connection: object, record: object, proxy: object) -> None:
        nonlocal most
        open_now.add(record)
        most = max(most, len(open_now))

    sa.event.listen(engine.sync_engine, "checkin", lambda connection, record: open_now.discard(record))
    manager = AsyncMigrationManager(settings(postgres_database), engine=engine)
    result = await manager.tenants([f"t{n}" for n in range(9)], jobs=2).sync()
    assert result.states == {"changed": 9}
    # Two for each: its own connection, and that of the migration lock.
    assert 2 < most <= 4


def test_a_small_pool_is_room_for_few(postgres_database: PostgresDatabase) -> None:
    async def synced() -> dict[str, int]:
        pooled = create_async_engine(postgres_database.url, pool_size=3, max_overflow=0, pool_timeout=5)
        try:
            manager = AsyncMigrationManager(settings(postgres_database), engine=pooled)
            return (await manager.tenants(list("abcdef"), jobs=6).sync()).states
        finally:
            await pooled.dispose()

    assert asyncio.run(synced()) == {"changed": 6}


def test_two_fleets_at_once_both_end_well(postgres_database: PostgresDatabase, plain: sa.Engine) -> None:
    async def both() -> list[FleetResult]:
        managers = [AsyncMigrationManager(settings(postgres_database)) for _ in range(2)]
        return list(await asyncio.gather(*(manager.tenants(list("abc"), jobs=3).sync() for manager in managers)))

    for result in asyncio.run(both()):
        assert result.failed == ()
    assert {tables(plain, name) == {"order", "line"} for name in "abc"} == {True}


def test_a_dry_run_makes_nothing(postgres_database: PostgresDatabase, plain: sa.Engine) -> None:
    manager = MigrationManager(settings(postgres_database))
    assert manager.tenants(["a", "b"]).sync(dry_run=True).states == {"pending": 2}
    assert manager.tenants(["a", "b"]).plan().states == {"pending": 2}
    assert {"a", "b"}.isdisjoint(sa.inspect(plain).get_schema_names())


def test_all_tenants_are_those_that_were_synced_as_such(postgres_database: PostgresDatabase, plain: sa.Engine) -> None:
    manager = MigrationManager(settings(postgres_database))
    with pytest.raises(ConfigurationError, match="No tenant was found"):
        manager.tenants().sync()
    manager.tenants(["a", "b"]).sync()
    MigrationManager(MigrationSettings(postgres_database.url, metadata=(models(),), schema="z", tenant=True)).sync()
    run(plain, "CREATE SCHEMA other_app")
    MigrationManager(MigrationSettings(postgres_database.url, metadata=(models(),), schema="other_app")).sync()
    assert sorted(name or "" for name in states(manager.tenants().sync())) == ["", "a", "b", "z"]
    # A repaired ledger still knows whose it is.
    MigrationManager(MigrationSettings(postgres_database.url, metadata=(models(),), schema="a", tenant=True)).repair()
    run(plain, "DELETE FROM b.__schema_versions__")
    MigrationManager(MigrationSettings(postgres_database.url, metadata=(models(),), schema="b", tenant=True)).repair()
    assert states(manager.tenants().sync()) == {None: "unchanged", "a": "unchanged", "b": "unchanged", "z": "unchanged"}


def test_where_no_table_says_whose_it_is_each_tenant_has_all(
    postgres_database: PostgresDatabase, plain: sa.Engine
) -> None:
    metadata = sa.MetaData()
    sa.Table("a", metadata, sa.Column("id", sa.Integer, primary_key=True))
    MigrationManager(settings(postgres_database, metadata)).tenants(["x"]).sync()
    assert tables(plain, "x") == {"a"}
    assert metadata.tables["a"].schema is None


def test_the_default_schema_is_no_tenants(postgres_database: PostgresDatabase, plain: sa.Engine) -> None:
    manager = MigrationManager(settings(postgres_database))
    with pytest.raises(ConfigurationError, match="public"):
        manager.tenants(["a", "public"]).sync()
    assert tables(plain) == set()


def test_a_database_without_schemas_is_refused() -> None:
    manager = MigrationManager(MigrationSettings(database_url="sqlite://", metadata=(models(),)))
    with pytest.raises(UnsupportedDatabase):
        manager.tenants(["a"]).sync()


def test_readiness_of_all(postgres_database: PostgresDatabase, plain: sa.Engine) -> None:
    manager = MigrationManager(settings(postgres_database))
    manager.tenants(["a", "b"], shared=True).sync()
    assert manager.tenants(["a", "b"]).is_ready()
    before = MigrationManager(settings(postgres_database, models("extra")))
    before.tenants(["a", "b"]).sync()
    # The release that is being replaced does not know the new column.
    assert not manager.tenants(["a", "b"]).is_ready()
    assert manager.tenants(["a", "b"]).is_ready(tolerant=True)
    run(plain, "ALTER TABLE b.line DROP COLUMN parent, ADD COLUMN parent text")
    assert not manager.tenants(["a", "b"]).is_ready(tolerant=True)
    assert manager.tenants(["a"]).is_ready(tolerant=True)
