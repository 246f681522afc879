"""A sync that is stopped while rows get their values: what the ledger says is true, and the next one goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.errors import LedgerCorrupt
from framework_m_migrations.domain.events import BackfillMoved
from scripts.waiting import LIMIT, wait_until
from tests._postgres import PostgresDatabase
from tests.online.own_values import BEFORE, FILES, NOTES, ROWS, Heard, Site, drawn, item, stopped_before, three
from tests.support.profile import NIGHTLY

PEOPLES = "'00000000-0000-0000-0000-000000000001'"


@pytest.fixture
def site(emptied_database: PostgresDatabase) -> Iterator[Site]:
    with psycopg.connect(emptied_database.dsn, autocommit=True) as plain:
        made = Site(emptied_database, plain)
        made.send(BEFORE, ROWS)
        yield made


def ledger_is_true(site: Site) -> None:
    """A checksum is there only if all values are; a column with rows that wait for theirs has a note."""
    columns = {
        name for (name,) in site.rows("SELECT attname::text FROM pg_attribute WHERE attrelid = 'item'::regclass")
    }
    if "token" not in columns or not site.rows("SELECT to_regclass('__schema_versions__')")[0][0]:
        return
    open_ = [
        name
        for name in ("token", "draw", "seen")
        if name in columns and site.rows(f"SELECT count(*) FROM item WHERE {name} IS NULL") != [(0,)]
    ]
    noted = " ".join(str(value) for _, value in site.rows(NOTES))
    assert all(f'"{name}"' in noted for name in open_), (open_, noted)
    settled = site.rows("SELECT count(*) FROM __schema_versions__") == [(1,)]
    assert not settled or (noted == "" and open_ == [])


def test_stopped_at_any_change_it_goes_on(site: Site) -> None:
    """The application writes in between; its own values stay, and no row is left without one."""
    metadata, number, stops = three(), 0 if NIGHTLY else -2, 0
    while True:
        number += 1 if NIGHTLY else 5
        assert number < 1000, "every change is stopped before, however late it is"
        site.send("DROP TABLE item", BEFORE, ROWS)
        for (table,) in site.rows("SELECT relname::text FROM pg_class WHERE relname LIKE '\\_\\_schema%\\_\\_'"):
            site.send(f'DROP TABLE "{table}"')
        files = site.rows(FILES)
        if not stopped_before(site, number, metadata):
            break
        stops += 1
        ledger_is_true(site)
        columns = site.rows("SELECT count(*) FROM pg_attribute WHERE attrelid = 'item'::regclass AND attname = 'token'")
        site.send("INSERT INTO item (id, n) VALUES (9001, 1)", "UPDATE item SET n = 0 WHERE id IN (5, 2400)")
        if columns == [(1,)]:
            site.send(f"UPDATE item SET token = {PEOPLES}, draw = 7 WHERE id = 2300")
        assert not stopped_before(site, 10_000, metadata)
        assert site.rows("SELECT count(*), count(token), count(draw), count(seen) FROM item") == [(2501,) * 4]
        assert site.rows("SELECT count(DISTINCT token), count(DISTINCT draw) FROM item") == [(2501, 2501)]
        if columns == [(1,)]:
            assert site.rows(f"SELECT token = {PEOPLES}, draw FROM item WHERE id = 2300") == [(True, 7.0)]
        assert site.rows(NOTES) == []
        assert site.rows(FILES) == files
        if number % 3 == 0:
            assert site.manager(metadata).plan(force=True).plan.steps == ()
            assert site.open_(metadata) == site.left_nullable
    least = (25 if NIGHTLY else 5) if site.left_nullable else (40 if NIGHTLY else 8)
    assert stops >= least, stops


MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("item", metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
         sa.Column("n", sa.Integer), sa.Column("draw", sa.Float, server_default=sa.text("random()")))
"""


