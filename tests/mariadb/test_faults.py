"""Faults of the server in the middle of a revision: the code of the fault, never of the revision."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from framework_m_migrations.domain.errors import (
    ConnectionFailed,
    DatabaseReadOnly,
    MigrationError,
    StatementCancelled,
)
from tests._mariadb import MariadbDatabase
from tests.support.faults import manager, site

__all__ = ["site"]

pytestmark = pytest.mark.mariadb

REVISION = """
import time
from alembic import op
revision, down_revision, branch_labels = "f1", None, ("faulty_shop",)
def kill(what):
    op.execute(f"KILL {what} {op.get_bind().exec_driver_sql('SELECT CONNECTION_ID()').scalar()}")
def deadlock():
    # The other transaction has changed more, so that this one is given up.
    import threading
    import sqlalchemy as sa
    with sa.create_engine(op.get_bind().engine.url.set(drivername="mysql+pymysql")).connect() as other:
        other.exec_driver_sql("INSERT INTO heavy SELECT seq FROM seq_1_to_50")
        op.execute("UPDATE one SET id = id + 1")
        blocked = threading.Thread(target=other.exec_driver_sql, args=("UPDATE one SET id = id + 1",))
        blocked.start()
        try:
            op.execute("UPDATE heavy SET id = id + 1")
        finally:
            blocked.join()
def upgrade():
    BODY
    op.execute("CREATE TABLE made (id int)")
    op.execute("INSERT INTO made VALUES (1)")
def downgrade(): op.execute("DROP TABLE made")
"""
FAULTS: dict[str, tuple[str, type[MigrationError]]] = {
    "killed": ("kill('')", ConnectionFailed),
    "killed and caught": ("try: kill('')\n    except Exception: pass", ConnectionFailed),
    "cancelled": ("kill('QUERY')", StatementCancelled),
    "statement timeout": (
        "op.execute('SET SESSION max_statement_time = 0.05'); op.execute('SELECT SLEEP(9) FROM one')",
        StatementCancelled,
    ),
    "read-only": (
        "op.execute('SET SESSION TRANSACTION READ ONLY'); op.get_bind().commit(); op.execute('DELETE FROM one')",
        DatabaseReadOnly,
    ),
    "idle": ("op.execute('SET SESSION wait_timeout = 1'); time.sleep(2.5)", ConnectionFailed),
}
OF_THE_DRIVER = re.compile(r"InterfaceError|greenlet|rollback\(\)|Traceback|Packet sequence")


@pytest.fixture(params=["async", "sync"])
def url(request: pytest.FixtureRequest, mariadb_database: MariadbDatabase) -> str:
    return mariadb_database.url if request.param == "async" else mariadb_database.sync_url


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_revision_has_its_own_code(
    site: Path, url: str, mariadb_database: MariadbDatabase, fault: str
) -> None:
    body, kind = FAULTS[fault]
    mariadb_database.execute("CREATE TABLE one (id int)", "INSERT INTO one VALUES (1)")
    (site / "faulty_shop/migrations/versions/f1.py").write_text(REVISION.replace("BODY", body))
    with pytest.raises(MigrationError) as failure:
        manager(site, url).run()
    error = failure.value
    assert type(error) is kind, error
    assert not OF_THE_DRIVER.search(str(error)), error
    assert "f1" in error.what


@pytest.mark.parametrize(
    ("body", "rolled_back"),
    [
        ("op.execute('INSERT INTO one VALUES (2)')", True),
        ("raw('INSERT INTO one VALUES (2)'); op.get_bind().connection.dbapi_connection.commit()", False),
        ("raw('INSERT INTO one VALUES (2)'); raw('COMMIT'); raw('INSERT INTO one VALUES (3)')", False),
        ("raw('INSERT INTO one VALUES (2)'); raw('COMMIT'); op.execute('CREATE TABLE one (id int)')", False),
        ("raw('INSERT INTO one VALUES (2)'); raw('COMMIT'); deadlock()", False),
        ("raw('CREATE TABLE two (id int)')", False),
        ("op.execute('INSERT INTO one VALUES (2)'); op.execute('CREATE TABLE one (id int)')", False),
        ("op.execute('CREATE TABLE one (id int)')", True),
    ],
)
def test_what_the_driver_commits_is_told(
    site: Path, url: str, mariadb_database: MariadbDatabase, body: str, *, rolled_back: bool
) -> None:
    mariadb_database.execute("CREATE TABLE one (id int)", "INSERT INTO one VALUES (1)", "CREATE TABLE heavy (id int)")
    body = f"raw = op.get_bind().connection.cursor().execute; {body}; raise ValueError('no')"
    (site / "faulty_shop/migrations/versions/f1.py").write_text(REVISION.replace("BODY", body))
    with pytest.raises(MigrationError) as failure:
        manager(site, url).run()
    assert failure.value.details["rolled_back"] is rolled_back
    found = (mariadb_database.execute("SELECT id FROM one"), mariadb_database.execute("SHOW TABLES LIKE 'two'"))
    assert (found == ([(1,)], [])) is rolled_back
