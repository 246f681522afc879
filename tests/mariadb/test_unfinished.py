"""A revision that ends in its middle on a server that commits with DDL: nothing of it is ever done twice.

The file cannot be gone on with by itself, for what it sends may depend on what it reads. So it is refused, by name and
with every statement that it sent, until somebody has said by ``stamp`` what became of it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import RevisionFailed, RevisionUnfinished
from tests._mariadb import MariadbDatabase, MariadbServer
from tests.killed.sites import Forker
from tests.support.profile import NIGHTLY
from tests.versions.conftest import apps as apps
from tests.versions.support import Apps

pytestmark = pytest.mark.mariadb

UPGRADE = """
    op.execute("UPDATE price SET amount = amount * 2")
    op.add_column("price", sa.Column("currency", sa.String(3), server_default="EUR"))
    op.execute("UPDATE price SET amount = amount * 3")
    op.execute("/* by hand */ CREATE TABLE extra (id integer PRIMARY KEY)")
    op.get_bind().exec_driver_sql("ALTER TABLE extra ADD COLUMN note text")
    op.execute("INSERT INTO extra VALUES (1, 'last')")
"""
DOWNGRADE = """
    op.drop_table("extra")
    op.drop_column("price", "currency")
"""
SENT = (
    "ALTER TABLE price ADD COLUMN currency",
    "/* by hand */ CREATE TABLE extra",
    "ALTER TABLE extra ADD COLUMN note",
)
"""How the statements begin that commit, in their order."""
STATES = {
    # Amounts and what stands, by how many of those statements were sent and done.
    0: (1, set()),
    1: (2, {"currency"}),
    2: (6, {"currency", "extra"}),
    3: (6, {"currency", "extra", "note"}),
}


@dataclass(frozen=True)
class Place:
    """A database as tests.killed.sites.Copy has it."""

    url: str
    plain_url: str = ""
    dsn: str = ""


@pytest.fixture(scope="module")
def fork() -> Iterator[Forker]:
    forker = Forker()
    yield forker
    forker.close()


@pytest.fixture
def yard(apps: Apps) -> Path:
    """An app with a revision that is applied, and one that is killed."""
    apps.revision("yard", "aa01", "op.create_table('price', sa.Column('amount', sa.Integer))", labels=("yard",))
    apps.revision("yard", "aa02", UPGRADE, DOWNGRADE, down="aa01")
    apps.file("yard", "models.py", "import sqlalchemy as sa\nmetadata = sa.MetaData()\n")
    return apps.root


def standing(database: MariadbDatabase) -> tuple[int, set[str]]:
    """What the amount has become, and what of the revision is there."""
    [(amount,)] = database.execute("SELECT amount FROM price")
    found = {str(name) for (name,) in database.execute("SHOW TABLES")} & {"extra"}
    for table in ("price", *found):
        found |= {str(row[0]) for row in database.execute(f"DESCRIBE {table}")} & {"currency", "note"}
    return int(amount), found


def start(database: MariadbDatabase) -> None:
    database.execute(
        "CREATE TABLE price (amount integer)",
        "INSERT INTO price VALUES (1)",
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
        "INSERT INTO alembic_version VALUES ('aa01')",
    )


def manager(database: MariadbDatabase, root: Path, driver: str = "pymysql") -> MigrationManager:
    url = database.server.url(database.name, driver)
    return MigrationManager(
        MigrationSettings(url, apps=("yard",), path=root, metadata=(sa.MetaData(),), allow_empty=True)
    )


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["pymysql", "asyncmy"])
def test_killed_after_each_statement_nothing_is_done_twice(
    mariadb_server: MariadbServer, fork: Forker, yard: Path, driver: str
) -> None:
    whole = mariadb_server.create_database()
    start(whole)
    url = mariadb_server.url(whole.name, driver)
    ran = fork("all", Place(url), yard, here=True)
    assert ran["code"] is None, ran
    assert standing(whole) == STATES[3]
    assert whole.execute("SELECT * FROM extra") == [(1, "last")]
    mariadb_server.drop_database(whole.name)
    first = next(number for number, text in enumerate(ran["seen"], 1) if "amount * 2" in text)
    last = next(number for number, text in enumerate(ran["seen"], 1) if "INSERT INTO extra" in text) + 3
    met = set()
    for stop in range(first, last + 1, 1 if NIGHTLY or driver == "pymysql" else 2):
        database = mariadb_server.create_database()
        start(database)
        place = Place(mariadb_server.url(database.name, driver))
        assert fork("all", place, yard, stop=stop)["exit"] == -signal.SIGKILL
        where = f"killed after {ran['seen'][stop - 1]}"
        before = standing(database)
        again = fork("all", place, yard)
        if again["code"] is None:
            # Either nothing stood, and it was done from its beginning, or it had been recorded.
            assert before in (STATES[0], STATES[3]), where
        else:
            assert again["code"] == "M509", (where, again)
            assert standing(database) == before, where
            sent = [*again["details"]["done"], again["details"]["sent_last"]]
            assert all(text.startswith(wanted) for text, wanted in zip(sent, SENT, strict=False)), where
            # The last one may be done or not; what was before it is, with the rows that were written before it.
            assert before in (STATES[len(sent)], (STATES[len(sent)][0], STATES[len(sent) - 1][1])), where
            met.add(len(sent))
        mariadb_server.drop_database(database.name)
    assert met == {1, 2, 3}


@pytest.fixture
def cut_off(mariadb_database: MariadbDatabase, fork: Forker, yard: Path) -> MariadbDatabase:
    """Killed after its second statement that commits."""
    start(mariadb_database)
    for stop in range(1, 60):
        fork("all", Place(mariadb_database.sync_url), yard, stop=stop)
        if standing(mariadb_database) == STATES[2]:
            return mariadb_database
        mariadb_database.execute(
            *(f"DROP TABLE IF EXISTS {name}" for name in ("price", "alembic_version", "extra", "__schema_unfinished__"))
        )
        start(mariadb_database)
    raise AssertionError("it was never in its middle")


def test_it_says_how_to_go_on_and_goes_on(cut_off: MariadbDatabase, yard: Path) -> None:
    ours = manager(cut_off, yard)
    for command in (ours.run, ours.all, ours.rollback):
        with pytest.raises(RevisionUnfinished, match="aa02 was cut off in upgrade") as caught:
            command()
        assert caught.value.details["heads"] == ["aa01"]
        assert "m-migrate stamp aa01" in caught.value.next_step
        assert "with aa02 in its place" in caught.value.next_step
    assert standing(cut_off) == STATES[2]
    assert ours.status().unfinished == ("aa02",)
    assert [one.found for one in ours.doctor() if one.name == "revisions"] == ["cut off half way: aa02"]
    judged = ours.verify()
    assert judged.dirty
    assert "unfinished-revision" in {one.kind for one in judged.findings if one.dirty}
    assert ours.stamp("aa01", dry_run=True).actions == ("forget that aa02 was cut off in its middle",)
    # Undone by hand: it begins anew.
    cut_off.execute("DROP TABLE extra", "ALTER TABLE price DROP COLUMN currency", "UPDATE price SET amount = 1")
    assert ours.stamp("aa01").applied
    assert ours.status().unfinished == ()
    assert ours.run().revisions == ("aa02",)
    assert "unfinished-revision" not in {one.kind for one in ours.verify().findings}
    assert standing(cut_off) == STATES[3]
    assert cut_off.execute("SELECT * FROM __schema_unfinished__") == []
    assert ours.rollback().revisions == ("aa02",)


def test_finished_by_hand_it_counts_as_done(cut_off: MariadbDatabase, yard: Path) -> None:
    ours = manager(cut_off, yard)
    cut_off.execute("ALTER TABLE extra ADD COLUMN note text", "INSERT INTO extra VALUES (1, 'last')")
    actions = ours.stamp("aa02").actions
    assert actions[-1] == "forget that aa02 was cut off in its middle"
    assert ours.run().revisions == ()
    assert ours.all().run.heads == ("aa02",)


@pytest.mark.parametrize("driver", ["pymysql", "asyncmy"])
def test_a_failure_is_not_repeated_at_the_next_start(
    mariadb_database: MariadbDatabase, apps: Apps, driver: str
) -> None:
    """A server that migrates when it boots is started again and again: rows would be changed once more each time."""
    start(mariadb_database)
    apps.revision("yard", "aa01", labels=("yard",))
    apps.revision("yard", "aa02", UPGRADE.replace("ADD COLUMN note text", "ADD COLUMN id text"), down="aa01")
    ours = manager(mariadb_database, apps.root, driver)
    with pytest.raises(RevisionFailed, match="Duplicate column name 'id'") as failed:
        ours.run()
    assert failed.value.details["rolled_back"] is False
    assert "m-migrate stamp aa01" in failed.value.next_step
    for _ in range(2):
        with pytest.raises(RevisionUnfinished, match="ADD COLUMN id text"):
            ours.run()
    assert standing(mariadb_database) == STATES[2]


@pytest.mark.parametrize("driver", ["pymysql", "asyncmy"])
def test_what_did_nothing_is_simply_run_again(mariadb_database: MariadbDatabase, apps: Apps, driver: str) -> None:
    start(mariadb_database)
    apps.revision("yard", "aa01", labels=("yard",))
    apps.revision("yard", "aa02", "op.add_column('price', sa.Column('amount', sa.Integer))", down="aa01")
    ours = manager(mariadb_database, apps.root, driver)
    for _ in range(2):
        with pytest.raises(RevisionFailed, match="rolled back") as failed:
            ours.run()
        assert failed.value.details["rolled_back"] is True
    mariadb_database.execute("ALTER TABLE price RENAME COLUMN amount TO old")
    assert ours.run().revisions == ("aa02",)
    assert mariadb_database.execute("SELECT * FROM __schema_unfinished__") == []


def test_an_autocommit_block_is_noted_statement_by_statement(mariadb_database: MariadbDatabase, apps: Apps) -> None:
    start(mariadb_database)
    apps.revision("yard", "aa01", labels=("yard",))
    block = """
    op.execute("UPDATE price SET amount = 5")
    with op.get_context().autocommit_block():
        op.execute("UPDATE price SET amount = amount + 1")
        op.execute("UPDATE price SET absent = 1")
    """
    apps.revision("yard", "aa02", block, down="aa01")
    ours = manager(mariadb_database, apps.root)
    with pytest.raises(RevisionFailed, match="absent"):
        ours.run()
    assert mariadb_database.execute("SELECT amount FROM price") == [(6,)]
    with pytest.raises(RevisionUnfinished) as caught:
        ours.run()
    assert caught.value.details["done"] == ["COMMIT", "UPDATE price SET amount = amount + 1"]
    assert caught.value.details["sent_last"] == "UPDATE price SET absent = 1"
    assert mariadb_database.execute("SELECT amount FROM price") == [(6,)]