def test_killed_between_two_batches_it_goes_on_where_it_was(site: Site, tmp_path: Path) -> None:
    """A row that somebody holds keeps the process in its second batch; there it is killed with -9."""
    (tmp_path / "models.py").write_text(MODELS)
    command = [sys.executable, "-m", "framework_m_migrations.cli", "sync", "--metadata", "models:metadata"]
    metadata = item(drawn("draw", sa.Float, "random()"))
    waits = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'WITH m_migrate%' AND wait_event_type = 'Lock'"
    with psycopg.connect(site.database.dsn) as other:
        other.execute("SELECT FROM item WHERE id = 1500 FOR UPDATE")
        other.execute("SAVEPOINT held")
        # A row's lock is one on its table too, a weak one, that the new column would wait for: so the column is there.
        other.rollback()
        heard = Heard()
        stop = RuntimeError("stopped")

        def end(event: BackfillMoved) -> None:
            raise stop

        heard.then = end
        with pytest.raises(RuntimeError, match="stopped"):
            site.manager(metadata, heard).sync()
        other.execute("SELECT FROM item WHERE id = 1500 FOR UPDATE")
        process = subprocess.Popen(
            [*command, "--path", str(tmp_path)],
            env={**os.environ, "DATABASE_URL": site.database.sync_url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(
            lambda: site.rows(waits) != [(0,)] or process.poll() is not None,
            what="the second batch to wait for the row that is held",
        )
        assert process.poll() is None, f"the sync ended by itself, with exit code {process.poll()}"
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(LIMIT) == -signal.SIGKILL
        assert site.rows("SELECT count(draw), max(id) FROM item WHERE draw IS NOT NULL") == [(1000, 1000)]
        [(_, note)] = site.rows(NOTES)
        assert '"done":1000' in note
        other.rollback()
    kept = dict(site.rows("SELECT id, draw FROM item WHERE id <= 1000"))
    again = Heard()
    site.manager(metadata, again).sync()
    assert [event.done for event in again if isinstance(event, BackfillMoved)] == [2000, 2500]
    assert dict(site.rows("SELECT id, draw FROM item WHERE id <= 1000")) == kept
    assert site.rows("SELECT count(DISTINCT draw) FROM item") == [(2500,)]
    site.settle(metadata)


def interrupted(site: Site, metadata: sa.MetaData) -> None:
    """The first batch is there, the others are not."""
    heard = Heard()

    def end(event: BackfillMoved) -> None:
        raise KeyboardInterrupt

    heard.then = end
    with pytest.raises(KeyboardInterrupt):
        site.manager(metadata, heard).sync()
    assert site.rows("SELECT count(draw) FROM item") == [(1000,)]


def test_it_is_told_and_survives_a_repair_of_the_ledger(site: Site) -> None:
    metadata = item(drawn("draw", sa.Float, "random()"))
    interrupted(site, metadata)
    changes = site.manager(metadata).plan().to_dict()["changes"]
    assert [(one["kind"], one["rule"], one["risk"]) for one in changes] == [
        ("ColumnUnfilled", "column-unfilled", "safe")
    ]
    site.manager(metadata).repair()
    site.settle(metadata)
    assert site.rows("SELECT count(DISTINCT draw) FROM item") == [(2500,)]


def test_when_the_column_is_wanted_otherwise_in_the_meantime(site: Site) -> None:
    """Another default, none any more, required now, or gone: never a row that waits for ever, never a note too many."""

    def draw() -> sa.Column[float]:
        return drawn("draw", sa.Float, "random()")

    interrupted(site, item(draw()))
    site.settle(item(drawn("draw", sa.Float, "4", nullable=False)), required=True)
    assert site.rows("SELECT count(*) FROM item WHERE draw = 4") == [(1500,)]

    site.send("DROP TABLE item", BEFORE, ROWS)
    interrupted(site, item(draw()))
    site.settle(item(sa.Column("draw", sa.Float)))
    assert site.rows("SELECT count(draw) FROM item") == [(1000,)]

    site.send("DROP TABLE item", BEFORE, ROWS)
    interrupted(site, item(draw()))
    site.send("ALTER TABLE item DROP COLUMN draw")
    site.settle(item())
    site.send("ALTER TABLE item ADD COLUMN draw float DEFAULT random()", "UPDATE item SET draw = NULL WHERE id < 9")
    site.settle(item(draw()))
    assert site.rows("SELECT count(*) FROM item WHERE draw IS NULL") == [(8,)], "its NULLs are somebody's own"


def test_a_table_that_has_got_another_key_is_gone_through_from_the_beginning(site: Site) -> None:
    """The cursor is a value of the former key; in the new one it would stand somewhere else."""
    draw = drawn("draw", sa.Float, "random()")
    metadata = item(draw)
    interrupted(site, metadata)
    site.send(
        "UPDATE item SET n = 2501 - id",
        "ALTER TABLE item DROP CONSTRAINT item_pkey",
        "ALTER TABLE item ALTER COLUMN id DROP NOT NULL, ALTER COLUMN n SET NOT NULL",
        "ALTER TABLE item ADD PRIMARY KEY (n)",
    )
    site.manager(metadata).sync()
    assert site.rows("SELECT count(draw) FROM item") == [(2500,)]
    assert site.rows(NOTES) == []


def test_a_note_that_cannot_be_read_is_an_error_that_says_so(site: Site) -> None:
    metadata = item(drawn("draw", sa.Float, "random()"))
    interrupted(site, metadata)
    site.send("UPDATE __schema_state__ SET value = '{\"table\":[null,\"item\"]}' WHERE key LIKE 'fill:%'")
    with pytest.raises(LedgerCorrupt, match="cannot be read"):
        site.manager(metadata).sync()
    assert site.rows("SELECT count(draw) FROM item") == [(1000,)]
