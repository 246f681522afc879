"""How often the way to PostgreSQL is gone: held by number, for each turn costs what the network takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.proxy import Proxy, proxy
from benchmarks.synthetic import TABLE, build
from framework_m_migrations import AsyncMigrationManager, MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import DatabaseError, LockTimeout
from framework_m_migrations.domain.options import LockOptions
from tests._postgres import PostgresDatabase, PostgresServer

FIRST, NO_OP, STEP = 40, 2, 3
REFUSED = """
CREATE FUNCTION refused() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT bool_or(object_identity LIKE '%tab_0030_status') FROM pg_event_trigger_ddl_commands()) THEN
        RAISE 'not this one';
    END IF;
END $$
"""


@pytest.fixture(scope="module")
def way(postgres_server: PostgresServer) -> Iterator[Proxy]:
    with proxy(postgres_server.host, postgres_server.port) as found:
        yield found


@pytest.fixture(params=["psycopg", "asyncpg"])
def turns(
    request: pytest.FixtureRequest, way: Proxy, postgres_database: PostgresDatabase
) -> Iterator[Callable[..., Any]]:
    """Calls a method of a manager over a connection that is open already; its result, and the session's turns."""
    server = postgres_database.server
    url = sa.make_url(server.url(postgres_database.name, request.param)).set(port=way.port)
    loop = asyncio.new_event_loop()
    engine: Any = create_async_engine(url) if request.param == "asyncpg" else sa.create_engine(url)

    async def opened() -> None:
        async with engine.connect():
            pass

    if request.param == "asyncpg":
        loop.run_until_complete(opened())
    else:
        engine.connect().close()

    def call(method: str, metadata: sa.MetaData, **options: Any) -> tuple[Any, list[str]]:
        way.counted()
        settings = MigrationSettings(metadata=(metadata,), locks=LockOptions(retries=0))
        if request.param == "asyncpg":
            manager = AsyncMigrationManager(settings, engine=engine)
            result = loop.run_until_complete(getattr(manager, method)(**options))
        else:
            result = getattr(MigrationManager(settings, engine=engine), method)(**options)
        [session] = [one for one in way.counted() if not one.login and not one.locks]
        return result, list(session.turns)

    yield call
    if request.param == "asyncpg":
        loop.run_until_complete(engine.dispose())
    else:
        engine.dispose()
    loop.close()


def mixed(number: int, parts: list[Any]) -> None:
    """Sixty changes of three kinds, on tables that stand."""
    name = TABLE.format(number)
    if number < 20:
        parts.append(sa.Column("note", sa.String(80)))
    elif number < 40:
        parts.append(sa.Index(f"ix_{name}_rate", "rate"))
    elif number < 60:
        parts[8] = sa.Column("title", sa.String(200), nullable=False)


def test_a_schema_goes_there_in_few_turns_and_a_look_in_two(turns: Callable[..., Any]) -> None:
    result, sent = turns("sync", build(60))
    assert result.steps > 0
    assert len(sent) <= FIRST, sent
    result, sent = turns("sync", build(60))
    assert result.up_to_date
    assert len(sent) <= NO_OP, sent


def test_a_step_on_standing_tables_costs_three_turns(turns: Callable[..., Any]) -> None:
    turns("sync", build(60))
    result, sent = turns("sync", build(60, edit=mixed))
    assert len(result.plan.plan.changes) == 60
    begun = [place for place, turn in enumerate(sent) if "BEGIN" in turn]
    steps = [sent[a:b] for a, b in zip(begun, [*begun[1:], len(sent)], strict=True) if "ALTER TABLE" in str(sent[a:b])]
    # An index is built outside a transaction, so that its step has more than one part.
    assert len(steps) == result.steps - 20 == 40
    assert all(len(step) <= STEP for step in steps), steps


def test_a_message_that_is_refused_names_the_statement_at_fault(
    turns: Callable[..., Any], postgres_database: PostgresDatabase
) -> None:
    engine = sa.create_engine(postgres_database.sync_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(REFUSED, execution_options={"no_parameters": True})
        connection.exec_driver_sql("CREATE EVENT TRIGGER refusing ON ddl_command_end EXECUTE FUNCTION refused()")
    with pytest.raises(DatabaseError, match="not this one") as failure:
        turns("sync", build(60))
    assert failure.value.details["statement"] == "CREATE INDEX ix_tab_0030_status ON tab_0030 (status)"
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM pg_class WHERE relname ~ '^tab_0'").scalar_one() == 0
        connection.exec_driver_sql("DROP EVENT TRIGGER refusing")
        connection.commit()
    assert turns("sync", build(60))[0].applied


def test_a_message_that_cannot_be_read_names_the_statement_at_fault(turns: Callable[..., Any]) -> None:
    wanted = build(9)
    # Foreign keys are not tried before.
    key = sa.ForeignKey("tab_0001.id", ondelete="SET DEFAULT SET")
    wanted.tables["tab_0007"].append_column(sa.Column("wrong", sa.Uuid, key))
    with pytest.raises(DatabaseError, match="syntax error") as failure:
        turns("sync", wanted)
    assert failure.value.details["statement"].startswith("CREATE TABLE tab_0007 (")


def test_a_wait_for_a_lock_names_its_statement_at_once(
    turns: Callable[..., Any], postgres_database: PostgresDatabase
) -> None:
    turns("sync", build(6))
    engine = sa.create_engine(postgres_database.sync_url, poolclass=sa.NullPool)
    with engine.connect() as other:
        other.exec_driver_sql("LOCK TABLE tab_0004 IN ACCESS SHARE MODE")
        with pytest.raises(LockTimeout) as failure:
            turns("sync", build(6, edit=mixed))
    assert "tab_0004" in failure.value.details["statement"]
    assert "tab_0003" not in failure.value.details["statement"]
