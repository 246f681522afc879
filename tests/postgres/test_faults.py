"""Faults of the database in the middle of a sync and of a revision: the code of the fault, never of the revision."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.errors import (
    ConnectionFailed,
    DatabaseReadOnly,
    MigrationError,
    MissingPrivilege,
    ServerFailed,
    StatementCancelled,
    StorageFull,
)
from tests._postgres import PostgresDatabase
from tests.support.faults import manager, site

__all__ = ["site"]

pytestmark = pytest.mark.postgres

REVISION = """
import time
from alembic import op
revision, down_revision, branch_labels = "f1", None, ("faulty_shop",)
def upgrade():
    op.execute("CREATE TABLE made (id int)")
    {body}
    op.execute("INSERT INTO made VALUES (1)")
def downgrade(): op.execute("DROP TABLE made")
"""
FAILING = """
CREATE FUNCTION fail() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT 1 FROM pg_event_trigger_ddl_commands() WHERE object_identity IN ('public.t', 'public.made')) THEN
        RAISE EXCEPTION 'no room' USING errcode = '{state}';
    END IF;
END $$
"""
FAULTS: dict[str, tuple[str, type[MigrationError]]] = {
    "ended by an administrator": ("SELECT pg_terminate_backend(pg_backend_pid())", ConnectionFailed),
    "cancelled": ("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(1)", StatementCancelled),
    "statement timeout": ("SET LOCAL statement_timeout = 40; SELECT pg_sleep(9)", StatementCancelled),
    "read-only": ("SET TRANSACTION READ ONLY", DatabaseReadOnly),
    "missing right": ("SET LOCAL ROLE pg_read_all_stats", MissingPrivilege),
    "idle in transaction": ("SET LOCAL idle_in_transaction_session_timeout = 60; sleep", ConnectionFailed),
}
OF_THE_DRIVER = re.compile(r"cannot (perform|call|use)|another operation|greenlet|__asyncpg|InterfaceError|Traceback")


@pytest.fixture(params=["async", "sync"])
def url(request: pytest.FixtureRequest, postgres_database: PostgresDatabase) -> str:
    database = postgres_database
    return database.url if request.param == "async" else database.sync_url


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_revision_has_its_own_code(site: Path, url: str, fault: str) -> None:
    statements, kind = FAULTS[fault]
    body = "\n    ".join(
        "time.sleep(0.5)" if one.strip() == "sleep" else f'op.execute("{one.strip()}")'
        for one in statements.split("; ")
    )
    file = site / "faulty_shop/migrations/versions/f1.py"
    file.write_text(REVISION.format(body=body))
    with pytest.raises(MigrationError) as failure:
        manager(site, url).run()
    error = failure.value
    assert type(error) is kind, error
    assert not OF_THE_DRIVER.search(str(error)), error
    assert "f1" in error.what
    assert error.details["rolled_back"] is True
    file.write_text(REVISION.format(body="pass"))
    assert manager(site, url).run().revisions == ("f1",), "nothing of it stood"


@pytest.mark.parametrize("fault", ["ended by an administrator", "missing right"])
def test_a_fault_that_a_revision_catches_is_the_reason_for_what_follows(site: Path, url: str, fault: str) -> None:
    statements, kind = FAULTS[fault]
    *before, last = [*statements.split("; "), *(["CREATE TABLE no_right (id int)"] if fault == "missing right" else [])]
    body = "\n    ".join(
        [*(f'op.execute("{one}")' for one in before), f'try: op.execute("{last}")', "except Exception: pass"]
    )
    file = site / "faulty_shop/migrations/versions/f1.py"
    file.write_text(REVISION.format(body=body))
    with pytest.raises(MigrationError) as failure:
        manager(site, url).run()
    assert type(failure.value) is kind, failure.value
    assert not OF_THE_DRIVER.search(str(failure.value)), failure.value
    assert "rollback()" not in str(failure.value)


@pytest.mark.parametrize(
    ("state", "kind"),
    [("53100", StorageFull), ("57P02", ConnectionFailed), ("53200", ServerFailed), ("58030", ServerFailed)],
)
@pytest.mark.parametrize("command", ["sync", "run"])
def test_a_fault_of_the_server_has_its_own_code_in_both_tracks(
    site: Path, url: str, postgres_database: PostgresDatabase, command: str, state: str, kind: type[MigrationError]
) -> None:
    engine = sa.create_engine(postgres_database.sync_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        for sql in (
            FAILING.format(state=state),
            "CREATE EVENT TRIGGER fails ON ddl_command_end EXECUTE FUNCTION fail()",
        ):
            connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
    (site / "faulty_shop/migrations/versions/f1.py").write_text(REVISION.format(body="pass"))
    with pytest.raises(MigrationError) as failure:
        getattr(manager(site, url), command)()
    assert type(failure.value) is kind, failure.value
    assert "no room" in failure.value.what


@pytest.mark.parametrize(
    ("setting", "kind"),
    [
        ("default_transaction_read_only = on", DatabaseReadOnly),
        ("idle_session_timeout = 1", ConnectionFailed),
    ],
)
def test_a_fault_in_a_sync_has_its_own_code(
    site: Path, url: str, postgres_database: PostgresDatabase, setting: str, kind: type[MigrationError]
) -> None:
    if setting.startswith("idle_session") and postgres_database.server.major < 14:
        pytest.skip("idle_session_timeout came with PostgreSQL 14")
    engine = sa.create_engine(postgres_database.sync_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{postgres_database.name}" SET {setting}')
    engine.dispose()
    with pytest.raises(MigrationError) as failure:
        manager(site, url).sync()
    assert type(failure.value) is kind, failure.value
    assert not OF_THE_DRIVER.search(str(failure.value)), failure.value
